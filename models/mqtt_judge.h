/* The judge of MQTT 5 sessions: sees the packets of both ends of each connection, what is told to
 * the applications, and what befell the nodes; knows nothing of how either end is made.
 *
 * A message is a number that the simulator puts into each PUBLISH and each will, and which a broker
 * has to pass on unchanged: one number for each fresh PUBLISH of an application, the same when it
 * is sent again. Topics are small numbers (enum mqtt_topic_class and an index).
 *
 * No heap, no I/O: the caller provides the struct. The first law that breaks is kept. Each law
 * counts how often it was put to the test.
 */
#ifndef BROWNOUT_MODELS_MQTT_JUDGE_H
#define BROWNOUT_MODELS_MQTT_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

enum mqtt_law {
#define MQTT_LAW(ID, name, statement) MQTT_LAW_##ID,
#include "models/mqtt_laws.def"
#undef MQTT_LAW
    MQTT_LAW_COUNT
};

const char *mqtt_law_name(enum mqtt_law law);
const char *mqtt_law_statement(enum mqtt_law law);

enum {
    MQTT_JUDGE_CLIENTS = 6,       /* the last one is rude: no session of it is judged */
    MQTT_JUDGE_RUDE = 5,          /* its number */
    MQTT_JUDGE_MESSAGES = 1024,   /* numbers from 1 */
    MQTT_JUDGE_CONNECTIONS = 256, /* a link's number modulo this */
    MQTT_JUDGE_INFLIGHT = 80,
    MQTT_JUDGE_RETAINED = 2,
    MQTT_JUDGE_ALIASES = 16,
    MQTT_JUDGE_MAYBE = 8, /* retained messages of one topic that it may be */
};

enum mqtt_topic_class { MQTT_TOPIC_PLAIN, MQTT_TOPIC_WILL, MQTT_TOPIC_RETAINED, MQTT_TOPIC_NONE };

/* A packet, as one end has sent it or has got it whole. */
struct mqtt_seen {
    uint64_t now_us;
    bool by_broker; /* the broker sent or got it; else the client */
    bool sent;
    bool spoiled;    /* got: a bit was turned on the way */
    uint32_t link;   /* number of the connection, alike at both ends */
    uint32_t client; /* who is at the other end of the broker */
    uint32_t size_bytes;
    uint8_t type; /* as in the fixed header: 1 CONNECT .. 15 AUTH */
    uint8_t qos, reason;
    bool dup, retain, clean_start, session_present, has_will, has_expiry, empty;
    uint16_t packet_id;
    uint16_t alias; /* PUBLISH: 0 = none. has_alias tells 0 from none */
    bool has_alias;
    uint8_t topic_class, topic; /* PUBLISH with its topic; subscriptions: see classes */
    uint8_t classes;            /* SUBSCRIBE: bit of each topic class */
    bool shared;                /* SUBSCRIBE: PLAIN is wanted as a member of the one share */
    uint32_t message;           /* PUBLISH, CONNECT (of the will): its number; 0 = none */
    uint32_t expiry_s;          /* PUBLISH: Message Expiry; CONNECT, CONNACK, DISCONNECT: Session */
    uint32_t will_delay_s;
    uint16_t receive_maximum; /* CONNECT, CONNACK */
    uint16_t alias_maximum;
    uint32_t packet_bytes_max;
    uint16_t keep_alive_s; /* CONNECT; CONNACK with has_keep_alive */
    bool has_keep_alive;
};

struct mqtt_judge_message {
    bool known, retain, empty, has_expiry, acked, will, early, dup_first, maybe, share_unsure;
    uint8_t qos, topic_class, topic, publisher;
    uint32_t expiry_s, count_got;
    uint64_t first_us, last_us;                 /* when the broker got it */
    uint32_t to_life[MQTT_JUDGE_CLIENTS];       /* sessions that it is owed to; 0: none */
    uint32_t may_life[MQTT_JUDGE_CLIENTS];      /* that it may go to */
    uint8_t fresh[MQTT_JUDGE_CLIENTS];          /* sent by the broker with DUP 0 */
    uint8_t told[MQTT_JUDGE_CLIENTS];           /* to the application, not as retained */
    uint32_t retained_life[MQTT_JUDGE_CLIENTS]; /* owed as a retained message */
    uint8_t retained_asked[MQTT_JUDGE_CLIENTS], retained_sent[MQTT_JUDGE_CLIENTS];
    uint8_t retained_told[MQTT_JUDGE_CLIENTS];
};

/* One direction of a session: what was sent and is not seen through. */
struct mqtt_judge_flight {
    uint16_t packet_id;
    bool released, maybe; /* maybe: the sender may have forgotten the last change */
    uint32_t message, link;
};

struct mqtt_judge_sender {
    bool held; /* a link did not take all: what was held back goes again, as if it had been sent */
    uint32_t count;
    struct mqtt_judge_flight flights[MQTT_JUDGE_INFLIGHT];
};

enum mqtt_will_state { MQTT_WILL_NONE, MQTT_WILL_ARMED, MQTT_WILL_WAITING };

struct mqtt_judge_session {
    bool alive, unsure; /* unsure: power went while it changed */
    bool vague;         /* and nobody knows whether there is one */
    bool torn;          /* power went in its life: what was never sent may be sent again */
    bool clean;         /* the last end was by Clean Start */
    bool expired;       /* the last end was by time */
    uint32_t life;      /* a number for each session that ever was */
    uint32_t link;      /* 0: not connected */
    uint32_t expiry_s;
    uint64_t ends_us;
    uint8_t classes; /* subscriptions */
    bool shared;
    uint8_t will_state;
    uint32_t will;
    uint32_t will_delay_s;
    uint64_t will_us;
    struct mqtt_judge_sender down; /* the broker's */
};

struct mqtt_judge_owed {
    uint32_t count;
    uint16_t ids[MQTT_JUDGE_INFLIGHT];
};

/* One end of a connection. */
struct mqtt_judge_end {
    bool open, blocked, said_disconnect, got_disconnect, broken;
    struct mqtt_judge_owed puback, pubrec, pubrel; /* owed by this end */
    uint32_t inflight;                             /* of this connection, by this end */
    uint16_t inflight_ids[MQTT_JUDGE_INFLIGHT];
    uint16_t receive_maximum; /* the peer's */
    uint16_t alias_maximum;
    uint32_t packet_bytes_max;
    uint8_t alias_class[MQTT_JUDGE_ALIASES + 1], alias_topic[MQTT_JUDGE_ALIASES + 1];
    uint64_t sent_us, got_us;
    uint8_t must_close; /* reason that this end owes; 0: none */
};

struct mqtt_judge_connection {
    uint32_t link, client;
    bool connected;  /* CONNECT was got by the broker */
    bool clean_said; /* its CONNECT asked for it */
    bool touched;    /* bytes were spoiled on the way: either end may complain */
    bool present;    /* what Session Present should say */
    bool present_any;
    uint16_t keep_alive_s; /* in force */
    struct mqtt_judge_end broker, peer;
};

struct mqtt_judge {
    uint32_t counts[MQTT_LAW_COUNT];
    bool broken;
    enum mqtt_law law;
    const char *what;
    uint32_t about, client; /* message or number, and whose */
    uint64_t broken_us;
    uint64_t booted_us; /* the broker */
    uint32_t lives;
    struct mqtt_judge_session sessions[MQTT_JUDGE_CLIENTS];
    struct mqtt_judge_sender up[MQTT_JUDGE_CLIENTS]; /* the clients' */
    uint8_t client_state[MQTT_JUDGE_CLIENTS];        /* 1: has a session to go on with */
    uint32_t dup_owed[MQTT_JUDGE_CLIENTS]; /* QoS 1 that came with a DUP that nobody set */
    uint32_t retained[MQTT_JUDGE_RETAINED];
    /* May still be it: power went, each time that one was replaced. 0 of them: none in doubt. */
    uint32_t retained_maybe_count[MQTT_JUDGE_RETAINED];
    uint32_t retained_maybe[MQTT_JUDGE_RETAINED][MQTT_JUDGE_MAYBE];
    uint32_t session_expiry_max_s;
    uint32_t newest[MQTT_JUDGE_CLIENTS][MQTT_JUDGE_CLIENTS][8][3]; /* told: to, by, topic, QoS */
    struct mqtt_judge_connection connections[MQTT_JUDGE_CONNECTIONS];
    struct mqtt_judge_message messages[MQTT_JUDGE_MESSAGES];
};

void mqtt_judge_init(struct mqtt_judge *judge, uint32_t session_expiry_max_s);
/* A packet of either end. Of a broker's step all that it got comes first. Clients and messages
 * beyond the bounds above are not looked at. */
void mqtt_judge_packet(struct mqtt_judge *judge, const struct mqtt_seen *seen);
/* A client's application was told this message, and takes it, or refuses it: then it may come
 * again. */
void mqtt_judge_told(struct mqtt_judge *judge, uint64_t now_us, uint32_t client, uint32_t message,
                     bool retain, bool accepted);
/* An end of a connection is gone. by_itself: it closed the link; else it was told. */
void mqtt_judge_closed(struct mqtt_judge *judge, uint64_t now_us, uint32_t link, bool broker,
                       bool by_itself);
/* The link took not all, or failed; or takes again. */
void mqtt_judge_blocked(struct mqtt_judge *judge, uint32_t link, bool broker, bool blocked,
                        bool failed);
/* Ahead of the broker's sending, in each of its steps: wills and sessions whose time has come. */
void mqtt_judge_sweep(struct mqtt_judge *judge, uint64_t now_us);
/* A step of the broker (or of one client) is over. */
void mqtt_judge_stepped(struct mqtt_judge *judge, uint64_t now_us, bool broker, uint32_t client);
/* Power went within the step that began from `before`: what it changed may be there or not. */
void mqtt_judge_torn(struct mqtt_judge *judge, const struct mqtt_judge *before);
/* The broker is up again, from its database. */
void mqtt_judge_broker_up(struct mqtt_judge *judge, uint64_t now_us);
/* A client has begun anew: with what it had stored, or with nothing. */
void mqtt_judge_client_up(struct mqtt_judge *judge, uint32_t client, bool with_session);
/* The rude one has said all, and the broker has got it: it must be refused with this (0: not). */
void mqtt_judge_rude(struct mqtt_judge *judge, uint64_t now_us, uint32_t link, uint8_t reason,
                     enum mqtt_law law);
/* All is healed and has drained: nothing that is owed may be missing. */
void mqtt_judge_end(struct mqtt_judge *judge, uint64_t now_us);

/* Does the standard list this reason code for a packet of this type? One without a list has all. */
bool mqtt_judge_listed(uint8_t type, uint8_t reason);
/* --- for the files of the judge */
void mqtt_judge_break(struct mqtt_judge *judge, enum mqtt_law law, uint64_t now_us,
                      const char *what, uint32_t about, uint32_t client);
struct mqtt_judge_connection *mqtt_judge_connection(struct mqtt_judge *judge, uint32_t link);
/* What one end of a connection may send, and what it owes (mqtt_judge_wire.c). */
void mqtt_judge_wire(struct mqtt_judge *judge, const struct mqtt_seen *seen,
                     struct mqtt_judge_connection *connection);
void mqtt_judge_sender_clear(struct mqtt_judge_sender *sender);

#endif
