/* A broker for any MQTT 5 client: sessions that outlive connections, subscriptions with all their
 * options, wildcards and shares, retained messages, wills. The gateway and the cloud do not use it:
 * theirs are ends of one fleet, and are told what they carry.
 *
 * Sans-I/O, as all of core: one step an event, time is the port's. A session with a Session Expiry
 * Interval above 0, retained messages, and what either holds are in SQLite, if the configuration
 * says so, and nothing leaves before the commit of what it rests on.
 * Intervals begin anew when the broker does: no clock outlives it. When the disk fails or is full,
 * it asks for a reset and does nothing more: RAM and disk may disagree. What it cannot read at boot
 * is given up and begun anew (DROP, disk).
 *
 * Bounds. Everything is in the memory that the caller gives; nothing grows. Of connections, those
 * that have said no CONNECT end after 10 s (DROP, late), and make place for another one when there
 * is no other (REFUSE, sessions), the one that waits longest first. Copies of QoS 0 that wait for a
 * session take no more room than they leave free. What has no room is said to the publisher (0x97)
 * before anything is taken, but for a session whose own queue is full: its copy is dropped and
 * counted. What a client that does not read its link has no room for waits in its queue; answers
 * that cannot wait (to SUBSCRIBE, PINGREQ, PUBREL) and have none end its connection. Packets are a
 * little smaller than MQTT_PACKET_BYTES_MAX, topics, filters and client ids at most
 * BROKER_TEXT_BYTES_MAX. Of one message a session gets a copy for each of its subscriptions that
 * match.
 *
 * Time. A step costs what it has to do with, not how much there is: links, clients and
 * subscriptions are found by hash, a topic's subscriptions by as many as it has levels. A SUBSCRIBE
 * with a wildcard looks at all retained messages. An event with `more` set is taken and settled
 * with the next one: one commit for all of them (group commit), and nothing leaves before it; but
 * what has come is settled before it fills half of a queue.
 *
 * Not here: enhanced authentication (0x8C), authorization by topic, TLS and WebSocket (the port's).
 */
#ifndef BROWNOUT_CORE_SERVER_BROKER_H
#define BROWNOUT_CORE_SERVER_BROKER_H

#include "core/event.h"
#include "core/mqtt/packet.h"
#include "core/port.h"

struct broker_user {
    struct mqtt_slice name;
    struct mqtt_slice password;
};

struct broker_config {
    bool durable;               /* port->disk_path holds what must survive */
    uint32_t connections_max;   /* 1..BROKER_SESSIONS_MAX */
    uint32_t sessions_max;      /* 1..BROKER_SESSIONS_MAX */
    uint32_t subscriptions_max; /* 1..BROKER_POOL_MAX, as the next three; of all sessions */
    uint32_t messages_max;      /* different ones, held for whatever reason */
    uint32_t copies_max;        /* in the queues of all sessions, and in flight */
    uint32_t retained_max;
    uint32_t queue_max;              /* copies in the queue of one session; >= 1 */
    uint32_t session_expiry_max_s;   /* a client that asks for more gets this */
    uint16_t keep_alive_max_s;       /* the same; 0 = any, none included */
    uint16_t receive_maximum;        /* 1..MQTT_INFLIGHT_MAX */
    const struct broker_user *users; /* borrowed until broker_drop */
    uint32_t user_count;             /* 0: anyone may connect */
};

struct broker;

struct broker_view {
    uint32_t connections, sessions, subscriptions, messages, copies, retained;
    uint64_t published, dropped, refused; /* since boot: messages taken, copies without room,
                                           * connections ended for what the peer did */
    uint64_t commits, rows;               /* since boot: transactions, rows written or deleted */
};

/* Size of the struct for a configuration: the caller provides the memory, SQLite has a heap. */
uint64_t broker_size_bytes(const struct broker_config *config);
void broker_init(struct broker *broker, const struct broker_config *config,
                 const struct port *port);
void broker_step(struct broker *broker, const struct port *port, const struct event *event);
/* May be earlier than anything that is to be done. */
uint64_t broker_deadline_us(const struct broker *broker);
void broker_view(const struct broker *broker, struct broker_view *out);
/* The process ends in order: what was taken is committed, and whoever is connected hears so
 * (DISCONNECT, 0x8B). Sessions go on from the database. Then broker_drop. */
void broker_shut_down(struct broker *broker, const struct port *port);
/* Finalise and close; no durable effect. After a power loss too. */
void broker_drop(struct broker *broker);

#endif
