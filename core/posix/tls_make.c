#include "core/posix/tls_make.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/posix/tls.h"

enum { DAY_S = 86400, DAYS_OF_AUTHORITY = 3650, VERSION_3 = 2, CRL_VERSION_2 = 1, SLACK_S = 3600 };

static FILE *begin(const char *path, unsigned mode)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    FILE *stream = file < 0 ? NULL : fdopen(file, "w");
    if (stream == NULL && file >= 0) {
        (void)close(file);
    }
    return stream;
}

static bool finish(FILE *file, bool good)
{
    return file != NULL && fclose(file) == 0 && good;
}

static bool write_certificate(const char *path, const X509 *certificate)
{
    FILE *file = begin(path, 0644);
    return finish(file, file != NULL && PEM_write_X509(file, certificate) == 1);
}

static bool write_key(const char *path, const EVP_PKEY *key)
{
    FILE *file = begin(path, 0600);
    return finish(file,
                  file != NULL && PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
}

static bool set_name(X509_NAME *name, const char *text)
{
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1,
                                      0) == 1;
}

static bool add(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    const bool good = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

/* What all certificates have. */
static bool fill(X509 *certificate, EVP_PKEY *key, long serial, int days)
{
    const long from = days < 0 ? (long)days * 2 * DAY_S : -SLACK_S; /* clocks differ */
    return X509_set_version(certificate, VERSION_3) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), from) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), (long)days * DAY_S) != NULL &&
           X509_set_pubkey(certificate, key) == 1;
}

bool tls_authority_make(struct tls_authority *authority, const char *path)
{
    *authority = (struct tls_authority){
        .key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), .certificate = X509_new(), .serial = 1};
    X509 *certificate = authority->certificate;
    return authority->key != NULL && certificate != NULL &&
           fill(certificate, authority->key, 1, DAYS_OF_AUTHORITY) &&
           set_name(X509_get_subject_name(certificate), "brownout authority") &&
           X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
           add(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add(certificate, certificate, NID_subject_key_identifier, "hash") &&
           X509_sign(certificate, authority->key, NULL) > 0 && write_certificate(path, certificate);
}

void tls_authority_free(struct tls_authority *authority)
{
    EVP_PKEY_free(authority->key);
    X509_free(authority->certificate);
    *authority = (struct tls_authority){0};
}

bool tls_authority_sign(struct tls_authority *authority, uint32_t node, int days,
                        const char *certificate_path, const char *key_path)
{
    char name[TLS_NAME_BYTES], names[TLS_NAME_BYTES + 8];
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *certificate = X509_new();
    X509 *issuer = authority->certificate;
    tls_name(node, name);
    snprintf(names, sizeof names, "DNS:%s", name);
    const bool good = key != NULL && certificate != NULL &&
                      fill(certificate, key, ++authority->serial, days) &&
                      set_name(X509_get_subject_name(certificate), name) &&
                      X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
                      add(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
                      add(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
                      add(certificate, issuer, NID_ext_key_usage, "serverAuth,clientAuth") &&
                      add(certificate, issuer, NID_subject_alt_name, names) &&
                      add(certificate, issuer, NID_authority_key_identifier, "keyid") &&
                      X509_sign(certificate, authority->key, NULL) > 0 &&
                      write_certificate(certificate_path, certificate) && write_key(key_path, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return good;
}

static bool add_revoked(X509_CRL *list, long serial)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ASN1_TIME *time = X509_gmtime_adj(NULL, -SLACK_S);
    const bool good = entry != NULL && number != NULL && time != NULL &&
                      ASN1_INTEGER_set(number, serial) == 1 &&
                      X509_REVOKED_set_serialNumber(entry, number) == 1 &&
                      X509_REVOKED_set_revocationDate(entry, time) == 1 &&
                      X509_CRL_add0_revoked(list, entry) == 1;
    ASN1_TIME_free(time);
    ASN1_INTEGER_free(number);
    if (!good) {
        X509_REVOKED_free(entry);
    }
    return good;
}

bool tls_authority_revoke(struct tls_authority *authority, long serial, const char *path)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *last = X509_gmtime_adj(NULL, -SLACK_S);
    ASN1_TIME *next = X509_gmtime_adj(NULL, (long)DAYS_OF_AUTHORITY * DAY_S);
    bool good =
        list != NULL && last != NULL && next != NULL &&
        X509_CRL_set_version(list, CRL_VERSION_2) == 1 &&
        X509_CRL_set_issuer_name(list, X509_get_subject_name(authority->certificate)) == 1 &&
        X509_CRL_set1_lastUpdate(list, last) == 1 && X509_CRL_set1_nextUpdate(list, next) == 1 &&
        (serial == 0 || add_revoked(list, serial)) && X509_CRL_sort(list) == 1 &&
        X509_CRL_sign(list, authority->key, NULL) > 0;
    FILE *file = good ? begin(path, 0644) : NULL;
    good = finish(file, file != NULL && PEM_write_X509_CRL(file, list) == 1);
    X509_CRL_free(list);
    ASN1_TIME_free(last);
    ASN1_TIME_free(next);
    return good;
}
