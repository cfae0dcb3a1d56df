#include "sim/queue.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"

enum { QUEUE_MAX = 1u << 26, QUEUE_FIRST = 1024, ARITY = 4 };

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
    free(queue->heap);
    memset(queue, 0, sizeof *queue);
}

static bool grow(struct queue *queue)
{
    if (queue->capacity >= QUEUE_MAX) {
        return false;
    }
    const uint32_t capacity = queue->capacity == 0 ? QUEUE_FIRST : queue->capacity * 2u;
    struct queue_event *heap = realloc(queue->heap, capacity * sizeof *heap);
    if (heap == NULL) {
        return false;
    }
    queue->heap = heap;
    queue->capacity = capacity;
    return true;
}

bool queue_push(struct queue *queue, uint64_t time_us, uint8_t kind, uint32_t a, uint32_t b)
{
    if (queue->count == queue->capacity && !grow(queue)) {
        return false;
    }
    const struct queue_event event = {time_us, queue->sequence++ << 8 | kind, a, b};
    uint32_t hole = queue->count++;
    while (hole > 0) {
        const uint32_t parent = (hole - 1) / ARITY;
        if (!before(&event, &queue->heap[parent])) {
            break;
        }
        queue->heap[hole] = queue->heap[parent];
        hole = parent;
    }
    queue->heap[hole] = event;
    return true;
}

const struct queue_event *queue_peek(const struct queue *queue)
{
    return queue->count == 0 ? NULL : &queue->heap[0];
}

/* The smallest of the children of `parent`, or `count` if it has none. */
static uint32_t least_child(const struct queue *queue, uint32_t parent, uint32_t count)
{
    const uint32_t first = parent * ARITY + 1;
    if (first >= count) {
        return count;
    }
    const uint32_t end = first + ARITY < count ? first + ARITY : count;
    uint32_t least = first;
    for (uint32_t child = first + 1; child < end; child++) {
        if (before(&queue->heap[child], &queue->heap[least])) {
            least = child;
        }
    }
    return least;
}

bool queue_pop(struct queue *queue, struct queue_event *out)
{
    if (queue->count == 0) {
        return false;
    }
    *out = queue->heap[0];
    const uint32_t count = --queue->count;
    const struct queue_event last = queue->heap[count];
    uint32_t hole = 0;
    for (;;) {
        const uint32_t child = least_child(queue, hole, count);
        if (child == count || !before(&queue->heap[child], &last)) {
            break;
        }
        queue->heap[hole] = queue->heap[child];
        hole = child;
    }
    queue->heap[hole] = last;
    return true;
}
