#include "sim/life_device.h"

#include <string.h>

#include "core/check.h"
#include "core/evidence.h"
#include "core/handover.h"
#include "sim/clock.h"

enum { NOISE = 0x5a, ACK_EVERY = 2, RESTARTS_MAX = 2 };

/* How an act ended. */
enum outcome {
    GOES_ON, /* there is more to do */
    ASKS_RESET,
    STOPS,
};

struct scene {
    struct life_device *device;
    const struct life_world *world;
    struct life_mind *mind;
    const struct port *port;
    const struct life_host *host;
    uint32_t restarts; /* downloads that were not what was promised, in this boot */
};

static enum behaviour_defect defect_of(const struct boot_config *config, const struct port *port,
                                       uint32_t slot);
static void know(struct scene *scene);
static void say_status(struct scene *scene);
static enum outcome act(struct scene *scene);
static enum outcome install(struct scene *scene, const struct life_goal *goal);
static enum outcome fetch(struct scene *scene, const struct life_goal *goal);
static enum outcome refuse(struct scene *scene);
static enum outcome rotate(struct scene *scene);
static enum outcome set_policy(struct scene *scene, uint64_t version);
static enum outcome sample(struct scene *scene, uint32_t count);
static enum outcome factory_reset(struct scene *scene);
static enum outcome next_goal(struct scene *scene);
static enum outcome reached(struct scene *scene);

enum life_end life_device_load(struct life_device *device, const struct life_world *world,
                               const struct port *port, const struct life_host *host)
{
    const struct boot_config *config = &world->firmware->device.update.boot;
    memset(device, NOISE, sizeof *device);
    device->running = false;
    host->phase(host->ctx, LIFE_LOADS, SLOT_NONE);
    if (boot_run(&device->boot, config, port, &device->loaded) != ERR_OK) {
        return LIFE_DARK;
    }
    const uint32_t slot = device->loaded.slot;
    if (handover_write(port, &device->loaded) != ERR_OK) {
        return LIFE_RESETS;
    }
    host->phase(host->ctx, LIFE_RUNS, slot);
    if (!host->reached(host->ctx, LIFE_AT_JUMP, device)) {
        return LIFE_STOPPED;
    }
    const enum behaviour_defect defect = defect_of(config, port, slot);
    if (defect == BEHAVIOUR_HANG || defect == BEHAVIOUR_RESET ||
        handover_take(port, config, &device->store, &device->report) != ERR_OK) {
        return LIFE_RESETS; /* by the watchdog, or by itself */
    }
    return host->reached(host->ctx, LIFE_AT_TAKE, device) ? LIFE_HANDED : LIFE_STOPPED;
}

enum life_end life_device_mount(struct life_device *device, const struct life_world *world,
                                struct life_mind *mind, const struct port *port,
                                const struct life_host *host)
{
    struct scene scene = {device, world, mind, port, host, 0};
    if (outbox_init(&device->outbox, port, &world->outbox) != ERR_OK) {
        return LIFE_RESETS;
    }
    const struct vault_config vault = {
        .device = LIFE_DEVICE, .factory = world->factory, .epoch = device->outbox.epoch};
    if (vault_load(&device->vault, &device->outbox.store, port, &vault) != ERR_OK) {
        return LIFE_RESETS;
    }
    know(&scene);
    return host->reached(host->ctx, LIFE_AT_MOUNT, device) ? LIFE_MOUNTED : LIFE_STOPPED;
}

enum life_end life_device_work(struct life_device *device, const struct life_world *world,
                               struct life_mind *mind, const struct port *port,
                               const struct life_host *host)
{
    struct scene scene = {device, world, mind, port, host, 0};
    const struct update_config *config = &world->firmware->device.update;
    const enum behaviour_defect defect = defect_of(&config->boot, port, device->report.slot);
    host->phase(host->ctx, LIFE_RUNS, device->report.slot);
    update_init(&device->update, config, port, &device->report);
    device->running = true;
    say_status(&scene);
    if (!host->reached(host->ctx, LIFE_AT_START, device)) {
        return LIFE_STOPPED;
    }
    if (defect == BEHAVIOUR_MUTE && !device->update.confirmed) {
        return LIFE_RESETS; /* its time is up without a round trip */
    }
    while (mind->goal < world->life->goal_count) {
        const enum outcome outcome = act(&scene);
        if (outcome != GOES_ON) {
            return outcome == STOPS ? LIFE_STOPPED : LIFE_RESETS;
        }
    }
    host->truth(host->ctx, TRUTH_SETTLED, device->report.manifest.sequence.number, 0);
    return LIFE_DONE;
}

void life_mind_evidence(struct life_mind *mind, const struct evidence *evidence)
{
    const bool stored = evidence->kind == EVIDENCE_STORE;
    if (!stored && evidence->kind != EVIDENCE_SHED && evidence->kind != EVIDENCE_RELEASE) {
        return;
    }
    uint32_t i = 0;
    while (i < LIFE_OUTBOX_MAX && mind->stored[i] != (stored ? 0 : evidence->counter)) {
        i++;
    }
    if (stored) {
        CHECK(i < LIFE_OUTBOX_MAX);
        mind->stored[i] = evidence->counter;
    } else if (i < LIFE_OUTBOX_MAX) { /* else one that had come back; it is forgotten again */
        memmove(&mind->stored[i], &mind->stored[i + 1],
                (LIFE_OUTBOX_MAX - 1 - i) * sizeof mind->stored[0]);
        mind->stored[LIFE_OUTBOX_MAX - 1] = 0;
    }
}

/* What is no image crashes. */
static enum behaviour_defect defect_of(const struct boot_config *config, const struct port *port,
                                       uint32_t slot)
{
    uint8_t record[BEHAVIOUR_BYTES];
    struct behaviour behaviour;
    const uint32_t area = slot_area_offset(&config->layout, &port->flash, slot);
    return port->flash_read(port->ctx, area, record, sizeof record) == ERR_OK &&
                   behaviour_read(record, &behaviour)
               ? behaviour.defect
               : BEHAVIOUR_RESET;
}

/* What the device finds in its store is what it was left with. */
static void know(struct scene *scene)
{
    const struct life_device *device = scene->device;
    struct life_mind *mind = scene->mind;
    const struct life_host *host = scene->host;
    const struct outbox *outbox = &device->outbox;
    const bool resets = mind->goal < scene->world->life->goal_count &&
                        scene->world->life->goals[mind->goal].act == LIFE_RESET;
    if (mind->epoch == 0 || (resets && outbox->epoch > mind->epoch)) {
        mind->epoch = outbox->epoch;
        mind->generation = 0;
        mind->next = 0;
        mind->top = 0;
        memset(mind->stored, 0, sizeof mind->stored);
        if (resets) {
            mind->goal++;
            mind->step = mind->draws = 0;
        }
    }
    host->require(host->ctx, LAW_DEVICE_OUTBOX, "power does not end an epoch", mind->epoch,
                  outbox->epoch);
    for (uint32_t i = 0; i < LIFE_OUTBOX_MAX && mind->stored[i] != 0; i++) {
        bool found = false;
        for (uint32_t k = 0; k < outbox->count; k++) {
            found = found || outbox->entries[k].counter == mind->stored[i];
        }
        host->require(host->ctx, LAW_DEVICE_OUTBOX, "a stored reading is there after a cut", 1,
                      found);
    }
    if (device->vault.staged && mind->next != 0) {
        uint64_t next;
        memcpy(&next, device->vault.next.public_key, sizeof next);
        host->require(host->ctx, LAW_IDENTITY_KEY, "the pair that is staged stays the same",
                      mind->next, next);
    }
}

/* The server hears it at once. */
static void say_status(struct scene *scene)
{
    const struct life_device *device = scene->device;
    const uint64_t sequence = device->report.manifest.sequence.number;
    const uint64_t outcome =
        (uint64_t)(device->update.confirmed ? BOOT_CONFIRMED : device->report.outcome);
    scene->host->truth(scene->host->ctx, EVIDENCE_STATUS, sequence, outcome);
    scene->host->truth(scene->host->ctx, EVIDENCE_LEARN, sequence, outcome);
}

static enum outcome act(struct scene *scene)
{
    const struct life_goal *goal = &scene->world->life->goals[scene->mind->goal];
    switch (goal->act) {
    case LIFE_INSTALL:
    case LIFE_DOWNLOAD:
        return install(scene, goal);
    case LIFE_REFUSE:
        return refuse(scene);
    case LIFE_ROTATE:
        return rotate(scene);
    case LIFE_POLICY:
        return set_policy(scene, goal->count);
    case LIFE_SAMPLE:
        return sample(scene, goal->count);
    case LIFE_RESET:
        return factory_reset(scene);
    case LIFE_ACT_COUNT:
        break;
    }
    CHECK(false);
    return ASKS_RESET;
}

/* ---- Firmware ---- */

static enum outcome install(struct scene *scene, const struct life_goal *goal)
{
    struct life_device *device = scene->device;
    const struct life_host *host = scene->host;
    const struct firmware_release *release = &scene->world->firmware->releases[goal->release - 1];
    if (device->report.manifest.sequence.number == goal->release) {
        if (update_confirm(&device->update, scene->port, HEALTH_ROUND_TRIP) != ERR_OK) {
            return ASKS_RESET;
        }
        say_status(scene);
        return next_goal(scene);
    }
    const struct update_offer offer = {&release->envelopes, CLOCK_WALL_START_US};
    enum image_fault why;
    const enum err err =
        update_offer(&device->update, &device->outbox.store, scene->port, &offer, &why);
    if (err == ERR_DENIED) { /* power alone may have reverted it that often, too: it is given up */
        host->require(host->ctx, LAW_UPDATE_PROGRESS,
                      "a release is taken, unless it was reverted too often", IMAGE_FAULT_REVERTED,
                      (uint64_t)why);
        return next_goal(scene);
    }
    if (err != ERR_OK) {
        return ASKS_RESET;
    }
    return reached(scene) == STOPS ? STOPS : fetch(scene, goal);
}

/* A download that has come so far is withdrawn. */
static bool is_withdrawn(const struct scene *scene, const struct life_goal *goal)
{
    return goal->act == LIFE_DOWNLOAD &&
           scene->device->update.received_bytes / scene->port->flash.sector_bytes >= goal->count;
}

static enum outcome fetch(struct scene *scene, const struct life_goal *goal)
{
    struct life_device *device = scene->device;
    struct store *store = &device->outbox.store;
    const struct firmware_release *release = &scene->world->firmware->releases[goal->release - 1];
    uint32_t offset, size_bytes;
    while (!is_withdrawn(scene, goal) && update_wants(&device->update, &offset, &size_bytes)) {
        const uint32_t piece_max = scene->world->life->piece_bytes;
        const uint32_t piece_bytes = size_bytes < piece_max ? size_bytes : piece_max;
        const struct update_piece piece = {offset, release->area + offset, piece_bytes};
        if (update_chunk(&device->update, store, scene->port, &piece) != ERR_OK) {
            return ASKS_RESET;
        }
        if (piece_bytes == size_bytes && reached(scene) == STOPS) {
            return STOPS; /* what survives a cut has grown */
        }
    }
    if (goal->act == LIFE_DOWNLOAD) {
        return next_goal(scene);
    }
    const enum err err = update_finish(&device->update, store, scene->port);
    if (err == ERR_CORRUPT && scene->restarts < RESTARTS_MAX) {
        scene->restarts++;
        return GOES_ON; /* all of it comes again, with the next offer */
    }
    return ASKS_RESET; /* into its first trial */
}

/* Each of them is refused, and nothing is written for it. */
static enum outcome refuse(struct scene *scene)
{
    struct life_device *device = scene->device;
    const struct life_host *host = scene->host;
    const struct life_offers *offers = scene->world->offers;
    const bool disabled = scene->mind->step == offers->count;
    const uint32_t release = scene->world->life->goals[scene->mind->goal].release;
    const struct update_offer offer = {
        disabled ? &scene->world->firmware->releases[release - 1].envelopes
                 : &offers->list[scene->mind->step].envelopes,
        CLOCK_WALL_START_US};
    enum image_fault why = IMAGE_FAULT_NONE;
    device->update.config.enabled = !disabled;
    host->phase(host->ctx, LIFE_REFUSES, device->report.slot);
    const enum err err =
        update_offer(&device->update, &device->outbox.store, scene->port, &offer, &why);
    host->phase(host->ctx, LIFE_RUNS, device->report.slot);
    device->update.config.enabled = true;
    if (err == ERR_IO) {
        return ASKS_RESET;
    }
    host->require(host->ctx, LAW_UPDATE_AUTHENTIC,
                  disabled ? "where updates are disabled no offer is taken"
                           : offers->list[scene->mind->step].name,
                  1, err == ERR_DENIED);
    scene->mind->step++;
    return disabled ? next_goal(scene) : reached(scene);
}

/* ---- Keys, policy, readings ---- */

static enum outcome rotate(struct scene *scene)
{
    struct life_device *device = scene->device;
    struct vault *vault = &device->vault;
    struct life_mind *mind = scene->mind;
    const struct life_host *host = scene->host;
    if (vault->generation > mind->generation) {
        uint64_t keys;
        memcpy(&keys, vault->keys.public_key, sizeof keys);
        host->require(host->ctx, LAW_IDENTITY_KEY, "the pair in force is the one that was staged",
                      mind->next, keys);
        mind->generation = vault->generation;
        mind->next = 0;
        return next_goal(scene);
    }
    if (mind->next == 0) {
        if (vault_stage(vault, &device->outbox.store, scene->port) != ERR_OK) {
            return ASKS_RESET;
        }
        memcpy(&mind->next, vault->next.public_key, sizeof mind->next); /* the server signs it */
        return reached(scene);
    }
    if (vault_switch(vault, &device->outbox.store, scene->port) != ERR_OK) {
        host->require(host->ctx, LAW_IDENTITY_KEY, "the pair that the server signed for is there",
                      1, 0);
        return ASKS_RESET;
    }
    return reached(scene);
}

static enum outcome set_policy(struct scene *scene, uint64_t version)
{
    struct life_device *device = scene->device;
    if (device->vault.policy >= version) {
        return next_goal(scene);
    }
    const enum err err = vault_policy(&device->vault, &device->outbox.store, scene->port, version);
    return err == ERR_OK ? reached(scene) : ASKS_RESET;
}

static void take_acks(struct scene *scene)
{
    struct outbox *outbox = &scene->device->outbox;
    const struct ack ack = {.device = LIFE_DEVICE,
                            .epoch = outbox->epoch,
                            .floor = outbox->entries[outbox->count - 1].counter};
    (void)outbox_release(outbox, scene->port, &ack);
}

static enum outcome sample(struct scene *scene, uint32_t count)
{
    struct life_device *device = scene->device;
    struct outbox *outbox = &device->outbox;
    struct life_mind *mind = scene->mind;
    const struct life_host *host = scene->host;
    const struct reading reading = {CLOCK_WALL_START_US, (int32_t)mind->step};
    struct envelope envelope;
    uint8_t key[AEAD_KEY_BYTES];
    uint64_t counter = 0;
    if (mind->step == count) {
        return next_goal(scene);
    }
    if (outbox->count >= ACK_EVERY) {
        take_acks(scene);
        return reached(scene);
    }
    if (outbox_draw(outbox, scene->port, &counter) != ERR_OK) {
        return ASKS_RESET;
    }
    host->require(host->ctx, LAW_TELEMETRY_NONCE, "a counter is above all that were drawn", 1,
                  counter > mind->top);
    mind->top = counter;
    if (message_reading_key(scene->port, scene->world->secret, LIFE_DEVICE, outbox->epoch, key) !=
            ERR_OK ||
        message_telemetry(scene->port, &device->vault.keys, key, LIFE_DEVICE, outbox->epoch,
                          counter, &reading, &envelope) != ERR_OK ||
        outbox_put(outbox, scene->port, counter, &envelope) != ERR_OK) {
        return ASKS_RESET;
    }
    mind->step++;
    return reached(scene);
}

/* The goal is reached when the device has booted with the new epoch, see know. */
static enum outcome factory_reset(struct scene *scene)
{
    outbox_end_epoch(&scene->device->outbox, scene->port);
    return ASKS_RESET;
}

/* ---- The life ---- */

static enum outcome next_goal(struct scene *scene)
{
    scene->mind->goal++;
    scene->mind->step = 0;
    scene->mind->draws = 0;
    return reached(scene);
}

static enum outcome reached(struct scene *scene)
{
    return scene->host->reached(scene->host->ctx, LIFE_AT_ACT, scene->device) ? GOES_ON : STOPS;
}
