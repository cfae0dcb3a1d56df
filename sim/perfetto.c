#include "sim/perfetto.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/plan.h"

/* Threads of a process: the role, its links, and a thread for each band. */
enum { THREAD_ROLE = 1, THREAD_LINKS = 2, THREAD_BANDS = 3 };
enum { BAND_POWER = 0, BAND_EFFECTS = 1, BANDS = BAND_EFFECTS + EFFECT_COUNT };

/* A send that has not arrived whole. */
struct perfetto_send {
    uint64_t end; /* offset in the stream behind its last byte */
    uint64_t flow;
};

/* One direction of a link. */
struct perfetto_stream {
    uint64_t sent, arrived; /* bytes */
    uint32_t first, count;  /* of sends: those before `first` have arrived */
    struct perfetto_send *sends;
};

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Names are this program's own, but a scenario's path is not. */
static void put_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            fprintf(file, "\\%c", *at);
        } else if (*at < ' ') {
            fprintf(file, "\\u%04x", *at);
        } else {
            fputc(*at, file);
        }
    }
    fputc('"', file);
}

/* Begin an event; the caller adds what it has more, and "}". */
static FILE *put_event(struct perfetto *perfetto, const char *phase, const char *name,
                       uint32_t node, uint32_t thread, uint64_t time_us)
{
    FILE *file = perfetto->file;
    fputs(perfetto->events++ > 0 ? ",\n" : "\n", file);
    fprintf(file,
            "{\"ph\":\"%s\",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32 ",\"ts\":%" PRIu64 ",\"name\":",
            phase, node, thread, time_us);
    put_text(file, name);
    return file;
}

static void put_metadata(struct perfetto *perfetto, const char *what, uint32_t node,
                         uint32_t thread, const char *name)
{
    FILE *file = put_event(perfetto, "M", what, node, thread, 0);
    fputs(",\"args\":{\"name\":", file);
    put_text(file, name);
    fputs("}}", file);
}

/* ---- bands ----------------------------------------------------------------------------------- */

static const char *band_name(unsigned band)
{
    return band == BAND_POWER ? "no power" : effect_info((enum effect)(band - BAND_EFFECTS)).name;
}

/* A thread's events must not run backwards: an end is told between steps, and its begin may have
 * been inside one. */
static uint64_t forward(struct perfetto *perfetto, size_t index, uint64_t time_us)
{
    uint64_t *last_us = &perfetto->last_us[index];
    *last_us = time_us > *last_us ? time_us : *last_us;
    return *last_us;
}

static void band_begin(struct perfetto *perfetto, uint32_t node, unsigned band, uint64_t time_us)
{
    const size_t index = (size_t)node * BANDS + band;
    perfetto->bands[index]++;
    FILE *file = put_event(perfetto, "B", band_name(band), node, THREAD_BANDS + band,
                           forward(perfetto, index, time_us));
    fputs("}", file);
}

/* What has not begun does not end. */
static void band_end(struct perfetto *perfetto, uint32_t node, unsigned band, uint64_t time_us)
{
    const size_t index = (size_t)node * BANDS + band;
    if (perfetto->bands[index] == 0) {
        return;
    }
    perfetto->bands[index]--;
    FILE *file = put_event(perfetto, "E", band_name(band), node, THREAD_BANDS + band,
                           forward(perfetto, index, time_us));
    fputs("}", file);
}

/* ---- items ----------------------------------------------------------------------------------- */

static void instant(struct perfetto *perfetto, const struct world_item *item)
{
    char device[32];
    FILE *file =
        put_event(perfetto, "i", world_item_name(item), item->node, THREAD_ROLE, item->time_us);
    fprintf(file, ",\"s\":\"%s\",\"args\":{\"event\":%" PRIu64, item->node == 0 ? "g" : "t",
            item->event);
    if (item->kind == ITEM_EVIDENCE) {
        if (item->a != 0) {
            fleet_node_name(perfetto->settings, item->a, device, sizeof device);
            fprintf(file, ",\"device\":\"%s\"", device);
        }
        fprintf(file, ",\"epoch\":%" PRIu32 ",\"counter\":\"%" PRIu64 "\"", item->b, item->counter);
    }
    fprintf(file, ",\"value\":\"%" PRIu64 "\"}}", item->value);
}

static void effect(struct perfetto *perfetto, const struct world_item *item)
{
    const unsigned band = BAND_EFFECTS + item->what;
    const bool lasts = effect_info((enum effect)item->what).lasts == EFFECT_LASTS_DURATION;
    if (!lasts) {
        instant(perfetto, item);
    } else if (item->b == 0) {
        band_begin(perfetto, item->node, band, item->time_us);
    } else {
        band_end(perfetto, item->node, band, item->time_us);
    }
}

static void truth(struct perfetto *perfetto, const struct world_item *item)
{
    const size_t index = (size_t)item->node * BANDS + BAND_POWER;
    if (item->what == TRUTH_DOWN && perfetto->bands[index] == 0) {
        band_begin(perfetto, item->node, BAND_POWER, item->time_us);
    } else if (item->what == TRUTH_UP) {
        band_end(perfetto, item->node, BAND_POWER, item->time_us);
    }
    instant(perfetto, item);
}

void perfetto_item(struct perfetto *perfetto, const struct world_item *item)
{
    CHECK(item->node <= perfetto->node_count);
    perfetto->now_us = item->time_us > perfetto->now_us ? item->time_us : perfetto->now_us;
    switch (item->kind) {
    case ITEM_EVENT:
    case ITEM_OPERATION:
        break;
    case ITEM_EVIDENCE:
        instant(perfetto, item);
        if (item->what == EVIDENCE_CUSTODY) {
            FILE *file = put_event(perfetto, "C", "queue", item->node, THREAD_ROLE, item->time_us);
            fprintf(file, ",\"args\":{\"messages\":%" PRIu64 "}}", item->value);
        }
        break;
    case ITEM_EFFECT:
        effect(perfetto, item);
        break;
    case ITEM_TRUTH:
        truth(perfetto, item);
        break;
    }
}

/* ---- links ----------------------------------------------------------------------------------- */

static struct perfetto_stream *stream_of(struct perfetto *perfetto, const struct net_tap *tap)
{
    const uint64_t name = (uint64_t)tap->link << 1 | (tap->by_opener ? 1 : 0);
    const uint32_t index = map_find(&perfetto->streams, name);
    if (index != MAP_NONE) {
        return &perfetto->list[index];
    }
    const uint32_t count = perfetto->stream_count;
    if ((count & (count - 1)) == 0) { /* 0, or a power of two: full */
        perfetto->list =
            realloc(perfetto->list, (count == 0 ? 1 : (size_t)count * 2) * sizeof *perfetto->list);
        CHECK(perfetto->list != NULL);
    }
    memset(&perfetto->list[count], 0, sizeof perfetto->list[count]);
    map_put(&perfetto->streams, name, count);
    return &perfetto->list[perfetto->stream_count++];
}

static void link_slice(struct perfetto *perfetto, const struct net_tap *tap)
{
    static const char *const kinds[] = {
        [SEGMENT_OPEN] = "open",   [SEGMENT_ACCEPT] = "accept", [SEGMENT_DATA] = "data",
        [SEGMENT_CLOSE] = "close", [SEGMENT_RESET] = "reset",
    };
    char name[64], peer[32];
    fleet_node_name(perfetto->settings, tap->arrived ? tap->from : tap->to, peer, sizeof peer);
    snprintf(name, sizeof name, "%s %s %s", kinds[tap->kind], tap->arrived ? "from" : "to", peer);
    FILE *file = put_event(perfetto, "X", name, tap->arrived ? tap->to : tap->from, THREAD_LINKS,
                           tap->time_us);
    fprintf(file, ",\"dur\":1,\"args\":{\"link\":%" PRIu32 ",\"bytes\":%" PRIu32 "}}", tap->link,
            tap->size_bytes);
}

static void flow(struct perfetto *perfetto, const char *phase, uint32_t node, uint64_t time_us,
                 uint64_t number)
{
    FILE *file = put_event(perfetto, phase, "bytes", node, THREAD_LINKS, time_us);
    fprintf(file, ",\"cat\":\"link\",\"id\":%" PRIu64 "%s}", number,
            *phase == 'f' ? ",\"bp\":\"e\"" : "");
}

static void flow_begin(struct perfetto *perfetto, struct perfetto_stream *stream,
                       const struct net_tap *tap)
{
    if ((stream->count & (stream->count - 1)) == 0) { /* 0, or a power of two: full */
        stream->sends =
            realloc(stream->sends,
                    (stream->count == 0 ? 1 : (size_t)stream->count * 2) * sizeof *stream->sends);
        CHECK(stream->sends != NULL);
    }
    stream->sent += tap->size_bytes;
    stream->sends[stream->count++] = (struct perfetto_send){stream->sent, ++perfetto->flows};
    flow(perfetto, "s", tap->from, tap->time_us, perfetto->flows);
}

static void flow_end(struct perfetto *perfetto, struct perfetto_stream *stream,
                     const struct net_tap *tap)
{
    stream->arrived += tap->size_bytes;
    while (stream->first < stream->count && stream->sends[stream->first].end <= stream->arrived) {
        flow(perfetto, "f", tap->to, tap->time_us, stream->sends[stream->first++].flow);
    }
}

void perfetto_tap(struct perfetto *perfetto, const struct net_tap *tap)
{
    link_slice(perfetto, tap);
    if (tap->kind == SEGMENT_DATA && tap->arrived) {
        flow_end(perfetto, stream_of(perfetto, tap), tap);
    } else if (tap->kind == SEGMENT_DATA) {
        flow_begin(perfetto, stream_of(perfetto, tap), tap);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

void perfetto_open(struct perfetto *perfetto, FILE *file, const struct settings *settings,
                   const char *title)
{
    char name[32];
    memset(perfetto, 0, sizeof *perfetto);
    perfetto->file = file;
    perfetto->settings = settings;
    perfetto->node_count = fleet_node_count(settings);
    const size_t bands = ((size_t)perfetto->node_count + 1) * BANDS;
    perfetto->bands = calloc(bands, sizeof *perfetto->bands);
    perfetto->last_us = calloc(bands, sizeof *perfetto->last_us);
    CHECK(perfetto->bands != NULL && perfetto->last_us != NULL);
    map_init(&perfetto->streams);
    fputs("{\"displayTimeUnit\":\"ms\",\"otherData\":{\"run\":", file);
    put_text(file, title);
    fputs("},\"traceEvents\":[", file);
    put_metadata(perfetto, "process_name", 0, 0, "fleet");
    for (uint32_t node = 1; node <= perfetto->node_count; node++) {
        fleet_node_name(settings, node, name, sizeof name);
        put_metadata(perfetto, "process_name", node, 0, name);
        put_metadata(perfetto, "thread_name", node, THREAD_ROLE, "evidence");
        put_metadata(perfetto, "thread_name", node, THREAD_LINKS, "links");
    }
}

/* Only bands that were used get a name: a fleet has many nodes, and many fault classes. */
void perfetto_close(struct perfetto *perfetto)
{
    for (uint32_t node = 0; node <= perfetto->node_count; node++) {
        for (unsigned band = 0; band < BANDS; band++) {
            const size_t index = (size_t)node * BANDS + band;
            while (perfetto->bands[index] > 0) {
                band_end(perfetto, node, band, perfetto->now_us);
            }
            if (perfetto->last_us[index] > 0) {
                put_metadata(perfetto, "thread_name", node, THREAD_BANDS + band, band_name(band));
            }
        }
    }
    fputs("\n]}\n", perfetto->file);
    for (uint32_t i = 0; i < perfetto->stream_count; i++) {
        free(perfetto->list[i].sends);
    }
    map_free(&perfetto->streams);
    free(perfetto->list);
    free(perfetto->bands);
    free(perfetto->last_us);
    perfetto->list = NULL;
    perfetto->bands = NULL;
    perfetto->last_us = NULL;
}
