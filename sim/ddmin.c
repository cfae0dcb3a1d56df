#include "sim/ddmin.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"

/* The parts are as equal as they can be: part p of n holds the things from left * p / n on. */
static uint32_t part_begin(const struct ddmin *ddmin, uint32_t part)
{
    return (uint32_t)((uint64_t)ddmin->left * part / ddmin->parts);
}

/* Of two parts each is what the other leaves out. */
static uint32_t candidate_count(const struct ddmin *ddmin)
{
    return ddmin->parts <= 2 ? ddmin->parts : ddmin->parts * 2;
}

void ddmin_candidate(const struct ddmin *ddmin, uint32_t index, bool *kept)
{
    memset(kept, 0, ddmin->total * sizeof *kept);
    if (ddmin->parts == 0) {
        return;
    }
    CHECK(index < candidate_count(ddmin));
    const uint32_t part = index % ddmin->parts;
    const bool inside = index < ddmin->parts;
    const uint32_t begin = part_begin(ddmin, part), end = part_begin(ddmin, part + 1);
    uint32_t place = 0;
    for (uint32_t i = 0; i < ddmin->total; i++) {
        if (ddmin->kept[i]) {
            kept[i] = (place >= begin && place < end) == inside;
            place++;
        }
    }
}

static void keep(struct ddmin *ddmin, uint32_t index, bool *next)
{
    ddmin_candidate(ddmin, index, next);
    memcpy(ddmin->kept, next, ddmin->total * sizeof *next);
    ddmin->left = 0;
    for (uint32_t i = 0; i < ddmin->total; i++) {
        ddmin->left += ddmin->kept[i] ? 1 : 0;
    }
}

static bool reduce(const struct ddmin_oracle *oracle, struct ddmin *ddmin, bool *next)
{
    int64_t found = oracle->first(oracle->ctx, ddmin, 1); /* nothing at all */
    if (found >= 0) {
        keep(ddmin, 0, next);
        return true;
    }
    ddmin->parts = 2;
    while (found != DDMIN_STOP && ddmin->left >= 2) {
        found = oracle->first(oracle->ctx, ddmin, candidate_count(ddmin));
        if (found >= 0) {
            const bool alone = found < ddmin->parts;
            const uint32_t parts = alone ? 2 : ddmin->parts - 1;
            keep(ddmin, (uint32_t)found, next);
            ddmin->parts = parts < 2 ? 2 : parts;
        } else if (ddmin->parts >= ddmin->left) {
            break;
        } else {
            ddmin->parts *= 2;
        }
        ddmin->parts = ddmin->parts < ddmin->left ? ddmin->parts : ddmin->left;
    }
    return found != DDMIN_STOP;
}

bool ddmin(const struct ddmin_oracle *oracle, bool *kept, uint32_t total)
{
    struct ddmin ddmin = {.total = total, .kept = kept};
    for (uint32_t i = 0; i < total; i++) {
        ddmin.left += kept[i] ? 1 : 0;
    }
    if (ddmin.left == 0) {
        return true;
    }
    bool *next = malloc(total * sizeof *next);
    CHECK(next != NULL);
    const bool whole = reduce(oracle, &ddmin, next);
    free(next);
    return whole;
}
