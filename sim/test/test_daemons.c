/* Goal: real daemons keep the laws while they are killed, `brownout judge` sees that they do, and
 * sees when they do not; what is wrong with a daemon's files is refused with exit code 2.
 * Method: `brownout up` with kills, its logs judged; then the logs with one lie each. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/process.h"
#include "sim/spec_call.h"
#include "sim/test/programs.h"

enum { TEXT_BYTES = 65536, DEVICES = 10, LOGS_MAX = DEVICES + 2, PATH_BYTES = 512 };

static char folder[PATH_BYTES], text[TEXT_BYTES], logs[LOGS_MAX][PATH_BYTES + 64];

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static int call(const char *const *argv)
{
    struct process process;
    EXPECT(process_start(&process, argv, PROCESS_MEMORY_DRAWN, true));
    return process_finish(&process, text, sizeof text);
}

static void expect_code(int code, int expected)
{
    if (code != expected) {
        fprintf(stderr, "exit code %d, expected %d:\n%s\n", code, expected, text);
        exit(1);
    }
}

static const char *path_of(const char *name)
{
    static char paths[16][PATH_BYTES + 64];
    static unsigned next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int judge(const char *option, const char *value)
{
    const char *argv[LOGS_MAX + 8] = {program_command(), "judge", "--json"};
    size_t count = 3;
    if (option != NULL) {
        argv[count++] = option;
        argv[count++] = value;
    }
    for (int i = 0; i < LOGS_MAX; i++) {
        argv[count++] = logs[i];
    }
    argv[count] = NULL;
    return call(argv);
}

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "r");
    EXPECT(file != NULL);
    EXPECT_EQUAL(fseek(file, 0, SEEK_END), 0);
    const long size = ftell(file);
    rewind(file);
    char *bytes = malloc((size_t)size + 1);
    EXPECT(bytes != NULL);
    EXPECT_EQUAL(fread(bytes, 1, (size_t)size, file), size);
    bytes[size] = '\0';
    EXPECT_EQUAL(fclose(file), 0);
    return bytes;
}

static void write_whole(const char *path, const char *bytes)
{
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    EXPECT(fputs(bytes, file) >= 0);
    EXPECT_EQUAL(fclose(file), 0);
}

static uint64_t number(const char *name)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *at = strstr(text, quoted);
    EXPECT(at != NULL);
    return strtoull(at + strlen(quoted), NULL, 10);
}

/* ---- A fleet --------------------------------------------------------------------------------- */

static void a_fleet_that_is_killed_keeps_the_laws(void)
{
    const char *const up[] = {program_command(),
                              "up",
                              folder,
                              "--devices",
                              "10",
                              "--for",
                              "16s",
                              "--settle",
                              "10s",
                              "--sample-every",
                              "300ms",
                              "--kills",
                              "15",
                              "--seed",
                              "7",
                              NULL};
    expect_code(call(up), 0);
    EXPECT(strstr(text, "killed 15, failed 0; stopped in order") != NULL);
    for (int i = 0; i < LOGS_MAX; i++) {
        char name[32];
        if (i < 2) {
            snprintf(name, sizeof name, "%s.evidence", i == 0 ? "cloud" : "gateway");
        } else {
            snprintf(name, sizeof name, "device-%d.evidence", i - 1);
        }
        snprintf(logs[i], sizeof logs[i], "%s", path_of(name));
    }
    expect_code(judge("--settled", "8s"), 0);
    EXPECT(strstr(text, "\"verdict\":\"pass\"") != NULL);
    EXPECT(number("ended_in_order") >= DEVICES + 2);
    EXPECT(number("lives") > DEVICES + 2);
    EXPECT(number("acked") > 100);
    EXPECT_EQUAL(number("uncaused"), 0);
    /* At the end all that was signed and acked is there, each once. */
    EXPECT(number("cloud_rows") >= number("signed") - number("signed") / 10);
    EXPECT_EQUAL(number("accepted") >= number("cloud_rows"), true);
}

/* A second opinion, where there is Java: no step need be guessed between what was said. */
static void tlc_accepts_what_the_daemons_did(void)
{
    static const char *const laws[] = {"Telemetry", "Session"};
    for (size_t i = 0; i < sizeof laws / sizeof laws[0]; i++) {
        const char *argv[LOGS_MAX + 10] = {program_command(), "spec",  "trace",
                                           "--json",          "--law", laws[i],
                                           "--devices",       "30",    "--evidence"};
        for (int n = 0; n < LOGS_MAX; n++) {
            argv[9 + n] = logs[n];
        }
        const int code = call(argv);
        if (code == SPEC_EXIT_SKIPPED) {
            puts("  skipped: there is no Java");
            return;
        }
        expect_code(code, 0);
        EXPECT_EQUAL(number("accepted"), number("devices"));
        EXPECT(number("accepted") >= DEVICES && number("steps") > 300);
        EXPECT_EQUAL(number("canaries_rejected"), number("batches"));
    }
}

/* The fleet goes on where it was: keys, counters and disks are those of the first time. */
static void a_fleet_goes_on_where_it_was(void)
{
    const char *const up[] = {program_command(), "up", folder, "--for", "3s", NULL};
    const char *const other[] = {program_command(), "up", folder, "--devices", "3",
                                 "--for",           "1s", NULL};
    const uint64_t rows = number("cloud_rows");
    struct process fleet, follower;
    const char *follow[LOGS_MAX + 5] = {program_command(), "judge", "--json", "--follow"};
    const struct timespec nap = {4, 0};
    for (int i = 0; i < LOGS_MAX; i++) {
        follow[4 + i] = logs[i];
    }
    EXPECT(process_start(&fleet, up, PROCESS_MEMORY_DRAWN, true));
    EXPECT(process_start(&follower, follow, PROCESS_MEMORY_DRAWN, false));
    expect_code(process_finish(&fleet, text, sizeof text), 0);
    EXPECT(strstr(text, "found a cloud") != NULL);
    (void)nanosleep(&nap, NULL); /* what is told is two seconds old */
    EXPECT_EQUAL(kill(follower.pid, SIGTERM), 0);
    expect_code(process_finish(&follower, text, sizeof text), 0);
    EXPECT(number("cloud_rows") > rows);
    expect_code(judge(NULL, NULL), 0);
    EXPECT(number("cloud_rows") > rows);
    expect_code(call(other), 2);
    EXPECT(strstr(text, "was made for 10 devices") != NULL);
}

/* A figure of a metrics file. */
static uint64_t metric(const char *file, const char *name)
{
    char *bytes = read_whole(path_of(file));
    const char *at = strstr(bytes, name);
    EXPECT(at != NULL);
    const uint64_t value = strtoull(at + strlen(name), NULL, 10);
    free(bytes);
    return value;
}

/* Strangers on the gateway's port: garbage, silence, and what is almost a CONNECT. */
static void disturb(uint16_t port)
{
    enum { STRANGERS = 300, HELD = 100 };
    static const char connect_text[] = "\x10\x1a\0\4MQTT\5\2\0\x3c\0\0\0018";
    int held[HELD];
    for (int i = 0; i < HELD; i++) {
        held[i] = -1;
    }
    for (int i = 0; i < STRANGERS; i++) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int file = socket(AF_INET, SOCK_STREAM, 0);
        const struct timespec nap = {0, 10000000};
        EXPECT(file >= 0);
        (void)connect(file, (const struct sockaddr *)&to, sizeof to);
        (void)nanosleep(&nap, NULL);
        const char *said = i % 3 == 0 ? connect_text : "GET / HTTP/1.1\r\n\r\n";
        if (i % 3 != 2) {
            (void)send(file, said, sizeof connect_text, MSG_NOSIGNAL);
        }
        if (held[i % HELD] >= 0) {
            (void)close(held[i % HELD]);
        }
        held[i % HELD] = file;
    }
    for (int i = 0; i < HELD; i++) {
        (void)close(held[i]);
    }
}

static void strangers_disturb_nobody(void)
{
    const char *const up[] = {program_command(), "up", folder, "--for", "8s", NULL};
    const struct timespec nap = {1, 500000000};
    struct process fleet;
    unsigned port = 0;
    char *made = read_whole(path_of("fleet"));
    const char *at = strstr(made, "gateway_port ");
    EXPECT(at != NULL && sscanf(at, "gateway_port %u", &port) == 1);
    free(made);
    expect_code(judge(NULL, NULL), 0);
    const uint64_t before = number("signed");
    EXPECT(process_start(&fleet, up, PROCESS_MEMORY_DRAWN, true));
    (void)nanosleep(&nap, NULL);
    disturb((uint16_t)port);
    expect_code(process_finish(&fleet, text, sizeof text), 0);
    EXPECT(metric("gateway.prom", "brownout_tls_refused_total{role=\"gateway\",node=\"2\"} ") >=
           100);
    EXPECT_EQUAL(
        metric("gateway.prom", "brownout_gateway_queue_messages{role=\"gateway\",node=\"2\"} "), 0);
    expect_code(judge("--settled", "6s"), 0); /* from the beginning of the disturbance */
    EXPECT(number("signed") > before + 100);
}

/* ---- Lies ------------------------------------------------------------------------------------ */

/* The n-th last line that holds `word`: its begin, and the one behind it. */
static char *line_with(char *bytes, const char *word, char **behind)
{
    char *found = NULL;
    for (char *at = strstr(bytes, word); at != NULL; at = strstr(at + 1, word)) {
        found = at;
    }
    EXPECT(found != NULL);
    while (found > bytes && found[-1] != '\n') {
        found--;
    }
    *behind = found + strcspn(found, "\n") + 1;
    return found;
}

static void expect_broken(const char *law)
{
    char broken[64];
    expect_code(judge(NULL, NULL), 1);
    snprintf(broken, sizeof broken, "\"law\":\"%s\"", law);
    if (strstr(text, broken) == NULL) {
        fprintf(stderr, "expected %s:\n%s\n", broken, text);
        exit(1);
    }
}

static void an_acked_reading_that_is_gone_is_seen(void)
{
    char *behind, *good = read_whole(logs[0]), *bad = read_whole(logs[0]);
    char *line = line_with(bad, " reading ", &behind);
    memmove(line, behind, strlen(behind) + 1);
    write_whole(logs[0], bad);
    expect_broken("telemetry.durable");
    write_whole(logs[0], good);
    free(bad);
    free(good);
}

static void a_reading_that_nobody_signed_is_seen(void)
{
    char *behind, *good = read_whole(logs[0]), *bad = read_whole(logs[0]);
    char *line = line_with(bad, " ACCEPT ", &behind);
    (void)line;
    behind[-2] = behind[-2] == '0' ? '1' : '0'; /* the last digit of its body */
    write_whole(logs[0], bad);
    expect_broken("telemetry.authentic");
    write_whole(logs[0], good);
    free(bad);
    free(good);
}

/* The first line of a log that has this word, once more. */
static void expect_twice_broken(const char *log, const char *word, const char *law)
{
    char *behind, *good = read_whole(log);
    const char *line = line_with(good, word, &behind);
    const size_t size = (size_t)(behind - line), whole = strlen(good);
    char *bad = malloc(whole + size + 1);
    EXPECT(bad != NULL);
    const size_t before = (size_t)(behind - good);
    memcpy(bad, good, before);
    memcpy(bad + before, line, size);
    memcpy(bad + before + size, behind, whole - before + 1);
    write_whole(log, bad);
    expect_broken(law);
    write_whole(log, good);
    free(bad);
    free(good);
}

static void a_reading_that_is_taken_twice_is_seen(void)
{
    expect_twice_broken(logs[0], " ACCEPT ", "telemetry.once");
}

static void a_counter_that_is_used_twice_is_seen(void)
{
    expect_twice_broken(logs[2], " SIGN ", "telemetry.nonce");
}

static void garbage_is_refused_and_a_torn_tail_is_the_end(void)
{
    char *good = read_whole(logs[1]);
    const size_t size = strlen(good);
    char *bad = malloc(size + 64);
    EXPECT(bad != NULL);
    memcpy(bad, good, size + 1);
    strcpy(bad + size, "123 4 SEND 5");
    write_whole(logs[1], bad);
    expect_code(judge(NULL, NULL), 0);
    EXPECT_EQUAL(number("torn"), 1);
    strcpy(bad + size, "123 4 SEND 5\n");
    write_whole(logs[1], bad);
    expect_code(judge(NULL, NULL), 2);
    EXPECT(strstr(text, "gateway.evidence:") != NULL);
    memcpy(bad, "x", 1);
    write_whole(logs[1], bad);
    expect_code(judge(NULL, NULL), 2);
    EXPECT(strstr(text, "no evidence log") != NULL);
    write_whole(logs[1], good);
    free(bad);
    free(good);
}

static void without_the_clouds_log_it_cannot_be_told(void)
{
    const char *const argv[] = {program_command(), "judge", "--json", logs[1], logs[2], NULL};
    expect_code(call(argv), 5);
    EXPECT(strstr(text, "the cloud's log is not here") != NULL);
}

/* A log that ended at its bound says nothing of what came after: that cannot be told. */
static void a_log_that_reached_its_bound_cannot_tell_all(void)
{
    char *good = read_whole(logs[2]);
    const size_t size = strlen(good);
    char *bad = malloc(size + 64);
    EXPECT(bad != NULL);
    memcpy(bad, good, size + 1);
    char *end = strstr(bad, " stop ");
    EXPECT(end != NULL);
    while (end[-1] != '\n') {
        end--;
    }
    const unsigned long long time_us = strtoull(end, NULL, 10); /* of the first life in order */
    snprintf(end, 64, "%llu %llu full 0 0 0 0 -\n", time_us, time_us);
    write_whole(logs[2], bad);
    expect_code(judge(NULL, NULL), 5);
    EXPECT(strstr(text, "a log has reached its bound") != NULL);
    write_whole(logs[2], good);
    free(bad);
    free(good);
}

/* ---- Daemons --------------------------------------------------------------------------------- */

static void a_daemon_checks_its_configuration(void)
{
    const char *check[] = {program_path("brownout-device"), "--check", path_of("device-1.conf"),
                           NULL};
    expect_code(call(check), 0);
    const char *wrong[] = {program_path("brownout-device"), "--check", path_of("gateway.conf"),
                           NULL};
    expect_code(call(wrong), 2);
    EXPECT(strstr(text, "gateway.conf:") != NULL);
    const char *none[] = {program_path("brownout-cloud"), NULL};
    expect_code(call(none), 2);
    const char *help[] = {program_path("brownout-gateway"), "--help", NULL};
    expect_code(call(help), 0);
    EXPECT(strstr(text, "queue") != NULL);
}

/* Until the log of a daemon holds these words; it has to. */
static void wait_for(const char *log, const char *words)
{
    const struct timespec nap = {0, 20000000};
    for (int i = 0; i < 1000; i++) {
        char *bytes = access(log, F_OK) == 0 ? read_whole(log) : NULL;
        const bool there = bytes != NULL && strstr(bytes, words) != NULL;
        free(bytes);
        if (there) {
            return;
        }
        (void)nanosleep(&nap, NULL);
    }
    fprintf(stderr, "%s: '%s' did not come\n", log, words);
    exit(1);
}

static void a_cut_flash_and_lost_counters_are_refused(void)
{
    const char *const run[] = {program_path("brownout-device"), path_of("device-1.conf"), NULL};
    struct stat stat_before;
    EXPECT_EQUAL(stat(path_of("device-1/flash"), &stat_before), 0);
    EXPECT_EQUAL(truncate(path_of("device-1/flash"), stat_before.st_size / 2), 0);
    expect_code(call(run), 2);
    EXPECT(strstr(text, "device-1/flash has") != NULL);
    EXPECT_EQUAL(truncate(path_of("device-1/flash"), stat_before.st_size), 0);
    EXPECT_EQUAL(rename(path_of("device-1/counters"), path_of("device-1/aside")), 0);
    expect_code(call(run), 2);
    EXPECT(strstr(text, "device-1/counters: not there") != NULL);
    EXPECT_EQUAL(rename(path_of("device-1/aside"), path_of("device-1/counters")), 0);
    /* Counters without a flash: killed before it was made, or it was taken away. The epoch is new.
     */
    EXPECT_EQUAL(unlink(path_of("device-1/flash")), 0);
    struct process process;
    EXPECT(process_start(&process, run, PROCESS_MEMORY_DRAWN, true));
    wait_for(path_of("device-1.evidence"), " BOOT 3 2 ");
    EXPECT_EQUAL(kill(process.pid, SIGTERM), 0);
    expect_code(process_finish(&process, text, sizeof text), 0);
}

static struct process start_cloud(void)
{
    const char *const argv[] = {program_path("brownout-cloud"), path_of("cloud.conf"), NULL};
    struct process process;
    (void)unlink(logs[0]); /* its word is the first one of a new log */
    EXPECT(process_start(&process, argv, PROCESS_MEMORY_DRAWN, true));
    wait_for(logs[0], " BOOT ");
    return process;
}

static void stop_cloud(struct process *process)
{
    EXPECT_EQUAL(kill(process->pid, SIGTERM), 0);
    expect_code(process_finish(process, text, sizeof text), 0);
    EXPECT(strstr(text, "event=stop") != NULL);
}

static void a_node_that_runs_does_not_start_again(void)
{
    const char *const second[] = {program_path("brownout-cloud"), path_of("cloud.conf"), NULL};
    struct process first = start_cloud();
    expect_code(call(second), 2);
    EXPECT(strstr(text, "in use by another process") != NULL);
    stop_cloud(&first);
    EXPECT(strstr(text, "event=up reason=process") != NULL);
}

/* Stopped, it cannot feed its watchdog; let go on, it begins a new life in the same process. */
static void a_watchdog_that_is_not_fed_begins_a_new_life(void)
{
    const struct timespec longer = {2, 500000000};
    FILE *conf = fopen(path_of("cloud.conf"), "a");
    EXPECT(conf != NULL);
    EXPECT(fputs("watchdog = 2s\n", conf) >= 0);
    EXPECT_EQUAL(fclose(conf), 0);
    struct process process = start_cloud();
    EXPECT_EQUAL(kill(process.pid, SIGSTOP), 0);
    (void)nanosleep(&longer, NULL);
    EXPECT_EQUAL(kill(process.pid, SIGCONT), 0);
    wait_for(logs[0], " BOOT 0 0 0 1 -"); /* RESET_WATCHDOG */
    stop_cloud(&process);
    EXPECT(strstr(text, "event=watchdog") != NULL);
    EXPECT(strstr(text, "event=up reason=watchdog") != NULL);
}

/* A database that is none cannot be served: the cloud asks for resets, and gets one a second. */
static void a_reset_that_the_role_asks_for_begins_a_new_life(void)
{
    EXPECT_EQUAL(rename(path_of("cloud/cloud.db"), path_of("cloud/aside")), 0);
    (void)unlink(path_of("cloud/cloud.db-wal"));
    write_whole(path_of("cloud/cloud.db"), "this is no database, and was never one: 0123456789");
    const char *const argv[] = {program_path("brownout-cloud"), path_of("cloud.conf"), NULL};
    struct process process;
    (void)unlink(logs[0]);
    EXPECT(process_start(&process, argv, PROCESS_MEMORY_DRAWN, true));
    wait_for(logs[0], " up 1 0 ");
    const struct timespec three = {4, 0};
    (void)nanosleep(&three, NULL);
    stop_cloud(&process);
    EXPECT(strstr(text, "event=reset") != NULL);
    EXPECT(strstr(text, "event=up reason=software") != NULL);
    char *log = read_whole(logs[0]);
    EXPECT(strstr(log, " image-end 0 0 0 1 -") != NULL); /* it could not be read */
    free(log);
    EXPECT_EQUAL(rename(path_of("cloud/aside"), path_of("cloud/cloud.db")), 0);
}

static void metrics_say_what_operators_watch(void)
{
    static const char *const names[][2] = {
        {"cloud.prom", "brownout_cloud_accepted_total{role=\"cloud\",node=\"1\"} "},
        {"cloud.prom", "brownout_dropped_total{role=\"cloud\",node=\"1\",reason=\"signature\"} 0"},
        {"gateway.prom", "brownout_gateway_queue_messages{role=\"gateway\",node=\"2\"} 0"},
        {"device-1.prom", "brownout_evidence_total{role=\"device\",node=\"3\",act=\"BACKOFF\"} "},
        {"device-1.prom", "# TYPE brownout_device_outbox_readings gauge"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *metrics = read_whole(path_of(names[i][0]));
        if (strstr(metrics, names[i][1]) == NULL) {
            fprintf(stderr, "%s: no %s in\n%s\n", names[i][0], names[i][1], metrics);
            exit(1);
        }
        free(metrics);
    }
}

int main(void)
{
    const char *under = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/brownout_daemons_XXXXXX", under == NULL ? "/tmp" : under);
    EXPECT(mkdtemp(folder) != NULL);
    RUN(a_fleet_that_is_killed_keeps_the_laws);
    RUN(a_fleet_goes_on_where_it_was);
    RUN(tlc_accepts_what_the_daemons_did);
    RUN(strangers_disturb_nobody);
    RUN(metrics_say_what_operators_watch);
    RUN(an_acked_reading_that_is_gone_is_seen);
    RUN(a_reading_that_nobody_signed_is_seen);
    RUN(a_reading_that_is_taken_twice_is_seen);
    RUN(a_counter_that_is_used_twice_is_seen);
    RUN(garbage_is_refused_and_a_torn_tail_is_the_end);
    RUN(without_the_clouds_log_it_cannot_be_told);
    RUN(a_log_that_reached_its_bound_cannot_tell_all);
    RUN(a_daemon_checks_its_configuration);
    RUN(a_cut_flash_and_lost_counters_are_refused);
    RUN(a_node_that_runs_does_not_start_again);
    RUN(a_watchdog_that_is_not_fed_begins_a_new_life);
    RUN(a_reset_that_the_role_asks_for_begins_a_new_life);
    const char *const remove[] = {"rm", "-rf", folder, NULL};
    expect_code(call(remove), 0);
    return 0;
}
