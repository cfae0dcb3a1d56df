#include "sim/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/plan.h"
#include "sim/random.h"

enum {
    SELDOM_MAX = 64,        /* as workload.skew says */
    PERIOD_MIN_US = 100000, /* as device.sample_every has it */
};

/* The keys of a node come from the seed alone, so that both providers see the same fleet. */
static bool make_keys(const struct port_crypto *crypto, uint64_t seed, uint32_t node,
                      struct key_pair *keys, uint8_t secret[KEY_BYTES])
{
    char name[32];
    snprintf(name, sizeof name, "keys/%u", (unsigned)node);
    struct random_stream stream = {random_key(seed, name), 0};
    random_bytes(&stream, keys->seed, KEY_BYTES);
    random_bytes(&stream, secret, KEY_BYTES);
    return crypto->public_key(crypto->ctx, keys) == ERR_OK;
}

static uint64_t number(const struct fleet *fleet, enum setting setting)
{
    return fleet->settings->number[setting];
}

static uint16_t seconds(const struct fleet *fleet, enum setting setting)
{
    return (uint16_t)(number(fleet, setting) / 1000000u);
}

static bool make_firmware(struct fleet *fleet, const struct port_crypto *crypto, uint64_t seed,
                          const struct flash_geometry *geometry)
{
    if (number(fleet, SETTING_firmware_image) == 0) {
        return true;
    }
    fleet->firmware = firmware_create(fleet->settings, seed, crypto, geometry);
    return fleet->firmware != NULL;
}

static bool make_cloud(struct fleet *fleet, const struct port_crypto *crypto, uint64_t seed)
{
    struct cloud_config *config = &fleet->cloud;
    uint8_t unused[KEY_BYTES];
    config->id = 1;
    config->devices = (struct registry){fleet->devices, fleet->device_count};
    config->gateways = (struct registry){fleet->gateways, fleet->gateway_count};
    config->window = (uint32_t)number(fleet, SETTING_cloud_window);
    config->sessions_max = (uint32_t)number(fleet, SETTING_cloud_sessions);
    config->watchdog_us = number(fleet, SETTING_cloud_watchdog);
    if (fleet->firmware != NULL) {
        config->firmware = fleet->firmware->cloud;
    }
    return make_keys(crypto, seed, 1, &config->keys, unused);
}

static bool make_gateway(struct fleet *fleet, const struct port_crypto *crypto, uint64_t seed,
                         uint32_t node, struct gateway_config *config)
{
    uint8_t unused[KEY_BYTES];
    config->id = node;
    config->cloud = 1;
    config->tenant = 1;
    config->policy_version = 1;
    config->devices = (struct registry){fleet->devices, fleet->device_count};
    config->queue_max = (uint32_t)number(fleet, SETTING_gateway_queue);
    config->queue_share_max = (uint32_t)number(fleet, SETTING_gateway_share);
    config->sessions_max = (uint32_t)number(fleet, SETTING_gateway_sessions);
    config->backoff_base_us = number(fleet, SETTING_gateway_backoff_base);
    config->backoff_cap_us = number(fleet, SETTING_gateway_backoff_cap);
    config->watchdog_us = number(fleet, SETTING_gateway_watchdog);
    config->keep_alive_s = seconds(fleet, SETTING_gateway_keep_alive);
    return make_keys(crypto, seed, node, &config->keys, unused);
}

/* Which device is how busy is drawn, so that no gateway has the busy ones by their numbers. */
static void draw_ranks(struct fleet *fleet, uint64_t seed)
{
    struct random_stream stream = {random_key(seed, "workload/rank"), 0};
    for (uint32_t i = 0; i < fleet->device_count; i++) {
        const uint32_t other = (uint32_t)random_below(&stream, i + 1);
        fleet->ranks[i] = fleet->ranks[other];
        fleet->ranks[other] = i + 1;
    }
}

static uint64_t period_us(const struct fleet *fleet, uint32_t place)
{
    const uint64_t hot = number(fleet, SETTING_workload_hot);
    uint64_t seldom = 1;
    for (uint64_t i = 0; i < number(fleet, SETTING_workload_skew) && seldom < SELDOM_MAX; i++) {
        seldom *= fleet->ranks[place];
    }
    seldom = seldom < SELDOM_MAX ? seldom : SELDOM_MAX;
    const uint64_t us = number(fleet, SETTING_device_sample_every) / hot * seldom;
    return us > PERIOD_MIN_US ? us : PERIOD_MIN_US;
}

/* A device roams over neighbouring gateways; rogues stand among them. */
static void choose_gateways(const struct fleet *fleet, uint32_t node, struct device_config *config)
{
    uint32_t gateway;
    while (config->gateway_count < DEVICE_GATEWAYS_MAX &&
           (gateway = fleet_device_gateway(fleet->settings, node, config->gateway_count)) != 0) {
        config->gateways[config->gateway_count++] = gateway;
    }
}

static bool make_device(struct fleet *fleet, const struct port_crypto *crypto, uint64_t seed,
                        uint32_t place, struct device_config *config)
{
    const uint32_t node = 1 + fleet->gateway_count + 1 + place;
    config->id = node;
    config->cloud = 1;
    memcpy(config->cloud_key, fleet->cloud.keys.public_key, KEY_BYTES);
    config->sample_every_us = period_us(fleet, place);
    config->burst = (uint32_t)number(fleet, SETTING_workload_burst);
    config->idle_us = number(fleet, SETTING_workload_idle);
    config->packet_id = (uint16_t)number(fleet, SETTING_workload_packet_id);
    config->reserve = (uint32_t)number(fleet, SETTING_device_reserve);
    config->outbox_max = (uint32_t)number(fleet, SETTING_device_outbox);
    config->window = (uint32_t)number(fleet, SETTING_device_window);
    config->backoff_base_us = number(fleet, SETTING_device_backoff_base);
    config->backoff_cap_us = number(fleet, SETTING_device_backoff_cap);
    config->ack_timeout_us = number(fleet, SETTING_device_ack_timeout);
    config->watchdog_us = number(fleet, SETTING_device_watchdog);
    config->keep_alive_s = seconds(fleet, SETTING_device_keep_alive);
    if (fleet->firmware != NULL) {
        config->firmware = fleet->firmware->device;
        config->firmware.update.boot.device = node;
    }
    choose_gateways(fleet, node, config);
    if (!make_keys(crypto, seed, node, &config->keys, config->secret)) {
        return false;
    }
    struct registry_entry *entry = &fleet->devices[place];
    entry->id = node;
    memcpy(entry->public_key, config->keys.public_key, KEY_BYTES);
    memcpy(entry->secret, config->secret, KEY_BYTES);
    return true;
}

static bool make_gateways(struct fleet *fleet, const struct port_crypto *crypto, uint64_t seed,
                          const struct capture *capture)
{
    const uint32_t honest = (uint32_t)number(fleet, SETTING_fleet_gateways);
    for (uint32_t i = 0; i < fleet->gateway_count; i++) {
        struct gateway_config *config =
            i < honest ? &fleet->gateway_configs[i] : &fleet->rogue_configs[i - honest].gateway;
        if (!make_gateway(fleet, crypto, seed, 2 + i, config)) {
            return false;
        }
        fleet->gateways[i].id = 2 + i;
        memcpy(fleet->gateways[i].public_key, config->keys.public_key, KEY_BYTES);
        if (i >= honest) {
            fleet->rogue_configs[i - honest].capture = capture;
            fleet->rogue_configs[i - honest].counts = &fleet->rogue_counts;
            fleet->rogue_configs[i - honest].gateway_first = 2;
            fleet->rogue_configs[i - honest].gateway_count = honest;
        }
    }
    return true;
}

struct fleet *fleet_create(const struct settings *settings, uint64_t seed,
                           const struct port_crypto *crypto, const struct capture *capture,
                           const struct flash_geometry *geometry)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    CHECK(fleet != NULL);
    fleet->settings = settings;
    fleet->node_count = fleet_node_count(settings);
    fleet->device_count = (uint32_t)number(fleet, SETTING_fleet_devices);
    fleet->gateway_count =
        (uint32_t)(number(fleet, SETTING_fleet_gateways) + number(fleet, SETTING_fleet_rogues));
    fleet->ranks = calloc(fleet->device_count, sizeof *fleet->ranks);
    CHECK(fleet->ranks != NULL);
    draw_ranks(fleet, seed);
    fleet->devices = calloc(fleet->device_count, sizeof *fleet->devices);
    fleet->gateways = calloc(fleet->gateway_count, sizeof *fleet->gateways);
    fleet->gateway_configs = calloc(fleet->gateway_count, sizeof *fleet->gateway_configs);
    fleet->rogue_configs = calloc(fleet->gateway_count, sizeof *fleet->rogue_configs);
    fleet->device_configs = calloc(fleet->device_count, sizeof *fleet->device_configs);
    CHECK(fleet->devices != NULL && fleet->gateways != NULL && fleet->gateway_configs != NULL);
    CHECK(fleet->rogue_configs != NULL && fleet->device_configs != NULL);
    bool good = make_firmware(fleet, crypto, seed, geometry) && make_cloud(fleet, crypto, seed) &&
                make_gateways(fleet, crypto, seed, capture);
    for (uint32_t i = 0; good && i < fleet->device_count; i++) {
        good = make_device(fleet, crypto, seed, i, &fleet->device_configs[i]);
    }
    if (!good) {
        fleet_free(fleet);
        return NULL;
    }
    return fleet;
}

void fleet_free(struct fleet *fleet)
{
    if (fleet != NULL) {
        firmware_free(fleet->firmware);
        free(fleet->ranks);
        free(fleet->devices);
        free(fleet->gateways);
        free(fleet->gateway_configs);
        free(fleet->rogue_configs);
        free(fleet->device_configs);
        free(fleet);
    }
}

const void *fleet_config(const struct fleet *fleet, uint32_t node)
{
    const uint32_t honest = (uint32_t)number(fleet, SETTING_fleet_gateways);
    if (node == 1) {
        return &fleet->cloud;
    }
    const uint32_t place = node - 2;
    if (place < honest) {
        return &fleet->gateway_configs[place];
    }
    if (place < fleet->gateway_count) {
        return &fleet->rogue_configs[place - honest];
    }
    CHECK(place - fleet->gateway_count < fleet->device_count);
    return &fleet->device_configs[place - fleet->gateway_count];
}
