/* One history again. An id names it: the cuts, one after the other, each as
 *   operation.variant or operation.variant~answers
 * (hexadecimal; which change or word of that run it was, and what the cut left; and how uncertain
 * bits answered, a digit a read), with dashes between; `end` or `end~answers` lets the last boot
 * run on: 1f.3-22.0~01-end. */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/explore_inside.h"

enum { SEGMENTS_MAX = 64 };

struct segment {
    bool end;
    uint32_t operation, variant;
    uint8_t choices[RUN_CHOICES_MAX];
    uint32_t choice_count;
};

void explore_tell(struct explore *explore, const char *format, ...)
{
    const struct run *run = &explore->run;
    if (run->file == NULL) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    fprintf(run->file, "%4x  %9llu us  ", (unsigned)run->operation,
            (unsigned long long)run->elapsed_us);
    vfprintf(run->file, format, arguments);
    fputc('\n', run->file);
    va_end(arguments);
}

/* ---- Ids ------------------------------------------------------------------------------------- */

/* One run of a history, as it is put together: from a cut to the next. */
struct piece {
    uint32_t operation;
    uint32_t variant; /* LINK_NONE: it runs on */
    uint32_t digit_count;
    char digits[RUN_CHOICES_MAX + 1];
};

/* The pieces, the last one first, and the one that is not complete: what came before it in the same
 * run is put before it. */
struct history {
    struct explore *explore;
    struct piece pieces[SEGMENTS_MAX];
    uint32_t count;
};

/* What was done before the open piece, in the same run. */
static void prepend(struct history *history, uint32_t operations, uint32_t choices,
                    uint32_t choice_count)
{
    struct piece *piece = &history->pieces[history->count - 1];
    char digits[RUN_CHOICES_MAX + 1];
    uint32_t used = 0;
    for (; used < choice_count && used < RUN_CHOICES_MAX; used++) {
        digits[used] = (char)('0' + choices % FLASH_READING_COUNT);
        choices /= FLASH_READING_COUNT;
    }
    for (uint32_t i = 0; i < piece->digit_count && used < RUN_CHOICES_MAX; i++) {
        digits[used++] = piece->digits[i];
    }
    memcpy(piece->digits, digits, used);
    piece->digit_count = used;
    piece->operation += operations;
}

/* A run that ended in this way; it becomes the open piece. */
static bool open_piece(struct history *history, uint32_t variant)
{
    if (history->count == SEGMENTS_MAX) {
        return false;
    }
    history->pieces[history->count++] = (struct piece){.variant = variant};
    return true;
}

/* How the search came from a base to each other one: by which change, and which cut in it. */
struct step {
    uint32_t from, link, variant;
};

/* Prepend the cuts that lead from base `first` to base `last`. */
static bool prepend_path(struct history *history, uint32_t first, uint32_t last)
{
    const struct explore *explore = history->explore;
    const uint32_t count = explore->bases.count;
    struct step *steps = calloc(count, sizeof *steps);
    bool *seen = calloc(count + explore->changes.count, sizeof *seen);
    uint32_t *queue = malloc(count * sizeof *queue);
    uint32_t queued = 1;
    CHECK(steps != NULL && seen != NULL && queue != NULL);
    queue[0] = first;
    seen[first] = true;
    for (uint32_t i = 0; i < queued && !seen[last]; i++) {
        const struct half *base = &explore->bases.items[queue[i]];
        for (uint32_t k = base->changes; k != LINK_NONE; k = explore->links.items[k].next) {
            const uint32_t change = explore->links.items[k].to;
            uint32_t target = seen[count + change] ? LINK_NONE : explore->changes.items[change];
            seen[count + change] = true;
            for (; target != LINK_NONE; target = explore->links.items[target].next) {
                const struct link *link = &explore->links.items[target];
                if (!seen[link->to]) {
                    seen[link->to] = true;
                    steps[link->to] = (struct step){queue[i], k, link->operation};
                    queue[queued++] = link->to;
                }
            }
        }
    }
    bool good = seen[last];
    for (uint32_t base = last; base != first && good; base = steps[base].from) {
        const struct link *link = &explore->links.items[steps[base].link];
        good = open_piece(history, steps[base].variant);
        if (good) {
            prepend(history, link->operation, link->choices, link->choice_count);
        }
    }
    free(steps);
    free(seen);
    free(queue);
    return good;
}

/* The base nearest to `first` from which the exit is taken without a cut; and how. */
static const struct link *find_exit(struct explore *explore, uint32_t first, uint32_t exit,
                                    uint32_t *base)
{
    const struct link *found = NULL;
    explore_walk(explore, first);
    for (uint32_t i = 0; i < explore->queue.count && found == NULL; i++) {
        *base = explore->queue.items[i];
        for (uint32_t k = explore->bases.items[*base].exits; k != LINK_NONE && found == NULL;
             k = explore->links.items[k].next) {
            found = explore->links.items[k].to == exit ? &explore->links.items[k] : NULL;
        }
    }
    return found;
}

/* The boot of a session, up to its exit: what came before in the same run, and the cuts in the
 * first part of boots. */
static bool prepend_session(struct history *history, const struct session *session)
{
    struct explore *explore = history->explore;
    const uint32_t first = explore->arrivals.items[session->arrival].base;
    uint32_t base = first;
    const struct link *exit = find_exit(explore, first, session->exit, &base);
    if (exit == NULL) {
        return false;
    }
    prepend(history, exit->operation, exit->choices, exit->choice_count);
    return prepend_path(history, first, base);
}

/* How the frame of a session came to this exit. */
static bool prepend_mount(struct history *history, const struct session *session, uint32_t mounted)
{
    const struct explore *explore = history->explore;
    const uint32_t frame = explore->arrivals.items[session->arrival].frame;
    uint32_t link = explore->frames.items[frame].exits;
    while (link != LINK_NONE && explore->links.items[link].to != mounted) {
        link = explore->links.items[link].next;
    }
    if (link == LINK_NONE) {
        return false;
    }
    const struct link *way = &explore->links.items[link];
    prepend(history, way->operation, way->choices, way->choice_count);
    return true;
}

/* What led to this arrival: sessions, and the cuts between them. */
static bool prepend_arrival(struct history *history, uint32_t number)
{
    const struct explore *explore = history->explore;
    const struct cut_point *cut = &explore->arrivals.items[number].cut;
    bool good = true;
    while (good && cut->session != LINK_NONE) {
        const struct session session = explore->sessions.items[cut->session];
        good = cut->reset || open_piece(history, cut->variant);
        if (good) {
            prepend(history, cut->operation, cut->choices, cut->choice_count);
        }
        if (good && cut->mounted != LINK_NONE) {
            good = prepend_mount(history, &session, cut->mounted);
        }
        good = good && prepend_session(history, &session);
        cut = &explore->arrivals.items[session.arrival].cut;
    }
    return good;
}

/* The run as it stands is the last piece. */
static bool trace_back(struct history *history, uint32_t variant)
{
    struct explore *explore = history->explore;
    const struct run run = explore->run;
    bool good = open_piece(history, variant);
    if (run.mode == RUN_UNCUT) {
        return good;
    }
    if (run.mode == RUN_LOAD || run.mode == RUN_MOUNT || run.mode == RUN_WORK) {
        prepend(history, run.operation, explore_choices(&run), run.choice_count);
    }
    if (run.mode == RUN_LOAD) {
        return prepend_path(history, explore->arrivals.items[explore->taken].base, run.source) &&
               prepend_arrival(history, explore->taken);
    }
    const struct session session = explore->sessions.items[explore->session];
    if (run.mode == RUN_WORK) {
        good = good && prepend_mount(history, &session, run.mounted);
    }
    return good && prepend_session(history, &session) && prepend_arrival(history, session.arrival);
}

static void print_history(const struct history *history, char *text, size_t text_bytes)
{
    text[0] = '\0';
    for (uint32_t i = history->count; i > 0; i--) {
        const struct piece *piece = &history->pieces[i - 1];
        const size_t length = strlen(text);
        const char *dash = length > 0 ? "-" : "";
        const char *tilde = piece->digit_count > 0 ? "~" : "";
        if (piece->variant == LINK_NONE) {
            snprintf(text + length, text_bytes - length, "%send%s%s", dash, tilde, piece->digits);
        } else {
            snprintf(text + length, text_bytes - length, "%s%x.%x%s%s", dash,
                     (unsigned)piece->operation, (unsigned)piece->variant, tilde, piece->digits);
        }
    }
}

void explore_id(struct explore *explore, char *text, size_t text_bytes)
{
    struct history *history = calloc(1, sizeof *history);
    CHECK(history != NULL);
    history->explore = explore;
    text[0] = '\0';
    if (trace_back(history, LINK_NONE)) {
        print_history(history, text, text_bytes);
    }
    free(history);
}

static bool parse_segment(const char **text, struct segment *segment)
{
    const char *at = *text;
    char *end;
    memset(segment, 0, sizeof *segment);
    segment->end = strncmp(at, "end", 3) == 0;
    if (segment->end) {
        at += 3;
    } else {
        if (!isxdigit((unsigned char)*at)) {
            return false;
        }
        segment->operation = (uint32_t)strtoul(at, &end, 16);
        if (*end != '.' || !isxdigit((unsigned char)end[1])) {
            return false;
        }
        segment->variant = (uint32_t)strtoul(end + 1, &end, 16);
        at = end;
    }
    if (*at == '~') {
        for (at++; *at >= '0' && *at < '0' + FLASH_READING_COUNT; at++) {
            if (segment->choice_count == RUN_CHOICES_MAX) {
                return false;
            }
            segment->choices[segment->choice_count++] = (uint8_t)(*at - '0');
        }
    }
    const bool more = *at == '-' && !segment->end;
    *text = at + (more ? 1 : 0);
    return more ? (*text)[0] != '\0' : *at == '\0';
}

/* ---- Again ----------------------------------------------------------------------------------- */

/* One run. What the cut leaves takes the place of flash and state. False: there is no such cut. */
static bool again(struct explore *explore, const struct segment *segment, struct flash **flash,
                  struct life_state *state)
{
    struct run *run = &explore->run;
    run->choice_fixed = segment->choice_count;
    memcpy(run->choices, segment->choices, sizeof run->choices);
    run->cut_operation = segment->operation;
    run->cut_variant = segment->variant;
    explore_begin(explore, segment->end ? RUN_TELL : RUN_CUT_AT, *flash, state, 0);
    const int escape = setjmp(run->escape);
    if (escape == ESCAPE_NONE) {
        explore_live(explore);
    }
    flash_drop(run->flash);
    run->flash = NULL;
    if (segment->end || escape == ESCAPE_BROKEN) {
        explore_end(explore);
        return true;
    }
    if (run->left == NULL) {
        explore_end(explore);
        return false;
    }
    flash_drop(*flash);
    *flash = run->left;
    *state = run->left_state;
    run->mode = RUN_TELL; /* what is left is judged */
    if (setjmp(run->escape) == 0) {
        explore_judge_image(explore, *flash, 0, state);
    }
    explore_end(explore);
    run->depth++;
    return true;
}

static void write_image(const struct flash *flash, FILE *file)
{
    for (uint32_t i = 0; i < flash->profile.geometry.sector_count; i++) {
        (void)fwrite(flash->sectors[i]->cells, 1, flash->profile.geometry.sector_bytes, file);
    }
}

bool explore_replay(struct explore *explore, const char *id, FILE *file, FILE *image,
                    struct explore_result *result, char *error, size_t error_bytes)
{
    struct life_state state;
    struct segment segment = {.end = false};
    memset(result, 0, sizeof *result);
    explore->result = result;
    explore->options.masked = false;
    explore->options.depth = EXPLORE_NO_BOUND;
    explore->run.depth = 0;
    if (explore_live_before(explore) != ESCAPE_NONE) { /* whatever the id says */
        flash_free(explore->root);
        explore->root = NULL;
        explore->run.file = file;
        (void)explore_live_before(explore);
        explore->run.file = NULL;
        return true;
    }
    explore->run.file = file;
    struct flash *flash = explore_root(explore, &state);
    bool good = true, more = true;
    uint32_t count = 0;
    while (good && more && result->verdict != EXPLORE_VIOLATED) {
        const char *begin = id;
        good = parse_segment(&id, &segment);
        if (!good) {
            snprintf(error, error_bytes,
                     "'%.80s' is no part of a replay id; it looks like 1f.3-22.0~01-end", begin);
        } else {
            good = again(explore, &segment, &flash, &state);
            more = *id != '\0';
            count++;
            if (!good && explore->options.lives_on) {
                segment.end = good = true;
                more = false;
                result->nowhere = count;
                (void)again(explore, &segment, &flash, &state);
            }
            if (!good) {
                snprintf(error, error_bytes,
                         "this life has no operation %x there, or no cut %x in it: is it the id of "
                         "another life, part or build?",
                         (unsigned)segment.operation, (unsigned)segment.variant);
            }
        }
    }
    if (good && image != NULL) {
        write_image(flash, image);
    }
    flash_drop(flash);
    explore->run.file = NULL;
    return good;
}

/* ---- The way to a dump ----------------------------------------------------------------------- */

/* Units in which a sector and the dump differ; what is uncertain may be either. */
static uint32_t sector_distance(const struct explore *explore, const struct flash_sector *sector,
                                uint32_t number)
{
    const struct flash_geometry *geometry = &explore->profile.geometry;
    const uint32_t unit = geometry->program_bytes;
    const uint8_t *dump = explore->options.dump + (size_t)number * geometry->sector_bytes;
    uint32_t differ = 0;
    for (uint32_t at = 0; at < geometry->sector_bytes; at += unit) {
        uint8_t bits = 0;
        for (uint32_t i = at; i < at + unit; i++) {
            const uint8_t mask = sector->uncertain == NULL ? 0 : sector->uncertain[i];
            bits |= (uint8_t)((sector->cells[i] ^ dump[i]) & ~mask);
        }
        const bool poisoned = sector->poison != NULL && sector->poison[at / unit] != 0;
        differ += bits != 0 && !poisoned;
    }
    return differ;
}

uint32_t explore_distance(struct explore *explore, const struct flash *flash, sector_set skipped)
{
    uint64_t digest[2];
    uint32_t distance = 0;
    if (explore->options.dump == NULL) {
        return 0;
    }
    flash_hash(flash, digest); /* brings the digests of its sectors up to date */
    for (uint32_t i = 0; i < flash->profile.geometry.sector_count; i++) {
        const struct flash_sector *sector = flash->sectors[i];
        const uint64_t name = sector->digest[0] ^ (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        if (sector_set_has(skipped, i)) {
            continue;
        }
        uint32_t units = map_find(&explore->distances, name);
        if (units == MAP_NONE) {
            units = sector_distance(explore, sector, i);
            map_put(&explore->distances, name, units);
        }
        distance += units;
    }
    return distance;
}

/* Of the bases that cuts lead to from this one, the nearest to the dump. Remembered. */
static uint32_t nearest_base(struct explore *explore, uint32_t *nearest, uint32_t first)
{
    if (nearest[first] == LINK_NONE) {
        uint32_t best = first;
        explore_walk(explore, first);
        for (uint32_t i = 0; i < explore->queue.count; i++) {
            const uint32_t base = explore->queue.items[i];
            if (explore->bases.items[base].distance < explore->bases.items[best].distance) {
                best = base;
            }
        }
        nearest[first] = best;
    }
    return nearest[first];
}

void explore_nearest(struct explore *explore, struct explore_result *result)
{
    struct history *history = calloc(1, sizeof *history);
    uint32_t *nearest = malloc((explore->bases.count + 1) * sizeof *nearest);
    uint32_t best_arrival = 0, best_base = 0;
    CHECK(history != NULL && nearest != NULL);
    memset(nearest, 0xff, explore->bases.count * sizeof *nearest);
    result->distance = UINT64_MAX;
    for (uint32_t i = 0; explore->options.dump != NULL && i < explore->arrivals.count; i++) {
        const struct arrival *arrival = &explore->arrivals.items[i];
        const uint32_t base = nearest_base(explore, nearest, arrival->base);
        const uint64_t distance = (uint64_t)explore->bases.items[base].distance +
                                  explore->frames.items[arrival->frame].distance;
        const bool is_cut = !arrival->cut.reset || base != arrival->base;
        if (distance < result->distance && is_cut) {
            result->distance = distance;
            best_arrival = i;
            best_base = base;
        }
    }
    history->explore = explore;
    if (explore->options.dump != NULL && explore->arrivals.count > 0 &&
        prepend_path(history, explore->arrivals.items[best_arrival].base, best_base) &&
        prepend_arrival(history, best_arrival)) {
        print_history(history, result->nearest, sizeof result->nearest);
    }
    free(nearest);
    free(history);
}
