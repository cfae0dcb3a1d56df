/* MQTT 5.0 control packets (OASIS, 2019-03-07): strict decoder and encoder of all of them, no
 * allocation. One packet at a time, whole: framing of a byte stream is stream.h. Texts, payloads
 * and lists are borrowed from the input; what is in a list is read and written with list.h.
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

/* Section 2.4. Which of them a packet may carry: table in packet.c. */
enum mqtt_reason {
    MQTT_SUCCESS = 0x00, /* also Normal disconnection, Granted QoS 0 */
    MQTT_GRANTED_QOS_1 = 0x01,
    MQTT_GRANTED_QOS_2 = 0x02,
    MQTT_DISCONNECT_WITH_WILL = 0x04,
    MQTT_NO_MATCHING_SUBSCRIBERS = 0x10,
    MQTT_NO_SUBSCRIPTION_EXISTED = 0x11,
    MQTT_CONTINUE_AUTHENTICATION = 0x18,
    MQTT_REAUTHENTICATE = 0x19,
    MQTT_UNSPECIFIED_ERROR = 0x80, /* this and above: an error */
    MQTT_MALFORMED_PACKET = 0x81,
    MQTT_PROTOCOL_ERROR = 0x82,
    MQTT_IMPLEMENTATION_ERROR = 0x83, /* valid, and not accepted here */
    MQTT_UNSUPPORTED_PROTOCOL_VERSION = 0x84,
    MQTT_CLIENT_IDENTIFIER_NOT_VALID = 0x85,
    MQTT_BAD_USER_NAME_OR_PASSWORD = 0x86,
    MQTT_NOT_AUTHORIZED = 0x87,
    MQTT_SERVER_UNAVAILABLE = 0x88,
    MQTT_SERVER_BUSY = 0x89,
    MQTT_BANNED = 0x8A,
    MQTT_SERVER_SHUTTING_DOWN = 0x8B,
    MQTT_BAD_AUTHENTICATION_METHOD = 0x8C,
    MQTT_KEEP_ALIVE_TIMEOUT = 0x8D,
    MQTT_SESSION_TAKEN_OVER = 0x8E,
    MQTT_TOPIC_FILTER_INVALID = 0x8F, /* well-formed, and not accepted here */
    MQTT_TOPIC_NAME_INVALID = 0x90,   /* the same */
    MQTT_PACKET_IDENTIFIER_IN_USE = 0x91,
    MQTT_PACKET_IDENTIFIER_NOT_FOUND = 0x92,
    MQTT_RECEIVE_MAXIMUM_EXCEEDED = 0x93,
    MQTT_TOPIC_ALIAS_INVALID = 0x94,
    MQTT_PACKET_TOO_LARGE = 0x95,
    MQTT_MESSAGE_RATE_TOO_HIGH = 0x96,
    MQTT_QUOTA_EXCEEDED = 0x97,
    MQTT_ADMINISTRATIVE_ACTION = 0x98,
    MQTT_PAYLOAD_FORMAT_INVALID = 0x99,
    MQTT_RETAIN_NOT_SUPPORTED = 0x9A,
    MQTT_QOS_NOT_SUPPORTED = 0x9B,
    MQTT_USE_ANOTHER_SERVER = 0x9C,
    MQTT_SERVER_MOVED = 0x9D,
    MQTT_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E,
    MQTT_CONNECTION_RATE_EXCEEDED = 0x9F,
    MQTT_MAXIMUM_CONNECT_TIME = 0xA0,
    MQTT_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1,
    MQTT_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2,
};

/* Section 2.2.2.2, all 27. */
enum mqtt_property {
    MQTT_PAYLOAD_FORMAT_INDICATOR = 1,
    MQTT_MESSAGE_EXPIRY_INTERVAL = 2,
    MQTT_CONTENT_TYPE = 3,
    MQTT_RESPONSE_TOPIC = 8,
    MQTT_CORRELATION_DATA = 9,
    MQTT_SUBSCRIPTION_IDENTIFIER = 11,
    MQTT_SESSION_EXPIRY_INTERVAL = 17,
    MQTT_ASSIGNED_CLIENT_IDENTIFIER = 18,
    MQTT_SERVER_KEEP_ALIVE = 19,
    MQTT_AUTHENTICATION_METHOD = 21,
    MQTT_AUTHENTICATION_DATA = 22,
    MQTT_REQUEST_PROBLEM_INFORMATION = 23,
    MQTT_WILL_DELAY_INTERVAL = 24,
    MQTT_REQUEST_RESPONSE_INFORMATION = 25,
    MQTT_RESPONSE_INFORMATION = 26,
    MQTT_SERVER_REFERENCE = 28,
    MQTT_REASON_STRING = 31,
    MQTT_RECEIVE_MAXIMUM = 33,
    MQTT_TOPIC_ALIAS_MAXIMUM = 34,
    MQTT_TOPIC_ALIAS = 35,
    MQTT_MAXIMUM_QOS = 36,
    MQTT_RETAIN_AVAILABLE = 37,
    MQTT_USER_PROPERTY = 38,
    MQTT_MAXIMUM_PACKET_SIZE = 39,
    MQTT_WILDCARD_SUBSCRIPTION_AVAILABLE = 40,
    MQTT_SUBSCRIPTION_IDENTIFIER_AVAILABLE = 41,
    MQTT_SHARED_SUBSCRIPTION_AVAILABLE = 42,
};

#define MQTT_PROPERTY_BIT(property) (UINT64_C(1) << (property))

struct mqtt_slice {
    const uint8_t *bytes; /* borrowed; NULL when absent */
    uint32_t size_bytes;
};

/* All properties of a packet, or of a will. A field without its bit in `present` holds what the
 * standard says of an absent property, and is not encoded. Those that may repeat stay where they
 * are, in the order that they came in [MQTT-3.3.2-18]: see list.h. */
struct mqtt_properties {
    uint64_t present;              /* MQTT_PROPERTY_BIT of each that is there */
    uint32_t message_expiry_s;     /* 2 */
    uint32_t session_expiry_s;     /* 17; UINT32_MAX: never */
    uint32_t will_delay_s;         /* 24 */
    uint32_t maximum_packet_bytes; /* 39; UINT32_MAX (no limit) when absent */
    uint16_t server_keep_alive_s;  /* 19 */
    uint16_t receive_maximum;      /* 33; 65535 when absent */
    uint16_t topic_alias_maximum;  /* 34 */
    uint16_t topic_alias;          /* 35; 0 when absent */
    uint8_t payload_format;        /* 1; 1 = the payload is a text */
    uint8_t request_problem;       /* 23; 1 when absent */
    uint8_t request_response;      /* 25 */
    uint8_t maximum_qos;           /* 36; 2 when absent */
    uint8_t retain_available;      /* 37, and 40 to 42: 1 when absent */
    uint8_t wildcard_available;
    uint8_t identifier_available;
    uint8_t shared_available;
    struct mqtt_slice content_type;          /* 3 */
    struct mqtt_slice response_topic;        /* 8 */
    struct mqtt_slice correlation_data;      /* 9 */
    struct mqtt_slice assigned_client_id;    /* 18 */
    struct mqtt_slice authentication_method; /* 21 */
    struct mqtt_slice authentication_data;   /* 22 */
    struct mqtt_slice response_information;  /* 26 */
    struct mqtt_slice server_reference;      /* 28 */
    struct mqtt_slice reason_string;         /* 31 */
    struct mqtt_slice repeated; /* a property list: of it 11 and 38 count, if they are present */
};

/* A message is the same fields in a PUBLISH and in the will of a CONNECT. */
struct mqtt_packet {
    enum mqtt_type type;
    struct mqtt_properties properties;
    uint8_t reason;              /* CONNACK, acknowledgements of PUBLISH, DISCONNECT, AUTH */
    uint16_t packet_id;          /* PUBLISH with QoS > 0 and all that is acknowledged or does so */
    bool dup;                    /* PUBLISH */
    bool retain;                 /* PUBLISH, will */
    uint8_t qos;                 /* PUBLISH, will */
    bool clean_start;            /* CONNECT */
    bool will;                   /* CONNECT: there is one */
    bool session_present;        /* CONNACK */
    uint16_t keep_alive_s;       /* CONNECT */
    struct mqtt_slice client_id; /* CONNECT */
    struct mqtt_slice topic;     /* PUBLISH, will */
    /* PUBLISH, will: the message. SUBSCRIBE, UNSUBSCRIBE: a list of filters (list.h). SUBACK,
     * UNSUBACK: a reason for each, one byte each. */
    struct mqtt_slice payload;
    struct mqtt_slice will_properties; /* CONNECT: a property list, see mqtt_will_properties */
    struct mqtt_slice user_name;       /* CONNECT; as the password: bytes are NULL without one */
    struct mqtt_slice password;        /* CONNECT */
};

/* The size of the packet that begins here, from its fixed header alone.
 * ERR_OK | ERR_NOT_FOUND (its header is not whole yet) | ERR_MALFORMED (*reason: 0x81, or 0x95 when
 * it is larger than packet_bytes_max). */
enum err mqtt_packet_size_within(const uint8_t *bytes, uint32_t size_bytes,
                                 uint32_t packet_bytes_max, uint32_t *packet_bytes,
                                 uint8_t *reason) MUST_USE;
/* The same, within MQTT_PACKET_BYTES_MAX. */
enum err mqtt_packet_size(const uint8_t *bytes, uint32_t size_bytes, uint32_t *packet_bytes,
                          uint8_t *reason) MUST_USE;

/* Decode one whole packet of any size. ERR_OK | ERR_MALFORMED (*reason says how to refuse it: 0x81,
 * 0x82, or 0x84 (CONNECT only)). What a packet may hold is checked, not who may send it. */
enum err mqtt_decode(const uint8_t *bytes, uint32_t size_bytes, struct mqtt_packet *packet,
                     uint8_t *reason) MUST_USE;

/* Encode. *size_bytes: in capacity, out the packet's size, also when it does not fit.
 * The reason must be one that the standard lists for the packet's type, numbers must be in their
 * range, lists well-formed (CHECK); texts and topics must be valid (filter.h).
 * ERR_OK | ERR_RANGE (does not fit; bytes are unspecified). */
enum err mqtt_encode(const struct mqtt_packet *packet, uint8_t *bytes,
                     uint32_t *size_bytes) MUST_USE;
/* As mqtt_encode, but what does not fit otherwise goes without its User Properties, or without
 * those and its Reason String, where the standard wants that: in all answers. */
enum err mqtt_encode_lean(const struct mqtt_packet *packet, uint8_t *bytes,
                          uint32_t *size_bytes) MUST_USE;

/* The properties of a decoded CONNECT's will; without a will, none. */
void mqtt_will_properties(const struct mqtt_packet *packet, struct mqtt_properties *properties);
/* The other way: a will's properties (of section 3.1.3.2, else CHECK) as a list for
 * packet->will_properties. *size_bytes and result as mqtt_encode. */
enum err mqtt_encode_will_properties(const struct mqtt_properties *properties, uint8_t *bytes,
                                     uint32_t *size_bytes) MUST_USE;

/* All absent. */
void mqtt_properties_init(struct mqtt_properties *properties);
/* A packet with all fields zero and properties absent. */
void mqtt_packet_init(struct mqtt_packet *packet, enum mqtt_type type);

/* A text of at most MQTT_STRING_BYTES_MAX bytes, borrowed. */
struct mqtt_slice mqtt_text(const char *text);
bool mqtt_slice_equal(struct mqtt_slice left, struct mqtt_slice right);

#endif
