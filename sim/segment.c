#include "sim/segment.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/profile.h"

/* Most segments are nothing but a sign, a short control packet, or one envelope. */
static const uint32_t capacities[SEGMENT_CLASS_COUNT] = {0, 64, 256, 640, PROFILE_SEGMENT_BYTES};

static struct segment *take_first(struct segment_line *line);
static void put_last(struct segment_line *line, struct segment *segment);

static unsigned class_of(uint32_t size_bytes)
{
    unsigned class = 0;
    while (capacities[class] < size_bytes) {
        class ++;
    }
    return class;
}

void segment_pool_free(struct segment_pool *pool)
{
    for (unsigned i = 0; i < SEGMENT_CLASS_COUNT; i++) {
        while (pool->unused[i] != NULL) {
            struct segment *segment = pool->unused[i];
            pool->unused[i] = segment->next;
            free(segment);
        }
    }
}

struct segment *segment_push(struct segment_pool *pool, struct segment_line *line,
                             enum segment_kind kind, const uint8_t *bytes, uint32_t size_bytes)
{
    CHECK(size_bytes <= PROFILE_SEGMENT_BYTES);
    const unsigned class = class_of(size_bytes);
    struct segment *segment = pool->unused[class];
    if (segment != NULL) {
        pool->unused[class] = segment->next;
    } else {
        segment = malloc(sizeof *segment + capacities[class]);
        CHECK(segment != NULL);
    }
    *segment = (struct segment){.kind = kind, .size_bytes = size_bytes};
    if (size_bytes > 0) {
        memcpy(segment->bytes, bytes, size_bytes);
    }
    put_last(line, segment);
    return segment;
}

void segment_pop(struct segment_pool *pool, struct segment_line *line)
{
    struct segment *segment = take_first(line);
    const unsigned class = class_of(segment->size_bytes);
    segment->next = pool->unused[class];
    pool->unused[class] = segment;
}

void segment_move(struct segment_line *source, struct segment_line *target)
{
    put_last(target, take_first(source));
}

static struct segment *take_first(struct segment_line *line)
{
    struct segment *segment = line->first;
    CHECK(segment != NULL);
    line->first = segment->next;
    if (line->first == NULL) {
        line->last = NULL;
    }
    return segment;
}

static void put_last(struct segment_line *line, struct segment *segment)
{
    segment->next = NULL;
    if (line->last != NULL) {
        line->last->next = segment;
    } else {
        line->first = segment;
    }
    line->last = segment;
}
