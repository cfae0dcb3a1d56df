/* The crypto provider of OpenSSL 3, behind core/port.h's table.
 * Everything is fetched once, in a library context of its own: what the machine's OpenSSL
 * configuration says has no influence. Keys that were used lately stay imported, because to derive
 * the public half of a seed costs as much as a signature.
 *
 * One provider serves any number of ports, from one thread at a time. It does not move after init.
 */
#ifndef BROWNOUT_CORE_CRYPTO_OPENSSL_H
#define BROWNOUT_CORE_CRYPTO_OPENSSL_H

#include <openssl/types.h>

#include "core/port.h"

/* Imported keys that are kept, of each kind. A key has one place, so a miss costs an import (50 us
 * for a seed, 3 us for a public key) and no search. */
enum { CRYPTO_SLOTS = 1024 };

struct crypto_slot {
    uint8_t bytes[KEY_BYTES]; /* the seed, or the public key */
    EVP_PKEY *key;            /* NULL = empty */
};

struct crypto_openssl {
    OSSL_LIB_CTX *library;
    EVP_MD *sha256;
    EVP_CIPHER *aes;
    EVP_KDF *hkdf;
    EVP_MD_CTX *digest_ctx, *signature_ctx;
    EVP_CIPHER_CTX *cipher_ctx;
    EVP_KDF_CTX *hkdf_ctx;
    struct crypto_slot seeds[CRYPTO_SLOTS];
    struct crypto_slot public_keys[CRYPTO_SLOTS];
};

/* Make the provider; `openssl` is the caller's, stays where it is, and is what crypto->ctx points
 * to. ERR_OK | ERR_IO (OpenSSL lacks memory or an algorithm; nothing is left to free). */
enum err crypto_openssl_init(struct crypto_openssl *openssl, struct port_crypto *crypto) MUST_USE;

/* Free everything and wipe the seeds. */
void crypto_openssl_free(struct crypto_openssl *openssl);

#endif
