#include "core/posix/roles.h"

enum { DEVICE_LINKS = 4 /* one, and those that are being given up */, UPSTREAM_LINKS = 4 };

static void gauge(struct metrics *metrics, const char *name, const char *help, uint64_t value)
{
    metrics_add(metrics, METRICS_GAUGE, name, help, NULL, NULL, value);
}

static void counter(struct metrics *metrics, const char *name, const char *help, uint64_t value)
{
    metrics_add(metrics, METRICS_COUNTER, name, help, NULL, NULL, value);
}

/* ---- The device ------------------------------------------------------------------------------ */

static uint32_t size_of_device(const struct daemon_config *config)
{
    (void)config;
    return sizeof(struct device);
}

static uint32_t links_of_device(const struct daemon_config *config)
{
    (void)config;
    return DEVICE_LINKS;
}

static void init_device(void *memory, const struct daemon_config *config, const struct port *port)
{
    device_init(memory, &config->device, port);
}

static void step_device(void *memory, const struct port *port, const struct event *event)
{
    device_step(memory, port, event);
}

static uint64_t deadline_of_device(const void *memory)
{
    return device_deadline_us(memory);
}

static void figures_of_device(const void *memory, struct metrics *metrics)
{
    struct device_view view;
    device_view(memory, &view);
    gauge(metrics, "device_connected", "to a gateway", view.connected);
    gauge(metrics, "device_epoch", "of its readings; 0: the flash failed", view.epoch);
    gauge(metrics, "device_counter_next", "of the next reading", view.counter_next);
    gauge(metrics, "device_outbox_readings", "stored and not acked", view.outbox_count);
    counter(metrics, "device_sampled_total", "readings", view.counts.sampled);
    counter(metrics, "device_lost_total", "readings that could not be kept", view.counts.lost);
    counter(metrics, "device_shed_total", "readings given up by the rule", view.counts.shed);
    counter(metrics, "device_acked_total", "readings that the cloud has acked",
            view.counts.released);
    counter(metrics, "device_sent_total", "copies of readings", view.counts.sent);
    counter(metrics, "device_connects_total", "attempts to connect", view.counts.connects);
}

/* Its store is mounted: what is there is what the last life has left. */
static void tell_outbox(struct host *host, const struct device *device)
{
    struct evidence_line line = {.kind = EVIDENCE_WORD_OUTBOX,
                                 .device = device->config.id,
                                 .epoch = device->outbox.epoch,
                                 .counter = device->outbox.counter_next,
                                 .value = device->outbox.count};
    host->told_outbox = true;
    host_word(host, &line);
    for (uint32_t i = 0; i < device->outbox.count; i++) {
        uint32_t slot = 0;
        device_kept(device, i, &line.counter, &slot);
        line.kind = EVIDENCE_WORD_KEPT;
        line.value = slot;
        host_word(host, &line);
    }
}

static void ahead_of_device(struct host *host, enum evidence_kind kind)
{
    const struct device *device = host->memory;
    const bool mounts = kind == EVIDENCE_BOOT || kind == EVIDENCE_RESERVE || kind == EVIDENCE_SHED;
    const bool speaks = kind == EVIDENCE_SIGN || kind == EVIDENCE_SEND || kind == EVIDENCE_RELEASE;
    if (mounts && !host->told_outbox) {
        tell_outbox(host, device);
    }
    if ((mounts || speaks) && host->told_outbox && device->counts.answers != host->told_answers) {
        host->told_answers = device->counts.answers;
        host_word(host, &(struct evidence_line){.kind = EVIDENCE_WORD_RESPOND,
                                                .device = device->config.id,
                                                .epoch = device->outbox.epoch,
                                                .counter = device->answer_floor});
    }
}

/* ---- The gateway ----------------------------------------------------------------------------- */

static uint32_t size_of_gateway(const struct daemon_config *config)
{
    return gateway_size_bytes(&config->gateway);
}

static uint32_t links_of_gateway(const struct daemon_config *config)
{
    return config->gateway.sessions_max + UPSTREAM_LINKS;
}

static void init_gateway(void *memory, const struct daemon_config *config, const struct port *port)
{
    gateway_init(memory, &config->gateway, port);
}

static void step_gateway(void *memory, const struct port *port, const struct event *event)
{
    gateway_step(memory, port, event);
}

static uint64_t deadline_of_gateway(const void *memory)
{
    return gateway_deadline_us(memory);
}

static void drop_gateway(void *memory)
{
    gateway_drop(memory);
}

static void figures_of_gateway(const void *memory, struct metrics *metrics)
{
    struct gateway_view view;
    gateway_view(memory, &view);
    gauge(metrics, "gateway_connected", "to the cloud", view.connected);
    gauge(metrics, "gateway_queue_messages", "in custody", view.queue_count);
    gauge(metrics, "gateway_sessions", "of devices", view.session_count);
    counter(metrics, "gateway_custodies_total", "messages taken into custody", view.custodies);
    counter(metrics, "gateway_forwards_total", "messages handed to the cloud", view.forwards);
    counter(metrics, "gateway_discharges_total", "messages that the cloud confirmed",
            view.discharges);
    counter(metrics, "gateway_refusals_total", "messages refused by a rule", view.refusals);
    counter(metrics, "gateway_drops_total", "bytes of peers that were dropped", view.drops);
}

/* ---- The cloud ------------------------------------------------------------------------------- */

static uint32_t size_of_cloud(const struct daemon_config *config)
{
    return cloud_size_bytes(&config->cloud);
}

static uint32_t links_of_cloud(const struct daemon_config *config)
{
    return config->cloud.sessions_max;
}

static void init_cloud(void *memory, const struct daemon_config *config, const struct port *port)
{
    cloud_init(memory, &config->cloud, port);
}

static void step_cloud(void *memory, const struct port *port, const struct event *event)
{
    cloud_step(memory, port, event);
}

static uint64_t deadline_of_cloud(const void *memory)
{
    return cloud_deadline_us(memory);
}

static void drop_cloud(void *memory)
{
    cloud_drop(memory);
}

static void figures_of_cloud(const void *memory, struct metrics *metrics)
{
    struct cloud_view view;
    cloud_view(memory, &view);
    gauge(metrics, "cloud_sessions", "of gateways", view.session_count);
    counter(metrics, "cloud_accepted_total", "readings", view.accepted);
    counter(metrics, "cloud_rejected_total", "verified, and not accepted", view.rejected);
    counter(metrics, "cloud_duplicates_total", "of readings that were accepted before",
            view.duplicates);
    counter(metrics, "cloud_challenges_total", "to devices without a window", view.challenges);
    counter(metrics, "cloud_acks_total", "sent", view.acks);
    counter(metrics, "cloud_drops_total", "bytes of peers that were dropped", view.drops);
}

const struct host_role *roles_of(enum evidence_role role)
{
    static const struct host_role roles[] = {
        {EVIDENCE_OF_DEVICE, NULL, size_of_device, links_of_device, init_device, step_device,
         deadline_of_device, NULL, ahead_of_device, figures_of_device},
        {EVIDENCE_OF_GATEWAY, "gateway.db", size_of_gateway, links_of_gateway, init_gateway,
         step_gateway, deadline_of_gateway, drop_gateway, NULL, figures_of_gateway},
        {EVIDENCE_OF_CLOUD, "cloud.db", size_of_cloud, links_of_cloud, init_cloud, step_cloud,
         deadline_of_cloud, drop_cloud, NULL, figures_of_cloud},
    };
    return &roles[role];
}
