#include "models/telemetry_state.h"

static void device_observe(struct telemetry_model *model, struct device *device,
                           const struct observation *observation, struct ruling *ruling);
static void cloud_observe(struct telemetry_model *model, const struct observation *observation,
                          struct ruling *ruling);
static void sign(struct device *device, const struct observation *observation,
                 struct ruling *ruling);
static void remember(struct device *device, const struct observation *observation);
static void store(const struct telemetry_model *model, struct device *device,
                  const struct observation *observation, struct ruling *ruling);
static void begin_listing(struct device *device, const struct observation *observation,
                          const struct ruling *ruling);
static void keep(struct device *device, const struct observation *observation,
                 const struct ruling *ruling);
static void forget(struct device *device, const struct observation *observation,
                   struct ruling *ruling);
static void accept(struct telemetry_model *model, struct device *device,
                   const struct observation *observation, struct ruling *ruling);
static void reject(const struct telemetry_model *model, struct device *device,
                   const struct observation *observation, struct ruling *ruling);
static void begin_window(struct telemetry_model *model, struct device *device,
                         const struct observation *observation, struct ruling *ruling);

size_t telemetry_size_bytes(const struct judge_config *config)
{
    size_t devices = 0;
    for (uint32_t i = 0; i < config->node_count; i++) {
        devices += config->roles[i] == MODEL_DEVICE;
    }
    return sizeof(struct telemetry_model) + devices * sizeof(struct device) +
           config->node_count * sizeof(uint32_t);
}

void telemetry_init(struct telemetry_model *model, const struct judge_config *config)
{
    model->config = config;
    model->devices = (struct device *)(model + 1);
    for (uint32_t i = 0; i < config->node_count; i++) {
        model->device_count += config->roles[i] == MODEL_DEVICE;
    }
    model->places = (uint32_t *)(model->devices + model->device_count);
    uint32_t place = 0;
    for (uint32_t i = 0; i < config->node_count; i++) {
        model->places[i] = config->roles[i] == MODEL_DEVICE ? ++place : 0;
    }
}

void telemetry_observe(struct telemetry_model *model, const struct observation *observation,
                       struct ruling *ruling)
{
    if (observation->kind == TRUTH_HEAL) {
        model->heal_us = observation->time_us;
        for (uint32_t i = 0; i < model->device_count; i++) {
            struct device *device = &model->devices[i];
            device->healed = device->signed_once;
            device->heal_epoch = device->epoch;
            device->heal_counter = device->counter;
        }
    } else if (observation->kind == TRUTH_LEFT) {
        if (observation->node < model->config->node_count &&
            model->places[observation->node] != 0) {
            model->devices[model->places[observation->node] - 1].healed = false;
        }
    } else if (observation->kind == TRUTH_END) {
        telemetry_end(model, ruling);
    } else if (observation->node < model->config->node_count) {
        const uint32_t place = model->places[observation->node];
        if (place != 0) {
            device_observe(model, &model->devices[place - 1], observation, ruling);
        } else if (model->config->roles[observation->node] == MODEL_CLOUD) {
            cloud_observe(model, observation, ruling);
        }
    }
}

static void device_observe(struct telemetry_model *model, struct device *device,
                           const struct observation *observation, struct ruling *ruling)
{
    switch (observation->kind) {
    case EVIDENCE_BOOT:
        device->restarted = device->signed_once;
        break;
    case TRUTH_OUTBOX:
        begin_listing(device, observation, ruling);
        break;
    case TRUTH_KEPT:
        keep(device, observation, ruling);
        break;
    case EVIDENCE_SIGN:
        sign(device, observation, ruling);
        break;
    case EVIDENCE_STORE:
    case EVIDENCE_SEND:
        store(model, device, observation, ruling);
        break;
    case EVIDENCE_SHED:
    case EVIDENCE_RELEASE:
        forget(device, observation, ruling);
        break;
    default:
        break;
    }
}

static void cloud_observe(struct telemetry_model *model, const struct observation *observation,
                          struct ruling *ruling)
{
    const uint32_t place =
        observation->device < model->config->node_count ? model->places[observation->device] : 0;
    struct device *device = place != 0 ? &model->devices[place - 1] : NULL;
    switch (observation->kind) {
    case EVIDENCE_COMMIT:
        telemetry_settle(model, COMMITTED);
        return;
    case EVIDENCE_REFUSE:
        /* The disk is full: back to the last commit, without a restart. */
        if (observation->value == REFUSAL_DISK) {
            telemetry_settle(model, ROLLED_BACK);
        }
        return;
    case TRUTH_DOWN:
        model->power_lost = observation->value == 0;
        telemetry_settle(model, IN_DOUBT);
        return;
    case TRUTH_IMAGE_END:
        telemetry_image_end(model, ruling);
        return;
    case EVIDENCE_ACCEPT:
    case TRUTH_READING:
        if (device == NULL) {
            ruling_break(ruling, LAW_TELEMETRY_AUTHENTIC, observation->device,
                         (struct difference){"the device of a reading", 1, 0});
        }
        break;
    default:
        break;
    }
    if (device == NULL) {
        return;
    }
    switch (observation->kind) {
    case EVIDENCE_WINDOW:
        begin_window(model, device, observation, ruling);
        break;
    case EVIDENCE_ACCEPT:
        accept(model, device, observation, ruling);
        break;
    case EVIDENCE_REJECT:
        reject(model, device, observation, ruling);
        break;
    case TRUTH_READING:
        telemetry_row(device, observation, ruling);
        break;
    case TRUTH_WINDOW:
        telemetry_row_window(device, observation);
        break;
    default:
        break;
    }
}

/* ---- Devices -------------------------------------------------------------------------------- */

/* Add flags about what the device keeps. */
static void mark(struct device *device, struct slot *slot, uint32_t flags)
{
    device->held -= is_held(device, slot);
    slot->flags = (uint16_t)(slot->flags | flags);
    device->held += is_held(device, slot);
}

static void sign(struct device *device, const struct observation *observation,
                 struct ruling *ruling)
{
    const uint64_t body = fold(observation->body);
    struct slot *slot;
    if (device->restarted) { /* the moment at which memory may have failed */
        ruling_exercise(ruling, LAW_TELEMETRY_NONCE);
        device->restarted = false;
    }
    if (device->signed_once &&
        (observation->epoch < device->epoch ||
         (observation->epoch == device->epoch && observation->counter <= device->counter))) {
        const bool epoch_fell = observation->epoch < device->epoch;
        ruling_break(ruling, LAW_TELEMETRY_NONCE, observation->node,
                     epoch_fell ? (struct difference){"epoch of a new reading", device->epoch,
                                                      observation->epoch}
                                : (struct difference){"counter of a new reading",
                                                      device->counter + 1, observation->counter});
        /* Where that is void its number is that of a reading all the same. */
        switch (find(device, observation, &slot)) {
        case HERE:
            slot->flags = (uint16_t)(slot->flags | (slot->body != body ? FORKED : 0));
            break;
        case NEVER: /* one that an earlier life had passed over */
            remember(device, observation);
            break;
        case LEFT:
            break;
        }
        return;
    }
    if (!device->signed_once || observation->epoch != device->epoch) {
        if (device->held > 0) {
            ruling_break(
                ruling, LAW_DEVICE_OUTBOX, observation->node,
                (struct difference){"readings forgotten with their epoch", 0, device->held});
        }
        device->held = 0;
        device->oldest = observation->counter;
    }
    device->signed_once = true;
    device->epoch = observation->epoch;
    device->counter = observation->counter;

    slot = slot_of(device, observation->counter);
    if (is_held(device, slot)) {
        ruling_break(ruling, LAW_RESOURCES_BOUNDS, observation->node,
                     (struct difference){"span of unacked counters", SPAN / 2,
                                         observation->counter - slot->counter});
    }
    remember(device, observation);
}

/* A reading is signed: its slot is that of an older one no more. */
static void remember(struct device *device, const struct observation *observation)
{
    struct slot *slot = slot_of(device, observation->counter);
    device->held -= is_held(device, slot);
    device->left_firm += has(slot, FIRM);
    device->left_maybe += !has(slot, FIRM) && has(slot, TENTATIVE | MAYBE | ACCEPTED);
    /* The list of tentative ones is one of slots: it outlives what they hold. */
    slot->flags = (uint16_t)(SIGNED | (slot->flags & LISTED));
    slot->body = fold(observation->body);
    slot->counter = observation->counter;
    slot->epoch = observation->epoch;
    const uint32_t index = (uint32_t)(slot - device->ring);
    device->used = index < device->used ? device->used : index + 1;
}

/* STORE, or a SEND that proves it: power may have gone between the durable write and its word. */
static void store(const struct telemetry_model *model, struct device *device,
                  const struct observation *observation, struct ruling *ruling)
{
    struct slot *slot;
    if (find(device, observation, &slot) != HERE || slot->body != fold(observation->body)) {
        return;
    }
    mark(device, slot, STORED);
    ruling_exercise(ruling, LAW_RESOURCES_BOUNDS);
    if (device->held > model->config->outbox_max) {
        ruling_break(
            ruling, LAW_RESOURCES_BOUNDS, observation->node,
            (struct difference){"readings in the outbox", model->config->outbox_max, device->held});
    }
}

/* Flash that may forget takes readings without a word (device.outbox is void there): then what it
 * mounts is what is held. Elsewhere the bound is judged by what was said. */
static bool may_forget(const struct observation *observation, const struct ruling *ruling)
{
    const uint64_t is_void = ruling->void_everywhere | ruling->void_at[observation->node];
    return (is_void >> LAW_DEVICE_OUTBOX & 1u) != 0;
}

static void begin_listing(struct device *device, const struct observation *observation,
                          const struct ruling *ruling)
{
    for (uint32_t i = 0; may_forget(observation, ruling) && i < device->used; i++) {
        struct slot *slot = &device->ring[i];
        device->held -= is_held(device, slot);
        slot->flags = (uint16_t)(slot->flags & ~(uint32_t)STORED);
    }
}

static void keep(struct device *device, const struct observation *observation,
                 const struct ruling *ruling)
{
    struct slot *slot;
    if (may_forget(observation, ruling) && find(device, observation, &slot) == HERE) {
        mark(device, slot, STORED);
    }
}

/* The oldest counter that is held, or the newest signed. Each counter is passed once. */
static uint64_t oldest_held(struct device *device)
{
    if (device->counter - device->oldest >= SPAN) {
        device->oldest = device->counter - SPAN + 1;
    }
    while (device->oldest < device->counter) {
        const struct slot *slot = slot_of(device, device->oldest);
        if (slot->counter == device->oldest && is_held(device, slot)) {
            break;
        }
        device->oldest++;
    }
    return device->oldest;
}

/* SHED and RELEASE. Forgetting is not durable: after a restart a reading may be forgotten again,
 * and one that was shed may come back to be acked as closed. */
static void forget(struct device *device, const struct observation *observation,
                   struct ruling *ruling)
{
    const bool shed = observation->kind == EVIDENCE_SHED;
    struct slot *slot;
    ruling_exercise(ruling, LAW_DEVICE_OUTBOX);
    switch (find(device, observation, &slot)) {
    case NEVER:
        ruling_break(ruling, LAW_DEVICE_OUTBOX, observation->node,
                     (struct difference){
                         shed ? "shed, and never signed" : "released, and never signed", 1, 0});
        break;
    case LEFT:
        break;
    case HERE:
        if (shed && observation->epoch == device->epoch &&
            oldest_held(device) < observation->counter) {
            ruling_break(ruling, LAW_DEVICE_OUTBOX, observation->node,
                         (struct difference){"the oldest reading is shed", device->oldest,
                                             observation->counter});
        }
        if (!shed) {
            device->release_us = observation->time_us;
            ruling_exercise(ruling, LAW_TELEMETRY_DURABLE);
        }
        if (!shed && !has(slot, ACCEPTED | TENTATIVE | MAYBE | SHED)) {
            ruling_break(ruling, LAW_TELEMETRY_DURABLE, observation->node,
                         (struct difference){"acked, and not accepted", 1, 0});
        }
        mark(device, slot, STORED | (shed ? SHED : RELEASED));
        break;
    }
}

/* ---- The cloud ------------------------------------------------------------------------------ */

static void put_on_list(struct telemetry_model *model, struct device *device, struct slot *slot)
{
    if (!device->pending) {
        device->pending = true;
        device->pending_next = model->pending;
        model->pending = 1 + (uint32_t)(device - model->devices);
    }
    if (slot != NULL && !has(slot, LISTED)) {
        slot->flags |= LISTED;
        slot->next = device->tentative;
        device->tentative = (uint16_t)(1 + (slot - device->ring));
    }
}

/* Below the window: too old, whatever was accepted. The last number is never taken: no wrap. */
static bool is_old(const struct telemetry_model *model, const struct replay_window *window,
                   uint64_t counter)
{
    return counter == UINT64_MAX ||
           (counter <= window->top && window->top - counter >= model->config->cloud_window);
}

static bool judge_accept(const struct telemetry_model *model, const struct device *device,
                         const struct observation *observation, struct ruling *ruling)
{
    const struct replay_window *window = &device->said;
    struct difference difference = {NULL, 0, 0};
    if (!window->established) {
        difference = (struct difference){"a window for the device", 1, 0};
    } else if (observation->epoch != window->epoch) {
        difference = (struct difference){"epoch of the window", window->epoch, observation->epoch};
    } else if (is_old(model, window, observation->counter)) {
        difference =
            (struct difference){"accepted below the window", window->top, observation->counter};
    } else if (observation->counter <= window->floor) {
        difference =
            (struct difference){"accepted below the floor", window->floor, observation->counter};
    }
    if (difference.what != NULL || observation->counter <= window->top) {
        ruling_exercise(ruling, LAW_TELEMETRY_WINDOW);
    }
    if (difference.what != NULL) {
        ruling_break(ruling, LAW_TELEMETRY_WINDOW, observation->device, difference);
    }
    return difference.what == NULL;
}

static void accept(struct telemetry_model *model, struct device *device,
                   const struct observation *observation, struct ruling *ruling)
{
    const uint64_t body = fold(observation->body);
    struct slot *slot;
    const enum place place = find(device, observation, &slot);
    ruling_exercise(ruling, LAW_TELEMETRY_AUTHENTIC);
    if (place == NEVER) {
        ruling_break(ruling, LAW_TELEMETRY_AUTHENTIC, observation->device,
                     (struct difference){"accepted, and never signed", 1, 0});
        return;
    }
    if (place == HERE && slot->body != body && !has(slot, FORKED)) {
        ruling_break(ruling, LAW_TELEMETRY_AUTHENTIC, observation->device,
                     (struct difference){"bytes of an accepted reading", slot->body, body});
        return;
    }
    if (place == HERE && has(slot, ACCEPTED | TENTATIVE)) {
        ruling_exercise(ruling, LAW_TELEMETRY_ONCE);
        ruling_break(ruling, LAW_TELEMETRY_ONCE, observation->device,
                     (struct difference){"times accepted", 1, 2});
        return;
    }
    if (judge_accept(model, device, observation, ruling) &&
        observation->counter > device->said.top) {
        device->said.top = observation->counter;
    }
    if (place == HERE) {
        put_on_list(model, device, slot);
        slot->flags = (uint16_t)((slot->flags & ~MAYBE) | TENTATIVE);
    } else {
        /* Shed long ago, and kept by a gateway for as long: late, and right. */
        put_on_list(model, device, NULL);
        device->left_maybe++;
    }
}

/* The boundary from its other side: what is refused must have deserved it. */
static void reject(const struct telemetry_model *model, struct device *device,
                   const struct observation *observation, struct ruling *ruling)
{
    const struct replay_window *window = &device->said;
    const bool epoch_known = window->established && observation->epoch == window->epoch;
    struct slot *slot;
    const enum place place = find(device, observation, &slot);
    bool deserved = true;
    switch (observation->value) {
    case REFUSAL_OLD:
        deserved = epoch_known && is_old(model, window, observation->counter);
        break;
    case REFUSAL_DUPLICATE:
        deserved = epoch_known && !is_old(model, window, observation->counter) &&
                   (observation->counter <= window->floor || place == LEFT ||
                    (place == HERE && has(slot, ACCEPTED | TENTATIVE)));
        if (place == HERE && has(slot, ACCEPTED | TENTATIVE)) {
            ruling_exercise(ruling, LAW_TELEMETRY_ONCE);
        }
        break;
    case REFUSAL_EPOCH:
        deserved = window->established && observation->epoch < window->epoch;
        break;
    case REFUSAL_NO_WINDOW:
        deserved = !window->established || observation->epoch > window->epoch;
        break;
    default:
        return;
    }
    ruling_exercise(ruling, LAW_TELEMETRY_WINDOW);
    if (!deserved) {
        ruling_break(ruling, LAW_TELEMETRY_WINDOW, observation->device,
                     (struct difference){"refused inside the window (top, counter)", window->top,
                                         observation->counter});
    }
}

static void begin_window(struct telemetry_model *model, struct device *device,
                         const struct observation *observation, struct ruling *ruling)
{
    const struct replay_window *window = &device->said;
    ruling_exercise(ruling, LAW_TELEMETRY_WINDOW);
    if (window->established && observation->epoch < window->epoch) {
        ruling_break(
            ruling, LAW_TELEMETRY_WINDOW, observation->device,
            (struct difference){"epoch of a new window", window->epoch, observation->epoch});
    }
    if (window->established && observation->epoch == window->epoch &&
        observation->counter < window->top) {
        ruling_break(
            ruling, LAW_TELEMETRY_WINDOW, observation->device,
            (struct difference){"floor of a new window", window->top, observation->counter});
    }
    put_on_list(model, device, NULL);
    device->said = (struct replay_window){.established = true,
                                          .epoch = observation->epoch,
                                          .top = observation->counter,
                                          .floor = observation->counter};
}

void telemetry_settle(struct telemetry_model *model, enum outcome outcome)
{
    static const uint16_t becomes[] = {
        [COMMITTED] = ACCEPTED | FIRM, [ROLLED_BACK] = 0, [IN_DOUBT] = MAYBE};
    while (model->pending != 0) {
        struct device *device = &model->devices[model->pending - 1];
        while (device->tentative != 0) {
            struct slot *slot = &device->ring[device->tentative - 1];
            device->tentative = slot->next;
            const uint16_t known = has(slot, TENTATIVE) ? becomes[outcome] : 0;
            slot->flags = (uint16_t)((slot->flags & ~(TENTATIVE | LISTED)) | known);
        }
        if (outcome == COMMITTED) {
            device->firm = device->said;
            device->committed = device->said;
        } else if (outcome == ROLLED_BACK) {
            device->said = device->committed;
        }
        device->doubtful = outcome == IN_DOUBT;
        device->pending = false;
        model->pending = device->pending_next;
    }
}
