/* All that was seen of one run, for its diagram: items, deliveries and the nodes' own views, packed
 * while the run is lived. In chunks, each whole by itself: of a run that goes on for ever the last
 * ones are kept, and what was left out is counted.
 *
 * A chunk has two tables:
 *   items  kind and what (kind << 8 | what), event, time_us, node, a, b, result, counter, value: as
 *          struct world_item, and deliveries: kind REPORT_DELIVERY, what: enum event_kind, a: link,
 *          b: bytes
 *   views  item (ordinal in the run: the view holds behind the items before it), node, name (index
 *          in names; REPORT_VIEW_DOWN: the node is down, all its values are gone), value. A chunk
 *          begins with all that is so
 */
#ifndef BROWNOUT_SIM_REPORT_WATCH_H
#define BROWNOUT_SIM_REPORT_WATCH_H

#include "sim/report_column.h"
#include "sim/run.h"

enum {
    REPORT_DELIVERY = ITEM_TRUTH + 1,
    REPORT_CHUNK_ITEMS = 1 << 16,
    REPORT_CHUNKS_MAX = 64, /* 4 million items of a run */
    REPORT_VIEW_NAMES_MAX = 64,
    REPORT_VIEW_DOWN = REPORT_VIEW_NAMES_MAX,
    REPORT_TOUCHED_MAX = 32,
};

struct report_watch {
    struct report_table items, views; /* of the chunk that is being filled */
    struct cJSON *chunks;             /* array, oldest first; owned */
    uint64_t count;                   /* items of the run */
    uint64_t dropped;                 /* of them, those of chunks that were dropped: the first */
    uint32_t name_count;
    const char *names[REPORT_VIEW_NAMES_MAX]; /* static texts of the roles */
    uint32_t node_count;                      /* 0: nothing was stepped yet */
    struct report_view *known;                /* [node_count + 1]; owned */
    uint32_t touched_count;                   /* nodes of the event under way; beyond: all */
    uint32_t touched[REPORT_TOUCHED_MAX];
    uint64_t event, time_us; /* of the event under way */
};

void report_watch_init(struct report_watch *watch);
/* Look at a run that request will live; the watch must outlive it. */
void report_watch_request(struct report_watch *watch, struct run_request *request);
/* One item, for who has no run to look at. */
void report_watch_item(void *ctx, const struct world_item *item);
/* {"items", "dropped", "view_names", "chunks": [{"first", "items", "views"}...]} into object. */
void report_watch_json(struct report_watch *watch, struct cJSON *object);
void report_watch_free(struct report_watch *watch);

#endif
