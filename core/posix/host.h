/* One machine: a role of core, its memory, and the real port that it calls. What sim/node.h is in
 * the simulated world, this is on an operating system.
 *
 * The port, as this machine keeps it:
 *   time      CLOCK_MONOTONIC since the process began; CLOCK_REALTIME
 *   links     TCP (links.h), with TLS 1.3 where the configuration has certificates (tls.h)
 *   flash     a file (flash_file.h); disk: SQLite's VFS `unix`, in the state folder
 *   counters, retained RAM, reset reasons: state_folder.h
 *   entropy   getrandom(2); crypto: OpenSSL
 *   watchdog  a timer of the system: it ends this life and begins the next one (RESET_WATCHDOG)
 *   reset     once the step has returned host_run ends with HOST_RESET (RESET_SOFTWARE)
 *   sensor    the first whole number in a file; there is no actuator (ERR_NOT_FOUND)
 *   evidence  one line of the log for each, before the call returns (evidence_log.h); of refusals
 *             and drops that are about no device, HOST_STRANGERS_A_SECOND a second: no law asks for
 *             them, all are counted, and strangers cannot fill the log
 * Beside a gateway there may be a broker (broker_host.h), in the same loop.
 * No firmware is managed here: a process has no boot loader, so update and boot are not run.
 */
#ifndef BROWNOUT_CORE_POSIX_HOST_H
#define BROWNOUT_CORE_POSIX_HOST_H

#include <signal.h>
#include <time.h>

#include "core/posix/broker_host.h"
#include "core/posix/daemon_config.h"
#include "core/posix/evidence_log.h"
#include "core/posix/flash_file.h"
#include "core/posix/metrics.h"
#include "core/posix/say.h"
#include "core/posix/state_folder.h"

enum { HOST_STRANGERS_A_SECOND = 20 };

struct host;

/* A role as a machine runs it: the functions of core, and what is said of it. */
struct host_role {
    enum evidence_role role;
    const char *disk; /* name of its database in the state folder; NULL: it has flash */
    uint32_t (*size_bytes)(const struct daemon_config *config);
    uint32_t (*links_max)(const struct daemon_config *config);
    void (*init)(void *memory, const struct daemon_config *config, const struct port *port);
    void (*step)(void *memory, const struct port *port, const struct event *event);
    uint64_t (*deadline_us)(const void *memory);
    void (*drop)(void *memory);                                /* NULL: nothing to drop */
    void (*ahead)(struct host *host, enum evidence_kind kind); /* words ahead of it; NULL: none */
    void (*figures)(const void *memory, struct metrics *metrics);
};

struct host_counts {
    uint64_t evidence[EVIDENCE_COUNT];
    uint64_t refused[REFUSAL_COUNT], rejected[REFUSAL_COUNT], dropped[REFUSAL_COUNT];
    uint64_t clock_steps, steps, spared;
};

enum host_end { HOST_STOPPED, HOST_RESET };

struct host {
    const struct daemon_config *config; /* borrowed */
    const struct host_role *role;       /* borrowed */
    void *memory;                       /* the role's; NULL: it is not up */
    struct port port;
    struct links links;
    struct tls tls;        /* no context: links are in the clear */
    uint64_t told_refused; /* handshakes that the log tells of */
    uint64_t told_away;    /* links sent away that the log tells of; again not before: */
    uint64_t tell_away_at_us;
    struct broker_host broker;
    struct flash_file flash;
    struct state_folder state;
    struct evidence_log log;
    struct say say;
    struct metrics metrics;
    struct host_counts counts;
    char disk_path[CONFIG_PATH_BYTES + 16];
    uint64_t start_us; /* the machine's clock at which this life began */
    uint64_t step_us;  /* when the step under way began; no two steps have the same */
    uint64_t metrics_at_us;
    uint64_t wall_offset_us;   /* wall clock minus the machine's, as last seen */
    uint64_t strangers_second; /* of the clock, and words about strangers in it */
    uint32_t strangers;
    bool reset_asked;
    bool has_timer;
    timer_t timer;
    /* Of a device, for its words. */
    bool told_outbox;
    uint64_t told_answers;
};

/* Take the state folder, begin the log, and listen. The role is not up yet. False: `error`
 * (CONFIG_ERROR_BYTES) says why; nothing is left open. */
bool host_open(struct host *host, const struct daemon_config *config, const struct host_role *role,
               const struct port_crypto *crypto, char *error);
/* Boot the role and let it run until *stop is set (`wake` can be read then) or it asks for a reset.
 */
enum host_end host_run(struct host *host, int wake, const volatile sig_atomic_t *stop);
/* From host_run on: say that it ends in order, or is to be reset; drop the role; close all. */
void host_close(struct host *host, enum host_end end);

/* A word of the daemon's own, in the log. device and body of a word that has none: 0. */
void host_word(struct host *host, const struct evidence_line *word);
/* The machine's monotonic clock. */
uint64_t host_clock_us(void);

/* A CHECK failed in this process: to log and evidence of the host that is up, if any. */
void host_check_failed(const char *file, int line, const char *what);
/* What the watchdog's signal runs: argv of this process, to begin anew with. Called once, before
 * host_run; argv is borrowed for ever. */
void host_restart_with(char **argv);
/* Begin this process anew; returns only if the system refuses. */
void host_restart(void);

#endif
