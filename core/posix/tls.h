/* TLS 1.3 with mutual authentication around a link, by OpenSSL.
 *
 * There is no other version and no fallback: a peer that offers less is refused. Both ends show a
 * certificate that the configured authority has signed, that is in time and, where there is a list
 * of revoked ones, not on it. Whoever connects also looks whether the certificate names the node
 * that it meant to reach ("node-7.brownout"); who it is that connects, the session's own
 * authentication tells (core/mqtt). Sessions are not resumed, so that each connection is verified
 * anew. The machine's OpenSSL configuration has no influence.
 */
#ifndef BROWNOUT_CORE_POSIX_TLS_H
#define BROWNOUT_CORE_POSIX_TLS_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TLS_NAME_BYTES = 32, TLS_WHY_BYTES = 160 };

struct tls_files {
    const char *authority, *certificate, *key; /* PEM */
    const char *revoked;                       /* PEM list of revoked certificates; "": none */
};

struct tls {
    OSSL_LIB_CTX *library;
    SSL_CTX *context;
};

/* The name in the certificate of a node. */
void tls_name(uint32_t node, char name[TLS_NAME_BYTES]);

/* False: `error` says which file is wrong; nothing is left to free. */
bool tls_open(struct tls *tls, const struct tls_files *files, char *error, size_t error_bytes);
void tls_free(struct tls *tls);

enum tls_outcome { TLS_DONE, TLS_WANTS_READ, TLS_WANTS_WRITE, TLS_FAILED };

/* Around a connected socket. peer: the node that we connect to; 0: it connects to us. NULL: no
 * memory. To be freed with tls_end. */
SSL *tls_begin(struct tls *tls, int socket, uint32_t peer);
void tls_end(SSL *link);
/* Again until it is DONE or FAILED; why: of a failure. */
enum tls_outcome tls_handshake(SSL *link, char why[TLS_WHY_BYTES]);
/* Of a handshake under way: has the other end's first word come whole, so that it was answered? */
bool tls_answered(const SSL *link);
/* Bytes taken or given; 0: later; below 0: it is over. */
int32_t tls_read(SSL *link, uint8_t *bytes, uint32_t size_bytes);
int32_t tls_write(SSL *link, const uint8_t *bytes, uint32_t size_bytes);
/* Bytes that were received, and that poll does not tell of. */
bool tls_pending(const SSL *link);
/* Say that nothing more is sent. */
void tls_close(SSL *link);

#endif
