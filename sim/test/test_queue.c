/* Goal: the queue gives one total order, (time, order of scheduling), whatever is pushed and popped
 * in between. Method: every operation is also done on a list that is searched from end to end, or
 * sorted by a plain insertion; times are drawn so that many are equal and all distances occur. */
#include "sim/queue.h"

#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/random.h"

enum { SMALL = 2000, OPERATIONS = 100000, MANY = 300000 };

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

/* What the queue should hold, in the order in which it should come. */
struct naive {
    uint32_t count;
    struct queue_event events[SMALL];
};

static struct queue queue;
static struct naive naive;
static struct random_stream draws;

static void begin(const char *name)
{
    queue_init(&queue);
    naive.count = 0;
    draws = (struct random_stream){random_key(1, name), 0};
}

/* Behind all that are not later: equal times stay in the order of scheduling. */
static void push(uint64_t time_us, uint32_t a)
{
    const uint8_t kind = (uint8_t)(a % 7);
    const struct queue_event event = {time_us, kind, a, ~a};
    EXPECT(naive.count < SMALL);
    uint32_t at = naive.count++;
    while (at > 0 && naive.events[at - 1].time_us > time_us) {
        naive.events[at] = naive.events[at - 1];
        at--;
    }
    naive.events[at] = event;
    EXPECT(queue_push(&queue, time_us, kind, a, ~a));
}

static uint64_t pop(void)
{
    struct queue_event event;
    EXPECT(naive.count > 0 && queue_peek(&queue) != NULL);
    const struct queue_event expected = naive.events[0];
    memmove(naive.events, naive.events + 1, --naive.count * sizeof naive.events[0]);
    EXPECT_EQUAL(queue_peek(&queue)->time_us, expected.time_us);
    EXPECT(queue_pop(&queue, &event));
    EXPECT_EQUAL(event.time_us, expected.time_us);
    EXPECT_EQUAL(event.a, expected.a);
    EXPECT_EQUAL(event.b, expected.b);
    EXPECT_EQUAL(queue_kind(&event), expected.order);
    EXPECT_EQUAL(queue.count, naive.count);
    return event.time_us;
}

static void end(void)
{
    struct queue_event event;
    while (naive.count > 0) {
        (void)pop();
    }
    EXPECT(queue_peek(&queue) == NULL);
    EXPECT(!queue_pop(&queue, &event));
    queue_free(&queue);
}

/* From nothing to years, each order of magnitude as often; a fifth of them is nothing. */
static uint64_t draw_delay(void)
{
    const uint32_t bits = (uint32_t)random_below(&draws, 48);
    return random_chance(&draws, 200000) ? 0 : random_below(&draws, UINT64_C(1) << bits);
}

static void an_empty_queue_has_nothing_to_give(void)
{
    begin("empty");
    end();
}

static void equal_times_come_in_the_order_of_scheduling(void)
{
    begin("equal");
    for (uint32_t i = 0; i < SMALL; i++) {
        push(1000 + random_below(&draws, 4), i);
    }
    end();
}

static void events_that_are_pushed_backwards_come_forwards(void)
{
    begin("backwards");
    for (uint32_t i = 0; i < SMALL; i++) {
        push((uint64_t)(SMALL - i) << (i % 5) * 8, i);
    }
    end();
}

static void the_ends_of_time_are_times_as_well(void)
{
    begin("ends");
    static const uint64_t times[] = {0, UINT64_MAX,     UINT64_C(1) << 63, (UINT64_C(1) << 63) - 1,
                                     1, UINT64_MAX - 1, UINT64_C(1) << 32, UINT64_MAX,
                                     0};
    for (uint32_t i = 0; i < SMALL; i++) {
        push(times[random_below(&draws, sizeof times / sizeof times[0])], i);
    }
    end();
}

static void random_operations_agree_with_a_sorted_list(void)
{
    uint64_t now_us = 0;
    begin("operations");
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        /* It fills and drains in turns. */
        const bool fills = i / 1500 % 2 == 0;
        const bool pushes = random_chance(&draws, fills ? 650000 : 350000);
        if (naive.count == 0 || (pushes && naive.count < SMALL)) {
            push(now_us + draw_delay(), i);
        } else {
            now_us = pop();
        }
    }
    end();
}

/* A world looks at its next event and then schedules an earlier one; also below the last that was
 * popped, because what is stale is taken away in advance. */
static void what_is_scheduled_before_the_next_event_comes_before_it(void)
{
    begin("earlier");
    for (uint32_t i = 0; i < SMALL / 2; i++) {
        push(UINT64_C(3600000000) + i, i);
    }
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        if (naive.count < SMALL && random_chance(&draws, 500000)) {
            push(random_below(&draws, queue_peek(&queue)->time_us + 1), i);
        } else if (naive.count > SMALL / 2) {
            (void)pop();
        }
    }
    end();
}

static void a_queue_that_was_drained_starts_anew(void)
{
    begin("anew");
    for (uint32_t round = 0; round < 100; round++) {
        const uint64_t from_us = random_below(&draws, UINT64_C(1) << 40);
        for (uint32_t i = 0; i < 100; i++) {
            push(from_us + draw_delay(), i);
        }
        while (naive.count > 0) {
            (void)pop();
        }
    }
    end();
}

/* Too many for a naive list: each must come once, and after the one before it. */
static void a_queue_grows_and_loses_nothing(void)
{
    static uint64_t times[MANY];
    struct queue_event event, last = {0};
    begin("many");
    EXPECT(queue_push(&queue, UINT64_C(1) << 50, 0, MANY, 0));
    for (uint32_t i = 0; i < MANY; i++) {
        times[i] = random_below(&draws, MANY / 4) * 1000;
        EXPECT(queue_push(&queue, times[i], 1, i, 0));
    }
    for (uint32_t i = 0; i < MANY; i++) {
        EXPECT(queue_pop(&queue, &event));
        EXPECT(event.a < MANY && event.time_us == times[event.a]);
        EXPECT(i == 0 || event.time_us > last.time_us ||
               (event.time_us == last.time_us && event.a > last.a));
        last = event;
    }
    EXPECT(queue_pop(&queue, &event) && event.a == MANY);
    end();
}

int main(void)
{
    RUN(an_empty_queue_has_nothing_to_give);
    RUN(equal_times_come_in_the_order_of_scheduling);
    RUN(events_that_are_pushed_backwards_come_forwards);
    RUN(the_ends_of_time_are_times_as_well);
    RUN(random_operations_agree_with_a_sorted_list);
    RUN(what_is_scheduled_before_the_next_event_comes_before_it);
    RUN(a_queue_that_was_drained_starts_anew);
    RUN(a_queue_grows_and_loses_nothing);
    return 0;
}
