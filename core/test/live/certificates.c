/* Certificates for live tests over TLS.
 *   live_certificates FOLDER
 * FOLDER gets two authorities, ours.pem and theirs.pem, and of ours, as NAME.pem and NAME.key:
 * server, client, client_revoked, server_expired and client_expired; of theirs server_strange and
 * client_strange. server.crl and client_revoked.crl are lists with the one of that name, none.crl
 * is one with nobody. A server is node 2, a client is node 7. */
#include <string.h>

#include "core/check.h"
#include "core/posix/tls_make.h"
#include "core/test/live/sockets.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    abort();
}

enum { CLIENT = 7, DAYS = 30, PATH_BYTES = 1024 };

static const char *folder;

static const char *path(char text[PATH_BYTES], const char *name, const char *ending)
{
    EXPECT(snprintf(text, PATH_BYTES, "%s/%s.%s", folder, name, ending) < PATH_BYTES);
    return text;
}

static void sign(struct tls_authority *authority, const char *name, int days)
{
    char certificate[PATH_BYTES], key[PATH_BYTES];
    const uint32_t node = name[0] == 's' ? SOCKETS_SERVER : CLIENT;
    EXPECT(tls_authority_sign(authority, node, days, path(certificate, name, "pem"),
                              path(key, name, "key")));
}

/* The certificate that was signed last. */
static void revoke(struct tls_authority *authority, const char *name)
{
    char list[PATH_BYTES];
    EXPECT(tls_authority_revoke(authority, authority->serial, path(list, name, "crl")));
}

int main(int argc, char **argv)
{
    struct tls_authority ours, theirs;
    char text[PATH_BYTES];
    EXPECT(argc == 2);
    folder = argv[1];
    EXPECT(tls_authority_make(&ours, path(text, "ours", "pem")));
    EXPECT(tls_authority_make(&theirs, path(text, "theirs", "pem")));
    EXPECT(tls_authority_revoke(&ours, 0, path(text, "none", "crl")));
    sign(&ours, "server", DAYS);
    revoke(&ours, "server");
    sign(&ours, "client", DAYS);
    sign(&ours, "server_expired", -1);
    sign(&ours, "client_expired", -1);
    sign(&ours, "client_revoked", DAYS);
    revoke(&ours, "client_revoked");
    sign(&theirs, "server_strange", DAYS);
    sign(&theirs, "client_strange", DAYS);
    tls_authority_free(&ours);
    tls_authority_free(&theirs);
    return 0;
}
