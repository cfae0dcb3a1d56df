/* Segments under way, in a first-in first-out line, and the pool that they come from.
 * A link that carries nothing holds no memory here. */
#ifndef BROWNOUT_SIM_SEGMENT_H
#define BROWNOUT_SIM_SEGMENT_H

#include <stdint.h>

enum segment_kind {
    SEGMENT_OPEN,   /* the opener asks */
    SEGMENT_ACCEPT, /* the peer says yes */
    SEGMENT_DATA,
    SEGMENT_CLOSE, /* no more bytes follow */
    SEGMENT_RESET,
};

struct segment {
    struct segment *next;
    uint64_t depart_us; /* when it was sent for the last time; UINT64_MAX: it got lost every time */
    uint64_t arrive_us; /* never before its forerunner; UINT64_MAX with depart_us */
    enum segment_kind kind;
    uint32_t size_bytes;
    uint8_t bytes[];
};

struct segment_line {
    struct segment *first, *last;
};

enum { SEGMENT_CLASS_COUNT = 5 };

struct segment_pool {
    struct segment *unused[SEGMENT_CLASS_COUNT]; /* by capacity */
};

void segment_pool_free(struct segment_pool *pool);

/* Append a segment with a copy of the bytes; the times are the caller's to set. */
struct segment *segment_push(struct segment_pool *pool, struct segment_line *line,
                             enum segment_kind kind, const uint8_t *bytes, uint32_t size_bytes);
/* Drop the first one. */
void segment_pop(struct segment_pool *pool, struct segment_line *line);
/* Move the first one of source to the end of target. */
void segment_move(struct segment_line *source, struct segment_line *target);

#endif
