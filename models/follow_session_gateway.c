#include "models/follow_session_inside.h"

static struct session_place *find_place(struct session_reading *reading, uint32_t gateway)
{
    for (uint32_t i = 0; i < FOLLOW_SESSION_PLACES; i++) {
        if (reading->places[i].gateway == gateway) {
            return &reading->places[i];
        }
    }
    return NULL;
}

/* NULL: it is in too many queues, and followed no further. */
static struct session_place *find_or_add(struct follow_session *follow,
                                         struct session_device *device,
                                         struct session_reading *reading, uint32_t gateway)
{
    struct session_place *place = find_place(reading, gateway);
    if (place == NULL) {
        place = find_place(reading, 0);
        if (place == NULL) {
            follow_session_abandon(follow, device, reading);
            return NULL;
        }
        *place = (struct session_place){.gateway = gateway};
    }
    return place;
}

static int32_t rows_but(const struct session_reading *reading, int32_t change)
{
    return reading->spec.now.rows[1] + change;
}

/* ---- Custody --------------------------------------------------------------------------------- */

/* Behind a GatewayCommit, which deletes what is done, of all gateways. One that has not yet
 * committed may show such a row again. */
static void deleted(struct session_reading *reading, const struct session_place *by)
{
    for (uint32_t i = 0; i < FOLLOW_SESSION_PLACES; i++) {
        struct session_place *place = &reading->places[i];
        place->early += place != by ? place->done : 0;
        place->rows -= place->done;
        place->done = 0;
    }
}

static void commit(struct follow_session *follow, struct session_device *device,
                   struct session_reading *reading, const struct session_place *by)
{
    follow_session_tell(follow, device, reading, ACT_gateway_commit);
    deleted(reading, by);
}

/* Take the first off the list of what is to be deleted; NULL: there is none. *place: in this queue.
 */
static struct session_reading *next_deletion(struct follow_session *follow,
                                             struct session_gateway *gateway,
                                             struct session_place **place)
{
    if (gateway->deleting == 0) {
        return NULL;
    }
    struct session_reading *reading = &follow->readings[gateway->deleting - 1];
    *place = find_place(reading, gateway->number);
    if (*place == NULL) {
        return NULL; /* a place that is on the list is not given back */
    }
    gateway->deleting = (*place)->deleting_next;
    (*place)->deleting = false;
    return reading;
}

/* What was done since its last commit is deleted. */
static void commit_deletions(struct follow_session *follow, struct session_gateway *gateway)
{
    struct session_reading *reading;
    struct session_place *place;
    while ((reading = next_deletion(follow, gateway, &place)) != NULL) {
        struct session_device *device = follow_session_owner(follow, reading);
        if (place->done > 0) {
            commit(follow, device, reading, place);
        }
        place->early = 0;
        follow_session_unlist(follow, device, reading);
        if (reading->in_use) {
            follow_session_settle(follow, device, reading);
        }
    }
}

/* It fell, and forgets what was to be deleted. */
static void forget_deletions(struct follow_session *follow, struct session_gateway *gateway)
{
    struct session_reading *reading;
    struct session_place *place;
    while ((reading = next_deletion(follow, gateway, &place)) != NULL) {
        follow_session_unlist(follow, follow_session_owner(follow, reading), reading);
    }
}

/* A copy has come to a gateway. False: over a link that was given up, with another one behind it;
 * the reading is followed no further. */
static bool take(struct follow_session *follow, struct session_device *device,
                 struct session_reading *reading, uint32_t gateway)
{
    const bool here = session_has(reading->spec.now.wire) && reading->gateway == gateway;
    if (!here && reading->later_link != 0 && reading->later_gateway == gateway) {
        follow_session_bring_later(follow, device, reading);
    } else if (!here && reading->strays > 0) {
        follow_session_abandon(follow, device, reading);
        return false;
    } else if (!here && session_has(reading->spec.now.wire)) {
        /* What is on its way leads elsewhere. */
        follow_session_look(follow, device, reading, VAR_wire, 0, 0);
        return false;
    }
    follow_session_tell(follow, device, reading, ACT_insert);
    return true;
}

static void custody(struct follow_session *follow, struct session_device *device,
                    struct session_reading *reading, const struct session_gateway *gateway)
{
    struct session_place *place = find_or_add(follow, device, reading, gateway->number);
    if (place == NULL || !take(follow, device, reading, gateway->number)) {
        return;
    }
    if (!gateway->committed || gateway->commit_event != follow->observation->event) {
        /* The PUBACK that is next tells of a row that is not there. */
        follow_session_look(follow, device, reading, VAR_pubacks, 0, set_of(1));
        return;
    }
    commit(follow, device, reading, place);
    place->rows++;
}

static void refuse(struct follow_session *follow, struct session_device *device,
                   struct session_reading *reading, uint32_t gateway)
{
    const bool here = session_has(reading->spec.now.wire) && reading->gateway == gateway;
    if (!here && reading->later_link != 0 && reading->later_gateway == gateway) {
        follow_session_bring_later(follow, device, reading);
    } else if (!here) {
        reading->strays -= reading->strays > 0;
        return;
    }
    follow_session_tell(follow, device, reading, ACT_break_link);
}

/* ---- The link to the cloud ------------------------------------------------------------------- */

/* The link is over, for the spec all links to the cloud; what other gateways have under way is
 * handed over again, and answered again where it was. */
static void part(struct follow_session *follow, struct session_device *device,
                 struct session_reading *reading, struct session_place *over)
{
    const struct state *now = &reading->spec.now;
    const uint32_t confirmed = (uint32_t)now->confirms[1], flying = session_flying(reading);
    uint32_t others = 0;
    for (uint32_t i = 0; i < FOLLOW_SESSION_PLACES; i++) {
        others += &reading->places[i] != over ? reading->places[i].sent : 0;
    }
    const uint32_t mine = over->sent;
    /* Answered by a challenge, and since then there is a window: not to be answered so again. */
    const bool stale = session_has(now->windows) && !session_has(now->seen);
    over->sent = 0;
    if (others > 0 && (session_has(now->tentative) || (confirmed > 0 && (flying > 0 || stale)))) {
        follow_session_abandon(follow, device, reading); /* whose copies were answered? */
        return;
    }
    if (now->joined) {
        follow_session_tell(follow, device, reading, ACT_break_uplink);
    }
    reading->ghosts += flying < mine ? flying : mine;
    if (others == 0) {
        return;
    }
    follow_session_tell(follow, device, reading, ACT_join);
    for (uint32_t i = 0; i < others; i++) {
        follow_session_tell(follow, device, reading, ACT_forward);
    }
    for (uint32_t i = 0; i < others && confirmed > 0; i++) {
        follow_session_tell(follow, device, reading,
                            session_has(now->windows) ? ACT_duplicate : ACT_challenge);
    }
}

static void forward(struct follow_session *follow, struct session_device *device,
                    struct session_reading *reading, const struct session_gateway *gateway)
{
    const struct state *now = &reading->spec.now;
    struct session_place *place = find_place(reading, gateway->number);
    const bool over = place != NULL && place->sent > 0 && place->uplink != gateway->uplink;
    const bool anew = over || !now->joined;
    if (follow->cloud_down && anew && session_has(now->tentative)) {
        follow_session_abandon(follow, device, reading); /* is it durable? No image has told. */
        return;
    }
    if (anew || gateway->uplink_life == follow->cloud_life) {
        follow_session_catch_up(follow, device, reading);
    }
    if (over && place->sent > 0) {
        part(follow, device, reading, place);
    }
    if (reading->gone) {
        return;
    }
    const bool is_there = place != NULL && place->rows > place->done + place->sent;
    if (!is_there && gateway->is_void) {
        follow_session_abandon(follow, device, reading);
        return;
    }
    const int32_t waiting = now->rows[1] - now->done[1] - now->flying[1] - now->confirms[1] -
                            session_has(now->tentative);
    if (!is_there && waiting > 0) { /* at other gateways */
        follow_session_look(follow, device, reading, VAR_rows, 1, rows_but(reading, 1));
        return;
    }
    if (!now->joined) {
        follow_session_tell(follow, device, reading, ACT_join);
    }
    follow_session_tell(follow, device, reading, ACT_forward);
    if (place != NULL) {
        place->sent++;
        place->late = place->uplink == gateway->uplink ? place->late : 0;
        place->uplink = gateway->uplink;
    }
}

bool follow_session_show_late(struct follow_session *follow, struct session_device *device,
                              struct session_reading *reading, uint32_t gateway)
{
    for (uint32_t i = 0; i < FOLLOW_SESSION_PLACES; i++) {
        struct session_place *place = &reading->places[i];
        if (place->late > 0 && (gateway == 0 || place->gateway == gateway)) {
            if (!reading->spec.now.joined) {
                follow_session_tell(follow, device, reading, ACT_join);
            }
            follow_session_tell(follow, device, reading, ACT_forward);
            place->late--;
            place->sent++;
            return true;
        }
    }
    return false;
}

static void discharge(struct follow_session *follow, struct session_device *device,
                      struct session_reading *reading, struct session_gateway *gateway)
{
    struct session_place *place = find_place(reading, gateway->number);
    const bool is_sent = place != NULL && place->sent > 0;
    if (!is_sent && (gateway->is_void || (place != NULL && place->late > 0))) {
        follow_session_abandon(follow, device, reading);
        return;
    }
    if (!is_sent) {
        follow_session_look(follow, device, reading, VAR_confirms, 1,
                            reading->spec.now.confirms[1] + 1);
        return;
    }
    follow_session_tell(follow, device, reading, ACT_discharge);
    place->sent--;
    place->done++;
    if (!place->deleting) {
        place->deleting = true;
        place->deleting_next = gateway->deleting;
        gateway->deleting = 1 + (uint32_t)(reading - follow->readings);
        reading->lists++;
    }
}

/* ---- Images ---------------------------------------------------------------------------------- */

static void list_row(struct follow_session *follow, struct session_device *device,
                     struct session_reading *reading, const struct session_gateway *gateway)
{
    struct session_place *place = find_or_add(follow, device, reading, gateway->number);
    if (place != NULL) {
        place->listed = place->image == gateway->image ? place->listed + 1 : 1;
        place->image = gateway->image;
    }
}

/* The gateway fell: its links are over, and what was done is in its queue again. */
static void restart_gateway(struct follow_session *follow, struct session_device *device,
                            struct session_reading *reading, struct session_place *place)
{
    const struct state *now = &reading->spec.now;
    const bool linked = session_has(set_without(now->up, now->dead));
    const bool here = linked && reading->gateway == place->gateway;
    bool others = false;
    for (uint32_t i = 0; i < FOLLOW_SESSION_PLACES; i++) {
        const struct session_place *other = &reading->places[i];
        others = others || (other != place && (other->sent > 0 || other->done > 0));
    }
    if (place->sent == 0 && place->done == 0 && !here) {
        return; /* nothing of it was in RAM */
    }
    if (session_has(now->tentative)) {
        follow_session_abandon(follow, device, reading); /* the cloud fell, too: is it durable? */
        return;
    }
    if (!others && (here || !linked)) {
        const uint32_t flying = session_flying(reading);
        reading->ghosts += flying < place->sent ? flying : place->sent;
        follow_session_tell(follow, device, reading, ACT_restart_gateway);
        place->sent = place->done = 0;
        return;
    }
    if (place->done > 0) {
        follow_session_abandon(follow, device, reading);
        return;
    }
    if (place->sent > 0) {
        part(follow, device, reading, place);
    }
    if (here) {
        follow_session_tell(follow, device, reading, ACT_break_link);
    }
}

/* What was committed, and power took the word. */
static void show_custodies(struct follow_session *follow, struct session_device *device,
                           struct session_reading *reading, struct session_place *place,
                           uint32_t listed)
{
    if (listed > place->rows && place->early > 0) {
        follow_session_abandon(follow, device, reading); /* told as deleted too soon */
        return;
    }
    while (listed > place->rows && !device->left && !reading->gone &&
           take(follow, device, reading, place->gateway)) {
        commit(follow, device, reading, place);
        place->rows++;
    }
}

static void settle_image(struct follow_session *follow, struct session_device *device,
                         struct session_reading *reading, struct session_place *place,
                         const struct session_gateway *gateway)
{
    const uint32_t listed = place->image == gateway->image ? place->listed : 0;
    show_custodies(follow, device, reading, place, listed);
    if (listed < place->rows && place->done > 0) {
        commit(follow, device, reading, place);
    }
    if (listed != place->rows) {
        follow_session_look(follow, device, reading, VAR_rows, 1,
                            rows_but(reading, (int32_t)listed - (int32_t)place->rows));
    }
    place->early = 0;
    if (gateway->down) {
        restart_gateway(follow, device, reading, place);
    }
    follow_session_settle(follow, device, reading);
}

static void end_image(struct follow_session *follow, struct session_gateway *gateway)
{
    gateway->is_void = gateway->is_void || follow->observation->value != 0;
    const bool good = !gateway->is_void;
    if (gateway->down) {
        forget_deletions(follow, gateway);
    }
    for (uint32_t i = 0; i < follow->device_count; i++) {
        struct session_device *device = &follow->devices[i];
        struct session_reading *reading = NULL;
        while ((reading = follow_session_next(follow, device, reading)) != NULL) {
            struct session_place *place = find_place(reading, gateway->number);
            if (place != NULL && good) {
                settle_image(follow, device, reading, place, gateway);
            } else if (place != NULL) {
                follow_session_abandon(follow, device, reading);
            }
        }
    }
    gateway->down = false;
}

/* ---- What a gateway says --------------------------------------------------------------------- */

static void hear_of_reading(struct follow_session *follow, struct session_device *device,
                            struct session_reading *reading, struct session_gateway *gateway)
{
    switch (follow->observation->kind) {
    case EVIDENCE_CUSTODY:
        custody(follow, device, reading, gateway);
        break;
    case EVIDENCE_REFUSE:
        refuse(follow, device, reading, gateway->number);
        break;
    case EVIDENCE_FORWARD:
        forward(follow, device, reading, gateway);
        break;
    case EVIDENCE_DISCHARGE:
        discharge(follow, device, reading, gateway);
        break;
    case TRUTH_QUEUED:
        list_row(follow, device, reading, gateway);
        break;
    default:
        break;
    }
}

void follow_session_hear_gateway(struct follow_session *follow, struct session_gateway *gateway)
{
    const struct observation *observation = follow->observation;
    struct session_device *device;
    struct session_reading *reading;
    switch (observation->kind) {
    case EVIDENCE_COMMIT:
        gateway->committed = true;
        gateway->commit_event = observation->event;
        commit_deletions(follow, gateway);
        return;
    case TRUTH_LINK:
        gateway->uplink++;
        gateway->uplink_life = follow->cloud_life;
        return;
    case TRUTH_DOWN:
        gateway->down = true;
        return;
    case TRUTH_IMAGE:
        gateway->image++;
        return;
    case TRUTH_IMAGE_END:
        end_image(follow, gateway);
        return;
    case EVIDENCE_CUSTODY:
    case EVIDENCE_REFUSE:
    case EVIDENCE_FORWARD:
    case EVIDENCE_DISCHARGE:
    case TRUTH_QUEUED:
        device = follow_session_device_of(follow, observation->device);
        reading = device != NULL ? follow_session_find(follow, device) : NULL;
        if (reading != NULL) {
            hear_of_reading(follow, device, reading, gateway);
        }
        return;
    default:
        return;
    }
}

/* ---- Nobody says it: a compromised gateway ----------------------------------------------------
 */

bool follow_session_show_rogue(struct follow_session *follow, struct session_device *device,
                               struct session_reading *reading, uint32_t gateway)
{
    const bool here = session_has(reading->spec.now.wire) && reading->gateway == gateway;
    const bool later = reading->later_link != 0 && reading->later_gateway == gateway;
    struct session_place *place;
    if ((!here && !later) || (place = find_or_add(follow, device, reading, gateway)) == NULL) {
        follow_session_abandon(follow, device, reading);
        return false;
    }
    (void)take(follow, device, reading, gateway);
    commit(follow, device, reading, place);
    if (!reading->spec.now.joined) {
        follow_session_tell(follow, device, reading, ACT_join);
    }
    follow_session_tell(follow, device, reading, ACT_forward);
    place->rows = place->sent = 1;
    return true;
}

void follow_session_end_rogue(struct follow_session *follow, struct session_device *device,
                              struct session_reading *reading, uint32_t gateway)
{
    struct session_place *place = find_place(reading, gateway);
    if (place == NULL || place->sent == 0) {
        follow_session_abandon(follow, device, reading); /* the cloud fell meanwhile */
        return;
    }
    follow_session_tell(follow, device, reading, ACT_discharge);
    place->sent = 0;
    place->done = 1;
    commit(follow, device, reading, place);
    place->gateway = 0;
}
