#include "core/crypto/openssl.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "core/check.h"
#include "core/crypto/low_order.h"

static const char ed25519[] = "ED25519";

static enum err openssl_public_key(void *ctx, struct key_pair *pair);
static enum err openssl_sign(void *ctx, const struct key_pair *pair, const uint8_t *message,
                             uint32_t size_bytes, uint8_t signature[SIGNATURE_BYTES]);
static enum err openssl_verify(void *ctx, const uint8_t public_key[KEY_BYTES],
                               const uint8_t *message, uint32_t size_bytes,
                               const uint8_t signature[SIGNATURE_BYTES]);
static enum err openssl_sha256(void *ctx, const uint8_t *bytes, uint32_t size_bytes,
                               uint8_t digest[DIGEST_BYTES]);
static enum err openssl_hkdf(void *ctx, const uint8_t secret[KEY_BYTES], const uint8_t *info,
                             uint32_t info_bytes, uint8_t out[KEY_BYTES]);
static enum err openssl_seal(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                             const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *plain,
                             uint32_t size_bytes, uint8_t *out);
static enum err openssl_open(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                             const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *sealed,
                             uint32_t size_bytes, uint8_t *out);
static struct crypto_slot *slot_of(struct crypto_slot *slots, const uint8_t public_key[KEY_BYTES]);
static EVP_PKEY *seed_key(struct crypto_openssl *openssl, const struct key_pair *pair);
static EVP_PKEY *public_key(struct crypto_openssl *openssl, const uint8_t bytes[KEY_BYTES]);
static EVP_PKEY *slot_fill(struct crypto_slot *slot, const uint8_t bytes[KEY_BYTES], EVP_PKEY *key);
static void slots_free(struct crypto_slot *slots);
static enum err done(bool ok) MUST_USE;

enum err crypto_openssl_init(struct crypto_openssl *openssl, struct port_crypto *crypto)
{
    CHECK(openssl != NULL);
    CHECK(crypto != NULL);
    memset(openssl, 0, sizeof *openssl);
    *crypto = (struct port_crypto){
        .ctx = openssl,
        .name = "openssl",
        .public_key = openssl_public_key,
        .sign = openssl_sign,
        .verify = openssl_verify,
        .sha256 = openssl_sha256,
        .hkdf = openssl_hkdf,
        .seal = openssl_seal,
        .open = openssl_open,
    };
    openssl->library = OSSL_LIB_CTX_new();
    openssl->digest_ctx = EVP_MD_CTX_new();
    openssl->signature_ctx = EVP_MD_CTX_new();
    openssl->cipher_ctx = EVP_CIPHER_CTX_new();
    if (openssl->library != NULL) {
        openssl->sha256 = EVP_MD_fetch(openssl->library, "SHA2-256", NULL);
        openssl->aes = EVP_CIPHER_fetch(openssl->library, "AES-128-GCM", NULL);
        openssl->hkdf = EVP_KDF_fetch(openssl->library, "HKDF", NULL);
    }
    if (openssl->hkdf != NULL) {
        openssl->hkdf_ctx = EVP_KDF_CTX_new(openssl->hkdf);
    }
    const bool ok = openssl->digest_ctx != NULL && openssl->signature_ctx != NULL &&
                    openssl->cipher_ctx != NULL && openssl->hkdf_ctx != NULL &&
                    openssl->sha256 != NULL && openssl->aes != NULL &&
                    EVP_CipherInit_ex2(openssl->cipher_ctx, openssl->aes, NULL, NULL, 1, NULL) == 1;
    if (!ok) {
        crypto_openssl_free(openssl);
    }
    return done(ok);
}

void crypto_openssl_free(struct crypto_openssl *openssl)
{
    CHECK(openssl != NULL);
    slots_free(openssl->seeds);
    slots_free(openssl->public_keys);
    EVP_KDF_CTX_free(openssl->hkdf_ctx);
    EVP_CIPHER_CTX_free(openssl->cipher_ctx);
    EVP_MD_CTX_free(openssl->signature_ctx);
    EVP_MD_CTX_free(openssl->digest_ctx);
    EVP_KDF_free(openssl->hkdf);
    EVP_CIPHER_free(openssl->aes);
    EVP_MD_free(openssl->sha256);
    OSSL_LIB_CTX_free(openssl->library);
    OPENSSL_cleanse(openssl, sizeof *openssl);
}

static enum err openssl_public_key(void *ctx, struct key_pair *pair)
{
    struct crypto_openssl *openssl = ctx;
    CHECK(pair != NULL);
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key_ex(openssl->library, ed25519, NULL, pair->seed, KEY_BYTES);
    size_t size_bytes = KEY_BYTES;
    if (key == NULL || EVP_PKEY_get_raw_public_key(key, pair->public_key, &size_bytes) != 1) {
        EVP_PKEY_free(key);
        return done(false);
    }
    CHECK(size_bytes == KEY_BYTES);
    /* Who derives a key is about to sign with it. */
    struct crypto_slot *slot = slot_of(openssl->seeds, pair->public_key);
    (void)slot_fill(slot, pair->seed, key);
    return ERR_OK;
}

static enum err openssl_sign(void *ctx, const struct key_pair *pair, const uint8_t *message,
                             uint32_t size_bytes, uint8_t signature[SIGNATURE_BYTES])
{
    struct crypto_openssl *openssl = ctx;
    size_t signature_bytes = SIGNATURE_BYTES;
    CHECK(message != NULL || size_bytes == 0);
    EVP_PKEY *key = seed_key(openssl, pair);
    EVP_MD_CTX *sign = openssl->signature_ctx;
    /* A context keeps the key of its first init until it is reset. */
    const bool ok =
        key != NULL && EVP_MD_CTX_reset(sign) == 1 &&
        EVP_DigestSignInit_ex(sign, NULL, NULL, openssl->library, NULL, key, NULL) == 1 &&
        EVP_DigestSign(sign, signature, &signature_bytes, message, size_bytes) == 1;
    CHECK(!ok || signature_bytes == SIGNATURE_BYTES);
    return done(ok);
}

static enum err openssl_verify(void *ctx, const uint8_t bytes[KEY_BYTES], const uint8_t *message,
                               uint32_t size_bytes, const uint8_t signature[SIGNATURE_BYTES])
{
    struct crypto_openssl *openssl = ctx;
    CHECK(message != NULL || size_bytes == 0);
    if (crypto_key_is_low_order(bytes)) {
        return ERR_SIGNATURE;
    }
    EVP_PKEY *key = public_key(openssl, bytes);
    EVP_MD_CTX *verify = openssl->signature_ctx;
    if (key == NULL || EVP_MD_CTX_reset(verify) != 1 ||
        EVP_DigestVerifyInit_ex(verify, NULL, NULL, openssl->library, NULL, key, NULL) != 1) {
        return done(false);
    }
    const int verdict = EVP_DigestVerify(verify, signature, SIGNATURE_BYTES, message, size_bytes);
    if (verdict == 0) {
        ERR_clear_error();
        return ERR_SIGNATURE;
    }
    return done(verdict == 1);
}

static enum err openssl_sha256(void *ctx, const uint8_t *bytes, uint32_t size_bytes,
                               uint8_t digest[DIGEST_BYTES])
{
    struct crypto_openssl *openssl = ctx;
    CHECK(bytes != NULL || size_bytes == 0);
    return done(EVP_DigestInit_ex2(openssl->digest_ctx, openssl->sha256, NULL) == 1 &&
                EVP_DigestUpdate(openssl->digest_ctx, bytes, size_bytes) == 1 &&
                EVP_DigestFinal_ex(openssl->digest_ctx, digest, NULL) == 1);
}

static enum err openssl_hkdf(void *ctx, const uint8_t secret[KEY_BYTES], const uint8_t *info,
                             uint32_t info_bytes, uint8_t out[KEY_BYTES])
{
    struct crypto_openssl *openssl = ctx;
    char digest[] = "SHA2-256";
    uint8_t key[KEY_BYTES], context[256];
    CHECK(info_bytes <= sizeof context);
    /* Parameters are not const in OpenSSL's interface: it gets copies. */
    memcpy(key, secret, KEY_BYTES);
    if (info_bytes > 0) {
        memcpy(context, info, info_bytes);
    }
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, sizeof digest - 1),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key, KEY_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, context, info_bytes),
        OSSL_PARAM_construct_end(),
    };
    const bool ok = EVP_KDF_derive(openssl->hkdf_ctx, out, KEY_BYTES, params) == 1;
    EVP_KDF_CTX_reset(openssl->hkdf_ctx);
    OPENSSL_cleanse(key, sizeof key);
    return done(ok);
}

static enum err openssl_seal(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                             const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *plain,
                             uint32_t size_bytes, uint8_t *out)
{
    struct crypto_openssl *openssl = ctx;
    EVP_CIPHER_CTX *cipher = openssl->cipher_ctx;
    uint8_t rest[AEAD_TAG_BYTES];
    int sealed_bytes = 0, rest_bytes = 0;
    CHECK(size_bytes <= INT_MAX);
    const bool ok =
        EVP_EncryptInit_ex2(cipher, NULL, key, nonce, NULL) == 1 &&
        (size_bytes == 0 ||
         EVP_EncryptUpdate(cipher, out, &sealed_bytes, plain, (int)size_bytes) == 1) &&
        EVP_EncryptFinal_ex(cipher, rest, &rest_bytes) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES, out + size_bytes) == 1;
    CHECK(!ok || ((uint32_t)sealed_bytes == size_bytes && rest_bytes == 0));
    return done(ok);
}

static enum err openssl_open(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                             const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *sealed,
                             uint32_t size_bytes, uint8_t *out)
{
    struct crypto_openssl *openssl = ctx;
    EVP_CIPHER_CTX *cipher = openssl->cipher_ctx;
    uint8_t tag[AEAD_TAG_BYTES], rest[AEAD_TAG_BYTES];
    int plain_bytes = 0, rest_bytes = 0;
    CHECK(size_bytes <= INT_MAX);
    if (size_bytes < AEAD_TAG_BYTES) {
        return ERR_SIGNATURE;
    }
    const uint32_t text_bytes = size_bytes - AEAD_TAG_BYTES;
    memcpy(tag, sealed + text_bytes, sizeof tag);
    bool ok = EVP_DecryptInit_ex2(cipher, NULL, key, nonce, NULL) == 1 &&
              (text_bytes == 0 ||
               EVP_DecryptUpdate(cipher, out, &plain_bytes, sealed, (int)text_bytes) == 1) &&
              EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES, tag) == 1;
    if (ok && EVP_DecryptFinal_ex(cipher, rest, &rest_bytes) != 1) {
        ERR_clear_error();
        memset(out, 0, text_bytes);
        return ERR_SIGNATURE;
    }
    return done(ok);
}

/* Keys are as good as random, so their first bytes spread them over the slots. */
static struct crypto_slot *slot_of(struct crypto_slot *slots, const uint8_t public_key[KEY_BYTES])
{
    return &slots[(public_key[0] | (uint32_t)public_key[1] << 8) % CRYPTO_SLOTS];
}

/* The slot is found by the public key and believed by the seed: what signs comes from the seed
 * alone, whatever the pair says is its public half. */
static EVP_PKEY *seed_key(struct crypto_openssl *openssl, const struct key_pair *pair)
{
    struct crypto_slot *slot = slot_of(openssl->seeds, pair->public_key);
    if (slot->key != NULL && CRYPTO_memcmp(slot->bytes, pair->seed, KEY_BYTES) == 0) {
        return slot->key;
    }
    return slot_fill(
        slot, pair->seed,
        EVP_PKEY_new_raw_private_key_ex(openssl->library, ed25519, NULL, pair->seed, KEY_BYTES));
}

static EVP_PKEY *public_key(struct crypto_openssl *openssl, const uint8_t bytes[KEY_BYTES])
{
    struct crypto_slot *slot = slot_of(openssl->public_keys, bytes);
    CHECK(!crypto_key_is_low_order(bytes));
    if (slot->key != NULL && memcmp(slot->bytes, bytes, KEY_BYTES) == 0) {
        return slot->key;
    }
    return slot_fill(
        slot, bytes,
        EVP_PKEY_new_raw_public_key_ex(openssl->library, ed25519, NULL, bytes, KEY_BYTES));
}

/* Replace what the slot holds; NULL empties it. */
static EVP_PKEY *slot_fill(struct crypto_slot *slot, const uint8_t bytes[KEY_BYTES], EVP_PKEY *key)
{
    EVP_PKEY_free(slot->key);
    memcpy(slot->bytes, bytes, KEY_BYTES);
    slot->key = key;
    return key;
}

static void slots_free(struct crypto_slot *slots)
{
    for (uint32_t i = 0; i < CRYPTO_SLOTS; i++) {
        EVP_PKEY_free(slots[i].key);
        slots[i].key = NULL;
    }
}

/* OpenSSL's queue of errors is not left to grow: its caller could do nothing with it. */
static enum err done(bool ok)
{
    if (!ok) {
        ERR_clear_error();
    }
    return ok ? ERR_OK : ERR_IO;
}
