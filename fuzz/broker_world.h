/* A broker, three scripted clients and a stranger, and what MQTT 5 says they owe each other.
 *
 * The clients keep to the protocol; what they do and when is the input's. Each message is a number
 * (its correlation data), sent once: what a client sends again in QoS 2 carries another number, so
 * that a second delivery shows itself. Each SUBSCRIBE is a record with a number of its own (its
 * subscription identifier), so that each delivery says by which record it came: one message comes
 * by one record at most once. A packet of a client reaches the broker whole, or in pieces of the
 * size that the world was made with; nothing is lost but by a link that goes down.
 */
#ifndef BROWNOUT_FUZZ_BROKER_WORLD_H
#define BROWNOUT_FUZZ_BROKER_WORLD_H

#include "core/event.h"
#include "core/mqtt/list.h"
#include "core/server/broker.h"
#include "fuzz/fuzz.h"
#include "sim/disk.h"

enum {
    CLIENTS = 3,
    TOPICS = 2,         /* "0" and "1" */
    FILTERS_PLAIN = 3,  /* "0", "1" and "#" */
    FILTERS_SHARED = 2, /* "$share/s/0" and "$share/s/#" */
    FILTERS = FILTERS_PLAIN + FILTERS_SHARED,
    MESSAGES_MAX = 40,
    RECORDS_MAX = 48,
    LINKS_MAX = 128,
    PIPE_BYTES = 16384,
    OWED_MAX = 128,
    RECEIVE_MAXIMUM = MQTT_INFLIGHT_MAX < 4 ? MQTT_INFLIGHT_MAX : 4, /* what the broker says */
    OUTBOX = 4,
    GROUP_MAX = 4,
    ALIASES = 2, /* that a client uses, and at most takes */
    EXPIRY_MAX_S = 100000,
    NOBODY = 255,
};

/* A message, by its number. */
struct message {
    uint8_t topic, qos;
    uint8_t publisher; /* a client; NOBODY: it is a will */
    bool retain, empty;
};

/* What a client asked for by one SUBSCRIBE, by its number. */
struct record {
    bool active; /* not replaced, not given up, and its session lives */
    uint8_t client, filter, qos;
    bool no_local, retain_as_published;
};

/* A message on its way to a client, by one record. */
enum copy_state {
    COPY_NONE,
    COPY_OWED,     /* not seen yet */
    COPY_OFFERED,  /* the same, or another member of the share has it */
    COPY_INFLIGHT, /* PUBLISH came, not answered */
    COPY_TAKEN,    /* QoS 2: PUBREC was sent */
    COPY_RELEASED, /* QoS 2: PUBREL came, PUBCOMP is owed to the broker */
    COPY_DONE,
};

struct copy {
    uint8_t state; /* enum copy_state */
    uint8_t qos;
    bool retain;
    bool maybe; /* it need not come */
    uint16_t packet_id;
    uint32_t connection; /* in which its PUBLISH came last */
    uint32_t heard;      /* in which anything of it came last */
    uint32_t order;      /* of the routing: a queue is in this order */
};

/* A message for a share: one member is to have it. */
struct offer {
    bool made;
    bool lost;  /* a member that may have had it is gone, or takes QoS 0 */
    bool taken; /* by one */
};

/* What a client has sent and not seen through. */
struct sent {
    bool used, received; /* received: PUBREC came, PUBREL went */
    bool torn;           /* the broker's power went while it took it: it has it, or not */
    uint8_t message;
    uint8_t qos;
    uint16_t packet_id;
};

/* An answer that the broker owes, in this order. */
struct owed {
    enum mqtt_type type;
    uint16_t packet_id;
    bool any_reason; /* PUBCOMP of a PUBREL that was sent again */
    uint8_t reason;
};

struct will {
    bool set;
    uint8_t message;
    uint32_t delay_s;
};

struct client {
    bool connected, session;
    bool lasting; /* the session had an expiry above 0 once: it is stored */
    bool blocked; /* in this connection it did not read for a while: then it may be sent away */
    bool deaf;    /* in one of its session: what was sent to it may be lost */
    uint32_t link, connection, expiry_s, receive_maximum;
    uint64_t ends_at_us, will_at_us; /* UINT64_MAX while connected, or never */
    struct will will;
    uint16_t next_packet_id;
    uint32_t order_heard; /* of the newest first delivery */
    struct sent sent[OUTBOX];
    uint8_t alias_said[ALIASES];  /* topic + 1, on this connection; 0: none */
    uint8_t alias_heard[ALIASES]; /* the same, of the broker's */
    uint16_t alias_maximum;       /* what it said */
    uint32_t owed_count[2];       /* acknowledgements; and all other answers */
    struct owed owed[2][OWED_MAX];
};

struct pipe {
    bool open, blocked;
    uint32_t size_bytes;
    uint8_t bytes[PIPE_BYTES];
};

struct broker_world {
    struct port port;
    struct broker *broker;
    bool durable;
    struct disk disk;
    uint32_t cut_in;      /* the power goes in this operation of the disk from now on; 0: in none */
    bool dead;            /* and it went, in this step */
    bool more;            /* events are settled together: the next one comes at once */
    uint32_t piece_bytes; /* 0: packets come whole */
    uint64_t now_us, entropy, digest;
    uint32_t resets, link_count, stranger, order;
    uint32_t message_count, record_count;
    uint8_t retained[TOPICS]; /* a message, or NOBODY */
    struct message messages[MESSAGES_MAX];
    struct record records[RECORDS_MAX];
    struct copy copies[MESSAGES_MAX][RECORDS_MAX];
    struct offer offers[MESSAGES_MAX][FILTERS_SHARED];
    struct client clients[CLIENTS];
    struct pipe pipes[LINKS_MAX];
};

/* --- broker_world.c: the port, and the acts
 * memory: broker_world_bytes() of them, borrowed until broker_world_drop. durable: with a disk. */
uint64_t broker_world_bytes(void);
void broker_world_init(struct broker_world *world, void *memory, bool durable,
                       uint32_t piece_bytes);
void broker_world_drop(struct broker_world *world);
/* One act of the input. */
void broker_world_act(struct broker_world *world, struct fuzz_input *input);
/* All links up and read: what is owed must come. */
void broker_world_settle(struct broker_world *world);
uint32_t broker_world_link(struct broker_world *world);
void broker_world_step(struct broker_world *world, enum event_kind kind, uint32_t link,
                       const uint8_t *bytes, uint32_t size_bytes);
/* The broker's process dies, or its power goes; at once it is back. */
void broker_world_restart(struct broker_world *world, bool power, uint64_t key);
void broker_world_data(struct broker_world *world, uint32_t link, const uint8_t *bytes,
                       uint32_t size_bytes);

/* --- broker_model.c: what the standard makes of it */
/* A new message: its number, or NOBODY when there are enough. */
uint8_t model_message(struct broker_world *world, struct message message);
/* The broker has it now: who is to? True: somebody is. */
bool model_route(struct broker_world *world, uint8_t message);
/* The broker may have it now, or had it before: whoever is to have it may get it. */
void model_route_maybe(struct broker_world *world, uint8_t message);
/* A SUBSCRIBE of this: its number, or NOBODY; with the retained messages that it asks for. */
uint8_t model_subscribe(struct broker_world *world, struct record record, uint8_t handling);
/* The record of a client for a filter that is in force, or NULL. */
struct record *model_subscribed(struct broker_world *world, uint32_t number, uint32_t filter);
bool model_matches(uint32_t filter, uint32_t topic);
/* Its connection is gone: its will and its end get their times. */
void model_leave(struct broker_world *world, uint32_t number);
/* Its session is over: a will that waits is out, the rest is forgotten. */
void model_session_over(struct broker_world *world, uint32_t number);
/* Wills and ends whose time has come, in their order. */
void model_tick(struct broker_world *world);
/* The broker's process, or its power, went, and it is back. */
void model_restart(struct broker_world *world);
/* Nothing that had to come is missing. */
void model_require_done(const struct broker_world *world);

/* --- broker_client.c: what a client does */
struct connect_options {
    bool clean_start;
    uint32_t expiry_s;
    uint16_t receive_maximum, alias_maximum;
    struct will will; /* of its message, all but the number is in: */
    struct message message;
};
void client_connect(struct broker_world *world, uint32_t number,
                    const struct connect_options *options);
void client_break(struct broker_world *world, uint32_t number);
/* with_will: reason 0x04. expiry_s: UINT32_MAX says none; one above 0 counts only behind another.
 */
void client_disconnect(struct broker_world *world, uint32_t number, bool with_will,
                       uint32_t expiry_s);
void client_subscribe(struct broker_world *world, struct record record, uint8_t handling);
void client_unsubscribe(struct broker_world *world, uint32_t number, uint32_t filter);
/* alias: 0, or one of 1..ALIASES to be used. */
void client_publish(struct broker_world *world, struct message message, uint32_t alias);
void client_publish_unheard(struct broker_world *world, struct message message);
/* As client_publish for each of 1..GROUP_MAX, which the broker settles together. nth above 0: all
 * with QoS 1 or 2, none retained; the power goes in the n-th operation of the disk meanwhile, if
 * there are so many. */
void client_publish_group(struct broker_world *world, const struct message *messages,
                          uint32_t count, uint32_t nth);
void client_publish_half(struct broker_world *world, uint32_t number, uint32_t topic);
void client_release(struct broker_world *world, uint32_t number);
/* Acknowledge what came first of all that is not. False: there is nothing. */
bool client_answer(struct broker_world *world, uint32_t number);
bool client_complete(struct broker_world *world, uint32_t number);
void client_ping(struct broker_world *world, uint32_t number);
/* Its connection is gone. */
void client_down(struct broker_world *world, uint32_t number);

/* --- broker_hear.c: what a client requires of what it hears */
enum { ACKS, ANSWERS };
void client_owe(struct client *client, int list, struct owed owed);
/* Read what came, and require that it is owed. Links that the broker has closed are noticed first,
 * of all clients. */
void client_hear(struct broker_world *world, uint32_t number);

#endif
