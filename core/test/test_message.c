/* Goal: each message comes back as it was made; a payload that breaks a rule of its schema is
 * malformed, and no message is read as another.
 * Method: round trips at the ends of every field; payloads built by hand, each with one thing
 * wrong. */
#include <stdbool.h>
#include <string.h>

#include "core/boot.h"
#include "core/cbor.h"
#include "core/check.h"
#include "core/crypto/openssl.h"
#include "core/message.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK(%s)\n", file, line, what);
    abort();
}

enum { DEVICE = 7, GATEWAY = 70, CLOUD = 1, EPOCH = 3, COUNTER = 41, SEALED_BYTES = 20 };

static struct crypto_openssl openssl;
static struct port port;
static struct key_pair pair;
static const uint8_t secret[KEY_BYTES] = {5};
static uint8_t reading_key[AEAD_KEY_BYTES];

static struct cose_sign1 parse(const struct envelope *envelope)
{
    struct cose_sign1 parsed;
    EXPECT(cose_parse(envelope->bytes, envelope->size_bytes, &parsed) == ERR_OK);
    EXPECT(cose_verify(&parsed, &port, pair.public_key) == ERR_OK);
    return parsed;
}

static void telemetry_round(uint32_t device, uint32_t epoch, uint64_t counter,
                            const struct reading *reading)
{
    struct envelope envelope;
    struct telemetry telemetry;
    struct reading back = {0};
    EXPECT(message_telemetry(&port, &pair, reading_key, device, epoch, counter, reading,
                             &envelope) == ERR_OK);
    const struct cose_sign1 parsed = parse(&envelope);
    EXPECT_EQUAL(parsed.content_type, MESSAGE_TELEMETRY);
    EXPECT_EQUAL(parsed.signer, device);
    EXPECT(message_read_telemetry(&parsed, &telemetry) == ERR_OK);
    EXPECT_EQUAL(telemetry.device, device);
    EXPECT_EQUAL(telemetry.epoch, epoch);
    EXPECT(telemetry.counter == counter);
    EXPECT(message_open_reading(&port, reading_key, &telemetry, &back) == ERR_OK);
    EXPECT(back.wall_us == reading->wall_us);
    EXPECT_EQUAL(back.value, reading->value);
}

static void telemetry_comes_back_at_the_ends_of_its_fields(void)
{
    telemetry_round(0, 0, 0, &(struct reading){.wall_us = 0, .value = 0});
    telemetry_round(DEVICE, EPOCH, COUNTER, &(struct reading){.wall_us = 1, .value = -1});
    telemetry_round(UINT32_MAX, UINT32_MAX, UINT64_MAX,
                    &(struct reading){.wall_us = UINT64_MAX, .value = INT32_MIN});
    telemetry_round(1, 1, 1, &(struct reading){.wall_us = 24, .value = INT32_MAX});
}

static void a_reading_opens_only_under_its_own_name_and_key(void)
{
    struct envelope envelope;
    struct telemetry telemetry;
    struct reading back;
    uint8_t other_key[AEAD_KEY_BYTES];
    const struct reading reading = {.wall_us = 1000, .value = 25};
    EXPECT(message_telemetry(&port, &pair, reading_key, DEVICE, EPOCH, COUNTER, &reading,
                             &envelope) == ERR_OK);
    const struct cose_sign1 parsed = parse(&envelope);
    EXPECT(message_read_telemetry(&parsed, &telemetry) == ERR_OK);
    EXPECT(message_reading_key(&port, secret, DEVICE, EPOCH + 1, other_key) == ERR_OK);
    EXPECT(message_open_reading(&port, other_key, &telemetry, &back) == ERR_SIGNATURE);
    EXPECT(message_reading_key(&port, secret, DEVICE + 1, EPOCH, other_key) == ERR_OK);
    EXPECT(message_open_reading(&port, other_key, &telemetry, &back) == ERR_SIGNATURE);
    telemetry.counter++;
    EXPECT(message_open_reading(&port, reading_key, &telemetry, &back) == ERR_SIGNATURE);
    telemetry.counter--;
    telemetry.epoch++;
    EXPECT(message_open_reading(&port, reading_key, &telemetry, &back) == ERR_SIGNATURE);
    telemetry.epoch--;
    EXPECT(message_open_reading(&port, reading_key, &telemetry, &back) == ERR_OK);
}

/* A device that signs nonsense: the tag is good, what it covers is not a reading. */
static void a_sealed_thing_that_is_no_reading_is_malformed(void)
{
    static const struct {
        uint32_t size_bytes;
        uint8_t bytes[15];
    } plains[] = {
        {3, {0x83, 0x01, 0x02}},
        {4, {0x82, 0x01, 0x02, 0x00}},
        {3, {0x82, 0x20, 0x02}},
        {3, {0x82, 0x01, 0x40}},
        {4, {0x82, 0x18, 0x01, 0x02}},
        {7, {0x82, 0x01, 0x1a, 0x80, 0x00, 0x00, 0x00}},
        {7, {0x82, 0x01, 0x3a, 0x80, 0x00, 0x00, 0x00}},
    };
    for (size_t i = 0; i < sizeof plains / sizeof plains[0]; i++) {
        const uint8_t nonce[AEAD_NONCE_BYTES] = {[3] = EPOCH, [11] = COUNTER};
        uint8_t sealed[15 + AEAD_TAG_BYTES];
        const struct telemetry telemetry = {.device = DEVICE,
                                            .epoch = EPOCH,
                                            .counter = COUNTER,
                                            .sealed = sealed,
                                            .sealed_bytes = plains[i].size_bytes + AEAD_TAG_BYTES};
        struct reading back;
        EXPECT(port.crypto.seal(port.crypto.ctx, reading_key, nonce, plains[i].bytes,
                                plains[i].size_bytes, sealed) == ERR_OK);
        EXPECT(message_open_reading(&port, reading_key, &telemetry, &back) == ERR_MALFORMED);
    }
}

static void the_other_messages_come_back(void)
{
    struct envelope envelope;
    uint8_t bitmap[WINDOW_BITS_MAX / 8];
    memset(bitmap, 0xa5, sizeof bitmap);
    for (uint32_t bytes = 0; bytes <= sizeof bitmap; bytes++) {
        const struct ack ack = {.device = UINT32_MAX,
                                .epoch = UINT32_MAX,
                                .floor = UINT64_MAX - bytes * 8,
                                .bitmap = bitmap,
                                .bitmap_bytes = bytes};
        struct ack back;
        EXPECT(message_ack(&port, &pair, CLOUD, &ack, &envelope) == ERR_OK);
        const struct cose_sign1 parsed = parse(&envelope);
        EXPECT_EQUAL(parsed.signer, CLOUD);
        EXPECT(message_read_ack(&parsed, &back) == ERR_OK);
        EXPECT(back.device == ack.device && back.epoch == ack.epoch && back.floor == ack.floor);
        EXPECT_EQUAL(back.bitmap_bytes, bytes);
        EXPECT(memcmp(back.bitmap, bitmap, bytes) == 0);
    }
    const struct challenge challenge = {.device = DEVICE, .nonce = {1, 2, 3}};
    struct challenge challenge_back;
    EXPECT(message_challenge(&port, &pair, CLOUD, &challenge, &envelope) == ERR_OK);
    struct cose_sign1 parsed = parse(&envelope);
    EXPECT(message_read_challenge(&parsed, &challenge_back) == ERR_OK);
    EXPECT_EQUAL(challenge_back.device, DEVICE);
    EXPECT(memcmp(challenge_back.nonce, challenge.nonce, CHALLENGE_BYTES) == 0);

    const struct response response = {.device = DEVICE, .nonce = {4}, .epoch = 9, .floor = 77};
    struct response response_back;
    EXPECT(message_response(&port, &pair, &response, &envelope) == ERR_OK);
    parsed = parse(&envelope);
    EXPECT_EQUAL(parsed.signer, DEVICE);
    EXPECT(message_read_response(&parsed, &response_back) == ERR_OK);
    EXPECT(response_back.device == DEVICE && response_back.epoch == 9 && response_back.floor == 77);
    EXPECT(memcmp(response_back.nonce, response.nonce, CHALLENGE_BYTES) == 0);
}

static void the_largest_envelope_is_forwarded(void)
{
    uint8_t inside[ENVELOPE_BYTES_MAX + 1], out[FORWARD_BYTES_MAX];
    uint32_t size_bytes = sizeof out;
    struct forward back;
    struct cose_sign1 parsed;
    memset(inside, 0x5a, sizeof inside);
    struct forward forward = {.gateway = UINT32_MAX,
                              .tenant = UINT32_MAX,
                              .policy_version = UINT32_MAX,
                              .envelope = inside,
                              .envelope_bytes = ENVELOPE_BYTES_MAX};
    EXPECT(message_forward(&port, &pair, &forward, out, &size_bytes) == ERR_OK);
    EXPECT(cose_parse(out, size_bytes, &parsed) == ERR_OK);
    EXPECT(cose_verify(&parsed, &port, pair.public_key) == ERR_OK);
    EXPECT(message_read_forward(&parsed, &back) == ERR_OK);
    EXPECT(back.gateway == UINT32_MAX && back.tenant == UINT32_MAX);
    EXPECT(back.policy_version == UINT32_MAX);
    EXPECT_EQUAL(back.envelope_bytes, ENVELOPE_BYTES_MAX);
    EXPECT(memcmp(back.envelope, inside, ENVELOPE_BYTES_MAX) == 0);

    const uint32_t needed_bytes = size_bytes;
    size_bytes = needed_bytes - 1;
    EXPECT(message_forward(&port, &pair, &forward, out, &size_bytes) == ERR_RANGE);
    size_bytes = sizeof out;
    forward.envelope_bytes++;
    EXPECT(message_forward(&port, &pair, &forward, out, &size_bytes) == ERR_RANGE);
    forward.envelope_bytes = 0;
    EXPECT(message_forward(&port, &pair, &forward, out, &size_bytes) == ERR_RANGE);
}

static void an_ack_that_reaches_past_the_counters_is_not_made(void)
{
    struct envelope envelope;
    uint8_t bitmap[WINDOW_BITS_MAX / 8 + 1] = {0};
    struct ack ack = {.floor = UINT64_MAX - 7, .bitmap = bitmap, .bitmap_bytes = 1};
    for (uint32_t bit = 0; bit < 8; bit++) {
        bitmap[0] = (uint8_t)(1u << bit);
        const enum err err = message_ack(&port, &pair, CLOUD, &ack, &envelope);
        EXPECT(err == (bit < 7 ? ERR_OK : ERR_RANGE));
    }
    ack.floor--;
    EXPECT(message_ack(&port, &pair, CLOUD, &ack, &envelope) == ERR_OK);
    bitmap[0] = 0;
    ack.floor = 0;
    ack.bitmap_bytes = sizeof bitmap;
    EXPECT(message_ack(&port, &pair, CLOUD, &ack, &envelope) == ERR_RANGE);
}

/* --- payloads by hand -------------------------------------------------------------------------*/

/* One field of a payload; the test changes one thing of a good one. */
struct field {
    bool is_bytes;
    uint64_t number;
    uint32_t size_bytes;
    uint8_t bytes[CHUNK_BYTES_MAX + 1];
};

enum { FIELDS_MAX = 15 };

struct draft {
    enum message_type type;
    uint32_t signer;
    uint32_t count;
    struct field fields[FIELDS_MAX];
};

static struct field number(uint64_t value)
{
    return (struct field){.number = value};
}

static struct field bytes(uint32_t size_bytes)
{
    return (struct field){.is_bytes = true, .size_bytes = size_bytes};
}

static struct draft good(enum message_type type)
{
    struct field nonce = bytes(AEAD_NONCE_BYTES);
    nonce.bytes[3] = EPOCH;
    nonce.bytes[11] = COUNTER;
    switch (type) {
    case MESSAGE_TELEMETRY:
        return (struct draft){
            type,
            DEVICE,
            5,
            {number(DEVICE), number(EPOCH), number(COUNTER), nonce, bytes(SEALED_BYTES)}};
    case MESSAGE_FORWARD:
        return (struct draft){
            type, GATEWAY, 4, {number(GATEWAY), number(1), number(2), bytes(100)}};
    case MESSAGE_ACK:
        return (struct draft){type, CLOUD, 4, {number(DEVICE), number(EPOCH), number(9), bytes(1)}};
    case MESSAGE_CHALLENGE:
        return (struct draft){type, CLOUD, 2, {number(DEVICE), bytes(CHALLENGE_BYTES)}};
    case MESSAGE_STATUS:
        return (struct draft){
            type,
            DEVICE,
            15,
            {number(DEVICE), number(EPOCH), number(5), number(6), bytes(CHALLENGE_BYTES), number(7),
             number(BOOT_TRIAL), number(2), number(8), number(IMAGE_FAULT_TRIALS), number(1),
             number(9), number(IMAGE_FAULT_EXPIRED), bytes(MANIFEST_NAME_BYTES), number(4096)}};
    case MESSAGE_OFFER:
        return (struct draft){type,
                              CLOUD,
                              6,
                              {number(DEVICE), bytes(CHALLENGE_BYTES), number(6), number(7),
                               bytes(MANIFEST_ENVELOPE_BYTES_MAX), bytes(1)}};
    case MESSAGE_CHUNK:
        return (struct draft){type,
                              CLOUD,
                              6,
                              {number(DEVICE), bytes(CHALLENGE_BYTES), number(6),
                               bytes(MANIFEST_NAME_BYTES), number(480), bytes(CHUNK_BYTES_MAX)}};
    case MESSAGE_ANSWER:
        return (struct draft){type, CLOUD, 3, {number(DEVICE), bytes(CHALLENGE_BYTES), number(6)}};
    case MESSAGE_RESPONSE:
        break;
    }
    return (struct draft){MESSAGE_RESPONSE,
                          DEVICE,
                          4,
                          {number(DEVICE), bytes(CHALLENGE_BYTES), number(EPOCH), number(9)}};
}

static enum err read_as(enum message_type type, const struct cose_sign1 *parsed)
{
    struct telemetry telemetry;
    struct forward forward;
    struct ack ack;
    struct challenge challenge;
    struct response response;
    struct status status;
    struct offer offer;
    struct chunk chunk;
    struct answer answer;
    switch (type) {
    case MESSAGE_STATUS:
        return message_read_status(parsed, &status);
    case MESSAGE_OFFER:
        return message_read_offer(parsed, &offer);
    case MESSAGE_CHUNK:
        return message_read_chunk(parsed, &chunk);
    case MESSAGE_ANSWER:
        return message_read_answer(parsed, &answer);
    case MESSAGE_TELEMETRY:
        return message_read_telemetry(parsed, &telemetry);
    case MESSAGE_FORWARD:
        return message_read_forward(parsed, &forward);
    case MESSAGE_ACK:
        return message_read_ack(parsed, &ack);
    case MESSAGE_CHALLENGE:
        return message_read_challenge(parsed, &challenge);
    case MESSAGE_RESPONSE:
        break;
    }
    return message_read_response(parsed, &response);
}

static uint32_t encode(const struct draft *draft, uint32_t count, uint8_t payload[1024])
{
    struct cbor_writer writer;
    uint32_t size_bytes;
    cbor_write(&writer, payload, 1024);
    cbor_put_array(&writer, count);
    for (uint32_t i = 0; i < draft->count; i++) {
        const struct field *field = &draft->fields[i];
        if (field->is_bytes) {
            cbor_put_bytes(&writer, field->bytes, field->size_bytes);
        } else {
            cbor_put_uint(&writer, field->number);
        }
    }
    EXPECT(cbor_finish(&writer, &size_bytes) == ERR_OK);
    return size_bytes;
}

static enum err read_draft(const struct draft *draft)
{
    uint8_t payload[1024];
    const struct cose_sign1 parsed = {.signer = draft->signer,
                                      .content_type = draft->type,
                                      .payload_bytes = encode(draft, draft->count, payload),
                                      .payload = payload};
    return read_as(draft->type, &parsed);
}

static void each_schema_is_exact(void)
{
    for (uint32_t type = MESSAGE_TELEMETRY; type <= MESSAGE_ANSWER; type++) {
        uint8_t payload[1024] = {0};
        struct draft draft = good((enum message_type)type);
        EXPECT(read_draft(&draft) == ERR_OK);
        /* Cut anywhere, and with something behind. */
        const uint32_t size_bytes = encode(&draft, draft.count, payload);
        for (uint32_t cut = 0; cut <= size_bytes + 1; cut++) {
            const struct cose_sign1 parsed = {.signer = draft.signer,
                                              .content_type = type,
                                              .payload = payload,
                                              .payload_bytes = cut};
            EXPECT(read_as(draft.type, &parsed) == (cut == size_bytes ? ERR_OK : ERR_MALFORMED));
        }
        /* One element less or more than the array says, or than the schema says. */
        for (uint32_t count = draft.count - 1; count <= draft.count + 1; count += 2) {
            const struct cose_sign1 parsed = {.signer = draft.signer,
                                              .content_type = type,
                                              .payload_bytes = encode(&draft, count, payload),
                                              .payload = payload};
            EXPECT(read_as(draft.type, &parsed) == ERR_MALFORMED);
        }
        /* Each field of the other kind. */
        for (uint32_t i = 0; i < draft.count; i++) {
            draft.fields[i].is_bytes = !draft.fields[i].is_bytes;
            EXPECT(read_draft(&draft) == ERR_MALFORMED);
            draft.fields[i].is_bytes = !draft.fields[i].is_bytes;
        }
        draft.count--;
        EXPECT(read_draft(&draft) == ERR_MALFORMED);
    }
}

static void no_message_is_read_as_another(void)
{
    for (uint32_t made = MESSAGE_TELEMETRY; made <= MESSAGE_ANSWER; made++) {
        const struct draft draft = good((enum message_type)made);
        uint8_t payload[1024];
        struct cose_sign1 parsed = {.signer = draft.signer,
                                    .content_type = made,
                                    .payload_bytes = encode(&draft, draft.count, payload),
                                    .payload = payload};
        for (uint32_t type = MESSAGE_TELEMETRY; type <= MESSAGE_ANSWER; type++) {
            EXPECT(read_as((enum message_type)type, &parsed) ==
                   (type == made ? ERR_OK : ERR_MALFORMED));
        }
        parsed.content_type = made + 256;
        EXPECT(read_as((enum message_type)made, &parsed) == ERR_MALFORMED);
    }
}

static void the_signer_is_whom_the_payload_names(void)
{
    static const enum message_type types[] = {MESSAGE_TELEMETRY, MESSAGE_FORWARD, MESSAGE_RESPONSE,
                                              MESSAGE_STATUS};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct draft draft = good(types[i]);
        draft.signer++;
        EXPECT(read_draft(&draft) == ERR_MALFORMED);
    }
    struct draft ack = good(MESSAGE_ACK);
    ack.signer = CLOUD + 1; /* which cloud may speak is its reader's to know */
    EXPECT(read_draft(&ack) == ERR_OK);
}

static void the_nonce_is_epoch_and_counter(void)
{
    for (uint32_t bit = 0; bit < 8 * AEAD_NONCE_BYTES; bit++) {
        struct draft draft = good(MESSAGE_TELEMETRY);
        uint8_t *byte = &draft.fields[3].bytes[bit / 8];
        *byte = (uint8_t)(*byte ^ 1u << bit % 8);
        EXPECT(read_draft(&draft) == ERR_MALFORMED);
    }
    struct draft draft = good(MESSAGE_TELEMETRY);
    draft.fields[3].size_bytes = AEAD_NONCE_BYTES - 1;
    EXPECT(read_draft(&draft) == ERR_MALFORMED);
}

static void sizes_and_ranges_are_bounded_exactly(void)
{
    struct draft draft = good(MESSAGE_TELEMETRY);
    for (uint32_t size_bytes = 0; size_bytes <= ENVELOPE_BYTES_MAX; size_bytes++) {
        draft.fields[4].size_bytes = size_bytes;
        const bool fits = size_bytes >= AEAD_TAG_BYTES + 3 && size_bytes <= AEAD_TAG_BYTES + 15;
        EXPECT(read_draft(&draft) == (fits ? ERR_OK : ERR_MALFORMED));
    }
    draft = good(MESSAGE_FORWARD);
    for (uint32_t size_bytes = 0; size_bytes <= ENVELOPE_BYTES_MAX + 1; size_bytes++) {
        draft.fields[3].size_bytes = size_bytes;
        const bool fits = size_bytes > 0 && size_bytes <= ENVELOPE_BYTES_MAX;
        EXPECT(read_draft(&draft) == (fits ? ERR_OK : ERR_MALFORMED));
    }
    draft = good(MESSAGE_ACK);
    memset(draft.fields[3].bytes, 0xff, sizeof draft.fields[3].bytes);
    for (uint32_t size_bytes = 0; size_bytes <= ENVELOPE_BYTES_MAX; size_bytes++) {
        draft.fields[3].size_bytes = size_bytes;
        draft.fields[2].number = UINT64_MAX - size_bytes * 8;
        const bool fits = size_bytes <= WINDOW_BITS_MAX / 8;
        EXPECT(read_draft(&draft) == (fits ? ERR_OK : ERR_MALFORMED));
        draft.fields[2].number++;
        EXPECT(size_bytes == 0 || read_draft(&draft) == ERR_MALFORMED);
    }
    for (uint32_t type = MESSAGE_TELEMETRY; type <= MESSAGE_ANSWER; type++) {
        draft = good((enum message_type)type);
        draft.fields[0].number += UINT64_C(1) << 32; /* the same number, if it were cut */
        EXPECT(read_draft(&draft) == ERR_MALFORMED);
    }
}

static void what_no_device_says_is_malformed(void)
{
    /* Field, value: each alone breaks a status. */
    static const uint64_t wrong[][2] = {
        {3, 0},                  /* tick */
        {5, 0},                  /* runs nothing */
        {6, BOOT_NONE},          /* nor somehow */
        {6, BOOT_FALLBACK + 1},  /* */
        {8, 0},                  /* a reason without a revert */
        {9, IMAGE_FAULT_NONE},   /* a revert without a reason */
        {9, IMAGE_FAULT_COUNT},  /* an unknown reason */
        {10, 0},                 /* a revert that never was */
        {11, 0},                 /* a reason without a declined offer */
        {12, IMAGE_FAULT_NONE},  /* declined without a reason */
        {12, IMAGE_FAULT_COUNT}, /* an unknown reason */
        {14, UINT64_C(1) << 32}, /* offset */
        {1, UINT64_C(1) << 32},  /* epoch */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct draft draft = good(MESSAGE_STATUS);
        draft.fields[wrong[i][0]].number = wrong[i][1];
        EXPECT(read_draft(&draft) == ERR_MALFORMED);
    }
    struct draft draft = good(MESSAGE_STATUS);
    for (uint32_t size_bytes = 0; size_bytes <= MANIFEST_NAME_BYTES + 1; size_bytes++) {
        draft.fields[13].size_bytes = size_bytes;
        draft.fields[14].number = 0;
        const bool fits = size_bytes == 0 || size_bytes == MANIFEST_NAME_BYTES;
        EXPECT(read_draft(&draft) == (fits ? ERR_OK : ERR_MALFORMED));
        draft.fields[14].number = 1; /* an offset, and nothing that is wanted */
        EXPECT(read_draft(&draft) == (size_bytes == MANIFEST_NAME_BYTES ? ERR_OK : ERR_MALFORMED));
    }
}

static void rights_and_chunks_are_bounded_exactly(void)
{
    for (uint32_t field = 4; field <= 5; field++) {
        struct draft draft = good(MESSAGE_OFFER);
        for (uint32_t size_bytes = 0; size_bytes <= MANIFEST_ENVELOPE_BYTES_MAX + 1; size_bytes++) {
            draft.fields[field].size_bytes = size_bytes;
            const bool fits = size_bytes > 0 && size_bytes <= MANIFEST_ENVELOPE_BYTES_MAX;
            EXPECT(read_draft(&draft) == (fits ? ERR_OK : ERR_MALFORMED));
        }
    }
    struct draft draft = good(MESSAGE_CHUNK);
    for (uint32_t size_bytes = 0; size_bytes <= CHUNK_BYTES_MAX + 1; size_bytes++) {
        draft.fields[5].size_bytes = size_bytes;
        const bool fits = size_bytes > 0 && size_bytes <= CHUNK_BYTES_MAX;
        EXPECT(read_draft(&draft) == (fits ? ERR_OK : ERR_MALFORMED));
    }
}

/* The largest of each, with every number at its end, comes back and fits one packet. */
static void the_largest_parcels_come_back(void)
{
    uint8_t content[CHUNK_BYTES_MAX];
    memset(content, 0xA7, sizeof content);
    struct status_name name = {.tick = UINT32_MAX};
    memset(name.nonce, 0xEE, sizeof name.nonce);
    const struct offer offer = {.device = UINT32_MAX,
                                .name = name,
                                .sequence = {UINT64_MAX},
                                .author = content,
                                .author_bytes = MANIFEST_ENVELOPE_BYTES_MAX,
                                .operator= content,
                                .operator_bytes = MANIFEST_ENVELOPE_BYTES_MAX};
    struct parcel parcel;
    struct cose_sign1 parsed;
    struct offer offer_back;
    EXPECT(message_offer(&port, &pair, CLOUD, &offer, &parcel) == ERR_OK);
    EXPECT(cose_parse(parcel.bytes, parcel.size_bytes, &parsed) == ERR_OK);
    EXPECT(cose_verify(&parsed, &port, pair.public_key) == ERR_OK);
    EXPECT(message_read_offer(&parsed, &offer_back) == ERR_OK);
    EXPECT_EQUAL(offer_back.device, offer.device);
    EXPECT(offer_back.sequence.number == UINT64_MAX);
    EXPECT(memcmp(&offer_back.name, &name, sizeof name) == 0);
    EXPECT(memcmp(offer_back.operator, content, MANIFEST_ENVELOPE_BYTES_MAX) == 0);

    struct chunk chunk = {.device = UINT32_MAX,
                          .name = name,
                          .offset = UINT32_MAX,
                          .bytes = content,
                          .size_bytes = CHUNK_BYTES_MAX};
    struct chunk chunk_back;
    EXPECT(message_chunk(&port, &pair, CLOUD, &chunk, &parcel) == ERR_OK);
    EXPECT(parcel.size_bytes + 64 <= MQTT_PACKET_BYTES_MAX); /* around it: topic and header */
    EXPECT(cose_parse(parcel.bytes, parcel.size_bytes, &parsed) == ERR_OK);
    EXPECT(message_read_chunk(&parsed, &chunk_back) == ERR_OK);
    EXPECT_EQUAL(chunk_back.offset, UINT32_MAX);
    EXPECT_EQUAL(chunk_back.size_bytes, CHUNK_BYTES_MAX);
    EXPECT(memcmp(chunk_back.bytes, content, CHUNK_BYTES_MAX) == 0);
    chunk.size_bytes++;
    EXPECT(message_chunk(&port, &pair, CLOUD, &chunk, &parcel) == ERR_RANGE);

    const struct status status = {.device = UINT32_MAX,
                                  .epoch = UINT32_MAX,
                                  .boot = UINT64_MAX,
                                  .name = name,
                                  .sequence = {UINT64_MAX},
                                  .outcome = BOOT_FALLBACK,
                                  .floor = {UINT64_MAX},
                                  .revert_sequence = {UINT64_MAX},
                                  .revert_reason = IMAGE_FAULT_REVERTED,
                                  .revert_count = UINT32_MAX,
                                  .declined_sequence = {UINT64_MAX},
                                  .declined_reason = IMAGE_FAULT_LEAP,
                                  .wants = true,
                                  .wanted = {1, 2, 3},
                                  .offset = UINT32_MAX};
    struct envelope envelope;
    struct status status_back;
    EXPECT(message_status(&port, &pair, &status, &envelope) == ERR_OK);
    parsed = parse(&envelope);
    EXPECT(message_read_status(&parsed, &status_back) == ERR_OK);
    EXPECT(status_back.boot == UINT64_MAX && status_back.name.tick == UINT32_MAX);
    EXPECT(status_back.revert_reason == IMAGE_FAULT_REVERTED && status_back.wants);
    EXPECT(status_back.declined_reason == IMAGE_FAULT_LEAP);
    EXPECT(memcmp(status_back.wanted, status.wanted, MANIFEST_NAME_BYTES) == 0);
}

static void keys_of_readings_differ_by_secret_device_and_epoch(void)
{
    uint8_t keys[4][AEAD_KEY_BYTES];
    static const uint8_t other_secret[KEY_BYTES] = {6};
    EXPECT(message_reading_key(&port, secret, 1, 2, keys[0]) == ERR_OK);
    EXPECT(message_reading_key(&port, secret, 2, 1, keys[1]) == ERR_OK);
    EXPECT(message_reading_key(&port, secret, 1, 3, keys[2]) == ERR_OK);
    EXPECT(message_reading_key(&port, other_secret, 1, 2, keys[3]) == ERR_OK);
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t j = 0; j < i; j++) {
            EXPECT(memcmp(keys[i], keys[j], AEAD_KEY_BYTES) != 0);
        }
    }
}

int main(void)
{
    EXPECT(crypto_openssl_init(&openssl, &port.crypto) == ERR_OK);
    EXPECT(port.crypto.public_key(port.crypto.ctx, &pair) == ERR_OK);
    EXPECT(message_reading_key(&port, secret, DEVICE, EPOCH, reading_key) == ERR_OK);
    RUN(telemetry_comes_back_at_the_ends_of_its_fields);
    RUN(a_reading_opens_only_under_its_own_name_and_key);
    RUN(a_sealed_thing_that_is_no_reading_is_malformed);
    RUN(the_other_messages_come_back);
    RUN(the_largest_envelope_is_forwarded);
    RUN(an_ack_that_reaches_past_the_counters_is_not_made);
    RUN(each_schema_is_exact);
    RUN(no_message_is_read_as_another);
    RUN(the_signer_is_whom_the_payload_names);
    RUN(the_nonce_is_epoch_and_counter);
    RUN(sizes_and_ranges_are_bounded_exactly);
    RUN(what_no_device_says_is_malformed);
    RUN(rights_and_chunks_are_bounded_exactly);
    RUN(the_largest_parcels_come_back);
    RUN(keys_of_readings_differ_by_secret_device_and_epoch);
    crypto_openssl_free(&openssl);
    return 0;
}
