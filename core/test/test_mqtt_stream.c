/* Goal: the packets of a stream do not depend on how it is cut, and a packet is sent whole or not
 * at all, in order. Method: one sample stream, cut at each place, at each pair of places and byte
 * by byte, against the packets of the uncut one; and a link that takes as many bytes as the test
 * allows. */
#include "core/check.h"
#include "core/mqtt/stream.h"
#include "core/test/test.h"

#include <string.h>

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    exit(1);
}

enum { STREAM_BYTES_MAX = 2048, PACKETS_MAX = 16 };

struct stream {
    uint32_t size_bytes;
    uint8_t bytes[STREAM_BYTES_MAX];
};

static void append(struct stream *stream, const struct mqtt_packet *packet)
{
    uint32_t size_bytes = STREAM_BYTES_MAX - stream->size_bytes;
    EXPECT_EQUAL(mqtt_encode(packet, stream->bytes + stream->size_bytes, &size_bytes), ERR_OK);
    stream->size_bytes += size_bytes;
}

static struct mqtt_packet publish(uint16_t packet_id, const uint8_t *payload, uint32_t size_bytes)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text("t/7");
    packet.qos = packet_id > 0 ? 1 : 0;
    packet.packet_id = packet_id;
    packet.payload = (struct mqtt_slice){payload, size_bytes};
    return packet;
}

/* Small and large packets: one, two bytes of remaining length, and the largest that there may be.
 */
static void sample(struct stream *stream, uint32_t largest)
{
    static uint8_t payload[MQTT_PACKET_BYTES_MAX];
    for (uint32_t index = 0; index < sizeof payload; index++) {
        payload[index] = (uint8_t)(index * 7);
    }
    struct mqtt_packet packet;
    stream->size_bytes = 0;
    mqtt_packet_init(&packet, MQTT_PINGREQ);
    append(stream, &packet);
    packet = publish(1, payload, 5);
    append(stream, &packet);
    mqtt_packet_init(&packet, MQTT_PUBACK);
    packet.packet_id = 3;
    append(stream, &packet);
    packet = publish(2, payload, largest); /* 11 bytes in front of the payload */
    append(stream, &packet);
    packet = publish(0, NULL, 0);
    append(stream, &packet);
    mqtt_packet_init(&packet, MQTT_DISCONNECT);
    append(stream, &packet);
}

/* What came out: each packet as canonical bytes, and how the stream was refused in the end. */
struct outcome {
    struct stream packets;
    uint32_t count;
    uint8_t reason;
};

/* Feed one piece; false once the stream is refused. */
static bool feed(struct mqtt_framer *framer, const uint8_t *bytes, uint32_t size_bytes,
                 struct outcome *outcome)
{
    uint8_t *piece = malloc(size_bytes > 0 ? size_bytes : 1); /* a sanitizer sees overreads */
    EXPECT(piece != NULL);
    memcpy(piece, bytes, size_bytes);
    struct mqtt_input input = {piece, size_bytes};
    struct mqtt_packet packet;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        err = mqtt_framer_next(framer, &input, &packet, &outcome->reason);
        if (err == ERR_OK) {
            append(&outcome->packets, &packet);
            outcome->count++;
        }
    }
    EXPECT(err == ERR_MALFORMED || (err == ERR_NOT_FOUND && input.size_bytes == 0));
    free(piece);
    return err == ERR_NOT_FOUND;
}

/* The pieces end at `first`, `second` and the end of the stream. */
static void run_cut(const struct stream *stream, uint32_t first, uint32_t second,
                    struct outcome *outcome)
{
    static struct mqtt_framer framer;
    memset(&framer, 0, sizeof framer);
    memset(outcome, 0, sizeof *outcome);
    if (feed(&framer, stream->bytes, first, outcome) &&
        feed(&framer, stream->bytes + first, second - first, outcome)) {
        (void)feed(&framer, stream->bytes + second, stream->size_bytes - second, outcome);
    }
}

static void run_bytes(const struct stream *stream, struct outcome *outcome)
{
    static struct mqtt_framer framer;
    memset(&framer, 0, sizeof framer);
    memset(outcome, 0, sizeof *outcome);
    for (uint32_t at = 0; at < stream->size_bytes; at++) {
        if (!feed(&framer, stream->bytes + at, 1, outcome)) {
            return;
        }
    }
}

static void expect_same(const struct outcome *left, const struct outcome *right)
{
    EXPECT_EQUAL(left->count, right->count);
    EXPECT_EQUAL(left->reason, right->reason);
    EXPECT_EQUAL(left->packets.size_bytes, right->packets.size_bytes);
    EXPECT(memcmp(left->packets.bytes, right->packets.bytes, left->packets.size_bytes) == 0);
}

static void expect_same_however_cut(const struct stream *stream, const struct outcome *whole)
{
    static struct outcome cut;
    for (uint32_t at = 0; at <= stream->size_bytes; at++) {
        run_cut(stream, at, at, &cut);
        expect_same(&cut, whole);
    }
    run_bytes(stream, &cut);
    expect_same(&cut, whole);
}

static void a_stream_gives_the_same_packets_however_it_is_cut(void)
{
    static struct stream stream;
    static struct outcome whole, cut;
    sample(&stream, MQTT_PACKET_BYTES_MAX - 11);
    run_cut(&stream, 0, 0, &whole);
    EXPECT_EQUAL(whole.count, 6);
    EXPECT_EQUAL(whole.reason, 0);
    EXPECT_EQUAL(whole.packets.size_bytes, stream.size_bytes);
    EXPECT(memcmp(whole.packets.bytes, stream.bytes, stream.size_bytes) == 0);
    expect_same_however_cut(&stream, &whole);
    sample(&stream, 130);
    run_cut(&stream, 0, 0, &whole);
    for (uint32_t first = 0; first <= stream.size_bytes; first++) {
        for (uint32_t second = first; second <= stream.size_bytes; second++) {
            run_cut(&stream, first, second, &cut);
            expect_same(&cut, &whole);
        }
    }
}

static void a_stream_is_refused_for_the_same_reason_however_it_is_cut(void)
{
    static const struct {
        uint8_t size_bytes;
        uint8_t bytes[8];
        uint8_t reason;
    } bad[] = {
        {2, {0x00, 0x00}, MQTT_MALFORMED_PACKET},
        {2, {0xC1, 0x00}, MQTT_MALFORMED_PACKET},
        {3, {0xC0, 0x80, 0x00}, MQTT_MALFORMED_PACKET},
        {5, {0x30, 0xFF, 0xFF, 0xFF, 0xFF}, MQTT_MALFORMED_PACKET},
        {5, {0x30, 0xFF, 0xFF, 0xFF, 0x7F}, MQTT_PACKET_TOO_LARGE},
        {6, {0x30, 4, 0, 1, '#', 0}, MQTT_MALFORMED_PACKET},
        {4, {0x40, 2, 0, 0}, MQTT_PROTOCOL_ERROR},
        {4, {0x62, 2, 0, 0}, MQTT_PROTOCOL_ERROR},
        {2, {0x82, 0x00}, MQTT_MALFORMED_PACKET},
    };
    for (uint32_t index = 0; index < sizeof bad / sizeof bad[0]; index++) {
        static struct stream stream;
        static struct outcome whole;
        sample(&stream, 130);
        memcpy(stream.bytes + stream.size_bytes, bad[index].bytes, bad[index].size_bytes);
        stream.size_bytes += bad[index].size_bytes;
        stream.bytes[stream.size_bytes++] = 0xC0; /* what follows a refused packet is not taken */
        stream.bytes[stream.size_bytes++] = 0x00;
        run_cut(&stream, 0, 0, &whole);
        EXPECT_EQUAL(whole.count, 6);
        EXPECT_EQUAL(whole.reason, bad[index].reason);
        expect_same_however_cut(&stream, &whole);
    }
}

static void a_packet_that_is_too_large_is_refused_before_its_bytes_come(void)
{
    static struct mqtt_framer framer;
    memset(&framer, 0, sizeof framer);
    struct outcome *outcome = calloc(1, sizeof *outcome);
    EXPECT(outcome != NULL);
    EXPECT(!feed(&framer, (const uint8_t[]){0x30, 0xFE, 0x07}, 3, outcome)); /* 1025 bytes */
    EXPECT_EQUAL(outcome->reason, MQTT_PACKET_TOO_LARGE);
    EXPECT_EQUAL(framer.size_bytes, 0);
    free(outcome);
}

/* A link that takes at most `step` bytes a call and `room` in all, then says "later". */
struct link {
    uint32_t step;
    uint32_t room;
    bool closed;
    struct stream taken;
};

static int32_t link_send(void *ctx, uint32_t handle, const uint8_t *bytes, uint32_t size_bytes)
{
    struct link *link = ctx;
    EXPECT_EQUAL(handle, 5);
    EXPECT(size_bytes > 0);
    if (link->closed) {
        return ERR_CLOSED;
    }
    uint32_t taken = size_bytes < link->step ? size_bytes : link->step;
    taken = taken < link->room ? taken : link->room;
    EXPECT(link->taken.size_bytes + taken <= STREAM_BYTES_MAX);
    memcpy(link->taken.bytes + link->taken.size_bytes, bytes, taken);
    link->taken.size_bytes += taken;
    link->room -= taken;
    return (int32_t)taken;
}

static void packets_leave_in_order_through_a_link_that_takes_them_bit_by_bit(void)
{
    static struct mqtt_outgoing outgoing;
    static struct link link;
    static struct stream expected;
    memset(&outgoing, 0, sizeof outgoing);
    memset(&link, 0, sizeof link);
    expected.size_bytes = 0;
    const struct port port = {.ctx = &link, .link_send = link_send};
    link.step = 3;
    for (uint16_t round = 1; round <= 41; round++) {
        const uint8_t payload[] = {(uint8_t)round, 2, 3};
        const struct mqtt_packet packet = publish(round, payload, 1u + round % 3u);
        EXPECT_EQUAL(mqtt_outgoing_packet(&outgoing, &port, 5, &packet), ERR_OK);
        append(&expected, &packet);
        link.room = round % 5u * 7u;
        if (link.room > 0) {
            EXPECT_EQUAL(mqtt_outgoing_flush(&outgoing, &port, 5), ERR_OK);
        }
        EXPECT_EQUAL(link.taken.size_bytes + outgoing.size_bytes, expected.size_bytes);
    }
    EXPECT(outgoing.size_bytes > 0);
    link.room = STREAM_BYTES_MAX;
    EXPECT_EQUAL(mqtt_outgoing_flush(&outgoing, &port, 5), ERR_OK);
    EXPECT_EQUAL(outgoing.size_bytes, 0);
    EXPECT_EQUAL(link.taken.size_bytes, expected.size_bytes);
    EXPECT(memcmp(link.taken.bytes, expected.bytes, expected.size_bytes) == 0);
}

static void what_does_not_fit_is_not_kept_and_acks_still_fit(void)
{
    static struct mqtt_outgoing outgoing;
    static struct link link;
    static uint8_t payload[200];
    memset(&outgoing, 0, sizeof outgoing);
    memset(&link, 0, sizeof link);
    const struct port port = {.ctx = &link, .link_send = link_send};
    const struct mqtt_packet packet = publish(9, payload, sizeof payload);
    uint32_t count = 0;
    enum err err = mqtt_outgoing_packet(&outgoing, &port, 5, &packet);
    while (err == ERR_OK) {
        count++;
        err = mqtt_outgoing_packet(&outgoing, &port, 5, &packet);
    }
    EXPECT_EQUAL(err, ERR_FULL);
    EXPECT_EQUAL(outgoing.size_bytes, count * 211);
    const uint32_t room = LINK_SEND_BYTES_MAX - outgoing.size_bytes;
    EXPECT(room >= MQTT_OUTGOING_RESERVE_BYTES);
    struct mqtt_packet puback;
    mqtt_packet_init(&puback, MQTT_PUBACK);
    puback.packet_id = 1;
    puback.reason = MQTT_QUOTA_EXCEEDED;
    for (uint32_t acks = 0; acks < room / 5; acks++) {
        EXPECT_EQUAL(mqtt_outgoing_packet(&outgoing, &port, 5, &puback), ERR_OK);
    }
    const uint32_t held = outgoing.size_bytes;
    EXPECT_EQUAL(mqtt_outgoing_packet(&outgoing, &port, 5, &puback), ERR_FULL);
    EXPECT_EQUAL(outgoing.size_bytes, held);
    EXPECT_EQUAL(link.taken.size_bytes, 0);
}

static void a_packet_larger_than_the_peer_takes_is_not_sent(void)
{
    static struct mqtt_outgoing outgoing;
    static struct link link;
    static uint8_t payload[MQTT_PACKET_BYTES_MAX];
    memset(&outgoing, 0, sizeof outgoing);
    memset(&link, 0, sizeof link);
    const struct port port = {.ctx = &link, .link_send = link_send};
    link.step = link.room = STREAM_BYTES_MAX;
    struct mqtt_packet packet = publish(9, payload, MQTT_PACKET_BYTES_MAX - 10);
    EXPECT_EQUAL(mqtt_outgoing_packet(&outgoing, &port, 5, &packet), ERR_RANGE);
    packet = publish(9, payload, MQTT_PACKET_BYTES_MAX - 11);
    EXPECT_EQUAL(mqtt_outgoing_packet(&outgoing, &port, 5, &packet), ERR_OK);
    EXPECT_EQUAL(link.taken.size_bytes, MQTT_PACKET_BYTES_MAX);
    outgoing.packet_bytes_max = 20;
    packet = publish(9, payload, 11);
    EXPECT_EQUAL(mqtt_outgoing_packet(&outgoing, &port, 5, &packet), ERR_RANGE);
    packet = publish(9, payload, 10);
    EXPECT_EQUAL(mqtt_outgoing_packet(&outgoing, &port, 5, &packet), ERR_OK);
    EXPECT_EQUAL(link.taken.size_bytes, MQTT_PACKET_BYTES_MAX + 20);
}

static void an_answer_that_is_too_large_goes_without_its_texts(void)
{
    static struct mqtt_outgoing outgoing;
    static struct link link;
    memset(&outgoing, 0, sizeof outgoing);
    memset(&link, 0, sizeof link);
    const struct port port = {.ctx = &link, .link_send = link_send};
    link.step = link.room = STREAM_BYTES_MAX;
    struct mqtt_packet puback;
    mqtt_packet_init(&puback, MQTT_PUBACK);
    puback.packet_id = 7;
    puback.reason = MQTT_QUOTA_EXCEEDED;
    puback.properties.reason_string = mqtt_text("no");
    puback.properties.present = MQTT_PROPERTY_BIT(MQTT_REASON_STRING);
    outgoing.packet_bytes_max = 11;
    EXPECT_EQUAL(mqtt_outgoing_packet(&outgoing, &port, 5, &puback), ERR_OK);
    EXPECT_EQUAL(link.taken.size_bytes, 11);
    outgoing.packet_bytes_max = 10;
    EXPECT_EQUAL(mqtt_outgoing_packet(&outgoing, &port, 5, &puback), ERR_OK);
    EXPECT_EQUAL(link.taken.size_bytes, 11 + 5);
    outgoing.packet_bytes_max = 4;
    EXPECT_EQUAL(mqtt_outgoing_packet(&outgoing, &port, 5, &puback), ERR_RANGE);
    EXPECT_EQUAL(link.taken.size_bytes, 11 + 5);
}

static void a_closed_link_is_told_and_keeps_nothing(void)
{
    static struct mqtt_outgoing outgoing;
    static struct link link;
    memset(&outgoing, 0, sizeof outgoing);
    memset(&link, 0, sizeof link);
    const struct port port = {.ctx = &link, .link_send = link_send};
    const struct mqtt_packet packet = publish(9, NULL, 0);
    EXPECT_EQUAL(mqtt_outgoing_packet(&outgoing, &port, 5, &packet), ERR_OK);
    link.closed = true;
    EXPECT_EQUAL(mqtt_outgoing_flush(&outgoing, &port, 5), ERR_CLOSED);
    EXPECT_EQUAL(outgoing.size_bytes, 0);
    EXPECT_EQUAL(mqtt_outgoing_packet(&outgoing, &port, 5, &packet), ERR_CLOSED);
    EXPECT_EQUAL(outgoing.size_bytes, 0);
}

int main(void)
{
    RUN(a_stream_gives_the_same_packets_however_it_is_cut);
    RUN(a_stream_is_refused_for_the_same_reason_however_it_is_cut);
    RUN(a_packet_that_is_too_large_is_refused_before_its_bytes_come);
    RUN(packets_leave_in_order_through_a_link_that_takes_them_bit_by_bit);
    RUN(what_does_not_fit_is_not_kept_and_acks_still_fit);
    RUN(a_packet_larger_than_the_peer_takes_is_not_sent);
    RUN(an_answer_that_is_too_large_goes_without_its_texts);
    RUN(a_closed_link_is_told_and_keeps_nothing);
    return 0;
}
