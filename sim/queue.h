/* The one total order: (time, sequence). Equal times go in the order of scheduling.
 *
 * The near future is a heap. What is further away lies unsorted in lists, each event in the list of
 * the highest bit in which its time differs from base_us: a later list holds later times. When the
 * heap runs out, the first list that is not empty is dealt out again around its own earliest event,
 * and the least of it becomes the heap. So an event moves a few times by plain copying, the heap
 * stays small, and among a million pending events one costs about twice what it costs among a
 * hundred (bench_queue).
 */
#ifndef BROWNOUT_SIM_QUEUE_H
#define BROWNOUT_SIM_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct queue_event {
    uint64_t time_us;
    uint64_t order; /* sequence << 8 | kind: unique, so no two events are equal */
    uint32_t a, b;  /* meaning by kind */
};

struct queue_list {
    struct queue_event *events;
    uint32_t count, capacity;
};

enum { QUEUE_LEVELS = 65 /* bits in which two times may differ, and none */ };

struct queue {
    struct queue_list near;              /* a 4-ary heap; empty only if all is */
    struct queue_list far[QUEUE_LEVELS]; /* far[0] is for dealing out; so is `all` */
    struct queue_list all;
    uint64_t base_us;
    uint32_t near_level; /* what differs from base_us up to this bit is near, and all before it */
    uint32_t near_max;   /* the heap may grow so far before all is dealt out anew */
    uint32_t count;      /* of all events */
    uint64_t sequence;
};

void queue_init(struct queue *queue);
void queue_free(struct queue *queue);
/* Schedule; time_us may not lie before the last event taken. Returns false beyond QUEUE_MAX events:
 * the run is then unknown, never silently shorter. */
bool queue_push(struct queue *queue, uint64_t time_us, uint8_t kind, uint32_t a, uint32_t b);
/* NULL when empty. */
const struct queue_event *queue_peek(const struct queue *queue);
bool queue_pop(struct queue *queue, struct queue_event *out);

static inline uint8_t queue_kind(const struct queue_event *event)
{
    return (uint8_t)(event->order & 0xFFu);
}

#endif
