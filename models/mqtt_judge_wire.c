/* The judge of MQTT 5 sessions: what one end of a connection may send, and what it owes. */
#include <stddef.h>
#include <string.h>

#include "models/mqtt_judge.h"

#define SECOND UINT64_C(1000000)

enum type {
    CONNECT = 1,
    CONNACK,
    PUBLISH,
    PUBACK,
    PUBREC,
    PUBREL,
    PUBCOMP,
    SUBSCRIBE,
    SUBACK,
    UNSUBSCRIBE,
    UNSUBACK,
    PINGREQ,
    PINGRESP,
    DISCONNECT,
    AUTH,
};

/* What one call works with. */
struct look {
    struct mqtt_judge *judge;
    const struct mqtt_seen *seen;
    struct mqtt_judge_connection *connection;
    struct mqtt_judge_end *self, *other;
    struct mqtt_judge_sender *sender; /* of self; NULL: the rude one's */
};

static void wrong(const struct look *look, enum mqtt_law law, const char *what)
{
    mqtt_judge_break(look->judge, law, look->seen->now_us, what,
                     look->seen->message != 0 ? look->seen->message : look->seen->packet_id,
                     look->seen->client);
}

/* ---- what is in flight ------------------------------------------------------------------------
 */

static struct mqtt_judge_flight *flight_find(struct mqtt_judge_sender *sender, uint16_t packet_id)
{
    for (uint32_t at = 0; at < sender->count; at++) {
        if (sender->flights[at].packet_id == packet_id) {
            return &sender->flights[at];
        }
    }
    return NULL;
}

static void flight_remove(struct mqtt_judge_sender *sender, const struct mqtt_judge_flight *flight)
{
    const uint32_t at = (uint32_t)(flight - sender->flights);
    sender->count--;
    memmove(sender->flights + at, sender->flights + at + 1,
            (sender->count - at) * sizeof sender->flights[0]);
}

static void sent_new(const struct look *look, struct mqtt_judge_flight *flight)
{
    const struct mqtt_seen *seen = look->seen;
    struct mqtt_judge_sender *sender = look->sender;
    look->judge->counts[MQTT_LAW_M7]++;
    if (flight != NULL && !flight->maybe) {
        wrong(look, flight->message == seen->message ? MQTT_LAW_M4 : MQTT_LAW_M7,
              flight->message == seen->message ? "sent again without DUP"
                                               : "a packet identifier that is in flight");
    }
    if (flight != NULL) {
        flight_remove(sender, flight);
    }
    if (sender->count == MQTT_JUDGE_INFLIGHT) {
        wrong(look, MQTT_LAW_M9, "more in flight than any Receive Maximum here");
        return;
    }
    sender->flights[sender->count++] = (struct mqtt_judge_flight){
        .packet_id = seen->packet_id, .message = seen->message, .link = seen->link};
}

static void sent_again(const struct look *look, struct mqtt_judge_flight *flight)
{
    const struct mqtt_seen *seen = look->seen;
    look->judge->counts[MQTT_LAW_M4]++;
    if (flight == NULL &&
        (seen->by_broker ? look->judge->sessions[seen->client].torn : look->sender->held)) {
        sent_new(look, NULL); /* stored, or held back, when power or the link went */
        return;
    }
    if (flight == NULL) {
        wrong(look, MQTT_LAW_M4, "sent again, and not in flight");
        return;
    }
    if (flight->message != seen->message) {
        wrong(look, MQTT_LAW_M4, "sent again with another identifier");
    }
    if (flight->released && !flight->maybe) {
        wrong(look, MQTT_LAW_M6, "PUBLISH behind PUBREC");
    }
    if (flight->link == seen->link) {
        wrong(look, MQTT_LAW_M4, "sent again on the same connection");
    }
    for (uint32_t at = 0; &look->sender->flights[at] != flight; at++) {
        const struct mqtt_judge_flight *before = &look->sender->flights[at];
        if (!before->released && !before->maybe && !flight->maybe && before->link != seen->link) {
            wrong(look, MQTT_LAW_M4, "sent again ahead of an older one");
        }
    }
    flight->link = seen->link;
    flight->released = false;
}

/* ---- what is owed -----------------------------------------------------------------------------
 */

static void owe(struct mqtt_judge_owed *owed, uint16_t packet_id)
{
    if (owed->count < MQTT_JUDGE_INFLIGHT) {
        owed->ids[owed->count++] = packet_id;
    }
}

/* must: an answer that nothing asked for is wrong. */
static void pay(const struct look *look, struct mqtt_judge_owed *owed, bool must)
{
    uint32_t at = 0;
    while (at < owed->count && owed->ids[at] != look->seen->packet_id) {
        at++;
    }
    if (at == owed->count) {
        if (must && !look->connection->touched) {
            wrong(look, MQTT_LAW_M17, "an answer to nothing");
        }
        return;
    }
    look->judge->counts[MQTT_LAW_M17]++;
    look->judge->counts[MQTT_LAW_M19]++;
    if (at > 0) {
        wrong(look, MQTT_LAW_M17, "an answer ahead of an older one");
    }
    owed->count--;
    memmove(owed->ids + at, owed->ids + at + 1, (owed->count - at) * sizeof owed->ids[0]);
}

/* ---- PUBLISH ----------------------------------------------------------------------------------
 */

static void alias(const struct look *look)
{
    const struct mqtt_seen *seen = look->seen;
    struct mqtt_judge_end *self = look->self;
    if (!seen->has_alias && seen->topic_class == MQTT_TOPIC_NONE) {
        wrong(look, MQTT_LAW_M11, "neither topic nor alias");
    }
    if (!seen->has_alias) {
        return;
    }
    look->judge->counts[MQTT_LAW_M11]++;
    if (seen->alias == 0 || seen->alias > self->alias_maximum || seen->alias > MQTT_JUDGE_ALIASES) {
        wrong(look, MQTT_LAW_M11, "an alias beyond what the peer takes");
        return;
    }
    if (seen->topic_class != MQTT_TOPIC_NONE) {
        self->alias_class[seen->alias] = (uint8_t)(seen->topic_class + 1u);
        self->alias_topic[seen->alias] = seen->topic;
        return;
    }
    const struct mqtt_judge_message *row = &look->judge->messages[seen->message];
    if (self->alias_class[seen->alias] == 0) {
        wrong(look, MQTT_LAW_M11, "an alias that was not given on this connection");
    } else if (row->known && !row->will &&
               (self->alias_class[seen->alias] != row->topic_class + 1u ||
                self->alias_topic[seen->alias] != row->topic)) {
        wrong(look, MQTT_LAW_M11, "an alias of another topic");
    }
}

static void sent_publish(const struct look *look)
{
    const struct mqtt_seen *seen = look->seen;
    struct mqtt_judge_end *self = look->self;
    alias(look);
    if (seen->qos == 0 || look->sender == NULL) {
        return;
    }
    struct mqtt_judge_flight *flight = flight_find(look->sender, seen->packet_id);
    if (seen->dup) {
        sent_again(look, flight);
    } else {
        look->sender->held = false; /* behind all that is sent again */
        sent_new(look, flight);
    }
    look->judge->counts[MQTT_LAW_M9]++;
    if (self->inflight >= self->receive_maximum) {
        wrong(look, MQTT_LAW_M9, "more in flight than the peer's Receive Maximum");
    }
    if (self->inflight < MQTT_JUDGE_INFLIGHT) {
        self->inflight_ids[self->inflight++] = seen->packet_id;
    }
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static void room_again(const struct look *look)
{
    struct mqtt_judge_end *self = look->self;
    for (uint32_t at = 0; at < self->inflight; at++) {
        if (self->inflight_ids[at] == look->seen->packet_id) {
            self->inflight_ids[at] = self->inflight_ids[--self->inflight];
            return;
        }
    }
}

static void got_answer(const struct look *look)
{
    const struct mqtt_seen *seen = look->seen;
    struct mqtt_judge_flight *flight =
        look->sender == NULL ? NULL : flight_find(look->sender, seen->packet_id);
    if (seen->type == PUBREC && seen->reason < 0x80) {
        owe(&look->self->pubrel, seen->packet_id);
        if (flight != NULL) {
            flight->released = true;
        }
        return;
    }
    if (flight != NULL) {
        flight_remove(look->sender, flight);
    }
    room_again(look);
}

/* ---- reasons ----------------------------------------------------------------------------------
 */

bool mqtt_judge_listed(uint8_t type, uint8_t reason)
{
    static const uint8_t connack[] = {0,    0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86,
                                      0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
                                      0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F};
    static const uint8_t taken[] = {0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
    static const uint8_t released[] = {0, 0x92};
    static const uint8_t disconnect[] = {0,    0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D,
                                         0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
                                         0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2};
    const uint8_t *list = NULL;
    uint32_t count = 0;
    if (type == CONNACK) {
        list = connack, count = sizeof connack;
    } else if (type == PUBACK || type == PUBREC) {
        list = taken, count = sizeof taken;
    } else if (type == PUBREL || type == PUBCOMP) {
        list = released, count = sizeof released;
    } else if (type == DISCONNECT) {
        list = disconnect, count = sizeof disconnect;
    }
    for (uint32_t at = 0; at < count; at++) {
        if (list[at] == reason) {
            return true;
        }
    }
    return list == NULL;
}

static void sent_disconnect(const struct look *look)
{
    const struct mqtt_seen *seen = look->seen;
    const struct mqtt_judge_connection *connection = look->connection;
    look->self->said_disconnect = true;
    if (seen->client == MQTT_JUDGE_RUDE) {
        look->self->must_close = seen->reason; /* what the rude one was told; it must match */
        return;
    }
    const uint8_t expected = look->self->must_close;
    look->self->must_close = 0;
    if (seen->by_broker && seen->reason == 0x8D) {
        const uint64_t limit_us = connection->keep_alive_s * (SECOND * 3 / 2);
        look->judge->counts[MQTT_LAW_M13]++;
        if (connection->keep_alive_s == 0 || seen->now_us < look->self->got_us + limit_us) {
            wrong(look, MQTT_LAW_M13, "given up before its time");
        }
        if (look->other->open && !look->other->blocked && !look->other->broken &&
            look->other->receive_maximum > 0 && /* CONNACK has come */
            look->other->sent_us + connection->keep_alive_s * SECOND + SECOND < seen->now_us) {
            wrong(look, MQTT_LAW_M13, "a client was silent for longer than it may be");
        }
        return;
    }
    if (seen->by_broker && expected != 0) {
        if (seen->reason != expected) {
            wrong(look, MQTT_LAW_M14, "taken over, and told another reason");
        }
        return;
    }
    if (seen->by_broker && seen->reason == 0x8E) {
        wrong(look, MQTT_LAW_M14, "taken over, and by nobody");
    } else if (seen->reason >= 0x80 && !connection->touched) {
        wrong(look, MQTT_LAW_M16, "accused, and had done nothing wrong");
    }
}

/* ---- all --------------------------------------------------------------------------------------
 */

static void sent(const struct look *look)
{
    const struct mqtt_seen *seen = look->seen;
    struct mqtt_judge_end *self = look->self;
    look->judge->counts[MQTT_LAW_M15]++;
    look->judge->counts[MQTT_LAW_M20] += seen->reason != 0;
    if (self->said_disconnect) {
        wrong(look, MQTT_LAW_M16, "something behind DISCONNECT");
    }
    if (seen->size_bytes > self->packet_bytes_max) {
        wrong(look, MQTT_LAW_M15, "larger than the peer takes");
    }
    if (!mqtt_judge_listed(seen->type, seen->reason)) {
        wrong(look, MQTT_LAW_M20, "a reason that the standard does not list here");
    }
    if (!seen->by_broker && self->must_close != 0 && seen->type != DISCONNECT) {
        wrong(look, MQTT_LAW_M1, "it went on with a session that it does not have");
    }
    if (!seen->by_broker && seen->type != CONNECT && look->connection->keep_alive_s > 0 &&
        !self->blocked && self->receive_maximum > 0) {
        look->judge->counts[MQTT_LAW_M13]++;
        if (seen->now_us > self->sent_us + look->connection->keep_alive_s * SECOND + SECOND) {
            wrong(look, MQTT_LAW_M13, "a client was silent for longer than it may be");
        }
    }
    self->sent_us = seen->now_us;
    if (seen->type == PUBLISH) {
        sent_publish(look);
    } else if (seen->type == PUBACK) {
        pay(look, &self->puback, true);
    } else if (seen->type == PUBREC) {
        pay(look, &self->pubrec, true);
    } else if (seen->type == PUBREL) {
        pay(look, &self->pubrel, false);
    } else if (seen->type == DISCONNECT) {
        sent_disconnect(look);
    } else if (seen->type == CONNECT) {
        look->connection->clean_said = seen->clean_start;
    } else if (seen->type == CONNACK && seen->reason != 0) {
        self->said_disconnect = true;
        if (seen->client == MQTT_JUDGE_RUDE) {
            self->must_close = seen->reason;
        } else if (!look->connection->touched) {
            wrong(look, MQTT_LAW_M16, "refused, and had done nothing wrong");
        }
    }
}

static void limits(const struct look *look)
{
    const struct mqtt_seen *seen = look->seen;
    look->self->receive_maximum = seen->receive_maximum;
    look->self->alias_maximum = seen->alias_maximum;
    look->self->packet_bytes_max = seen->packet_bytes_max;
}

static void got(const struct look *look)
{
    const struct mqtt_seen *seen = look->seen;
    struct mqtt_judge_end *self = look->self;
    self->got_us = seen->now_us;
    if (seen->type == CONNECT) {
        limits(look);
        look->connection->keep_alive_s = seen->keep_alive_s;
    } else if (seen->type == CONNACK && seen->reason == 0) {
        limits(look);
        self->sent_us = seen->now_us; /* in front of it nothing is to be sent */
        if (seen->session_present && look->connection->clean_said) {
            look->judge->counts[MQTT_LAW_M1]++;
            self->must_close = 0x82;
        } else if (!seen->session_present) {
            mqtt_judge_sender_clear(&look->judge->up[seen->client]);
        }
    } else if (seen->type == PUBLISH && seen->qos > 0) {
        owe(seen->qos == 1 ? &self->puback : &self->pubrec, seen->packet_id);
    } else if (seen->type == PUBACK || seen->type == PUBREC || seen->type == PUBCOMP) {
        got_answer(look);
    } else if (seen->type == DISCONNECT) {
        self->got_disconnect = true;
    }
}

void mqtt_judge_wire(struct mqtt_judge *judge, const struct mqtt_seen *seen,
                     struct mqtt_judge_connection *connection)
{
    struct look look = {.judge = judge,
                        .seen = seen,
                        .connection = connection,
                        .self = seen->by_broker ? &connection->broker : &connection->peer,
                        .other = seen->by_broker ? &connection->peer : &connection->broker};
    if (seen->client != MQTT_JUDGE_RUDE) {
        look.sender =
            seen->by_broker ? &judge->sessions[seen->client].down : &judge->up[seen->client];
    }
    if (seen->sent) {
        if (seen->by_broker && seen->type == CONNACK && seen->has_keep_alive) {
            connection->keep_alive_s = seen->keep_alive_s;
        }
        sent(&look);
    } else {
        got(&look);
    }
}
