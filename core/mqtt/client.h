/* The client end of one MQTT 5 connection: link, CONNECT, enhanced authentication, QoS 0 and 1,
 * keep alive. Clean Start on every connection: what must survive one is the role's own outbox, and
 * a new connection sends it as new messages. So of the delivery state this is a part:
 *   sender.h    what is in flight, identifiers, Receive Maximum; of its entries none is ever due
 *   receiver.h  not at all: a message is acknowledged before the next packet is read, so that there
 *               are never two of which to keep the order, or to count
 *
 * Authentication (section 4.12), method "brownout-ed25519": the broker sends AUTH with a nonce of
 * 32 bytes; the client answers with AUTH whose data is its Ed25519 signature over "brownout
 * session" || nonce || client number (4, big-endian) || broker number (4, big-endian). The client
 * id is the client's number in decimal. There is one challenge and one answer; a CONNACK without
 * them is a protocol error. No topic aliases, no retained messages, no subscriptions: what a broker
 * sends is what its role sends. Whoever needs one of these has general_client.h.
 *
 * Use: mqtt_client_open, then for each event of its link mqtt_client_take until it says NOTHING.
 */
#ifndef BROWNOUT_CORE_MQTT_CLIENT_H
#define BROWNOUT_CORE_MQTT_CLIENT_H

#include "core/event.h"
#include "core/mqtt/keep_alive.h"
#include "core/mqtt/sender.h"
#include "core/mqtt/stream.h"

#define MQTT_AUTHENTICATION_METHOD_NAME "brownout-ed25519"

enum {
    MQTT_HANDSHAKE_US = 10 * 1000 * 1000, /* from the link's opening to READY; then give up */
    MQTT_NONCE_BYTES = 32,
    MQTT_PROOF_BYTES = 16 + MQTT_NONCE_BYTES + 4 + 4, /* what the client signs */
};

/* What came of the bytes: the result of mqtt_client_take and mqtt_session_take. */
enum mqtt_happening_kind {
    MQTT_NOTHING,          /* the event is used up */
    MQTT_HAPPENED_CONNECT, /* session: a client asks; answer with _challenge or _refuse */
    MQTT_HAPPENED_READY,   /* both: authenticated and open for PUBLISH */
    MQTT_HAPPENED_PUBLISH, /* both: topic, payload, packet_id (0 for QoS 0) */
    MQTT_HAPPENED_PUBACK,  /* client: tag of the publish, reason */
    MQTT_HAPPENED_DOWN,    /* both: the connection is over; reason (0: the link went down) */
};

struct mqtt_happening {
    enum mqtt_happening_kind kind;
    uint32_t client;    /* CONNECT, session's READY: the client's number */
    uint64_t tag;       /* PUBACK */
    uint16_t packet_id; /* PUBLISH */
    uint8_t reason;     /* PUBACK, DOWN */
    bool refused; /* DOWN: the peer broke the protocol (the role says DROP); it was told why */
    struct mqtt_slice topic; /* as the payload: borrowed until the next call; at most
                              * MQTT_STRING_BYTES_MAX bytes */
    struct mqtt_slice payload;
};

enum mqtt_client_state {
    MQTT_CLIENT_CLOSED,
    MQTT_CLIENT_LINKING,        /* link_open was called */
    MQTT_CLIENT_CONNECTING,     /* CONNECT sent */
    MQTT_CLIENT_AUTHENTICATING, /* AUTH answered */
    MQTT_CLIENT_READY,
    MQTT_CLIENT_BROKEN, /* the link failed under a send: the next take or timeout ends it */
};

struct mqtt_client {
    enum mqtt_client_state state;
    uint32_t self;   /* own number */
    uint32_t broker; /* peer's number */
    uint32_t link;
    uint16_t keep_alive_asked_s;
    uint64_t opened_us;
    struct mqtt_keep_alive alive;
    struct mqtt_sender sender; /* of this connection alone; begins with identifier 1 */
    struct mqtt_framer framer;
    struct mqtt_outgoing outgoing;
};

void mqtt_client_init(struct mqtt_client *client, uint32_t self, uint16_t keep_alive_s);
/* Open a link to the broker. ERR_OK | ERR_FULL | ERR_IO; CLOSED again on error. */
enum err mqtt_client_open(struct mqtt_client *client, const struct port *port, uint32_t broker,
                          uint64_t now_us) MUST_USE;
/* Take an event of client->link (of another link: NOTHING). `input` is the event's bytes (empty for
 * other events); call again with the same event and input until NOTHING. After DOWN the client is
 * CLOSED. */
void mqtt_client_take(struct mqtt_client *client, const struct port *port,
                      const struct key_pair *keys, uint64_t now_us, const struct event *event,
                      struct mqtt_input *input, struct mqtt_happening *happening);
/* QoS 1 where tag != 0 (MQTT_HAPPENED_PUBACK brings it back), else QoS 0. On an error nothing is
 * sent. ERR_OK | ERR_FULL (Receive Maximum reached, or no room to hold it back) | ERR_RANGE (larger
 * than the broker's Maximum Packet Size or MQTT_PACKET_BYTES_MAX) | ERR_CLOSED (not READY). */
enum err mqtt_client_publish(struct mqtt_client *client, const struct port *port, uint64_t now_us,
                             const char *topic, const uint8_t *payload, uint32_t payload_bytes,
                             uint64_t tag) MUST_USE;
/* When mqtt_client_timeout wants to be called; 0 = at once, UINT64_MAX = never. */
uint64_t mqtt_client_deadline_us(const struct mqtt_client *client);
/* Ping (keep alive after the last packet sent [MQTT-3.1.2-20] or heard, whichever is older, so that
 * a client that only talks still finds out), or give up on a broker that was silent for 1.5 times
 * the keep alive, or on a handshake that takes too long.
 * True: the connection is over (closed here, CLOSED). */
bool mqtt_client_timeout(struct mqtt_client *client, const struct port *port,
                         uint64_t now_us) MUST_USE;
/* DISCONNECT (a reason of section 3.14.2.1, else CHECK) and close; CLOSED. */
void mqtt_client_close(struct mqtt_client *client, const struct port *port, uint8_t reason);

/* What is signed for a session: of use to both ends. */
void mqtt_proof(const uint8_t nonce[MQTT_NONCE_BYTES], uint32_t client, uint32_t broker,
                uint8_t proof[MQTT_PROOF_BYTES]);

#endif
