/* Goal: the OpenSSL provider computes what the standards say, and refuses what only OpenSSL takes.
 * Method: published vectors; every single-bit mutation of a signature; for each low-order key a
 * forgery that OpenSSL itself is shown to accept. */
#include <stdbool.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/check.h"
#include "core/crypto/low_order.h"
#include "core/crypto/openssl.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK(%s)\n", file, line, what);
    abort();
}

static struct crypto_openssl openssl;
static struct port_crypto crypto;

static uint8_t nibble(char digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

/* Bytes of a hexadecimal string; the count is returned. */
static uint32_t unhex(const char *hex, uint8_t *bytes)
{
    const uint32_t count = (uint32_t)strlen(hex) / 2;
    for (uint32_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    }
    return count;
}

static bool is_hex(const uint8_t *bytes, uint32_t size_bytes, const char *hex)
{
    uint8_t expected[256];
    return unhex(hex, expected) == size_bytes && memcmp(bytes, expected, size_bytes) == 0;
}

static void ed25519_agrees_with_rfc_8032(void)
{
    static const struct {
        const char *seed, *public_key, *message, *signature;
    } vectors[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
         "c"
         "f9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
         "0"
         "f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7609"
         "8"
         "4dc6594a7c15e9716ed28dc027beceea1ec40a"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct key_pair pair;
        uint8_t message[2] = {0}, signature[SIGNATURE_BYTES];
        const uint32_t size_bytes = unhex(vectors[i].message, message);
        unhex(vectors[i].seed, pair.seed);
        EXPECT(crypto.public_key(crypto.ctx, &pair) == ERR_OK);
        EXPECT(is_hex(pair.public_key, KEY_BYTES, vectors[i].public_key));
        EXPECT(crypto.sign(crypto.ctx, &pair, message, size_bytes, signature) == ERR_OK);
        EXPECT(is_hex(signature, SIGNATURE_BYTES, vectors[i].signature));
        EXPECT(crypto.verify(crypto.ctx, pair.public_key, message, size_bytes, signature) ==
               ERR_OK);
    }
}

static struct key_pair make_pair(uint32_t number)
{
    struct key_pair pair = {0};
    for (uint32_t i = 0; i < 4; i++) {
        pair.seed[i] = (uint8_t)(number >> (8 * i));
    }
    EXPECT(crypto.public_key(crypto.ctx, &pair) == ERR_OK);
    return pair;
}

static void no_mutated_signature_message_or_key_verifies(void)
{
    struct key_pair pair = make_pair(1);
    uint8_t message[16] = "sixteen letters", signature[SIGNATURE_BYTES];
    EXPECT(crypto.sign(crypto.ctx, &pair, message, sizeof message, signature) == ERR_OK);
    for (uint32_t bit = 0; bit < 8 * SIGNATURE_BYTES; bit++) {
        signature[bit / 8] = (uint8_t)(signature[bit / 8] ^ 1u << bit % 8);
        EXPECT(crypto.verify(crypto.ctx, pair.public_key, message, sizeof message, signature) ==
               ERR_SIGNATURE);
        signature[bit / 8] = (uint8_t)(signature[bit / 8] ^ 1u << bit % 8);
    }
    for (uint32_t bit = 0; bit < 8 * sizeof message; bit++) {
        message[bit / 8] = (uint8_t)(message[bit / 8] ^ 1u << bit % 8);
        EXPECT(crypto.verify(crypto.ctx, pair.public_key, message, sizeof message, signature) ==
               ERR_SIGNATURE);
        message[bit / 8] = (uint8_t)(message[bit / 8] ^ 1u << bit % 8);
    }
    for (uint32_t bit = 0; bit < 8 * KEY_BYTES; bit++) {
        uint8_t key[KEY_BYTES];
        memcpy(key, pair.public_key, KEY_BYTES);
        key[bit / 8] = (uint8_t)(key[bit / 8] ^ 1u << bit % 8);
        EXPECT(crypto.verify(crypto.ctx, key, message, sizeof message, signature) == ERR_SIGNATURE);
    }
    EXPECT(crypto.verify(crypto.ctx, pair.public_key, message, sizeof message - 1, signature) ==
           ERR_SIGNATURE);
    EXPECT(crypto.verify(crypto.ctx, pair.public_key, message, sizeof message, signature) ==
           ERR_OK);
}

/* RFC 8032 section 5.1.7: s is below the group's order L, or a second signature fits each message.
 */
static void the_second_name_of_a_signature_is_refused(void)
{
    static const char order[] = "edd3f55c1a631258d69cf7a2def9de14"
                                "00000000000000000000000000000010";
    struct key_pair pair = make_pair(2);
    uint8_t signature[SIGNATURE_BYTES], addend[KEY_BYTES];
    uint32_t carry = 0;
    unhex(order, addend);
    EXPECT(crypto.sign(crypto.ctx, &pair, addend, 1, signature) == ERR_OK);
    for (uint32_t i = 0; i < KEY_BYTES; i++) {
        carry += (uint32_t)signature[KEY_BYTES + i] + addend[i];
        signature[KEY_BYTES + i] = (uint8_t)carry;
        carry >>= 8;
    }
    EXPECT_EQUAL(carry, 0);
    EXPECT(crypto.verify(crypto.ctx, pair.public_key, addend, 1, signature) == ERR_SIGNATURE);
}

static bool openssl_alone_accepts(const uint8_t key[KEY_BYTES], uint8_t message,
                                  const uint8_t signature[SIGNATURE_BYTES])
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, KEY_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EXPECT(pkey != NULL && ctx != NULL);
    EXPECT(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1);
    const bool accepts = EVP_DigestVerify(ctx, signature, SIGNATURE_BYTES, &message, 1) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return accepts;
}

static void keys_of_low_order_are_refused_where_openssl_takes_them(void)
{
    static const char *const keys[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    /* R = the identity and s = 0 fits every message for which the key's share vanishes. */
    const uint8_t forgery[SIGNATURE_BYTES] = {0x01};
    uint32_t key_count = 0;
    for (; key_count < sizeof keys / sizeof keys[0]; key_count++) {
        uint8_t key[KEY_BYTES];
        uint32_t taken = 0;
        unhex(keys[key_count], key);
        EXPECT(crypto_key_is_low_order(key));
        for (uint32_t message = 0; message < 256; message++) {
            const uint8_t byte = (uint8_t)message;
            taken += openssl_alone_accepts(key, byte, forgery) ? 1 : 0;
            EXPECT(crypto.verify(crypto.ctx, key, &byte, 1, forgery) == ERR_SIGNATURE);
        }
        EXPECT(taken > 0);
    }
    EXPECT_EQUAL(key_count, 14);
}

static void honest_keys_are_not_of_low_order(void)
{
    uint8_t near[KEY_BYTES] = {0x02};
    EXPECT(!crypto_key_is_low_order(near));
    near[0] = 0x00;
    near[31] = 0x40;
    EXPECT(!crypto_key_is_low_order(near));
    for (uint32_t i = 0; i < 50; i++) {
        const struct key_pair pair = make_pair(i);
        EXPECT(!crypto_key_is_low_order(pair.public_key));
    }
}

static void sha256_agrees_with_fips_180(void)
{
    static const uint8_t abc[] = {'a', 'b', 'c'};
    uint8_t digest[DIGEST_BYTES];
    EXPECT(crypto.sha256(crypto.ctx, abc, sizeof abc, digest) == ERR_OK);
    EXPECT(is_hex(digest, DIGEST_BYTES,
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    EXPECT(crypto.sha256(crypto.ctx, NULL, 0, digest) == ERR_OK);
    EXPECT(is_hex(digest, DIGEST_BYTES,
                  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

/* RFC 5869 section 2 from HMAC alone, for a first block of 32 bytes and an empty salt. */
static void hkdf_by_hand(const uint8_t *secret, uint32_t secret_bytes, const uint8_t *info,
                         uint32_t info_bytes, uint8_t out[KEY_BYTES])
{
    static const uint8_t salt[DIGEST_BYTES];
    uint8_t prk[DIGEST_BYTES], block[65];
    EXPECT(info_bytes < sizeof block);
    EXPECT(HMAC(EVP_sha256(), salt, sizeof salt, secret, secret_bytes, prk, NULL) != NULL);
    if (info_bytes > 0) {
        memcpy(block, info, info_bytes);
    }
    block[info_bytes] = 1;
    EXPECT(HMAC(EVP_sha256(), prk, sizeof prk, block, info_bytes + 1, out, NULL) != NULL);
}

/* The RFC's only case with an empty salt (A.3) has a secret of 22 bytes, ours have 32: the case
 * proves the construction by hand, and that one proves the provider. */
static void hkdf_agrees_with_rfc_5869(void)
{
    uint8_t secret[KEY_BYTES], info[64], expected[KEY_BYTES], out[KEY_BYTES];
    memset(secret, 0x0b, sizeof secret);
    hkdf_by_hand(secret, 22, NULL, 0, expected);
    EXPECT(is_hex(expected, KEY_BYTES,
                  "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"));
    for (uint32_t info_bytes = 0; info_bytes <= sizeof info; info_bytes++) {
        for (uint32_t i = 0; i < info_bytes; i++) {
            info[i] = (uint8_t)(i * 7 + info_bytes);
        }
        secret[info_bytes % KEY_BYTES] = (uint8_t)info_bytes;
        hkdf_by_hand(secret, KEY_BYTES, info, info_bytes, expected);
        EXPECT(crypto.hkdf(crypto.ctx, secret, info, info_bytes, out) == ERR_OK);
        EXPECT(memcmp(out, expected, KEY_BYTES) == 0);
    }
}

static void gcm_agrees_with_its_published_cases(void)
{
    uint8_t key[AEAD_KEY_BYTES] = {0}, nonce[AEAD_NONCE_BYTES] = {0}, plain[64] = {0};
    uint8_t sealed[64 + AEAD_TAG_BYTES], opened[64];
    EXPECT(crypto.seal(crypto.ctx, key, nonce, plain, 0, sealed) == ERR_OK);
    EXPECT(is_hex(sealed, 16, "58e2fccefa7e3061367f1d57a4e7455a"));
    EXPECT(crypto.open(crypto.ctx, key, nonce, sealed, 16, opened) == ERR_OK);
    EXPECT(crypto.seal(crypto.ctx, key, nonce, plain, 16, sealed) == ERR_OK);
    EXPECT(is_hex(sealed, 32, "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"));
    unhex("feffe9928665731c6d6a8f9467308308", key);
    unhex("cafebabefacedbaddecaf888", nonce);
    unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
          "49a6b525b16aedf5aa0de657ba637b391aafd255",
          plain);
    EXPECT(crypto.seal(crypto.ctx, key, nonce, plain, 64, sealed) == ERR_OK);
    EXPECT(
        is_hex(sealed, 80,
               "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c"
               "7d8f6a5aac84aa051ba30b396a0aac973d58e091473f59854d5c2af327cd64a62cf35abd2ba6fab4"));
    EXPECT(crypto.open(crypto.ctx, key, nonce, sealed, 80, opened) == ERR_OK);
    EXPECT(memcmp(opened, plain, 64) == 0);
}

static void a_wrong_tag_opens_to_zeroes(void)
{
    static const uint8_t zeroes[5];
    uint8_t key[AEAD_KEY_BYTES] = {1}, nonce[AEAD_NONCE_BYTES] = {2}, plain[5] = "abcd";
    uint8_t sealed[5 + AEAD_TAG_BYTES], opened[5];
    EXPECT(crypto.seal(crypto.ctx, key, nonce, plain, sizeof plain, sealed) == ERR_OK);
    for (uint32_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] = (uint8_t)(sealed[bit / 8] ^ 1u << bit % 8);
        memset(opened, 0xee, sizeof opened);
        EXPECT(crypto.open(crypto.ctx, key, nonce, sealed, sizeof sealed, opened) == ERR_SIGNATURE);
        EXPECT(memcmp(opened, zeroes, sizeof opened) == 0);
        sealed[bit / 8] = (uint8_t)(sealed[bit / 8] ^ 1u << bit % 8);
    }
    EXPECT(crypto.open(crypto.ctx, key, nonce, sealed, AEAD_TAG_BYTES - 1, opened) ==
           ERR_SIGNATURE);
    EXPECT(crypto.open(crypto.ctx, key, nonce, sealed, sizeof sealed, opened) == ERR_OK);
    EXPECT(memcmp(opened, plain, sizeof plain) == 0);
}

/* 150 pairs meet in some of the 1024 places, whatever they are. */
static void a_key_that_was_pushed_out_of_its_place_works_again(void)
{
    enum { PAIRS = 150 };
    static struct key_pair pairs[PAIRS];
    static uint8_t signatures[PAIRS][SIGNATURE_BYTES];
    uint32_t shared = 0;
    for (uint32_t i = 0; i < PAIRS; i++) {
        pairs[i] = make_pair(1000 + i);
        for (uint32_t j = 0; j < i; j++) {
            const uint32_t difference =
                (uint32_t)(pairs[i].public_key[0] ^ pairs[j].public_key[0]) |
                (uint32_t)(pairs[i].public_key[1] ^ pairs[j].public_key[1]) << 8;
            shared += difference % CRYPTO_SLOTS == 0 ? 1 : 0;
        }
    }
    EXPECT(shared > 0);
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < PAIRS; i++) {
            uint8_t signature[SIGNATURE_BYTES];
            EXPECT(crypto.sign(crypto.ctx, &pairs[i], pairs[i].seed, 4, signature) == ERR_OK);
            EXPECT(pass == 0 || memcmp(signature, signatures[i], SIGNATURE_BYTES) == 0);
            memcpy(signatures[i], signature, SIGNATURE_BYTES);
            EXPECT(crypto.verify(crypto.ctx, pairs[i].public_key, pairs[i].seed, 4, signature) ==
                   ERR_OK);
        }
    }
}

/* Two signatures of one message by one seed under two public halves would give the seed away. */
static void a_pair_with_a_wrong_public_half_signs_by_its_seed_alone(void)
{
    const struct key_pair honest = make_pair(3);
    struct key_pair forged = make_pair(4);
    uint8_t expected[SIGNATURE_BYTES], signature[SIGNATURE_BYTES];
    memcpy(forged.seed, honest.seed, KEY_BYTES);
    EXPECT(crypto.sign(crypto.ctx, &honest, honest.seed, 1, expected) == ERR_OK);
    EXPECT(crypto.sign(crypto.ctx, &forged, honest.seed, 1, signature) == ERR_OK);
    EXPECT(memcmp(signature, expected, SIGNATURE_BYTES) == 0);
}

int main(void)
{
    EXPECT(crypto_openssl_init(&openssl, &crypto) == ERR_OK);
    RUN(ed25519_agrees_with_rfc_8032);
    RUN(no_mutated_signature_message_or_key_verifies);
    RUN(the_second_name_of_a_signature_is_refused);
    RUN(keys_of_low_order_are_refused_where_openssl_takes_them);
    RUN(honest_keys_are_not_of_low_order);
    RUN(sha256_agrees_with_fips_180);
    RUN(hkdf_agrees_with_rfc_5869);
    RUN(gcm_agrees_with_its_published_cases);
    RUN(a_wrong_tag_opens_to_zeroes);
    RUN(a_key_that_was_pushed_out_of_its_place_works_again);
    RUN(a_pair_with_a_wrong_public_half_signs_by_its_seed_alone);
    crypto_openssl_free(&openssl);
    return 0;
}
