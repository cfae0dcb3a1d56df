#include "models/telemetry_state.h"

void telemetry_row(struct device *device, const struct observation *observation,
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

/* One window a device; of several epochs the last one counts. */
void telemetry_row_window(struct device *device, const struct observation *observation)
{
    if (!device->row_window || observation->epoch >= device->row_epoch) {
        device->row_window = true;
        device->row_epoch = observation->epoch;
        device->row_top = observation->counter;
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

static void judge_image_window(struct device *device, bool power_lost, uint32_t number,
                               struct ruling *ruling)
{
    struct replay_window row = {.established = device->row_window};
    if (device->row_window) {
        row.epoch = device->row_epoch;
        row.top = device->row_top;
    }
    /* A transaction is whole or not there: the image has what is firm, or what came after. */
    if (compare(&row, &device->firm) < 0 ||
        compare(&row, device->doubtful ? &device->said : &device->committed) > 0) {
        ruling_break(ruling, LAW_TELEMETRY_DURABLE, number,
                     (struct difference){"top of the durable window", device->firm.top, row.top});
    }
    if (compare(&row, &device->committed) == 0) {
        row.floor = device->committed.floor;
    } else if (row.established && device->said.established && row.epoch == device->said.epoch) {
        row.floor = device->said.floor;
    }
    if (power_lost || compare(&row, &device->firm) < 0) {
        device->firm = row;
    }
    device->committed = row;
    device->said = row;
    device->row_window = false;
    device->doubtful = false;
}

static void judge_image_slot(struct slot *slot, bool power_lost, uint32_t number,
                             struct ruling *ruling)
{
    const bool row = has(slot, ROW);
    const bool acked = has(slot, RELEASED) && !has(slot, SHED);
    if (acked || has(slot, FIRM)) {
        ruling_exercise(ruling, LAW_TELEMETRY_DURABLE);
        if (!row) {
            ruling_break(ruling, LAW_TELEMETRY_DURABLE, number,
                         (struct difference){acked ? "an acked reading is gone (counter, rows)"
                                                   : "a committed reading is gone (counter, rows)",
                                             slot->counter, 0});
        }
    }
    uint32_t flags = slot->flags & ~(uint32_t)(ROW | ACCEPTED | FIRM | MAYBE | TENTATIVE);
    if (row) {
        flags |= ACCEPTED | (power_lost ? (uint32_t)FIRM : slot->flags & (uint32_t)FIRM);
    }
    slot->flags = (uint16_t)flags;
}

static void judge_image_left(struct device *device, bool power_lost, uint32_t number,
                             struct ruling *ruling)
{
    if (device->rows_left < device->left_firm ||
        device->rows_left > device->left_firm + device->left_maybe) {
        ruling_break(ruling, LAW_TELEMETRY_DURABLE, number,
                     (struct difference){"durable readings of long ago", device->left_firm,
                                         device->rows_left});
    }
    if (power_lost || device->rows_left < device->left_firm) {
        device->left_firm = device->rows_left;
    }
    device->left_maybe = device->rows_left - device->left_firm;
    device->rows_left = 0;
}

/* The image is what the cloud goes on with: all that the model says of it is taken from there. */
void telemetry_image_end(struct telemetry_model *model, struct ruling *ruling)
{
    telemetry_settle(model, IN_DOUBT);
    for (uint32_t i = 0; i < model->config->node_count; i++) {
        if (model->places[i] == 0) {
            continue;
        }
        struct device *device = &model->devices[model->places[i] - 1];
        for (uint32_t at = 0; at < device->used; at++) {
            judge_image_slot(&device->ring[at], model->power_lost, i, ruling);
        }
        judge_image_left(device, model->power_lost, i, ruling);
        judge_image_window(device, model->power_lost, i, ruling);
    }
    model->power_lost = false;
}

/* After heal nothing is in a device's way: who released nothing in the last quarter of the phase is
 * stuck, and who did would have needed more time. */
static bool is_recovering(const struct telemetry_model *model, const struct device *device,
                          const struct ruling *ruling)
{
    const uint64_t end_us = ruling->observation->time_us;
    const uint64_t quarter_us = (end_us - model->heal_us) / 4;
    return device->release_us > end_us - quarter_us;
}

/* Is a reading that was there at heal delivered and acked? NULL: yes. */
static const char *left_undone(const struct device *device, const struct slot *slot, enum law *law)
{
    if (slot->epoch != device->heal_epoch || slot->counter > device->heal_counter ||
        !has(slot, STORED) || has(slot, SHED | RELEASED)) {
        return NULL;
    }
    /* Acked and not there is telemetry.durable's to say. */
    const bool accepted = has(slot, ACCEPTED | TENTATIVE);
    *law = accepted ? LAW_LIVENESS_ACKED : LAW_LIVENESS_DELIVERED;
    return accepted ? "not acked since heal (counter, times)"
                    : "not accepted since heal (counter, times)";
}

void telemetry_end(struct telemetry_model *model, struct ruling *ruling)
{
    for (uint32_t i = 0; i < model->config->node_count; i++) {
        const struct device *device =
            model->places[i] != 0 ? &model->devices[model->places[i] - 1] : NULL;
        if (device == NULL || !device->healed || device->epoch != device->heal_epoch) {
            continue;
        }
        bool recovers = false;
        for (uint32_t at = 0; at < device->used; at++) {
            const struct slot *slot = &device->ring[at];
            enum law law;
            if (slot->epoch == device->heal_epoch && slot->counter <= device->heal_counter &&
                has(slot, STORED) && !has(slot, SHED)) {
                ruling_exercise(ruling, LAW_LIVENESS_DELIVERED);
                ruling_exercise(ruling, LAW_LIVENESS_ACKED);
            }
            const char *what = left_undone(device, slot, &law);
            if (what == NULL) {
                continue;
            }
            const uint64_t is_void = ruling->void_everywhere | ruling->void_at[i];
            if (is_recovering(model, device, ruling)) {
                recovers = recovers || (is_void >> law & 1u) == 0;
            } else {
                ruling_break(ruling, law, i, (struct difference){what, slot->counter, 0});
            }
        }
        model->recovering += recovers ? 1 : 0;
    }
}

uint32_t telemetry_recovering(const struct telemetry_model *model)
{
    return model->recovering;
}
