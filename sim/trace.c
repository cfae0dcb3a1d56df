#include "sim/trace.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"

bool trace_open(struct trace *trace, bool all)
{
    memset(trace, 0, sizeof *trace);
    if (all) {
        trace->file = tmpfile();
        return trace->file != NULL;
    }
    trace->ring = calloc(TRACE_KEPT, sizeof *trace->ring);
    CHECK(trace->ring != NULL);
    return true;
}

void trace_close(struct trace *trace)
{
    if (trace->file != NULL) {
        fclose(trace->file);
    }
    free(trace->ring);
    memset(trace, 0, sizeof *trace);
}

void trace_item(void *ctx, const struct world_item *item)
{
    struct trace *trace = ctx;
    if (trace->file == NULL) {
        trace->ring[trace->count % TRACE_KEPT] = *item;
    } else if (fwrite(item, sizeof *item, 1, trace->file) != 1) {
        trace->failed = true;
    }
    trace->count++;
}

uint64_t trace_kept(const struct trace *trace)
{
    if (trace->file != NULL || trace->count <= TRACE_KEPT) {
        return trace->count;
    }
    return TRACE_KEPT;
}

bool trace_each(struct trace *trace, void (*each)(void *ctx, const struct world_item *item),
                void *ctx)
{
    const uint64_t kept = trace_kept(trace);
    if (trace->file != NULL && (fflush(trace->file) != 0 || fseek(trace->file, 0, SEEK_SET) != 0)) {
        return false;
    }
    for (uint64_t i = trace->count - kept; i < trace->count; i++) {
        struct world_item item;
        if (trace->file == NULL) {
            item = trace->ring[i % TRACE_KEPT];
        } else if (fread(&item, sizeof item, 1, trace->file) != 1) {
            return false;
        }
        each(ctx, &item);
    }
    return !trace->failed;
}

bool trace_is_story(const struct world_item *item)
{
    return item->kind == ITEM_EVIDENCE || item->kind == ITEM_EFFECT ||
           (item->kind == ITEM_TRUTH && (item->what != TRUTH_IMAGE_END || item->value != 0));
}
