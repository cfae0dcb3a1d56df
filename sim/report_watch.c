#include "sim/report_watch.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/print.h"

/* What is known of a node's own view: what the page was told last. */
struct report_view {
    bool up;
    uint64_t set; /* bit `name` */
    uint64_t values[REPORT_VIEW_NAMES_MAX];
};

enum item_column { KIND, EVENT, TIME, NODE, A, B, RESULT, COUNTER, VALUE };
enum view_column { VIEW_ITEM, VIEW_NODE, VIEW_NAME, VIEW_VALUE };

void report_watch_init(struct report_watch *watch)
{
    static const struct {
        const char *name;
        bool difference;
    } items[] = {{"kind", false},   {"event", true},    {"time_us", true},
                 {"node", false},   {"a", false},       {"b", false},
                 {"result", false}, {"counter", false}, {"value", false}},
      views[] = {{"item", true}, {"node", false}, {"name", false}, {"value", false}};
    memset(watch, 0, sizeof *watch);
    for (unsigned i = 0; i < sizeof items / sizeof items[0]; i++) {
        report_table_column(&watch->items, items[i].name, items[i].difference);
    }
    for (unsigned i = 0; i < sizeof views / sizeof views[0]; i++) {
        report_table_column(&watch->views, views[i].name, views[i].difference);
    }
    watch->chunks = cJSON_CreateArray();
    CHECK(watch->chunks != NULL);
}

void report_watch_free(struct report_watch *watch)
{
    report_table_free(&watch->items);
    report_table_free(&watch->views);
    cJSON_Delete(watch->chunks);
    free(watch->known);
    memset(watch, 0, sizeof *watch);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static void tell_view(struct report_watch *watch, uint32_t node, uint32_t name, uint64_t value)
{
    report_table_add(&watch->views, VIEW_ITEM, (int64_t)watch->count);
    report_table_add(&watch->views, VIEW_NODE, node);
    report_table_add(&watch->views, VIEW_NAME, name);
    report_table_add(&watch->views, VIEW_VALUE, (int64_t)value);
}

static void close_chunk(struct report_watch *watch)
{
    cJSON *chunk = cJSON_CreateObject();
    CHECK(chunk != NULL);
    json_number(chunk, "first", watch->count - watch->items.rows);
    CHECK(cJSON_AddItemToObject(chunk, "items", report_table_json(&watch->items)) &&
          cJSON_AddItemToObject(chunk, "views", report_table_json(&watch->views)) &&
          cJSON_AddItemToArray(watch->chunks, chunk));
    if (cJSON_GetArraySize(watch->chunks) > REPORT_CHUNKS_MAX) {
        cJSON_DeleteItemFromArray(watch->chunks, 0);
        watch->dropped += REPORT_CHUNK_ITEMS;
    }
    report_table_clear(&watch->items);
    report_table_clear(&watch->views);
}

/* The next chunk knows by itself what was so before it. */
static void open_chunk(struct report_watch *watch)
{
    for (uint32_t node = 1; node <= watch->node_count; node++) {
        const struct report_view *view = &watch->known[node];
        for (uint32_t name = 0; view->up && name < watch->name_count; name++) {
            if (view->set >> name & 1) {
                tell_view(watch, node, name, view->values[name]);
            }
        }
    }
}

static void touch(struct report_watch *watch, uint32_t node)
{
    for (uint32_t i = 0; i < watch->touched_count && i < REPORT_TOUCHED_MAX; i++) {
        if (watch->touched[i] == node) {
            return;
        }
    }
    if (node != 0 && watch->touched_count <= REPORT_TOUCHED_MAX) {
        if (watch->touched_count < REPORT_TOUCHED_MAX) {
            watch->touched[watch->touched_count] = node;
        }
        watch->touched_count++;
    }
}

void report_watch_item(void *ctx, const struct world_item *item)
{
    struct report_watch *watch = ctx;
    if (watch->items.rows == REPORT_CHUNK_ITEMS) {
        close_chunk(watch);
        open_chunk(watch);
    }
    const int64_t cells[] = {(int64_t)item->kind << 8 | item->what,
                             (int64_t)item->event,
                             (int64_t)item->time_us,
                             item->node,
                             item->a,
                             item->b,
                             item->result,
                             (int64_t)item->counter,
                             (int64_t)item->value};
    for (uint32_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        report_table_add(&watch->items, i, cells[i]);
    }
    watch->count++;
    watch->event = item->event;
    watch->time_us = item->time_us;
    touch(watch, item->node);
}

/* ---- looking at a run ------------------------------------------------------------------------ */

static void watch_delivered(void *ctx, uint32_t node, const struct event *event)
{
    struct report_watch *watch = ctx;
    const struct world_item item = {.kind = (enum world_item_kind)REPORT_DELIVERY,
                                    .event = watch->event,
                                    .time_us = watch->time_us,
                                    .node = node,
                                    .what = event->kind,
                                    .a = event->link,
                                    .b = event->size_bytes};
    report_watch_item(watch, &item);
}

static uint32_t name_index(struct report_watch *watch, const char *name)
{
    for (uint32_t i = 0; i < watch->name_count; i++) {
        if (watch->names[i] == name || strcmp(watch->names[i], name) == 0) {
            return i;
        }
    }
    CHECK(watch->name_count < REPORT_VIEW_NAMES_MAX);
    watch->names[watch->name_count] = name;
    return watch->name_count++;
}

static void look_at(struct report_watch *watch, const struct world *world, uint32_t node)
{
    struct world_view seen[REPORT_VIEW_NAMES_MAX];
    struct report_view *known = &watch->known[node];
    const bool up = world_node_up(world, node);
    if (!up && known->up) {
        tell_view(watch, node, REPORT_VIEW_DOWN, 0);
        known->set = 0;
    }
    known->up = up;
    const size_t count = world_view(world, node, seen, REPORT_VIEW_NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        const uint32_t name = name_index(watch, seen[i].name);
        const uint64_t bit = UINT64_C(1) << name;
        if ((known->set & bit) == 0 || known->values[name] != seen[i].value) {
            known->set |= bit;
            known->values[name] = seen[i].value;
            tell_view(watch, node, name, seen[i].value);
        }
    }
}

static void watch_stepped(void *ctx, const struct world *world)
{
    struct report_watch *watch = ctx;
    const bool first = watch->known == NULL;
    if (first) {
        watch->node_count = fleet_node_count(&world_plan(world)->settings);
        watch->known = calloc((size_t)watch->node_count + 1, sizeof *watch->known);
        CHECK(watch->known != NULL);
    }
    if (first || watch->touched_count > REPORT_TOUCHED_MAX) {
        for (uint32_t node = 1; node <= watch->node_count; node++) {
            look_at(watch, world, node);
        }
    } else {
        for (uint32_t i = 0; i < watch->touched_count; i++) {
            look_at(watch, world, watch->touched[i]);
        }
    }
    watch->touched_count = 0;
}

void report_watch_request(struct report_watch *watch, struct run_request *request)
{
    request->options.item = report_watch_item;
    request->options.item_ctx = watch;
    request->options.delivered = watch_delivered;
    request->options.delivered_ctx = watch;
    request->stepped = watch_stepped;
    request->stepped_ctx = watch;
}

void report_watch_json(struct report_watch *watch, struct cJSON *object)
{
    if (watch->items.rows > 0 || watch->views.rows > 0) {
        close_chunk(watch);
    }
    json_number(object, "items", watch->count);
    json_number(object, "dropped", watch->dropped);
    cJSON *names = cJSON_AddArrayToObject(object, "view_names");
    CHECK(names != NULL);
    for (uint32_t i = 0; i < watch->name_count; i++) {
        CHECK(cJSON_AddItemToArray(names, cJSON_CreateString(watch->names[i])));
    }
    CHECK(cJSON_AddItemToObject(object, "chunks", watch->chunks));
    watch->chunks = NULL;
}
