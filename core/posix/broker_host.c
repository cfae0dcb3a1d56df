#include "core/posix/broker_host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/check.h"
#include "core/posix/host.h"

enum { GROUP = 32 }; /* events that share a settling, where there is no commit to share */

/* ---- The port -------------------------------------------------------------------------------- */

static enum err on_clock(void *ctx, struct clock_reading *now)
{
    const struct broker_host *host = ctx;
    *now = (struct clock_reading){.monotonic_us = host_clock_us() - host->start_us};
    return ERR_OK;
}

static enum err on_link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    (void)ctx;
    (void)peer;
    (void)link;
    return ERR_FULL; /* it takes links, and opens none */
}

static int32_t on_link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct broker_host *host = ctx;
    return links_send(&host->links, link, bytes, size_bytes);
}

static void on_link_close(void *ctx, uint32_t link)
{
    struct broker_host *host = ctx;
    links_close(&host->links, link, host_clock_us());
}

static enum err on_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    (void)ctx;
    const ssize_t got =
        getrandom(bytes, size_bytes, GRND_NONBLOCK); /* up to 256 bytes: all of them */
    return got == (ssize_t)size_bytes ? ERR_OK : ERR_IO;
}

static void on_reset(void *ctx)
{
    struct broker_host *host = ctx;
    host->reset_asked = true;
}

static void on_evidence(void *ctx, const struct evidence *evidence)
{
    struct broker_host *host = ctx;
    const uint64_t why = evidence->value < REFUSAL_COUNT ? evidence->value : REFUSAL_NONE;
    if (evidence->kind == EVIDENCE_REFUSE) {
        host->refused[why]++;
    } else if (evidence->kind == EVIDENCE_DROP) {
        host->dropped[why]++;
    }
}

/* ---- Its life -------------------------------------------------------------------------------- */

bool broker_host_open(struct broker_host *host, const struct daemon_config *config, struct tls *tls,
                      char *error)
{
    memset(host, 0, sizeof *host);
    host->links.listener = -1;
    if (config->broker_listen.size_bytes == 0) {
        return true;
    }
    const int size = snprintf(host->disk_path, sizeof host->disk_path, "%s/broker.db",
                              config->path[CONFIG_state]);
    if (size < 0 || (size_t)size >= sizeof host->disk_path) {
        snprintf(error, CONFIG_ERROR_BYTES, "state: the path is too long");
        return false;
    }
    host->port = (struct port){.ctx = host,
                               .clock_read = on_clock,
                               .link_open = on_link_open,
                               .link_send = on_link_send,
                               .link_close = on_link_close,
                               .disk_vfs = "unix",
                               .disk_path = host->disk_path,
                               .entropy = on_entropy,
                               .reset = on_reset,
                               .evidence = on_evidence};
    if (!daemon_config_descriptors(config, error) ||
        !links_open(&host->links, config->broker.connections_max,
                    config->number[CONFIG_broker_tls] != 0 ? tls : NULL, &config->broker_listen,
                    error, CONFIG_ERROR_BYTES)) {
        return false;
    }
    links_limit_source(&host->links, (uint32_t)config->number[CONFIG_links_from_address]);
    host->links.direct = true;
    host->config = config;
    return true;
}

bool broker_host_begin(struct broker_host *host, uint64_t start_us)
{
    if (host->config == NULL) {
        return true;
    }
    host->start_us = start_us;
    host->broker = malloc((size_t)broker_size_bytes(&host->config->broker));
    if (host->broker == NULL) {
        errno = ENOMEM;
        return false;
    }
    broker_init(host->broker, &host->config->broker, &host->port);
    return links_listen(&host->links);
}

uint64_t broker_host_deadline_us(const struct broker_host *host)
{
    const uint64_t deadline_us =
        host->broker == NULL ? UINT64_MAX : broker_deadline_us(host->broker);
    return deadline_us > UINT64_MAX - host->start_us ? UINT64_MAX : deadline_us + host->start_us;
}

/* What came while the last commit was under way shares the next one: a slower disk has larger
 * groups. */
void broker_host_round(struct broker_host *host)
{
    struct event event;
    bool unsettled = false;
    if (host->broker == NULL) {
        return;
    }
    const uint64_t now_us = host_clock_us();
    while (!host->reset_asked && links_next(&host->links, now_us, &event)) {
        host->steps++;
        unsettled = host->config->broker.durable || host->steps % GROUP != 0;
        event.more = unsettled; /* it, or the TIMEOUT of the round */
        broker_step(host->broker, &host->port, &event);
    }
    if (!host->reset_asked && (unsettled || broker_host_deadline_us(host) <= host_clock_us())) {
        broker_step(host->broker, &host->port, &(struct event){.kind = EVENT_TIMEOUT});
        host->steps++;
    }
    links_flush(&host->links);
}

void broker_host_stop(struct broker_host *host)
{
    if (host->broker != NULL) {
        broker_shut_down(host->broker, &host->port);
        links_flush(&host->links);
    }
}

void broker_host_close(struct broker_host *host)
{
    if (host->broker != NULL) {
        broker_drop(host->broker);
    }
    free(host->broker);
    host->broker = NULL;
    if (host->config != NULL) {
        links_free(&host->links);
    }
    host->config = NULL;
}

/* ---- What operators watch -------------------------------------------------------------------- */

static void add(struct metrics *metrics, enum metrics_kind kind, const char *name, const char *help,
                uint64_t value)
{
    metrics_add(metrics, kind, name, help, NULL, NULL, value);
}

void broker_host_figures(const struct broker_host *host, struct metrics *metrics)
{
    struct broker_view view;
    if (host->broker == NULL) {
        return;
    }
    broker_view(host->broker, &view);
    add(metrics, METRICS_GAUGE, "broker_connections", "of its clients", view.connections);
    add(metrics, METRICS_GAUGE, "broker_sessions", "connected or not", view.sessions);
    add(metrics, METRICS_GAUGE, "broker_subscriptions", "of all sessions", view.subscriptions);
    add(metrics, METRICS_GAUGE, "broker_messages", "held for whatever reason", view.messages);
    add(metrics, METRICS_GAUGE, "broker_copies", "waiting or in flight, of all sessions",
        view.copies);
    add(metrics, METRICS_GAUGE, "broker_retained", "messages", view.retained);
    add(metrics, METRICS_COUNTER, "broker_published_total", "messages taken", view.published);
    add(metrics, METRICS_COUNTER, "broker_dropped_total", "copies that had no room", view.dropped);
    add(metrics, METRICS_COUNTER, "broker_refused_total",
        "connections ended for what the client did", view.refused);
    metrics_add_refusals(metrics, "broker_turned_away_total", "connections that had no room",
                         host->refused);
    metrics_add_refusals(metrics, "broker_faults_total", "what clients did, and a damaged database",
                         host->dropped);
    add(metrics, METRICS_COUNTER, "broker_commits_total", "transactions of its database",
        view.commits);
    add(metrics, METRICS_COUNTER, "broker_rows_total", "rows that it wrote or deleted", view.rows);
    add(metrics, METRICS_COUNTER, "broker_links_accepted_total", "of clients",
        host->links.counts.accepted);
    metrics_add_away(metrics, "broker_links_away_total",
                     "links of clients that were sent away, or had to wait (system), by rule",
                     host->links.counts.away);
    add(metrics, METRICS_COUNTER, "broker_tls_refused_total", "handshakes that failed",
        host->links.counts.refused);
    add(metrics, METRICS_COUNTER, "broker_received_bytes_total", "from clients",
        host->links.counts.received_bytes);
    add(metrics, METRICS_COUNTER, "broker_sent_bytes_total", "to clients",
        host->links.counts.sent_bytes);
}
