/* The one total order: (time, sequence). Equal times go in the order of scheduling.
 * A 4-ary heap of 24-byte entries: no pointers, so a fork shares nothing and copies little. */
#ifndef BROWNOUT_SIM_QUEUE_H
#define BROWNOUT_SIM_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct queue_event {
    uint64_t time_us;
    uint64_t order; /* sequence << 8 | kind: unique, so no two events are equal */
    uint32_t a, b;  /* meaning by kind */
};

struct queue {
    struct queue_event *heap;
    uint32_t count, capacity;
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
