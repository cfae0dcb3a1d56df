#include "models/telemetry.h"

enum {
    /* Readings of a device that are remembered one by one; a power of two. Twice the 4096 that a
     * device may let lie between its newest and its oldest unacked counter, so that no reading
     * that still matters is ever overwritten by a device that keeps to its bound. */
    SPAN = 8192,
};

/* What is known of a reading. */
enum {
    SIGNED = 1 << 0,
    FORKED =
        1 << 1, /* signed again with other bytes: the nonce is broken, and no body is the one */
    STORED = 1 << 2,
    SHED = 1 << 3,
    RELEASED = 1 << 4,
    TENTATIVE = 1 << 5, /* accepted, not yet committed */
    MAYBE = 1 << 6,     /* tentative when the cloud fell: the image will tell */
    ACCEPTED = 1 << 7,  /* and committed */
    LISTED = 1 << 8,    /* its slot is on the list of tentative ones */
    ROW = 1 << 9,       /* in the image that is being listed */
};

struct slot {
    uint64_t body;
    uint64_t counter;
    uint32_t epoch;
    uint16_t flags; /* 0: never used */
    uint16_t next;  /* tentative ones of a device: 1 + slot; 0 ends the list */
};

/* The replay window as the model keeps it: its own rule, not the cloud's bits. */
struct replay_window {
    bool established;
    uint32_t epoch;
    uint64_t top;   /* highest counter accepted or closed */
    uint64_t floor; /* all up to here are closed by a challenge */
};

struct device {
    uint32_t epoch;   /* highest signed */
    uint64_t counter; /* highest signed in it */
    bool signed_once; /* the two above hold */
    bool restarted;   /* has signed nothing since its boot */
    uint32_t held;    /* stored, neither shed nor released, as far as was said: a lower bound */
    uint64_t oldest;  /* no counter below is held */
    uint32_t used;    /* slots that were ever used are below */
    bool healed;      /* the liveness phase has begun: counters up to heal_counter must arrive */
    uint32_t heal_epoch;
    uint64_t heal_counter;
    uint64_t left_accepted; /* accepted readings that left the ring, */
    uint64_t left_maybe;    /* and such that may be */

    struct replay_window durable; /* as of the last commit */
    struct replay_window said;    /* with all that was said since */
    bool pending;                 /* on the model's list: said may differ, or some are tentative */
    bool doubtful;                /* pending when the cloud fell */
    uint32_t pending_next;
    uint16_t tentative; /* 1 + slot; 0: none */

    bool row_window; /* of the image that is being listed */
    uint32_t row_epoch;
    uint64_t row_top;
    uint64_t rows_left; /* rows of readings that left the ring */

    struct slot ring[SPAN]; /* by counter modulo SPAN */
};

struct telemetry_model {
    const struct judge_config *config;
    struct device *devices;
    uint32_t device_count;
    uint32_t *places; /* [node_count]: 1 + index of the device; 0 = not one */
    uint32_t pending; /* devices since the last commit: 1 + index; 0 ends the list */
};

/* Where a reading is. */
enum place {
    NEVER, /* never signed */
    LEFT,  /* the ring has gone on: signed perhaps, and resolved if so */
    HERE,
};

static void device_observe(struct telemetry_model *model, struct device *device,
                           const struct observation *observation, struct ruling *ruling);
static void cloud_observe(struct telemetry_model *model, const struct observation *observation,
                          struct ruling *ruling);
static void sign(struct device *device, const struct observation *observation,
                 struct ruling *ruling);
static void store(const struct telemetry_model *model, struct device *device,
                  const struct observation *observation, struct ruling *ruling);
static void forget(struct device *device, const struct observation *observation,
                   struct ruling *ruling);
static void accept(struct telemetry_model *model, struct device *device,
                   const struct observation *observation, struct ruling *ruling);
static void reject(const struct telemetry_model *model, struct device *device,
                   const struct observation *observation, struct ruling *ruling);
static void begin_window(struct telemetry_model *model, struct device *device,
                         const struct observation *observation, struct ruling *ruling);
static void settle(struct telemetry_model *model, uint16_t outcome);
static void list_row(struct device *device, const struct observation *observation,
                     struct ruling *ruling);
static void judge_image(struct telemetry_model *model, struct ruling *ruling);
static void judge_liveness(struct telemetry_model *model, struct ruling *ruling);

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
        for (uint32_t i = 0; i < model->device_count; i++) {
            struct device *device = &model->devices[i];
            device->healed = device->signed_once;
            device->heal_epoch = device->epoch;
            device->heal_counter = device->counter;
        }
    } else if (observation->kind == TRUTH_END) {
        judge_liveness(model, ruling);
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
        settle(model, ACCEPTED);
        return;
    case EVIDENCE_REFUSE:
        /* The disk is full: back to the last commit, without a restart. */
        if (observation->value == REFUSAL_DISK) {
            settle(model, 0);
        }
        return;
    case TRUTH_DOWN:
        settle(model, MAYBE);
        return;
    case TRUTH_IMAGE_END:
        judge_image(model, ruling);
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
        list_row(device, observation, ruling);
        break;
    case TRUTH_WINDOW:
        if (!device->row_window || observation->epoch >= device->row_epoch) {
            device->row_window = true;
            device->row_epoch = observation->epoch;
            device->row_top = observation->counter;
        }
        break;
    default:
        break;
    }
}

/* ---- Slots ---------------------------------------------------------------------------------- */

/* 64 bits of the body's hash: nobody here looks for collisions. */
static uint64_t fold(const uint64_t body[2])
{
    return body[0] + body[1] * UINT64_C(0x9E3779B97F4A7C15);
}

static struct slot *slot_of(struct device *device, uint64_t counter)
{
    return &device->ring[counter % SPAN];
}

static enum place find(struct device *device, const struct observation *observation,
                       struct slot **out)
{
    struct slot *slot = slot_of(device, observation->counter);
    *out = slot;
    if (slot->flags == 0) {
        return NEVER;
    }
    if (slot->epoch == observation->epoch && slot->counter == observation->counter) {
        return HERE;
    }
    return slot->epoch > observation->epoch ||
                   (slot->epoch == observation->epoch && slot->counter > observation->counter)
               ? LEFT
               : NEVER;
}

static bool has(const struct slot *slot, uint32_t flags)
{
    return (slot->flags & flags) != 0;
}

static bool is_held(const struct device *device, const struct slot *slot)
{
    return has(slot, STORED) && !has(slot, SHED | RELEASED) && slot->epoch == device->epoch;
}

/* Add flags about what the device keeps. */
static void mark(struct device *device, struct slot *slot, uint32_t flags)
{
    device->held -= is_held(device, slot);
    slot->flags = (uint16_t)(slot->flags | flags);
    device->held += is_held(device, slot);
}

/* ---- Devices -------------------------------------------------------------------------------- */

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
        if (find(device, observation, &slot) == HERE && slot->body != body) {
            slot->flags |= FORKED;
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
        device->held--;
    }
    device->left_accepted += has(slot, ACCEPTED);
    device->left_maybe += has(slot, TENTATIVE | MAYBE);
    /* The list of tentative ones is one of slots: it outlives what they hold. */
    slot->flags = (uint16_t)(SIGNED | (slot->flags & LISTED));
    slot->body = body;
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

/* The transaction is over. What was tentative is now ACCEPTED, MAYBE, or nothing (0). */
static void settle(struct telemetry_model *model, uint16_t outcome)
{
    while (model->pending != 0) {
        struct device *device = &model->devices[model->pending - 1];
        while (device->tentative != 0) {
            struct slot *slot = &device->ring[device->tentative - 1];
            device->tentative = slot->next;
            const uint16_t known = has(slot, TENTATIVE) ? outcome : 0;
            slot->flags = (uint16_t)((slot->flags & ~(TENTATIVE | LISTED)) | known);
        }
        if (outcome == ACCEPTED) {
            device->durable = device->said;
        } else if (outcome == 0) {
            device->said = device->durable;
        } else {
            device->doubtful = true;
        }
        device->pending = false;
        model->pending = device->pending_next;
    }
}

/* ---- Images --------------------------------------------------------------------------------- */

static void list_row(struct device *device, const struct observation *observation,
                     struct ruling *ruling)
{
    const uint64_t body = fold(observation->body);
    struct slot *slot;
    switch (find(device, observation, &slot)) {
    case NEVER:
        ruling_break(ruling, LAW_TELEMETRY_AUTHENTIC, observation->device,
                     (struct difference){"a durable reading, and never signed", 1, 0});
        break;
    case LEFT:
        device->rows_left++;
        break;
    case HERE:
        if (slot->body != body && !has(slot, FORKED)) {
            ruling_break(ruling, LAW_TELEMETRY_AUTHENTIC, observation->device,
                         (struct difference){"bytes of a durable reading", slot->body, body});
        }
        if (has(slot, ROW)) {
            ruling_break(ruling, LAW_TELEMETRY_ONCE, observation->device,
                         (struct difference){"durable rows of a reading", 1, 2});
        }
        if (!has(slot, ACCEPTED | MAYBE | TENTATIVE)) {
            ruling_break(ruling, LAW_TELEMETRY_DURABLE, observation->device,
                         (struct difference){"durable, and never accepted", 0, 1});
        }
        slot->flags |= ROW;
        break;
    }
}

/* Order of windows in the life of a device; none comes first. */
static int compare(const struct replay_window *left, const struct replay_window *right)
{
    if (left->established != right->established) {
        return left->established ? 1 : -1;
    }
    if (left->epoch != right->epoch) {
        return left->epoch > right->epoch ? 1 : -1;
    }
    return left->top > right->top ? 1 : left->top < right->top ? -1 : 0;
}

static void judge_image_window(struct device *device, uint32_t number, struct ruling *ruling)
{
    struct replay_window row = {.established = device->row_window};
    if (device->row_window) {
        row.epoch = device->row_epoch;
        row.top = device->row_top;
    }
    /* One transaction is whole or not there: the image has the last commit, or what came after. */
    if (compare(&row, &device->durable) < 0 ||
        compare(&row, device->doubtful ? &device->said : &device->durable) > 0) {
        ruling_break(
            ruling, LAW_TELEMETRY_DURABLE, number,
            (struct difference){"top of the durable window", device->durable.top, row.top});
    }
    if (compare(&row, &device->durable) == 0) {
        row.floor = device->durable.floor;
    } else if (row.established && device->said.established && row.epoch == device->said.epoch) {
        row.floor = device->said.floor;
    }
    device->durable = row;
    device->said = row;
    device->row_window = false;
    device->doubtful = false;
}

/* The image is what the cloud goes on with: all that the model says of it is taken from there. */
static void judge_image_device(struct device *device, uint32_t number, struct ruling *ruling)
{
    for (uint32_t i = 0; i < device->used; i++) {
        struct slot *slot = &device->ring[i];
        const bool row = has(slot, ROW);
        const bool due = has(slot, ACCEPTED) || (has(slot, RELEASED) && !has(slot, SHED));
        if (due) {
            ruling_exercise(ruling, LAW_TELEMETRY_DURABLE);
        }
        if (due && !row) {
            ruling_break(ruling, LAW_TELEMETRY_DURABLE, number,
                         (struct difference){has(slot, RELEASED)
                                                 ? "an acked reading is gone (counter, rows)"
                                                 : "a committed reading is gone (counter, rows)",
                                             slot->counter, 0});
        }
        slot->flags = (uint16_t)((slot->flags & ~(ROW | ACCEPTED | MAYBE | TENTATIVE)) |
                                 (row ? ACCEPTED : 0));
    }
    if (device->rows_left < device->left_accepted ||
        device->rows_left > device->left_accepted + device->left_maybe) {
        ruling_break(ruling, LAW_TELEMETRY_DURABLE, number,
                     (struct difference){"durable readings of long ago", device->left_accepted,
                                         device->rows_left});
    }
    device->left_accepted = device->rows_left;
    device->left_maybe = 0;
    device->rows_left = 0;
}

static void judge_image(struct telemetry_model *model, struct ruling *ruling)
{
    settle(model, MAYBE);
    for (uint32_t i = 0; i < model->config->node_count; i++) {
        if (model->places[i] != 0) {
            struct device *device = &model->devices[model->places[i] - 1];
            judge_image_device(device, i, ruling);
            judge_image_window(device, i, ruling);
        }
    }
}

/* ---- The end -------------------------------------------------------------------------------- */

static void judge_liveness(struct telemetry_model *model, struct ruling *ruling)
{
    for (uint32_t i = 0; i < model->config->node_count; i++) {
        const struct device *device =
            model->places[i] != 0 ? &model->devices[model->places[i] - 1] : NULL;
        if (device == NULL || !device->healed || device->epoch != device->heal_epoch) {
            continue;
        }
        for (uint32_t at = 0; at < device->used; at++) {
            const struct slot *slot = &device->ring[at];
            if (slot->epoch != device->heal_epoch || slot->counter > device->heal_counter ||
                !has(slot, STORED) || has(slot, SHED)) {
                continue;
            }
            ruling_exercise(ruling, LAW_LIVENESS_DELIVERED);
            ruling_exercise(ruling, LAW_LIVENESS_ACKED);
            /* Acked and not there is telemetry.durable's to say. */
            if (!has(slot, ACCEPTED | TENTATIVE | RELEASED)) {
                ruling_break(ruling, LAW_LIVENESS_DELIVERED, i,
                             (struct difference){"not accepted since heal (counter, times)",
                                                 slot->counter, 0});
            } else if (!has(slot, RELEASED)) {
                ruling_break(
                    ruling, LAW_LIVENESS_ACKED, i,
                    (struct difference){"not acked since heal (counter, times)", slot->counter, 0});
            }
        }
    }
}
