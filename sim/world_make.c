#include "sim/world_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/heal_core.h"
#include "sim/law_choice.h"
#include "sim/part.h"
#include "sim/roles.h"
#include "sim/workload.h"

enum {
    FLASH_SECTOR_BYTES_MIN = 1024, /* as flash.sector and flash.sectors have it */
    FLASH_SECTORS_MIN = 4,
    FLASH_SECTOR_BYTES_MAX = 256 * 1024, /* of which each device of a fleet may have 64 */
};
enum { BOOT_SPREAD_US = 2000000 /* nodes are switched on one after the other, within this */ };

/* ---- hooks of node and net ------------------------------------------------------------------- */

static int32_t on_sensor(void *ctx, uint32_t node, uint64_t time_us, uint64_t ordinal)
{
    const struct world *world = ctx;
    const uint32_t device = node - 2 - world->fleet->gateway_count;
    if (world->readings != NULL) {
        const uint64_t row = time_us / world->fleet->device_configs[device].sample_every_us;
        return readings_at(world->readings, row, device);
    }
    const uint64_t draw = random_at(world->sensor_key + node, ordinal);
    return (int32_t)(20000 + draw % 5000);
}

static void on_delayed_strike(void *ctx, uint32_t entry, uint64_t time_us)
{
    world_schedule(ctx, time_us, WORLD_STRIKE, entry, 1);
}

static void on_net_schedule(void *ctx, uint64_t time_us, uint32_t link, uint32_t what)
{
    world_schedule(ctx, time_us, WORLD_NET, link, what);
}

static void on_net_tap(void *ctx, const struct net_tap *tap)
{
    const struct world *world = ctx;
    world->options.tap(world->options.tap_ctx, tap);
}

static const struct profile *on_profile(void *ctx, uint32_t from, uint32_t to)
{
    struct world *world = ctx;
    (void)to;
    return fleet_role(&world->plan.settings, from) == ROLE_MASK_DEVICE ? &world->device_profile
                                                                       : &world->gateway_profile;
}

/* ---- making ---------------------------------------------------------------------------------- */

static bool make_crypto(struct world *world)
{
    struct port_crypto openssl;
    world->openssl = calloc(1, sizeof *world->openssl);
    world->ideal = calloc(1, sizeof *world->ideal);
    CHECK(world->openssl != NULL && world->ideal != NULL);
    if (crypto_openssl_init(world->openssl, &openssl) != ERR_OK) {
        snprintf(world->error, sizeof world->error,
                 "OpenSSL 3 did not give Ed25519, SHA-256, HKDF and AES-128-GCM");
        return false;
    }
    world->stage.crypto = openssl;
    if (world->plan.settings.number[SETTING_run_crypto] == 1) {
        const uint64_t key = random_key(world->plan.seed, "ideal");
        const uint64_t secret[2] = {random_at(key, 0), random_at(key, 1)};
        ideal_init(world->ideal, secret, &openssl, &world->stage.crypto);
    }
    return true;
}

/* What a port may do, as often as the settings say. */
static void add_latitude(const struct settings *settings, struct profile *profile)
{
    const uint32_t chunks_ppm = (uint32_t)settings->number[SETTING_latitude_chunks];
    profile->short_ppm = (uint32_t)settings->number[SETTING_latitude_short_sends];
    profile->cut_ppm = profile->cut_ppm < chunks_ppm ? chunks_ppm : profile->cut_ppm;
}

static bool make_environment(struct world *world)
{
    const struct settings *settings = &world->plan.settings;
    const char *readings = settings->text[SETTING_run_readings];
    if (!profile_load(settings->text[SETTING_link_device], &world->device_profile, world->error,
                      sizeof world->error) ||
        !profile_load(settings->text[SETTING_link_gateway], &world->gateway_profile, world->error,
                      sizeof world->error)) {
        return false;
    }
    add_latitude(settings, &world->device_profile);
    add_latitude(settings, &world->gateway_profile);
    if (readings[0] != '\0') {
        world->readings = readings_load(readings, world->error, sizeof world->error);
        return world->readings != NULL;
    }
    return true;
}

/* Can a store live on it? What slots need as well, firmware_check says. */
static bool serves(const struct part *part, char *error, size_t error_bytes)
{
    const struct flash_geometry *geometry = &part->profile.geometry;
    if (geometry->sector_bytes < FLASH_SECTOR_BYTES_MIN) {
        snprintf(error, error_bytes,
                 "flash.part: %s has sectors of %" PRIu32
                 " bytes, and a record needs half of one of %d at least: group them with "
                 "'present' in its file",
                 part->name, geometry->sector_bytes, FLASH_SECTOR_BYTES_MIN);
        return false;
    }
    if (geometry->sector_bytes > FLASH_SECTOR_BYTES_MAX) {
        snprintf(error, error_bytes,
                 "flash.part: %s has sectors of %" PRIu32 " bytes; a fleet has memory for %d",
                 part->name, geometry->sector_bytes, FLASH_SECTOR_BYTES_MAX);
        return false;
    }
    if (geometry->program_bytes > SLOT_UNIT_BYTES_MAX) {
        snprintf(error, error_bytes,
                 "flash.part: %s is programmed %" PRIu32
                 " bytes at once; a device knows units of %d bytes at most",
                 part->name, geometry->program_bytes, SLOT_UNIT_BYTES_MAX);
        return false;
    }
    if (geometry->sector_count < FLASH_SECTORS_MIN) {
        snprintf(error, error_bytes,
                 "flash.part: %s has %" PRIu32 " sectors; a device needs %d at least", part->name,
                 geometry->sector_count, FLASH_SECTORS_MIN);
        return false;
    }
    return true;
}

/* Without a part a serial NOR one: 25 us a unit of 8 bytes, 45 ms a 4 KiB sector. The plan keeps
 * what the part is, not its name alone: it is replayed where there is no such file, or another one.
 */
static bool choose_flash(struct world *world)
{
    struct settings *settings = &world->plan.settings;
    char *spec = settings->text[SETTING_flash_part];
    const uint32_t sectors = (uint32_t)settings->number[SETTING_flash_sectors];
    if (spec[0] == '\0') {
        world->flash = (struct flash_profile){
            .geometry = {.sector_bytes = (uint32_t)settings->number[SETTING_flash_sector],
                         .sector_count = sectors,
                         .program_bytes = (uint32_t)settings->number[SETTING_flash_unit],
                         .erased_value = 0xFF},
            .program_us = 25,
            .erase_us = 45000,
        };
        return true;
    }
    struct part part;
    if (!part_read(spec, &part, world->error, sizeof world->error)) {
        return false;
    }
    if (!part_print(&part, spec, SETTING_TEXT_BYTES)) {
        snprintf(world->error, sizeof world->error,
                 "flash.part: %s has too much to say for one line of %d bytes in a plan", part.name,
                 SETTING_TEXT_BYTES - 1);
        return false;
    }
    part_fit(&part.profile, UINT32_MAX, sectors);
    world->flash = part.profile;
    return serves(&part, world->error, sizeof world->error);
}

static void make_flash(const struct world *world, struct node *node)
{
    const struct firmware *firmware = world->fleet->firmware;
    node->flash = flash_create(&world->flash);
    CHECK(node->flash != NULL);
    if (firmware != NULL) {
        firmware_install(firmware, node->flash);
        node->counters[COUNTER_SECURITY] = firmware->releases[0].manifest.security.level;
    }
}

static void make_node(struct world *world, uint32_t number)
{
    struct node *node = &world->nodes[number];
    node->number = number;
    node->role_mask = fleet_role(&world->plan.settings, number);
    node->role = role_of(node->role_mask);
    node->config = fleet_config(world->fleet, number);
    node->memory_bytes = role_memory_bytes(node->role_mask, node->config);
    node->stage = &world->stage;
    node->cut_at_us = UINT64_MAX;
    node->timer_at_us = node->watchdog_at_us = UINT64_MAX;
    node->reset_reason = RESET_POWER_ON;
    clock_init(&node->clock, 0);
    if (node->role_mask == ROLE_MASK_DEVICE) {
        make_flash(world, node);
    } else if (node->role_mask != ROLE_MASK_ROGUE) {
        node->disk = calloc(1, sizeof *node->disk);
        CHECK(node->disk != NULL);
        disk_init(node->disk, (struct disk_profile){0}, NULL);
        disk_attach(node->disk, number);
        snprintf(node->disk_path, sizeof node->disk_path, "disk%" PRIu32 "/%s.db", number,
                 node->role->name);
    } else {
        ((struct rogue_config *)(uintptr_t)node->config)->attack = node->attack;
    }
    world_seed_node(world, node, world->plan.seed);
    node_port(node);
}

/* How late a sample may be: drift of 10 %, flash and crypto busy for seconds at the worst. On a
 * part a put may compact every sector twice (store.h), and the first boot formats all of it. */
static uint64_t sample_slack_us(const struct world *world)
{
    const struct settings *settings = &world->plan.settings;
    const struct flash_profile *flash = &world->flash;
    const uint64_t slack_us = settings->number[SETTING_device_sample_every] / 8 + 5000000;
    const uint32_t unit = flash->page_bytes > 0 ? flash->page_bytes : flash->geometry.program_bytes;
    const uint64_t sector_us =
        flash->erase_us + (uint64_t)(flash->geometry.sector_bytes / unit) * flash->program_us;
    return settings->text[SETTING_flash_part][0] == '\0'
               ? slack_us
               : slack_us + 2 * flash->geometry.sector_count * sector_us;
}

/* A part's file may ask for faults as well: wear, read disturb and retention, on every device. */
static void void_by_part(struct world *world)
{
    const struct flash_profile *flash = &world->flash;
    const struct {
        bool asked;
        enum effect effect; /* that voids the same laws */
    } faults[] = {
        {flash->worn == FLASH_BAD_LOUD, EFFECT_FLASH_WEAR},
        {flash->worn == FLASH_BAD_SILENT, EFFECT_FLASH_BAD_SILENT},
        {flash->disturb_reads > 0, EFFECT_FLASH_DISTURB},
        {flash->retention_us > 0, EFFECT_FLASH_DISTURB},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        for (unsigned law = 0; law < LAW_COUNT && faults[i].asked; law++) {
            for (uint32_t node = 1; node <= world->node_count; node++) {
                if (effect_voids(faults[i].effect, world->nodes[node].role_mask, (enum law)law)) {
                    judge_void(world->judge, (enum law)law, node);
                }
            }
        }
    }
}

static void make_workload(struct world *world)
{
    world->periods_us = calloc(world->node_count + 1, sizeof *world->periods_us);
    world->seen = calloc(world->node_count + 1, sizeof *world->seen);
    world->recovery.devices = calloc(world->node_count + 1, sizeof *world->recovery.devices);
    CHECK(world->periods_us != NULL && world->seen != NULL && world->recovery.devices != NULL);
    for (uint32_t i = 1; i <= world->node_count; i++) {
        if (world->nodes[i].role_mask == ROLE_MASK_DEVICE) {
            const struct device_config *device = world->nodes[i].config;
            world->periods_us[i] = device->sample_every_us;
        }
    }
}

/* The plan's settings were checked. */
static void void_by_choice(struct world *world)
{
    bool judged[LAW_COUNT];
    char error[64];
    CHECK(law_choice(world->plan.settings.text[SETTING_run_laws], judged, error, sizeof error));
    for (unsigned law = 0; law < LAW_COUNT; law++) {
        if (!judged[law]) {
            judge_void(world->judge, (enum law)law, UINT32_MAX);
        }
    }
}

static void make_judge(struct world *world)
{
    const uint64_t *setting = world->plan.settings.number;
    const struct firmware *firmware = world->fleet->firmware;
    world->model_roles = calloc(world->node_count + 1, sizeof *world->model_roles);
    CHECK(world->model_roles != NULL);
    world->model_roles[0] = MODEL_OTHER;
    for (uint32_t i = 1; i <= world->node_count; i++) {
        const uint32_t role = world->nodes[i].role_mask;
        world->model_roles[i] = role == ROLE_MASK_CLOUD     ? MODEL_CLOUD
                                : role == ROLE_MASK_GATEWAY ? MODEL_GATEWAY
                                : role == ROLE_MASK_DEVICE  ? MODEL_DEVICE
                                                            : MODEL_OTHER;
    }
    const struct judge_config config = {
        .node_count = world->node_count + 1,
        .roles = world->model_roles,
        .cloud_window = (uint32_t)setting[SETTING_cloud_window],
        .outbox_max = (uint32_t)setting[SETTING_device_outbox],
        .reserve = (uint32_t)setting[SETTING_device_reserve],
        .queue_max = (uint32_t)setting[SETTING_gateway_queue],
        .sample_every_us = setting[SETTING_device_sample_every],
        .periods_us = world->periods_us,
        .burst = (uint32_t)setting[SETTING_workload_burst],
        .idle_us = setting[SETTING_workload_idle],
        .sample_slack_us = sample_slack_us(world),
        .trials = firmware != NULL ? (uint32_t)setting[SETTING_firmware_trials] : 0,
        .reverts_max = (uint32_t)setting[SETTING_firmware_reverts],
        .heard =
            world->options.heard != NULL || world->options.coverage != NULL ? observe_step : NULL,
        .heard_ctx = world,
        .image_bytes = (uint32_t)setting[SETTING_firmware_image],
        .sector_bytes = firmware != NULL ? firmware->geometry.sector_bytes : 0,
    };
    world->canary = setting[SETTING_run_canary] != 0;
    world->judge = calloc(1, judge_size_bytes(&config));
    CHECK(world->judge != NULL);
    judge_init(world->judge, &config);
    void_by_part(world);
    void_by_choice(world);
    for (uint32_t i = 0; firmware != NULL && i < firmware->release_count; i++) {
        observe_release(world, &firmware->releases[i].manifest);
    }
}

static void start(struct world *world)
{
    const uint64_t *setting = world->plan.settings.number;
    const uint64_t spread = random_key(world->plan.seed, "boot");
    const uint64_t heal_us = setting[SETTING_run_duration];
    world_schedule(world, heal_us, WORLD_HEAL, 0, 0);
    world_schedule(world, heal_us + setting[SETTING_run_heal], WORLD_END, 0, 0);
    for (uint32_t i = 1; i <= world->node_count; i++) {
        strike_schedule_boot(world, &world->nodes[i], random_at(spread, i) % BOOT_SPREAD_US);
    }
    world_settle(world);
}

static bool make(struct world *world, bool draw)
{
    if (!make_crypto(world) || !make_environment(world)) {
        return false;
    }
    for (uint32_t i = 0; i < world->plan.entry_count; i++) {
        if (!plan_entry_check(&world->plan, &world->plan.entries[i], world->error,
                              sizeof world->error)) {
            return false;
        }
    }
    if (draw && (!plan_draw_faults(&world->plan) || !heal_core_draw(&world->plan))) {
        snprintf(world->error, sizeof world->error,
                 "the settings draw too many faults; make `every` longer");
        return false;
    }
    world_seed(world, world->plan.seed);
    world->node_count = fleet_node_count(&world->plan.settings);
    if (!choose_flash(world) || !firmware_check(&world->plan.settings, &world->flash.geometry,
                                                world->error, sizeof world->error)) {
        return false;
    }
    world->fleet = fleet_create(&world->plan.settings, world->plan.seed, &world->stage.crypto,
                                world->capture, &world->flash.geometry);
    world->nodes = calloc(world->node_count + 1, sizeof *world->nodes);
    CHECK(world->fleet != NULL && world->nodes != NULL);
    const struct net_hooks hooks = {
        .ctx = world,
        .schedule = on_net_schedule,
        .tap = world->options.tap == NULL ? NULL : on_net_tap,
    };
    world->stage.net = net_create(world->plan.seed, world->node_count, &hooks, on_profile, world);
    CHECK(world->stage.net != NULL);
    for (uint32_t i = 1; i <= world->node_count; i++) {
        make_node(world, i);
    }
    make_workload(world);
    if (world->options.laws) {
        make_judge(world);
    }
    start(world);
    return true;
}

struct world *world_create(const struct plan *plan, bool draw, const struct world_options *options,
                           char *error, size_t error_bytes)
{
    static bool registered;
    if (!registered) {
        disk_vfs_register(true);
        registered = true;
    }
    struct world *world = calloc(1, sizeof *world);
    CHECK(world != NULL);
    plan_copy(&world->plan, plan);
    world->options = *options;
    world->expectation_failed = -1;
    world->capture = calloc(1, sizeof *world->capture);
    world->scratch = calloc(1, sizeof *world->scratch);
    CHECK(world->capture != NULL && world->scratch != NULL);
    disk_init(world->scratch, (struct disk_profile){0}, NULL);
    hash_init(&world->stage.hash, options->hash, options->history_only);
    queue_init(&world->queue);
    world->stage.plan = &world->plan;
    world->stage.options = &world->options;
    world->stage.ctx = world;
    world->stage.evidence = observe_evidence;
    world->stage.linked = observe_link;
    world->stage.strike = on_delayed_strike;
    world->stage.flash_write = observe_flash_write;
    world->stage.sensor = on_sensor;
    if (!settings_check(&world->plan.settings, world->error, sizeof world->error) ||
        !make(world, draw)) {
        snprintf(error, error_bytes, "%s", world->error);
        world_free(world);
        return NULL;
    }
    return world;
}

void world_free(struct world *world)
{
    if (world == NULL) {
        return;
    }
    for (uint32_t i = 1; world->nodes != NULL && i <= world->node_count; i++) {
        struct node *node = &world->nodes[i];
        node_fall(node, NODE_PROCESS_DIED, 0);
        if (node->disk != NULL) {
            disk_detach(i);
            disk_drop(node->disk);
            free(node->disk);
        }
        if (node->flash != NULL) {
            flash_free(node->flash);
        }
    }
    free(world->nodes);
    if (world->stage.net != NULL) {
        net_free(world->stage.net);
    }
    fleet_free(world->fleet);
    disk_drop(world->scratch);
    free(world->scratch);
    free(world->capture);
    if (world->openssl != NULL && world->openssl->library != NULL) {
        crypto_openssl_free(world->openssl);
    }
    free(world->openssl);
    free(world->ideal);
    profile_free(&world->device_profile);
    profile_free(&world->gateway_profile);
    readings_free(world->readings);
    free(world->judge);
    free(world->model_roles);
    free(world->periods_us);
    free(world->seen);
    free(world->recovery.devices);
    free(world->left);
    queue_free(&world->queue);
    hash_free(&world->stage.hash);
    plan_free(&world->plan);
    free(world);
}
