/* A scripted MQTT client against a server role under test: it speaks real bytes and keeps what came
 * back. */
#ifndef BROWNOUT_TEST_FAKE_PEER_H
#define BROWNOUT_TEST_FAKE_PEER_H

#include "core/message.h"
#include "core/mqtt/client.h"
#include "core/test/fake_port.h"

enum { FAKE_HEARD_MAX = 256 };

/* The role under test, whichever it is. */
struct fake_server {
    struct fake_port *fake;
    void *role;
    void (*step)(void *role, const struct port *port, const struct event *event);
    uint32_t cut_bytes; /* its LINK_DATA comes in pieces of at most so many; 0 = whole */
};

void fake_server_step(const struct fake_server *server, const struct event *event);

struct fake_peer {
    struct fake_port fake;
    struct mqtt_client client;
    struct key_pair keys;
    uint32_t number;
    uint32_t packet_bytes_max; /* what its CONNECT claims; 0 = what it says by itself */
    uint32_t server_link;      /* the server's handle */
    uint32_t puback_count;
    uint64_t puback_tags[FAKE_HEARD_MAX];
    uint8_t puback_reasons[FAKE_HEARD_MAX];
    uint32_t heard_count; /* messages */
    struct parcel heard;  /* the last one */
    char heard_topic[MQTT_STRING_BYTES_MAX + 1];
    uint8_t down_reason;
};

void fake_peer_init(struct fake_peer *peer, uint32_t number);
void fake_peer_drop(struct fake_peer *peer);
/* Open a link and run until it is quiet. */
void fake_peer_connect(struct fake_peer *peer, const struct fake_server *server, uint32_t broker);
/* The link breaks: both ends hear of it. */
void fake_peer_break(struct fake_peer *peer, const struct fake_server *server);
/* Publish without moving a byte; the test moves many at once with fake_peer_run. */
void fake_peer_post(struct fake_peer *peer, const char *topic, const uint8_t *bytes,
                    uint32_t size_bytes, uint64_t tag);
/* Move bytes both ways until it is quiet. */
void fake_peer_run(struct fake_peer *peer, const struct fake_server *server);

#endif
