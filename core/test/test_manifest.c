/* Goal: of each manifest there is one encoding, and nothing passes without both rights. Method: the
 * encoding is changed bit by bit and cut byte by byte; envelopes are taken away, swapped, signed by
 * others and changed bit by bit. The digest is compared with one that another program computed. */
#include "core/manifest.h"

#include <string.h>

#include "core/cbor.h"
#include "core/check.h"
#include "core/test/firmware_rig.h"
#include "core/test/test.h"

static struct rig rig;
static struct release release;

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static void setup(void)
{
    rig_release(&rig, &release, 5, 2, 1500);
}

static struct manifest largest(void)
{
    struct manifest manifest = {
        .sequence = {UINT64_MAX},
        .security = {UINT64_MAX},
        .version = {UINT16_MAX, UINT16_MAX, UINT16_MAX},
        .hardware = UINT32_MAX,
        .size_bytes = UINT32_MAX,
        .expires_us = MANIFEST_NEVER,
        .dependency_count = MANIFEST_DEPENDENCIES_MAX,
    };
    for (uint32_t i = 0; i < MANIFEST_DEPENDENCIES_MAX; i++) {
        manifest.dependencies[i] =
            (struct component){UINT32_MAX - MANIFEST_DEPENDENCIES_MAX + i, UINT32_MAX};
    }
    memset(manifest.digest, 0xa5, sizeof manifest.digest);
    return manifest;
}

static uint32_t encode(const struct manifest *manifest, uint8_t bytes[MANIFEST_BYTES_MAX])
{
    uint32_t size_bytes = MANIFEST_BYTES_MAX;
    EXPECT_EQUAL(manifest_encode(manifest, bytes, &size_bytes), ERR_OK);
    return size_bytes;
}

static enum image_fault open_envelopes(const struct manifest_envelopes *envelopes)
{
    struct manifest manifest;
    return manifest_open(&rig.port, &rig.boot_config.authority, envelopes, &manifest);
}

/* ---- Form ---- */

static void a_manifest_comes_back_as_it_was(void)
{
    uint8_t bytes[MANIFEST_BYTES_MAX], again[MANIFEST_BYTES_MAX];
    const struct manifest manifests[] = {release.manifest, largest()};
    for (uint32_t i = 0; i < 2; i++) {
        struct manifest read;
        const uint32_t size_bytes = encode(&manifests[i], bytes);
        EXPECT_EQUAL(manifest_decode(bytes, size_bytes, &read), ERR_OK);
        EXPECT_EQUAL(read.sequence.number, manifests[i].sequence.number);
        EXPECT_EQUAL(read.security.level, manifests[i].security.level);
        EXPECT_EQUAL(read.version.minor, manifests[i].version.minor);
        EXPECT_EQUAL(read.hardware, manifests[i].hardware);
        EXPECT_EQUAL(read.size_bytes, manifests[i].size_bytes);
        EXPECT_EQUAL(read.expires_us, manifests[i].expires_us);
        EXPECT_EQUAL(encode(&read, again), size_bytes);
        EXPECT(memcmp(bytes, again, size_bytes) == 0);
    }
    struct manifest manifest = largest();
    EXPECT_EQUAL(encode(&manifest, bytes), MANIFEST_BYTES_MAX);
}

static void a_manifest_that_is_cut_or_longer_is_refused(void)
{
    uint8_t bytes[MANIFEST_BYTES_MAX + 1] = {0};
    struct manifest read;
    const uint32_t size_bytes = encode(&release.manifest, bytes);
    for (uint32_t cut = 0; cut < size_bytes; cut++) {
        EXPECT_EQUAL(manifest_decode(bytes, cut, &read), ERR_MALFORMED);
    }
    EXPECT_EQUAL(manifest_decode(bytes, size_bytes + 1, &read), ERR_MALFORMED);
}

static void what_differs_in_one_bit_is_refused_or_another_manifest(void)
{
    uint8_t bytes[MANIFEST_BYTES_MAX], again[MANIFEST_BYTES_MAX];
    struct manifest manifest = largest();
    uint32_t refused = 0, read_count = 0;
    const uint32_t size_bytes = encode(&manifest, bytes);
    for (uint32_t bit = 0; bit < size_bytes * 8; bit++) {
        struct manifest read;
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (manifest_decode(bytes, size_bytes, &read) == ERR_OK) {
            EXPECT_EQUAL(encode(&read, again), size_bytes);
            EXPECT(memcmp(bytes, again, size_bytes) == 0);
            read_count++;
        } else {
            refused++;
        }
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    EXPECT(refused > 100);
    EXPECT(read_count > 500);
}

static uint64_t offline; /* a field that few tests change */

/* The fields of a manifest, with each of which something can be wrong. */
static enum err decode_fields(const uint64_t version[3], uint64_t sequence, uint64_t size_bytes,
                              const uint64_t *dependencies, uint32_t dependency_count)
{
    uint8_t bytes[256];
    uint32_t used_bytes;
    struct cbor_writer writer;
    struct manifest read;
    cbor_write(&writer, bytes, sizeof bytes);
    cbor_put_array(&writer, 9);
    cbor_put_uint(&writer, sequence);
    cbor_put_uint(&writer, 1);
    cbor_put_array(&writer, 3);
    for (uint32_t i = 0; i < 3; i++) {
        cbor_put_uint(&writer, version[i]);
    }
    cbor_put_uint(&writer, RIG_HARDWARE);
    cbor_put_uint(&writer, size_bytes);
    cbor_put_bytes(&writer, release.manifest.digest, DIGEST_BYTES);
    cbor_put_uint(&writer, 1);
    cbor_put_map(&writer, dependency_count);
    for (uint32_t i = 0; i < dependency_count; i++) {
        cbor_put_uint(&writer, dependencies[i]);
        cbor_put_uint(&writer, 1);
    }
    cbor_put_uint(&writer, offline);
    EXPECT_EQUAL(cbor_finish(&writer, &used_bytes), ERR_OK);
    return manifest_decode(bytes, used_bytes, &read);
}

static void numbers_without_a_meaning_are_refused(void)
{
    const uint64_t version[] = {1, 2, 3}, wide[] = {1, 65536, 3};
    const uint64_t good[] = {1, 2, 3, 4, 5}, twice[] = {1, 1}, down[] = {2, 1};
    EXPECT_EQUAL(decode_fields(version, 1, 1, good, 4), ERR_OK);
    EXPECT_EQUAL(decode_fields(wide, 1, 1, good, 4), ERR_MALFORMED);
    EXPECT_EQUAL(decode_fields(version, 0, 1, good, 4), ERR_MALFORMED);
    EXPECT_EQUAL(decode_fields(version, 1, 0, good, 4), ERR_MALFORMED);
    EXPECT_EQUAL(decode_fields(version, 1, UINT64_C(1) << 32, good, 4), ERR_MALFORMED);
    EXPECT_EQUAL(decode_fields(version, 1, 1, good, 5), ERR_MALFORMED);
    EXPECT_EQUAL(decode_fields(version, 1, 1, twice, 2), ERR_MALFORMED);
    EXPECT_EQUAL(decode_fields(version, 1, 1, down, 2), ERR_MALFORMED);
    offline = 1;
    EXPECT_EQUAL(decode_fields(version, 1, 1, good, 4), ERR_OK);
    offline = 2;
    EXPECT_EQUAL(decode_fields(version, 1, 1, good, 4), ERR_MALFORMED);
    offline = 0;
}

static void what_no_reader_takes_is_not_made(void)
{
    uint8_t bytes[MANIFEST_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    struct manifest manifest = release.manifest;
    manifest.sequence.number = 0;
    EXPECT_EQUAL(manifest_encode(&manifest, bytes, &size_bytes), ERR_RANGE);
    manifest = largest();
    size_bytes = MANIFEST_BYTES_MAX - 1;
    EXPECT_EQUAL(manifest_encode(&manifest, bytes, &size_bytes), ERR_RANGE);
}

/* ---- Rights ---- */

static void both_rights_are_needed(void)
{
    struct manifest_envelopes envelopes = release.envelopes;
    EXPECT_EQUAL(open_envelopes(&envelopes), IMAGE_FAULT_NONE);
    envelopes.operator_bytes = 0;
    EXPECT_EQUAL(open_envelopes(&envelopes), IMAGE_FAULT_OPERATOR);
    envelopes = release.envelopes;
    envelopes.author_bytes = 0;
    EXPECT_EQUAL(open_envelopes(&envelopes), IMAGE_FAULT_AUTHOR);
}

static void one_right_does_not_stand_for_the_other(void)
{
    struct manifest_envelopes envelopes = release.envelopes;
    memcpy(envelopes.operator, envelopes.author, sizeof envelopes.operator);
    envelopes.operator_bytes = envelopes.author_bytes;
    EXPECT_EQUAL(open_envelopes(&envelopes), IMAGE_FAULT_OPERATOR);
    memcpy(envelopes.author, release.envelopes.operator, sizeof envelopes.author);
    EXPECT_EQUAL(open_envelopes(&envelopes), IMAGE_FAULT_AUTHOR);
}

static void a_right_counts_only_under_its_own_key_and_number(void)
{
    uint8_t bytes[MANIFEST_BYTES_MAX];
    const uint32_t size_bytes = encode(&release.manifest, bytes);
    const struct manifest_authority *authority = &rig.boot_config.authority;
    struct manifest_envelopes envelopes = release.envelopes;
    /* The author takes the operator's right, by name and by content type. */
    EXPECT_EQUAL(manifest_sign(&rig.port, &rig.author, authority->operator, MANIFEST_OPERATOR,
                               bytes, size_bytes, &envelopes),
                 ERR_OK);
    EXPECT_EQUAL(open_envelopes(&envelopes), IMAGE_FAULT_OPERATOR);
    /* The right key, another number. */
    EXPECT_EQUAL(manifest_sign(&rig.port, &rig.operator, authority->operator+ 1, MANIFEST_OPERATOR,
                               bytes, size_bytes, &envelopes),
                 ERR_OK);
    EXPECT_EQUAL(open_envelopes(&envelopes), IMAGE_FAULT_OPERATOR);
}

static void rights_over_different_manifests_are_refused(void)
{
    struct release other;
    rig_release(&rig, &other, 6, 2, 1500);
    struct manifest_envelopes envelopes = release.envelopes;
    memcpy(envelopes.operator, other.envelopes.operator, sizeof envelopes.operator);
    envelopes.operator_bytes = other.envelopes.operator_bytes;
    EXPECT_EQUAL(open_envelopes(&envelopes), IMAGE_FAULT_DISAGREE);
}

static void an_envelope_that_differs_in_one_bit_is_refused(void)
{
    struct manifest_envelopes envelopes = release.envelopes;
    for (uint32_t bit = 0; bit < envelopes.author_bytes * 8; bit++) {
        envelopes.author[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const enum image_fault fault = open_envelopes(&envelopes);
        EXPECT(fault == IMAGE_FAULT_MALFORMED || fault == IMAGE_FAULT_AUTHOR);
        envelopes.author[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (uint32_t bit = 0; bit < envelopes.operator_bytes * 8; bit++) {
        envelopes.operator[bit / 8] ^=(uint8_t)(1u << bit % 8);
        const enum image_fault fault = open_envelopes(&envelopes);
        EXPECT(fault == IMAGE_FAULT_MALFORMED || fault == IMAGE_FAULT_OPERATOR);
        envelopes.operator[bit / 8] ^=(uint8_t)(1u << bit % 8);
    }
    envelopes.author_bytes = MANIFEST_ENVELOPE_BYTES_MAX + 1;
    EXPECT_EQUAL(open_envelopes(&envelopes), IMAGE_FAULT_MALFORMED);
}

static void signed_bytes_that_are_no_manifest_are_malformed(void)
{
    const uint8_t bytes[] = {0x80};
    const struct manifest_authority *authority = &rig.boot_config.authority;
    struct manifest_envelopes envelopes;
    EXPECT_EQUAL(manifest_sign(&rig.port, &rig.author, authority->author, MANIFEST_AUTHOR, bytes,
                               sizeof bytes, &envelopes),
                 ERR_OK);
    EXPECT_EQUAL(manifest_sign(&rig.port, &rig.operator, authority->operator, MANIFEST_OPERATOR,
                               bytes, sizeof bytes, &envelopes),
                 ERR_OK);
    EXPECT_EQUAL(open_envelopes(&envelopes), IMAGE_FAULT_MALFORMED);
}

static void another_kind_of_hardware_is_refused(void)
{
    release.manifest.hardware = RIG_HARDWARE + 1;
    rig_sign(&rig, &release);
    EXPECT_EQUAL(open_envelopes(&release.envelopes), IMAGE_FAULT_HARDWARE);
    setup();
}

static void dependencies_must_be_there_in_their_level(void)
{
    static const struct {
        struct component needed;
        enum image_fault fault;
    } cases[] = {
        {{RIG_RADIO, 3}, IMAGE_FAULT_NONE},
        {{RIG_RADIO, 4}, IMAGE_FAULT_NONE},
        {{RIG_RADIO, 5}, IMAGE_FAULT_DEPENDENCY},
        {{RIG_RADIO + 1, 0}, IMAGE_FAULT_DEPENDENCY},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        release.manifest.dependency_count = 1;
        release.manifest.dependencies[0] = cases[i].needed;
        rig_sign(&rig, &release);
        EXPECT_EQUAL(open_envelopes(&release.envelopes), cases[i].fault);
    }
    setup();
}

/* ---- Digest ---- */

/* 1500 bytes, byte i = i mod 251, then 0xff up to 2048; computed by hashlib over the definition. */
static void the_digest_is_the_chain_that_is_documented(void)
{
    static const uint8_t wanted[DIGEST_BYTES] = {0x1d, 0x3d, 0xb2, 0x58, 0x13, 0x94, 0x58, 0xea,
                                                 0x65, 0xa9, 0xa2, 0xe8, 0xf2, 0xd3, 0x58, 0xa5,
                                                 0xbf, 0xb2, 0x0c, 0x1d, 0x68, 0xed, 0x57, 0x9a,
                                                 0x10, 0xe0, 0xf4, 0xaa, 0x85, 0x6a, 0x53, 0x03};
    uint8_t image[1500], digest[DIGEST_BYTES];
    for (uint32_t i = 0; i < sizeof image; i++) {
        image[i] = (uint8_t)(i % 251);
    }
    EXPECT_EQUAL(image_digest(&rig.port, image, sizeof image, 2048, 0xff, digest), ERR_OK);
    EXPECT(memcmp(digest, wanted, sizeof digest) == 0);
    EXPECT_EQUAL(image_digest(&rig.port, image, sizeof image, 2048, 0x00, digest), ERR_OK);
    EXPECT(memcmp(digest, wanted, sizeof digest) != 0);
    EXPECT_EQUAL(image_digest(&rig.port, image, sizeof image, 1499, 0xff, digest), ERR_RANGE);
}

static void a_short_last_block_counts_as_it_is(void)
{
    uint8_t image[1500] = {1}, digest[DIGEST_BYTES], link[DIGEST_BYTES + IMAGE_BLOCK_BYTES] = {0};
    uint8_t wanted[DIGEST_BYTES];
    const struct port_crypto *crypto = &rig.port.crypto;
    EXPECT_EQUAL(image_digest(&rig.port, image, sizeof image, sizeof image, 0xff, digest), ERR_OK);
    memcpy(link + DIGEST_BYTES, image, IMAGE_BLOCK_BYTES);
    EXPECT_EQUAL(crypto->sha256(crypto->ctx, link, sizeof link, wanted), ERR_OK);
    memcpy(link, wanted, DIGEST_BYTES);
    memcpy(link + DIGEST_BYTES, image + IMAGE_BLOCK_BYTES, sizeof image - IMAGE_BLOCK_BYTES);
    EXPECT_EQUAL(crypto->sha256(crypto->ctx, link, DIGEST_BYTES + 476, wanted), ERR_OK);
    EXPECT(memcmp(digest, wanted, sizeof digest) == 0);
}

static void every_fault_has_a_name(void)
{
    for (uint32_t fault = 0; fault < IMAGE_FAULT_COUNT; fault++) {
        EXPECT(strcmp(image_fault_name((enum image_fault)fault), "?") != 0);
    }
    EXPECT(strcmp(image_fault_name(IMAGE_FAULT_COUNT), "?") == 0);
}

int main(void)
{
    rig_prepare(&rig);
    setup();
    RUN(a_manifest_comes_back_as_it_was);
    RUN(a_manifest_that_is_cut_or_longer_is_refused);
    RUN(what_differs_in_one_bit_is_refused_or_another_manifest);
    RUN(numbers_without_a_meaning_are_refused);
    RUN(what_no_reader_takes_is_not_made);
    RUN(both_rights_are_needed);
    RUN(one_right_does_not_stand_for_the_other);
    RUN(a_right_counts_only_under_its_own_key_and_number);
    RUN(rights_over_different_manifests_are_refused);
    RUN(an_envelope_that_differs_in_one_bit_is_refused);
    RUN(signed_bytes_that_are_no_manifest_are_malformed);
    RUN(another_kind_of_hardware_is_refused);
    RUN(dependencies_must_be_there_in_their_level);
    RUN(the_digest_is_the_chain_that_is_documented);
    RUN(a_short_last_block_counts_as_it_is);
    RUN(every_fault_has_a_name);
    rig_free(&rig);
    return 0;
}
