/* MQTT packets out of a stream of any bytes.
 * Input: two bytes that say how the stream is cut, then the stream.
 * Required: the same packets and the same refusal however it is cut; a refusal has a reason of
 * section 4.13; what was decoded is encoded again, decodes to the same packet, and from then on to
 * the same bytes; lists yield only what is valid, and as much as there is. */
#include <string.h>

#include "core/mqtt/filter.h"
#include "core/mqtt/stream.h"
#include "core/test/mqtt_sample.h"
#include "fuzz/fuzz.h"

enum { STREAM_BYTES_MAX = 8192, PACKETS_MAX = STREAM_BYTES_MAX / 2, WIDE = 2 };

/* What a stream came to. */
struct told {
    uint32_t count;
    uint8_t reason; /* of the refusal; 0: there was none */
    uint32_t unfinished_bytes;
    uint64_t digest; /* of all packets, each encoded anew */
};

static void require_lists(const struct mqtt_packet *packet)
{
    struct mqtt_slice rest = packet->payload, filter, name, value;
    struct mqtt_subscription subscription;
    uint32_t identifier;
    if (packet->type == MQTT_SUBSCRIBE) {
        while (mqtt_subscription_next(&rest, &subscription)) {
            REQUIRE(mqtt_filter_valid(subscription.filter) && subscription.qos <= 2);
            REQUIRE(subscription.retain_handling <= MQTT_RETAINED_NEVER);
        }
        REQUIRE(rest.size_bytes == 0);
    } else if (packet->type == MQTT_UNSUBSCRIBE) {
        while (mqtt_filter_next(&rest, &filter)) {
            REQUIRE(mqtt_filter_valid(filter));
        }
        REQUIRE(rest.size_bytes == 0);
    }
    rest = packet->properties.repeated;
    while (mqtt_user_property_next(&rest, &name, &value)) {
        REQUIRE(mqtt_text_valid(name) && mqtt_text_valid(value));
    }
    rest = packet->properties.repeated;
    while (mqtt_subscription_identifier_next(&rest, &identifier)) {
        REQUIRE(identifier >= 1 && identifier <= 268435455);
    }
    if (packet->type == MQTT_PUBLISH && packet->topic.size_bytes > 0) {
        REQUIRE(mqtt_topic_valid(packet->topic));
    }
}

/* Encode, decode, encode: nothing is lost, and the second form is the last one. */
static uint64_t canonical(const struct mqtt_packet *packet)
{
    uint8_t first[WIDE * MQTT_PACKET_BYTES_MAX], second[WIDE * MQTT_PACKET_BYTES_MAX];
    uint32_t first_bytes = sizeof first, second_bytes = sizeof second, lean_bytes = sizeof second;
    struct mqtt_packet again;
    uint8_t reason = 0;
    REQUIRE(mqtt_encode(packet, first, &first_bytes) == ERR_OK);
    REQUIRE(mqtt_decode(first, first_bytes, &again, &reason) == ERR_OK);
    REQUIRE(mqtt_sample_same(packet, &again));
    REQUIRE(mqtt_encode_lean(packet, second, &lean_bytes) == ERR_OK && lean_bytes == first_bytes);
    REQUIRE(mqtt_encode(&again, second, &second_bytes) == ERR_OK);
    REQUIRE(second_bytes == first_bytes && memcmp(first, second, first_bytes) == 0);
    uint32_t short_bytes = first_bytes - 1; /* it says what it needs */
    REQUIRE(mqtt_encode(packet, second, &short_bytes) == ERR_RANGE && short_bytes == first_bytes);
    uint64_t digest = UINT64_C(0xCBF29CE484222325);
    for (uint32_t i = 0; i < first_bytes; i++) {
        digest = (digest ^ first[i]) * UINT64_C(0x100000001B3);
    }
    if (packet->type == MQTT_CONNECT && packet->will) {
        struct mqtt_properties properties;
        mqtt_will_properties(packet, &properties);
        second_bytes = sizeof second;
        REQUIRE(mqtt_encode_will_properties(&properties, second, &second_bytes) == ERR_OK);
    }
    return digest;
}

/* cut: how many bytes come at once, in turn; 0: all of them. */
static struct told tell(const uint8_t *bytes, uint32_t size_bytes, const uint8_t cut[2])
{
    static struct mqtt_framer framer;
    struct told told = {.count = 0};
    struct mqtt_packet packet;
    framer = (struct mqtt_framer){.size_bytes = 0};
    for (uint32_t at = 0, turn = 0; at < size_bytes; turn++) {
        uint32_t piece_bytes = cut[turn % 2];
        if (piece_bytes == 0 || piece_bytes > size_bytes - at) {
            piece_bytes = size_bytes - at;
        }
        struct mqtt_input input = {bytes + at, piece_bytes};
        enum err err;
        while ((err = mqtt_framer_next(&framer, &input, &packet, &told.reason)) == ERR_OK) {
            REQUIRE(++told.count <= PACKETS_MAX); /* a packet takes two bytes at least */
            require_lists(&packet);
            told.digest = told.digest * 31 + canonical(&packet);
        }
        if (err == ERR_MALFORMED) {
            REQUIRE(told.reason == MQTT_MALFORMED_PACKET || told.reason == MQTT_PROTOCOL_ERROR ||
                    told.reason == MQTT_UNSUPPORTED_PROTOCOL_VERSION ||
                    told.reason == MQTT_PACKET_TOO_LARGE);
            return told;
        }
        REQUIRE(err == ERR_NOT_FOUND && input.size_bytes == 0);
        told.reason = 0;
        at += piece_bytes;
    }
    told.unfinished_bytes = framer.size_bytes;
    return told;
}

static void require_same(const struct told *left, const struct told *right)
{
    REQUIRE(left->count == right->count && left->digest == right->digest);
    REQUIRE(left->reason == right->reason);
    REQUIRE(left->unfinished_bytes == right->unfinished_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const uint8_t whole[2] = {0, 0}, one[2] = {1, 1};
    if (size_bytes < 2 || size_bytes > STREAM_BYTES_MAX) {
        return 0;
    }
    const uint8_t *stream = data + 2;
    const uint32_t stream_bytes = (uint32_t)size_bytes - 2;
    const struct told by_whole = tell(stream, stream_bytes, whole);
    const struct told by_one = tell(stream, stream_bytes, one);
    const struct told by_cut = tell(stream, stream_bytes, data);
    require_same(&by_whole, &by_one);
    require_same(&by_whole, &by_cut);
    return 0;
}
