#include "core/posix/host.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/posix/host_port.h"
#include "core/posix/listing.h"

enum { SECOND_US = 1000000 };

extern char **environ;

/* What the handlers of a signal and of a failed CHECK can know. One host is up in a process. */
static struct host *running;
static char **restart_argv;

static const char *const reasons[] = {"power_on", "watchdog", "software", "process"};

static bool open_flash(struct host *host, char *error);
static bool open_links(struct host *host, char *error);
static void look_at_links(struct host *host);
static void say_up(struct host *host);
static void write_metrics(struct host *host);
static void look_at_clock(struct host *host);

uint64_t host_clock_us(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * SECOND_US + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t wall_us(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return now.tv_sec < 0 ? 0 : (uint64_t)now.tv_sec * SECOND_US + (uint64_t)now.tv_nsec / 1000;
}

bool host_open(struct host *host, const struct daemon_config *config, const struct host_role *role,
               const struct port_crypto *crypto, char *error)
{
    struct evidence_header header;
    memset(host, 0, sizeof *host);
    host->config = config;
    host->role = role;
    host->flash.file = host->log.file = host->links.listener = -1;
    host->start_us = host_clock_us();
    host->wall_offset_us = wall_us() - host->start_us;
    say_open(&host->say, evidence_role_name(role->role), daemon_config_id(config));
    daemon_config_header(config, &header);
    if (!state_open(&host->state, config->path[CONFIG_state], error, CONFIG_ERROR_BYTES)) {
        return false;
    }
    const char *evidence = config->path[CONFIG_evidence];
    bool good = role->disk != NULL || open_flash(host, error);
    good =
        good && (evidence[0] == '\0' ||
                 evidence_log_open(&host->log, evidence, config->number[CONFIG_evidence_bytes_max],
                                   &header, error, CONFIG_ERROR_BYTES));
    good =
        good && open_links(host, error) &&
        broker_host_open(&host->broker, config,
                         config->path[CONFIG_tls_authority][0] != '\0' ? &host->tls : NULL, error);
    for (uint32_t i = 0; good && i < config->peer_count; i++) {
        good = links_add_peer(&host->links, config->peers[i].number, &config->peers[i].address);
    }
    const int size = snprintf(host->disk_path, sizeof host->disk_path, "%s/%s",
                              config->path[CONFIG_state], role->disk == NULL ? "" : role->disk);
    if (good && (size < 0 || (size_t)size >= sizeof host->disk_path)) {
        snprintf(error, CONFIG_ERROR_BYTES, "state: the path is too long");
        good = false;
    }
    if (!good) {
        host_close(host, HOST_RESET);
        return false;
    }
    host_port(host, crypto);
    return true;
}

static bool open_links(struct host *host, char *error)
{
    const struct daemon_config *config = host->config;
    struct tls_files files;
    const bool secured = daemon_config_tls(config, &files);
    const bool good =
        daemon_config_descriptors(config, error) &&
        (!secured || tls_open(&host->tls, &files, error, CONFIG_ERROR_BYTES)) &&
        links_open(&host->links, host->role->links_max(config), secured ? &host->tls : NULL,
                   config->listen.size_bytes > 0 ? &config->listen : NULL, error,
                   CONFIG_ERROR_BYTES);
    links_limit_source(&host->links, (uint32_t)config->number[CONFIG_links_from_address]);
    return good;
}

/* Counters first: whoever is killed in between has them, and a node without is refused. */
static bool open_flash(struct host *host, char *error)
{
    char why[CONFIG_ERROR_BYTES / 2];
    bool made;
    const char *folder = host->config->path[CONFIG_state];
    const bool is_new = faccessat(host->state.folder, "flash", F_OK, 0) != 0 && errno == ENOENT;
    if (!state_counters(&host->state, is_new, why, sizeof why) ||
        !flash_file_open(&host->flash, host->state.folder, "flash", &host->config->flash, &made,
                         why, sizeof why)) {
        snprintf(error, CONFIG_ERROR_BYTES, "%s/%s", folder, why);
        return false;
    }
    return true;
}

void host_word(struct host *host, const struct evidence_line *word)
{
    struct evidence_line line = *word;
    line.time_us = host_clock_us();
    line.step = host->step_us;
    evidence_log_write(&host->log, &line);
}

static void begin_step(struct host *host)
{
    const uint64_t now_us = host_clock_us();
    host->step_us = now_us > host->step_us ? now_us : host->step_us + 1;
}

static void say_up(struct host *host)
{
    struct evidence_line up = {.kind = EVIDENCE_WORD_UP,
                               .device = daemon_config_id(host->config),
                               .counter = host->wall_offset_us,
                               .value = (uint64_t)host->state.reason};
    for (int i = 0; i < STATE_BOOT_BYTES; i++) {
        up.body[i / 8] = up.body[i / 8] << 8 | host->state.machine_boot[i];
    }
    host_word(host, &up);
    say(&host->say, SAY_INFO, "up", "reason=%s port=%u", reasons[host->state.reason],
        (unsigned)links_port(&host->links));
    if (host->broker.config != NULL) {
        say(&host->say, SAY_INFO, "broker", "port=%u tls=%d durable=%d",
            (unsigned)links_port(&host->broker.links), host->broker.links.tls != NULL,
            host->config->broker.durable);
    }
    listing_write(host);
}

static uint64_t after_start(const struct host *host, uint64_t deadline_us)
{
    return deadline_us > UINT64_MAX - host->start_us ? UINT64_MAX : deadline_us + host->start_us;
}

static void step(struct host *host, const struct event *event)
{
    host->counts.steps++;
    begin_step(host);
    host->role->step(host->memory, &host->port, event);
    links_flush(&host->links);
}

/* One round: what the links have, then the role's own deadline. */
static void round_of(struct host *host, int wake, const volatile sig_atomic_t *stop)
{
    const struct event timeout = {.kind = EVENT_TIMEOUT};
    struct event event;
    uint64_t until_us = after_start(host, host->role->deadline_us(host->memory));
    until_us = host->metrics_at_us < until_us ? host->metrics_at_us : until_us;
    struct links *const sets[] = {&host->links, &host->broker.links};
    const uint64_t broker_us = broker_host_deadline_us(&host->broker);
    until_us = broker_us < until_us ? broker_us : until_us;
    links_wait_all(sets, host->broker.config != NULL ? 2 : 1, wake, host_clock_us(), until_us);
    while (*stop == 0 && !host->reset_asked && links_next(&host->links, host_clock_us(), &event)) {
        step(host, &event);
    }
    if (*stop == 0 && !host->reset_asked &&
        after_start(host, host->role->deadline_us(host->memory)) <= host_clock_us()) {
        step(host, &timeout);
    }
    if (*stop == 0 && !host->reset_asked) {
        broker_host_round(&host->broker);
        host->reset_asked = host->broker.reset_asked;
    }
    look_at_clock(host);
    look_at_links(host);
    if (host_clock_us() >= host->metrics_at_us) {
        write_metrics(host);
    }
}

enum host_end host_run(struct host *host, int wake, const volatile sig_atomic_t *stop)
{
    host->metrics_at_us = host->config->path[CONFIG_metrics][0] == '\0' ? UINT64_MAX : 0;
    host->memory = calloc(1, host->role->size_bytes(host->config));
    if (host->memory == NULL) {
        say(&host->say, SAY_ERROR, "no_memory", "bytes=%u",
            (unsigned)host->role->size_bytes(host->config));
        return HOST_RESET;
    }
    running = host;
    begin_step(host);
    say_up(host);
    host->role->init(host->memory, host->config, &host->port);
    links_flush(&host->links);
    if (!links_listen(&host->links) || !broker_host_begin(&host->broker, host->start_us)) {
        say(&host->say, SAY_ERROR, "cannot_listen", "why=\"%s\"", strerror(errno));
        return HOST_RESET;
    }
    while (*stop == 0 && !host->reset_asked) {
        round_of(host, wake, stop);
    }
    return host->reset_asked ? HOST_RESET : HOST_STOPPED;
}

void host_close(struct host *host, enum host_end end)
{
    if (host->memory != NULL) {
        host_port_disarm(host);
        if (host->role->drop != NULL) {
            host->role->drop(host->memory);
        }
        if (end == HOST_STOPPED) {
            begin_step(host);
            broker_host_stop(&host->broker);
            listing_write(host);
            host_word(host, &(struct evidence_line){.kind = EVIDENCE_WORD_STOP});
        } else {
            state_mark_reset(&host->state, RESET_SOFTWARE);
        }
        if (host->metrics_at_us != UINT64_MAX) {
            write_metrics(host);
        }
        say(&host->say, SAY_INFO, end == HOST_STOPPED ? "stop" : "reset", "steps=%" PRIu64,
            host->counts.steps);
    }
    running = NULL;
    broker_host_close(&host->broker);
    free(host->memory);
    host->memory = NULL;
    links_free(&host->links);
    tls_free(&host->tls);
    evidence_log_close(&host->log);
    flash_file_close(&host->flash);
    state_close(&host->state);
}

/* ---- What operators watch -------------------------------------------------------------------- */

/* The wall clock moves with the machine's, or somebody has set it. */
static void look_at_clock(struct host *host)
{
    const uint64_t offset_us = wall_us() - host_clock_us();
    const int64_t jump_us = (int64_t)(offset_us - host->wall_offset_us);
    const int64_t max_us = (int64_t)host->config->number[CONFIG_clock_step_max];
    if (jump_us > max_us || jump_us < -max_us) {
        host->counts.clock_steps++;
        say(&host->say, SAY_WARNING, "clock_step", "us=%" PRId64, jump_us);
    }
    host->wall_offset_us = offset_us;
}

static void look_at_links(struct host *host)
{
    if (host->links.counts.refused != host->told_refused) {
        host->told_refused = host->links.counts.refused;
        say(&host->say, SAY_WARNING, "tls_refused", "count=%" PRIu64 " why=\"%s\"",
            host->told_refused, host->links.refusal);
    }
    uint64_t away = 0;
    for (unsigned i = 0; i < LINKS_AWAY_COUNT; i++) {
        away += host->links.counts.away[i];
    }
    const uint64_t now_us = host_clock_us();
    if (away != host->told_away && now_us >= host->tell_away_at_us) {
        const uint64_t *by = host->links.counts.away;
        host->told_away = away;
        host->tell_away_at_us = now_us + SECOND_US;
        say(&host->say, SAY_WARNING, "links_away",
            "place=%" PRIu64 " address=%" PRIu64 " late=%" PRIu64 " system=%" PRIu64,
            by[LINKS_AWAY_PLACE], by[LINKS_AWAY_ADDRESS], by[LINKS_AWAY_LATE],
            by[LINKS_AWAY_SYSTEM]);
    }
}

static void add_host(struct host *host)
{
    struct metrics *metrics = &host->metrics;
    const struct links_counts *links = &host->links.counts;
    metrics_add(metrics, METRICS_GAUGE, "up_seconds", "since the process began", NULL, NULL,
                (host_clock_us() - host->start_us) / SECOND_US);
    metrics_add(metrics, METRICS_GAUGE, "boot", "why this life began", "reason",
                reasons[host->state.reason], 1);
    metrics_add(metrics, METRICS_COUNTER, "steps_total", "events that the role has taken", NULL,
                NULL, host->counts.steps);
    for (uint32_t i = 0; i < EVIDENCE_COUNT; i++) {
        metrics_add(metrics, METRICS_COUNTER, "evidence_total",
                    "what the role said that it did, by the name of the act", "act",
                    evidence_word(i), host->counts.evidence[i]);
    }
    metrics_add_refusals(metrics, "refused_total", "custody refused, by rule",
                         host->counts.refused);
    metrics_add_refusals(metrics, "rejected_total", "verified readings that were not accepted",
                         host->counts.rejected);
    metrics_add_refusals(metrics, "dropped_total", "bytes of peers that were dropped",
                         host->counts.dropped);
    metrics_add(metrics, METRICS_COUNTER, "clock_steps_total",
                "jumps of the wall clock beyond clock_step_max", NULL, NULL,
                host->counts.clock_steps);
    metrics_add(metrics, METRICS_COUNTER, "evidence_failures_total",
                "pieces of evidence that could not be written", NULL, NULL, host->log.failures);
    metrics_add(metrics, METRICS_COUNTER, "evidence_spared_total",
                "refusals and drops of strangers that were counted and not written", NULL, NULL,
                host->counts.spared);
    metrics_add(metrics, METRICS_GAUGE, "evidence_full", "the evidence log has reached its bound",
                NULL, NULL, host->log.full);
    metrics_add(metrics, METRICS_GAUGE, "links", "open, or about to be", NULL, NULL,
                links_count(&host->links));
    metrics_add(metrics, METRICS_COUNTER, "links_opened_total", "by this node", NULL, NULL,
                links->opened);
    metrics_add(metrics, METRICS_COUNTER, "links_accepted_total", "by peers", NULL, NULL,
                links->accepted);
    metrics_add(metrics, METRICS_COUNTER, "links_failed_total", "refused, reset or timed out", NULL,
                NULL, links->failed);
    metrics_add_away(metrics, "links_away_total",
                     "inbound links that were sent away, or had to wait (system), by rule",
                     links->away);
    metrics_add(metrics, METRICS_COUNTER, "tls_refused_total",
                "handshakes that failed: no certificate of ours, expired, revoked, or no TLS 1.3",
                NULL, NULL, links->refused);
    metrics_add(metrics, METRICS_COUNTER, "received_bytes_total", "over links", NULL, NULL,
                links->received_bytes);
    metrics_add(metrics, METRICS_COUNTER, "sent_bytes_total", "over links", NULL, NULL,
                links->sent_bytes);
}

static void write_metrics(struct host *host)
{
    metrics_begin(&host->metrics, host->config->path[CONFIG_metrics],
                  evidence_role_name(host->role->role), daemon_config_id(host->config));
    add_host(host);
    host->role->figures(host->memory, &host->metrics);
    broker_host_figures(&host->broker, &host->metrics);
    if (!metrics_end(&host->metrics)) {
        say(&host->say, SAY_WARNING, "metrics_not_written", "why=\"%s\"", strerror(errno));
    }
    host->metrics_at_us = host_clock_us() + host->config->number[CONFIG_metrics_every];
}

/* ---- Ends ------------------------------------------------------------------------------------ */

void host_check_failed(const char *file, int line, const char *what)
{
    struct host *host = running;
    running = NULL; /* a second one says nothing */
    if (host != NULL) {
        host_word(host,
                  &(struct evidence_line){.kind = EVIDENCE_WORD_CHECK, .value = (uint64_t)line});
        say(&host->say, SAY_ERROR, "check_failed", "at=%s:%d what=\"%s\"", file, line, what);
    } else {
        fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    }
}

void host_restart_with(char **argv)
{
    restart_argv = argv;
}

void host_restart(void)
{
    (void)execve("/proc/self/exe", restart_argv, environ);
}

/* In the handler of a signal: only what may be called there. */
void host_port_bite(int number)
{
    static const char text[] = "event=watchdog level=error: not fed in time; begun anew\n";
    const int saved = errno;
    (void)number;
    if (running != NULL) {
        state_mark_reset(&running->state, RESET_WATCHDOG);
        const ssize_t done = write(STDERR_FILENO, text, sizeof text - 1);
        (void)done;
        host_restart();
        _exit(4); /* the system refused: whoever supervises begins it anew */
    }
    errno = saved;
}
