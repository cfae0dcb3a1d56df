#include "models/follow_telemetry_inside.h"

static void touch(struct follow_telemetry *follow, struct follow_device *device)
{
    if (!device->pending) {
        device->pending = true;
        device->pending_next = follow->pending;
        follow->pending = 1 + (uint32_t)(device - follow->devices);
    }
}

static bool is_equal(const struct follow_window *left, const struct follow_window *right)
{
    return left->epoch == right->epoch && left->top == right->top && left->rows == right->rows;
}

/* The transaction is over, for all that it touched. */
static void commit(struct follow_telemetry *follow)
{
    while (follow->pending != 0) {
        struct follow_device *device = &follow->devices[follow->pending - 1];
        follow->pending = device->pending_next;
        device->pending = false;
        follow_tell_move(follow, device, ACT_commit, 0, 0);
        device->durable = device->said;
    }
}

/* Back to the last commit, and challenges are forgotten. */
static void roll_back(struct follow_telemetry *follow)
{
    follow->pending = 0;
    for (uint32_t i = 0; i < follow->device_count; i++) {
        struct follow_device *device = &follow->devices[i];
        if (device->pending || device->asked) {
            follow_tell_move(follow, device, ACT_cloud_loss, 0, 0);
        }
        device->pending = device->asked = false;
        device->said = device->durable;
    }
}

/* ---- Images ---------------------------------------------------------------------------------- */

static void begin_image(struct follow_telemetry *follow)
{
    for (uint32_t i = 0; i < follow->device_count; i++) {
        follow->devices[i].image = (struct follow_window){0};
    }
}

/* Windows are listed ahead of readings. */
static void list_row(struct follow_device *device, const struct observation *observation)
{
    if (observation->kind == TRUTH_WINDOW) {
        device->image.epoch = observation->epoch;
        device->image.top = (int32_t)observation->counter;
    } else if (observation->epoch == device->image.epoch) {
        device->image.rows++;
    }
}

/* A transaction is whole or not there: what shows of it at one device holds for all that it
 * touched. False: nothing shows, for it changed nothing that an image holds. */
static bool find_verdict(const struct follow_telemetry *follow, bool *committed)
{
    uint32_t at = follow->pending;
    while (at != 0) {
        const struct follow_device *device = &follow->devices[at - 1];
        if (!is_equal(&device->said, &device->durable)) {
            *committed = is_equal(&device->image, &device->said);
            return true;
        }
        at = device->pending_next;
    }
    return false;
}

static void settle_device(struct follow_telemetry *follow, struct follow_device *device)
{
    struct follow_step step = follow_step_of(device, ACT_cloud_loss, 0, 0);
    follow_see(&step, VAR_window_epoch, FOLLOW_IS, (int32_t)device->image.epoch, 0);
    follow_see(&step, VAR_top, FOLLOW_IS, device->image.top, 0);
    follow_see(&step, VAR_rows, FOLLOW_COUNT, device->image.rows, 0);
    follow_tell(follow, device, &step);
    device->asked = false;
    device->said = device->durable = device->image;
}

static void end_image(struct follow_telemetry *follow, bool good)
{
    bool committed = false;
    if (!good) {
        follow_telemetry_leave(follow, 0);
        return;
    }
    if (!find_verdict(follow, &committed)) {
        for (uint32_t at = follow->pending; at != 0;) {
            struct follow_device *device = &follow->devices[at - 1];
            at = device->pending_next;
            follow_leave(follow, device);
        }
    }
    if (committed) {
        commit(follow);
    }
    follow->pending = 0;
    for (uint32_t i = 0; i < follow->device_count; i++) {
        struct follow_device *device = &follow->devices[i];
        device->pending = false;
        if (device->asked || device->said.epoch != 0 || device->image.epoch != 0) {
            settle_device(follow, device);
        }
    }
}

/* ---- What the cloud says --------------------------------------------------------------------- */

static void accept(struct follow_telemetry *follow, struct follow_device *device, int32_t epoch,
                   int32_t counter)
{
    follow_tell_move(follow, device, ACT_accept, epoch, counter);
    device->said.top = counter > device->said.top ? counter : device->said.top;
    device->said.rows++;
    touch(follow, device);
}

static void window(struct follow_telemetry *follow, struct follow_device *device, int32_t epoch,
                   int32_t floor)
{
    follow_tell_move(follow, device, ACT_window, epoch, floor);
    if (device->said.epoch != (uint32_t)epoch) {
        device->said.rows = 0;
    }
    device->said.epoch = (uint32_t)epoch;
    device->said.top = floor;
    device->asked = false;
    touch(follow, device);
}

/* A reading is refused, with a reason that says why it is not taken. What else is refused is an
 * answer to a nonce that is not awaited, which is worth nothing. */
static bool refuses_reading(uint64_t refusal)
{
    return refusal == REFUSAL_DUPLICATE || refusal == REFUSAL_OLD || refusal == REFUSAL_EPOCH ||
           refusal == REFUSAL_NO_WINDOW || refusal == REFUSAL_DECRYPT;
}

static void ack(struct follow_telemetry *follow, struct follow_device *device, int32_t epoch,
                int32_t top)
{
    struct follow_step step = follow_step_of(device, ACT_ack, 0, 0);
    follow_see(&step, VAR_window_epoch, FOLLOW_IS, epoch, 0);
    follow_see(&step, VAR_top, FOLLOW_IS, top, 0);
    follow_tell(follow, device, &step);
}

static void hear_of_device(struct follow_telemetry *follow, struct follow_device *device,
                           const struct observation *observation)
{
    const int32_t epoch = (int32_t)observation->epoch, counter = (int32_t)observation->counter;
    if (observation->epoch > FOLLOW_EPOCHS_MAX || observation->counter > FOLLOW_COUNTER_MAX) {
        follow_leave(follow, device);
        return;
    }
    switch (observation->kind) {
    case EVIDENCE_CHALLENGE:
        device->asked = true;
        follow_tell_move(follow, device, ACT_challenge, epoch, 0);
        break;
    case EVIDENCE_WINDOW:
        window(follow, device, epoch, counter);
        break;
    case EVIDENCE_ACCEPT:
        accept(follow, device, epoch, counter);
        break;
    case EVIDENCE_REJECT:
        if (refuses_reading(observation->value)) {
            follow_tell_move(follow, device, ACT_reject, epoch, counter);
        }
        break;
    case EVIDENCE_ACK:
        ack(follow, device, epoch, counter);
        break;
    case TRUTH_WINDOW:
    case TRUTH_READING:
        list_row(device, observation);
        break;
    default:
        break;
    }
}

void follow_cloud(struct follow_telemetry *follow, const struct observation *observation)
{
    switch (observation->kind) {
    case EVIDENCE_COMMIT:
        commit(follow);
        return;
    case EVIDENCE_REFUSE:
        if (observation->value == REFUSAL_DISK) {
            roll_back(follow);
        }
        return;
    case TRUTH_IMAGE:
        begin_image(follow);
        return;
    case TRUTH_IMAGE_END:
        end_image(follow, observation->value == 0);
        return;
    default:
        break;
    }
    struct follow_device *device = follow_device_of(follow, observation->device);
    if (device != NULL) {
        hear_of_device(follow, device, observation);
    }
}
