#include "sim/export.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"

/* ---- CSV ------------------------------------------------------------------------------------- */

static const char csv_head[] =
    "ordinal,event,time_us,node,kind,name,a,b,result,counter,value,text\r\n";

static void csv_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            fputc('"', file);
        }
        fputc(*text, file);
    }
    fputc('"', file);
}

static void csv_item(struct export *export, const struct world_item *item)
{
    char node[32], text[256];
    FILE *file = export->file;
    fleet_node_name(export->settings, item->node, node, sizeof node);
    world_item_print(export->settings, item, text, sizeof text);
    fprintf(file, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s,%s,", export->items, item->event,
            item->time_us, node, world_item_kind_name(item->kind));
    csv_text(file, world_item_name(item));
    fprintf(file, ",%" PRIu32 ",%" PRIu32 ",%" PRId64 ",%" PRIu64 ",%" PRIu64 ",", item->a, item->b,
            item->result, item->counter, item->value);
    csv_text(file, text);
    fputs("\r\n", file);
    export->records++;
}

/* ---- hearing --------------------------------------------------------------------------------- */

static void hear_item(void *ctx, const struct world_item *item)
{
    struct export *export = ctx;
    switch (export->format) {
    case EXPORT_PCAPNG:
        if (item->kind == ITEM_EVENT) {
            pcapng_advance(&export->pcapng, item->time_us);
        }
        break;
    case EXPORT_PERFETTO:
        perfetto_item(&export->perfetto, item);
        break;
    case EXPORT_CSV:
        csv_item(export, item);
        break;
    case EXPORT_FORMAT_COUNT:
        break;
    }
    export->items++;
}

static void hear_tap(void *ctx, const struct net_tap *tap)
{
    struct export *export = ctx;
    if (export->format == EXPORT_PCAPNG) {
        pcapng_tap(&export->pcapng, tap);
    } else if (export->format == EXPORT_PERFETTO) {
        perfetto_tap(&export->perfetto, tap);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

bool export_begin(struct export *export, enum export_format format, const char *path,
                  const char *title, struct run_request *request, char *error, size_t error_bytes)
{
    char text[EXPORT_TITLE_BYTES];
    CHECK(request->plan != NULL && format < EXPORT_FORMAT_COUNT);
    memset(export, 0, sizeof *export);
    export->format = format;
    export->path = path;
    export->settings = &request->plan->settings;
    if (format == EXPORT_PCAPNG && fleet_node_count(export->settings) > PCAPNG_NODES_MAX) {
        snprintf(error, error_bytes,
                 "a capture has addresses for %d nodes, and this fleet has more", PCAPNG_NODES_MAX);
        return false;
    }
    export->file = fopen(path, "wb");
    if (export->file == NULL) {
        snprintf(error, error_bytes, "%s cannot be written: %s", path, strerror(errno));
        return false;
    }
    snprintf(text, sizeof text, "%s", title);
    if (format == EXPORT_PCAPNG) {
        pcapng_open(&export->pcapng, export->file, export->settings, text);
    } else if (format == EXPORT_PERFETTO) {
        perfetto_open(&export->perfetto, export->file, export->settings, text);
    } else {
        fputs(csv_head, export->file);
    }
    request->options.item = hear_item;
    request->options.item_ctx = export;
    request->options.tap = hear_tap;
    request->options.tap_ctx = export;
    return true;
}

bool export_end(struct export *export, char *error, size_t error_bytes)
{
    if (export->format == EXPORT_PCAPNG) {
        pcapng_close(&export->pcapng);
        export->records = export->pcapng.frames;
    } else if (export->format == EXPORT_PERFETTO) {
        perfetto_close(&export->perfetto);
        export->records = export->perfetto.events;
    }
    const bool good = ferror(export->file) == 0;
    if (fclose(export->file) != 0 || !good) {
        snprintf(error, error_bytes, "%s is not whole, and was removed: is the disk full?",
                 export->path);
        unlink(export->path);
        return false;
    }
    return true;
}
