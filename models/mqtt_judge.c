/* The judge of MQTT 5 sessions: which there are, what is routed to them, wills, retained messages,
 * and what the applications are told. */
#include "models/mqtt_judge.h"

#include <stddef.h>
#include <string.h>

#define SECOND UINT64_C(1000000)

static const struct {
    const char *name, *statement;
} laws[MQTT_LAW_COUNT] = {
#define MQTT_LAW(ID, name, statement) {name, statement},
#include "models/mqtt_laws.def"
#undef MQTT_LAW
};

const char *mqtt_law_name(enum mqtt_law law)
{
    return law < MQTT_LAW_COUNT ? laws[law].name : "";
}

const char *mqtt_law_statement(enum mqtt_law law)
{
    return law < MQTT_LAW_COUNT ? laws[law].statement : "";
}

void mqtt_judge_init(struct mqtt_judge *judge, uint32_t session_expiry_max_s)
{
    memset(judge, 0, sizeof *judge);
    judge->session_expiry_max_s = session_expiry_max_s;
}

void mqtt_judge_break(struct mqtt_judge *judge, enum mqtt_law law, uint64_t now_us,
                      const char *what, uint32_t about, uint32_t client)
{
    if (!judge->broken) {
        judge->broken = true;
        judge->law = law;
        judge->what = what;
        judge->about = about;
        judge->client = client;
        judge->broken_us = now_us;
    }
}

struct mqtt_judge_connection *mqtt_judge_connection(struct mqtt_judge *judge, uint32_t link)
{
    struct mqtt_judge_connection *connection = &judge->connections[link % MQTT_JUDGE_CONNECTIONS];
    if (connection->link != link) {
        memset(connection, 0, sizeof *connection);
        connection->link = link;
        connection->broker.open = connection->peer.open = true;
        connection->broker.packet_bytes_max = connection->peer.packet_bytes_max = UINT32_MAX;
    }
    return connection;
}

void mqtt_judge_sender_clear(struct mqtt_judge_sender *sender)
{
    memset(sender, 0, sizeof *sender);
}

/* ---- routes -----------------------------------------------------------------------------------
 */

/* Of a number that is none, row 0, which nothing looks at. */
static struct mqtt_judge_message *message_at(struct mqtt_judge *judge, uint32_t message)
{
    return &judge->messages[message < MQTT_JUDGE_MESSAGES ? message : 0];
}

/* again: of QoS 2, the broker takes it as a new one only if it has forgotten it. */
static void retain(struct mqtt_judge *judge, const struct mqtt_judge_message *row, uint32_t message,
                   bool again)
{
    uint32_t *count = &judge->retained_maybe_count[row->topic];
    if (!row->retain || row->topic_class != MQTT_TOPIC_RETAINED) {
        return;
    }
    if (!again || row->qos < 2) {
        *count = 0;
    } else if (*count < MQTT_JUDGE_MAYBE) {
        judge->retained_maybe[row->topic][(*count)++] = judge->retained[row->topic];
    }
    judge->retained[row->topic] = row->empty ? 0 : message;
}

/* again: the broker may have routed it before, or not. */
static void route(struct mqtt_judge *judge, uint32_t message, bool again)
{
    struct mqtt_judge_message *row = message_at(judge, message);
    for (uint32_t client = 0; client < MQTT_JUDGE_CLIENTS; client++) {
        const struct mqtt_judge_session *session = &judge->sessions[client];
        const bool wanted = session->alive && (session->classes & (1u << row->topic_class)) != 0;
        const uint32_t life = wanted ? session->life : 0;
        row->may_life[client] = life;
        if (session->shared &&
            ((session->alive && session->unsure) || (again && row->to_life[client] != life))) {
            row->share_unsure = true;
        }
        row->to_life[client] = again && row->to_life[client] != life ? 0 : life;
    }
    retain(judge, row, message, again);
}

static void broker_publish(struct mqtt_judge *judge, const struct mqtt_seen *seen,
                           const struct mqtt_judge_connection *connection)
{
    const struct mqtt_judge_end *peer = &connection->peer;
    if (seen->message == 0 || seen->client == MQTT_JUDGE_RUDE) {
        return;
    }
    struct mqtt_judge_message *row = message_at(judge, seen->message);
    row->count_got++;
    row->last_us = seen->now_us;
    if (!row->known) {
        row->known = true;
        row->first_us = seen->now_us;
        row->qos = seen->qos;
        row->retain = seen->retain;
        row->empty = seen->empty;
        row->has_expiry = seen->has_expiry;
        row->expiry_s = seen->expiry_s;
        row->topic_class = seen->topic_class;
        row->topic = seen->topic;
        if (seen->topic_class == MQTT_TOPIC_NONE && seen->has_alias &&
            seen->alias <= MQTT_JUDGE_ALIASES && peer->alias_class[seen->alias] > 0) {
            row->topic_class = (uint8_t)(peer->alias_class[seen->alias] - 1u);
            row->topic = peer->alias_topic[seen->alias];
        }
        row->publisher = (uint8_t)seen->client;
        row->dup_first = seen->spoiled && seen->dup;
        if (row->dup_first) {
            judge->counts[MQTT_LAW_M8]++;
        }
        route(judge, seen->message, false);
    } else if (row->maybe) {
        row->maybe = false;
        route(judge, seen->message, true);
    } else if (row->qos == 1) {
        route(judge, seen->message, false);
    }
}

/* ---- wills and ends ---------------------------------------------------------------------------
 */

static void will_out(struct mqtt_judge *judge, struct mqtt_judge_session *session)
{
    if (session->will_state != MQTT_WILL_NONE) {
        struct mqtt_judge_message *row = message_at(judge, session->will);
        session->will_state = MQTT_WILL_NONE;
        row->acked = true; /* it is the broker's since CONNACK */
        row->count_got = 1;
        row->early = false;
        judge->counts[MQTT_LAW_M12]++;
        route(judge, session->will, false);
    }
}

static void session_end(struct mqtt_judge *judge, struct mqtt_judge_session *session, bool clean)
{
    will_out(judge, session);
    session->alive = false;
    session->clean = clean;
    session->expired = !clean;
    session->classes = 0;
    session->link = 0;
}

static void leave(struct mqtt_judge *judge, uint64_t now_us, struct mqtt_judge_session *session)
{
    session->link = 0;
    session->ends_us = now_us + session->expiry_s * SECOND;
    if (session->will_state == MQTT_WILL_ARMED) {
        const uint32_t delay_s =
            session->will_delay_s < session->expiry_s ? session->will_delay_s : session->expiry_s;
        session->will_state = MQTT_WILL_WAITING;
        session->will_us = now_us + delay_s * SECOND;
        if (delay_s == 0) {
            will_out(judge, session);
        }
    }
    if (session->expiry_s == 0) {
        session_end(judge, session, false);
    }
}

void mqtt_judge_sweep(struct mqtt_judge *judge, uint64_t now_us)
{
    for (uint32_t client = 0; client < MQTT_JUDGE_CLIENTS; client++) {
        struct mqtt_judge_session *session = &judge->sessions[client];
        if (!session->alive || session->link != 0) {
            continue;
        }
        if (session->will_state == MQTT_WILL_WAITING && session->will_us <= now_us) {
            will_out(judge, session);
        }
        if (session->ends_us <= now_us) {
            session_end(judge, session, false);
        }
    }
}

static void arm_will(struct mqtt_judge *judge, const struct mqtt_seen *seen,
                     struct mqtt_judge_session *session)
{
    session->will_state = MQTT_WILL_NONE; /* it came back in time */
    if (!seen->has_will || seen->message == 0) {
        return;
    }
    struct mqtt_judge_message *row = message_at(judge, seen->message);
    row->known = row->will = true;
    row->qos = seen->qos;
    row->topic_class = MQTT_TOPIC_WILL;
    row->publisher = (uint8_t)seen->client;
    session->will_state = MQTT_WILL_ARMED;
    session->will = seen->message;
    session->will_delay_s = seen->will_delay_s;
}

static void broker_connect(struct mqtt_judge *judge, const struct mqtt_seen *seen,
                           struct mqtt_judge_connection *connection)
{
    struct mqtt_judge_session *session = &judge->sessions[seen->client];
    connection->connected = true;
    connection->client = seen->client;
    if (seen->client == MQTT_JUDGE_RUDE) {
        return;
    }
    if (session->link != 0 && session->link != seen->link) {
        judge->counts[MQTT_LAW_M14]++;
        mqtt_judge_connection(judge, session->link)->broker.must_close = 0x8E;
        leave(judge, seen->now_us, session);
    }
    connection->present_any = session->alive && session->vague && !seen->clean_start;
    if (session->alive && seen->clean_start) {
        session_end(judge, session, true);
    }
    connection->present = session->alive;
    if (!session->alive) {
        session->alive = true;
        session->life = ++judge->lives;
        session->classes = 0;
        session->unsure = session->torn = session->vague = false;
    }
    session->expiry_s =
        seen->expiry_s < judge->session_expiry_max_s ? seen->expiry_s : judge->session_expiry_max_s;
    session->link = seen->link;
    arm_will(judge, seen, session);
}

/* ---- subscriptions ----------------------------------------------------------------------------
 */

static void ask_retained(struct mqtt_judge *judge, uint32_t message, uint32_t client, bool owed)
{
    if (message != 0) {
        struct mqtt_judge_message *row = message_at(judge, message);
        row->retained_asked[client]++;
        row->retained_life[client] = owed ? judge->sessions[client].life : 0;
        judge->counts[MQTT_LAW_M18]++;
    }
}

static void broker_subscribe(struct mqtt_judge *judge, const struct mqtt_seen *seen)
{
    struct mqtt_judge_session *session = &judge->sessions[seen->client];
    session->classes = seen->classes;
    session->shared = seen->shared;
    if ((seen->classes & (1u << MQTT_TOPIC_RETAINED)) == 0) {
        return;
    }
    for (uint32_t topic = 0; topic < MQTT_JUDGE_RETAINED; topic++) {
        const uint32_t count = judge->retained_maybe_count[topic];
        ask_retained(judge, judge->retained[topic], seen->client, count == 0);
        for (uint32_t at = 0; at < count; at++) {
            ask_retained(judge, judge->retained_maybe[topic][at], seen->client, false);
        }
    }
}

/* ---- what the broker sends --------------------------------------------------------------------
 */

static void broker_connack(struct mqtt_judge *judge, const struct mqtt_seen *seen,
                           struct mqtt_judge_connection *connection)
{
    struct mqtt_judge_session *session = &judge->sessions[connection->client];
    if (seen->reason != 0 || connection->client == MQTT_JUDGE_RUDE) {
        return;
    }
    const enum mqtt_law law = session->clean     ? MQTT_LAW_M2
                              : session->expired ? MQTT_LAW_M3
                                                 : MQTT_LAW_M1;
    judge->counts[MQTT_LAW_M1]++;
    judge->counts[MQTT_LAW_M2] += !connection->present && session->clean;
    judge->counts[MQTT_LAW_M3] += session->expired || connection->present;
    if (!connection->present_any && seen->session_present && !connection->present) {
        mqtt_judge_break(judge, law, seen->now_us, "Session Present, and the session had ended",
                         seen->link, connection->client);
    } else if (!connection->present_any && !seen->session_present && connection->present) {
        mqtt_judge_break(judge, MQTT_LAW_M3, seen->now_us,
                         "no Session Present, and the session had not ended", seen->link,
                         connection->client);
    }
    session->clean = session->expired = false;
    if (!seen->session_present) {
        mqtt_judge_sender_clear(&session->down);
        if (connection->present_any) {
            session->life = ++judge->lives;
            session->classes = 0;
        }
        session->unsure = false;
    }
    session->vague = false;
}

static void broker_sends_will(struct mqtt_judge *judge, const struct mqtt_seen *seen,
                              struct mqtt_judge_message *row)
{
    const struct mqtt_judge_session *session = &judge->sessions[row->publisher];
    if (row->maybe || row->count_got > 0) {
        return;
    }
    if (session->will == seen->message && session->will_state == MQTT_WILL_ARMED) {
        row->early = true; /* its connection may end within this step */
        return;
    }
    mqtt_judge_break(judge, MQTT_LAW_M12, seen->now_us, "a will whose time had not come",
                     seen->message, row->publisher);
}

static void broker_sends(struct mqtt_judge *judge, const struct mqtt_seen *seen)
{
    if (seen->message == 0 || seen->client == MQTT_JUDGE_RUDE) {
        return;
    }
    struct mqtt_judge_message *row = message_at(judge, seen->message);
    const struct mqtt_judge_session *session = &judge->sessions[seen->client];
    const uint32_t client = seen->client;
    if (!row->known) {
        mqtt_judge_break(judge, MQTT_LAW_M16, seen->now_us, "a message that nobody sent",
                         seen->message, client);
        return;
    }
    if (row->will) {
        broker_sends_will(judge, seen, row);
    }
    if (seen->retain) {
        row->retained_sent[client] = (uint8_t)(row->retained_sent[client] + !seen->dup);
        if (row->retained_sent[client] > row->retained_asked[client]) {
            mqtt_judge_break(judge, MQTT_LAW_M18, seen->now_us,
                             "marked as retained, and not retained when it was asked for",
                             seen->message, client);
        }
        return;
    }
    if (!row->will && !session->unsure && row->to_life[client] != session->life &&
        row->may_life[client] != session->life) {
        mqtt_judge_break(judge, MQTT_LAW_M2, seen->now_us,
                         "a message that was not for this session", seen->message, client);
    }
    row->fresh[client] = (uint8_t)(row->fresh[client] + !seen->dup);
    if (seen->qos > 0 && row->count_got > 0 && row->fresh[client] > row->count_got) {
        mqtt_judge_break(judge, MQTT_LAW_M4, seen->now_us, "sent as new more often than it came",
                         seen->message, client);
    }
    if (row->has_expiry && !seen->dup) {
        const uint64_t from_us = row->last_us > judge->booted_us ? row->last_us : judge->booted_us;
        if (seen->now_us > from_us + row->expiry_s * SECOND) {
            mqtt_judge_break(judge, MQTT_LAW_M10, seen->now_us, "sent as new, and had expired",
                             seen->message, client);
        }
    }
}

static void expiry_check(struct mqtt_judge *judge, const struct mqtt_seen *seen)
{
    const struct mqtt_judge_message *row = &judge->messages[seen->message];
    if (seen->message == 0 || !row->has_expiry || seen->client == MQTT_JUDGE_RUDE) {
        return;
    }
    judge->counts[MQTT_LAW_M10]++;
    const uint64_t boot_us = judge->booted_us;
    const uint64_t first_us = row->first_us; /* a restart begins anew, and may not be noticed */
    const uint64_t last_us = row->last_us > boot_us ? row->last_us : boot_us;
    const uint64_t waited_max_s = (seen->now_us - first_us) / SECOND;
    const uint64_t waited_min_s = (seen->now_us - last_us) / SECOND;
    const uint64_t low = waited_max_s < row->expiry_s ? row->expiry_s - waited_max_s : 0;
    const uint64_t high = waited_min_s < row->expiry_s ? row->expiry_s - waited_min_s : 0;
    if (!seen->has_expiry || seen->expiry_s < low || seen->expiry_s > high) {
        mqtt_judge_break(judge, MQTT_LAW_M10, seen->now_us,
                         "Message Expiry is not what was left of it", seen->message, seen->client);
    }
}

/* ---- both ends --------------------------------------------------------------------------------
 */

static void broker_packet(struct mqtt_judge *judge, const struct mqtt_seen *seen,
                          struct mqtt_judge_connection *connection)
{
    struct mqtt_judge_session *session = &judge->sessions[seen->client];
    enum { CONNECT = 1, CONNACK, PUBLISH, SUBSCRIBE = 8, DISCONNECT = 14 };
    if (seen->sent && seen->type == CONNACK) {
        broker_connack(judge, seen, connection);
    } else if (seen->sent && seen->type == PUBLISH) {
        broker_sends(judge, seen);
        expiry_check(judge, seen);
    } else if (seen->sent || connection->broker.said_disconnect) {
        return;
    } else if (seen->type == CONNECT && !connection->connected) {
        broker_connect(judge, seen, connection);
    } else if (seen->type == PUBLISH) {
        broker_publish(judge, seen, connection);
    } else if (seen->type == SUBSCRIBE && seen->client != MQTT_JUDGE_RUDE) {
        broker_subscribe(judge, seen);
    } else if (seen->type == DISCONNECT && session->link == seen->link) {
        if (seen->has_expiry) {
            session->expiry_s = seen->expiry_s < judge->session_expiry_max_s
                                    ? seen->expiry_s
                                    : judge->session_expiry_max_s;
        }
        if (seen->reason == 0) {
            judge->counts[MQTT_LAW_M12] += session->will_state == MQTT_WILL_ARMED;
            session->will_state = MQTT_WILL_NONE;
        }
    }
}

/* PUBACK and PUBREC of the broker: the message is its own from here on. */
static void broker_owns(struct mqtt_judge *judge, const struct mqtt_seen *seen)
{
    const struct mqtt_judge_sender *up = &judge->up[seen->client];
    for (uint32_t at = 0; at < up->count; at++) {
        const struct mqtt_judge_flight *flight = &up->flights[at];
        if (flight->packet_id == seen->packet_id && flight->message != 0 && !flight->released) {
            struct mqtt_judge_message *row = message_at(judge, flight->message);
            judge->counts[MQTT_LAW_M5] += !row->acked;
            row->acked = row->acked || row->count_got > 0;
        }
    }
}

void mqtt_judge_packet(struct mqtt_judge *judge, const struct mqtt_seen *seen)
{
    if (seen->client >= MQTT_JUDGE_CLIENTS || seen->message >= MQTT_JUDGE_MESSAGES) {
        return;
    }
    struct mqtt_judge_connection *connection = mqtt_judge_connection(judge, seen->link);
    connection->client = seen->client;
    connection->touched = connection->touched || seen->spoiled;
    if (seen->by_broker) {
        broker_packet(judge, seen, connection);
        if (seen->sent && (seen->type == 4 || seen->type == 5) && seen->reason < 0x80) {
            broker_owns(judge, seen);
        }
    } else if (!seen->sent && seen->type == 3 && seen->qos == 1 && seen->spoiled && seen->dup) {
        judge->dup_owed[seen->client] = seen->message;
        judge->counts[MQTT_LAW_M8]++;
    }
    if (seen->client != MQTT_JUDGE_RUDE || seen->by_broker) {
        mqtt_judge_wire(judge, seen, connection);
    }
}

void mqtt_judge_told(struct mqtt_judge *judge, uint64_t now_us, uint32_t client, uint32_t message,
                     bool retained, bool accepted)
{
    struct mqtt_judge_message *row = message_at(judge, message);
    if (judge->dup_owed[client] == message) {
        judge->dup_owed[client] = 0;
    }
    if (retained) {
        row->retained_told[client]++;
        if (row->retained_told[client] > row->retained_asked[client] && row->qos == 2 && accepted) {
            mqtt_judge_break(judge, MQTT_LAW_M18, now_us, "a retained message came twice", message,
                             client);
        }
        return;
    }
    row->told[client]++;
    uint32_t sum = row->told[client];
    if (judge->sessions[client].shared) {
        sum = 0;
        for (uint32_t other = 0; other < MQTT_JUDGE_CLIENTS; other++) {
            sum += judge->sessions[other].shared ? row->told[other] : 0;
        }
    }
    judge->counts[MQTT_LAW_M6] += row->qos == 2;
    if (row->qos == 2 && accepted && sum > 1) {
        mqtt_judge_break(judge, row->will ? MQTT_LAW_M12 : MQTT_LAW_M6, now_us,
                         "a message of QoS 2 was told twice", message, client);
    }
    /* What comes again to a share may go to another member: no order there. */
    if (row->topic_class != MQTT_TOPIC_WILL && row->told[client] == 1 &&
        !judge->sessions[client].shared) {
        uint32_t *newest =
            &judge->newest[client][row->publisher][row->topic_class * 3u + row->topic][row->qos];
        judge->counts[MQTT_LAW_M17]++;
        if (message < *newest) {
            mqtt_judge_break(judge, MQTT_LAW_M17, now_us, "told behind a newer one of its topic",
                             message, client);
        }
        *newest = message;
    }
}

void mqtt_judge_closed(struct mqtt_judge *judge, uint64_t now_us, uint32_t link, bool broker,
                       bool by_itself)
{
    struct mqtt_judge_connection *connection = mqtt_judge_connection(judge, link);
    struct mqtt_judge_end *end = broker ? &connection->broker : &connection->peer;
    struct mqtt_judge_session *session = &judge->sessions[connection->client];
    if (broker && by_itself && connection->connected && end->open) {
        judge->counts[MQTT_LAW_M16]++;
        if (!end->got_disconnect && !end->said_disconnect && !end->blocked && !end->broken) {
            mqtt_judge_break(judge, MQTT_LAW_M16, now_us,
                             "the broker closed without DISCONNECT, and without a cause", link,
                             connection->client);
        }
    }
    end->open = false;
    if (broker && session->alive && session->link == link &&
        connection->client != MQTT_JUDGE_RUDE) {
        leave(judge, now_us, session);
    }
}

void mqtt_judge_blocked(struct mqtt_judge *judge, uint32_t link, bool broker, bool blocked,
                        bool failed)
{
    struct mqtt_judge_connection *connection = mqtt_judge_connection(judge, link);
    struct mqtt_judge_end *end = broker ? &connection->broker : &connection->peer;
    end->blocked = blocked;
    if (!broker && blocked && connection->client < MQTT_JUDGE_CLIENTS) {
        judge->up[connection->client].held = true;
    }
    end->broken = end->broken || failed;
}

/* ---- restarts -------------------------------------------------------------------------------- */

void mqtt_judge_broker_up(struct mqtt_judge *judge, uint64_t now_us)
{
    judge->booted_us = now_us;
    for (uint32_t at = 0; at < MQTT_JUDGE_CONNECTIONS; at++) {
        judge->connections[at].broker.open = false;
    }
    for (uint32_t client = 0; client < MQTT_JUDGE_CLIENTS; client++) {
        struct mqtt_judge_session *session = &judge->sessions[client];
        if (!session->alive) {
            continue;
        }
        if (session->expiry_s == 0 && !session->vague) { /* it was in memory, with its will */
            session->will_state = MQTT_WILL_NONE;
            session_end(judge, session, false);
            continue;
        }
        if (session->will_state == MQTT_WILL_WAITING) {
            session->will_state = MQTT_WILL_ARMED;
        }
        if (session->expiry_s == 0) {
            session->expiry_s = judge->session_expiry_max_s;
        }
        leave(judge, now_us, session);
    }
}

void mqtt_judge_client_up(struct mqtt_judge *judge, uint32_t client, bool with_session)
{
    if (!with_session) {
        mqtt_judge_sender_clear(&judge->up[client]);
    }
    judge->dup_owed[client] = 0;
}
