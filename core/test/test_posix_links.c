/* Goal: links behave as core/port.h says: each that is opened comes up or down, bytes come in
 * order, "later" is followed by WRITABLE, a closed one tells the other end after its last bytes,
 * and what is beyond the bound waits. Method: two ends in one process, over loopback. */
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "core/posix/links.h"
#include "core/test/test.h"

enum { PATIENCE_US = 5000000, BIG_BYTES = 8000000 };

static struct links server, client;
static char error[256];

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

/* The next event of one end; it has to come. */
static struct event next(struct links *links)
{
    struct event event;
    const uint64_t until_us = now_us() + PATIENCE_US;
    links_flush(&server);
    links_flush(&client);
    while (now_us() < until_us) {
        if (links_next(links, now_us(), &event)) {
            return event;
        }
        links_wait(links, -1, now_us(), now_us() + 10000);
    }
    fprintf(stderr, "no event came\n");
    exit(1);
}

static void begin(bool listens)
{
    struct links_address any, to;
    char text[LINKS_ADDRESS_BYTES];
    EXPECT(links_parse("127.0.0.1:0", &any));
    EXPECT(links_open(&server, 4, NULL, &any, error, sizeof error));
    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)links_port(&server));
    EXPECT(links_parse(text, &to));
    EXPECT(!listens || links_listen(&server));
    EXPECT(links_open(&client, 4, NULL, NULL, error, sizeof error));
    EXPECT(links_add_peer(&client, 2, &to));
}

static void end(void)
{
    links_free(&server);
    links_free(&client);
}

/* A link that is up at both ends. */
static void connect_both(uint32_t *ours, uint32_t *theirs)
{
    EXPECT_EQUAL(links_connect(&client, 2, now_us(), ours), ERR_OK);
    struct event event = next(&client);
    EXPECT_EQUAL(event.kind, EVENT_LINK_UP);
    EXPECT(!event.inbound);
    EXPECT_EQUAL(event.link, *ours);
    event = next(&server);
    EXPECT_EQUAL(event.kind, EVENT_LINK_UP);
    EXPECT(event.inbound);
    *theirs = event.link;
}

static void addresses_have_one_form(void)
{
    struct links_address address;
    EXPECT(links_parse("127.0.0.1:7001", &address));
    EXPECT(links_parse("[::1]:7001", &address));
    EXPECT(!links_parse("localhost:7001", &address));
    EXPECT(!links_parse("127.0.0.1", &address));
    EXPECT(!links_parse("127.0.0.1:", &address));
    EXPECT(!links_parse("127.0.0.1:65536", &address));
    EXPECT(!links_parse("127.0.0.1:7001x", &address));
    EXPECT(!links_parse("[::1]7001", &address));
    EXPECT(!links_parse("::1:7001", &address));
    EXPECT(!links_parse("", &address));
}

static void bytes_come_in_order_and_a_close_comes_behind_them(void)
{
    uint32_t ours, theirs, got = 0;
    begin(true);
    connect_both(&ours, &theirs);
    EXPECT_EQUAL(links_send(&client, ours, (const uint8_t *)"abc", 3), 3);
    EXPECT_EQUAL(links_send(&client, ours, (const uint8_t *)"def", 3), 3);
    /* Bytes that nobody has read must not turn the close into a reset. */
    EXPECT_EQUAL(links_send(&server, theirs, (const uint8_t *)"unread", 6), 6);
    links_close(&client, ours, now_us());
    EXPECT_EQUAL(links_send(&client, ours, (const uint8_t *)"x", 1), ERR_CLOSED);
    while (got < 6) {
        const struct event event = next(&server);
        EXPECT_EQUAL(event.kind, EVENT_LINK_DATA);
        EXPECT_EQUAL(event.link, theirs);
        EXPECT_EQUAL(memcmp(event.bytes, &"abcdef"[got], event.size_bytes), 0);
        got += event.size_bytes;
    }
    const struct event event = next(&server);
    EXPECT_EQUAL(event.kind, EVENT_LINK_DOWN);
    EXPECT_EQUAL(event.link, theirs);
    EXPECT_EQUAL(links_send(&server, theirs, (const uint8_t *)"x", 1), ERR_CLOSED);
    end();
}

static void who_does_not_listen_is_a_link_that_goes_down(void)
{
    uint32_t link, again;
    begin(false);
    EXPECT_EQUAL(links_connect(&client, 2, now_us(), &link), ERR_OK);
    const struct event event = next(&client);
    EXPECT_EQUAL(event.kind, EVENT_LINK_DOWN);
    EXPECT_EQUAL(event.link, link);
    EXPECT_EQUAL(links_connect(&client, 2, now_us(), &again), ERR_OK);
    EXPECT(again != link); /* a handle is never used twice */
    EXPECT_EQUAL(links_connect(&client, 9, now_us(), &link), ERR_FULL); /* no such peer */
    end();
}

static void later_then_writable(bool direct)
{
    static uint8_t big[BIG_BYTES];
    uint32_t ours, theirs, sent = 0, got = 0;
    begin(true);
    client.direct = direct;
    connect_both(&ours, &theirs);
    for (;;) {
        const int32_t done = links_send(&client, ours, big, BIG_BYTES - sent);
        EXPECT(done >= 0);
        sent += (uint32_t)done;
        links_flush(&client);
        if (done == 0) {
            break;
        }
        EXPECT(sent < BIG_BYTES); /* loopback does not hold so much */
    }
    bool writable = false;
    const uint64_t until_us = now_us() + PATIENCE_US;
    while ((got < sent || !writable) && now_us() < until_us) {
        struct event event;
        links_wait(&server, -1, now_us(), now_us() + 1000);
        while (links_next(&server, now_us(), &event)) {
            EXPECT_EQUAL(event.kind, EVENT_LINK_DATA);
            got += event.size_bytes;
        }
        links_wait(&client, -1, now_us(), now_us() + 1000);
        while (links_next(&client, now_us(), &event)) {
            EXPECT_EQUAL(event.kind, EVENT_LINK_WRITABLE);
            EXPECT_EQUAL(event.link, ours);
            EXPECT(!writable); /* once */
            writable = true;
        }
    }
    EXPECT_EQUAL(got, sent);
    EXPECT(writable);
    EXPECT(links_send(&client, ours, big, 1) == 1);
    end();
}

static void later_is_followed_by_writable(void)
{
    later_then_writable(false);
}

static void what_leaves_at_once_is_followed_by_writable_too(void)
{
    later_then_writable(true);
}

static void what_leaves_at_once_waits_for_no_flush(void)
{
    uint32_t ours, theirs;
    struct event event;
    begin(true);
    connect_both(&ours, &theirs);
    client.direct = true;
    EXPECT_EQUAL(links_send(&client, ours, (const uint8_t *)"now", 3), 3);
    links_wait(&server, -1, now_us(), now_us() + PATIENCE_US); /* and nobody flushes */
    EXPECT(links_next(&server, now_us(), &event));
    EXPECT_EQUAL(event.size_bytes, 3);
    links_close(&client, ours, now_us());
    EXPECT_EQUAL(next(&server).kind, EVENT_LINK_DOWN);
    end();
}

static void several_sets_are_waited_for_at_once(void)
{
    struct links *const both[] = {&client, &server};
    uint32_t ours, theirs;
    struct event event;
    begin(true);
    connect_both(&ours, &theirs);
    for (int turn = 0; turn < 2; turn++) {
        EXPECT_EQUAL(links_send(turn == 0 ? &client : &server, turn == 0 ? ours : theirs,
                                (const uint8_t *)"x", 1),
                     1);
        links_flush(&client);
        links_flush(&server);
        const uint64_t start_us = now_us();
        links_wait_all(both, 2, -1, start_us, start_us + PATIENCE_US);
        EXPECT(now_us() - start_us < PATIENCE_US);
        EXPECT(!links_next(both[turn], now_us(), &event));
        EXPECT(links_next(both[1 - turn], now_us(), &event));
        EXPECT_EQUAL(event.kind, EVENT_LINK_DATA);
    }
    end();
}

static void a_full_table_takes_no_more_and_goes_on(void)
{
    uint32_t links[64], count = 0, link;
    begin(true);
    while (links_connect(&client, 2, now_us(), &link) == ERR_OK) {
        EXPECT(count < 64);
        links[count++] = link;
        EXPECT_EQUAL(next(&client).kind, EVENT_LINK_UP); /* by the backlog */
    }
    EXPECT_EQUAL(count, 4 + LINKS_SPARE);
    for (uint32_t i = 0; i < count; i++) {
        EXPECT_EQUAL(next(&server).kind, EVENT_LINK_UP);
    }
    links_close(&client, links[0], now_us());
    EXPECT_EQUAL(next(&server).kind, EVENT_LINK_DOWN);
    EXPECT_EQUAL(links_connect(&client, 2, now_us(), &link), ERR_OK);
    EXPECT_EQUAL(next(&server).kind, EVENT_LINK_UP);
    EXPECT_EQUAL(links_count(&server), 4 + LINKS_SPARE);
    end();
}

static void an_address_has_no_more_links_than_it_may(void)
{
    uint32_t ours[4], theirs[4], link;
    begin(true);
    links_limit_source(&server, 2);
    connect_both(&ours[0], &theirs[0]);
    connect_both(&ours[1], &theirs[1]);
    EXPECT_EQUAL(links_connect(&client, 2, now_us(), &link), ERR_OK);
    EXPECT_EQUAL(next(&client).kind, EVENT_LINK_UP); /* by the backlog */
    struct event event;
    const uint64_t until_us = now_us() + PATIENCE_US;
    while (server.counts.away[LINKS_AWAY_ADDRESS] == 0 && now_us() < until_us) {
        links_wait(&server, -1, now_us(), now_us() + 10000);
        EXPECT(!links_next(&server, now_us(), &event));
    }
    EXPECT_EQUAL(server.counts.away[LINKS_AWAY_ADDRESS], 1);
    event = next(&client);
    EXPECT_EQUAL(event.kind, EVENT_LINK_DOWN);
    EXPECT_EQUAL(event.link, link);
    /* The other two go on, and a place that is given back is there again. */
    links_close(&client, ours[0], now_us());
    EXPECT_EQUAL(next(&server).kind, EVENT_LINK_DOWN);
    connect_both(&ours[2], &theirs[2]);
    EXPECT_EQUAL(links_send(&client, ours[1], (const uint8_t *)"x", 1), 1);
    event = next(&server);
    EXPECT_EQUAL(event.kind, EVENT_LINK_DATA);
    EXPECT_EQUAL(event.link, theirs[1]);
    EXPECT_EQUAL(server.counts.away[LINKS_AWAY_ADDRESS], 1);
    end();
}

/* Without a descriptor nothing is taken and nothing is lost: it goes on when there is one. */
static void without_a_descriptor_links_wait(void)
{
    enum { LIMIT = 100 }; /* poll takes no more than may be open */
    int files[LIMIT];
    struct rlimit old, less;
    struct event event;
    uint32_t ours, count = 0;
    begin(true);
    EXPECT_EQUAL(links_connect(&client, 2, now_us(), &ours), ERR_OK);
    EXPECT_EQUAL(next(&client).kind, EVENT_LINK_UP);
    EXPECT_EQUAL(getrlimit(RLIMIT_NOFILE, &old), 0);
    less = old;
    less.rlim_cur = LIMIT;
    EXPECT_EQUAL(setrlimit(RLIMIT_NOFILE, &less), 0);
    while ((files[count] = dup(STDERR_FILENO)) >= 0) {
        count++;
    }
    const uint64_t begin_us = now_us();
    uint32_t rounds = 0;
    while (now_us() < begin_us + 3 * (uint64_t)LINKS_ACCEPT_REST_US) {
        links_wait(&server, -1, now_us(), now_us() + LINKS_ACCEPT_REST_US);
        EXPECT(!links_next(&server, now_us(), &event));
        rounds++;
    }
    EXPECT(server.counts.away[LINKS_AWAY_SYSTEM] >= 1);
    EXPECT(rounds <= 10); /* it does not spin */
    while (count > 0) {
        EXPECT_EQUAL(close(files[--count]), 0);
    }
    EXPECT_EQUAL(setrlimit(RLIMIT_NOFILE, &old), 0);
    event = next(&server);
    EXPECT_EQUAL(event.kind, EVENT_LINK_UP);
    EXPECT_EQUAL(links_send(&server, event.link, (const uint8_t *)"y", 1), 1);
    event = next(&client);
    EXPECT_EQUAL(event.kind, EVENT_LINK_DATA);
    EXPECT_EQUAL(event.link, ours);
    end();
}

int main(void)
{
    RUN(addresses_have_one_form);
    RUN(bytes_come_in_order_and_a_close_comes_behind_them);
    RUN(who_does_not_listen_is_a_link_that_goes_down);
    RUN(later_is_followed_by_writable);
    RUN(what_leaves_at_once_is_followed_by_writable_too);
    RUN(what_leaves_at_once_waits_for_no_flush);
    RUN(several_sets_are_waited_for_at_once);
    RUN(a_full_table_takes_no_more_and_goes_on);
    RUN(an_address_has_no_more_links_than_it_may);
    RUN(without_a_descriptor_links_wait);
    return 0;
}
