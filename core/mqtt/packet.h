/* MQTT 5.0 control packets (OASIS, 2019-03-07): strict decoder and encoder, no allocation.
 * One packet at a time, whole: framing of a byte stream is stream.h. Strings and payloads are
 * borrowed from the input. Every packet type and property of the standard has its place in the
 * tables: a type that brownout does not use yet is refused as a protocol error, a property is
 * checked in full and then skipped. A will, a user name and a password are checked and not kept.
 */
#ifndef BROWNOUT_CORE_MQTT_PACKET_H
#define BROWNOUT_CORE_MQTT_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "core/limits.h"

/* Section 2.1.2. */
enum mqtt_type {
    MQTT_CONNECT = 1,
    MQTT_CONNACK = 2,
    MQTT_PUBLISH = 3,
    MQTT_PUBACK = 4,
    MQTT_PUBREC = 5,
    MQTT_PUBREL = 6,
    MQTT_PUBCOMP = 7,
    MQTT_SUBSCRIBE = 8,
    MQTT_SUBACK = 9,
    MQTT_UNSUBSCRIBE = 10,
    MQTT_UNSUBACK = 11,
    MQTT_PINGREQ = 12,
    MQTT_PINGRESP = 13,
    MQTT_DISCONNECT = 14,
    MQTT_AUTH = 15,
};

/* Section 2.4; those that brownout sends. */
enum mqtt_reason {
    MQTT_SUCCESS = 0x00,
    MQTT_CONTINUE_AUTHENTICATION = 0x18,
    MQTT_UNSPECIFIED_ERROR = 0x80,
    MQTT_MALFORMED_PACKET = 0x81,
    MQTT_PROTOCOL_ERROR = 0x82,
    MQTT_IMPLEMENTATION_ERROR = 0x83, /* valid, and not accepted here */
    MQTT_UNSUPPORTED_PROTOCOL_VERSION = 0x84,
    MQTT_CLIENT_IDENTIFIER_NOT_VALID = 0x85,
    MQTT_NOT_AUTHORIZED = 0x87,
    MQTT_SERVER_BUSY = 0x89,
    MQTT_BAD_AUTHENTICATION_METHOD = 0x8C,
    MQTT_KEEP_ALIVE_TIMEOUT = 0x8D,
    MQTT_SESSION_TAKEN_OVER = 0x8E,
    MQTT_TOPIC_NAME_INVALID = 0x90, /* well-formed, and not accepted here */
    MQTT_RECEIVE_MAXIMUM_EXCEEDED = 0x93,
    MQTT_TOPIC_ALIAS_INVALID = 0x94,
    MQTT_PACKET_TOO_LARGE = 0x95,
    MQTT_QUOTA_EXCEEDED = 0x97,
    MQTT_PAYLOAD_FORMAT_INVALID = 0x99,
    MQTT_RETAIN_NOT_SUPPORTED = 0x9A,
    MQTT_QOS_NOT_SUPPORTED = 0x9B,
};

/* Section 2.2.2.2; those that struct mqtt_properties keeps, and one to refuse. */
enum mqtt_property {
    MQTT_SUBSCRIPTION_IDENTIFIER = 11,
    MQTT_SESSION_EXPIRY_INTERVAL = 17,
    MQTT_SERVER_KEEP_ALIVE = 19,
    MQTT_AUTHENTICATION_METHOD = 21,
    MQTT_AUTHENTICATION_DATA = 22,
    MQTT_REASON_STRING = 31,
    MQTT_RECEIVE_MAXIMUM = 33,
    MQTT_TOPIC_ALIAS = 35,
    MQTT_MAXIMUM_QOS = 36,
    MQTT_RETAIN_AVAILABLE = 37,
    MQTT_MAXIMUM_PACKET_SIZE = 39,
};

#define MQTT_PROPERTY_BIT(property) (UINT64_C(1) << (property))

struct mqtt_slice {
    const uint8_t *bytes; /* borrowed; NULL when absent */
    uint32_t size_bytes;
};

/* Properties that brownout reads or writes. A field without its bit in `present` holds what the
 * standard says of an absent property. */
struct mqtt_properties {
    uint64_t present;              /* MQTT_PROPERTY_BIT of each that is there, skipped ones too */
    uint32_t session_expiry_s;     /* 17 */
    uint32_t maximum_packet_bytes; /* 39; UINT32_MAX (no limit) when absent */
    uint16_t server_keep_alive_s;  /* 19 */
    uint16_t receive_maximum;      /* 33; 65535 when absent */
    uint16_t topic_alias;          /* 35; 0 when absent */
    uint8_t maximum_qos;           /* 36; 2 when absent */
    uint8_t retain_available;      /* 37; 1 when absent */
    struct mqtt_slice authentication_method; /* 21 */
    struct mqtt_slice authentication_data;   /* 22 */
    struct mqtt_slice reason_string;         /* 31 */
};

struct mqtt_packet {
    enum mqtt_type type;
    struct mqtt_properties properties;
    uint8_t reason;              /* CONNACK, PUBACK, DISCONNECT, AUTH */
    uint16_t packet_id;          /* PUBLISH with QoS > 0, PUBACK */
    bool dup, retain;            /* PUBLISH */
    uint8_t qos;                 /* PUBLISH */
    bool clean_start;            /* CONNECT */
    bool will;                   /* CONNECT: there is one; it is not kept, and never encoded */
    bool session_present;        /* CONNACK */
    uint16_t keep_alive_s;       /* CONNECT */
    struct mqtt_slice client_id; /* CONNECT */
    struct mqtt_slice topic;     /* PUBLISH */
    struct mqtt_slice payload;   /* PUBLISH */
};

/* The size of the packet that begins here, from its fixed header alone.
 * ERR_OK | ERR_NOT_FOUND (its header is not whole yet) | ERR_MALFORMED (*reason: 0x81, or 0x95 when
 * it is larger than MQTT_PACKET_BYTES_MAX). */
enum err mqtt_packet_size(const uint8_t *bytes, uint32_t size_bytes, uint32_t *packet_bytes,
                          uint8_t *reason) MUST_USE;

/* Decode one whole packet. ERR_OK | ERR_MALFORMED (*reason says how to refuse it: 0x81, 0x82, 0x84
 * (CONNECT only) or 0x95). */
enum err mqtt_decode(const uint8_t *bytes, uint32_t size_bytes, struct mqtt_packet *packet,
                     uint8_t *reason) MUST_USE;

/* Encode. *size_bytes: in capacity, out the packet's size, also when it does not fit.
 * The reason must be one that the standard lists for the packet's type (CHECK).
 * ERR_OK | ERR_RANGE (does not fit; bytes are unspecified). */
enum err mqtt_encode(const struct mqtt_packet *packet, uint8_t *bytes,
                     uint32_t *size_bytes) MUST_USE;

/* A packet with all fields zero and properties absent. */
void mqtt_packet_init(struct mqtt_packet *packet, enum mqtt_type type);

/* A text of at most MQTT_STRING_BYTES_MAX bytes, borrowed. */
struct mqtt_slice mqtt_text(const char *text);
bool mqtt_slice_equal(struct mqtt_slice left, struct mqtt_slice right);

#endif
