/* How fast is a fleet, what does it cost to watch it, and how much memory does a device take? */
#include <sys/resource.h>
#include <unistd.h>

#include "bench/bench.h"
#include "core/check.h"
#include "core/device.h"
#include "sim/node.h"
#include "sim/record.h"

enum { DEVICES = 50, DEVICES_MORE = 250 };

/* What is measured in turns: the fleet as it is, and with one thing changed. */
enum variant { IDEAL, NO_HASH, NO_LAWS, NO_SPEC, NEITHER, RING, OPENSSL, VARIANTS };

struct measure {
    struct bench_sample reading_us; /* CPU time of the run over its accepted readings */
    struct bench_sample wall_s, row_s;
    struct run_result result; /* of the last round */
};

static bool smoke;
static char directory[] = "/tmp/brownout-bench-XXXXXX";

static void measure(enum variant variant, struct measure *measure)
{
    struct plan plan;
    struct trace trace;
    struct world_options options;
    world_options_init(&options);
    options.hash = variant != NO_HASH && variant != NEITHER;
    options.laws = variant != NO_LAWS && variant != NEITHER;
    if (variant == RING) {
        CHECK(trace_open(&trace, false));
        options.item = trace_item;
        options.item_ctx = &trace;
    }
    if (smoke || variant == OPENSSL) {
        bench_fleet(&plan, DEVICES, "5m", "1m");
    } else {
        bench_fleet(&plan, DEVICES, "55m", "5m");
    }
    bench_set(&plan, "run.crypto", variant == OPENSSL ? "openssl" : "ideal");
    bench_set(&plan, "run.laws", variant == NO_SPEC ? "-spec.telemetry" : "");
    run_result_free(&measure->result);
    const double start_s = bench_cpu_s();
    bench_run(&plan, &options, &measure->result);
    const double readings = (double)measure->result.figures[FIGURE_accepted];
    bench_add(&measure->reading_us, (bench_cpu_s() - start_s) / readings * 1e6);
    bench_add(&measure->wall_s, (double)measure->result.wall_us / 1e6);
    if (variant == RING) {
        trace_close(&trace);
    }
    plan_free(&plan);
}

/* The row of a run, written after it: what every run of a sweep pays. */
static void record(struct record *file, struct measure *measure)
{
    char error[RECORD_ERROR_BYTES];
    const struct record_run row = {
        .scenario = "", .scenario_hash = "", .settings = "", .seed = 1, .result = &measure->result};
    const double start_s = bench_cpu_s();
    if (record_write(file, &row, error, sizeof error) == 0) {
        fprintf(stderr, "bench: %s\n", error);
        exit(4);
    }
    bench_add(&measure->row_s, bench_cpu_s() - start_s);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static double peak_bytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss * 1024.0;
}

static double peak_with(uint32_t devices)
{
    struct plan plan;
    struct run_result result;
    struct world_options options;
    world_options_init(&options);
    bench_fleet(&plan, devices, "2m", "3m");
    bench_run(&plan, &options, &result);
    run_result_free(&result);
    plan_free(&plan);
    return peak_bytes();
}

static double judge_bytes(const uint64_t *setting, uint32_t devices)
{
    static enum model_role roles[DEVICES_MORE + 1];
    for (uint32_t i = 0; i <= devices; i++) {
        roles[i] = i == 0 ? MODEL_OTHER : MODEL_DEVICE;
    }
    const struct judge_config config = {.node_count = devices + 1,
                                        .roles = roles,
                                        .cloud_window = (uint32_t)setting[SETTING_cloud_window],
                                        .outbox_max = (uint32_t)setting[SETTING_device_outbox],
                                        .reserve = (uint32_t)setting[SETTING_device_reserve],
                                        .queue_max = (uint32_t)setting[SETTING_gateway_queue],
                                        .sample_every_us = setting[SETTING_device_sample_every]};
    return (double)judge_size_bytes(&config);
}

/* First of all, while the process is small. */
static void measure_memory(void)
{
    struct plan plan;
    const double few = peak_with(DEVICES), more = peak_with(DEVICES_MORE);
    bench_fleet(&plan, DEVICES, "2m", "3m");
    const uint64_t *setting = plan.settings.number;
    const double cells =
        (double)setting[SETTING_flash_sector] * (double)setting[SETTING_flash_sectors];
    bench_title("memory of a device",
                "sizes of its parts; and the growth of the peak resident size "
                "from 50 to 250 devices, in a run of 5 minutes");
    bench_print("role", sizeof(struct device), "B");
    bench_print("node", sizeof(struct node), "B");
    bench_print("flash: cells and their wear", cells + cells / (double)setting[SETTING_flash_unit],
                "B");
    bench_print("judge",
                (judge_bytes(setting, DEVICES_MORE) - judge_bytes(setting, DEVICES)) /
                    (DEVICES_MORE - DEVICES),
                "B");
    bench_print("all of it: net, sessions and databases as well",
                (more - few) / (DEVICES_MORE - DEVICES), "B");
    plan_free(&plan);
}

/* ---- figures --------------------------------------------------------------------------------- */

static void print_speed(const char *title, const struct measure *measure)
{
    const struct run_result *result = &measure->result;
    const double wall_s = bench_median(&measure->wall_s);
    const double reading_us = bench_median(&measure->reading_us);
    const double readings = (double)result->figures[FIGURE_accepted];
    const double event_us = reading_us * readings / (double)result->events;
    bench_title(title, "all laws and the hash on; making and freeing the world is part of it; "
                       "medians of rounds");
    bench_print("events", (double)result->events, "");
    bench_print("events a second of CPU time", 1e6 / event_us, "1/s");
    bench_print("CPU time of an event", event_us, "us");
    bench_print("CPU time of a reading", reading_us, "us");
    bench_print("simulated : wall", (double)result->sim_us / 1e6 / wall_s, ": 1");
    bench_print("readings accepted a second of wall time", readings / wall_s, "1/s");
}

static void print_work(const struct run_result *result)
{
    static const struct {
        enum figure figure;
        const char *what, *unit;
    } figures[] = {
        {FIGURE_signatures, "signatures made", ""},
        {FIGURE_verifications, "signatures checked", ""},
        {FIGURE_air_bytes, "bytes on device links, both ways", "B"},
        {FIGURE_backhaul_bytes, "bytes between gateways and the cloud", "B"},
        {FIGURE_flash_programs, "flash programs", ""},
        {FIGURE_disk_syncs, "disk syncs", ""},
    };
    const double readings = (double)result->figures[FIGURE_accepted];
    bench_title("work of one reading", "figures of the run over its accepted readings");
    bench_print("events", (double)result->events / readings, "");
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        bench_print(figures[i].what, (double)result->figures[figures[i].figure] / readings,
                    figures[i].unit);
    }
}

/* Median of the ratios of each round: both of a pair had the same neighbours. */
static void print_ratio(const char *what, const struct bench_sample *with,
                        const struct bench_sample *without)
{
    struct bench_sample ratios = {0};
    for (uint32_t i = 0; i < with->count; i++) {
        bench_add(&ratios, with->values[i] / without->values[i]);
    }
    bench_print(what, bench_median(&ratios), "x");
}

static void print_costs(const struct measure *measures)
{
    const struct measure *all = &measures[IDEAL];
    struct bench_sample recorded = {0};
    for (uint32_t i = 0; i < all->reading_us.count; i++) {
        const double readings = (double)all->result.figures[FIGURE_accepted];
        bench_add(&recorded, all->reading_us.values[i] + all->row_s.values[i] / readings * 1e6);
    }
    bench_title("what watching costs", "CPU time of a reading with / without, under ideal: "
                                       "median of the rounds' ratios, measured in turns");
    print_ratio("hash", &all->reading_us, &measures[NO_HASH].reading_us);
    print_ratio("laws", &all->reading_us, &measures[NO_LAWS].reading_us);
    print_ratio("spec.telemetry, of those", &all->reading_us, &measures[NO_SPEC].reading_us);
    print_ratio("hash and laws", &all->reading_us, &measures[NEITHER].reading_us);
    print_ratio("last items kept, for a trace", &measures[RING].reading_us, &all->reading_us);
    print_ratio("recorder: the row of this run", &recorded, &all->reading_us);
    bench_print("recorder: the row itself", bench_median(&all->row_s) * 1e3, "ms");
    print_ratio("real signatures: openssl against ideal", &measures[OPENSSL].reading_us,
                &all->reading_us);
}

int main(int argc, char **argv)
{
    static struct measure measures[VARIANTS];
    char path[sizeof directory + 16], error[RECORD_ERROR_BYTES];
    smoke = bench_smoke(argc, argv);
    measure_memory();
    if (mkdtemp(directory) == NULL) {
        perror(directory);
        return 4;
    }
    snprintf(path, sizeof path, "%s/runs.db", directory);
    struct record *file = record_open(path, RECORD_CREATE, error, sizeof error);
    if (file == NULL) {
        fprintf(stderr, "bench: %s\n", error);
        return 4;
    }
    for (uint32_t round = 0; round < (smoke ? 1 : BENCH_ROUNDS); round++) {
        for (unsigned variant = 0; variant < VARIANTS; variant++) {
            measure((enum variant)variant, &measures[variant]);
        }
        record(file, &measures[IDEAL]);
    }
    record_close(file);
    unlink(path);
    rmdir(directory);
    print_speed("fleet of 50 devices, one simulated hour, under ideal", &measures[IDEAL]);
    print_speed("fleet of 50 devices, six simulated minutes, under openssl", &measures[OPENSSL]);
    print_work(&measures[IDEAL].result);
    print_costs(measures);
    for (unsigned variant = 0; variant < VARIANTS; variant++) {
        run_result_free(&measures[variant].result);
    }
    return 0;
}
