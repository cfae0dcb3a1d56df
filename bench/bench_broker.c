/* How does the gateway's broker compare with mosquitto, and its durable acks with what the disk can
 * do? One load (load.h) on both, in turns; wall time, and the CPU time of the broker's process.
 *   bench_broker [--smoke | --durable]     all, briefly, or the durable acks alone
 *   bench_broker PORT PID CLIENTS QOS WINDOW MESSAGES    the load alone, on a server that runs */
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/load.h"
#include "bench/server.h"
#include "core/check.h"
#include "core/server/database.h"

enum {
    OURS,
    THEIRS,
    BROKERS,
    SIZES = 3,
    QOS = 3,
    ROUNDS = BENCH_ROUNDS,
    PAYLOAD_BYTES = 64,
    COPY_BYTES = 22
};

static const char *const names[BROKERS] = {"brownout-gateway", "mosquitto"};
static const uint32_t sizes[SIZES] = {1, 100, 1000};
static const uint32_t windows[SIZES] = {16, 8, 3};
static const uint32_t counts[QOS] = {60000, 40000, 20000};

struct cell {
    struct bench_sample rate, cpu_us;
};

static struct {
    bool smoke;
    char folder[128];
    struct cell cells[SIZES][QOS][BROKERS];
    uint64_t rss_bytes[SIZES][BROKERS];
} bench;

/* A folder under that of this run. */
static const char *folder_of(const char *name)
{
    static char path[192];
    snprintf(path, sizeof path, "%s/%s", bench.folder, name);
    if (mkdir(path, 0700) != 0) {
        perror(path);
        exit(4);
    }
    return path;
}

static void remove_folder(void)
{
    char command[192];
    snprintf(command, sizeof command, "rm -rf %s", bench.folder);
    if (system(command) != 0) {
        fprintf(stderr, "bench: %s is left\n", bench.folder);
    }
}

static void give_up(struct server servers[BROKERS])
{
    for (int which = 0; which < BROKERS; which++) {
        server_stop(&servers[which]);
    }
    remove_folder();
    exit(4);
}

/* --- side by side, without durability */

static void one_run(struct server servers[BROKERS], uint32_t size, uint8_t qos, int which)
{
    struct load_result result;
    struct cell *cell = &bench.cells[size][qos][which];
    const struct load load = {.port = servers[which].port,
                              .clients = sizes[size],
                              .messages = bench.smoke ? 300 : counts[qos],
                              .window = windows[size],
                              .qos = qos,
                              .payload_bytes = PAYLOAD_BYTES,
                              .server = servers[which].process};
    if (!load_run(&load, &result)) {
        fprintf(stderr, "bench: %s at QoS %u with %u clients\n", names[which], qos, sizes[size]);
        give_up(servers);
    }
    bench_add(&cell->rate, load.messages / result.seconds);
    bench_add(&cell->cpu_us, result.server_cpu_s * 1e6 / load.messages);
    bench.rss_bytes[size][which] = result.rss_bytes;
}

static void side_by_side(uint32_t size, bool theirs)
{
    struct server servers[BROKERS] = {{0}, {0}};
    char name[32];
    snprintf(name, sizeof name, "ours%u", sizes[size]);
    if (!server_gateway(&servers[OURS], folder_of(name), sizes[size], false)) {
        give_up(servers);
    }
    snprintf(name, sizeof name, "theirs%u", sizes[size]);
    if (theirs && !server_mosquitto(&servers[THEIRS], folder_of(name))) {
        give_up(servers);
    }
    for (int round = 0; round < (bench.smoke ? 1 : ROUNDS); round++) {
        for (uint8_t qos = 0; qos < QOS; qos++) {
            for (int turn = 0; turn < BROKERS; turn++) { /* who is first changes */
                const int which = (turn + round) % BROKERS;
                if (which == OURS || theirs) {
                    one_run(servers, size, qos, which);
                }
            }
        }
    }
    for (int which = 0; which < BROKERS; which++) {
        server_stop(&servers[which]);
    }
}

static void print_sides(uint32_t sizes_run, bool theirs)
{
    char what[96];
    bench_title(
        "broker: messages through it, each from one client to another, without durability",
        "wall time of a load in one process on the same machine, median of rounds in turns; "
        "in brackets CPU time of the broker");
    for (uint32_t size = 0; size < sizes_run; size++) {
        for (uint32_t qos = 0; qos < QOS; qos++) {
            double rate[BROKERS] = {0, 0}, cpu_us[BROKERS] = {0, 0};
            for (int which = 0; which < (theirs ? BROKERS : 1); which++) {
                const struct cell *cell = &bench.cells[size][qos][which];
                rate[which] = bench_median(&cell->rate);
                cpu_us[which] = bench_median(&cell->cpu_us);
                snprintf(what, sizeof what, "%4u clients, QoS %u, %s (%.1f us)", sizes[size], qos,
                         names[which], cpu_us[which]);
                bench_print(what, rate[which], "messages/s");
            }
            if (theirs) {
                snprintf(what, sizeof what, "%4u clients, QoS %u, ratio (%.2f by CPU time)",
                         sizes[size], qos, cpu_us[THEIRS] / cpu_us[OURS]);
                bench_print(what, rate[OURS] / rate[THEIRS], "x");
            }
        }
    }
    const uint32_t last = sizes_run - 1;
    for (int which = 0; which < (theirs ? BROKERS : 1) && last > 0; which++) {
        const double more =
            (double)bench.rss_bytes[last][which] - (double)bench.rss_bytes[0][which];
        snprintf(what, sizeof what, "memory of a connection, %s", names[which]);
        bench_print(what, more / (sizes[last] - sizes[0]) / 1024, "kB");
        snprintf(what, sizeof what, "VmRSS with %u clients, %s", sizes[last], names[which]);
        bench_print(what, (double)bench.rss_bytes[last][which] / 1024, "kB");
    }
}

/* --- durable acks, beside what SQLite does with the same rows */

static void fail_database(const char *what)
{
    fprintf(stderr, "bench: the raw loop: %s failed\n", what);
    remove_folder();
    exit(4);
}

/* A message and its copy in, an older message and its copy out, and a commit for so many of them.
 */
static double raw_loop(const char *path, uint32_t messages, uint32_t group, uint32_t message_bytes)
{
    static uint8_t bytes[1024];
    static const char *const sql[] = {"INSERT OR REPLACE INTO message VALUES(?1, ?2)",
                                      "INSERT OR REPLACE INTO copy VALUES(?1, ?2)",
                                      "DELETE FROM message WHERE id = ?1",
                                      "DELETE FROM copy WHERE id = ?1"};
    struct database database;
    sqlite3_stmt *statements[4];
    const struct port port = {.disk_vfs = "unix", .disk_path = path};
    if (database_open(&database, &port,
                      "CREATE TABLE message(id INTEGER PRIMARY KEY, body BLOB NOT NULL);"
                      "CREATE TABLE copy(id INTEGER PRIMARY KEY, body BLOB NOT NULL);") != ERR_OK) {
        fail_database("opening");
    }
    for (uint32_t i = 0; i < 4; i++) {
        if (database_prepare(&database, sql[i], &statements[i]) != ERR_OK) {
            fail_database("preparing");
        }
    }
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (uint32_t done = 0; done < messages; done++) {
        for (uint32_t i = 0; i < 4; i++) {
            const bool put = i < 2;
            if (!put && done < group) {
                continue; /* not yet */
            }
            const uint32_t row = (put ? done : done - group) % (2 * group);
            int code = sqlite3_bind_int64(statements[i], 1, row);
            if (code == SQLITE_OK && put) {
                code = sqlite3_bind_blob(statements[i], 2, bytes,
                                         (int)(i == 0 ? message_bytes : COPY_BYTES), SQLITE_STATIC);
            }
            if (code != SQLITE_OK || database_write(&database, statements[i]) != ERR_OK) {
                fail_database("writing");
            }
        }
        if ((done + 1) % group == 0 && database_commit(&database) != ERR_OK) {
            fail_database("a commit");
        }
    }
    if (database_commit(&database) != ERR_OK) {
        fail_database("a commit");
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    database_close(&database);
    return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
}

static void durable(uint32_t clients, uint32_t window, uint8_t qos)
{
    struct server servers[BROKERS] = {{0}, {0}};
    struct bench_sample rate = {0}, raw = {0}, cpu_us = {0};
    char name[48], path[256], what[96];
    uint32_t group = 1, messages = bench.smoke ? 200 : 20000;
    double rows = 0;
    snprintf(name, sizeof name, "durable%u.%u", clients, qos);
    const char *folder = folder_of(name);
    if (!server_gateway(&servers[OURS], folder, clients, true)) {
        give_up(servers);
    }
    for (int round = 0; round < (bench.smoke ? 1 : ROUNDS); round++) {
        struct load_result result;
        const double commits = server_metric(&servers[OURS], "brownout_broker_commits_total");
        const double rows_before = server_metric(&servers[OURS], "brownout_broker_rows_total");
        const struct load load = {.port = servers[OURS].port,
                                  .clients = clients,
                                  .messages = messages,
                                  .window = window,
                                  .qos = qos,
                                  .durable = true,
                                  .payload_bytes = PAYLOAD_BYTES,
                                  .server = servers[OURS].process};
        if (!load_run(&load, &result)) {
            give_up(servers);
        }
        const double more =
            server_metric(&servers[OURS], "brownout_broker_commits_total") - commits;
        rows = server_metric(&servers[OURS], "brownout_broker_rows_total") - rows_before;
        group = more < messages ? (uint32_t)(messages / more + 0.5) : 1;
        rows /= messages;
        bench_add(&rate, messages / result.seconds);
        bench_add(&cpu_us, result.server_cpu_s * 1e6 / messages);
        snprintf(path, sizeof path, "%s/%s/raw%d.db", bench.folder, name, round);
        /* PUBLISH of the load: a fixed header of 2 bytes, the topic and its size, no properties */
        bench_add(&raw, messages / raw_loop(path, messages, group, 2 + 2 + 9 + 1 + PAYLOAD_BYTES));
    }
    server_stop(&servers[OURS]);
    snprintf(what, sizeof what, "%4u clients, QoS %u, acks after the commit (%.1f us)", clients,
             qos, bench_median(&cpu_us));
    bench_print(what, bench_median(&rate), "messages/s");
    snprintf(what, sizeof what, "%4u clients, QoS %u, raw loop, %u messages a commit", clients, qos,
             group);
    bench_print(what, bench_median(&raw), "messages/s");
    snprintf(what, sizeof what, "%4u clients, QoS %u, ratio (rows a message: %.1f, raw 4)", clients,
             qos, rows);
    bench_print(what, bench_median(&rate) / bench_median(&raw), "x");
}

static int load_alone(char **argv)
{
    struct load_result result;
    const struct load load = {.port = (uint16_t)strtoul(argv[1], NULL, 10),
                              .server = (pid_t)strtol(argv[2], NULL, 10),
                              .clients = (uint32_t)strtoul(argv[3], NULL, 10),
                              .qos = (uint8_t)strtoul(argv[4], NULL, 10),
                              .window = (uint32_t)strtoul(argv[5], NULL, 10),
                              .messages = (uint32_t)strtoul(argv[6], NULL, 10),
                              .durable = true,
                              .payload_bytes = PAYLOAD_BYTES};
    if (load.clients == 0 || load.qos > 2 || !load_run(&load, &result)) {
        return 4;
    }
    bench_print("through it", load.messages / result.seconds, "messages/s");
    bench_print("CPU time of the server", result.server_cpu_s * 1e6 / load.messages,
                "us a message");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 7) {
        return load_alone(argv);
    }
    const char *under = getenv("TMPDIR");
    bench.smoke = bench_smoke(argc, argv);
    const bool theirs = server_has_mosquitto();
    const bool durable_alone = argc == 2 && strcmp(argv[1], "--durable") == 0;
    const uint32_t sizes_run = durable_alone ? 0 : bench.smoke ? 1 : SIZES;
    snprintf(bench.folder, sizeof bench.folder, "%s/brownout_bench_XXXXXX",
             under == NULL || strlen(under) > 80 ? "/tmp" : under);
    if (mkdtemp(bench.folder) == NULL) {
        perror(bench.folder);
        return 4;
    }
    if (!theirs && !durable_alone) {
        printf("mosquitto is not installed (scripts/setup.sh --daemons): ours alone\n");
    }
    for (uint32_t size = 0; size < sizes_run; size++) {
        side_by_side(size, theirs);
    }
    if (sizes_run > 0) {
        print_sides(sizes_run, theirs);
    }
    bench_title("broker: durable acks, and a raw loop of group commits in SQLite on the same disk",
                "sessions that last, each message to one of them; the loop has the broker's "
                "settings and messages a commit, puts two rows and deletes two; "
                "wall time, median of rounds in turns; in brackets CPU time of the broker");
    durable(bench.smoke ? 4 : 100, 16, 1);
    if (!bench.smoke) {
        durable(1000, 3, 1);
    }
    remove_folder();
    return 0;
}
