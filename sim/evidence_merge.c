#include "sim/evidence_merge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/evidence_cause.h"

enum { LINES_MIN = 64 };

struct merge_line {
    struct evidence_line line;
    uint64_t number;
};

struct source {
    struct evidence_file file;
    struct merge_line *lines; /* of the step that comes next */
    uint32_t count, capacity;
    struct merge_line ahead; /* begins the step after it */
    bool has_ahead;
    bool ended;                  /* nothing is behind what is here */
    bool lived;                  /* a life was told */
    bool down;                   /* and its end was told as well, with what its disk held */
    bool begun;                  /* what goes ahead of the life that comes next was told */
    bool ready;                  /* the causes of the step that comes next were seen */
    uint64_t offset_us, last_us; /* last_us: of the last word told, on the common clock */
    uint64_t machine[2];
};

struct machine {
    uint64_t boot[2];
    uint64_t offset_us;
};

struct evidence_merge {
    struct source *sources;
    uint32_t count;
    uint32_t machine_count;
    struct machine machines[MERGE_MACHINES_MAX];
    struct evidence_causes causes;
    uint64_t base_us;
    bool based;
    struct merge_counts counts;
    merge_listener *listen;
    void *ctx;
};

static bool fill(struct evidence_merge *merge, struct source *source, bool follow, char *error,
                 size_t error_bytes);
static bool is_ready(const struct evidence_merge *merge, struct source *source);
static bool has_causes(const struct evidence_merge *merge, struct source *source);
static void say(struct evidence_merge *merge, struct source *source, const struct merge_line *at,
                uint32_t kind, uint64_t value);
static void tell(struct evidence_merge *merge, struct source *source);

/* ---- Opening --------------------------------------------------------------------------------- */

static bool admit(struct evidence_merge *merge, const struct source *source, char *error,
                  size_t error_bytes)
{
    const struct evidence_header *header = &source->file.header;
    if (header->node > EVIDENCE_NODE_MAX) {
        snprintf(error, error_bytes, "%s: node %" PRIu32 " is above %d", source->file.path,
                 header->node, EVIDENCE_NODE_MAX);
        return false;
    }
    if (merge->causes.present[header->node]) {
        snprintf(error, error_bytes, "%s: another log is of node %" PRIu32 " as well",
                 source->file.path, header->node);
        return false;
    }
    merge->causes.present[header->node] = true;
    merge->causes.has_gateway = merge->causes.has_gateway || header->role == EVIDENCE_OF_GATEWAY;
    merge->causes.has_cloud = merge->causes.has_cloud || header->role == EVIDENCE_OF_CLOUD;
    return true;
}

bool merge_open(struct evidence_merge **out, const char *const *paths, uint32_t count, char *error,
                size_t error_bytes)
{
    struct evidence_merge *merge = calloc(1, sizeof *merge);
    *out = merge;
    CHECK(merge != NULL);
    evidence_cause_init(&merge->causes);
    if (count > MERGE_SOURCES_MAX) {
        snprintf(error, error_bytes, "more than %d logs", MERGE_SOURCES_MAX);
        return false;
    }
    merge->sources = calloc(count, sizeof *merge->sources);
    CHECK(merge->sources != NULL);
    for (uint32_t i = 0; i < count; i++) {
        struct source *source = &merge->sources[i];
        merge->count++;
        if (!evidence_file_open(&source->file, paths[i], error, error_bytes) ||
            !admit(merge, source, error, error_bytes)) {
            return false;
        }
    }
    return true;
}

void merge_free(struct evidence_merge *merge)
{
    for (uint32_t i = 0; merge != NULL && i < merge->count; i++) {
        evidence_file_close(&merge->sources[i].file);
        free(merge->sources[i].lines);
    }
    if (merge != NULL) {
        evidence_cause_free(&merge->causes);
        free(merge->sources);
        free(merge);
    }
}

const struct evidence_header *merge_header(const struct evidence_merge *merge, uint32_t source)
{
    return source < merge->count ? &merge->sources[source].file.header : NULL;
}

const struct merge_counts *merge_counts(const struct evidence_merge *merge)
{
    return &merge->counts;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static void put(struct source *source, const struct merge_line *line)
{
    if (source->count == source->capacity) {
        source->capacity = source->capacity == 0 ? LINES_MIN : 2 * source->capacity;
        source->lines = realloc(source->lines, source->capacity * sizeof *source->lines);
        CHECK(source->lines != NULL);
    }
    source->lines[source->count++] = *line;
}

/* The machine's clock, by the first log that says how far it is from the wall's. */
static bool move_to_machine(struct evidence_merge *merge, struct source *source,
                            const struct evidence_line *up, char *error, size_t error_bytes)
{
    uint32_t i = 0;
    while (i < merge->machine_count && (merge->machines[i].boot[0] != up->body[0] ||
                                        merge->machines[i].boot[1] != up->body[1])) {
        i++;
    }
    if (i == MERGE_MACHINES_MAX) {
        snprintf(error, error_bytes, "%s: more than %d boots of machines in all logs",
                 source->file.path, MERGE_MACHINES_MAX);
        return false;
    }
    if (i == merge->machine_count) {
        merge->machines[merge->machine_count++] =
            (struct machine){{up->body[0], up->body[1]}, up->counter};
        merge->counts.machines++;
    }
    source->offset_us = merge->machines[i].offset_us;
    return true;
}

/* Is the line of the step that is being gathered? */
static bool belongs(const struct source *source, const struct evidence_line *line)
{
    return source->count == 0 ||
           (line->kind != EVIDENCE_WORD_UP && line->step == source->lines[0].line.step);
}

static bool check_line(const struct source *source, const struct evidence_line *line, char *error,
                       size_t error_bytes)
{
    const bool first = source->file.line == 2;
    if (first != (line->kind == EVIDENCE_WORD_UP) && first) {
        snprintf(error, error_bytes, "%s:2: a log begins with the word up: its begin is missing",
                 source->file.path);
        return false;
    }
    if (source->count >= MERGE_LINES_MAX) {
        snprintf(error, error_bytes, "%s:%" PRIu64 ": more than %d lines in one step",
                 source->file.path, source->file.line, MERGE_LINES_MAX);
        return false;
    }
    return true;
}

/* Gather the step that comes next. While logs are written it is over only when the next one has
 * begun, or when it is old. */
static bool fill(struct evidence_merge *merge, struct source *source, bool follow, char *error,
                 size_t error_bytes)
{
    while (!source->has_ahead && !source->ended) {
        struct merge_line next;
        const enum evidence_read read =
            evidence_file_next(&source->file, &next.line, error, error_bytes);
        next.number = source->file.line;
        if (read == EVIDENCE_READ_WRONG ||
            (read == EVIDENCE_READ_LINE && !check_line(source, &next.line, error, error_bytes))) {
            return false;
        }
        if (read == EVIDENCE_READ_END) {
            source->ended = !follow;
            merge->counts.torn += source->ended && evidence_file_torn(&source->file);
            break;
        }
        merge->counts.lines++;
        if (belongs(source, &next.line)) {
            put(source, &next);
        } else {
            source->ahead = next;
            source->has_ahead = true;
        }
    }
    return source->count == 0 || source->lines[0].line.kind != EVIDENCE_WORD_UP ||
           move_to_machine(merge, source, &source->lines[0].line, error, error_bytes);
}

/* The step was told: the one behind it becomes the next. */
static void shift(struct source *source)
{
    source->count = 0;
    source->ready = false;
    if (source->has_ahead) {
        source->has_ahead = false;
        put(source, &source->ahead);
    }
}

static bool is_whole(const struct source *source, bool follow, uint64_t now_us)
{
    if (source->count == 0) {
        return false;
    }
    const uint64_t last_us = source->lines[source->count - 1].line.time_us;
    return !follow || (source->has_ahead ? source->lines[0].line.time_us + MERGE_SETTLE_US <= now_us
                                         : last_us + MERGE_SETTLE_US <= now_us);
}

static uint64_t time_of(const struct source *source)
{
    return source->lines[0].line.step + source->offset_us;
}

/* The oldest step whose cause was seen; where there is none, or it has waited long enough, the
 * oldest one. */
static struct source *choose(struct evidence_merge *merge, bool follow, uint64_t now_us)
{
    struct source *oldest = NULL, *ready = NULL;
    for (uint32_t i = 0; i < merge->count; i++) {
        struct source *source = &merge->sources[i];
        if (!is_whole(source, follow, now_us)) {
            continue;
        }
        if (oldest == NULL || time_of(source) < time_of(oldest)) {
            oldest = source;
        }
        if ((ready == NULL || time_of(source) < time_of(ready)) && is_ready(merge, source)) {
            ready = source;
        }
    }
    if (oldest == NULL || oldest == ready) {
        return oldest;
    }
    if (ready != NULL && time_of(ready) < time_of(oldest) + MERGE_SKEW_US) {
        return ready;
    }
    return oldest;
}

/* Whose log ends without a word is taken to be dead. */
static void end_all(struct evidence_merge *merge)
{
    for (uint32_t i = 0; i < merge->count; i++) {
        struct source *source = &merge->sources[i];
        const struct merge_line nothing = {.number = source->file.line};
        if (source->lived && !source->down) {
            say(merge, source, &nothing, TRUTH_DOWN, 1);
            source->down = true;
        }
    }
}

enum merge_outcome merge_next(struct evidence_merge *merge, bool follow, uint64_t now_us,
                              merge_listener *listen, void *ctx, char *error, size_t error_bytes)
{
    bool over = true;
    merge->listen = listen;
    merge->ctx = ctx;
    for (uint32_t i = 0; i < merge->count; i++) {
        struct source *source = &merge->sources[i];
        if (!fill(merge, source, follow, error, error_bytes)) {
            return MERGE_WRONG;
        }
        over = over && source->ended && source->count == 0;
    }
    if (over) {
        end_all(merge);
        return MERGE_OVER;
    }
    struct source *source = choose(merge, follow, now_us);
    if (source == NULL) {
        return MERGE_IDLE;
    }
    tell(merge, source);
    shift(source);
    return MERGE_STEP;
}

/* What was seen stays seen. */
static bool has_causes(const struct evidence_merge *merge, struct source *source)
{
    source->ready = source->ready || source->lines[0].line.kind == EVIDENCE_WORD_UP;
    for (uint32_t i = 0; !source->ready && i < source->count; i++) {
        if (!evidence_cause_seen(&merge->causes, &source->lines[i].line)) {
            return false;
        }
    }
    source->ready = true;
    return true;
}

/* On one machine the clock has the last word: a cause that is not there was never said. */
static bool is_ready(const struct evidence_merge *merge, struct source *source)
{
    return merge->machine_count <= 1 || has_causes(merge, source);
}

/* ---- Telling --------------------------------------------------------------------------------- */

static uint32_t kind_of(uint32_t word)
{
    static const uint32_t truths[] = {
        [EVIDENCE_WORD_UP - EVIDENCE_WORD_FIRST] = TRUTH_UP,
        [EVIDENCE_WORD_STOP - EVIDENCE_WORD_FIRST] = TRUTH_DOWN,
        [EVIDENCE_WORD_IMAGE - EVIDENCE_WORD_FIRST] = TRUTH_IMAGE,
        [EVIDENCE_WORD_READING - EVIDENCE_WORD_FIRST] = TRUTH_READING,
        [EVIDENCE_WORD_WINDOW - EVIDENCE_WORD_FIRST] = TRUTH_WINDOW,
        [EVIDENCE_WORD_QUEUED - EVIDENCE_WORD_FIRST] = TRUTH_QUEUED,
        [EVIDENCE_WORD_IMAGE_END - EVIDENCE_WORD_FIRST] = TRUTH_IMAGE_END,
        [EVIDENCE_WORD_OUTBOX - EVIDENCE_WORD_FIRST] = TRUTH_OUTBOX,
        [EVIDENCE_WORD_KEPT - EVIDENCE_WORD_FIRST] = TRUTH_KEPT,
        [EVIDENCE_WORD_RESPOND - EVIDENCE_WORD_FIRST] = TRUTH_RESPOND,
        [EVIDENCE_WORD_LINK - EVIDENCE_WORD_FIRST] = TRUTH_LINK,
        [EVIDENCE_WORD_CHECK - EVIDENCE_WORD_FIRST] = MERGE_CHECK,
        [EVIDENCE_WORD_FULL - EVIDENCE_WORD_FIRST] = MERGE_FULL,
    };
    return word < EVIDENCE_WORD_FIRST ? word : truths[word - EVIDENCE_WORD_FIRST];
}

static bool is_image(uint32_t kind)
{
    return kind >= EVIDENCE_WORD_IMAGE && kind <= EVIDENCE_WORD_IMAGE_END;
}

/* The end of a life, and what it left, have the time of its last word. */
static bool is_past(uint32_t kind)
{
    return kind == TRUTH_DOWN || (kind >= TRUTH_IMAGE && kind <= TRUTH_IMAGE_END);
}

static void say(struct evidence_merge *merge, struct source *source, const struct merge_line *at,
                uint32_t kind, uint64_t value)
{
    const struct evidence_line *line = &at->line;
    const uint64_t time_us =
        is_past(kind) && source->last_us != 0 ? source->last_us : line->time_us + source->offset_us;
    if (!merge->based) {
        merge->base_us = time_us;
        merge->based = true;
    }
    source->last_us = time_us;
    const struct observation observation = {
        .time_us = time_us > merge->base_us ? time_us - merge->base_us : 0,
        .event = merge->counts.steps,
        .kind = kind,
        .node = source->file.header.node,
        .device = line->device,
        .epoch = line->epoch,
        .counter = kind == TRUTH_UP ? 0 : line->counter,
        .value = value,
        .body = {kind == TRUTH_UP ? 0 : line->body[0], kind == TRUTH_UP ? 0 : line->body[1]}};
    const struct merge_place place = {source->file.path, at->number};
    merge->listen(merge->ctx, &observation, &place);
}

/* The listing in this step, if it is whole. */
static void tell_image(struct evidence_merge *merge, struct source *source)
{
    const struct merge_line *begin = NULL, *end = NULL;
    for (uint32_t i = 0; i < source->count; i++) {
        const struct merge_line *at = &source->lines[i];
        begin = at->line.kind == EVIDENCE_WORD_IMAGE ? at : begin;
        end = at->line.kind == EVIDENCE_WORD_IMAGE_END ? at : end;
    }
    const bool whole = end != NULL && end->line.value == 0;
    merge->counts.images += whole;
    merge->counts.cut_images += begin != NULL && end == NULL;
    if (end != NULL && !whole) {
        merge->counts.unreadable++;
        say(merge, source, end, MERGE_UNREADABLE, 0);
    }
    for (uint32_t i = 0; whole && i < source->count; i++) {
        const struct merge_line *at = &source->lines[i];
        if (is_image(at->line.kind)) {
            say(merge, source, at, kind_of(at->line.kind), at->line.value);
        }
    }
}

/* A log whose first life finds anything has lost its beginning. */
static void note_begin(struct evidence_merge *merge, const struct source *source)
{
    bool late = false;
    for (uint32_t i = 0; !source->lived && i < source->count; i++) {
        const struct evidence_line *line = &source->lines[i].line;
        late = late || line->kind == EVIDENCE_WORD_READING || line->kind == EVIDENCE_WORD_WINDOW ||
               line->kind == EVIDENCE_WORD_QUEUED ||
               (line->kind == EVIDENCE_WORD_OUTBOX && (line->epoch > 1 || line->counter > 1));
    }
    if (late && merge->counts.late++ == 0) {
        merge->counts.late_path = source->file.path;
    }
}

/* A new life comes next: the one before is over, unless its end was told. */
static void end_life(struct evidence_merge *merge, struct source *source)
{
    const struct merge_line *up = &source->lines[0];
    const bool rebooted = source->lived && (up->line.body[0] != source->machine[0] ||
                                            up->line.body[1] != source->machine[1]);
    if (source->lived && !source->down) {
        say(merge, source, up, TRUTH_DOWN, rebooted ? 0 : 1);
    }
    note_begin(merge, source);
    tell_image(merge, source);
    source->lived = true;
    source->machine[0] = up->line.body[0];
    source->machine[1] = up->line.body[1];
}

static void tell(struct evidence_merge *merge, struct source *source)
{
    const uint32_t first = source->lines[0].line.kind;
    bool stops = false;
    merge->counts.steps++;
    merge->counts.uncaused += !has_causes(merge, source);
    if (first == EVIDENCE_WORD_UP) {
        end_life(merge, source);
        merge->counts.lives++;
        source->down = false;
    }
    for (uint32_t i = 0; i < source->count; i++) {
        const struct merge_line *at = &source->lines[i];
        const uint32_t kind = at->line.kind;
        evidence_cause_remember(&merge->causes, &at->line);
        merge->counts.full += kind == EVIDENCE_WORD_FULL;
        merge->counts.checks += kind == EVIDENCE_WORD_CHECK;
        if (kind == EVIDENCE_WORD_STOP) {
            stops = true;
        } else if (!is_image(kind)) {
            say(merge, source, at, kind_of(kind), at->line.value);
        }
    }
    if (stops) {
        merge->counts.stops++;
        source->down = true;
        say(merge, source, &source->lines[source->count - 1], TRUTH_DOWN, 1);
        tell_image(merge, source);
    }
}
