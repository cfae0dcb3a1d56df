/* A device's client and a gateway's session, the link between them, and what they owe each other.
 *
 * One link at a time, of two pipes. What an end sends stays in its pipe until an act moves it; what
 * comes out of nowhere (a packet, any bytes) makes the connection a tainted one: then its order and
 * its end are nobody's fault, and all else still holds. The state is one per process.
 */
#ifndef BROWNOUT_FUZZ_SESSION_WORLD_H
#define BROWNOUT_FUZZ_SESSION_WORLD_H

#include "core/mqtt/session.h"
#include "fuzz/fuzz.h"

enum {
    SESSION_CLIENT = 7,
    SESSION_GATEWAY = 900,
    SESSION_MESSAGES_MAX = 512, /* one an act, at most, each way */
    SESSION_PIPE_BYTES = 1 << 18,
};

/* A message is its number: topic, size and bytes follow from it and from a choice. */
struct session_message {
    uint16_t number;
    uint8_t choice, qos;
};

/* One end: its port, and its pipe to the other end. */
struct session_end {
    struct port port;
    bool up;      /* it has been told of no end of the link */
    bool closed;  /* by itself: nothing may follow */
    bool gone;    /* the other end hears no more */
    bool failing; /* and link_send says so */
    bool limited; /* link_send takes `room` bytes more, then says "later" */
    uint32_t room;
    uint32_t size_bytes, moved_bytes, parsed_bytes; /* of the pipe: sent, delivered, read here */
    uint64_t digest;
    bool signed_in; /* it has sent AUTH on this link */
    uint8_t *bytes;
};

/* QoS 1, published by the device on this connection and not acknowledged. */
struct session_flight {
    uint64_t tag;
    struct session_message message;
    bool answered; /* by the gateway's role, with this reason */
    uint8_t reason;
};

/* QoS 1, told to the gateway's role on this connection. */
struct session_arrival {
    uint16_t packet_id;
    uint64_t tag; /* of the flight, unless the connection is tainted */
    bool answered;
    uint8_t reason;
};

struct session_list {
    uint32_t count;
    struct session_message items[SESSION_MESSAGES_MAX];
};

struct session_world {
    struct mqtt_client client;
    struct mqtt_session session;
    struct session_end device, gateway;
    struct key_pair keys;
    uint8_t enrolled[KEY_BYTES]; /* what the gateway's role believes */
    uint64_t now_us, entropy;
    uint32_t piece_bytes, link;
    uint16_t keep_alive_s, receive_maximum; /* the latter: what the device was told */
    bool wrong_key, refuses, answers_at_once, entropy_fails;
    bool tainted; /* this connection: somebody else spoke on it */
    bool may_end; /* this connection: something happened that may end it */
    bool client_ready, session_ready;
    uint16_t number;              /* of the newest message */
    uint64_t tag;                 /* of the newest message of QoS 1 */
    struct session_list up, down; /* published and not arrived, in order */
    uint32_t flight_count;
    struct session_flight flights[SESSION_MESSAGES_MAX];
    uint32_t arrival_count; /* not released: at most MQTT_INFLIGHT_MAX */
    struct session_arrival arrivals[SESSION_MESSAGES_MAX];
    uint32_t owed_count; /* PUBACKs that the gateway has to send, in this order */
    struct session_arrival owed[LINK_SEND_BYTES_MAX];
    uint32_t told_count; /* PUBACKs that the device has to send, in this order */
    uint16_t told[LINK_SEND_BYTES_MAX];
    uint32_t old_bytes; /* what the device said first on an earlier link */
    uint8_t old[512];
};
extern struct session_world session_world;

/* choices: keep alive, key, and manners of the gateway's role. */
void session_world_init(uint8_t choices, uint32_t piece_bytes);
/* One act of the input. */
void session_world_act(struct fuzz_input *input);
/* The link works and both are heard: what is owed must come. A digest of all that was said. */
uint64_t session_world_settle(void);

/* --- session_ends.c: what the two ends do, and what is required of what they say */
void session_ends_init(void);
/* The device opens a link, and the gateway has it; an older session of it is closed first. */
void session_ends_open(void);
/* An event of this kind for one end; bytes in pieces. */
void session_ends_take(struct session_end *end, enum event_kind kind, const uint8_t *bytes,
                       uint32_t size_bytes);
void session_ends_publish(struct session_end *end, uint8_t choice);
/* The gateway's role answers the n-th message that it has not. */
void session_ends_answer(uint32_t nth, uint8_t reason);
void session_ends_close(struct session_end *end, uint8_t reason);
/* The end's timer is due: call it. */
void session_ends_timeout(struct session_end *end);
uint64_t session_ends_deadline_us(const struct session_end *end);

#endif
