/* What the files of the broker share: its tables. Rows refer to each other by number; a row is
 * given out and taken back by the functions here, which also keep the database alike. */
#ifndef BROWNOUT_CORE_SERVER_BROKER_INSIDE_H
#define BROWNOUT_CORE_SERVER_BROKER_INSIDE_H

#include "core/mqtt/alias.h"
#include "core/mqtt/list.h"
#include "core/mqtt/receiver.h"
#include "core/mqtt/sender.h"
#include "core/mqtt/stream.h"
#include "core/server/broker.h"
#include "core/server/database.h"

#define BROKER_NONE UINT32_MAX /* no row */

enum {
    BROKER_ALIASES_MAX = 8, /* each way, of a connection */
    /* A PUBLISH with its topic in the place of an alias, which leaves room in a packet for what is
     * added on the way out: alias, packet identifier, subscription identifier. */
    BROKER_MESSAGE_BYTES_MAX = MQTT_PACKET_BYTES_MAX - 16,
    BROKER_SMALL_BYTES_MAX = 192,
    /* What clients are told: whatever is not larger can be sent on. */
    BROKER_PACKET_BYTES_MAX = BROKER_MESSAGE_BYTES_MAX - BROKER_TEXT_BYTES_MAX,
    BROKER_HANDSHAKE_US = 10 * 1000 * 1000, /* from the link's opening to CONNECT */
};

struct broker_text {
    uint8_t size_bytes;
    uint8_t bytes[BROKER_TEXT_BYTES_MAX];
};
_Static_assert(BROKER_TEXT_BYTES_MAX <= UINT8_MAX, "its size fits");

/* A PUBLISH as it came, encoded: QoS 0, no alias, no identifier; RETAIN as the publisher had it.
 * Its bytes are in one of two tables: most are small, and what is never used is never touched. */
struct broker_message {
    uint32_t references; /* copies, a retained row, a will; 0 = free */
    bool stored;         /* there is a row in the database */
    uint8_t qos;         /* the publisher's: later subscribers of a retained one get no higher */
    uint64_t arrived_us;
    uint32_t size_bytes;
};

/* A message for one session, by one of its subscriptions. */
struct broker_copy {
    uint32_t message; /* BROKER_NONE = free */
    uint32_t session;
    uint32_t next; /* in the session's queue */
    uint32_t identifier;
    uint64_t order; /* grows: the order of the queue */
    uint8_t qos;
    bool retain;
    bool inflight; /* the session's sender has it, under its number as the tag; what it has is
                    * stored with the session, and not with the copy */
    bool stored;
    bool stale;  /* the database has the row of an earlier one here */
    bool listed; /* among the stale ones */
};

struct broker_retained {
    uint32_t message; /* BROKER_NONE = free */
    uint32_t next;    /* in the bucket of its topic */
};

struct broker_subscription {
    uint32_t session; /* BROKER_NONE = free */
    uint32_t identifier;
    uint32_t turn; /* of a share, in the row that leads it: who is next */
    uint8_t qos;
    bool no_local;
    bool retain_as_published;
    bool shared;
    bool leads;              /* of the rows of one share it stands for all */
    uint8_t levels;          /* of the filter in front of its first wildcard */
    uint32_t key;            /* of those levels */
    uint32_t next, previous; /* in the bucket of the key */
    uint32_t next_of_session, previous_of_session;
    struct broker_text filter;
};

struct broker_session {
    bool used;
    bool changed;  /* its row in the database is old; it is touched, too */
    bool stored;   /* there is such a row */
    bool touched;  /* it is in the list of those that settle looks at, whoever has its row */
    uint32_t next; /* in the bucket of its client */
    uint32_t subscriptions; /* the first of them, or BROKER_NONE */
    struct broker_text client;
    uint32_t connection; /* BROKER_NONE: not connected */
    uint32_t expiry_s;   /* Session Expiry Interval */
    uint64_t ends_at_us; /* UINT64_MAX while connected, or never */
    uint32_t will;       /* a message, or BROKER_NONE */
    uint8_t will_qos;
    uint32_t will_delay_s;
    uint64_t will_at_us; /* UINT64_MAX while connected, or without a will */
    struct mqtt_sender sender;
    struct mqtt_receiver receiver;
    uint32_t head, tail, queue_count; /* copies that are not in flight */
    uint32_t unsettled_count;         /* copies that came since the last settling */
};

struct broker_connection {
    bool used;
    bool connected; /* CONNACK was sent, and `session` is one */
    bool leaving;   /* its last packet is held back: close behind the next flush */
    bool waiting;   /* it has said no CONNECT; the list of such, by the time they came: */
    uint32_t waits_behind, waits_before; /* rows, or BROKER_NONE */
    bool unsent;   /* it is in the list of those that settle flushes, whoever has its row */
    uint32_t next; /* in the bucket of its link */
    uint32_t link;
    uint32_t session;
    uint16_t keep_alive_s; /* in force */
    uint64_t opened_us;
    uint64_t heard_us;
    uint32_t packet_bytes_max; /* the client's Maximum Packet Size */
    struct mqtt_aliases received, sent;
    uint32_t framer;   /* while a packet is not whole: its row, else BROKER_NONE */
    uint32_t outgoing; /* while something is held back: its row, else BROKER_NONE */
};

/* Both ways of a connection. */
struct broker_aliases {
    uint8_t bytes[2][MQTT_ALIASES_BYTES(BROKER_ALIASES_MAX, BROKER_TEXT_BYTES_MAX)];
};

/* First rows of chains, BROKER_NONE: empty. */
struct broker_buckets {
    uint32_t *first; /* [count] */
    uint32_t count;  /* a power of 2 */
};

/* Rows to be looked at before the step is over, each once; or rows that are free. */
struct broker_list {
    uint32_t *rows;
    uint32_t count;
};

enum broker_statement {
    BROKER_PUT_SESSION,
    BROKER_PUT_SUBSCRIPTION,
    BROKER_PUT_MESSAGE,
    BROKER_PUT_COPY,
    BROKER_PUT_RETAINED,
    BROKER_DELETE_SESSION,
    BROKER_DELETE_SUBSCRIPTION,
    BROKER_DELETE_MESSAGE,
    BROKER_DELETE_COPY,
    BROKER_DELETE_RETAINED,
    BROKER_STATEMENTS
};

struct broker {
    struct broker_config config;
    uint64_t now_us;
    bool failed;
    enum err err;             /* of the database, in this step */
    bool unsettled;           /* events were taken whose effect nobody has seen yet */
    bool crowded;             /* they are to be settled before more are taken */
    uint32_t unsettled_count; /* copies that came with them */
    uint64_t deadline_us;     /* no connection, session or will ends before it */
    uint64_t order_next;
    /* Below it no row is free. */
    uint32_t connection_next, session_next, subscription_next, retained_next;
    uint32_t subscriptions_used;
    struct broker_view counts;
    struct database database;
    sqlite3_stmt *statements[BROKER_STATEMENTS];
    struct broker_connection *connections;
    struct broker_session *sessions;
    struct broker_subscription *subscriptions;
    struct broker_message *messages;
    struct broker_copy *copies;
    struct broker_retained *retained;
    struct broker_buckets by_link, by_client, by_filter, by_topic;
    struct broker_list touched;           /* sessions */
    struct broker_list unsent;            /* connections */
    struct broker_list stale;             /* copies: deleted with the next commit, those whose rows
                                           * no other has taken by then */
    uint32_t waiting_first, waiting_last; /* connections without a CONNECT, the oldest first */
    /* What few connections need at once, each by itself: the rows that were used last go first, so
     * that those which were never needed stay untouched. */
    struct broker_aliases *aliases; /* of the connections, by their rows */
    struct mqtt_framer *framers;
    struct mqtt_outgoing *outgoings;
    uint8_t (*small_bytes)[BROKER_SMALL_BYTES_MAX]; /* of messages, by their rows */
    uint8_t (*large_bytes)[BROKER_MESSAGE_BYTES_MAX];
    struct broker_list free_framers, free_outgoings, free_messages, free_copies;
};

/* --- broker_index.c: a row is put in when it is whole, and taken out before its key goes */
uint32_t broker_buckets(uint32_t rows);
void broker_buckets_init(struct broker_buckets *buckets, uint32_t *memory, uint32_t rows);
struct broker_connection *broker_connection_find(struct broker *broker, uint32_t link);
void broker_connection_index(struct broker *broker, uint32_t row);
void broker_connection_unindex(struct broker *broker, uint32_t row);
struct broker_session *broker_session_find(struct broker *broker, struct mqtt_slice client);
void broker_session_index(struct broker *broker, uint32_t row);
void broker_session_unindex(struct broker *broker, uint32_t row);
void broker_subscription_index(struct broker *broker, uint32_t row);
void broker_subscription_unindex(struct broker *broker, uint32_t row);
/* BROKER_NONE: none of this topic. */
uint32_t broker_retained_find(const struct broker *broker, struct mqtt_slice topic);
void broker_retained_index(struct broker *broker, uint32_t row);
void broker_retained_unindex(struct broker *broker, uint32_t row);

/* The subscriptions that match a topic: those whose filters begin with its first levels, and are
 * theirs or go on with a wildcard. Nothing is put in or taken out meanwhile. */
struct broker_matches {
    struct mqtt_slice topic;
    uint32_t from; /* of the next level; behind the topic: there is none */
    uint32_t levels, key, row;
};
void broker_matches_begin(const struct broker *broker, struct mqtt_slice topic,
                          struct broker_matches *matches);
/* BROKER_NONE: no more. Of a share each row comes. */
uint32_t broker_matches_next(const struct broker *broker, struct broker_matches *matches);
bool broker_subscription_matches(const struct broker_subscription *one, struct mqtt_slice topic);
uint32_t broker_share_member(struct broker *broker, uint32_t leader);

/* --- broker.c */
/* To be looked at before the step is over: there may be something to send, or to store. */
void broker_session_touch(struct broker *broker, struct broker_session *session);
/* Its row in the database is old. */
void broker_session_change(struct broker *broker, struct broker_session *session);
/* It has something to send, or is to be closed. */
void broker_connection_touch(struct broker *broker, struct broker_connection *connection);
/* What is held back for the connection, to be added to. */
struct mqtt_outgoing *broker_outgoing(struct broker *broker, struct broker_connection *connection);
/* Messages and copies that are free, after a load. */
void broker_free_rows(struct broker *broker);
/* Something ends then. */
void broker_wake_at(struct broker *broker, uint64_t time_us);
/* Hold a packet back for this connection; one that does not even have room for that is closed. */
void broker_say(struct broker *broker, const struct port *port,
                struct broker_connection *connection, const struct mqtt_packet *packet);
/* Close the link; what its session makes of that follows. */
void broker_close(struct broker *broker, const struct port *port,
                  struct broker_connection *connection);
/* DISCONNECT (CONNACK before there was one) of this reason, and close. */
void broker_refuse(struct broker *broker, const struct port *port,
                   struct broker_connection *connection, uint8_t reason);

/* It is nobody's no more: it makes no place for another. */
void broker_connection_waited(struct broker *broker, struct broker_connection *connection);

/* --- broker_packet.c: the reason to refuse the packet, or 0 */
uint8_t broker_take(struct broker *broker, const struct port *port,
                    struct broker_connection *connection, struct mqtt_packet *packet);

/* --- broker_session.c */
/* A new one, or NULL: there is no room. */
struct broker_session *broker_session_new(struct broker *broker, struct mqtt_slice client);
/* The connection of the session is gone: its will and its end get their times. */
void broker_session_leave(struct broker *broker, struct broker_session *session);
/* The session is over: publish a will that waits, forget the rest. */
void broker_session_end(struct broker *broker, struct broker_session *session);
void broker_session_drop_will(struct broker *broker, struct broker_session *session);
/* Wills and ends whose time has come. */
void broker_sessions_sweep(struct broker *broker);
/* Hold back for its connection all that is due and has room. The session is touched. */
void broker_session_fill(struct broker *broker, struct broker_session *session);
/* Something waits for room, or for the quota. */
bool broker_session_waits(const struct broker_session *session);
uint32_t broker_session_number(const struct broker *broker, const struct broker_session *session);
/* What it holds is stored: it outlives its connection, or did so under an earlier one, and its row
 * is there until it ends. */
bool broker_session_durable(const struct broker_session *session);

/* --- broker_route.c */
/* Take a message in: to the retained ones, and to the queues of those who subscribed.
 * publisher: a session, or BROKER_NONE. 0, 0x10 (nobody did) or 0x97 (no room: nothing was taken).
 */
uint8_t broker_route(struct broker *broker, const struct mqtt_packet *publish, uint32_t publisher);
/* A message row of this PUBLISH, with no reference yet, or BROKER_NONE. */
uint32_t broker_message_new(struct broker *broker, const struct mqtt_packet *publish);
void broker_message_read(const struct broker *broker, uint32_t message,
                         struct mqtt_packet *publish);
void broker_message_hold(struct broker *broker, uint32_t message, bool durable);
void broker_message_release(struct broker *broker, uint32_t message);
/* Encoded, size_bytes of the row. */
const uint8_t *broker_message_bytes(const struct broker *broker, uint32_t message);
/* The row is this message now. */
void broker_message_set(struct broker *broker, uint32_t message, const uint8_t *bytes,
                        uint32_t size_bytes);
/* One reference more, of what is stored already. */
void broker_message_refer(struct broker *broker, uint32_t message);
/* What is left of its expiry; false: it has passed, and is not to be sent for the first time. */
bool broker_message_fresh(const struct broker *broker, uint32_t message,
                          struct mqtt_packet *publish);
/* Behind the others in the queue of its session. */
void broker_copy_queue(struct broker *broker, uint32_t copy);
void broker_copy_free(struct broker *broker, uint32_t copy);
/* From the database, those that are stale. */
void broker_copies_delete(struct broker *broker);
/* SUBACK's reason for one filter, and the retained messages that it asks for. */
uint8_t broker_subscribe(struct broker *broker, struct broker_session *session,
                         const struct mqtt_subscription *wanted, uint32_t identifier);
uint8_t broker_unsubscribe(struct broker *broker, struct broker_session *session,
                           struct mqtt_slice filter);
void broker_subscriptions_forget(struct broker *broker, uint32_t session);

/* --- broker_store.c: errors stay in broker->err; nothing happens unless config.durable */
/* Open, and load what is there. ERR_OK | ERR_CORRUPT (what is there was not stored here, or is
 * damaged) | ERR_FULL | ERR_IO. */
enum err broker_store_open(struct broker *broker, const struct port *port) MUST_USE;
void broker_store_put(struct broker *broker, enum broker_statement what, uint32_t row);
void broker_store_delete(struct broker *broker, enum broker_statement what, uint32_t row);

/* --- texts */
struct mqtt_slice broker_slice(const struct broker_text *text);
void broker_text_set(struct broker_text *text, struct mqtt_slice slice);

#endif
