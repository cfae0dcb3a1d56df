#include "core/test/live/sockets.h"

#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/evidence.h"
#include "core/test/test.h"

enum { LONGEST_US = 1000000 };

uint64_t sockets_now_us(void)
{
    struct timespec now;
    EXPECT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static enum err clock_read(void *ctx, struct clock_reading *now)
{
    (void)ctx;
    *now = (struct clock_reading){.monotonic_us = sockets_now_us()};
    return ERR_OK;
}

static enum err link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    struct sockets *sockets = ctx;
    return links_connect(&sockets->links, peer, sockets_now_us(), link);
}

static int32_t link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct sockets *sockets = ctx;
    return links_send(&sockets->links, link, bytes, size_bytes);
}

static void link_close(void *ctx, uint32_t link)
{
    struct sockets *sockets = ctx;
    links_close(&sockets->links, link, sockets_now_us());
}

static enum err entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    (void)ctx;
    return getrandom(bytes, size_bytes, 0) == (ssize_t)size_bytes ? ERR_OK : ERR_IO;
}

static void reset(void *ctx)
{
    struct sockets *sockets = ctx;
    sockets->reset = true;
}

static void say(void *ctx, const struct evidence *evidence)
{
    (void)ctx;
    fprintf(stderr, "evidence %d value %" PRIu64 "\n", (int)evidence->kind, evidence->value);
}

bool sockets_option(struct sockets_options *options, int option, const char *value)
{
    switch (option) {
    case 'a':
        options->tls.authority = value;
        return true;
    case 'c':
        options->tls.certificate = value;
        return true;
    case 'k':
        options->tls.key = value;
        return true;
    case 'r':
        options->tls.revoked = value;
        return true;
    default:
        return false;
    }
}

static struct links_address loopback(uint16_t port)
{
    char text[LINKS_ADDRESS_BYTES];
    struct links_address address;
    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)port);
    EXPECT(links_parse(text, &address));
    return address;
}

void sockets_add_peer(struct sockets *sockets, uint32_t peer, uint16_t port)
{
    const struct links_address address = loopback(port);
    EXPECT(links_add_peer(&sockets->links, peer, &address));
}

void sockets_open(struct sockets *sockets, const struct sockets_options *options)
{
    char error[512] = "";
    const struct links_address address = loopback(options->port);
    struct tls_files files = options->tls;
    const bool secured = files.authority != NULL;
    memset(sockets, 0, sizeof *sockets);
    EXPECT(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* TLS writes as to a file */
    if (secured) {
        EXPECT(files.certificate != NULL && files.key != NULL);
        files.revoked = files.revoked == NULL ? "" : files.revoked;
    }
    if ((secured && !tls_open(&sockets->tls, &files, error, sizeof error)) ||
        !links_open(&sockets->links, options->max, secured ? &sockets->tls : NULL,
                    options->server ? &address : NULL, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(2);
    }
    if (!options->server) {
        sockets_add_peer(sockets, SOCKETS_SERVER, options->port);
    }
    sockets->port = (struct port){.ctx = sockets,
                                  .clock_read = clock_read,
                                  .link_open = link_open,
                                  .link_send = link_send,
                                  .link_close = link_close,
                                  .disk_path = options->disk_path,
                                  .entropy = entropy,
                                  .reset = reset,
                                  .evidence = say};
}

uint16_t sockets_listen(struct sockets *sockets)
{
    EXPECT(links_listen(&sockets->links));
    return links_port(&sockets->links);
}

void sockets_close(struct sockets *sockets)
{
    links_flush(&sockets->links);
    links_free(&sockets->links);
    if (sockets->tls.context != NULL) {
        tls_free(&sockets->tls);
    }
}

void sockets_turn(struct sockets *sockets, uint64_t deadline_us, void *role, sockets_step *step)
{
    struct event event;
    const uint64_t now_us = sockets_now_us(), latest_us = now_us + LONGEST_US;
    links_wait(&sockets->links, -1, now_us, deadline_us < latest_us ? deadline_us : latest_us);
    while (!sockets->reset && links_next(&sockets->links, sockets_now_us(), &event)) {
        step(role, &sockets->port, &event);
        links_flush(&sockets->links);
    }
    if (sockets->links.counts.refused > sockets->refused) {
        sockets->refused = sockets->links.counts.refused;
        fprintf(stderr, "tls: %s\n", sockets->links.refusal);
    }
    if (!sockets->reset && deadline_us <= sockets_now_us()) {
        const struct event timeout = {.kind = EVENT_TIMEOUT};
        step(role, &sockets->port, &timeout);
        links_flush(&sockets->links);
    }
}
