/* What it costs to cut a device's life everywhere: boots a second from crash images, and the time
 * until there is no new image. The life is scenarios/update_install.lua: an image of 36 KiB, whose
 * signatures and digest are checked at every boot. */
#include "bench/bench.h"

#include <sys/resource.h>

#include "core/check.h"
#include "sim/explore.h"

struct measured {
    struct explore_result result;
    double seconds;
};

static void search(const char *path, uint64_t depth, bool torn, struct measured *measured)
{
    static struct life life;
    static struct part part;
    char error[512];
    if (!life_read(path, &life, error, sizeof error) ||
        !part_load(life.part, &part, error, sizeof error)) {
        fprintf(stderr, "bench: %s\n", error);
        exit(2);
    }
    const struct explore_options options = {
        .torn = torn, .demonic = true, .masked = true, .depth = depth, .images_max = 4000000};
    struct explore *explore = explore_open(&life, &part, &options, error, sizeof error);
    if (explore == NULL) {
        fprintf(stderr, "bench: %s\n", error);
        exit(2);
    }
    const double begin = bench_cpu_s();
    explore_run(explore, &measured->result);
    measured->seconds = bench_cpu_s() - begin;
    explore_close(explore);
    const enum explore_verdict verdict = measured->result.verdict;
    if (verdict != EXPLORE_CLOSED && verdict != EXPLORE_BOUNDED) {
        fprintf(stderr, "bench: %s: a law is broken, or nothing was proved\n", path);
        exit(4);
    }
}

static void print(const char *what, const struct measured *measured)
{
    const struct explore_counts *counts = &measured->result.counts;
    const double images = (double)(counts->cuts + counts->mounts + counts->works);
    const double boots = images + (double)counts->branches;
    printf("  %s\n", what);
    bench_print("  boots from crash images, executed", images, "");
    bench_print("  the same, for other answers of uncertain bits", (double)counts->branches, "");
    bench_print("  boots a second", boots / measured->seconds, "1/s");
    bench_print("  images generated", (double)counts->generated, "");
    bench_print("  images generated for each one that is booted",
                (double)counts->generated / images, ": 1");
    bench_print("  distinct crash images covered", (double)measured->result.image_count, "");
    bench_print("  digests and signatures asked for", (double)counts->questions, "");
    bench_print("  of them computed", (double)counts->computed, "");
    bench_print("  time", measured->seconds, "s");
}

int main(int argc, char **argv)
{
    static struct measured measured;
    struct rusage usage;
    bench_title("power cuts of an install", "one round each, CPU time of one core");
    if (bench_smoke(argc, argv)) {
        search("scenarios/update_small.lua", 1, true, &measured);
        print("smallest flash, one cut", &measured);
        return 0;
    }
    search("scenarios/update_install.lua", 1, true, &measured);
    print("36 KiB image, one cut, torn states included", &measured);
    search("scenarios/update_small.lua", EXPLORE_NO_BOUND, true, &measured);
    print("1 KB image on sectors of 512 bytes, to the fixpoint", &measured);
    search("scenarios/update_install.lua", EXPLORE_NO_BOUND, false, &measured);
    print("36 KiB image, no torn states, to the fixpoint", &measured);
    search("scenarios/update_install.lua", EXPLORE_NO_BOUND, true, &measured);
    print("36 KiB image, torn states, to the fixpoint", &measured);
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    bench_print("peak memory", (double)usage.ru_maxrss / 1024, "MiB");
    return 0;
}
