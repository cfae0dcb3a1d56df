/* A client for any MQTT 5 broker: all three QoS both ways, subscriptions, a will, user name and
 * password or enhanced authentication, a session that outlives its connections. The client of the
 * fleet's own brokers is client.h: on the same sender and keep alive, without the rest.
 *
 * Sans-I/O as all of core: the role gives events, and gets happenings. No heap. Packets are at most
 * MQTT_PACKET_BYTES_MAX either way, and say so to the broker.
 *
 * Use: mqtt_general_init; mqtt_general_open; for each event of its link mqtt_general_take until it
 * says NOTHING. A message of QoS > 0 that came is owed an mqtt_general_answer. One that was given
 * to mqtt_general_publish has to be kept, under its tag, until SENT says that it is RECEIVED or
 * DONE: RESEND asks for it again.
 *
 * What survives a restart is the role's to store: `sender` and `receiver` say what, and
 * mqtt_general_restored that it was given back. A client without that begins a new session.
 */
#ifndef BROWNOUT_CORE_MQTT_GENERAL_CLIENT_H
#define BROWNOUT_CORE_MQTT_GENERAL_CLIENT_H

#include "core/event.h"
#include "core/mqtt/alias.h"
#include "core/mqtt/keep_alive.h"
#include "core/mqtt/receiver.h"
#include "core/mqtt/sender.h"
#include "core/mqtt/stream.h"

/* Kept until the next init: it and what it points to must stay as they are. */
struct mqtt_general_options {
    struct mqtt_slice client_id; /* at most MQTT_STRING_BYTES_MAX; empty: the broker gives one */
    bool clean_start;            /* begin a new session on every connection */
    uint16_t keep_alive_s;       /* 0 = none */
    uint16_t receive_maximum;    /* 1..MQTT_INFLIGHT_MAX */
    uint16_t inflight_max;       /* 1..MQTT_INFLIGHT_MAX: of messages sent */
    uint32_t session_expiry_s;   /* how long the session outlives a connection; 0 = not */
    struct mqtt_slice user_name; /* bytes NULL: none, as for the next two */
    struct mqtt_slice password;
    struct mqtt_slice authentication_method;
    struct mqtt_slice authentication_data; /* of CONNECT, if the method begins with some */
    const struct mqtt_packet *will; /* type PUBLISH: topic, payload, qos, retain, and properties of
                                     * a will; NULL = none */
    bool request_response;          /* ask for Response Information */
    /* Memory of MQTT_ALIASES_BYTES(capacity, MQTT_STRING_BYTES_MAX); 0 and NULL: no aliases. */
    uint16_t aliases_received, aliases_sent;
    uint8_t *received_memory, *sent_memory;
};

enum mqtt_general_kind {
    MQTT_GENERAL_NOTHING,      /* the event is used up */
    MQTT_GENERAL_AUTHENTICATE, /* AUTH came: packet; answer with mqtt_general_authenticate, unless
                                * packet.reason is 0 (re-authenticated) */
    MQTT_GENERAL_READY,   /* CONNACK came: packet; session_present says whether the session went
                           * on. If not, what was not DONE is forgotten: publish it again */
    MQTT_GENERAL_PUBLISH, /* packet: a message, its topic whole */
    MQTT_GENERAL_SENT,    /* sent: what came of a message */
    MQTT_GENERAL_RESEND,  /* tag: call mqtt_general_resend with that message */
    MQTT_GENERAL_SUBACK,  /* packet: SUBACK or UNSUBACK; a reason for each filter */
    MQTT_GENERAL_DOWN,    /* the connection is over; reason (0: the link went down) */
};

struct mqtt_general_happening {
    enum mqtt_general_kind kind;
    bool refused; /* DOWN: the broker broke the protocol, and was told so */
    uint8_t reason;
    uint64_t tag;
    struct mqtt_sent sent;
    struct mqtt_packet packet; /* its slices are good until the next call */
};

enum mqtt_general_state {
    MQTT_GENERAL_CLOSED,
    MQTT_GENERAL_LINKING,
    MQTT_GENERAL_CONNECTING, /* CONNECT sent */
    MQTT_GENERAL_OPEN,       /* CONNACK came: READY was told */
    MQTT_GENERAL_BROKEN,     /* the link failed under a send: the next take or timeout ends it */
};

/* What the broker allows, from its CONNACK. */
struct mqtt_general_limits {
    uint8_t maximum_qos;
    bool retain, wildcards, identifiers, shared;
};

struct mqtt_general_client {
    const struct mqtt_general_options *options;
    enum mqtt_general_state state;
    uint32_t link;
    bool session;              /* there is a session to go on with */
    bool reauthenticating;     /* AUTH 0x19 was sent, and is not answered */
    uint32_t session_expiry_s; /* in force: the broker may have set it */
    uint64_t opened_us;
    uint64_t lost_us; /* when the last connection ended */
    struct mqtt_keep_alive alive;
    struct mqtt_general_limits limits;
    struct mqtt_sender sender;
    struct mqtt_receiver receiver;
    struct mqtt_aliases received, sent;
    uint8_t assigned_bytes; /* of a client id that the broker gave; 0 = none */
    uint8_t assigned[MQTT_STRING_BYTES_MAX];
    struct mqtt_framer framer;
    struct mqtt_outgoing outgoing;
};

void mqtt_general_init(struct mqtt_general_client *client,
                       const struct mqtt_general_options *options);
/* sender and receiver hold what an earlier life has stored: the session goes on. Before open. */
void mqtt_general_restored(struct mqtt_general_client *client, uint64_t now_us);
/* Open a link to this peer. ERR_OK | ERR_FULL | ERR_IO; CLOSED again on error. */
enum err mqtt_general_open(struct mqtt_general_client *client, const struct port *port,
                           uint32_t peer, uint64_t now_us) MUST_USE;
/* Take an event of client->link (of another link: NOTHING). `input` is the event's bytes (empty for
 * other events); call again with the same event and input until NOTHING. */
void mqtt_general_take(struct mqtt_general_client *client, const struct port *port, uint64_t now_us,
                       const struct event *event, struct mqtt_input *input,
                       struct mqtt_general_happening *happening);

/* Send a message: topic (whole), payload, qos, retain and the properties of a PUBLISH; DUP, packet
 * identifier and alias are set here. tag: comes back in SENT and RESEND, of QoS > 0.
 * ERR_OK | ERR_FULL (the broker's Receive Maximum is reached, or the link is) | ERR_RANGE (not
 * valid, or larger than the broker takes) | ERR_DENIED (QoS or RETAIN that it does not) |
 * ERR_CLOSED. */
enum err mqtt_general_publish(struct mqtt_general_client *client, const struct port *port,
                              uint64_t now_us, const struct mqtt_packet *message,
                              uint64_t tag) MUST_USE;
/* The message that RESEND asked for. One that the broker of today would not take is given up: SENT
 * does not come for it. ERR_OK | ERR_FULL (RESEND will come again) | ERR_CLOSED | ERR_DENIED (given
 * up). */
enum err mqtt_general_resend(struct mqtt_general_client *client, const struct port *port,
                             uint64_t now_us, const struct mqtt_packet *message) MUST_USE;
/* The role's word on a message of QoS > 0: a reason of PUBACK and PUBREC. */
void mqtt_general_answer(struct mqtt_general_client *client, const struct port *port,
                         uint64_t now_us, uint16_t packet_id, uint8_t qos, uint8_t reason);
/* SUBSCRIBE (filters from mqtt_list_subscription; identifier 0 = none) and UNSUBSCRIBE (from
 * mqtt_list_filter). *packet_id comes back in SUBACK.
 * ERR_OK | ERR_FULL | ERR_RANGE (an empty list, or larger than the broker takes) | ERR_DENIED
 * (wildcards, identifiers or shared subscriptions that it does not) | ERR_CLOSED. */
enum err mqtt_general_subscribe(struct mqtt_general_client *client, const struct port *port,
                                uint64_t now_us, struct mqtt_slice filters, uint32_t identifier,
                                uint16_t *packet_id) MUST_USE;
enum err mqtt_general_unsubscribe(struct mqtt_general_client *client, const struct port *port,
                                  uint64_t now_us, struct mqtt_slice filters,
                                  uint16_t *packet_id) MUST_USE;
/* The next step of enhanced authentication, with this data (bytes NULL: none); once OPEN, begin it
 * anew. What the server says and this end does not believe is answered with mqtt_general_close
 * (MQTT_NOT_AUTHORIZED) [MQTT-4.12.1-2]. Only with an authentication method (CHECK). ERR_OK |
 * ERR_CLOSED. */
enum err mqtt_general_authenticate(struct mqtt_general_client *client, const struct port *port,
                                   uint64_t now_us, struct mqtt_slice data) MUST_USE;

/* When mqtt_general_timeout wants to be called; 0 = at once, UINT64_MAX = never. */
uint64_t mqtt_general_deadline_us(const struct mqtt_general_client *client);
/* Ping, or give up. True: the connection is over (closed here, CLOSED). */
bool mqtt_general_timeout(struct mqtt_general_client *client, const struct port *port,
                          uint64_t now_us) MUST_USE;
/* DISCONNECT (0: without the will; MQTT_DISCONNECT_WITH_WILL; or another reason of a client) and
 * close; CLOSED. */
void mqtt_general_close(struct mqtt_general_client *client, const struct port *port,
                        uint64_t now_us, uint8_t reason);

#endif
