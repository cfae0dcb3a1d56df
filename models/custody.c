#include "models/custody.h"

/* All copies of one message in custody: a device may hand over the same bytes twice. */
struct custody_slot {
    uint64_t counter;
    uint64_t body;   /* 64 bits of the body's hash */
    uint32_t device; /* 0: the slot is free */
    uint32_t epoch;
    uint32_t copies; /* in the queue, as said, or as an image showed */
    uint32_t firm;   /* of these, such that nothing may take: given custody, or there after a loss
                        of power */
    uint32_t rows;   /* in the image that is being listed */
};

struct custody_gateway {
    uint32_t count;  /* of slots in use */
    bool power_lost; /* just now: the image that follows is what is durable */
    bool spoken;     /* since its last image */
    bool unknown;    /* restarted without an image, or the table is full: it may hold more than
                        was said, until an image tells */
};

struct custody_model {
    const struct judge_config *config;
    uint32_t capacity; /* of a gateway's table; a power of two */
    uint32_t *places;  /* [node_count]: 1 + index of the gateway; 0 = not one */
    struct custody_gateway *gateways;
    struct custody_slot *slots; /* [gateway][capacity], open addressing */
};

/* Rows that an image may hold beyond the queue: discharged, and their deletion not yet durable. */
enum { SLACK = 256 };

static void gateway_observe(struct custody_model *model, uint32_t index,
                            const struct observation *observation, struct ruling *ruling);
static void discharge(struct custody_model *model, uint32_t index, struct custody_slot *slot);
static void judge_image(struct custody_model *model, uint32_t index,
                        const struct observation *observation, struct ruling *ruling);
static struct custody_slot *gateway_slots(struct custody_model *model, uint32_t index);
static struct custody_slot *find(struct custody_model *model, uint32_t index,
                                 const struct observation *observation);
static struct custody_slot *find_or_add(struct custody_model *model, uint32_t index,
                                        const struct observation *observation);
static void take_out(struct custody_model *model, uint32_t index, uint32_t hole);

static uint32_t gateway_count(const struct judge_config *config)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < config->node_count; i++) {
        count += config->roles[i] == MODEL_GATEWAY;
    }
    return count;
}

/* Three quarters full at the most: chains stay short. */
static uint32_t table_capacity(const struct judge_config *config)
{
    uint32_t capacity = SLACK;
    while (capacity / 4 * 3 < config->queue_max + SLACK && capacity < UINT32_C(1) << 30) {
        capacity *= 2;
    }
    return capacity;
}

size_t custody_size_bytes(const struct judge_config *config)
{
    const size_t gateways = gateway_count(config);
    return sizeof(struct custody_model) +
           gateways * table_capacity(config) * sizeof(struct custody_slot) +
           gateways * sizeof(struct custody_gateway) + config->node_count * sizeof(uint32_t);
}

void custody_init(struct custody_model *model, const struct judge_config *config)
{
    const size_t gateways = gateway_count(config);
    model->config = config;
    model->capacity = table_capacity(config);
    model->slots = (struct custody_slot *)(model + 1);
    model->gateways = (struct custody_gateway *)(model->slots + gateways * model->capacity);
    model->places = (uint32_t *)(model->gateways + gateways);
    uint32_t place = 0;
    for (uint32_t i = 0; i < config->node_count; i++) {
        model->places[i] = config->roles[i] == MODEL_GATEWAY ? ++place : 0;
    }
}

void custody_observe(struct custody_model *model, const struct observation *observation,
                     struct ruling *ruling)
{
    if (observation->node >= model->config->node_count) {
        return;
    }
    const uint32_t place = model->places[observation->node];
    if (place != 0) {
        gateway_observe(model, place - 1, observation, ruling);
    }
}

static void gateway_observe(struct custody_model *model, uint32_t index,
                            const struct observation *observation, struct ruling *ruling)
{
    struct custody_gateway *gateway = &model->gateways[index];
    struct custody_slot *slot;
    switch (observation->kind) {
    case EVIDENCE_BOOT:
        gateway->unknown = gateway->unknown || gateway->spoken;
        break;
    case EVIDENCE_CUSTODY:
        ruling_exercise(ruling, LAW_RESOURCES_BOUNDS);
        if (observation->value > model->config->queue_max) {
            ruling_break(
                ruling, LAW_RESOURCES_BOUNDS, observation->node,
                (struct difference){"queue length", model->config->queue_max, observation->value});
        }
        slot = find_or_add(model, index, observation);
        if (slot != NULL) {
            slot->copies++;
            slot->firm++;
        }
        break;
    case EVIDENCE_FORWARD:
    case EVIDENCE_DISCHARGE:
        ruling_exercise(ruling, LAW_GATEWAY_CUSTODY);
        slot = find(model, index, observation);
        if (slot == NULL && !gateway->unknown) {
            ruling_break(ruling, LAW_GATEWAY_CUSTODY, observation->node,
                         (struct difference){observation->kind == EVIDENCE_FORWARD
                                                 ? "copies in custody of what is forwarded"
                                                 : "copies in custody of what is discharged",
                                             1, 0});
        }
        if (slot != NULL && observation->kind == EVIDENCE_DISCHARGE) {
            discharge(model, index, slot);
        }
        break;
    case TRUTH_DOWN:
        gateway->power_lost = observation->value == 0;
        break;
    case TRUTH_QUEUED:
        /* A row without a word was committed when the gateway fell: it may be forwarded. */
        slot = find_or_add(model, index, observation);
        if (slot != NULL) {
            slot->rows++;
        }
        break;
    case TRUTH_IMAGE_END:
        judge_image(model, index, observation, ruling);
        break;
    default:
        break;
    }
    if (observation->kind < EVIDENCE_COUNT) {
        gateway->spoken = true;
    }
}

static void discharge(struct custody_model *model, uint32_t index, struct custody_slot *slot)
{
    slot->copies--;
    if (slot->firm > slot->copies) {
        slot->firm = slot->copies;
    }
    if (slot->copies == 0) {
        take_out(model, index, (uint32_t)(slot - gateway_slots(model, index)));
    }
}

/* A message in custody that is not in the image is lost. The image is what the gateway goes on
 * with: a row that was discharged, and whose deletion power took back, is in custody again. */
static void judge_image(struct custody_model *model, uint32_t index,
                        const struct observation *observation, struct ruling *ruling)
{
    struct custody_gateway *gateway = &model->gateways[index];
    struct custody_slot *slots = gateway_slots(model, index);
    for (uint32_t i = 0; i < model->capacity; i++) {
        if (slots[i].firm != 0) {
            ruling_exercise(ruling, LAW_GATEWAY_CUSTODY);
        }
        if (slots[i].firm > slots[i].rows) {
            ruling_break(ruling, LAW_GATEWAY_CUSTODY, observation->node,
                         (struct difference){"durable copies of a message in custody",
                                             slots[i].firm, slots[i].rows});
        }
        if (gateway->power_lost || slots[i].firm > slots[i].rows) {
            slots[i].firm = slots[i].rows;
        }
        slots[i].copies = slots[i].rows;
        slots[i].rows = 0;
    }
    /* Another pass: taking out moves slots. */
    for (uint32_t i = 0; i < model->capacity; i++) {
        while (slots[i].device != 0 && slots[i].copies == 0) {
            take_out(model, index, i);
        }
    }
    gateway->spoken = false;
    gateway->unknown = false;
    gateway->power_lost = false;
}

/* ---- The table: open addressing, in which all slots with the same home stay in order -----------
 */

static struct custody_slot *gateway_slots(struct custody_model *model, uint32_t index)
{
    return &model->slots[(size_t)index * model->capacity];
}

static uint32_t home_of(const struct custody_model *model, uint32_t device, uint32_t epoch,
                        uint64_t counter)
{
    uint64_t hash =
        (counter ^ (uint64_t)device << 40 ^ (uint64_t)epoch << 20) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash >> 33) & (model->capacity - 1);
}

static uint64_t fold(const uint64_t body[2])
{
    return body[0] + body[1] * UINT64_C(0x9E3779B97F4A7C15);
}

/* The slot of a message, or the free one that ends its chain. One is always free: see
 * find_or_add(). Evidence without a body (DISCHARGE) means the oldest with that counter. */
static struct custody_slot *probe(struct custody_model *model, uint32_t index,
                                  const struct observation *observation)
{
    struct custody_slot *slots = gateway_slots(model, index);
    const uint64_t body = fold(observation->body);
    uint32_t at = home_of(model, observation->device, observation->epoch, observation->counter);
    while (slots[at].device != 0) {
        const struct custody_slot *slot = &slots[at];
        if (slot->counter == observation->counter && slot->device == observation->device &&
            slot->epoch == observation->epoch && (body == 0 || slot->body == body)) {
            break;
        }
        at = (at + 1) & (model->capacity - 1);
    }
    return &slots[at];
}

/* NULL if it is not in custody. */
static struct custody_slot *find(struct custody_model *model, uint32_t index,
                                 const struct observation *observation)
{
    struct custody_slot *slot = probe(model, index, observation);
    return slot->device != 0 && slot->copies != 0 ? slot : NULL;
}

/* NULL if the table is full: then what is in custody is not known any more. */
static struct custody_slot *find_or_add(struct custody_model *model, uint32_t index,
                                        const struct observation *observation)
{
    struct custody_gateway *gateway = &model->gateways[index];
    struct custody_slot *slot = probe(model, index, observation);
    if (slot->device != 0) {
        return slot;
    }
    if (observation->device == 0 || gateway->count >= model->capacity / 4 * 3) {
        gateway->unknown = true;
        return NULL;
    }
    gateway->count++;
    *slot = (struct custody_slot){.counter = observation->counter,
                                  .body = fold(observation->body),
                                  .device = observation->device,
                                  .epoch = observation->epoch};
    return slot;
}

/* Close the hole by moving back what came after it and is away from home. */
static void take_out(struct custody_model *model, uint32_t index, uint32_t hole)
{
    struct custody_slot *slots = gateway_slots(model, index);
    const uint32_t mask = model->capacity - 1;
    for (uint32_t at = (hole + 1) & mask; slots[at].device != 0; at = (at + 1) & mask) {
        const struct custody_slot *slot = &slots[at];
        const uint32_t home = home_of(model, slot->device, slot->epoch, slot->counter);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            slots[hole] = *slot;
            hole = at;
        }
    }
    slots[hole] = (struct custody_slot){0};
    model->gateways[index].count--;
}
