#include "core/posix/tls.h"

#include <inttypes.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum { SECURITY_LEVEL = 2 };

void tls_name(uint32_t node, char name[TLS_NAME_BYTES])
{
    snprintf(name, TLS_NAME_BYTES, "node-%" PRIu32 ".brownout", node);
}

static bool wrong(const char *what, const char *path, char *error, size_t error_bytes)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    snprintf(error, error_bytes, "%s: no good %s: %s", path, what, why == NULL ? "?" : why);
    ERR_clear_error();
    return false;
}

static bool load(struct tls *tls, const struct tls_files *files, char *error, size_t error_bytes)
{
    SSL_CTX *context = tls->context;
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    if (X509_STORE_load_file_ex(store, files->authority, tls->library, NULL) != 1) {
        return wrong("authority (tls_authority)", files->authority, error, error_bytes);
    }
    if (SSL_CTX_use_certificate_chain_file(context, files->certificate) != 1) {
        return wrong("certificate (tls_certificate)", files->certificate, error, error_bytes);
    }
    if (SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return wrong("key of the certificate (tls_key)", files->key, error, error_bytes);
    }
    if (files->revoked[0] != '\0') {
        X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
        if (lookup == NULL || X509_load_crl_file(lookup, files->revoked, X509_FILETYPE_PEM) < 1) {
            return wrong("list of revoked certificates (tls_revoked)", files->revoked, error,
                         error_bytes);
        }
        (void)X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    }
    return true;
}

bool tls_open(struct tls *tls, const struct tls_files *files, char *error, size_t error_bytes)
{
    *tls = (struct tls){.library = OSSL_LIB_CTX_new()};
    tls->context = tls->library == NULL ? NULL : SSL_CTX_new_ex(tls->library, NULL, TLS_method());
    if (tls->context == NULL || SSL_CTX_set_min_proto_version(tls->context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(tls->context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_num_tickets(tls->context, 0) != 1) {
        snprintf(error, error_bytes, "OpenSSL lacks memory or TLS 1.3");
        tls_free(tls);
        return false;
    }
    SSL_CTX_set_security_level(tls->context, SECURITY_LEVEL);
    (void)SSL_CTX_set_session_cache_mode(tls->context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_mode(tls->context,
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (!load(tls, files, error, error_bytes)) {
        tls_free(tls);
        return false;
    }
    return true;
}

void tls_free(struct tls *tls)
{
    SSL_CTX_free(tls->context);
    OSSL_LIB_CTX_free(tls->library);
    *tls = (struct tls){0};
}

SSL *tls_begin(struct tls *tls, int socket, uint32_t peer)
{
    char name[TLS_NAME_BYTES];
    SSL *link = SSL_new(tls->context);
    if (link == NULL || SSL_set_fd(link, socket) != 1) {
        SSL_free(link);
        return NULL;
    }
    if (peer == 0) {
        SSL_set_accept_state(link);
        return link;
    }
    tls_name(peer, name);
    SSL_set_connect_state(link);
    SSL_set_hostflags(link, X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (SSL_set1_host(link, name) != 1) {
        SSL_free(link);
        return NULL;
    }
    return link;
}

void tls_end(SSL *link)
{
    SSL_free(link);
}

static void explain(const SSL *link, char why[TLS_WHY_BYTES])
{
    const long verified = SSL_get_verify_result(link);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    snprintf(why, TLS_WHY_BYTES, "%s",
             verified != X509_V_OK ? X509_verify_cert_error_string(verified)
             : reason != NULL      ? reason
                                   : "the peer closed the link");
}

enum tls_outcome tls_handshake(SSL *link, char why[TLS_WHY_BYTES])
{
    ERR_clear_error();
    const int done = SSL_do_handshake(link);
    if (done == 1) {
        return TLS_DONE;
    }
    switch (SSL_get_error(link, done)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANTS_WRITE;
    default:
        explain(link, why);
        ERR_clear_error();
        return TLS_FAILED;
    }
}

bool tls_answered(const SSL *link)
{
    return BIO_number_written(SSL_get_wbio(link)) > 0;
}

static int32_t outcome(const SSL *link, int done)
{
    if (done > 0) {
        return done;
    }
    const int error = SSL_get_error(link, done);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

int32_t tls_read(SSL *link, uint8_t *bytes, uint32_t size_bytes)
{
    ERR_clear_error();
    return outcome(link, SSL_read(link, bytes, (int)size_bytes));
}

int32_t tls_write(SSL *link, const uint8_t *bytes, uint32_t size_bytes)
{
    ERR_clear_error();
    return outcome(link, SSL_write(link, bytes, (int)size_bytes));
}

bool tls_pending(const SSL *link)
{
    return SSL_pending(link) > 0;
}

void tls_close(SSL *link)
{
    ERR_clear_error();
    (void)SSL_shutdown(link);
    ERR_clear_error();
}
