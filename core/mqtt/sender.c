#include "core/mqtt/sender.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"

static const struct mqtt_sending nothing_sent = {0};

void mqtt_sender_init(struct mqtt_sender *sender, uint16_t inflight_max, uint16_t next_packet_id)
{
    CHECK(inflight_max >= 1);
    CHECK(inflight_max <= MQTT_INFLIGHT_MAX);
    CHECK(next_packet_id > 0);
    memset(sender, 0, sizeof *sender);
    sender->inflight_max = inflight_max;
    sender->next_packet_id = next_packet_id;
}

static struct mqtt_sending *entry_find(struct mqtt_sender *sender, uint16_t packet_id)
{
    for (uint32_t index = 0; index < sender->count; index++) {
        if (sender->entries[index].packet_id == packet_id) {
            return &sender->entries[index];
        }
    }
    return NULL;
}

static struct mqtt_request *request_find(struct mqtt_sender *sender, uint16_t packet_id)
{
    for (uint32_t index = 0; index < MQTT_REQUESTS_MAX; index++) {
        if (sender->requests[index].packet_id == packet_id) {
            return &sender->requests[index];
        }
    }
    return NULL;
}

enum err mqtt_sender_restore(struct mqtt_sender *sender, const struct mqtt_sending *entry)
{
    CHECK(sender->quota == 0);
    const bool released = entry->state == MQTT_SENDING_RELEASED;
    if (entry->packet_id == 0 || entry_find(sender, entry->packet_id) != NULL ||
        (entry->qos != 1 && entry->qos != 2) ||
        (!released && entry->state != MQTT_SENDING_UNACKED) ||
        (released && (entry->qos != 2 || sender->released_count < sender->count))) {
        return ERR_CORRUPT;
    }
    if (sender->count == MQTT_INFLIGHT_MAX) {
        return ERR_FULL;
    }
    sender->entries[sender->count] = *entry;
    sender->entries[sender->count++].due = false;
    sender->released_count = (uint16_t)(sender->released_count + released);
    return ERR_OK;
}

void mqtt_sender_connected(struct mqtt_sender *sender, uint16_t receive_maximum)
{
    CHECK(sender->quota == 0);
    CHECK(receive_maximum > 0);
    sender->quota = /* [MQTT-4.9.0-1] */
        receive_maximum < sender->inflight_max ? receive_maximum : sender->inflight_max;
    for (uint32_t index = 0; index < sender->count; index++) {
        sender->entries[index].due = true;
    }
}

void mqtt_sender_disconnected(struct mqtt_sender *sender)
{
    sender->quota = 0;
    for (uint32_t index = 0; index < sender->count; index++) {
        sender->entries[index].due = false;
    }
    memset(sender->requests, 0, sizeof sender->requests);
}

void mqtt_sender_discard(struct mqtt_sender *sender)
{
    CHECK(sender->quota == 0);
    mqtt_sender_init(sender, sender->inflight_max, sender->next_packet_id);
}

/* Ends: entries and requests are far fewer than identifiers. */
static uint16_t unused_packet_id(struct mqtt_sender *sender)
{
    _Static_assert(MQTT_INFLIGHT_MAX + MQTT_REQUESTS_MAX < UINT16_MAX, "one is always unused");
    uint16_t packet_id = sender->next_packet_id;
    while (packet_id == 0 || entry_find(sender, packet_id) != NULL ||
           request_find(sender, packet_id) != NULL) {
        packet_id++;
    }
    sender->next_packet_id = packet_id == UINT16_MAX ? 1 : (uint16_t)(packet_id + 1);
    return packet_id;
}

/* The first UNACKED entry that is still due: those behind it are, too. */
static uint32_t first_due(const struct mqtt_sender *sender)
{
    uint32_t index = sender->released_count;
    while (index < sender->count && !sender->entries[index].due) {
        index++;
    }
    return index;
}

/* What counts against the quota: all PUBLISHes of this connection, and what an older one has left
 * RELEASED, so that no way to count finds more than the peer's Receive Maximum [MQTT-3.3.4-7]
 * [MQTT-3.3.4-9]. */
static bool quota_left(const struct mqtt_sender *sender)
{
    return first_due(sender) < sender->quota;
}

uint16_t mqtt_sender_room(const struct mqtt_sender *sender)
{
    const bool open = quota_left(sender) && first_due(sender) == sender->count;
    return open ? (uint16_t)(sender->quota - sender->count) : 0;
}

enum err mqtt_sender_publish(struct mqtt_sender *sender, uint8_t qos, uint64_t tag,
                             uint16_t *packet_id)
{
    CHECK(qos == 1 || qos == 2);
    CHECK(packet_id != NULL);
    if (sender->quota == 0) {
        return ERR_CLOSED;
    }
    if (mqtt_sender_room(sender) == 0) {
        return ERR_FULL;
    }
    CHECK(sender->count < MQTT_INFLIGHT_MAX);
    *packet_id = unused_packet_id(sender);
    sender->entries[sender->count++] = (struct mqtt_sending){
        .tag = tag, .packet_id = *packet_id, .qos = qos, .state = MQTT_SENDING_UNACKED};
    return ERR_OK;
}

void mqtt_sender_take_back(struct mqtt_sender *sender, uint16_t packet_id)
{
    CHECK(sender->count > sender->released_count);
    CHECK(sender->entries[sender->count - 1].packet_id == packet_id);
    sender->entries[--sender->count] = nothing_sent;
}

enum err mqtt_sender_request(struct mqtt_sender *sender, enum mqtt_type type, uint16_t filter_count,
                             uint16_t *packet_id)
{
    CHECK(type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE);
    CHECK(filter_count > 0);
    if (sender->quota == 0) {
        return ERR_CLOSED;
    }
    struct mqtt_request *request = request_find(sender, 0);
    if (request == NULL) {
        return ERR_FULL;
    }
    *packet_id = unused_packet_id(sender);
    *request = (struct mqtt_request){*packet_id, filter_count,
                                     type == MQTT_SUBSCRIBE ? MQTT_SUBACK : MQTT_UNSUBACK};
    return ERR_OK;
}

void mqtt_sender_request_take_back(struct mqtt_sender *sender, uint16_t packet_id)
{
    CHECK(packet_id > 0);
    struct mqtt_request *request = request_find(sender, packet_id);
    CHECK(request != NULL);
    *request = (struct mqtt_request){0, 0, 0};
}

bool mqtt_sender_due(const struct mqtt_sender *sender, struct mqtt_sending *next)
{
    if (sender->quota == 0) {
        return false;
    }
    for (uint32_t index = 0; index < sender->released_count; index++) {
        if (sender->entries[index].due) {
            *next = sender->entries[index];
            return true;
        }
    }
    const uint32_t index = first_due(sender);
    if (index == sender->count || !quota_left(sender)) {
        return false;
    }
    *next = sender->entries[index];
    return true;
}

void mqtt_sender_sent(struct mqtt_sender *sender, uint16_t packet_id)
{
    struct mqtt_sending *entry = entry_find(sender, packet_id);
    CHECK(entry != NULL);
    CHECK(entry->due);
    entry->due = false;
}

static void entry_remove(struct mqtt_sender *sender, const struct mqtt_sending *entry)
{
    const uint32_t index = (uint32_t)(entry - sender->entries);
    if (entry->state == MQTT_SENDING_RELEASED) {
        sender->released_count--;
    }
    sender->count--;
    memmove(sender->entries + index, sender->entries + index + 1,
            (sender->count - index) * sizeof sender->entries[0]);
    sender->entries[sender->count] = nothing_sent;
}

void mqtt_sender_give_up(struct mqtt_sender *sender, uint16_t packet_id)
{
    const struct mqtt_sending *entry = entry_find(sender, packet_id);
    CHECK(entry != NULL);
    CHECK(entry->state == MQTT_SENDING_UNACKED);
    entry_remove(sender, entry);
}

static uint8_t take_puback(struct mqtt_sender *sender, const struct mqtt_packet *packet,
                           struct mqtt_sent *sent)
{
    const struct mqtt_sending *entry = entry_find(sender, packet->packet_id);
    if (entry == NULL || entry->qos != 1) {
        return MQTT_PROTOCOL_ERROR;
    }
    *sent = (struct mqtt_sent){MQTT_SENT_DONE, entry->tag, packet->packet_id, packet->reason};
    entry_remove(sender, entry);
    return MQTT_SUCCESS;
}

static uint8_t take_pubrec(struct mqtt_sender *sender, const struct mqtt_packet *packet,
                           struct mqtt_sent *sent)
{
    struct mqtt_sending *entry = entry_find(sender, packet->packet_id);
    const bool refused = packet->reason >= MQTT_UNSPECIFIED_ERROR;
    if (entry == NULL) { /* the peer remembers more than this end: section 4.3.3, table 3-6 */
        *sent = (struct mqtt_sent){.kind = refused ? MQTT_SENT_NOTHING : MQTT_SENT_NOT_FOUND,
                                   .packet_id = packet->packet_id};
        return MQTT_SUCCESS;
    }
    if (entry->qos != 2 || (refused && entry->state == MQTT_SENDING_RELEASED)) {
        return MQTT_PROTOCOL_ERROR;
    }
    if (refused) {
        *sent = (struct mqtt_sent){MQTT_SENT_DONE, entry->tag, packet->packet_id, packet->reason};
        entry_remove(sender, entry);
        return MQTT_SUCCESS;
    }
    if (entry->state == MQTT_SENDING_RELEASED) { /* the answer is the same [MQTT-4.3.3-4] */
        entry->due = true;
        return MQTT_SUCCESS;
    }
    struct mqtt_sending released = *entry;
    *sent = (struct mqtt_sent){MQTT_SENT_RECEIVED, entry->tag, packet->packet_id, MQTT_SUCCESS};
    entry_remove(sender, entry);
    released.state = MQTT_SENDING_RELEASED; /* its PUBLISH is never sent again [MQTT-4.3.3-6] */
    released.due = true;
    released.tag = 0;
    memmove(sender->entries + sender->released_count + 1, sender->entries + sender->released_count,
            (sender->count - (uint32_t)sender->released_count) * sizeof released);
    sender->entries[sender->released_count++] = released;
    sender->count++;
    return MQTT_SUCCESS;
}

static uint8_t take_pubcomp(struct mqtt_sender *sender, const struct mqtt_packet *packet,
                            struct mqtt_sent *sent)
{
    const struct mqtt_sending *entry = entry_find(sender, packet->packet_id);
    if (entry == NULL) { /* of a second PUBREL */
        return MQTT_SUCCESS;
    }
    if (entry->state != MQTT_SENDING_RELEASED) {
        return MQTT_PROTOCOL_ERROR;
    }
    *sent = (struct mqtt_sent){MQTT_SENT_DONE, 0, packet->packet_id, packet->reason};
    entry_remove(sender, entry);
    return MQTT_SUCCESS;
}

static uint8_t take_suback(struct mqtt_sender *sender, const struct mqtt_packet *packet,
                           struct mqtt_sent *sent)
{
    struct mqtt_request *request = request_find(sender, packet->packet_id);
    if (request == NULL || request->answer != packet->type ||
        request->filter_count != packet->payload.size_bytes) { /* [MQTT-3.8.4-6] */
        return MQTT_PROTOCOL_ERROR;
    }
    *sent = (struct mqtt_sent){.kind = MQTT_SENT_ANSWERED, .packet_id = packet->packet_id};
    *request = (struct mqtt_request){0, 0, 0};
    return MQTT_SUCCESS;
}

uint8_t mqtt_sender_take(struct mqtt_sender *sender, const struct mqtt_packet *packet,
                         struct mqtt_sent *sent)
{
    CHECK(sender->quota > 0);
    *sent = (struct mqtt_sent){.kind = MQTT_SENT_NOTHING};
    if (packet->type == MQTT_PUBACK) {
        return take_puback(sender, packet, sent);
    }
    if (packet->type == MQTT_PUBREC) {
        return take_pubrec(sender, packet, sent);
    }
    if (packet->type == MQTT_PUBCOMP) {
        return take_pubcomp(sender, packet, sent);
    }
    CHECK(packet->type == MQTT_SUBACK || packet->type == MQTT_UNSUBACK);
    return take_suback(sender, packet, sent);
}

bool mqtt_expiry_left(uint32_t interval_s, uint64_t waited_us, uint32_t *left_s)
{
    const uint64_t waited_s = waited_us / 1000000u;
    *left_s = waited_s < interval_s ? interval_s - (uint32_t)waited_s : 0;
    return waited_us <= interval_s * UINT64_C(1000000);
}
