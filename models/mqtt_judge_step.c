/* The judge of MQTT 5 sessions: what must be so behind a step, behind a power cut, and at the end.
 */
#include <stddef.h>
#include <string.h>

#include "models/mqtt_judge.h"

#define SECOND UINT64_C(1000000)

/* ---- steps ------------------------------------------------------------------------------------
 */

static void end_stepped(struct mqtt_judge *judge, uint64_t now_us,
                        struct mqtt_judge_connection *connection, bool broker)
{
    const struct mqtt_judge_end *end = broker ? &connection->broker : &connection->peer;
    const uint32_t client = connection->client;
    if (!end->open || end->blocked || end->broken) {
        return;
    }
    if (end->must_close != 0) {
        mqtt_judge_break(judge, broker ? MQTT_LAW_M14 : MQTT_LAW_M1, now_us,
                         broker ? "taken over, and still open"
                                : "Session Present without a session, and still open",
                         connection->link, client);
    }
    if (connection->touched || end->said_disconnect || end->got_disconnect ||
        client == MQTT_JUDGE_RUDE) {
        return;
    }
    if (end->puback.count > 0 || end->pubrec.count > 0 || end->pubrel.count > 0) {
        mqtt_judge_break(judge, MQTT_LAW_M19, now_us, "a step ended, and an answer is owed",
                         connection->link, client);
    }
    if (broker && connection->connected && connection->keep_alive_s > 0 &&
        now_us > end->got_us + connection->keep_alive_s * (SECOND * 3 / 2) + SECOND) {
        mqtt_judge_break(judge, MQTT_LAW_M13, now_us, "silent too long, and not given up",
                         connection->link, client);
    }
}

void mqtt_judge_stepped(struct mqtt_judge *judge, uint64_t now_us, bool broker, uint32_t client)
{
    for (uint32_t at = 0; at < MQTT_JUDGE_CONNECTIONS; at++) {
        struct mqtt_judge_connection *connection = &judge->connections[at];
        if (connection->link != 0 && (broker || connection->client == client)) {
            end_stepped(judge, now_us, connection, broker);
        }
    }
    for (uint32_t at = 0; broker && at < MQTT_JUDGE_CLIENTS; at++) {
        const struct mqtt_judge_session *session = &judge->sessions[at];
        if (session->will_state != MQTT_WILL_NONE && judge->messages[session->will].early) {
            mqtt_judge_break(judge, MQTT_LAW_M12, now_us, "a will of a client that is there",
                             session->will, at);
        }
    }
    if (!broker && judge->dup_owed[client] != 0) {
        mqtt_judge_break(judge, MQTT_LAW_M8, now_us, "a new message with DUP was not told",
                         judge->dup_owed[client], client);
    }
}

/* ---- power, the end ----------------------------------------------------------------------------
 */

static void sender_torn(struct mqtt_judge_sender *now, const struct mqtt_judge_sender *before)
{
    for (uint32_t at = 0; at < before->count; at++) {
        bool same = false;
        for (uint32_t other = 0; other < now->count; other++) {
            same = same || (now->flights[other].packet_id == before->flights[at].packet_id &&
                            now->flights[other].released == before->flights[at].released);
        }
        if (!same) { /* its answer came: remembered, or not */
            for (uint32_t other = 0; other < now->count; other++) {
                if (now->flights[other].packet_id == before->flights[at].packet_id) {
                    now->flights[other].maybe = true;
                    same = true;
                }
            }
        }
        if (!same && now->count < MQTT_JUDGE_INFLIGHT) {
            now->flights[now->count] = before->flights[at];
            now->flights[now->count++].maybe = true;
        }
    }
}

void mqtt_judge_torn(struct mqtt_judge *judge, const struct mqtt_judge *before)
{
    for (uint32_t client = 0; client < MQTT_JUDGE_CLIENTS; client++) {
        struct mqtt_judge_session *now = &judge->sessions[client];
        const struct mqtt_judge_session *was = &before->sessions[client];
        now->torn = true;
        if (now->will != was->will || now->will_state != was->will_state) {
            if (was->will != 0) {
                judge->messages[was->will].maybe = true;
            }
            if (now->will != 0) {
                judge->messages[now->will].maybe = true;
            }
            now->will_state = MQTT_WILL_NONE;
        }
        sender_torn(&now->down, &was->down);
        if (now->life != was->life || now->alive != was->alive || now->expiry_s != was->expiry_s) {
            now->life = ++judge->lives;
            now->alive = now->unsure = now->vague = true;
            now->classes = 0;
        } else if (now->classes != was->classes) {
            now->unsure = true;
            now->classes &= was->classes;
        }
    }
    for (uint32_t topic = 0; topic < MQTT_JUDGE_RETAINED; topic++) {
        uint32_t *count = &judge->retained_maybe_count[topic];
        const bool other = judge->retained[topic] != before->retained[topic];
        if (other || *count != before->retained_maybe_count[topic]) { /* or the same once more */
            *count = before->retained_maybe_count[topic];
            memcpy(judge->retained_maybe[topic], before->retained_maybe[topic],
                   sizeof judge->retained_maybe[topic]);
            if (other && *count < MQTT_JUDGE_MAYBE) {
                judge->retained_maybe[topic][(*count)++] = before->retained[topic];
            }
        }
    }
    for (uint32_t message = 1; message < MQTT_JUDGE_MESSAGES; message++) {
        struct mqtt_judge_message *row = &judge->messages[message];
        const struct mqtt_judge_message *was = &before->messages[message];
        /* What was acknowledged within this step, before the cut, is as durable as any. */
        row->maybe = row->maybe ||
                     (row->count_got != was->count_got && (row->will || row->acked == was->acked));
        for (uint32_t client = 0; client < MQTT_JUDGE_CLIENTS; client++) {
            if (row->retained_asked[client] != was->retained_asked[client]) {
                row->retained_life[client] = 0;
            }
        }
    }
}

void mqtt_judge_rude(struct mqtt_judge *judge, uint64_t now_us, uint32_t link, uint8_t reason,
                     enum mqtt_law law)
{
    const struct mqtt_judge_connection *connection = mqtt_judge_connection(judge, link);
    if (connection->broker.blocked || connection->broker.broken) {
        return;
    }
    judge->counts[law]++;
    if (connection->broker.must_close != reason) {
        mqtt_judge_break(judge, law, now_us, "the broker did not refuse it with the right reason",
                         connection->broker.must_close, MQTT_JUDGE_RUDE);
    }
    if (reason != 0 && connection->broker.open) {
        mqtt_judge_break(judge, law, now_us, "the broker refused it, and did not close", reason,
                         MQTT_JUDGE_RUDE);
    }
}

static bool reached(const struct mqtt_judge *judge, const struct mqtt_judge_message *row,
                    uint32_t client)
{
    if (!judge->sessions[client].shared || row->topic_class != MQTT_TOPIC_PLAIN) {
        return row->told[client] > 0;
    }
    if (row->share_unsure) { /* nobody knows who its members were */
        return true;
    }
    for (uint32_t other = 0; other < MQTT_JUDGE_CLIENTS; other++) {
        const struct mqtt_judge_session *session = &judge->sessions[other];
        if (session->shared && (row->told[other] > 0 || (row->to_life[other] != 0 &&
                                                         row->to_life[other] != session->life))) {
            return true; /* told, or it may have gone to a session that has ended */
        }
    }
    return false;
}

void mqtt_judge_end(struct mqtt_judge *judge, uint64_t now_us)
{
    for (uint32_t message = 1; message < MQTT_JUDGE_MESSAGES; message++) {
        const struct mqtt_judge_message *row = &judge->messages[message];
        for (uint32_t client = 0; client < MQTT_JUDGE_CLIENTS; client++) {
            const struct mqtt_judge_session *session = &judge->sessions[client];
            if (!row->acked || row->qos == 0 || row->maybe || row->has_expiry || !session->alive) {
                continue;
            }
            if (row->to_life[client] == session->life && !reached(judge, row, client)) {
                mqtt_judge_break(judge,
                                 row->will        ? MQTT_LAW_M12
                                 : row->dup_first ? MQTT_LAW_M8
                                                  : MQTT_LAW_M5,
                                 now_us, "it was acknowledged, and never came", message, client);
            }
            if (row->retained_life[client] == session->life && row->retained_told[client] == 0) {
                mqtt_judge_break(judge, MQTT_LAW_M18, now_us,
                                 "it was retained when it was asked for, and never came", message,
                                 client);
            }
        }
    }
}
