/* The broker (core/server/broker.h) beside the role of a daemon, in the same process and the same
 * poll loop: for any MQTT 5 client of the site. It has links, a port, memory and a database of its
 * own (`broker.db` in the state folder); of its evidence it keeps counts alone, since the laws of
 * the fleet do not speak of its clients.
 *
 * A round gives it all that its links have, and what comes meanwhile, then lets it settle: one
 * commit for all of them, and nothing leaves before it. When it asks for a reset, the daemon begins
 * anew.
 */
#ifndef BROWNOUT_CORE_POSIX_BROKER_HOST_H
#define BROWNOUT_CORE_POSIX_BROKER_HOST_H

#include "core/evidence.h"
#include "core/posix/daemon_config.h"
#include "core/posix/metrics.h"

struct broker_host {
    const struct daemon_config *config; /* borrowed; NULL: there is no broker */
    struct broker *broker;              /* NULL: it is not up */
    struct port port;
    struct links links;
    char disk_path[CONFIG_PATH_BYTES + 16];
    uint64_t start_us;
    uint64_t steps;
    bool reset_asked;
    uint64_t refused[REFUSAL_COUNT], dropped[REFUSAL_COUNT];
};

/* Take the address. tls: borrowed; NULL: there is none. False: `error` (CONFIG_ERROR_BYTES);
 * nothing is left open. A configuration without a broker is good, and does nothing. */
bool broker_host_open(struct broker_host *host, const struct daemon_config *config, struct tls *tls,
                      char *error);
/* Boot and listen. start_us: the machine's clock at which this life began. False: no memory, or
 * errno. */
bool broker_host_begin(struct broker_host *host, uint64_t start_us);
/* When it next wants a round, by the machine's clock; UINT64_MAX: never. */
uint64_t broker_host_deadline_us(const struct broker_host *host);
/* Behind links_wait_all: what its links have. */
void broker_host_round(struct broker_host *host);
void broker_host_figures(const struct broker_host *host, struct metrics *metrics);
/* An orderly end: clients are told. Then broker_host_close. */
void broker_host_stop(struct broker_host *host);
/* In any state, also of one that was only zeroed. */
void broker_host_close(struct broker_host *host);

#endif
