#include "models/follow_session_inside.h"

#include "models/single_session.h"

enum {
    /* Readings that no device holds, and some queue does, or that a boot may bring back. */
    SPARE = 64,
};

static void hear_device(struct follow_session *follow, struct session_device *device);

/* ---- Memory ---------------------------------------------------------------------------------- */

static uint32_t count_of(const struct judge_config *config, enum model_role role)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < config->node_count; i++) {
        count += config->roles[i] == role && config->reserve != 0;
    }
    return count;
}

static uint32_t capacity_of(const struct judge_config *config)
{
    return config->outbox_max + SPARE;
}

/* Half full at the most: chains stay short. */
static uint32_t index_size_of(const struct judge_config *config)
{
    uint32_t size = 1;
    while (size < 2 * capacity_of(config)) {
        size *= 2;
    }
    return size;
}

size_t follow_session_size_bytes(const struct judge_config *config)
{
    const size_t devices = count_of(config, MODEL_DEVICE);
    return sizeof(struct follow_session) + devices * sizeof(struct session_device) +
           devices * capacity_of(config) * sizeof(struct session_reading) +
           count_of(config, MODEL_GATEWAY) * sizeof(struct session_gateway) +
           config->node_count * sizeof(uint32_t) +
           devices * index_size_of(config) * sizeof(uint16_t);
}

void follow_session_init(struct follow_session *follow, const struct judge_config *config,
                         follow_session_listener *listener, void *ctx)
{
    follow->config = config;
    follow->listener = listener;
    follow->ctx = ctx;
    follow->capacity = capacity_of(config);
    follow->index_size = index_size_of(config);
    follow_session_constants(config, follow->k);
    const size_t devices = count_of(config, MODEL_DEVICE);
    follow->readings = (struct session_reading *)(follow + 1);
    follow->devices = (struct session_device *)(follow->readings + devices * follow->capacity);
    follow->gateways = (struct session_gateway *)(follow->devices + devices);
    follow->places = (uint32_t *)(follow->gateways + count_of(config, MODEL_GATEWAY));
    follow->index = (uint16_t *)(follow->places + config->node_count);
    for (uint32_t i = 1; i < config->node_count && config->reserve != 0; i++) {
        if (config->roles[i] == MODEL_DEVICE) {
            follow->devices[follow->device_count].number = i;
            follow->places[i] = ++follow->device_count;
        } else if (config->roles[i] == MODEL_GATEWAY) {
            follow->gateways[follow->gateway_count].number = i;
            follow->places[i] = ++follow->gateway_count;
        }
        follow->rogues = follow->rogues || config->roles[i] == MODEL_OTHER;
    }
}

void follow_session_constants(const struct judge_config *config, int32_t *k)
{
    const struct constants constants = {.Devices = 1,
                                        .Readings = 1,
                                        .Windows = 0,
                                        .QueueMax = (int32_t)config->queue_max,
                                        .MaxBreaks = INT32_MAX,
                                        .MaxRestarts = INT32_MAX};
    const int32_t *word = (const int32_t *)(const void *)&constants;
    for (uint32_t i = 0; i < SPEC_CONSTANTS_MAX; i++) {
        k[i] = i < sizeof constants / sizeof *word ? word[i] : 0;
    }
}

struct session_device *follow_session_device_of(struct follow_session *follow, uint32_t node)
{
    if (node >= follow->config->node_count || follow->config->roles[node] != MODEL_DEVICE ||
        follow->places[node] == 0) {
        return NULL;
    }
    struct session_device *device = &follow->devices[follow->places[node] - 1];
    return device->left ? NULL : device;
}

struct session_gateway *follow_session_gateway_of(struct follow_session *follow, uint32_t node)
{
    const bool known = node < follow->config->node_count &&
                       follow->config->roles[node] == MODEL_GATEWAY && follow->places[node] != 0;
    return known ? &follow->gateways[follow->places[node] - 1] : NULL;
}

void follow_session_observe(struct follow_session *follow, const struct observation *observation)
{
    const uint32_t node = observation->node;
    if (node >= follow->config->node_count || follow->left == follow->device_count) {
        return;
    }
    follow->observation = observation;
    struct session_gateway *gateway;
    struct session_device *device;
    switch (follow->config->roles[node]) {
    case MODEL_CLOUD:
        follow_session_hear_cloud(follow);
        break;
    case MODEL_GATEWAY:
        gateway = follow_session_gateway_of(follow, node);
        if (gateway != NULL) {
            follow_session_hear_gateway(follow, gateway);
        }
        break;
    case MODEL_DEVICE:
        device = follow_session_device_of(follow, node);
        if (device != NULL) {
            hear_device(follow, device);
        }
        break;
    case MODEL_OTHER:
        break;
    }
}

void follow_session_leave(struct follow_session *follow, uint32_t node)
{
    struct session_gateway *gateway = follow_session_gateway_of(follow, node);
    if (gateway != NULL) {
        gateway->is_void = true;
    }
    for (uint32_t i = 0; i < follow->device_count; i++) {
        if (node == 0 || follow->devices[i].number == node) {
            follow_session_leave_device(follow, &follow->devices[i]);
        }
    }
}

uint32_t follow_session_left(const struct follow_session *follow)
{
    return follow->left;
}

uint64_t follow_session_left_readings(const struct follow_session *follow)
{
    return follow->left_readings;
}

void follow_session_leave_device(struct follow_session *follow, struct session_device *device)
{
    follow->left += device->left ? 0 : 1;
    device->left = true;
}

/* ---- The table: open addressing by counter ----------------------------------------------------
 */

static uint16_t *index_of(struct follow_session *follow, const struct session_device *device)
{
    return follow->index + (size_t)(device - follow->devices) * follow->index_size;
}

static struct session_reading *readings_of(struct follow_session *follow,
                                           const struct session_device *device)
{
    return follow->readings + (size_t)(device - follow->devices) * follow->capacity;
}

static uint32_t home_of(const struct follow_session *follow, uint64_t counter)
{
    return (uint32_t)(counter * UINT64_C(0x9E3779B97F4A7C15) >> 40) & (follow->index_size - 1);
}

/* Where it is in the index, or the free place that ends its chain. */
static uint32_t probe(struct follow_session *follow, const struct session_device *device,
                      uint64_t counter)
{
    const uint16_t *index = index_of(follow, device);
    const struct session_reading *readings = readings_of(follow, device);
    uint32_t at = home_of(follow, counter);
    while (index[at] != 0 && readings[index[at] - 1].counter != counter) {
        at = (at + 1) & (follow->index_size - 1);
    }
    return at;
}

static struct session_reading *find(struct follow_session *follow,
                                    const struct session_device *device, uint64_t counter)
{
    const uint16_t place = index_of(follow, device)[probe(follow, device, counter)];
    return place == 0 ? NULL : &readings_of(follow, device)[place - 1];
}

struct session_reading *follow_session_find(struct follow_session *follow,
                                            struct session_device *device)
{
    const struct observation *observation = follow->observation;
    return observation->epoch == device->epoch ? find(follow, device, observation->counter) : NULL;
}

struct session_reading *follow_session_next(struct follow_session *follow,
                                            const struct session_device *device,
                                            struct session_reading *reading)
{
    struct session_reading *all = readings_of(follow, device);
    uint32_t at = reading == NULL ? 0 : (uint32_t)(reading - all) + 1;
    while (!device->left && device->count > 0 && at < device->fresh_index) {
        if (all[at].in_use && !all[at].gone) {
            return &all[at];
        }
        at++;
    }
    return NULL;
}

struct session_device *follow_session_owner(struct follow_session *follow,
                                            const struct session_reading *reading)
{
    return &follow->devices[(size_t)(reading - follow->readings) / follow->capacity];
}

/* Close the hole by moving back what came after it and is away from home. */
static void take_out(struct follow_session *follow, const struct session_device *device,
                     uint64_t counter)
{
    uint16_t *index = index_of(follow, device);
    const struct session_reading *readings = readings_of(follow, device);
    const uint32_t mask = follow->index_size - 1;
    uint32_t hole = probe(follow, device, counter);
    for (uint32_t at = (hole + 1) & mask; index[at] != 0; at = (at + 1) & mask) {
        const uint32_t home = home_of(follow, readings[index[at] - 1].counter);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            index[hole] = index[at];
            hole = at;
        }
    }
    index[hole] = 0;
}

static void give_back(struct follow_session *follow, struct session_device *device,
                      struct session_reading *reading)
{
    const uint32_t place = (uint32_t)(reading - readings_of(follow, device));
    *reading = (struct session_reading){.pending_next = device->free, .gone = true};
    device->free = place + 1;
    device->count--;
}

/* Its room is given back, at once or when the transaction is over. */
static void drop(struct follow_session *follow, struct session_device *device,
                 struct session_reading *reading)
{
    take_out(follow, device, reading->counter);
    reading->gone = true;
    if (reading->lists == 0) {
        give_back(follow, device, reading);
    }
}

void(follow_session_abandon)(struct follow_session *follow, struct session_device *device,
                             struct session_reading *reading)
{
    if (!device->left && !reading->gone) {
        follow->left_readings++;
        drop(follow, device, reading);
    }
}

void follow_session_unlist(struct follow_session *follow, struct session_device *device,
                           struct session_reading *reading)
{
    reading->lists--;
    if (reading->gone && reading->lists == 0) {
        give_back(follow, device, reading);
    }
}

static bool is_finished(const struct session_reading *reading)
{
    return !session_has(reading->spec.now.held) && reading->lists == 0 &&
           reading->spec.now.rows[1] == 0;
}

void follow_session_settle(struct follow_session *follow, struct session_device *device,
                           struct session_reading *reading)
{
    for (uint32_t i = 0; i < FOLLOW_SESSION_PLACES; i++) {
        struct session_place *place = &reading->places[i];
        if (place->rows == 0 && place->early == 0 && !place->deleting) {
            place->gateway = 0;
        }
    }
    if (device->left || reading->gone || !is_finished(reading)) {
        return;
    }
    const uint32_t at = device->finished_at++ % SESSION_FINISHED;
    struct session_reading *oldest = find(follow, device, device->finished[at]);
    device->finished[at] = reading->counter;
    if (oldest != NULL && oldest != reading && is_finished(oldest)) {
        drop(follow, device, oldest);
    }
}

/* NULL: there is no room. */
static struct session_reading *make(struct follow_session *follow, struct session_device *device,
                                    uint64_t counter)
{
    struct session_reading *all = readings_of(follow, device), *reading = NULL;
    const uint32_t at = probe(follow, device, counter);
    if (index_of(follow, device)[at] != 0 || counter == 0) {
        return NULL; /* a number that is used again: telemetry.nonce */
    }
    if (device->free != 0) {
        reading = &all[device->free - 1];
        device->free = reading->pending_next;
    } else if (device->fresh_index < follow->capacity) {
        reading = &all[device->fresh_index++];
    } else {
        return NULL;
    }
    *reading = (struct session_reading){.counter = counter,
                                        .part = ++follow->parts,
                                        .in_use = true,
                                        .cloud_life = follow->cloud_life};
    single_session_init(&reading->spec, follow->k);
    index_of(follow, device)[at] = (uint16_t)(reading - all + 1);
    device->count++;
    return reading;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static void tell(struct follow_session *follow, struct session_device *device,
                 struct session_reading *reading, struct follow_step *step)
{
    step->actor = device->number;
    step->part = reading->part;
    step->observation = follow->observation;
    if (!device->left && !reading->gone && !follow->listener(follow->ctx, &reading->spec, step)) {
        follow_session_leave_device(follow, device);
    }
}

void follow_session_tell(struct follow_session *follow, struct session_device *device,
                         struct session_reading *reading, enum law_action action)
{
    struct follow_step step;
    step.move = (struct spec_move){(uint32_t)action, {1, 0, 0}};
    step.sight_count = 0;
    tell(follow, device, reading, &step);
}

void follow_session_look(struct follow_session *follow, struct session_device *device,
                         struct session_reading *reading, enum law_variable variable, int32_t key,
                         int32_t value)
{
    struct follow_step step;
    step.move = (struct spec_move){FOLLOW_LOOK, {0, 0, 0}};
    step.sight_count = 1;
    step.sights[0] = (struct follow_sight){(uint32_t)variable, value, FOLLOW_IS, key};
    tell(follow, device, reading, &step);
}

/* ---- Links ----------------------------------------------------------------------------------- */

static void connect(struct follow_session *follow, struct session_device *device,
                    struct session_reading *reading, uint32_t link, uint32_t gateway)
{
    const struct state *now = &reading->spec.now;
    reading->strays += session_has(now->wire) ? 1u : 0u;
    if (session_has(now->up)) {
        if (!session_has(now->dead | now->answered)) {
            follow_session_tell(follow, device, reading, ACT_break_link);
        }
        follow_session_tell(follow, device, reading, ACT_leave);
    }
    follow_session_tell(follow, device, reading, ACT_connect);
    reading->link = link;
    reading->gateway = gateway;
}

void follow_session_bring_later(struct follow_session *follow, struct session_device *device,
                                struct session_reading *reading)
{
    connect(follow, device, reading, reading->later_link, reading->later_gateway);
    follow_session_tell(follow, device, reading, ACT_send);
    reading->later_link = reading->later_gateway = 0;
}

static void send(struct follow_session *follow, struct session_device *device,
                 struct session_reading *reading)
{
    if (reading->later_link != 0) {
        follow_session_bring_later(follow, device, reading);
    }
    if (device->link == 0 || reading->link == device->link) {
        follow_session_tell(follow, device, reading, ACT_send);
    } else if (session_has(reading->spec.now.wire)) {
        follow_session_look(follow, device, reading, VAR_held, 0, set_of(1));
        reading->later_link = device->link;
        reading->later_gateway = device->gateway;
    } else {
        connect(follow, device, reading, device->link, device->gateway);
        follow_session_tell(follow, device, reading, ACT_send);
    }
}

/* An ack came. Over the link that there is now; or one that was under way when the gateway fell. */
static void release(struct follow_session *follow, struct session_device *device,
                    struct session_reading *reading)
{
    const struct state *now = &reading->spec.now;
    if (reading->later_link != 0) {
        follow_session_bring_later(follow, device, reading);
    }
    if (device->link != 0 && !session_has(set_without(now->up, now->dead))) {
        connect(follow, device, reading, device->link, device->gateway);
    }
    follow_session_tell(follow, device, reading, ACT_release);
    follow_session_settle(follow, device, reading);
}

/* ---- Boots ----------------------------------------------------------------------------------- */

/* All that it has signed in this epoch is over. */
static void begin_epoch(struct follow_session *follow, struct session_device *device,
                        uint32_t epoch)
{
    struct session_reading *reading = NULL;
    while ((reading = follow_session_next(follow, device, reading)) != NULL) {
        follow_session_abandon(follow, device, reading);
    }
    device->epoch = epoch;
    device->fresh = 0;
}

/* The device has booted, and this reading is there, or is not. */
static void restart_device(struct follow_session *follow, struct session_device *device,
                           struct session_reading *reading)
{
    const struct state *now = &reading->spec.now;
    const bool shown = reading->shown;
    reading->shown = false;
    if (shown && !session_has(now->stored)) {
        follow_session_abandon(follow, device,
                               reading); /* a record that an earlier boot did not find */
        return;
    }
    if (!shown && session_has(now->stored) && !session_has(now->held)) {
        follow_session_tell(follow, device, reading, ACT_forget);
    }
    reading->strays += (session_has(now->wire) ? 1u : 0u) + (reading->later_link != 0 ? 1u : 0u);
    reading->later_link = 0;
    reading->link = 0;
    follow_session_tell(follow, device, reading, ACT_restart_device);
    follow_session_look(follow, device, reading, VAR_held, 0, shown ? set_of(1) : 0);
}

static void settle_boot(struct follow_session *follow, struct session_device *device)
{
    struct session_reading *reading = NULL;
    while ((reading = follow_session_next(follow, device, reading)) != NULL) {
        if (device->down) {
            restart_device(follow, device, reading);
        }
        reading->shown = false;
    }
    device->down = false;
    device->fresh = 0;
}

static void store(struct follow_session *follow, struct session_device *device, uint64_t counter)
{
    struct session_reading *reading = make(follow, device, counter);
    device->fresh = 0;
    if (reading == NULL) {
        follow->left_readings++;
        return;
    }
    follow_session_tell(follow, device, reading, ACT_sign);
}

static void hear_boot(struct follow_session *follow, struct session_device *device)
{
    const struct observation *observation = follow->observation;
    if (observation->kind == TRUTH_OUTBOX) {
        if (observation->epoch == 0) {
            return; /* no store: nothing of readings is said until a boot finds one */
        }
        if (observation->epoch != device->epoch) {
            begin_epoch(follow, device, observation->epoch);
        }
        device->awaited = (uint32_t)observation->value;
    } else if (device->awaited > 0) {
        device->awaited--;
        if (observation->counter == device->fresh && device->fresh != 0) {
            store(follow, device, observation->counter);
        }
        struct session_reading *reading = follow_session_find(follow, device);
        if (reading != NULL) {
            reading->shown = true;
        }
    }
    if (device->awaited == 0) {
        settle_boot(follow, device);
    }
}

/* ---- What a device says ---------------------------------------------------------------------- */

static void hear_device(struct follow_session *follow, struct session_device *device)
{
    const struct observation *observation = follow->observation;
    struct session_reading *reading;
    switch (observation->kind) {
    case EVIDENCE_SIGN:
        device->fresh = observation->counter;
        break;
    case EVIDENCE_STORE:
        store(follow, device, observation->counter);
        break;
    case EVIDENCE_LOSE:
        device->fresh = 0;
        break;
    case TRUTH_LINK:
        device->link = ++device->links;
        device->gateway = (uint32_t)observation->value;
        break;
    case TRUTH_DOWN:
        device->link = 0;
        device->down = true;
        device->awaited = 0;
        break;
    case TRUTH_OUTBOX:
    case TRUTH_KEPT:
        hear_boot(follow, device);
        break;
    case TRUTH_RESPOND:
        device->responded = true;
        break;
    case EVIDENCE_SEND:
    case EVIDENCE_RELEASE:
    case EVIDENCE_SHED:
        reading = follow_session_find(follow, device);
        if (reading == NULL) {
            break;
        }
        if (observation->kind == EVIDENCE_SEND) {
            send(follow, device, reading);
        } else if (observation->kind == EVIDENCE_RELEASE) {
            release(follow, device, reading);
        } else {
            follow_session_abandon(follow, device, reading);
        }
        break;
    default:
        break;
    }
}
