/* A broker, three scripted clients and a stranger, and what MQTT 5 says they owe each other.
 *
 * The clients keep to the protocol; what they do and when is the input's. Each message is a number
 * (its payload), sent once: what a client sends again in QoS 2 carries another number, so that a
 * second delivery shows itself. A packet of a client reaches the broker whole, in pieces of the
 * size that the world was made with; nothing is lost but by a link that goes down.
 */
#ifndef BROWNOUT_FUZZ_BROKER_WORLD_H
#define BROWNOUT_FUZZ_BROKER_WORLD_H

#include "core/event.h"
#include "core/mqtt/list.h"
#include "core/server/broker.h"
#include "fuzz/fuzz.h"

enum {
    CLIENTS = 3,
    FILTERS = 3, /* "0", "1" and "#"; topics are "0" and "1" */
    MESSAGES_MAX = 32,
    LINKS_MAX = 128,
    PIPE_BYTES = 16384,
    OWED_MAX = 128,
    RECEIVE_MAXIMUM = MQTT_INFLIGHT_MAX < 4 ? MQTT_INFLIGHT_MAX : 4, /* what the broker says */
    OUTBOX = 4,
};

/* A message on its way to a client, by one of its subscriptions. */
enum copy_state {
    COPY_NONE,
    COPY_OWED,     /* not seen yet */
    COPY_INFLIGHT, /* PUBLISH came, not answered */
    COPY_TAKEN,    /* QoS 2: PUBREC was sent */
    COPY_RELEASED, /* QoS 2: PUBREL came, PUBCOMP is owed to the broker */
    COPY_DONE,
};

struct copy {
    uint8_t state; /* enum copy_state */
    uint8_t qos;
    uint16_t packet_id;
    uint32_t connection; /* in which its PUBLISH came last */
    uint32_t heard;      /* in which anything of it came last */
};

/* What a client has sent and not seen through. */
struct sent {
    bool used, received; /* received: PUBREC came, PUBREL went */
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

struct client {
    bool connected, session;
    bool blocked; /* in this connection it did not read for a while: then it may be sent away */
    bool deaf;    /* in one of its session: what was sent to it may be lost */
    uint32_t link, connection, expiry_s, receive_maximum;
    uint64_t ends_at_us;
    uint16_t next_packet_id;
    struct sent sent[OUTBOX];
    uint32_t owed_count[2]; /* acknowledgements; and all other answers */
    struct owed owed[2][OWED_MAX];
    bool subscribed[FILTERS];
    uint8_t granted[FILTERS];
    struct copy copies[MESSAGES_MAX][FILTERS];
};

struct pipe {
    bool open, blocked;
    uint32_t size_bytes;
    uint8_t bytes[PIPE_BYTES];
};

struct broker_world {
    struct port port;
    struct broker *broker;
    uint32_t piece_bytes; /* 0: packets come whole */
    uint64_t now_us, entropy, digest;
    uint32_t resets, link_count, message_count, stranger;
    struct client clients[CLIENTS];
    struct pipe pipes[LINKS_MAX];
};

/* memory: broker_world_bytes() of them, borrowed until the end. */
uint64_t broker_world_bytes(void);
void broker_world_init(struct broker_world *world, void *memory, uint32_t piece_bytes);
/* One act of the input. */
void broker_world_act(struct broker_world *world, struct fuzz_input *input);
/* All links up and read: what is owed must come. */
void broker_world_settle(struct broker_world *world);

/* --- broker_client.c: what a client does, and what it requires of what it hears */
void client_connect(struct broker_world *world, uint32_t number, bool clean_start,
                    uint32_t expiry_s, uint32_t receive_maximum);
void client_break(struct broker_world *world, uint32_t number);
void client_disconnect(struct broker_world *world, uint32_t number);
void client_subscribe(struct broker_world *world, uint32_t number, uint32_t filter, uint8_t qos);
void client_unsubscribe(struct broker_world *world, uint32_t number, uint32_t filter);
void client_publish(struct broker_world *world, uint32_t number, uint32_t topic, uint8_t qos);
void client_publish_unheard(struct broker_world *world, uint32_t number, uint32_t topic,
                            uint8_t qos);
void client_publish_half(struct broker_world *world, uint32_t number, uint32_t topic);
void client_release(struct broker_world *world, uint32_t number);
/* Acknowledge what came first of all that is not. False: there is nothing. */
bool client_answer(struct broker_world *world, uint32_t number);
bool client_complete(struct broker_world *world, uint32_t number);
void client_ping(struct broker_world *world, uint32_t number);
/* Read what came, and require that it is owed. */
void client_hear(struct broker_world *world, uint32_t number);
/* Its connection is gone. */
void client_down(struct broker_world *world, uint32_t number);

/* --- broker_world.c */
uint32_t broker_world_link(struct broker_world *world);
void broker_world_step(struct broker_world *world, enum event_kind kind, uint32_t link,
                       const uint8_t *bytes, uint32_t size_bytes);
void broker_world_data(struct broker_world *world, uint32_t link, const uint8_t *bytes,
                       uint32_t size_bytes);

#endif
