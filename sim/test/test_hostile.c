/* Goal: hostile peers (garbage, a byte a second, huge lengths, handshakes that are not ended,
 * 10,000 connections at once) cost a gateway and a broker bounded memory, get refused for the
 * reason that is theirs, and keep no honest peer out, neither one that is connected nor one that
 * comes. Method: real daemons and the live broker on loopback, tests/live_hostile against them,
 * while devices, and the live client, go on. What is counted: memory, descriptors, connections,
 * acks, and how many readings a device had to keep at once; no time is measured. */
#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "core/limits.h"
#include "core/posix/links.h"
#include "core/server/broker.h"
#include "core/test/test.h"
#include "sim/process.h"
#include "sim/test/programs.h"

#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_IS_ITS_OWN 0 /* the sanitizer's shadow and quarantine are in what is measured */
#else
#define MEMORY_IS_ITS_OWN 1
#endif

enum {
    TEXT_BYTES = 65536,
    PATH_BYTES = 512,
    DEVICES = 8,
    KILLED = 1, /* the device that comes anew in the middle of it */
    PEERS = 10000,
    PEERS_TEXT_BYTES = 16,
    SKIPPED = 77,
    TRIES = 3000,  /* of 20 ms */
    METRICS = 60,  /* the same: until the metrics of now are there */
    SETTLED_S = 8, /* what the judge is told */

    /* What a gateway may need beyond what it had in peace. A link: what is held, its session's
     * buffers, and with TLS what OpenSSL holds of a handshake. */
    SESSIONS = DEVICES + 8, /* as brownout up configures them */
    PLACES = SESSIONS + 4 + LINKS_SPARE,
    PLACE_KIB = (LINKS_HELD_BYTES + LINK_SEND_BYTES_MAX + MQTT_PACKET_BYTES_MAX) / 1024 + 1,
    PLACE_TLS_KIB = 112,
    BESIDE_KIB = 2048, /* the database's cache, and what the allocator keeps */

    /* A round is a reading's period: how many of them a reading may wait for its ack. */
    ROUNDS_MAX = 128,
};

static char folder[PATH_BYTES], text[TEXT_BYTES];

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

/* ---- Programs and files ---------------------------------------------------------------------- */

static const char *path_of(const char *name)
{
    static char paths[32][PATH_BYTES + 64];
    static unsigned next;
    char *path = paths[next++ % 32];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void expect_code(int code, int expected)
{
    if (code != expected) {
        fprintf(stderr, "exit code %d, expected %d:\n%s\n", code, expected, text);
        exit(1);
    }
}

static struct process begin(const char *const *argv)
{
    struct process process;
    EXPECT(process_start(&process, argv, PROCESS_MEMORY_DRAWN, true));
    return process;
}

static int finish(struct process *process)
{
    return process_finish(process, text, sizeof text);
}

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return NULL;
    }
    size_t size = 0, room = 65536;
    char *bytes = malloc(room + 1);
    EXPECT(bytes != NULL);
    for (size_t got; (got = fread(bytes + size, 1, room - size, file)) > 0;) {
        size += got;
        if (size == room) {
            room *= 2;
            bytes = realloc(bytes, room + 1);
            EXPECT(bytes != NULL);
        }
    }
    bytes[size] = '\0';
    EXPECT_EQUAL(fclose(file), 0);
    return bytes;
}

static void naps(int count)
{
    const struct timespec time = {0, 20000000};
    for (int i = 0; i < count; i++) {
        (void)nanosleep(&time, NULL);
    }
}

/* The number behind the last of these words in a file; `none` where there is none. */
static uint64_t number_behind(const char *path, const char *words, uint64_t none)
{
    char *bytes = read_whole(path);
    const char *found = NULL;
    for (const char *at = bytes == NULL ? NULL : strstr(bytes, words); at != NULL;
         at = strstr(at + 1, words)) {
        found = at;
    }
    const uint64_t number = found == NULL ? none : strtoull(found + strlen(words), NULL, 10);
    free(bytes);
    return number;
}

static uint64_t metric(const char *file, const char *name)
{
    const uint64_t value = number_behind(path_of(file), name, UINT64_MAX);
    if (value == UINT64_MAX) {
        fprintf(stderr, "%s: there is no %s\n", file, name);
        exit(1);
    }
    return value;
}

static uint64_t of_gateway(const char *name, const char *reason)
{
    char line[160];
    snprintf(line, sizeof line, "brownout_%s{role=\"gateway\",node=\"2\"%s%s%s} ", name,
             reason == NULL ? "" : ",reason=\"", reason == NULL ? "" : reason,
             reason == NULL ? "" : "\"");
    return metric("gateway.prom", line);
}

static uint64_t of_device(int device, const char *name)
{
    char line[160], file[32];
    snprintf(line, sizeof line, "brownout_%s{role=\"device\",node=\"%d\"} ", name, device + 2);
    snprintf(file, sizeof file, "device-%d.prom", device);
    return metric(file, line);
}

static uint64_t status_kib(pid_t pid, const char *what)
{
    char path[64], words[32];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    snprintf(words, sizeof words, "\n%s:", what);
    const uint64_t kib = number_behind(path, words, UINT64_MAX);
    EXPECT(kib != UINT64_MAX);
    return kib;
}

static unsigned descriptors(pid_t pid)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *files = opendir(path);
    EXPECT(files != NULL);
    while (readdir(files) != NULL) {
        count++;
    }
    EXPECT_EQUAL(closedir(files), 0);
    return count;
}

/* The daemon that runs with this configuration. */
static pid_t pid_of(const char *config)
{
    DIR *all = opendir("/proc");
    EXPECT(all != NULL);
    pid_t found = 0;
    for (const struct dirent *entry; found == 0 && (entry = readdir(all)) != NULL;) {
        char path[300];
        const long number = strtol(entry->d_name, NULL, 10);
        snprintf(path, sizeof path, "/proc/%ld/cmdline", number);
        char *words = number > 0 ? read_whole(path) : NULL;
        if (words != NULL && strstr(words, "brownout-") != NULL &&
            strcmp(words + strlen(words) + 1, path_of(config)) == 0) {
            found = (pid_t)number;
        }
        free(words);
    }
    EXPECT_EQUAL(closedir(all), 0);
    EXPECT(found > 0);
    return found;
}

/* ---- The attack ------------------------------------------------------------------------------ */

static struct process attack(uint64_t port, const char *count, const char *seconds,
                             const char *kinds, const char *addresses)
{
    char port_text[16];
    snprintf(port_text, sizeof port_text, "%u", (unsigned)port);
    const char *const argv[] = {
        program_path("tests/live_hostile"), port_text, count, seconds, kinds, addresses, NULL};
    return begin(argv);
}

static uint64_t said(const char *word)
{
    const char *at = strstr(text, word);
    EXPECT(at != NULL);
    return strtoull(at + strlen(word), NULL, 10);
}

/* It went as it was meant to; what this machine does not grant is told, and skipped. */
static void finish_attack(struct process *process, uint64_t peers)
{
    const int code = finish(process);
    if (code == SKIPPED) {
        printf("  skipped: %s", text);
        exit(SKIPPED);
    }
    expect_code(code, 0);
    printf("  %s", text);
    EXPECT_EQUAL(said("at_once "), peers);
    EXPECT(said("closed ") >= 100);
}

/* ---- A fleet --------------------------------------------------------------------------------- */

static struct {
    pid_t gateway;
    uint64_t port, rss_kib;
    unsigned descriptors;
    uint64_t connects[DEVICES + 1], acked[DEVICES + 1];
} peace;

/* Metrics of an earlier run say nothing of this one. */
static void forget_metrics(void)
{
    for (int device = 1; device <= DEVICES; device++) {
        char file[32];
        snprintf(file, sizeof file, "device-%d.prom", device);
        (void)unlink(path_of(file));
    }
    (void)unlink(path_of("gateway.prom"));
}

static bool all_acked(void)
{
    for (int device = 1; device <= DEVICES; device++) {
        char file[32], line[80];
        snprintf(file, sizeof file, "device-%d.prom", device);
        snprintf(line, sizeof line, "brownout_device_acked_total{role=\"device\",node=\"%d\"} ",
                 device + 2);
        if (number_behind(path_of(file), line, 0) == 0) {
            return false;
        }
    }
    return true;
}

/* A folder with a fleet whose devices wait for acks rather than connect anew: a connection that
 * ends is the attack's doing, and not that of a machine which is busy with other things. */
static void make_fleet(const char *plain)
{
    const char *const up[] = {program_command(), "up",    folder, "--devices", "8", "--for", "1s",
                              "--sample-every",  "300ms", plain,  NULL};
    const char *const edit[] = {
        "/bin/sh", "-c", "sed -i 's/^ack_timeout = .*/ack_timeout = 10m/' \"$0\"/device-*.conf",
        folder, NULL};
    struct process fleet = begin(up);
    expect_code(finish(&fleet), 0);
    struct process edited = begin(edit);
    expect_code(finish(&edited), 0);
}

static struct process begin_fleet(const char *plain)
{
    const char *const up[] = {program_command(), "up",    folder, "--devices", "8",
                              "--sample-every",  "300ms", plain,  NULL};
    forget_metrics();
    struct process fleet = begin(up);
    for (int i = 0; !all_acked(); i++) {
        EXPECT(i < TRIES);
        naps(1);
    }
    naps(METRICS);
    peace.gateway = pid_of("gateway.conf");
    peace.port = number_behind(path_of("fleet"), "gateway_port ", 0);
    peace.rss_kib = status_kib(peace.gateway, "VmRSS");
    peace.descriptors = descriptors(peace.gateway);
    for (int device = 1; device <= DEVICES; device++) {
        peace.connects[device] = of_device(device, "device_connects_total");
        peace.acked[device] = of_device(device, "device_acked_total");
    }
    return fleet;
}

static void expect_bounded_memory(uint64_t place_kib)
{
    const uint64_t peak_kib = status_kib(peace.gateway, "VmHWM");
    printf("  gateway: %llu KiB in peace, %llu KiB at most\n", (unsigned long long)peace.rss_kib,
           (unsigned long long)peak_kib);
    EXPECT(!MEMORY_IS_ITS_OWN || peak_kib <= peace.rss_kib + PLACES * place_kib + BESIDE_KIB);
}

/* Who was connected still is, by the same connection, and was acked. */
static void expect_undisturbed(int but)
{
    naps(METRICS);
    for (int device = 1; device <= DEVICES; device++) {
        if (device != but) {
            EXPECT_EQUAL(of_device(device, "device_connects_total"), peace.connects[device]);
            EXPECT(of_device(device, "device_acked_total") > peace.acked[device]);
        }
        EXPECT_EQUAL(of_device(device, "device_shed_total"), 0);
        EXPECT_EQUAL(of_device(device, "device_lost_total"), 0);
    }
}

static void expect_descriptors_back(pid_t pid, unsigned before)
{
    for (int i = 0; descriptors(pid) > before + 2; i++) {
        EXPECT(i < TRIES);
        naps(1);
    }
    naps(METRICS);
}

static void expect_sessions_back(void)
{
    for (int i = 0; of_gateway("gateway_sessions", NULL) != DEVICES; i++) {
        EXPECT(i < TRIES);
        naps(1);
    }
}

/* The most readings that a device had stored and not acked, over its life. */
static int rounds_of(int device)
{
    char file[32];
    int kept = 0, most = 0;
    snprintf(file, sizeof file, "device-%d.evidence", device);
    char *log = read_whole(path_of(file));
    EXPECT(log != NULL);
    for (char *line = strtok(log, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        kept += strstr(line, " STORE ") != NULL;
        kept -= strstr(line, " RELEASE ") != NULL;
        most = kept > most ? kept : most;
    }
    free(log);
    return most;
}

static void expect_every_ack(void)
{
    const char *argv[DEVICES + 8] = {program_command(), "judge", "--json", "--settled", "8s"};
    size_t count = 5;
    argv[count++] = path_of("cloud.evidence");
    argv[count++] = path_of("gateway.evidence");
    for (int device = 1; device <= DEVICES; device++) {
        char file[32];
        snprintf(file, sizeof file, "device-%d.evidence", device);
        argv[count++] = path_of(file);
        const int rounds = rounds_of(device);
        if (rounds > ROUNDS_MAX) {
            fprintf(stderr, "device %d: %d readings waited for their acks\n", device, rounds);
            exit(1);
        }
    }
    struct process judge = begin(argv);
    expect_code(finish(&judge), 0);
    EXPECT(strstr(text, "\"verdict\":\"pass\"") != NULL);
    EXPECT(said("\"acked\":") >= DEVICES * 20);
}

static void finish_fleet(struct process *fleet)
{
    naps(SETTLED_S * 50 + 50);
    EXPECT_EQUAL(kill(fleet->pid, SIGTERM), 0);
    expect_code(finish(fleet), 0);
    EXPECT(strstr(text, "failed 0; stopped in order") != NULL);
    expect_every_ack();
}

static void new_folder(void)
{
    const char *under = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/brownout_hostile_XXXXXX", under == NULL ? "/tmp" : under);
    EXPECT(mkdtemp(folder) != NULL);
}

/* A device that comes anew in the middle of the attack is served in the middle of it. */
static void come_anew_among(struct process *peers)
{
    naps(150);
    char *file = strdup(path_of("device-1.prom"));
    EXPECT(file != NULL);
    EXPECT_EQUAL(kill(pid_of("device-1.conf"), SIGKILL), 0);
    (void)unlink(file);
    for (int i = 0;
         number_behind(file, "brownout_device_acked_total{role=\"device\",node=\"3\"} ", 0) == 0;
         i++) {
        EXPECT(i < TRIES);
        naps(1);
    }
    free(file);
    EXPECT_EQUAL(kill(peers->pid, SIGTERM), 0);
    finish_attack(peers, PEERS);
}

/* What was made for it; of a failed test it stays. */
static void remove_folder(void)
{
    const char *const remove[] = {"/bin/rm", "-rf", folder, NULL};
    struct process process = begin(remove);
    expect_code(finish(&process), 0);
}

static void a_gateway_with_tls_goes_on_among_ten_thousand(void)
{
    new_folder();
    make_fleet(NULL);
    struct process fleet = begin_fleet(NULL);
    struct process peers = attack(peace.port, "10000", "60", "silent,drip,garbage,huge,half", "40");
    come_anew_among(&peers);
    expect_bounded_memory(PLACE_KIB + PLACE_TLS_KIB);
    expect_undisturbed(KILLED);
    EXPECT(of_gateway("links_away_total", "place") >= 100);
    EXPECT(of_gateway("tls_refused_total", NULL) >= 100);
    EXPECT_EQUAL(of_gateway("links_away_total", "system"), 0);
    expect_descriptors_back(peace.gateway, peace.descriptors);
    expect_sessions_back();
    finish_fleet(&fleet);
}

/* In that folder: what an address may have, and how long a handshake may take. */
static void an_address_gets_its_share_and_a_handshake_its_time(void)
{
    const char *const check[] = {"/bin/sh",
                                 "-c",
                                 "ulimit -n 60; exec \"$0\" --check \"$1\"",
                                 program_path("brownout-gateway"),
                                 path_of("gateway.conf"),
                                 NULL};
    FILE *conf = fopen(path_of("gateway.conf"), "a");
    EXPECT(conf != NULL);
    EXPECT(fputs("links_from_address = 12\n", conf) >= 0);
    EXPECT_EQUAL(fclose(conf), 0);
    struct process checked = begin(check);
    expect_code(finish(&checked), 2);
    EXPECT(strstr(text, "may need") != NULL && strstr(text, "descriptors") != NULL);
    struct process fleet = begin_fleet(NULL);
    struct process peers = attack(peace.port, "500", "300", "silent,drip", "1");
    for (int i = 0; of_gateway("links_away_total", "late") < 12; i++) {
        EXPECT(i < TRIES);
        naps(1);
    }
    EXPECT_EQUAL(kill(peers.pid, SIGTERM), 0);
    finish_attack(&peers, 500);
    expect_undisturbed(0);
    EXPECT(of_gateway("links_away_total", "address") >= 100);
    EXPECT_EQUAL(of_gateway("links_away_total", "place"), 0);
    expect_descriptors_back(peace.gateway, peace.descriptors);
    expect_sessions_back();
    finish_fleet(&fleet);
    remove_folder();
}

static void a_gateway_in_the_clear_goes_on_among_ten_thousand(void)
{
    new_folder();
    make_fleet("--plain");
    struct process fleet = begin_fleet("--plain");
    struct process peers =
        attack(peace.port, "10000", "60", "silent,drip,garbage,huge,claim", "40");
    come_anew_among(&peers);
    expect_bounded_memory(PLACE_KIB);
    expect_undisturbed(KILLED);
    EXPECT(of_gateway("refused_total", "sessions") >= 100);
    EXPECT(of_gateway("dropped_total", "malformed") >= 10);
    /* Strangers do not fill the log. */
    EXPECT(of_gateway("evidence_spared_total", NULL) >= 10);
    expect_descriptors_back(peace.gateway, peace.descriptors);
    expect_sessions_back();
    finish_fleet(&fleet);
    remove_folder();
}

/* ---- The broker ------------------------------------------------------------------------------ */

/* A broker that says "port N" on standard output, in a process of its own. `config`: what it has
 * memory for. */
static void go_on_among(const char *serve_line, const char *server,
                        const struct broker_config *config)
{
    char port_text[16];
    const char *const serve[] = {"/bin/sh", "-c", serve_line, server, folder, NULL};
    struct process broker = begin(serve);
    uint64_t port = 0;
    for (int i = 0; (port = number_behind(path_of("port"), "port ", 0)) == 0; i++) {
        EXPECT(i < TRIES);
        naps(1);
    }
    snprintf(port_text, sizeof port_text, "%u", (unsigned)port);
    const char *const honest[] = {program_path("tests/live_client"), "-n", "900", port_text, NULL};
    struct process client = begin(honest);
    expect_code(finish(&client), 0);
    const uint64_t rss_kib = status_kib(broker.pid, "VmRSS");
    const unsigned before = descriptors(broker.pid);
    struct process peers = attack(port, "10000", "300", "silent,drip,garbage,huge", "40");
    struct process deaf = attack(port, "6", "300", "deaf", "1");
    naps(100);
    for (int turn = 0; turn < 3; turn++) {
        client = begin(honest);
        expect_code(finish(&client), 0);
        EXPECT(strstr(text, "900 messages over 6 connections") != NULL);
    }
    naps(250); /* until what nobody reads has filled the sockets */
    EXPECT_EQUAL(kill(peers.pid, SIGTERM), 0);
    EXPECT_EQUAL(kill(deaf.pid, SIGTERM), 0);
    finish_attack(&peers, PEERS);
    EXPECT(finish(&deaf) == 0 && said("closed ") > 0); /* answers that it does not read end it */
    const uint64_t peak_kib = status_kib(broker.pid, "VmHWM");
    const uint64_t configured_kib = broker_size_bytes(config) / 1024 +
                                    (config->connections_max + LINKS_SPARE) * (uint64_t)PLACE_KIB;
    printf("  broker: %llu KiB in peace, %llu KiB at most, %llu KiB configured\n",
           (unsigned long long)rss_kib, (unsigned long long)peak_kib,
           (unsigned long long)configured_kib);
    EXPECT(!MEMORY_IS_ITS_OWN || peak_kib <= rss_kib + configured_kib + BESIDE_KIB);
    expect_descriptors_back(broker.pid, before);
    client = begin(honest);
    expect_code(finish(&client), 0);
    EXPECT_EQUAL(kill(broker.pid, SIGTERM), 0);
    expect_code(finish(&broker), 0);
}

/* core/test/live/broker.c, and what it configures. */
static void a_broker_goes_on_among_ten_thousand(void)
{
    const struct broker_config config = {.durable = true,
                                         .connections_max = SERVER_SESSIONS_MAX,
                                         .sessions_max = SERVER_SESSIONS_MAX,
                                         .subscriptions_max = 256,
                                         .messages_max = 4096,
                                         .copies_max = 4096,
                                         .retained_max = 64};
    new_folder();
    go_on_among("exec \"$0\" 0 \"$1/broker.db\" >\"$1/port\" 2>/dev/null",
                program_path("tests/live_broker"), &config);
    remove_folder();
}

/* brownout-gateway with what its broker has by default. */
static void a_gateways_broker_goes_on_among_ten_thousand(void)
{
    const struct broker_config config = {.durable = true,
                                         .connections_max = 1024,
                                         .sessions_max = 2048,
                                         .subscriptions_max = 8192,
                                         .messages_max = 8192,
                                         .copies_max = 16384,
                                         .retained_max = 1024};
    new_folder();
    go_on_among("GATEWAY=\"$0\" exec core/test/live/gateway_broker.sh 0 \"$1/broker\" "
                ">\"$1/port\" 2>/dev/null",
                program_path("brownout-gateway"), &config);
    remove_folder();
}

int main(void)
{
    RUN(a_gateway_with_tls_goes_on_among_ten_thousand);
    RUN(an_address_gets_its_share_and_a_handshake_its_time);
    RUN(a_gateway_in_the_clear_goes_on_among_ten_thousand);
    RUN(a_broker_goes_on_among_ten_thousand);
    RUN(a_gateways_broker_goes_on_among_ten_thousand);
    return 0;
}
