/* Goal: streams keep their order, times are as promised, and each way a connection can end is told
 * to whom a host would tell it, at the exact virtual time. Method: a small world of three nodes
 * over the net and the queue; every delivery is logged. With the profile `plain` nothing is drawn:
 * a segment takes exactly HOP_US. */
#include "sim/net.h"

#include <stdbool.h>
#include <string.h>

#include "core/check.h"
#include "core/err.h"
#include "core/test/test.h"
#include "sim/queue.h"
#include "sim/random.h"

#define SECOND_US UINT64_C(1000000)
#define HOP_US    UINT64_C(10001) /* 10 ms of delay, and one microsecond to leave */
#define ALL       NET_ALL_PEERS

enum { A = 1, B, C, NODES = 3, LOG_MAX = 4096, STREAM_BYTES_MAX = 1 << 20 };

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK %s\n", file, line, what);
    exit(1);
}

struct entry {
    uint64_t time_us;
    uint32_t node, link, size_bytes;
    enum event_kind kind;
    bool inbound;
};

struct stage {
    struct net *net;
    struct queue queue;
    struct profile profile;
    uint64_t now_us;
    bool quiet;        /* no log */
    uint32_t busy_ppm; /* chance that a node is busy when an event comes for it */
    struct random_stream busy;
    uint32_t count, read;
    struct entry log[LOG_MAX];
    uint32_t received_bytes[NODES + 1];
    uint8_t *received[NODES + 1];
};

static const struct profile plain = {
    .name = "plain",
    .delay_min_us = 10000,
    .delay_typical_us = 10000,
    .delay_max_us = 10000,
    .up_bps = 1000000000000,
    .down_bps = 1000000000000,
    .retransmit_us = 1000000,
    .queue_bytes = 4096,
};

static const struct profile rough = {
    .name = "rough",
    .delay_min_us = 5000,
    .delay_typical_us = 40000,
    .delay_max_us = 900000,
    .up_bps = 500000,
    .down_bps = 2000000,
    .loss_ppm = 30000,
    .retransmit_us = 300000,
    .queue_bytes = 16384,
    .cut_ppm = 200000,
};

static void on_schedule(void *ctx, uint64_t time_us, uint32_t link, uint32_t what)
{
    struct stage *stage = ctx;
    EXPECT(time_us >= stage->now_us);
    EXPECT(queue_push(&stage->queue, time_us, 0, link, what));
}

static const struct profile *on_profile(void *ctx, uint32_t from, uint32_t to)
{
    (void)from;
    (void)to;
    return &((struct stage *)ctx)->profile;
}

static struct stage *stage_create(const struct profile *profile, uint64_t seed)
{
    struct stage *stage = calloc(1, sizeof *stage);
    EXPECT(stage != NULL);
    stage->profile = *profile;
    stage->busy = (struct random_stream){.key = seed};
    queue_init(&stage->queue);
    const struct net_hooks hooks = {.ctx = stage, .schedule = on_schedule};
    stage->net = net_create(seed, NODES, &hooks, on_profile, stage);
    for (uint32_t node = 1; node <= NODES; node++) {
        stage->received[node] = malloc(STREAM_BYTES_MAX);
        EXPECT(stage->received[node] != NULL);
        net_node_up(stage->net, 0, node);
    }
    return stage;
}

static void stage_free(struct stage *stage)
{
    net_free(stage->net);
    queue_free(&stage->queue);
    for (uint32_t node = 1; node <= NODES; node++) {
        free(stage->received[node]);
    }
    free(stage);
}

static void take(struct stage *stage, const struct net_delivery *delivery)
{
    const struct event *event = &delivery->event;
    if (stage->quiet) {
        return;
    }
    EXPECT(stage->count < LOG_MAX);
    stage->log[stage->count++] = (struct entry){
        .time_us = stage->now_us,
        .node = delivery->node,
        .link = event->link,
        .size_bytes = event->size_bytes,
        .kind = event->kind,
        .inbound = event->inbound,
    };
    if (event->kind == EVENT_LINK_DATA) {
        uint32_t *at = &stage->received_bytes[delivery->node];
        EXPECT(event->size_bytes >= 1 && event->size_bytes <= NET_DELIVERY_BYTES_MAX);
        EXPECT(*at + event->size_bytes <= STREAM_BYTES_MAX);
        memcpy(stage->received[delivery->node] + *at, event->bytes, event->size_bytes);
        *at += event->size_bytes;
    }
}

/* Let time pass up to and with until_us. A busy node's event is put off by 1..100 ms. */
static void run(struct stage *stage, uint64_t until_us)
{
    const struct queue_event *front;
    struct queue_event event;
    while ((front = queue_peek(&stage->queue)) != NULL && front->time_us <= until_us) {
        EXPECT(queue_pop(&stage->queue, &event));
        stage->now_us = event.time_us;
        const uint32_t node = net_event_node(stage->net, event.a, event.b);
        if (node != 0 && random_chance(&stage->busy, stage->busy_ppm)) {
            const uint64_t later_us = random_between(&stage->busy, 1000, 100000);
            EXPECT(queue_push(&stage->queue, event.time_us + later_us, 0, event.a, event.b));
            continue;
        }
        struct net_delivery delivery;
        if (net_event(stage->net, stage->now_us, event.a, event.b, &delivery)) {
            EXPECT_EQUAL(delivery.node, node);
            take(stage, &delivery);
        }
    }
    stage->now_us = until_us;
}

/* The next event is for a node that is busy until then. */
static void put_off(struct stage *stage, uint64_t until_us)
{
    struct queue_event event;
    do {
        EXPECT(queue_pop(&stage->queue, &event));
    } while (net_event_node(stage->net, event.a, event.b) == 0); /* stale ones */
    EXPECT(queue_push(&stage->queue, until_us, 0, event.a, event.b));
}

static void expect_next(struct stage *stage, uint64_t time_us, uint32_t node, enum event_kind kind)
{
    EXPECT(stage->read < stage->count);
    const struct entry *entry = &stage->log[stage->read++];
    EXPECT_EQUAL(entry->time_us, time_us);
    EXPECT_EQUAL(entry->node, node);
    EXPECT_EQUAL(entry->kind, kind);
}

static void expect_silence(const struct stage *stage)
{
    EXPECT_EQUAL(stage->count, stage->read);
}

static uint32_t open_link(struct stage *stage, uint32_t from, uint32_t to)
{
    uint32_t link;
    EXPECT_EQUAL(net_open(stage->net, stage->now_us, from, to, &link), ERR_OK);
    return link;
}

/* An open link from A to B with an empty log; the time is then a whole second. */
static uint32_t open_and_wait(struct stage *stage)
{
    const uint32_t link = open_link(stage, A, B);
    run(stage, (stage->now_us / SECOND_US + 10) * SECOND_US);
    stage->count = 0;
    stage->read = 0;
    return link;
}

static int32_t send_bytes(struct stage *stage, uint32_t node, uint32_t link, uint32_t size_bytes)
{
    static const uint8_t bytes[STREAM_BYTES_MAX];
    return net_send(stage->net, stage->now_us, node, link, bytes, size_bytes);
}

/* ---- opening --------------------------------------------------------------------------------- */

static void a_link_is_up_at_the_peer_after_one_delay_and_at_the_opener_after_two(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_link(stage, A, B);
    EXPECT_EQUAL(send_bytes(stage, A, link, 10), 0); /* not yet up: later */
    run(stage, SECOND_US);
    expect_next(stage, HOP_US, B, EVENT_LINK_UP);
    EXPECT(stage->log[0].inbound && stage->log[0].link == link);
    expect_next(stage, 2 * HOP_US, A, EVENT_LINK_UP);
    EXPECT(!stage->log[1].inbound && stage->log[1].link == link);
    expect_next(stage, 2 * HOP_US, A, EVENT_LINK_WRITABLE);
    expect_silence(stage);
    stage_free(stage);
}

static void nobody_opens_to_itself_or_to_a_node_that_is_none(void)
{
    struct stage *stage = stage_create(&plain, 1);
    uint32_t link;
    EXPECT_EQUAL(net_open(stage->net, 0, A, A, &link), ERR_NOT_FOUND);
    EXPECT_EQUAL(net_open(stage->net, 0, A, 0, &link), ERR_NOT_FOUND);
    EXPECT_EQUAL(net_open(stage->net, 0, A, NODES + 1, &link), ERR_NOT_FOUND);
    EXPECT_EQUAL(net_link_count(stage->net), 0);
    stage_free(stage);
}

static void opening_to_a_silent_node_times_out_after_twenty_seconds(void)
{
    struct stage *stage = stage_create(&plain, 1);
    net_node_down(stage->net, 0, B);
    open_link(stage, A, B);
    net_begin(stage->net, 0, 7, NET_BLOCK_IN, C, ALL, 0);
    open_link(stage, A, C);
    run(stage, 100 * SECOND_US);
    expect_next(stage, NET_OPEN_TIMEOUT_US, A, EVENT_LINK_DOWN);
    expect_next(stage, NET_OPEN_TIMEOUT_US, A, EVENT_LINK_DOWN);
    expect_silence(stage);
    EXPECT_EQUAL(net_link_count(stage->net), 0);
    EXPECT_EQUAL(net_counts(stage->net)->timeouts, 2);
    stage_free(stage);
}

static void an_opening_waits_for_a_node_that_boots_in_time(void)
{
    struct stage *stage = stage_create(&plain, 1);
    open_link(stage, A, B);
    run(stage, 5000);
    net_node_down(stage->net, stage->now_us, B); /* before it could hear of it */
    run(stage, 15 * SECOND_US);
    net_node_up(stage->net, stage->now_us, B);
    run(stage, 100 * SECOND_US);
    expect_next(stage, 15 * SECOND_US + 10000, B, EVENT_LINK_UP);
    expect_next(stage, 15 * SECOND_US + 10000 + HOP_US, A, EVENT_LINK_UP);
    expect_silence(stage);
    stage_free(stage);
}

static void a_node_without_room_refuses_after_a_round_trip(void)
{
    struct stage *stage = stage_create(&plain, 1);
    for (uint32_t i = 0; i < NET_LINKS_PER_NODE_MAX; i++) {
        open_link(stage, A, B);
    }
    uint32_t link;
    EXPECT_EQUAL(net_open(stage->net, 0, A, C, &link), ERR_FULL);
    stage->quiet = true;
    run(stage, SECOND_US);
    stage->quiet = false;
    link = open_link(stage, C, B);
    const uint64_t start_us = stage->now_us;
    run(stage, start_us + SECOND_US);
    expect_next(stage, start_us + 2 * HOP_US, C, EVENT_LINK_DOWN);
    EXPECT_EQUAL(stage->log[0].link, link);
    expect_silence(stage);
    EXPECT_EQUAL(net_counts(stage->net)->refusals, 1);
    net_node_down(stage->net, stage->now_us, A);
    net_node_down(stage->net, stage->now_us, B);
    EXPECT_EQUAL(net_link_count(stage->net), 0);
    stage_free(stage);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Both ends of a link send at random until each has sent `total`. */
static void exchange(struct stage *stage, uint32_t link, uint32_t total, uint64_t seed)
{
    struct random_stream draws = {.key = seed};
    uint8_t *bytes[2] = {malloc(total), malloc(total)};
    uint32_t sent[2] = {0, 0};
    EXPECT(bytes[0] != NULL && bytes[1] != NULL);
    random_bytes(&draws, bytes[0], total);
    random_bytes(&draws, bytes[1], total);
    while (stage->received_bytes[B] < total || stage->received_bytes[A] < total) {
        for (unsigned side = 0; side < 2; side++) {
            const uint32_t left = total - sent[side];
            const uint32_t wish = (uint32_t)random_between(&draws, 1, 5000);
            const uint32_t part = wish < left ? wish : left;
            if (part > 0) {
                const int32_t taken = net_send(stage->net, stage->now_us, side == 0 ? A : B, link,
                                               bytes[side] + sent[side], part);
                EXPECT(taken >= 0 && (uint32_t)taken <= part);
                sent[side] += (uint32_t)taken;
            }
        }
        run(stage, stage->now_us + random_between(&draws, 1, 300000));
        EXPECT(stage->now_us < 10000 * SECOND_US);
    }
    EXPECT_EQUAL(stage->received_bytes[B], total);
    EXPECT_EQUAL(stage->received_bytes[A], total);
    EXPECT(memcmp(stage->received[B], bytes[0], total) == 0);
    EXPECT(memcmp(stage->received[A], bytes[1], total) == 0);
    free(bytes[0]);
    free(bytes[1]);
}

static void bytes_arrive_once_and_in_order_however_they_are_cut_and_delayed(void)
{
    uint64_t cuts = 0, losses = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct stage *stage = stage_create(&rough, seed);
        stage->busy_ppm = seed % 2 == 0 ? 0 : 300000;
        exchange(stage, open_and_wait(stage), 50000, seed);
        cuts += net_counts(stage->net)->chunk_cuts;
        losses += net_counts(stage->net)->retransmits;
        EXPECT_EQUAL(net_counts(stage->net)->bytes, 100000);
        stage_free(stage);
    }
    EXPECT(cuts > 100 && losses > 20); /* both were met */
}

static void bytes_stay_in_order_through_conditions_that_come_and_go(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct stage *stage = stage_create(&rough, seed);
        stage->busy_ppm = 100000;
        const uint32_t link = open_and_wait(stage);
        struct random_stream draws = {.key = ~seed};
        uint8_t bytes[20000], *at = bytes;
        random_bytes(&draws, bytes, sizeof bytes);
        while (at < bytes + sizeof bytes) {
            const enum net_condition what = (enum net_condition)random_below(&draws, NET_SLOW + 1);
            net_begin(stage->net, stage->now_us, 1, what, A, B, 1 + random_below(&draws, 900000));
            const uint32_t left = (uint32_t)(bytes + sizeof bytes - at);
            const int32_t taken =
                net_send(stage->net, stage->now_us, A, link, at, left < 2000 ? left : 2000);
            EXPECT(taken >= 0);
            at += taken;
            run(stage, stage->now_us + random_between(&draws, 1, 5000000));
            net_end(stage->net, stage->now_us, 1);
            run(stage, stage->now_us + random_between(&draws, 1, 200000));
        }
        run(stage, stage->now_us + 100 * SECOND_US);
        EXPECT_EQUAL(stage->received_bytes[B], sizeof bytes);
        EXPECT(memcmp(stage->received[B], bytes, sizeof bytes) == 0);
        stage_free(stage);
    }
}

static void delays_lie_between_the_bounds_and_around_the_typical_one(void)
{
    struct profile profile = rough;
    profile.loss_ppm = 0;
    profile.cut_ppm = 0;
    profile.up_bps = 1000000000000;
    struct stage *stage = stage_create(&profile, 3);
    const uint32_t link = open_and_wait(stage);
    uint64_t sum_us = 0, longest_us = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        const uint64_t start_us = stage->now_us;
        EXPECT_EQUAL(send_bytes(stage, A, link, 100), 100);
        run(stage, start_us + SECOND_US);
        EXPECT_EQUAL(stage->count, i + 1);
        const uint64_t delay_us = stage->log[i].time_us - start_us - 1;
        EXPECT(delay_us >= profile.delay_min_us && delay_us <= profile.delay_max_us);
        sum_us += delay_us;
        longest_us = delay_us > longest_us ? delay_us : longest_us;
    }
    EXPECT(sum_us / 2000 > 36000 && sum_us / 2000 < 48000);
    EXPECT(longest_us > 400000);
    stage_free(stage);
}

static void bandwidth_spaces_segments_and_a_loss_costs_a_time_out(void)
{
    struct profile profile = plain;
    profile.up_bps = 1440 * 8; /* a full segment and its header a second */
    struct stage *stage = stage_create(&profile, 1);
    uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    EXPECT_EQUAL(send_bytes(stage, A, link, 2800), 2800);
    run(stage, start_us + 10 * SECOND_US);
    expect_next(stage, start_us + SECOND_US + 10000, B, EVENT_LINK_DATA);
    expect_next(stage, start_us + 2 * SECOND_US + 10000, B, EVENT_LINK_DATA);
    expect_silence(stage);
    stage_free(stage);

    profile = plain;
    stage = stage_create(&profile, 1);
    link = open_and_wait(stage);
    stage->profile.loss_ppm = 300000;
    for (uint32_t i = 0; i < 50; i++) {
        const uint64_t lost = net_counts(stage->net)->retransmits, sent_us = stage->now_us;
        EXPECT_EQUAL(send_bytes(stage, A, link, 1), 1);
        const uint64_t losses = net_counts(stage->net)->retransmits - lost;
        EXPECT(losses < 6); /* of this seed */
        run(stage, sent_us + 60 * SECOND_US);
        expect_next(stage, sent_us + HOP_US + ((1u << losses) - 1) * SECOND_US, B, EVENT_LINK_DATA);
    }
    EXPECT(net_counts(stage->net)->retransmits > 10);
    stage_free(stage);
}

static void a_stream_that_loses_everything_times_out_after_a_minute(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    stage->profile.loss_ppm = 1000000;
    EXPECT_EQUAL(send_bytes(stage, A, link, 100), 100);
    net_begin(stage->net, start_us, 1, NET_STALL, A, ALL, 0);
    net_end(stage->net, start_us, 1); /* brings nothing back */
    stage->profile.loss_ppm = 0;
    EXPECT_EQUAL(send_bytes(stage, A, link, 100), 100); /* waits for what is lost before it */
    run(stage, start_us + 200 * SECOND_US);
    expect_next(stage, start_us + NET_TIMEOUT_US, A, EVENT_LINK_DOWN);
    expect_silence(stage);
    EXPECT_EQUAL(send_bytes(stage, A, link, 100), ERR_CLOSED);
    stage_free(stage);
}

static void what_arrived_while_the_receiver_was_busy_comes_together(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    for (uint32_t i = 0; i < 5; i++) {
        EXPECT_EQUAL(send_bytes(stage, A, link, 400), 400);
    }
    put_off(stage, start_us + SECOND_US);
    run(stage, start_us + 2 * SECOND_US);
    expect_next(stage, start_us + SECOND_US, B, EVENT_LINK_DATA);
    EXPECT_EQUAL(stage->log[0].size_bytes, 1200);
    expect_next(stage, start_us + SECOND_US, B, EVENT_LINK_DATA);
    EXPECT_EQUAL(stage->log[1].size_bytes, 800);
    expect_silence(stage);
    stage_free(stage);
}

static void a_full_queue_says_later_and_writable_once_half_of_it_is_free(void)
{
    struct profile profile = plain;
    profile.up_bps = 1064 * 8;
    struct stage *stage = stage_create(&profile, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    for (uint32_t i = 0; i < 4; i++) { /* a second each, header included */
        EXPECT_EQUAL(send_bytes(stage, A, link, i < 3 ? 1024 : 2000), 1024);
    }
    EXPECT_EQUAL(send_bytes(stage, A, link, 1), 0);
    run(stage, start_us + 10 * SECOND_US);
    expect_next(stage, start_us + SECOND_US + 10000, B, EVENT_LINK_DATA);
    expect_next(stage, start_us + 2 * SECOND_US + 10000, B, EVENT_LINK_DATA);
    expect_next(stage, start_us + 2 * SECOND_US + 20000, A, EVENT_LINK_WRITABLE);
    expect_next(stage, start_us + 3 * SECOND_US + 10000, B, EVENT_LINK_DATA);
    expect_next(stage, start_us + 4 * SECOND_US + 10000, B, EVENT_LINK_DATA);
    expect_silence(stage);
    stage_free(stage);
}

static void room_is_told_of_only_when_acknowledgements_can_come_back(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    net_begin(stage->net, start_us, 1, NET_BLOCK_IN, A, ALL, 0);
    EXPECT_EQUAL(send_bytes(stage, A, link, 5000), 4096);
    run(stage, start_us + SECOND_US);
    EXPECT_EQUAL(stage->received_bytes[B], 4096);
    stage->read = stage->count;
    EXPECT_EQUAL(stage->log[stage->count - 1].kind, EVENT_LINK_DATA);
    net_end(stage->net, stage->now_us, 1);
    run(stage, start_us + 100 * SECOND_US);
    expect_next(stage, start_us + SECOND_US + 10000, A, EVENT_LINK_WRITABLE);
    expect_silence(stage);
    stage_free(stage);
}

/* ---- endings --------------------------------------------------------------------------------- */

static void closing_lets_the_bytes_under_way_arrive_first(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    EXPECT_EQUAL(send_bytes(stage, A, link, 3000), 3000);
    net_close(stage->net, start_us, A, link);
    EXPECT_EQUAL(send_bytes(stage, A, link, 1), ERR_CLOSED);
    net_close(stage->net, start_us, A, link); /* a dead handle: nothing */
    run(stage, start_us + SECOND_US);
    EXPECT_EQUAL(stage->received_bytes[B], 3000);
    EXPECT_EQUAL(stage->log[stage->count - 1].kind, EVENT_LINK_DOWN);
    EXPECT_EQUAL(stage->log[stage->count - 1].node, B);
    EXPECT_EQUAL(net_link_count(stage->net), 0);
    EXPECT_EQUAL(net_counts(stage->net)->resets, 0);
    stage_free(stage);
}

static void bytes_to_a_closed_end_are_answered_by_a_reset(void)
{
    struct profile profile = plain;
    profile.up_bps = 1440 * 8;
    struct stage *stage = stage_create(&profile, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    EXPECT_EQUAL(send_bytes(stage, A, link, 2800), 2800); /* leaves within two seconds */
    EXPECT_EQUAL(send_bytes(stage, B, link, 10), 10);     /* is there in 10 ms */
    net_close(stage->net, start_us, A, link);
    run(stage, start_us + 10 * SECOND_US);
    EXPECT_EQUAL(stage->received_bytes[B], 0); /* nothing had left */
    EXPECT_EQUAL(stage->count, 1);
    EXPECT_EQUAL(stage->log[0].kind, EVENT_LINK_DOWN);
    EXPECT_EQUAL(stage->log[0].node, B);
    EXPECT_EQUAL(net_counts(stage->net)->resets, 1);
    EXPECT_EQUAL(net_link_count(stage->net), 0);
    stage_free(stage);
}

static void a_reset_is_told_to_both_ends_at_once_and_loses_what_is_under_way(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    EXPECT_EQUAL(send_bytes(stage, A, link, 1000), 1000);
    net_reset(stage->net, start_us, B, C); /* not this pair */
    net_reset(stage->net, start_us, B, A);
    EXPECT_EQUAL(send_bytes(stage, A, link, 1), ERR_CLOSED);
    run(stage, start_us + SECOND_US);
    expect_next(stage, start_us, A, EVENT_LINK_DOWN);
    expect_next(stage, start_us, B, EVENT_LINK_DOWN);
    expect_silence(stage);
    EXPECT_EQUAL(net_link_count(stage->net), 0);
    stage_free(stage);
}

static void of_a_half_open_link_one_end_is_told_and_the_other_learns_when_it_sends(void)
{
    uint32_t told_count[NODES + 1] = {0};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct stage *stage = stage_create(&plain, seed);
        const uint32_t link = open_and_wait(stage);
        const uint64_t start_us = stage->now_us;
        net_half_open(stage->net, start_us, A, ALL);
        run(stage, start_us + 1000 * SECOND_US);
        EXPECT_EQUAL(stage->count, 1);
        const uint32_t told = stage->log[0].node;
        expect_next(stage, start_us, told, EVENT_LINK_DOWN);
        told_count[told]++;
        const uint64_t sent_us = stage->now_us;
        EXPECT_EQUAL(send_bytes(stage, told, link, 10), ERR_CLOSED);
        EXPECT_EQUAL(send_bytes(stage, A + B - told, link, 10), 10);
        run(stage, sent_us + SECOND_US);
        expect_next(stage, sent_us + 2 * HOP_US, A + B - told, EVENT_LINK_DOWN);
        expect_silence(stage);
        EXPECT_EQUAL(net_link_count(stage->net), 0);
        stage_free(stage);
    }
    EXPECT(told_count[A] > 0 && told_count[B] > 0);
}

static void closing_an_end_that_is_gone_tells_the_peer_nothing(void)
{
    uint32_t gone_count = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct stage *stage = stage_create(&plain, seed);
        const uint32_t link = open_and_wait(stage);
        net_half_open(stage->net, stage->now_us, A, B);
        const bool gone = send_bytes(stage, A, link, 1) == ERR_CLOSED; /* or it is B's end */
        net_close(stage->net, stage->now_us, A, link);
        run(stage, stage->now_us + 100 * SECOND_US);
        EXPECT_EQUAL(stage->count, gone ? 0 : 1);
        EXPECT_EQUAL(net_link_count(stage->net), gone ? 1 : 0);
        gone_count += gone;
        stage_free(stage);
    }
    EXPECT(gone_count > 0 && gone_count < 20);
}

static void nothing_is_delivered_behind_the_end_of_a_link(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    EXPECT_EQUAL(send_bytes(stage, A, link, 10), 10);
    EXPECT_EQUAL(send_bytes(stage, B, link, 10), 10);
    net_half_open(stage->net, start_us, A, B);
    put_off(stage, start_us + SECOND_US); /* the bytes are there before the role is told */
    run(stage, start_us + 100 * SECOND_US);
    for (uint32_t i = 0; i < stage->count; i++) {
        const struct entry *entry = &stage->log[i];
        EXPECT(entry->kind == EVENT_LINK_DOWN || entry->time_us < start_us + SECOND_US);
    }
    EXPECT_EQUAL(stage->log[stage->count - 1].kind, EVENT_LINK_DOWN);
    EXPECT_EQUAL(net_link_count(stage->net), 0);
    stage_free(stage);
}

static void a_node_that_hung_and_restarted_answers_at_once(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    EXPECT_EQUAL(send_bytes(stage, A, link, 10), 10);
    put_off(stage, start_us + 500 * SECOND_US);
    run(stage, start_us + SECOND_US);
    net_node_down(stage->net, stage->now_us, B);
    net_node_up(stage->net, stage->now_us, B);
    run(stage, start_us + 10 * SECOND_US);
    expect_silence(stage); /* what had arrived was acknowledged, and is gone */
    EXPECT_EQUAL(send_bytes(stage, A, link, 10), 10);
    run(stage, start_us + 20 * SECOND_US);
    expect_next(stage, start_us + 10 * SECOND_US + 2 * HOP_US, A, EVENT_LINK_DOWN);
    expect_silence(stage);
    stage_free(stage);
}

static void a_node_that_loses_power_says_nothing(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    net_node_down(stage->net, stage->now_us, B);
    run(stage, 1000 * SECOND_US);
    expect_silence(stage); /* an idle peer never knows */

    EXPECT_EQUAL(send_bytes(stage, A, link, 10), 10);
    run(stage, 2000 * SECOND_US);
    expect_next(stage, 1000 * SECOND_US + NET_TIMEOUT_US, A, EVENT_LINK_DOWN);
    expect_silence(stage);
    EXPECT_EQUAL(net_link_count(stage->net), 0);
    stage_free(stage);
}

static void a_node_that_is_back_answers_with_a_reset(void)
{
    struct stage *stage = stage_create(&plain, 1);
    uint32_t link = open_and_wait(stage);
    net_node_down(stage->net, stage->now_us, B);
    net_node_up(stage->net, stage->now_us + 1, B);
    uint64_t sent_us = stage->now_us + SECOND_US;
    run(stage, sent_us);
    EXPECT_EQUAL(send_bytes(stage, A, link, 10), 10);
    run(stage, sent_us + SECOND_US);
    expect_next(stage, sent_us + 2 * HOP_US, A, EVENT_LINK_DOWN);
    expect_silence(stage);

    /* What was sent while it was off is sent again until it answers. */
    link = open_and_wait(stage);
    net_node_down(stage->net, stage->now_us, B);
    EXPECT_EQUAL(send_bytes(stage, A, link, 10), 10);
    sent_us = stage->now_us + 50 * SECOND_US;
    run(stage, sent_us);
    net_node_up(stage->net, sent_us, B);
    run(stage, sent_us + 100 * SECOND_US);
    expect_next(stage, sent_us + 10000 + HOP_US, A, EVENT_LINK_DOWN);
    expect_silence(stage);
    EXPECT_EQUAL(net_link_count(stage->net), 0);
    EXPECT_EQUAL(net_counts(stage->net)->resets, 2);
    stage_free(stage);
}

static void what_left_before_the_power_went_still_arrives(void)
{
    struct profile profile = plain;
    profile.up_bps = 1040 * 8;
    struct stage *stage = stage_create(&profile, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_EQUAL(send_bytes(stage, A, link, 1000), 1000); /* one a second */
    }
    run(stage, start_us + 2 * SECOND_US); /* two have left, one has arrived */
    net_node_down(stage->net, stage->now_us, A);
    run(stage, start_us + 1000 * SECOND_US);
    expect_next(stage, start_us + SECOND_US + 10000, B, EVENT_LINK_DATA);
    expect_next(stage, start_us + 2 * SECOND_US + 10000, B, EVENT_LINK_DATA);
    expect_silence(stage);
    stage_free(stage);
}

static void what_a_dead_node_sent_into_a_block_is_lost(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    EXPECT_EQUAL(send_bytes(stage, A, link, 10), 10);
    run(stage, start_us + 5000);
    net_node_down(stage->net, stage->now_us, A);
    net_begin(stage->net, stage->now_us, 1, NET_BLOCK_OUT, A, ALL, 0);
    run(stage, start_us + SECOND_US);
    net_end(stage->net, stage->now_us, 1); /* nobody is there to send it again */
    run(stage, start_us + 100 * SECOND_US);
    expect_silence(stage);
    stage_free(stage);
}

static void a_reset_that_meets_a_block_comes_behind_it(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    net_node_down(stage->net, start_us, B);
    net_node_up(stage->net, start_us, B);
    EXPECT_EQUAL(send_bytes(stage, A, link, 10), 10);
    run(stage, start_us + HOP_US + 1); /* the answer is under way */
    net_begin(stage->net, stage->now_us, 1, NET_BLOCK_BOTH, A, ALL, 0);
    run(stage, start_us + 30 * SECOND_US);
    expect_silence(stage);
    net_end(stage->net, stage->now_us, 1);
    run(stage, start_us + 100 * SECOND_US);
    expect_next(stage, start_us + 30 * SECOND_US + 10000, A, EVENT_LINK_DOWN);
    expect_silence(stage);
    stage_free(stage);
}

/* ---- conditions ------------------------------------------------------------------------------ */

static void in_a_partition_the_sender_times_out_and_the_other_end_stays_half_open(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    net_begin(stage->net, start_us, 1, NET_BLOCK_BOTH, A, B, 0);
    run(stage, start_us + 5 * SECOND_US);
    EXPECT_EQUAL(send_bytes(stage, A, link, 100), 100);
    run(stage, start_us + 35 * SECOND_US);
    EXPECT_EQUAL(send_bytes(stage, A, link, 100), 100); /* the first bytes count */
    run(stage, start_us + 100 * SECOND_US);
    expect_next(stage, start_us + 5 * SECOND_US + NET_TIMEOUT_US, A, EVENT_LINK_DOWN);
    expect_silence(stage);
    net_end(stage->net, stage->now_us, 1);
    run(stage, start_us + 1000 * SECOND_US);
    expect_silence(stage);
    EXPECT_EQUAL(stage->received_bytes[B], 0);

    EXPECT_EQUAL(send_bytes(stage, B, link, 100), 100);
    run(stage, start_us + 2000 * SECOND_US);
    expect_next(stage, start_us + 1000 * SECOND_US + 2 * HOP_US, B, EVENT_LINK_DOWN);
    expect_silence(stage);
    EXPECT_EQUAL(net_link_count(stage->net), 0);
    stage_free(stage);
}

static void a_stack_that_gave_up_sends_nothing_more_though_its_role_is_busy(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    net_begin(stage->net, start_us, 1, NET_BLOCK_BOTH, A, B, 0);
    EXPECT_EQUAL(send_bytes(stage, A, link, 100), 100);
    put_off(stage, start_us + 70 * SECOND_US);
    run(stage, start_us + 65 * SECOND_US);
    net_end(stage->net, stage->now_us, 1);
    run(stage, start_us + 100 * SECOND_US);
    expect_next(stage, start_us + 70 * SECOND_US, A, EVENT_LINK_DOWN);
    expect_silence(stage);
    stage_free(stage);
}

static void a_short_block_does_not_hasten_what_would_come_later_anyway(void)
{
    struct profile profile = plain;
    profile.up_bps = 1440 * 8;
    struct stage *stage = stage_create(&profile, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    EXPECT_EQUAL(send_bytes(stage, A, link, 4096), 4096);
    net_begin(stage->net, start_us, 1, NET_BLOCK_BOTH, A, B, 0);
    run(stage, start_us + 1500000);
    net_end(stage->net, stage->now_us, 1);
    run(stage, start_us + 100 * SECOND_US);
    expect_next(stage, start_us + 1510000, B, EVENT_LINK_DATA);
    expect_next(stage, start_us + 2010000, B, EVENT_LINK_DATA);
    expect_next(stage, start_us + 2010000 + (1296 + 40) * SECOND_US / 1440 + 1, B, EVENT_LINK_DATA);
    expect_silence(stage);
    stage_free(stage);
}

static void bytes_under_way_when_a_partition_begins_count_from_then(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    EXPECT_EQUAL(send_bytes(stage, A, link, 100), 100);
    run(stage, start_us + 5000);
    net_begin(stage->net, stage->now_us, 1, NET_BLOCK_BOTH, B, ALL, 0);
    run(stage, start_us + 100 * SECOND_US);
    expect_next(stage, start_us + 5000 + NET_TIMEOUT_US, A, EVENT_LINK_DOWN);
    expect_silence(stage);
    stage_free(stage);
}

static void a_partition_that_ends_in_time_costs_a_delay_only(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    net_begin(stage->net, start_us, 1, NET_BLOCK_BOTH, A, B, 0);
    net_begin(stage->net, start_us, 2, NET_BLOCK_BOTH, A, ALL, 0);
    EXPECT_EQUAL(send_bytes(stage, A, link, 100), 100);
    EXPECT_EQUAL(send_bytes(stage, B, link, 100), 100);
    run(stage, start_us + 30 * SECOND_US);
    net_end(stage->net, stage->now_us, 1);
    run(stage, start_us + 59 * SECOND_US);
    expect_silence(stage); /* the second one still holds */
    net_heal(stage->net, stage->now_us);
    net_end(stage->net, stage->now_us, 2); /* ended already: nothing */
    run(stage, start_us + 1000 * SECOND_US);
    expect_next(stage, start_us + 59 * SECOND_US + 10000, A, EVENT_LINK_DATA);
    expect_next(stage, start_us + 59 * SECOND_US + 10000, B, EVENT_LINK_DATA);
    expect_silence(stage);
    stage_free(stage);
}

/* One way is open: the bytes pass, their acknowledgements do not. */
static void half_a_partition_lets_bytes_pass_one_way_and_times_both_senders_out(void)
{
    for (unsigned way = 0; way < 2; way++) {
        struct stage *stage = stage_create(&plain, 1);
        const uint32_t link = open_and_wait(stage);
        const uint64_t start_us = stage->now_us;
        const enum net_condition what = way == 0 ? NET_BLOCK_OUT : NET_BLOCK_IN;
        const uint32_t heard = way == 0 ? A : B, deaf = way == 0 ? B : A;
        net_begin(stage->net, start_us, 1, what, A, ALL, 0);
        EXPECT_EQUAL(send_bytes(stage, deaf, link, 100), 100);
        run(stage, start_us + SECOND_US);
        expect_next(stage, start_us + HOP_US, heard, EVENT_LINK_DATA);
        EXPECT_EQUAL(send_bytes(stage, heard, link, 100), 100);
        run(stage, start_us + 200 * SECOND_US);
        expect_next(stage, start_us + NET_TIMEOUT_US, deaf, EVENT_LINK_DOWN);
        expect_next(stage, start_us + SECOND_US + NET_TIMEOUT_US, heard, EVENT_LINK_DOWN);
        expect_silence(stage);
        EXPECT_EQUAL(net_link_count(stage->net), 0);
        stage_free(stage);
    }
}

static void a_stall_never_times_out(void)
{
    struct stage *stage = stage_create(&plain, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    net_begin(stage->net, start_us, 1, NET_STALL, B, ALL, 0);
    EXPECT_EQUAL(send_bytes(stage, A, link, 4096), 4096);
    EXPECT_EQUAL(send_bytes(stage, A, link, 1), 0);
    run(stage, start_us + 3600 * SECOND_US);
    expect_silence(stage);
    net_end(stage->net, stage->now_us, 1);
    run(stage, start_us + 3601 * SECOND_US);
    EXPECT_EQUAL(stage->received_bytes[B], 4096);
    EXPECT_EQUAL(stage->log[0].time_us, start_us + 3600 * SECOND_US + 10000);
    EXPECT_EQUAL(stage->log[stage->count - 1].kind, EVENT_LINK_WRITABLE);
    stage_free(stage);
}

static void delay_and_slowness_hold_for_the_pair_that_they_name(void)
{
    struct profile profile = plain;
    profile.up_bps = 1440 * 8;
    struct stage *stage = stage_create(&profile, 1);
    const uint32_t link = open_and_wait(stage);
    const uint64_t start_us = stage->now_us;
    net_begin(stage->net, start_us, 1, NET_DELAY, B, A, SECOND_US);
    net_begin(stage->net, start_us, 2, NET_SLOW, A, ALL, 250000);
    net_begin(stage->net, start_us, 3, NET_DELAY, C, ALL, SECOND_US);
    EXPECT_EQUAL(send_bytes(stage, A, link, 1400), 1400);
    run(stage, start_us + 100 * SECOND_US);
    expect_next(stage, start_us + 4 * SECOND_US + 10000 + SECOND_US, B, EVENT_LINK_DATA);
    stage_free(stage);
}

/* ---- determinism ----------------------------------------------------------------------------- */

static void two_nets_of_one_seed_deliver_alike(void)
{
    struct stage *stages[3];
    for (unsigned i = 0; i < 3; i++) {
        stages[i] = stage_create(&rough, i < 2 ? 9 : 10);
        exchange(stages[i], open_and_wait(stages[i]), 20000, 5);
    }
    EXPECT_EQUAL(stages[0]->count, stages[1]->count);
    EXPECT(memcmp(stages[0]->log, stages[1]->log, stages[0]->count * sizeof(struct entry)) == 0);
    EXPECT(memcmp(stages[0]->log, stages[2]->log, stages[0]->count * sizeof(struct entry)) != 0);
    for (unsigned i = 0; i < 3; i++) {
        stage_free(stages[i]);
    }
}

static void links_between_other_nodes_move_no_draw(void)
{
    uint64_t times[2][100];
    for (unsigned i = 0; i < 2; i++) {
        struct stage *stage = stage_create(&rough, 9);
        if (i == 1) {
            open_link(stage, C, B);
            open_link(stage, B, A);
        }
        const uint32_t link = open_link(stage, A, B);
        uint32_t count = 0;
        run(stage, 10 * SECOND_US);
        while (count < 100) {
            const uint32_t before = stage->count;
            EXPECT_EQUAL(send_bytes(stage, A, link, 1), 1);
            run(stage, stage->now_us + 50 * SECOND_US);
            EXPECT_EQUAL(stage->count, before + 1);
            times[i][count++] = stage->log[before].time_us;
        }
        stage_free(stage);
    }
    EXPECT(memcmp(times[0], times[1], sizeof times[0]) == 0);
}

static void dead_links_leave_nothing_and_handles_are_never_used_twice(void)
{
    struct stage *stage = stage_create(&rough, 4);
    uint32_t newest = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        const uint32_t link = open_link(stage, i % 2 == 0 ? A : C, B);
        EXPECT(link > newest);
        newest = link;
        run(stage, stage->now_us + (i % 7) * 30000);
        send_bytes(stage, i % 2 == 0 ? A : C, link, 500);
        run(stage, stage->now_us + (i % 5) * 30000);
        net_close(stage->net, stage->now_us, i % 3 == 0 ? B : i % 2 == 0 ? A : C, link);
        net_close(stage->net, stage->now_us, i % 2 == 0 ? A : C, link);
        if (i % 100 == 99) {
            net_node_down(stage->net, stage->now_us, 1 + i / 100 % NODES);
            net_node_up(stage->net, stage->now_us, 1 + i / 100 % NODES);
        }
        stage->count = 0;
    }
    run(stage, stage->now_us + 1000 * SECOND_US);
    for (uint32_t node = 1; node <= NODES; node++) {
        net_node_down(stage->net, stage->now_us, node); /* ends that never learned */
    }
    EXPECT_EQUAL(net_link_count(stage->net), 0);
    EXPECT_EQUAL(net_send(stage->net, stage->now_us, A, newest, (const uint8_t *)"x", 1),
                 ERR_CLOSED);
    stage_free(stage);
}

int main(void)
{
    RUN(a_link_is_up_at_the_peer_after_one_delay_and_at_the_opener_after_two);
    RUN(nobody_opens_to_itself_or_to_a_node_that_is_none);
    RUN(opening_to_a_silent_node_times_out_after_twenty_seconds);
    RUN(an_opening_waits_for_a_node_that_boots_in_time);
    RUN(a_node_without_room_refuses_after_a_round_trip);
    RUN(bytes_arrive_once_and_in_order_however_they_are_cut_and_delayed);
    RUN(bytes_stay_in_order_through_conditions_that_come_and_go);
    RUN(delays_lie_between_the_bounds_and_around_the_typical_one);
    RUN(bandwidth_spaces_segments_and_a_loss_costs_a_time_out);
    RUN(a_stream_that_loses_everything_times_out_after_a_minute);
    RUN(what_arrived_while_the_receiver_was_busy_comes_together);
    RUN(a_full_queue_says_later_and_writable_once_half_of_it_is_free);
    RUN(room_is_told_of_only_when_acknowledgements_can_come_back);
    RUN(closing_lets_the_bytes_under_way_arrive_first);
    RUN(bytes_to_a_closed_end_are_answered_by_a_reset);
    RUN(a_reset_is_told_to_both_ends_at_once_and_loses_what_is_under_way);
    RUN(of_a_half_open_link_one_end_is_told_and_the_other_learns_when_it_sends);
    RUN(closing_an_end_that_is_gone_tells_the_peer_nothing);
    RUN(nothing_is_delivered_behind_the_end_of_a_link);
    RUN(a_node_that_hung_and_restarted_answers_at_once);
    RUN(a_node_that_loses_power_says_nothing);
    RUN(a_node_that_is_back_answers_with_a_reset);
    RUN(what_left_before_the_power_went_still_arrives);
    RUN(what_a_dead_node_sent_into_a_block_is_lost);
    RUN(a_reset_that_meets_a_block_comes_behind_it);
    RUN(in_a_partition_the_sender_times_out_and_the_other_end_stays_half_open);
    RUN(a_stack_that_gave_up_sends_nothing_more_though_its_role_is_busy);
    RUN(bytes_under_way_when_a_partition_begins_count_from_then);
    RUN(a_partition_that_ends_in_time_costs_a_delay_only);
    RUN(a_short_block_does_not_hasten_what_would_come_later_anyway);
    RUN(half_a_partition_lets_bytes_pass_one_way_and_times_both_senders_out);
    RUN(a_stall_never_times_out);
    RUN(delay_and_slowness_hold_for_the_pair_that_they_name);
    RUN(two_nets_of_one_seed_deliver_alike);
    RUN(links_between_other_nodes_move_no_draw);
    RUN(dead_links_leave_nothing_and_handles_are_never_used_twice);
    return 0;
}
