#include "core/test/mqtt_sample.h"

#include <string.h>

#include "core/test/test.h"

#define IN(type)  (1u << (type))
#define WILL      1u
#define ACKS_SUBS (IN(MQTT_SUBACK) | IN(MQTT_UNSUBACK))
#define ACKS      (IN(MQTT_PUBACK) | IN(MQTT_PUBREC) | IN(MQTT_PUBREL) | IN(MQTT_PUBCOMP) | ACKS_SUBS)
#define ENDS      (IN(MQTT_CONNACK) | IN(MQTT_DISCONNECT) | IN(MQTT_AUTH))

static const uint32_t allowed[43] = {
    [1] = IN(MQTT_PUBLISH) | WILL,
    [2] = IN(MQTT_PUBLISH) | WILL,
    [3] = IN(MQTT_PUBLISH) | WILL,
    [8] = IN(MQTT_PUBLISH) | WILL,
    [9] = IN(MQTT_PUBLISH) | WILL,
    [11] = IN(MQTT_PUBLISH) | IN(MQTT_SUBSCRIBE),
    [17] = IN(MQTT_CONNECT) | IN(MQTT_CONNACK) | IN(MQTT_DISCONNECT),
    [18] = IN(MQTT_CONNACK),
    [19] = IN(MQTT_CONNACK),
    [21] = IN(MQTT_CONNECT) | IN(MQTT_CONNACK) | IN(MQTT_AUTH),
    [22] = IN(MQTT_CONNECT) | IN(MQTT_CONNACK) | IN(MQTT_AUTH),
    [23] = IN(MQTT_CONNECT),
    [24] = WILL,
    [25] = IN(MQTT_CONNECT),
    [26] = IN(MQTT_CONNACK),
    [28] = IN(MQTT_CONNACK) | IN(MQTT_DISCONNECT),
    [31] = ENDS | ACKS,
    [33] = IN(MQTT_CONNECT) | IN(MQTT_CONNACK),
    [34] = IN(MQTT_CONNECT) | IN(MQTT_CONNACK),
    [35] = IN(MQTT_PUBLISH),
    [36] = IN(MQTT_CONNACK),
    [37] = IN(MQTT_CONNACK),
    [38] = ENDS | ACKS | IN(MQTT_CONNECT) | IN(MQTT_PUBLISH) | WILL | IN(MQTT_SUBSCRIBE) |
           IN(MQTT_UNSUBSCRIBE),
    [39] = IN(MQTT_CONNECT) | IN(MQTT_CONNACK),
    [40] = IN(MQTT_CONNACK),
    [41] = IN(MQTT_CONNACK),
    [42] = IN(MQTT_CONNACK),
};

bool mqtt_sample_allows(uint8_t property, enum mqtt_type type, bool will)
{
    return property < 43 && (allowed[property] & (will ? WILL : IN(type))) != 0;
}

uint32_t mqtt_sample_below(struct mqtt_sample *sample, uint32_t bound) /* splitmix64 */
{
    sample->random += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = sample->random;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ (z >> 31)) % bound);
}

static bool flip(struct mqtt_sample *sample)
{
    return mqtt_sample_below(sample, 2) == 0;
}

/* A number that is often at its bounds. */
static uint32_t number(struct mqtt_sample *sample, uint32_t least, uint32_t most)
{
    switch (mqtt_sample_below(sample, 4)) {
    case 0:
        return least;
    case 1:
        return most;
    default:
        return most - least == UINT32_MAX ? mqtt_sample_below(sample, UINT32_MAX)
                                          : least + mqtt_sample_below(sample, most - least + 1);
    }
}

static uint8_t *room(struct mqtt_sample *sample, uint32_t size_bytes)
{
    EXPECT(size_bytes <= MQTT_SAMPLE_BYTES - sample->used_bytes);
    uint8_t *bytes = sample->bytes + sample->used_bytes;
    sample->used_bytes += size_bytes;
    return bytes;
}

static struct mqtt_slice binary(struct mqtt_sample *sample)
{
    const uint32_t size_bytes = mqtt_sample_below(sample, 9);
    uint8_t *bytes = room(sample, size_bytes);
    for (uint32_t index = 0; index < size_bytes; index++) {
        bytes[index] = (uint8_t)mqtt_sample_below(sample, 256);
    }
    return (struct mqtt_slice){bytes, size_bytes};
}

/* Of characters of one to four bytes, among them U+FEFF. */
static struct mqtt_slice text_of(struct mqtt_sample *sample, uint32_t characters)
{
    static const char *const alphabet[] = {
        "a", "Z", "0", "$", "\x01", "/", " ", "\xC3\xA4", "\xEF\xBB\xBF", "\xF0\x9F\x94\xA7"};
    uint8_t *begin = room(sample, 0);
    uint32_t size_bytes = 0;
    for (; characters > 0; characters--) {
        const char *character = alphabet[mqtt_sample_below(sample, 10)];
        const uint32_t length = (uint32_t)strlen(character);
        memcpy(room(sample, length), character, length);
        size_bytes += length;
    }
    return (struct mqtt_slice){begin, size_bytes};
}

static struct mqtt_slice text(struct mqtt_sample *sample)
{
    return text_of(sample, mqtt_sample_below(sample, 5));
}

static struct mqtt_slice topic(struct mqtt_sample *sample)
{
    return text_of(sample, 1 + mqtt_sample_below(sample, 5));
}

static struct mqtt_slice filter(struct mqtt_sample *sample, bool shared)
{
    static const char *const filters[] = {"#", "+", "a/+/b/#", "/", "$SYS/#", "+/+", "\xC3\xA4/b"};
    static const char *const shares[] = {"$share/s/#", "$share/\xC3\xA4/+/a", "$share/x//"};
    return shared ? mqtt_text(shares[mqtt_sample_below(sample, 3)])
                  : mqtt_text(filters[mqtt_sample_below(sample, 7)]);
}

static void repeated(struct mqtt_sample *sample, struct mqtt_properties *properties, bool users,
                     bool identifiers, uint32_t identifiers_max)
{
    struct mqtt_list list = {.capacity_bytes = 96};
    list.bytes = room(sample, list.capacity_bytes);
    for (uint32_t count = 1 + mqtt_sample_below(sample, 3); users && count > 0; count--) {
        const struct mqtt_slice name = text_of(sample, mqtt_sample_below(sample, 3));
        const struct mqtt_slice value = text_of(sample, mqtt_sample_below(sample, 3));
        EXPECT_EQUAL(mqtt_list_user_property(&list, name, value), ERR_OK);
        properties->present |= MQTT_PROPERTY_BIT(MQTT_USER_PROPERTY);
        if (identifiers && identifiers_max > 0) { /* among them */
            EXPECT_EQUAL(mqtt_list_subscription_identifier(&list, number(sample, 1, 268435455)),
                         ERR_OK);
            properties->present |= MQTT_PROPERTY_BIT(MQTT_SUBSCRIPTION_IDENTIFIER);
            identifiers_max--;
        }
    }
    properties->repeated = mqtt_list_slice(&list);
}

static void value(struct mqtt_sample *sample, struct mqtt_properties *p, uint8_t property)
{
    p->present |= MQTT_PROPERTY_BIT(property);
    switch ((enum mqtt_property)property) {
    case MQTT_PAYLOAD_FORMAT_INDICATOR:
        p->payload_format = (uint8_t)number(sample, 0, 1);
        break;
    case MQTT_MESSAGE_EXPIRY_INTERVAL:
        p->message_expiry_s = number(sample, 0, UINT32_MAX);
        break;
    case MQTT_CONTENT_TYPE:
        p->content_type = text(sample);
        break;
    case MQTT_RESPONSE_TOPIC:
        p->response_topic = topic(sample);
        break;
    case MQTT_CORRELATION_DATA:
        p->correlation_data = binary(sample);
        break;
    case MQTT_SESSION_EXPIRY_INTERVAL:
        p->session_expiry_s = number(sample, 0, UINT32_MAX);
        break;
    case MQTT_ASSIGNED_CLIENT_IDENTIFIER:
        p->assigned_client_id = text(sample);
        break;
    case MQTT_SERVER_KEEP_ALIVE:
        p->server_keep_alive_s = (uint16_t)number(sample, 0, UINT16_MAX);
        break;
    case MQTT_AUTHENTICATION_METHOD:
        p->authentication_method = text(sample);
        break;
    case MQTT_AUTHENTICATION_DATA:
        p->authentication_data = binary(sample);
        break;
    case MQTT_REQUEST_PROBLEM_INFORMATION:
        p->request_problem = (uint8_t)number(sample, 0, 1);
        break;
    case MQTT_WILL_DELAY_INTERVAL:
        p->will_delay_s = number(sample, 0, UINT32_MAX);
        break;
    case MQTT_REQUEST_RESPONSE_INFORMATION:
        p->request_response = (uint8_t)number(sample, 0, 1);
        break;
    case MQTT_RESPONSE_INFORMATION:
        p->response_information = text(sample);
        break;
    case MQTT_SERVER_REFERENCE:
        p->server_reference = text(sample);
        break;
    case MQTT_REASON_STRING:
        p->reason_string = text(sample);
        break;
    case MQTT_RECEIVE_MAXIMUM:
        p->receive_maximum = (uint16_t)number(sample, 1, UINT16_MAX);
        break;
    case MQTT_TOPIC_ALIAS_MAXIMUM:
        p->topic_alias_maximum = (uint16_t)number(sample, 0, UINT16_MAX);
        break;
    case MQTT_TOPIC_ALIAS:
        p->topic_alias = (uint16_t)number(sample, 1, UINT16_MAX);
        break;
    case MQTT_MAXIMUM_QOS:
        p->maximum_qos = (uint8_t)number(sample, 0, 1);
        break;
    case MQTT_RETAIN_AVAILABLE:
        p->retain_available = (uint8_t)number(sample, 0, 1);
        break;
    case MQTT_MAXIMUM_PACKET_SIZE:
        p->maximum_packet_bytes = number(sample, 1, UINT32_MAX);
        break;
    case MQTT_WILDCARD_SUBSCRIPTION_AVAILABLE:
        p->wildcard_available = (uint8_t)number(sample, 0, 1);
        break;
    case MQTT_SUBSCRIPTION_IDENTIFIER_AVAILABLE:
        p->identifier_available = (uint8_t)number(sample, 0, 1);
        break;
    case MQTT_SHARED_SUBSCRIPTION_AVAILABLE:
        p->shared_available = (uint8_t)number(sample, 0, 1);
        break;
    case MQTT_SUBSCRIPTION_IDENTIFIER: /* see repeated */
    case MQTT_USER_PROPERTY:
        EXPECT(false);
        break;
    }
}

static void draw_properties(struct mqtt_sample *sample, struct mqtt_properties *properties,
                            bool will)
{
    const enum mqtt_type type = sample->packet.type;
    const uint32_t one_in = 1 + mqtt_sample_below(sample, 4); /* all of them, or a few */
    for (uint8_t property = 1; property < 43; property++) {
        if (property != 11 && property != 38 && mqtt_sample_allows(property, type, will) &&
            mqtt_sample_below(sample, one_in) == 0) {
            value(sample, properties, property);
        }
    }
    const bool data = (properties->present & MQTT_PROPERTY_BIT(22)) != 0;
    if ((type == MQTT_AUTH || data) && (properties->present & MQTT_PROPERTY_BIT(21)) == 0) {
        value(sample, properties, MQTT_AUTHENTICATION_METHOD);
    }
    if (mqtt_sample_allows(38, type, will) && flip(sample)) {
        repeated(sample, properties, true, mqtt_sample_allows(11, type, will) && flip(sample),
                 type == MQTT_PUBLISH ? UINT32_MAX : 1);
    }
}

static void draw_connect(struct mqtt_sample *sample)
{
    struct mqtt_packet *packet = &sample->packet;
    packet->clean_start = flip(sample);
    packet->keep_alive_s = (uint16_t)number(sample, 0, UINT16_MAX);
    packet->client_id = text(sample);
    packet->user_name = flip(sample) ? text(sample) : packet->user_name;
    packet->password = flip(sample) ? binary(sample) : packet->password;
    packet->will = flip(sample);
    if (packet->will) {
        packet->qos = (uint8_t)mqtt_sample_below(sample, 3);
        packet->retain = flip(sample);
        packet->topic = topic(sample);
        packet->payload = binary(sample);
        struct mqtt_properties will;
        mqtt_properties_init(&will);
        draw_properties(sample, &will, true);
        uint32_t size_bytes = 256;
        uint8_t *bytes = room(sample, size_bytes);
        EXPECT_EQUAL(mqtt_encode_will_properties(&will, bytes, &size_bytes), ERR_OK);
        packet->will_properties = (struct mqtt_slice){bytes, size_bytes};
    }
}

static void draw_publish(struct mqtt_sample *sample)
{
    struct mqtt_packet *packet = &sample->packet;
    packet->qos = (uint8_t)mqtt_sample_below(sample, 3);
    packet->dup = packet->qos > 0 && flip(sample);
    packet->retain = flip(sample);
    if (packet->qos == 0) {
        packet->packet_id = 0;
    }
    const bool alias = (packet->properties.present & MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS)) != 0;
    packet->topic = alias && flip(sample) ? (struct mqtt_slice){room(sample, 0), 0} : topic(sample);
    packet->payload = binary(sample);
}

static void draw_filters(struct mqtt_sample *sample)
{
    struct mqtt_packet *packet = &sample->packet;
    struct mqtt_list list = {.capacity_bytes = 128};
    list.bytes = room(sample, list.capacity_bytes);
    for (uint32_t count = 1 + mqtt_sample_below(sample, 4); count > 0; count--) {
        const bool shared = mqtt_sample_below(sample, 3) == 0;
        const struct mqtt_subscription subscription = {
            .filter = filter(sample, shared),
            .qos = (uint8_t)mqtt_sample_below(sample, 3),
            .no_local = !shared && flip(sample),
            .retain_as_published = flip(sample),
            .retain_handling = (uint8_t)mqtt_sample_below(sample, 3),
        };
        EXPECT_EQUAL(packet->type == MQTT_SUBSCRIBE ? mqtt_list_subscription(&list, &subscription)
                                                    : mqtt_list_filter(&list, subscription.filter),
                     ERR_OK);
    }
    packet->payload = mqtt_list_slice(&list);
}

static uint8_t one_of(struct mqtt_sample *sample, const char *list, uint32_t count)
{
    return (uint8_t)list[mqtt_sample_below(sample, count)];
}

#define ONE_OF(sample, list) one_of(sample, list, sizeof(list) - 1)

static void draw_reasons(struct mqtt_sample *sample)
{
    struct mqtt_packet *packet = &sample->packet;
    const uint32_t count = 1 + mqtt_sample_below(sample, 4);
    uint8_t *reasons = room(sample, count);
    for (uint32_t index = 0; index < count; index++) {
        reasons[index] = packet->type == MQTT_SUBACK
                             ? ONE_OF(sample, "\x00\x01\x02\x80\x87\x8F\x91\x9E\xA2")
                             : ONE_OF(sample, "\x00\x11\x80\x83\x87\x8F\x91");
    }
    packet->payload = (struct mqtt_slice){reasons, count};
}

void mqtt_sample_draw(struct mqtt_sample *sample, enum mqtt_type type)
{
    struct mqtt_packet *packet = &sample->packet;
    mqtt_packet_init(packet, type);
    sample->used_bytes = 0;
    draw_properties(sample, &packet->properties, false);
    if (type >= MQTT_PUBLISH && type <= MQTT_UNSUBACK) {
        packet->packet_id = (uint16_t)number(sample, 1, UINT16_MAX);
    }
    switch (type) {
    case MQTT_CONNECT:
        draw_connect(sample);
        break;
    case MQTT_CONNACK:
        packet->reason = ONE_OF(sample, "\x00\x00\x80\x84\x87\x9F");
        packet->session_present = packet->reason == 0 && flip(sample);
        break;
    case MQTT_PUBLISH:
        draw_publish(sample);
        break;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
        packet->reason = ONE_OF(sample, "\x00\x00\x10\x80\x91\x99");
        break;
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
        packet->reason = ONE_OF(sample, "\x00\x92");
        break;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        draw_filters(sample);
        break;
    case MQTT_SUBACK:
    case MQTT_UNSUBACK:
        draw_reasons(sample);
        break;
    case MQTT_DISCONNECT:
        packet->reason = ONE_OF(sample, "\x00\x04\x81\x8E\xA2");
        break;
    case MQTT_AUTH:
        packet->reason = ONE_OF(sample, "\x00\x18\x19");
        break;
    case MQTT_PINGREQ:
    case MQTT_PINGRESP:
        break;
    }
}

static bool same_slice(struct mqtt_slice left, struct mqtt_slice right)
{
    return (left.bytes == NULL) == (right.bytes == NULL) && mqtt_slice_equal(left, right);
}

static bool same_repeated(struct mqtt_slice left, struct mqtt_slice right)
{
    struct mqtt_slice left_rest = left, right_rest = right;
    struct mqtt_slice names[2], values[2];
    bool more = true;
    while (more) {
        more = mqtt_user_property_next(&left_rest, &names[0], &values[0]);
        if (more != mqtt_user_property_next(&right_rest, &names[1], &values[1]) ||
            (more &&
             (!mqtt_slice_equal(names[0], names[1]) || !mqtt_slice_equal(values[0], values[1])))) {
            return false;
        }
    }
    left_rest = left;
    right_rest = right;
    uint32_t identifiers[2] = {0, 0};
    more = true;
    while (more) {
        more = mqtt_subscription_identifier_next(&left_rest, &identifiers[0]);
        if (more != mqtt_subscription_identifier_next(&right_rest, &identifiers[1]) ||
            identifiers[0] != identifiers[1]) {
            return false;
        }
    }
    return true;
}

static bool same_properties(const struct mqtt_properties *p, const struct mqtt_properties *q)
{
    return p->present == q->present && p->message_expiry_s == q->message_expiry_s &&
           p->session_expiry_s == q->session_expiry_s && p->will_delay_s == q->will_delay_s &&
           p->maximum_packet_bytes == q->maximum_packet_bytes &&
           p->server_keep_alive_s == q->server_keep_alive_s &&
           p->receive_maximum == q->receive_maximum &&
           p->topic_alias_maximum == q->topic_alias_maximum && p->topic_alias == q->topic_alias &&
           p->payload_format == q->payload_format && p->request_problem == q->request_problem &&
           p->request_response == q->request_response && p->maximum_qos == q->maximum_qos &&
           p->retain_available == q->retain_available &&
           p->wildcard_available == q->wildcard_available &&
           p->identifier_available == q->identifier_available &&
           p->shared_available == q->shared_available &&
           same_slice(p->content_type, q->content_type) &&
           same_slice(p->response_topic, q->response_topic) &&
           same_slice(p->correlation_data, q->correlation_data) &&
           same_slice(p->assigned_client_id, q->assigned_client_id) &&
           same_slice(p->authentication_method, q->authentication_method) &&
           same_slice(p->authentication_data, q->authentication_data) &&
           same_slice(p->response_information, q->response_information) &&
           same_slice(p->server_reference, q->server_reference) &&
           same_slice(p->reason_string, q->reason_string) &&
           same_repeated(p->repeated, q->repeated);
}

bool mqtt_sample_same(const struct mqtt_packet *left, const struct mqtt_packet *right)
{
    return left->type == right->type && left->reason == right->reason &&
           left->packet_id == right->packet_id && left->dup == right->dup &&
           left->retain == right->retain && left->qos == right->qos &&
           left->clean_start == right->clean_start && left->will == right->will &&
           left->session_present == right->session_present &&
           left->keep_alive_s == right->keep_alive_s &&
           same_slice(left->client_id, right->client_id) && same_slice(left->topic, right->topic) &&
           same_slice(left->payload, right->payload) &&
           same_slice(left->will_properties, right->will_properties) &&
           same_slice(left->user_name, right->user_name) &&
           same_slice(left->password, right->password) &&
           same_properties(&left->properties, &right->properties);
}
