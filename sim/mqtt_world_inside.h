/* What the files of the session world share.
 *   mqtt_world.c   the loop, the faults
 *   mqtt_world_node.c    ports; the broker's life
 *   mqtt_world_client.c  the applications
 *   mqtt_world_rude.c    the one that breaks the protocol
 *   mqtt_world_tap.c     bytes to packets, for the judge
 */
#ifndef BROWNOUT_SIM_MQTT_WORLD_INSIDE_H
#define BROWNOUT_SIM_MQTT_WORLD_INSIDE_H

#include "core/mqtt/general_client.h"
#include "core/server/broker.h"
#include "sim/disk.h"
#include "sim/hash.h"
#include "sim/net.h"
#include "sim/queue.h"
#include "sim/mqtt_world.h"

enum {
    SESSION_BROKER = 1, /* its node; clients follow */
    SESSION_NODES = 1 + MQTT_JUDGE_CLIENTS,
    SESSION_OUTBOX = 96,
    SESSION_TAP_BYTES = 4 * MQTT_PACKET_BYTES_MAX,
    SESSION_SPOILED_MAX = 8,
    SESSION_ALIASES = 3,
    SESSION_RUDE_ACTS = 10,
    SESSION_WAITING_MAX = 8,
    SESSION_EXPIRY_MAX_S = 90,
    SESSION_KEEP_ALIVE_MAX_S = 12,
};

/* One direction of one connection, at one end. */
struct mqtt_world_tap {
    uint32_t link;
    bool dead;             /* bytes that are no packets */
    uint32_t packet_count; /* whole ones */
    uint32_t size_bytes;
    uint8_t bytes[SESSION_TAP_BYTES];
    uint32_t spoiled_count; /* sent: packets that a bit was turned of, by their number */
    uint32_t spoiled[SESSION_SPOILED_MAX];
};

enum mqtt_world_item_state { SESSION_WAITS, SESSION_SENT, SESSION_RECEIVED, SESSION_DONE };

/* A message of an application. */
struct mqtt_world_item {
    uint32_t message; /* of its last PUBLISH as a new one */
    uint8_t state, qos, topic_class, topic;
    bool retain, empty, has_expiry;
    uint32_t expiry_s, payload_bytes;
};

struct mqtt_world_client {
    uint32_t number, node;
    bool wants_link;  /* false: it stays away */
    bool subscribed;  /* SUBACK came in this session */
    uint64_t back_us; /* when it connects (again) */
    uint64_t act_us;  /* when the application does something */
    char name[8], will_topic[16];
    uint8_t will_id[2];
    struct mqtt_packet will;
    struct mqtt_general_options options;
    struct mqtt_general_client client;
    uint8_t memory[2][MQTT_ALIASES_BYTES(SESSION_ALIASES, MQTT_STRING_BYTES_MAX)];
    uint32_t item_count;
    struct mqtt_world_item items[SESSION_OUTBOX];
};

struct mqtt_world_rude {
    uint64_t back_us, close_us;
    uint32_t link; /* 0: none */
    uint32_t act;
    bool said, judged;
    uint32_t said_bytes, got_bytes; /* of the script; by the broker */
    uint8_t reason;
    enum mqtt_law law;
    uint32_t script_bytes;
    uint8_t script[4096];
};

/* An event that the broker's host has not given to it yet. */
struct mqtt_world_waiting {
    struct event event;
    bool gone; /* the broker has closed its link meanwhile */
    uint8_t bytes[NET_DELIVERY_BYTES_MAX];
};

struct mqtt_world_broker {
    bool up, dead;    /* dead: the power has gone within this step */
    uint64_t back_us; /* when it boots */
    uint64_t booted_us;
    uint32_t cut_in; /* disk operations until the power goes; 0: it does not */
    enum disk_verdict cut_how;
    bool reset;
    uint64_t busy_us; /* until then events wait, if any do */
    uint32_t waiting_count;
    struct mqtt_world_waiting waiting[SESSION_WAITING_MAX];
    struct broker_config config;
    struct broker *broker;
    struct disk disk;
};

struct mqtt_world {
    const struct mqtt_world_request *request;
    struct mqtt_world_result *result;
    uint64_t now_us, end_us;
    bool healed;
    struct hash hash;
    struct queue queue;
    struct net *net;
    struct port ports[SESSION_NODES + 1]; /* by node */
    struct mqtt_world_port {
        struct mqtt_world *world;
        uint32_t node;
    } contexts[SESSION_NODES + 1];
    struct random_stream faults, entropy, chunks, spoils, busy, workload;
    uint64_t fault_us;
    uint32_t condition; /* id of the next one */
    struct mqtt_world_broker broker;
    struct mqtt_world_client clients[MQTT_JUDGE_CLIENTS - 1];
    struct mqtt_world_rude rude;
    uint32_t message; /* the next number */
    struct mqtt_judge judge, before;
    struct mqtt_world_tap taps[MQTT_JUDGE_CONNECTIONS][2][2]; /* by link, broker's end, sent */
};

static inline bool mqtt_world_faulty(const struct mqtt_world *world, enum mqtt_world_fault fault)
{
    return !world->healed && (world->request->faults >> fault & 1u) != 0;
}

/* --- mqtt_world_node.c */
void mqtt_world_ports_init(struct mqtt_world *world);
void mqtt_world_broker_boot(struct mqtt_world *world);
/* power: what was not synced may be lost; else the process alone dies. */
void mqtt_world_broker_down(struct mqtt_world *world, bool power);
/* It takes this event, now or later; bytes of it may be given in several steps. */
void mqtt_world_broker_event(struct mqtt_world *world, const struct event *event);
/* What waits is taken, and its time has come. */
void mqtt_world_broker_due(struct mqtt_world *world);

/* --- mqtt_world_client.c */
void mqtt_world_client_init(struct mqtt_world *world, uint32_t number);
void mqtt_world_client_event(struct mqtt_world *world, struct mqtt_world_client *client,
                             const struct event *event);
/* Whatever is due now: connect, time out, publish, subscribe. */
void mqtt_world_client_due(struct mqtt_world *world, struct mqtt_world_client *client);
uint64_t mqtt_world_client_deadline_us(const struct mqtt_world_client *client);
void mqtt_world_client_restart(struct mqtt_world *world, struct mqtt_world_client *client,
                               bool with_session);
void mqtt_world_client_leave(struct mqtt_world *world, struct mqtt_world_client *client);
/* All that it had to say is said, and seen through. */
bool mqtt_world_client_is_done(const struct mqtt_world_client *client);

/* --- mqtt_world_rude.c */
void mqtt_world_rude_due(struct mqtt_world *world);
void mqtt_world_rude_event(struct mqtt_world *world, const struct event *event);
/* The broker has stepped. */
void mqtt_world_rude_judge(struct mqtt_world *world);
uint64_t mqtt_world_rude_deadline_us(const struct mqtt_world *world);

/* --- mqtt_world_tap.c */
void mqtt_world_tap_bytes(struct mqtt_world *world, uint32_t node, uint32_t link, bool sent,
                          const uint8_t *bytes, uint32_t size_bytes);
/* Turn a bit of the packet that begins with these bytes, or not. True: it was. */
bool mqtt_world_tap_spoil(struct mqtt_world *world, uint32_t node, uint32_t link, uint8_t *bytes,
                          uint32_t size_bytes);
uint32_t mqtt_world_message_of(const struct mqtt_properties *properties);
/* Of a link's end: which client it belongs to. */
uint32_t mqtt_world_client_of(const struct mqtt_world *world, uint32_t node, uint32_t link);

#endif
