/* How fast is a world in which nothing happens? The queue and the dispatch, with handlers that do
 * nothing but schedule their next event (the hold model), against the number of pending events. */
#include "bench/bench.h"
#include "core/check.h"
#include "sim/queue.h"
#include "sim/random.h"

enum {
    SIZES = 5,         /* 10^2 .. 10^6 pending events */
    DELAYS = 1u << 16, /* drawn in advance: not the draws are to be measured */
    CHUNK = 1u << 18,  /* events of a round */
    CHUNK_SMOKE = 1u << 10,
};

#define END_US UINT64_C(1000000000000000)

enum kind {
    KIND_NOW,
    KIND_SEGMENT,
    KIND_LINK,
    KIND_TIMER,
    KIND_KEEP_ALIVE,
    KIND_WATCHDOG,
    KINDS,
    KIND_END
};

/* How long after an event of a kind its successor comes; what a fleet on LTE-M does. */
static const struct {
    uint64_t low_us, high_us;
    uint32_t share; /* of all events, in percent */
} kinds[KINDS] = {
    [KIND_NOW] = {0, 0, 5},
    [KIND_SEGMENT] = {100, 3000, 15},
    [KIND_LINK] = {20000, 120000, 40},
    [KIND_TIMER] = {9000000, 11000000, 30},
    [KIND_KEEP_ALIVE] = {60000000, 60000000, 8},
    [KIND_WATCHDOG] = {300000000, 300000000, 2},
};

struct delay {
    uint64_t us;
    uint8_t kind;
};

struct bare_world {
    struct queue queue;
    uint64_t now_us;
    uint64_t counts[KINDS];
    uint32_t draw;
};

static struct delay delays[DELAYS];

static void draw_delays(void)
{
    struct random_stream stream = {random_key(1, "bench/queue"), 0};
    for (uint32_t i = 0; i < DELAYS; i++) {
        uint64_t left = random_below(&stream, 100);
        uint8_t kind = 0;
        while (left >= kinds[kind].share) {
            left -= kinds[kind++].share;
        }
        delays[i].kind = kind;
        delays[i].us = random_between(&stream, kinds[kind].low_us, kinds[kind].high_us);
    }
}

static void schedule(struct bare_world *world, uint32_t node)
{
    const struct delay *delay = &delays[world->draw++ % DELAYS];
    CHECK(queue_push(&world->queue, world->now_us + delay->us, delay->kind, node, 0));
}

/* One event, as world_step takes it. */
static void step(struct bare_world *world)
{
    struct queue_event event;
    CHECK(queue_pop(&world->queue, &event));
    CHECK(event.time_us >= world->now_us);
    world->now_us = event.time_us;
    switch ((enum kind)queue_kind(&event)) {
    case KIND_NOW:
    case KIND_SEGMENT:
    case KIND_LINK:
    case KIND_TIMER:
    case KIND_KEEP_ALIVE:
    case KIND_WATCHDOG:
        world->counts[queue_kind(&event)]++;
        schedule(world, event.a);
        break;
    case KINDS:
    case KIND_END:
        break;
    }
}

static void live(struct bare_world *world, uint32_t events, struct bench_sample *rates)
{
    const double start_s = bench_cpu_s();
    for (uint32_t i = 0; i < events; i++) {
        step(world);
    }
    bench_add(rates, events / (bench_cpu_s() - start_s) / 1e6);
}

int main(int argc, char **argv)
{
    const bool smoke = bench_smoke(argc, argv);
    const uint32_t chunk = smoke ? CHUNK_SMOKE : CHUNK, sizes = smoke ? 2 : SIZES;
    struct bare_world worlds[SIZES] = {0};
    struct bench_sample rates[SIZES] = {0};
    draw_delays();
    for (uint32_t size = 0, pending = 100; size < sizes; size++, pending *= 10) {
        queue_init(&worlds[size].queue);
        CHECK(queue_push(&worlds[size].queue, END_US, KIND_END, 0, 0));
        for (uint32_t i = 0; i < pending; i++) {
            schedule(&worlds[size], i);
        }
        struct bench_sample warm = {0};
        live(&worlds[size], smoke ? pending : 3 * pending, &warm);
    }
    for (uint32_t round = 0; round < (smoke ? 1 : BENCH_ROUNDS); round++) {
        for (uint32_t size = 0; size < sizes; size++) {
            live(&worlds[size], chunk, &rates[size]);
        }
    }
    bench_title(
        "bare world: queue and dispatch, events a second by pending events",
        "each event schedules one of 0 us to 5 min later; CPU time, median of rounds in turns");
    for (uint32_t size = 0, pending = 100; size < sizes; size++, pending *= 10) {
        char what[64];
        const double rate = bench_median(&rates[size]);
        snprintf(what, sizeof what, "%7u pending, %.2f of the rate at 100", pending,
                 rate / bench_median(&rates[0]));
        bench_print(what, rate, "M events/s");
        queue_free(&worlds[size].queue);
    }
    return 0;
}
