/* Goal: links are TLS 1.3 with both ends verified, or they are not up: no other authority, nobody
 * expired or revoked, no other node's certificate, no older version, and nothing in the clear gets
 * through. Method: two ends in one process, over loopback, each with certificates made here. */
#include <openssl/ssl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "core/posix/links.h"
#include "core/posix/tls_make.h"
#include "core/test/posix_folder.h"
#include "core/test/test.h"

enum { PATIENCE_US = 5000000, SERVER = 2, CLIENT = 7, DAYS = 30, BIG_BYTES = 300000 };

static struct tls_authority ours, theirs;
static struct links server, client;
static struct tls server_tls, client_tls;
static char error[512];

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static uint64_t now_us(void)
{
    struct timespec now;
    EXPECT_EQUAL(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Certificates of a node by an authority, as `name`.pem and `name`.key. */
static void sign(struct tls_authority *authority, uint32_t node, int days, const char *name)
{
    char certificate[64], key[64];
    snprintf(certificate, sizeof certificate, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    EXPECT(tls_authority_sign(authority, node, days, folder_file(certificate), folder_file(key)));
}

static void open_tls(struct tls *tls, const char *authority, const char *name, const char *revoked)
{
    char certificate[64], key[64];
    snprintf(certificate, sizeof certificate, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    const struct tls_files files = {.authority = folder_file(authority),
                                    .certificate = folder_file(certificate),
                                    .key = folder_file(key),
                                    .revoked = revoked == NULL ? "" : folder_file(revoked)};
    if (!tls_open(tls, &files, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
}

static void begin(bool client_secured)
{
    struct links_address any, to;
    char text[LINKS_ADDRESS_BYTES];
    EXPECT(links_parse("127.0.0.1:0", &any));
    EXPECT(links_open(&server, 4, &server_tls, &any, error, sizeof error));
    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)links_port(&server));
    EXPECT(links_parse(text, &to));
    EXPECT(links_listen(&server));
    EXPECT(links_open(&client, 4, client_secured ? &client_tls : NULL, NULL, error, sizeof error));
    EXPECT(links_add_peer(&client, SERVER, &to));
}

static void end(void)
{
    links_free(&server);
    links_free(&client);
    tls_free(&server_tls);
    tls_free(&client_tls);
}

/* The next event of `wanted`, while both ends go on; what the other one tells goes to *other.
 * False: none came in `patience_us`. */
static bool next(struct links *wanted, struct event *event, uint64_t patience_us)
{
    struct links *others = wanted == &server ? &client : &server;
    const uint64_t until_us = now_us() + patience_us;
    links_flush(&server);
    links_flush(&client);
    while (now_us() < until_us) {
        struct event ignored;
        links_wait(others, -1, now_us(), now_us() + 1000);
        while (links_next(others, now_us(), &ignored)) {
        }
        if (links_next(wanted, now_us(), event)) {
            return true;
        }
        links_wait(wanted, -1, now_us(), now_us() + 1000);
    }
    return false;
}

/* The client's link never comes up, or goes down at once: TLS 1.3 lets a client go ahead before it
 * knows what its server thinks of it. No byte of the protocol reaches the server. */
static void expect_refused(const char *why_server, const char *why_client)
{
    uint32_t link;
    struct event event;
    bool down = false;
    EXPECT_EQUAL(links_connect(&client, SERVER, now_us(), &link), ERR_OK);
    while (!down && next(&client, &event, PATIENCE_US)) {
        EXPECT(event.kind != EVENT_LINK_DATA);
        down = event.kind == EVENT_LINK_DOWN;
    }
    EXPECT(down);
    for (const uint64_t until_us = now_us() + PATIENCE_US;
         links_count(&server) > 0 && now_us() < until_us;) {
        links_wait(&server, -1, now_us(), now_us() + 1000);
        EXPECT(!links_next(&server, now_us(), &event));
    }
    EXPECT_EQUAL(links_count(&server), 0);
    EXPECT_EQUAL(server.counts.accepted, 0);
    const char *refusal = why_server != NULL ? server.refusal : client.refusal;
    const char *why = why_server != NULL ? why_server : why_client;
    if (strstr(refusal, why) == NULL) {
        fprintf(stderr, "expected '%s', got '%s'\n", why, refusal);
        exit(1);
    }
    end();
}

static void both_ends_of_one_authority_meet(void)
{
    static uint8_t big[BIG_BYTES];
    uint32_t link, sent = 0, got = 0;
    struct event event;
    open_tls(&server_tls, "ours.pem", "server", "none.crl");
    open_tls(&client_tls, "ours.pem", "client", "none.crl");
    begin(true);
    EXPECT_EQUAL(links_connect(&client, SERVER, now_us(), &link), ERR_OK);
    EXPECT(next(&client, &event, PATIENCE_US));
    EXPECT_EQUAL(event.kind, EVENT_LINK_UP);
    for (uint32_t i = 0; i < BIG_BYTES; i++) {
        big[i] = (uint8_t)(i * 7 + i / 251);
    }
    /* More than one read takes at once, and more than the socket does: nothing is lost or moved. */
    while (got < BIG_BYTES) {
        const int32_t done =
            sent < BIG_BYTES ? links_send(&client, link, big + sent, BIG_BYTES - sent) : 0;
        EXPECT(done >= 0);
        sent += (uint32_t)done;
        links_flush(&client);
        while (links_next(&server, now_us(), &event)) {
            EXPECT(event.kind == EVENT_LINK_UP || event.kind == EVENT_LINK_DATA);
            if (event.kind == EVENT_LINK_DATA) {
                EXPECT_EQUAL(memcmp(event.bytes, big + got, event.size_bytes), 0);
                got += event.size_bytes;
            }
        }
        links_wait(&server, -1, now_us(), now_us() + 1000);
    }
    EXPECT_EQUAL(server.counts.accepted, 1);
    links_close(&client, link, now_us());
    EXPECT(next(&server, &event, PATIENCE_US));
    EXPECT_EQUAL(event.kind, EVENT_LINK_DOWN);
    end();
}

static void a_client_of_another_authority_is_refused(void)
{
    open_tls(&server_tls, "ours.pem", "server", NULL);
    open_tls(&client_tls, "ours.pem", "stranger", NULL);
    begin(true);
    expect_refused("unable to get local issuer certificate", NULL);
}

static void a_server_of_another_authority_is_refused(void)
{
    open_tls(&server_tls, "ours.pem", "false_server", NULL);
    open_tls(&client_tls, "ours.pem", "client", NULL);
    begin(true);
    expect_refused(NULL, "unable to get local issuer certificate");
}

static void who_is_expired_is_refused(void)
{
    open_tls(&server_tls, "ours.pem", "server", NULL);
    open_tls(&client_tls, "ours.pem", "expired", NULL);
    begin(true);
    expect_refused("certificate has expired", NULL);
}

static void who_is_revoked_is_refused(void)
{
    open_tls(&server_tls, "ours.pem", "server", "client.crl");
    open_tls(&client_tls, "ours.pem", "client", NULL);
    begin(true);
    expect_refused("certificate revoked", NULL);
}

static void the_certificate_of_another_node_is_refused(void)
{
    open_tls(&server_tls, "ours.pem", "client", NULL); /* good, but node 7 is not node 2 */
    open_tls(&client_tls, "ours.pem", "client", NULL);
    begin(true);
    expect_refused(NULL, "hostname mismatch");
}

static void an_older_version_is_refused(void)
{
    open_tls(&server_tls, "ours.pem", "server", NULL);
    open_tls(&client_tls, "ours.pem", "client", NULL);
    EXPECT_EQUAL(SSL_CTX_set_min_proto_version(client_tls.context, TLS1_2_VERSION), 1);
    EXPECT_EQUAL(SSL_CTX_set_max_proto_version(client_tls.context, TLS1_2_VERSION), 1);
    begin(true);
    expect_refused("unsupported protocol", NULL);
}

static void a_server_of_an_older_version_is_refused(void)
{
    open_tls(&server_tls, "ours.pem", "server", NULL);
    open_tls(&client_tls, "ours.pem", "client", NULL);
    EXPECT_EQUAL(SSL_CTX_set_min_proto_version(server_tls.context, TLS1_2_VERSION), 1);
    EXPECT_EQUAL(SSL_CTX_set_max_proto_version(server_tls.context, TLS1_2_VERSION), 1);
    begin(true);
    expect_refused(NULL, "");
}

static void a_client_without_a_certificate_is_refused(void)
{
    open_tls(&server_tls, "ours.pem", "server", NULL);
    open_tls(&client_tls, "ours.pem", "client", NULL);
    SSL_CTX *bare = SSL_CTX_new(TLS_client_method());
    EXPECT(bare != NULL);
    SSL_CTX_free(client_tls.context);
    client_tls.context = bare;
    begin(true);
    expect_refused("peer did not return a certificate", NULL);
}

static void what_comes_in_the_clear_is_refused(void)
{
    uint32_t link;
    struct event event;
    open_tls(&server_tls, "ours.pem", "server", NULL);
    open_tls(&client_tls, "ours.pem", "client", NULL);
    begin(false);
    EXPECT_EQUAL(links_connect(&client, SERVER, now_us(), &link), ERR_OK);
    EXPECT(next(&client, &event, PATIENCE_US));
    EXPECT_EQUAL(event.kind, EVENT_LINK_UP); /* TCP is: the client knows no better */
    EXPECT(links_send(&client, link, (const uint8_t *)"\x10\x0c\0\4MQTT\5\0\0\0\0\0", 14) == 14);
    do {
        EXPECT(next(&client, &event, PATIENCE_US));
    } while (event.kind == EVENT_LINK_DATA); /* an alert */
    EXPECT_EQUAL(event.kind, EVENT_LINK_DOWN);
    EXPECT_EQUAL(server.counts.accepted, 0);
    end();
}

/* One that says nothing holds a place, and not for long. */
static void a_silent_one_is_given_up(void)
{
    uint32_t link;
    struct event event;
    open_tls(&server_tls, "ours.pem", "server", NULL);
    open_tls(&client_tls, "ours.pem", "client", NULL);
    begin(false);
    EXPECT_EQUAL(links_connect(&client, SERVER, now_us(), &link), ERR_OK);
    EXPECT(next(&client, &event, PATIENCE_US));
    EXPECT_EQUAL(event.kind, EVENT_LINK_UP);
    while (links_count(&server) == 0) {
        links_wait(&server, -1, now_us(), now_us() + 1000);
        EXPECT(!links_next(&server, now_us(), &event));
    }
    const uint64_t later_us = now_us() + LINKS_HANDSHAKE_US + 1;
    links_wait(&server, -1, later_us, later_us);
    EXPECT(!links_next(&server, later_us, &event));
    EXPECT_EQUAL(links_count(&server), 0);
    end();
}

/* More silent ones than there is place for: an honest client gets in all the same, and whoever is
 * in stays. */
static void silent_ones_keep_nobody_out(void)
{
    enum { SILENT = 80 };
    struct links silent;
    struct links_address to;
    char text[LINKS_ADDRESS_BYTES];
    uint32_t first, second, ignored;
    struct event event;
    open_tls(&server_tls, "ours.pem", "server", NULL);
    open_tls(&client_tls, "ours.pem", "client", NULL);
    begin(true);
    EXPECT_EQUAL(links_connect(&client, SERVER, now_us(), &first), ERR_OK);
    EXPECT(next(&server, &event, PATIENCE_US));
    EXPECT_EQUAL(event.kind, EVENT_LINK_UP);
    const uint32_t honest = event.link;
    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)links_port(&server));
    EXPECT(links_parse(text, &to));
    EXPECT(links_open(&silent, SILENT, NULL, NULL, error, sizeof error));
    EXPECT(links_add_peer(&silent, SERVER, &to));
    for (int i = 0; i < SILENT; i++) {
        EXPECT_EQUAL(links_connect(&silent, SERVER, now_us(), &ignored), ERR_OK);
        links_wait(&server, -1, now_us(), now_us() + 1000);
        EXPECT(!links_next(&server, now_us(), &event));
    }
    EXPECT_EQUAL(links_count(&server), 4 + LINKS_SPARE); /* all places are taken */
    EXPECT_EQUAL(links_connect(&client, SERVER, now_us(), &second), ERR_OK);
    EXPECT(next(&server, &event, PATIENCE_US));
    EXPECT_EQUAL(event.kind, EVENT_LINK_UP);
    EXPECT(event.link != honest);
    EXPECT_EQUAL(links_send(&client, first, (const uint8_t *)"still", 5), 5);
    EXPECT(next(&server, &event, PATIENCE_US));
    EXPECT_EQUAL(event.kind, EVENT_LINK_DATA);
    EXPECT_EQUAL(event.link, honest);
    links_free(&silent);
    end();
}

static void a_wrong_file_is_named(void)
{
    struct tls tls;
    struct tls_files files = {.authority = folder_file("nobody.pem"),
                              .certificate = folder_file("server.pem"),
                              .key = folder_file("server.key"),
                              .revoked = ""};
    EXPECT(!tls_open(&tls, &files, error, sizeof error));
    EXPECT(strstr(error, "nobody.pem: no good authority") != NULL);
    files.authority = folder_file("ours.pem");
    files.key = folder_file("client.key");
    EXPECT(!tls_open(&tls, &files, error, sizeof error));
    EXPECT(strstr(error, "client.key: no good key") != NULL);
    files.key = folder_file("server.key");
    files.revoked = folder_file("server.pem");
    EXPECT(!tls_open(&tls, &files, error, sizeof error));
    EXPECT(strstr(error, "server.pem: no good list of revoked certificates") != NULL);
}

int main(void)
{
    EXPECT(tls_authority_make(&ours, folder_file("ours.pem")));
    EXPECT(tls_authority_make(&theirs, folder_file("theirs.pem")));
    sign(&ours, SERVER, DAYS, "server");
    sign(&ours, CLIENT, -1, "expired");
    sign(&ours, CLIENT, DAYS, "client");
    EXPECT(tls_authority_revoke(&ours, ours.serial, folder_file("client.crl")));
    EXPECT(tls_authority_revoke(&ours, 0, folder_file("none.crl")));
    sign(&theirs, CLIENT, DAYS, "stranger");
    sign(&theirs, SERVER, DAYS, "false_server");
    RUN(both_ends_of_one_authority_meet);
    RUN(a_client_of_another_authority_is_refused);
    RUN(a_server_of_another_authority_is_refused);
    RUN(who_is_expired_is_refused);
    RUN(who_is_revoked_is_refused);
    RUN(the_certificate_of_another_node_is_refused);
    RUN(an_older_version_is_refused);
    RUN(a_server_of_an_older_version_is_refused);
    RUN(a_client_without_a_certificate_is_refused);
    RUN(what_comes_in_the_clear_is_refused);
    RUN(a_silent_one_is_given_up);
    RUN(silent_ones_keep_nobody_out);
    RUN(a_wrong_file_is_named);
    tls_authority_free(&ours);
    tls_authority_free(&theirs);
    folder_remove();
    return 0;
}
