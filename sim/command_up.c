/* brownout up: a cloud, a gateway and devices as real processes on this machine. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/random.h"
#include "sim/status.h"
#include "sim/supervise.h"

enum {
    ERROR_BYTES = 2048,
    LINE_BYTES = 256,
    PATH_BYTES = 1200,
    TURN_US = 50000,
    KILLS_MAX = 100000,
};

struct call {
    struct provision provision;
    const char *daemons;
    bool plain;
    uint64_t devices, sample_every_us, for_us, settle_us, kills, seed;
};

/* The kills of this run: each in its own share of the time, its victim drawn. */
struct kills {
    uint64_t count, done;
    uint64_t span_us;
    uint64_t key;
};

struct state {
    uint64_t accepted, queue, sessions, connected, outbox;
};

static volatile sig_atomic_t stop;

static void on_stop(int number)
{
    (void)number;
    stop = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_stop};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
}

/* ---- What is shown --------------------------------------------------------------------------- */

/* A figure in a metrics file; 0 where it is not. */
static uint64_t figure(const char *folder, const char *name, const char *metric)
{
    char path[PATH_BYTES], line[LINE_BYTES];
    uint64_t value = 0;
    snprintf(path, sizeof path, "%s/%s.prom", folder, name);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const size_t size = strlen(metric);
        const char *blank = strrchr(line, ' ');
        if (strncmp(line, metric, size) == 0 && line[size] == '{' && blank != NULL) {
            value = strtoull(blank + 1, NULL, 10);
            break;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return value;
}

static void look(const struct supervise *supervise, struct state *state)
{
    const char *folder = supervise->provision->folder;
    *state = (struct state){
        .accepted = figure(folder, "cloud", "brownout_cloud_accepted_total"),
        .queue = figure(folder, "gateway", "brownout_gateway_queue_messages"),
        .sessions = figure(folder, "gateway", "brownout_gateway_sessions"),
    };
    for (uint32_t i = PROVISION_DEVICE_FIRST - 1; i < supervise->count; i++) {
        const char *name = supervise->children[i].name;
        state->connected += figure(folder, name, "brownout_device_connected");
        state->outbox += figure(folder, name, "brownout_device_outbox_readings");
    }
}

static void count(const struct supervise *supervise, uint32_t *up, uint32_t *kills,
                  uint32_t *failures)
{
    *up = *kills = *failures = 0;
    for (uint32_t i = 0; i < supervise->count; i++) {
        *up += supervise->children[i].pid != 0;
        *kills += supervise->children[i].kills;
        *failures += supervise->children[i].failures;
    }
}

static void show(const struct supervise *supervise, struct status *status)
{
    char line[LINE_BYTES];
    struct state state;
    uint32_t up, kills, failures;
    look(supervise, &state);
    count(supervise, &up, &kills, &failures);
    snprintf(line, sizeof line,
             "%" PRIu64 " s  %" PRIu32 "/%" PRIu32 " up, %" PRIu64 " devices connected  accepted "
             "%" PRIu64 ", queued %" PRIu64 ", unacked %" PRIu64 "  killed %" PRIu32,
             status_elapsed_us(status) / 1000000, up, supervise->count, state.connected,
             state.accepted, state.queue, state.outbox, kills);
    status_show(status, line);
}

/* ---- The run --------------------------------------------------------------------------------- */

/* A third of the kills each for the cloud, the gateway and the devices. */
static void strike(struct supervise *supervise, struct kills *kills, uint64_t elapsed_us)
{
    if (kills->done == kills->count) {
        return;
    }
    const uint64_t share_us = kills->span_us / kills->count;
    const uint64_t offset_us =
        share_us == 0 ? 0 : random_at(kills->key, 2 * kills->done) % share_us;
    if (elapsed_us < share_us * kills->done + offset_us) {
        return;
    }
    const uint64_t draw = random_at(kills->key, 2 * kills->done + 1);
    const uint32_t devices = supervise->provision->devices;
    const uint32_t node = draw % 3 == 0   ? PROVISION_CLOUD
                          : draw % 3 == 1 ? PROVISION_GATEWAY
                                          : PROVISION_DEVICE_FIRST + (uint32_t)(draw / 3 % devices);
    if (supervise->children[node - 1].pid != 0) { /* else it is struck at the next turn */
        supervise_kill(supervise, node);
        kills->done++;
    }
}

static void turn_over(void)
{
    const struct timespec time = {0, TURN_US * 1000L};
    (void)nanosleep(&time, NULL);
}

static int keep_up(const struct call *call, struct supervise *supervise, char *error)
{
    struct kills kills = {.count = call->kills,
                          .span_us =
                              call->for_us > call->settle_us ? call->for_us - call->settle_us : 0,
                          .key = random_key(call->seed, "kills")};
    struct status status;
    status_begin(&status);
    int code = VERDICT_PASS;
    while (stop == 0 && (call->for_us == 0 || status_elapsed_us(&status) < call->for_us)) {
        if (!supervise_turn(supervise, error, ERROR_BYTES)) {
            code = VERDICT_USAGE;
            break;
        }
        strike(supervise, &kills, status_elapsed_us(&status));
        if (status_due(&status)) {
            show(supervise, &status);
        }
        turn_over();
    }
    show(supervise, &status);
    status_clear(&status);
    return code;
}

static int end(struct supervise *supervise, int code)
{
    uint32_t up, kills, failures;
    uint64_t lives = 0;
    const char *folder = supervise->provision->folder;
    const uint32_t nodes = supervise->count;
    count(supervise, &up, &kills, &failures);
    for (uint32_t i = 0; i < nodes; i++) {
        lives += supervise->children[i].lives;
    }
    const bool in_order = supervise_stop(supervise);
    printf("%" PRIu32 " daemons had %" PRIu64 " lives; killed %" PRIu32 ", failed %" PRIu32
           "; stopped %s\njudge   brownout judge %s/*.evidence\n",
           nodes, lives, kills, failures, in_order ? "in order" : "by force", folder);
    return code != VERDICT_PASS || (failures == 0 && in_order) ? code : VERDICT_HARNESS;
}

/* Beside this program. */
static bool find_daemons(char path[PATH_BYTES])
{
    const ssize_t size = readlink("/proc/self/exe", path, PATH_BYTES - 1);
    if (size <= 0) {
        return false;
    }
    path[size] = '\0';
    char *slash = strrchr(path, '/');
    CHECK(slash != NULL);
    *slash = '\0';
    return true;
}

static int check(const struct call *call)
{
    char program[PATH_BYTES + 32];
    snprintf(program, sizeof program, "%s/brownout-device", call->daemons);
    if (access(program, X_OK) != 0) {
        fprintf(stderr, "brownout up: %s: %s: say where the daemons are with --daemons\n", program,
                strerror(errno));
        return VERDICT_USAGE;
    }
    if (call->kills > 0 && call->for_us <= call->settle_us) {
        return command_refuse("up", "--kills needs --for a time longer than --settle");
    }
    return VERDICT_PASS;
}

static int up(struct call *call, const char *folder)
{
    char error[ERROR_BYTES] = "";
    bool made;
    struct supervise supervise;
    call->provision = (struct provision){.folder = folder,
                                         .devices = (uint32_t)call->devices,
                                         .sample_every_us = call->sample_every_us,
                                         .plain = call->plain};
    if (!provision_make(&call->provision, &made, error, sizeof error)) {
        return command_refuse("up", error);
    }
    printf("%s: %s a cloud (127.0.0.1:%u), a gateway (127.0.0.1:%u) and %" PRIu32 " devices\n",
           folder, made ? "made" : "found", (unsigned)call->provision.cloud_port,
           (unsigned)call->provision.gateway_port, call->provision.devices);
    (void)fflush(stdout);
    catch_signals();
    supervise_init(&supervise, &call->provision, call->daemons);
    int code = keep_up(call, &supervise, error);
    code = end(&supervise, code);
    return error[0] == '\0' ? code : command_refuse("up", error);
}

int command_up(int argc, char **argv)
{
    static char beside[PATH_BYTES];
    const char *folder = NULL;
    struct call call = {.sample_every_us = 1000000, .settle_us = 30000000};
    int exit_code;
    const struct option options[] = {
        {"--devices", OPTION_COUNT, &call.devices, 1, PROVISION_DEVICES_MAX, "N",
         "devices of a new folder (10)"},
        {"--sample-every", OPTION_TIME, &call.sample_every_us, 100000, 86400000000, "TIME",
         "their period, in a new folder (1s)"},
        {"--plain", OPTION_FLAG, &call.plain, 0, 0, NULL,
         "links in the clear, in a new folder (they are TLS 1.3)"},
        {"--for", OPTION_TIME, &call.for_us, 0, UINT64_MAX, "TIME",
         "stop after it; without it, at Ctrl-C or SIGTERM"},
        {"--kills", OPTION_COUNT, &call.kills, 0, KILLS_MAX, "N",
         "kill -9 so many times a daemon that chance names, before the last --settle of --for"},
        {"--settle", OPTION_TIME, &call.settle_us, 0, UINT64_MAX, "TIME",
         "time without kills at the end (30s)"},
        {"--seed", OPTION_COUNT, &call.seed, 0, COMMAND_SEED_MAX, "N", "of the kills (0)"},
        {"--daemons", OPTION_TEXT, &call.daemons, 0, 0, "DIR",
         "where the daemons are (beside this program)"},
    };
    const struct option_verb verb = {
        .name = "up",
        .argument = "DIR",
        .doc = "Run a cloud, a gateway and devices as real daemons on loopback",
        .details = "DIR gets keys, certificates, registries and configurations, unless it has "
                   "them; each daemon\n"
                   "writes its state, its log, its metrics and its evidence there. A daemon that\n"
                   "ends is started again, whoever ended it.\n"
                   "Exit codes: 0 stopped in order, 2 the call is wrong or a daemon refuses to\n"
                   "start, 4 a daemon failed by itself.\n",
        .example = "brownout up fleet --devices 50 --for 10m --kills 100\n"
                   "  brownout judge fleet/*.evidence --settled 30s",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    if (!command_parse(&verb, argc, argv, &folder, &exit_code)) {
        return exit_code;
    }
    if (call.daemons == NULL && find_daemons(beside)) {
        call.daemons = beside;
    }
    if (folder == NULL || call.daemons == NULL) {
        return command_refuse("up", "name the folder of the fleet");
    }
    exit_code = check(&call);
    return exit_code == VERDICT_PASS ? up(&call, folder) : exit_code;
}
