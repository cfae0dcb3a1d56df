#include "models/follow_session_inside.h"

/* ---- The transaction ------------------------------------------------------------------------- */

static void touch(struct follow_session *follow, struct session_reading *reading)
{
    if (!reading->pending) {
        reading->pending = true;
        reading->lists++;
        reading->pending_next = follow->pending_readings;
        follow->pending_readings = 1 + (uint32_t)(reading - follow->readings);
    }
}

static bool is_open(const struct session_reading *reading)
{
    const struct state *now = &reading->spec.now;
    return session_has(now->tentative) || now->windows != now->known;
}

/* What came behind the first copy, in the same transaction, is answered when it is durable. */
static void commit_reading(struct follow_session *follow, struct session_device *device,
                           struct session_reading *reading)
{
    if (is_open(reading)) {
        follow_session_tell(follow, device, reading, ACT_cloud_commit);
    }
    for (; reading->duplicates > 0; reading->duplicates--) {
        follow_session_tell(follow, device, reading, ACT_duplicate);
    }
    if (reading->via != 0 && follow_session_gateway_of(follow, reading->via) == NULL) {
        follow_session_end_rogue(follow, device, reading, reading->via);
    }
    reading->via = 0;
}

static void commit(struct follow_session *follow)
{
    while (follow->pending_readings != 0) {
        struct session_reading *reading = &follow->readings[follow->pending_readings - 1];
        struct session_device *device = follow_session_owner(follow, reading);
        follow->pending_readings = reading->pending_next;
        reading->pending_next = 0;
        reading->pending = false;
        if (!reading->gone) {
            commit_reading(follow, device, reading);
        }
        follow_session_unlist(follow, device, reading);
        if (reading->in_use) {
            follow_session_settle(follow, device, reading);
        }
    }
    while (follow->pending_device != 0) {
        struct session_device *device = &follow->devices[follow->pending_device - 1];
        follow->pending_device = device->pending_next;
        device->pending = false;
        device->durable = device->said;
    }
}

/* Nothing said since the last commit holds. */
static void forget_transaction(struct follow_session *follow)
{
    while (follow->pending_readings != 0) {
        struct session_reading *reading = &follow->readings[follow->pending_readings - 1];
        follow->pending_readings = reading->pending_next;
        reading->duplicates = 0;
        reading->pending = false;
        follow_session_unlist(follow, follow_session_owner(follow, reading), reading);
    }
    while (follow->pending_device != 0) {
        struct session_device *device = &follow->devices[follow->pending_device - 1];
        follow->pending_device = device->pending_next;
        device->pending = false;
        device->said = device->durable;
    }
}

/* The cloud is as its disk has it, and its links are over; or, where it gave back a transaction for
 * want of room, the one that this came over (`via`), and what others have under way is handed over
 * again. */
static void restart_cloud(struct follow_session *follow, struct session_device *device,
                          struct session_reading *reading, bool links_end)
{
    const struct state *now = &reading->spec.now;
    const bool changes = now->joined || session_has(now->asked | now->answered) ||
                         is_open(reading) || now->seen != now->kept;
    uint32_t others = 0;
    bool rogue = false;
    if (!changes) {
        return;
    }
    for (uint32_t i = 0; i < FOLLOW_SESSION_PLACES; i++) {
        struct session_place *place = &reading->places[i];
        rogue = rogue ||
                (place->gateway != 0 && follow_session_gateway_of(follow, place->gateway) == NULL);
        if (links_end || place->gateway == reading->via) {
            place->late += links_end ? place->sent : 0;
            place->sent = 0;
        }
        others += place->sent;
    }
    if (rogue || (others > 0 && now->confirms[1] > 0)) {
        follow_session_abandon(follow, device, reading); /* whose copies were answered? */
        return;
    }
    follow_session_tell(follow, device, reading, ACT_restart_cloud);
    if (others > 0) {
        follow_session_tell(follow, device, reading, ACT_join);
    }
    for (uint32_t i = 0; i < others; i++) {
        follow_session_tell(follow, device, reading, ACT_forward);
    }
    reading->via = 0;
}

void follow_session_catch_up(struct follow_session *follow, struct session_device *device,
                             struct session_reading *reading)
{
    if (reading->cloud_life != follow->cloud_life) {
        reading->cloud_life = follow->cloud_life;
        restart_cloud(follow, device, reading, true);
    }
}

/* The disk is full: back to the last commit, without a restart, and without challenges. */
static void roll_back(struct follow_session *follow)
{
    for (uint32_t i = 0; i < follow->device_count; i++) {
        struct session_device *device = &follow->devices[i];
        struct session_reading *reading = NULL;
        while ((reading = follow_session_next(follow, device, reading)) != NULL) {
            const struct state *now = &reading->spec.now;
            if (is_open(reading) || session_has(now->asked | now->answered)) {
                restart_cloud(follow, device, reading, false);
            }
        }
        device->responded = false;
    }
    forget_transaction(follow);
}

/* ---- Images ---------------------------------------------------------------------------------- */

static void begin_image(struct follow_session *follow)
{
    for (uint32_t i = 0; i < follow->device_count; i++) {
        struct session_device *device = &follow->devices[i];
        struct session_reading *reading = NULL;
        while ((reading = follow_session_next(follow, device, reading)) != NULL) {
            reading->shown = false;
        }
        device->image = 0;
    }
}

static void settle_image(struct follow_session *follow, struct session_device *device,
                         struct session_reading *reading)
{
    const struct state *now = &reading->spec.now;
    const bool shows = reading->shown;
    reading->shown = false;
    if (session_has(now->tentative) ? shows : is_open(reading) && device->image == device->epoch) {
        follow_session_tell(follow, device, reading, ACT_cloud_commit);
    }
    if (shows != session_has(now->kept)) {
        follow_session_look(follow, device, reading, VAR_kept, 0, shows ? set_of(1) : 0);
    }
}

static void end_image(struct follow_session *follow, bool good)
{
    if (!good) {
        follow_session_leave(follow, 0);
        return;
    }
    for (uint32_t i = 0; i < follow->device_count; i++) {
        struct session_device *device = &follow->devices[i];
        struct session_reading *reading = NULL;
        while ((reading = follow_session_next(follow, device, reading)) != NULL) {
            settle_image(follow, device, reading);
        }
    }
    if (!follow->cloud_down) {
        return;
    }
    forget_transaction(follow);
    for (uint32_t i = 0; i < follow->device_count; i++) {
        struct session_device *device = &follow->devices[i];
        struct session_reading *reading = NULL;
        device->said = device->durable = device->image;
        device->responded = false;
        while ((reading = follow_session_next(follow, device, reading)) != NULL) {
            follow_session_settle(follow, device, reading);
        }
    }
    follow->cloud_down = false;
}

/* ---- What the cloud says --------------------------------------------------------------------- */

/* The cloud looks at the reading: has it a window for the device? It is an initial state, as long
 * as nothing has asked. False: the commit that would tell has not come, and it is followed no
 * further. */
static bool look(struct follow_session *follow, struct session_device *device,
                 struct session_reading *reading)
{
    struct state *now = &reading->spec.now;
    follow_session_catch_up(follow, device, reading);
    if (reading->gone) {
        return false;
    }
    if (reading->looked) {
        return true;
    }
    if (device->said != device->durable) {
        follow_session_abandon(follow, device, reading);
        return false;
    }
    reading->looked = true;
    reading->spec.windows = device->said == device->epoch ? 1 : 0;
    now->windows = now->known = reading->spec.windows == 1 ? set_of(1) : 0;
    return true;
}

static void accept(struct follow_session *follow, struct session_device *device,
                   struct session_reading *reading)
{
    const uint32_t via = (uint32_t)follow->observation->value;
    if (follow_session_gateway_of(follow, via) == NULL) {
        if (!follow_session_show_rogue(follow, device, reading, via)) {
            return;
        }
    } else if (session_flying(reading) == 0 &&
               !follow_session_show_late(follow, device, reading, via) &&
               (reading->ghosts > 0 || follow->rogues)) {
        follow_session_abandon(follow, device,
                               reading); /* it came late, or another was taken for it */
        return;
    }
    follow_session_tell(follow, device, reading, ACT_accept);
    reading->via = via;
    touch(follow, reading);
}

/* A copy changes nothing, and which one it was nobody says: one that is under way; or one that was,
 * on a link that is over; or an attacker's. */
static void refuse_copy(struct follow_session *follow, struct session_device *device,
                        struct session_reading *reading, enum law_action action)
{
    const bool under_way = session_flying(reading) > reading->duplicates ||
                           follow_session_show_late(follow, device, reading, 0);
    if (!under_way && reading->ghosts > 0) {
        reading->ghosts--;
    } else if (!under_way && follow->rogues) {
        return;
    } else if (action == ACT_duplicate && session_has(reading->spec.now.tentative)) {
        reading->duplicates++;
    } else {
        follow_session_tell(follow, device, reading, action);
    }
}

static void reject(struct follow_session *follow, struct session_device *device,
                   struct session_reading *reading)
{
    switch (follow->observation->value) {
    case REFUSAL_DUPLICATE:
        refuse_copy(follow, device, reading, ACT_duplicate);
        break;
    case REFUSAL_NO_WINDOW:
        refuse_copy(follow, device, reading, ACT_challenge);
        break;
    case REFUSAL_OLD:
        /* An answer to a challenge is refused in the same words, with a counter that is its floor.
         */
        if (session_has(reading->spec.now.seen)) {
            refuse_copy(follow, device, reading, ACT_duplicate);
            reading->ghosts++;
        } else {
            follow_session_abandon(follow, device, reading);
        }
        break;
    case REFUSAL_DECRYPT:
        follow_session_abandon(follow, device, reading);
        break;
    default:
        break;
    }
}

static void open_window(struct follow_session *follow, struct session_device *device,
                        struct session_reading *reading)
{
    const struct state *now = &reading->spec.now;
    const bool linked = session_has(set_without(now->up, now->dead));
    follow_session_catch_up(follow, device, reading);
    const bool asked = session_has(now->asked);
    if (!reading->looked || session_has(now->windows)) {
        return;
    }
    if (!asked || (device->responded && !session_has(now->answered) && !linked)) {
        follow_session_abandon(follow, device,
                               reading); /* another reading was what the cloud asked for */
        return;
    }
    if (device->responded && !session_has(now->answered)) {
        follow_session_tell(follow, device, reading, ACT_respond);
    }
    follow_session_tell(follow, device, reading, ACT_window);
    touch(follow, reading);
}

static void hear_window(struct follow_session *follow, struct session_device *device)
{
    struct session_reading *reading = NULL;
    device->said = follow->observation->epoch;
    if (!device->pending) {
        device->pending = true;
        device->pending_next = follow->pending_device;
        follow->pending_device = 1 + (uint32_t)(device - follow->devices);
    }
    while (device->said == device->epoch &&
           (reading = follow_session_next(follow, device, reading)) != NULL) {
        open_window(follow, device, reading);
    }
}

/* Visible now: nothing of the device is left to commit. */
static void hear_ack(struct follow_session *follow, struct session_device *device)
{
    uint32_t at = follow->pending_readings;
    while (at != 0 && !device->left) {
        struct session_reading *reading = &follow->readings[at - 1];
        at = reading->pending_next;
        if (!reading->gone && follow_session_owner(follow, reading) == device && is_open(reading)) {
            follow_session_look(follow, device, reading, VAR_acked, 0, set_of(1));
        }
    }
}

/* Does it say something of a reading? An answer to a challenge is refused with its floor, which may
 * be a reading's counter. */
static bool is_of_reading(const struct session_device *device,
                          const struct observation *observation)
{
    return observation->kind != EVIDENCE_REJECT || observation->value == REFUSAL_DUPLICATE ||
           observation->value == REFUSAL_NO_WINDOW || observation->value == REFUSAL_DECRYPT ||
           (observation->value == REFUSAL_OLD && device->said == device->epoch);
}

static void hear_of_reading(struct follow_session *follow, struct session_device *device)
{
    struct session_reading *reading = follow_session_find(follow, device);
    if (reading == NULL || !is_of_reading(device, follow->observation)) {
        return;
    }
    if (follow->observation->kind == TRUTH_READING) {
        reading->shown = true;
    } else if (look(follow, device, reading)) {
        if (follow->observation->kind == EVIDENCE_ACCEPT) {
            accept(follow, device, reading);
        } else {
            reject(follow, device, reading);
        }
    }
}

static void hear_of_device(struct follow_session *follow, struct session_device *device)
{
    switch (follow->observation->kind) {
    case EVIDENCE_ACCEPT:
    case EVIDENCE_REJECT:
    case TRUTH_READING:
        hear_of_reading(follow, device);
        break;
    case EVIDENCE_WINDOW:
        hear_window(follow, device);
        break;
    case EVIDENCE_ACK:
        hear_ack(follow, device);
        break;
    case TRUTH_WINDOW:
        device->image = follow->observation->epoch;
        break;
    default:
        break;
    }
}

void follow_session_hear_cloud(struct follow_session *follow)
{
    const struct observation *observation = follow->observation;
    switch (observation->kind) {
    case EVIDENCE_COMMIT:
        commit(follow);
        return;
    case EVIDENCE_REFUSE:
        if (observation->value == REFUSAL_DISK) {
            roll_back(follow);
        }
        return;
    case TRUTH_DOWN:
        follow->cloud_down = true;
        follow->cloud_life++;
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
    struct session_device *device = follow_session_device_of(follow, observation->device);
    if (device != NULL) {
        hear_of_device(follow, device);
    }
}
