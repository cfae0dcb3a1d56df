#include "sim/queue.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"

enum { QUEUE_MAX = 1u << 26, LIST_FIRST = 64, ARITY = 4, NEAR_WANTED = 16, NEAR_MAX = 64 };

static bool before(const struct queue_event *left, const struct queue_event *right)
{
    return left->time_us != right->time_us ? left->time_us < right->time_us
                                           : left->order < right->order;
}

void queue_init(struct queue *queue)
{
    memset(queue, 0, sizeof *queue);
}

void queue_free(struct queue *queue)
{
    free(queue->near.events);
    for (uint32_t level = 0; level < QUEUE_LEVELS; level++) {
        free(queue->far[level].events);
    }
    free(queue->all.events);
    memset(queue, 0, sizeof *queue);
}

static uint32_t most(uint32_t left, uint32_t right)
{
    return left > right ? left : right;
}

static void grow(struct queue_list *list)
{
    list->capacity = list->capacity == 0 ? LIST_FIRST : list->capacity * 2u;
    list->events = realloc(list->events, list->capacity * sizeof *list->events);
    CHECK(list->events != NULL);
}

/* Room for one event more, at the end. */
static struct queue_event *extend(struct queue_list *list)
{
    if (list->count == list->capacity) {
        grow(list);
    }
    return &list->events[list->count++];
}

static void append(struct queue_list *list, struct queue_list *source)
{
    for (uint32_t i = 0; i < source->count; i++) {
        *extend(list) = source->events[i];
    }
    source->count = 0;
}

/* ---- near: a heap ---------------------------------------------------------------------------- */

/* Put the event where it belongs on the way from the hole to the root. */
static void rise(struct queue_event *heap, uint32_t hole, const struct queue_event *event)
{
    while (hole > 0) {
        const uint32_t parent = (hole - 1) / ARITY;
        if (!before(event, &heap[parent])) {
            break;
        }
        heap[hole] = heap[parent];
        hole = parent;
    }
    heap[hole] = *event;
}

/* Take the root away; the last event sinks from there to where it belongs. */
static void sink(struct queue_event *heap, uint32_t count)
{
    const struct queue_event last = heap[count];
    uint32_t hole = 0, first = 1;
    while (first < count) {
        const uint32_t end = first + ARITY < count ? first + ARITY : count;
        uint32_t least = first;
        for (uint32_t child = first + 1; child < end; child++) {
            least = before(&heap[child], &heap[least]) ? child : least;
        }
        if (!before(&heap[least], &last)) {
            break;
        }
        heap[hole] = heap[least];
        hole = least;
        first = hole * ARITY + 1;
    }
    heap[hole] = last;
}

/* ---- far: lists by the highest bit that differs ---------------------------------------------- */

/* 0: it is the base; else the number of the highest bit that differs from it, counted from 1.
 * A search by halves in plain arithmetic: its outcome cannot be foreseen either. */
static uint32_t level_of(const struct queue *queue, uint64_t time_us)
{
    static const uint8_t lengths[16] = {0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4};
    uint64_t rest = time_us ^ queue->base_us;
    const uint32_t half = (uint32_t)(rest >> 32 != 0) << 5;
    rest >>= half;
    const uint32_t quarter = (uint32_t)(rest >> 16 != 0) << 4;
    rest >>= quarter;
    const uint32_t eighth = (uint32_t)(rest >> 8 != 0) << 3;
    rest >>= eighth;
    const uint32_t last = (uint32_t)(rest >> 4 != 0) << 2;
    return half + quarter + eighth + last + lengths[rest >> last];
}

static bool is_near(const struct queue *queue, uint64_t time_us)
{
    return (time_us ^ queue->base_us) >> queue->near_level == 0 || time_us < queue->base_us;
}

static void put_near(struct queue *queue, const struct queue_event *event)
{
    (void)extend(&queue->near);
    rise(queue->near.events, queue->near.count - 1, event);
}

static void move_near(struct queue *queue, struct queue_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        put_near(queue, &list->events[i]);
    }
    list->count = 0;
}

/* Deal out a list around its earliest event, from which all of it differs in lower bits only: the
 * lists that it goes to are empty. The lowest of them become the heap; that of the earliest event
 * always does, more while they are few. */
static void deal(struct queue *queue, struct queue_list *list)
{
    queue->base_us = list->events[0].time_us;
    for (uint32_t i = 1; i < list->count; i++) {
        if (list->events[i].time_us < queue->base_us) {
            queue->base_us = list->events[i].time_us;
        }
    }
    for (uint32_t i = 0; i < list->count; i++) {
        *extend(&queue->far[level_of(queue, list->events[i].time_us)]) = list->events[i];
    }
    list->count = 0;
    queue->near_level = 0;
    move_near(queue, &queue->far[0]);
    for (uint32_t next = 1; next < QUEUE_LEVELS - 1; next++) {
        if (queue->near.count + queue->far[next].count > NEAR_WANTED) {
            break;
        }
        move_near(queue, &queue->far[next]);
        queue->near_level = next;
    }
    queue->near_max = most(most(NEAR_MAX, 2 * queue->near.count), queue->count / 8);
}

/* The heap ran out: the first list that is not empty holds what comes next. */
static void refill(struct queue *queue)
{
    uint32_t level = queue->near_level + 1;
    while (queue->far[level].count == 0) {
        level++;
    }
    deal(queue, &queue->far[level]);
}

/* The heap outgrew the rest: what came was nearer than what was there. Begin anew with all of it.
 */
static void gather(struct queue *queue)
{
    for (uint32_t level = 0; level < QUEUE_LEVELS; level++) {
        append(&queue->all, &queue->far[level]);
    }
    append(&queue->all, &queue->near);
    deal(queue, &queue->all);
}

/* ---- all of it ------------------------------------------------------------------------------- */

bool queue_push(struct queue *queue, uint64_t time_us, uint8_t kind, uint32_t a, uint32_t b)
{
    if (queue->count >= QUEUE_MAX) {
        return false;
    }
    const struct queue_event event = {time_us, queue->sequence++ << 8 | kind, a, b};
    if (queue->count++ == 0) {
        queue->base_us = time_us;
        queue->near_level = 0;
        queue->near_max = NEAR_MAX;
    }
    if (is_near(queue, time_us)) {
        put_near(queue, &event);
    } else {
        *extend(&queue->far[level_of(queue, time_us)]) = event;
    }
    if (queue->near.count > queue->near_max) {
        gather(queue);
    }
    return true;
}

const struct queue_event *queue_peek(const struct queue *queue)
{
    return queue->count == 0 ? NULL : &queue->near.events[0];
}

bool queue_pop(struct queue *queue, struct queue_event *out)
{
    if (queue->count == 0) {
        return false;
    }
    *out = queue->near.events[0];
    queue->count--;
    sink(queue->near.events, --queue->near.count);
    if (queue->near.count == 0 && queue->count > 0) {
        refill(queue);
    }
    return true;
}
