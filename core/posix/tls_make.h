/* Certificates for a fleet that is made on one machine: an authority, and what it signs.
 * For `brownout up` and for tests; a fleet in the field has an authority of its own. Keys are
 * Ed25519. */
#ifndef BROWNOUT_CORE_POSIX_TLS_MAKE_H
#define BROWNOUT_CORE_POSIX_TLS_MAKE_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

struct tls_authority {
    EVP_PKEY *key;
    X509 *certificate;
    long serial; /* of the last one signed */
};

/* A new authority; its certificate goes to `path`. False: OpenSSL or the file refused. To be freed
 * in any case. */
bool tls_authority_make(struct tls_authority *authority, const char *path);
void tls_authority_free(struct tls_authority *authority);

/* A key and a certificate of a node, good from now on for so many days (below 0: it is over since).
 */
bool tls_authority_sign(struct tls_authority *authority, uint32_t node, int days,
                        const char *certificate_path, const char *key_path);
/* The list of revoked certificates: one serial number; 0: an empty list. */
bool tls_authority_revoke(struct tls_authority *authority, long serial, const char *path);

#endif
