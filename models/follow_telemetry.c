#include "models/follow_telemetry_inside.h"

enum {
    /* Newest minus oldest unacked counter at which core sheds the oldest, which the spec leaves out
     * (COUNTER_SPAN_MAX): hardly a device comes there, and it is followed no further. */
    SPAN_MAX = 4096,
    /* Reserves that boots may leave unsaid, one after the other. */
    UNSAID_MAX = 64,
};

static void hear_device(struct follow_telemetry *follow, struct follow_device *device,
                        const struct observation *observation);

size_t follow_telemetry_size_bytes(const struct judge_config *config)
{
    size_t devices = 0;
    for (uint32_t i = 0; i < config->node_count; i++) {
        devices += config->roles[i] == MODEL_DEVICE && config->reserve != 0;
    }
    return sizeof(struct follow_telemetry) + devices * sizeof(struct follow_device) +
           config->node_count * sizeof(uint32_t);
}

void follow_telemetry_init(struct follow_telemetry *follow, const struct judge_config *config,
                           follow_listener *listener, void *ctx)
{
    follow->config = config;
    follow->listener = listener;
    follow->ctx = ctx;
    follow->devices = (struct follow_device *)(follow + 1);
    for (uint32_t i = 0; i < config->node_count; i++) {
        if (config->roles[i] == MODEL_DEVICE && config->reserve != 0) {
            struct follow_device *device = &follow->devices[follow->device_count++];
            device->number = i;
            device->epoch = device->reserved = device->next = 1;
        }
    }
    follow->places = (uint32_t *)(follow->devices + follow->device_count);
    for (uint32_t i = 0; i < follow->device_count; i++) {
        follow->places[follow->devices[i].number] = 1 + i;
    }
}

void follow_telemetry_constants(const struct judge_config *config, int32_t *k)
{
    const int32_t unlimited = INT32_MAX;
    const struct {
        int32_t Devices, Epochs, Counters, WindowBits, ReserveBy, OutboxMax, DeviceLosses,
            CloudLosses, ResumeFromUsed, KeepEpoch, SendBeyondWindow, AckBeforeCommit;
    } constants = {.Devices = 1,
                   .Epochs = FOLLOW_EPOCHS_MAX,
                   .Counters = FOLLOW_COUNTER_MAX,
                   .WindowBits = (int32_t)config->cloud_window,
                   .ReserveBy = (int32_t)config->reserve,
                   .OutboxMax = (int32_t)config->outbox_max,
                   .DeviceLosses = unlimited,
                   .CloudLosses = unlimited};
    const int32_t *word = &constants.Devices;
    for (uint32_t i = 0; i < SPEC_CONSTANTS_MAX; i++) {
        k[i] = i < sizeof constants / sizeof *word ? word[i] : 0;
    }
}

void follow_telemetry_observe(struct follow_telemetry *follow,
                              const struct observation *observation)
{
    follow->observation = observation;
    if (observation->node >= follow->config->node_count) {
        return;
    }
    if (follow->config->roles[observation->node] == MODEL_CLOUD) {
        follow_cloud(follow, observation);
        return;
    }
    struct follow_device *device = follow_device_of(follow, observation->node);
    if (device != NULL) {
        hear_device(follow, device, observation);
    }
}

void follow_telemetry_leave(struct follow_telemetry *follow, uint32_t node)
{
    for (uint32_t i = 0; i < follow->device_count; i++) {
        if (node == 0 || follow->devices[i].number == node) {
            follow_leave(follow, &follow->devices[i]);
        }
    }
}

uint32_t follow_telemetry_left(const struct follow_telemetry *follow)
{
    return follow->left;
}

void follow_leave(struct follow_telemetry *follow, struct follow_device *device)
{
    follow->left += device->left ? 0 : 1;
    device->left = true;
}

struct follow_device *follow_device_of(struct follow_telemetry *follow, uint32_t node)
{
    const uint32_t place = node < follow->config->node_count ? follow->places[node] : 0;
    struct follow_device *device = place != 0 ? &follow->devices[place - 1] : NULL;
    return device == NULL || device->left ? NULL : device;
}

void follow_tell(struct follow_telemetry *follow, struct follow_device *device,
                 struct follow_step *step)
{
    step->observation = follow->observation;
    if (!device->left && !follow->listener(follow->ctx, step)) {
        follow_leave(follow, device);
    }
}

void follow_tell_move(struct follow_telemetry *follow, struct follow_device *device,
                      enum law_action action, int32_t second, int32_t third)
{
    struct follow_step step = follow_step_of(device, action, second, third);
    follow_tell(follow, device, &step);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* All below `next` are drawn, as far as the reserve goes: those that nothing was said of are no
 * readings. */
static void draw_to(struct follow_telemetry *follow, struct follow_device *device, int32_t next)
{
    while (device->next < next && device->next < device->reserved && !device->left) {
        follow_tell_move(follow, device, ACT_skip, 0, 0);
        device->next++;
    }
}

/* Records up to the floor do not come back. */
static void drop_below_floor(struct follow_device *device)
{
    int32_t floor = device->next;
    for (uint32_t i = 0; i < device->slots_used; i++) {
        const struct follow_slot *slot = &device->slots[i];
        floor = slot->held && slot->counter < floor ? slot->counter : floor;
    }
    for (uint32_t i = 0; i < device->slots_used; i++) {
        if (device->slots[i].counter < floor) {
            device->slots[i].counter = 0;
        }
    }
}

static void reserve(struct follow_telemetry *follow, struct follow_device *device, int32_t reserved)
{
    struct follow_step step = follow_step_of(device, ACT_reserve, 0, 0);
    follow_see(&step, VAR_reserved, FOLLOW_IS, reserved, 0);
    follow_tell(follow, device, &step);
    drop_below_floor(device);
    device->reserved = reserved;
}

/* ---- Readings -------------------------------------------------------------------------------- */

static struct follow_slot *slot_of(struct follow_device *device, int32_t counter)
{
    for (uint32_t i = 0; i < device->slots_used; i++) {
        if (device->slots[i].counter == counter) {
            return &device->slots[i];
        }
    }
    return NULL;
}

static void sign(struct follow_telemetry *follow, struct follow_device *device,
                 const struct observation *observation)
{
    const int32_t counter = (int32_t)observation->counter;
    draw_to(follow, device, counter);
    struct follow_step step = follow_step_of(device, ACT_sign, 0, 0);
    follow_see(&step, VAR_fresh, FOLLOW_IS, counter, 0);
    follow_see(&step, VAR_epoch, FOLLOW_IS, (int32_t)observation->epoch, 0);
    follow_tell(follow, device, &step);
    device->fresh = counter;
    device->next = counter + 1;
}

static void store_in(struct follow_telemetry *follow, struct follow_device *device, uint32_t number,
                     int32_t counter)
{
    struct follow_slot *slot = &device->slots[number];
    struct follow_step step = follow_step_of(device, ACT_store, slot->counter, 0);
    follow_see(&step, VAR_held, FOLLOW_HAS, counter, 0);
    follow_tell(follow, device, &step);
    *slot = (struct follow_slot){.counter = counter, .held = true};
    device->held++;
    device->fresh = 0;
    device->slots_used = number < device->slots_used ? device->slots_used : number + 1;
}

/* The lowest free slot is taken (core/outbox.h); at each boot the listing shows the slots. */
static void store(struct follow_telemetry *follow, struct follow_device *device, int32_t counter)
{
    uint32_t number = device->lowest_free;
    while (number < FOLLOW_SLOTS_MAX && device->slots[number].held) {
        number++;
    }
    device->lowest_free = number;
    if (number == FOLLOW_SLOTS_MAX) {
        follow_leave(follow, device);
        return;
    }
    store_in(follow, device, number, counter);
}

static void lose(struct follow_telemetry *follow, struct follow_device *device, int32_t counter)
{
    if (counter != 0 && counter == device->fresh) {
        follow_tell_move(follow, device, ACT_lose, 0, 0);
        device->fresh = 0;
    } else if (counter != 0) {
        draw_to(follow, device, counter + 1);
    }
}

static void forget(struct follow_telemetry *follow, struct follow_device *device, bool shed,
                   int32_t counter)
{
    struct follow_slot *slot = slot_of(device, counter);
    if (shed) {
        if (device->next - counter > SPAN_MAX) {
            follow_leave(follow, device);
            return;
        }
        /* With room for another reading it is a reserve that needs the room in flash. */
        if (device->fresh == 0 && device->held < follow->config->outbox_max) {
            draw_to(follow, device, device->reserved);
        }
        struct follow_step step = follow_step_of(device, ACT_shed, 0, 0);
        follow_see(&step, VAR_shed, FOLLOW_HAS, counter, 0);
        follow_tell(follow, device, &step);
    } else {
        follow_tell_move(follow, device, ACT_release, counter, 0);
    }
    if (slot != NULL && slot->held) {
        const uint32_t number = (uint32_t)(slot - device->slots);
        slot->held = false;
        device->held--;
        device->lowest_free = number < device->lowest_free ? number : device->lowest_free;
    }
}

static void respond(struct follow_telemetry *follow, struct follow_device *device, int32_t floor)
{
    if (!device->asked) {
        return;
    }
    if (device->held == 0) {
        draw_to(follow, device, floor + 1);
    }
    struct follow_step step = follow_step_of(device, ACT_respond, 0, 0);
    follow_see(&step, VAR_answers, FOLLOW_HAS, floor, device->epoch);
    follow_tell(follow, device, &step);
}

/* ---- Boots ----------------------------------------------------------------------------------- */

/* What the cut left unsaid, as far as flash shows it: a reading that came back was stored, if it
 * was signed; a forgotten one that did not was left behind when its record should have moved. */
static void settle_records(struct follow_telemetry *follow, struct follow_device *device)
{
    for (uint32_t i = 0; i < device->slots_used; i++) {
        struct follow_slot *slot = &device->slots[i];
        const bool overwritten = device->strange != 0 && (int32_t)i == device->strange_slot;
        if (slot->counter != 0 && !slot->returned && !overwritten) {
            follow_tell_move(follow, device, ACT_compact, slot->counter, 0);
            slot->counter = 0;
        }
    }
    if (device->strange != 0) {
        store_in(follow, device, (uint32_t)device->strange_slot, device->strange);
        device->slots[device->strange_slot].returned = true;
    }
}

static void lose_power(struct follow_telemetry *follow, struct follow_device *device, bool last)
{
    struct follow_step step = follow_step_of(device, ACT_power_loss, 0, 0);
    follow_see(&step, VAR_held, FOLLOW_COUNT, (int32_t)device->listed, 0);
    if (last) {
        follow_see(&step, VAR_next, FOLLOW_IS, device->listed_next, 0);
        follow_see(&step, VAR_epoch, FOLLOW_IS, device->listed_epoch, 0);
    }
    follow_tell(follow, device, &step);
    device->held = 0;
    for (uint32_t i = 0; i < device->slots_used; i++) {
        device->slots[i].held = device->slots[i].counter != 0;
        device->held += device->slots[i].held ? 1 : 0;
    }
    device->fresh = 0;
    device->lowest_free = 0;
    device->next = device->reserved;
}

static void found(struct follow_telemetry *follow, struct follow_device *device)
{
    if (device->epoch == FOLLOW_EPOCHS_MAX) {
        follow_leave(follow, device);
        return;
    }
    follow_tell_move(follow, device, ACT_found, 0, 0);
    device->epoch++;
    device->reserved = device->next = 1;
    device->fresh = 0;
    device->held = device->slots_used = device->lowest_free = 0;
}

static void settle_boot(struct follow_telemetry *follow, struct follow_device *device)
{
    const bool first = !device->mounted;
    bool founded = false;
    device->mounted = true;
    while (device->epoch < device->listed_epoch && !device->left) {
        found(follow, device);
        founded = true;
    }
    /* As the spec begins, and as an epoch begins: nothing of it was lost. */
    if ((first || founded) && device->listed_next == 1 && device->listed == 0) {
        return;
    }
    settle_records(follow, device);
    uint32_t unsaid = 0;
    while (device->reserved < device->listed_next && unsaid++ < UNSAID_MAX && !device->left) {
        lose_power(follow, device, false);
        reserve(follow, device, device->reserved + (int32_t)follow->config->reserve);
    }
    lose_power(follow, device, true);
}

static void list(struct follow_device *device, const struct observation *observation)
{
    const int32_t counter = (int32_t)observation->counter;
    struct follow_slot *slot = &device->slots[observation->value];
    device->awaited--;
    if (observation->value < device->slots_used && slot->counter == counter) {
        slot->returned = true;
        return;
    }
    device->strange = counter;
    device->strange_slot = (int32_t)observation->value;
}

static void begin_listing(struct follow_device *device, const struct observation *observation)
{
    device->awaited = device->listed = (uint32_t)observation->value;
    device->listed_epoch = (int32_t)observation->epoch;
    device->listed_next = (int32_t)observation->counter;
    device->strange = 0;
    for (uint32_t i = 0; i < device->slots_used; i++) {
        device->slots[i].returned = false;
    }
}

static void hear_boot(struct follow_telemetry *follow, struct follow_device *device,
                      const struct observation *observation)
{
    if (observation->kind == TRUTH_OUTBOX) {
        if (observation->epoch == 0) {
            return; /* no store: it says nothing that matters here, until a boot finds one */
        }
        begin_listing(device, observation);
    } else if (device->awaited > 0 && observation->value < FOLLOW_SLOTS_MAX) {
        list(device, observation);
    } else {
        follow_leave(follow, device);
        return;
    }
    if (device->awaited == 0) {
        settle_boot(follow, device);
    }
}

/* ---- What a device says ---------------------------------------------------------------------- */

static void hear_device(struct follow_telemetry *follow, struct follow_device *device,
                        const struct observation *observation)
{
    const int32_t counter = (int32_t)observation->counter;
    if (observation->kind < EVIDENCE_COUNT && observation->counter > FOLLOW_COUNTER_MAX &&
        observation->kind <= EVIDENCE_RELEASE) {
        follow_leave(follow, device);
        return;
    }
    switch (observation->kind) {
    case EVIDENCE_RESERVE:
        draw_to(follow, device, device->reserved);
        reserve(follow, device, counter);
        break;
    case EVIDENCE_SIGN:
        sign(follow, device, observation);
        break;
    case EVIDENCE_STORE:
        store(follow, device, counter);
        break;
    case EVIDENCE_LOSE:
        lose(follow, device, counter);
        break;
    case EVIDENCE_SEND:
        follow_tell_move(follow, device, ACT_send, counter, 0);
        break;
    case EVIDENCE_SHED:
    case EVIDENCE_RELEASE:
        forget(follow, device, observation->kind == EVIDENCE_SHED, counter);
        break;
    case TRUTH_OUTBOX:
    case TRUTH_KEPT:
        hear_boot(follow, device, observation);
        break;
    case TRUTH_RESPOND:
        respond(follow, device, counter);
        break;
    default:
        break;
    }
}
