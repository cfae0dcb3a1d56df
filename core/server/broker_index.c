/* How the broker finds its rows: by hash, in tables of the caller's memory. Chains are of rows, so
 * that no answer depends on an address; what hostile names make collide costs what a table without
 * an index would. */
#include <stddef.h>

#include "core/check.h"
#include "core/mqtt/filter.h"
#include "core/server/broker_inside.h"

/* FNV-1a, 32 bits. */
enum { HASH_PRIME = 16777619 };
#define HASH_BASIS UINT32_C(2166136261)

static uint32_t hash_byte(uint32_t hash, uint8_t byte)
{
    return (hash ^ byte) * HASH_PRIME;
}

static uint32_t hash_text(struct mqtt_slice text)
{
    uint32_t hash = HASH_BASIS;
    for (uint32_t index = 0; index < text.size_bytes; index++) {
        hash = hash_byte(hash, text.bytes[index]);
    }
    return hash;
}

uint32_t broker_buckets(uint32_t rows)
{
    uint32_t count = 1;
    while (count < rows) {
        count *= 2;
    }
    return count;
}

void broker_buckets_init(struct broker_buckets *buckets, uint32_t *memory, uint32_t rows)
{
    *buckets = (struct broker_buckets){memory, broker_buckets(rows)};
    for (uint32_t index = 0; index < buckets->count; index++) {
        memory[index] = BROKER_NONE;
    }
}

static uint32_t *bucket(const struct broker_buckets *buckets, uint32_t hash)
{
    return &buckets->first[(hash ^ hash >> 16) & (buckets->count - 1)];
}

/* --- connections, by the handle of their link */

static uint32_t *bucket_of_link(const struct broker *broker, uint32_t link)
{
    return bucket(&broker->by_link, link);
}

struct broker_connection *broker_connection_find(struct broker *broker, uint32_t link)
{
    for (uint32_t row = *bucket_of_link(broker, link); row != BROKER_NONE;
         row = broker->connections[row].next) {
        if (broker->connections[row].link == link) {
            return &broker->connections[row];
        }
    }
    return NULL;
}

void broker_connection_index(struct broker *broker, uint32_t row)
{
    uint32_t *first = bucket_of_link(broker, broker->connections[row].link);
    broker->connections[row].next = *first;
    *first = row;
}

void broker_connection_unindex(struct broker *broker, uint32_t row)
{
    uint32_t *at = bucket_of_link(broker, broker->connections[row].link);
    while (*at != row) {
        CHECK(*at != BROKER_NONE);
        at = &broker->connections[*at].next;
    }
    *at = broker->connections[row].next;
}

/* --- sessions, by the name of their client */

static uint32_t *bucket_of_client(const struct broker *broker, struct mqtt_slice client)
{
    return bucket(&broker->by_client, hash_text(client));
}

struct broker_session *broker_session_find(struct broker *broker, struct mqtt_slice client)
{
    for (uint32_t row = *bucket_of_client(broker, client); row != BROKER_NONE;
         row = broker->sessions[row].next) {
        struct broker_session *session = &broker->sessions[row];
        if (mqtt_slice_equal(broker_slice(&session->client), client)) {
            return session; /* [MQTT-3.1.3-2] */
        }
    }
    return NULL;
}

void broker_session_index(struct broker *broker, uint32_t row)
{
    uint32_t *first = bucket_of_client(broker, broker_slice(&broker->sessions[row].client));
    broker->sessions[row].next = *first;
    *first = row;
}

void broker_session_unindex(struct broker *broker, uint32_t row)
{
    uint32_t *at = bucket_of_client(broker, broker_slice(&broker->sessions[row].client));
    while (*at != row) {
        CHECK(*at != BROKER_NONE);
        at = &broker->sessions[*at].next;
    }
    *at = broker->sessions[row].next;
}

/* --- retained messages, by their topic */

static struct mqtt_slice topic_of(const struct broker *broker, uint32_t row)
{
    struct mqtt_packet packet;
    broker_message_read(broker, broker->retained[row].message, &packet);
    return packet.topic;
}

static uint32_t *bucket_of_topic(const struct broker *broker, struct mqtt_slice topic)
{
    return bucket(&broker->by_topic, hash_text(topic));
}

uint32_t broker_retained_find(const struct broker *broker, struct mqtt_slice topic)
{
    uint32_t row = *bucket_of_topic(broker, topic);
    while (row != BROKER_NONE && !mqtt_slice_equal(topic_of(broker, row), topic)) {
        row = broker->retained[row].next;
    }
    return row;
}

void broker_retained_index(struct broker *broker, uint32_t row)
{
    uint32_t *first = bucket_of_topic(broker, topic_of(broker, row));
    broker->retained[row].next = *first;
    *first = row;
}

void broker_retained_unindex(struct broker *broker, uint32_t row)
{
    uint32_t *at = bucket_of_topic(broker, topic_of(broker, row));
    while (*at != row) {
        CHECK(*at != BROKER_NONE);
        at = &broker->retained[*at].next;
    }
    *at = broker->retained[row].next;
}

/* --- subscriptions, by the levels of their filters in front of the first wildcard */

static uint32_t level_end(struct mqtt_slice text, uint32_t from)
{
    while (from < text.size_bytes && text.bytes[from] != '/') {
        from++;
    }
    return from;
}

static uint32_t hash_level(uint32_t hash, struct mqtt_slice text, uint32_t from, uint32_t to)
{
    for (uint32_t index = from; index < to; index++) {
        hash = hash_byte(hash, text.bytes[index]);
    }
    return hash_byte(hash, '/');
}

static bool is_wildcard(struct mqtt_slice filter, uint32_t from, uint32_t to)
{
    return to == from + 1 && (filter.bytes[from] == '+' || filter.bytes[from] == '#');
}

static uint32_t *bucket_of_key(const struct broker *broker, uint32_t key)
{
    return bucket(&broker->by_filter, key);
}

static bool same_share(const struct broker *broker, uint32_t left, uint32_t right)
{
    const struct broker_subscription *one = &broker->subscriptions[left];
    const struct broker_subscription *other = &broker->subscriptions[right];
    return one->key == other->key && one->shared && other->shared &&
           mqtt_slice_equal(broker_slice(&one->filter), broker_slice(&other->filter));
}

void broker_subscription_index(struct broker *broker, uint32_t row)
{
    struct broker_subscription *one = &broker->subscriptions[row];
    struct mqtt_slice share, inner;
    one->shared = mqtt_filter_shared(broker_slice(&one->filter), &share, &inner);
    one->key = HASH_BASIS;
    one->levels = 0;
    for (uint32_t from = 0; from <= inner.size_bytes;) {
        const uint32_t to = level_end(inner, from);
        if (is_wildcard(inner, from, to)) {
            break;
        }
        one->key = hash_level(one->key, inner, from, to);
        one->levels++;
        from = to + 1;
    }
    uint32_t *first = bucket_of_key(broker, one->key);
    one->leads = one->shared;
    for (uint32_t other = *first; one->leads && other != BROKER_NONE;
         other = broker->subscriptions[other].next) {
        one->leads = !same_share(broker, row, other);
    }
    one->previous = BROKER_NONE;
    one->next = *first;
    if (*first != BROKER_NONE) {
        broker->subscriptions[*first].previous = row;
    }
    *first = row;
    struct broker_session *session = &broker->sessions[one->session];
    one->previous_of_session = BROKER_NONE;
    one->next_of_session = session->subscriptions;
    if (session->subscriptions != BROKER_NONE) {
        broker->subscriptions[session->subscriptions].previous_of_session = row;
    }
    session->subscriptions = row;
}

void broker_subscription_unindex(struct broker *broker, uint32_t row)
{
    struct broker_subscription *one = &broker->subscriptions[row];
    struct broker_subscription *all = broker->subscriptions;
    uint32_t *first = bucket_of_key(broker, one->key);
    for (uint32_t other = *first; one->leads && other != BROKER_NONE; other = all[other].next) {
        if (other != row && same_share(broker, row, other)) { /* the next one stands for all */
            all[other].leads = true;
            all[other].turn = one->turn;
            one->leads = false;
        }
    }
    *(one->previous == BROKER_NONE ? first : &all[one->previous].next) = one->next;
    if (one->next != BROKER_NONE) {
        all[one->next].previous = one->previous;
    }
    *(one->previous_of_session == BROKER_NONE ? &broker->sessions[one->session].subscriptions
                                              : &all[one->previous_of_session].next_of_session) =
        one->next_of_session;
    if (one->next_of_session != BROKER_NONE) {
        all[one->next_of_session].previous_of_session = one->previous_of_session;
    }
}

void broker_matches_begin(const struct broker *broker, struct mqtt_slice topic,
                          struct broker_matches *matches)
{
    *matches = (struct broker_matches){.topic = topic, .key = HASH_BASIS};
    matches->row = *bucket_of_key(broker, matches->key);
}

/* One more level of the topic. False: there is none. */
static bool next_key(const struct broker *broker, struct broker_matches *matches)
{
    const struct mqtt_slice topic = matches->topic;
    if (matches->from > topic.size_bytes) {
        return false;
    }
    const uint32_t to = level_end(topic, matches->from);
    matches->key = hash_level(matches->key, topic, matches->from, to);
    matches->from = to + 1;
    matches->levels++;
    matches->row = *bucket_of_key(broker, matches->key);
    return true;
}

uint32_t broker_matches_next(const struct broker *broker, struct broker_matches *matches)
{
    do {
        while (matches->row != BROKER_NONE) {
            const uint32_t row = matches->row;
            const struct broker_subscription *one = &broker->subscriptions[row];
            matches->row = one->next;
            if (one->key == matches->key && one->levels == matches->levels &&
                broker_subscription_matches(one, matches->topic)) {
                return row;
            }
        }
    } while (next_key(broker, matches));
    return BROKER_NONE;
}

bool broker_subscription_matches(const struct broker_subscription *one, struct mqtt_slice topic)
{
    struct mqtt_slice share, inner;
    (void)mqtt_filter_shared(broker_slice(&one->filter), &share, &inner);
    return mqtt_filter_matches(inner, topic);
}

/* Of a share, one member gets the message, with its own QoS [MQTT-4.8.2-3], and nobody else
 * whatever becomes of it [MQTT-4.8.2-4] [MQTT-4.8.2-5]: in turn, and one that is connected if there
 * is one. */
uint32_t broker_share_member(struct broker *broker, uint32_t leader)
{
    const struct broker_subscription *all = broker->subscriptions;
    const uint32_t first = *bucket_of_key(broker, all[leader].key);
    uint32_t members = 0, connected = 0;
    for (uint32_t row = first; row != BROKER_NONE; row = all[row].next) {
        if (row == leader || same_share(broker, row, leader)) {
            members++;
            connected += broker->sessions[all[row].session].connection != BROKER_NONE;
        }
    }
    uint32_t turn = broker->subscriptions[leader].turn++ % (connected > 0 ? connected : members);
    for (uint32_t row = first;; row = all[row].next) {
        CHECK(row != BROKER_NONE); /* there are so many */
        if ((row == leader || same_share(broker, row, leader)) &&
            (connected == 0 || broker->sessions[all[row].session].connection != BROKER_NONE) &&
            turn-- == 0) {
            return row;
        }
    }
}
