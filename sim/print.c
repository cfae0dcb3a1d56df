#include "sim/print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/hash.h"
#include "sim/heal_core.h"

enum { STORY_LINES = 40, TEXT_WIDTH = 96, NAME_WIDTH = 22, HEALED_BYTES = 400 };

/* ---- small things ---------------------------------------------------------------------------- */

void print_begin(struct print *print, FILE *file)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    print->file = file;
    print->colour = isatty(fileno(file)) == 1 && (no_color == NULL || no_color[0] == '\0') &&
                    (term == NULL || strcmp(term, "dumb") != 0);
}

void print_paint(const struct print *print, enum print_colour colour, const char *text)
{
    static const char *const codes[] = {"1;32", "1;31", "33", "2", "1"};
    if (print->colour) {
        fprintf(print->file, "\033[%sm%s\033[0m", codes[colour], text);
    } else {
        fputs(text, print->file);
    }
}

void print_verdict(const struct print *print, enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_PASS:
        print_paint(print, PRINT_GOOD, "PASS");
        return;
    case VERDICT_FAIL:
        print_paint(print, PRINT_BAD, "FAIL");
        return;
    case VERDICT_USAGE:
        print_paint(print, PRINT_BAD, "WRONG SCENARIO");
        return;
    case VERDICT_NONDETERMINISTIC:
        print_paint(print, PRINT_BAD, "NOT DETERMINISTIC");
        return;
    case VERDICT_HARNESS:
        print_paint(print, PRINT_BAD, "HARNESS FAILED");
        return;
    case VERDICT_UNKNOWN:
        print_paint(print, PRINT_ODD, "UNKNOWN");
        return;
    }
}

void print_time(uint64_t us, char *text, size_t text_bytes)
{
    snprintf(text, text_bytes, "+%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%06" PRIu64,
             us / 3600000000u, us / 60000000u % 60, us / 1000000u % 60, us % 1000000u);
}

void print_word(char *line, size_t line_bytes, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_./=:,+@%";
    size_t at = strlen(line);
    const bool quoted = *word == '\0' || strspn(word, plain) != strlen(word);
    const char *parts[2] = {at == 0 ? "" : " ", quoted ? "'" : ""};
    for (unsigned i = 0; i < 2; i++) {
        at += (size_t)snprintf(line + at, line_bytes - at, "%s", parts[i]);
    }
    for (; *word != '\0' && at + 6 < line_bytes; word++) {
        at += (size_t)snprintf(line + at, line_bytes - at, *word == '\'' ? "'\\''" : "%c", *word);
    }
    if (quoted) {
        snprintf(line + at, line_bytes - at, "'");
    }
}

/* Heading of a section. */
static void heading(const struct print *print, const char *text)
{
    fputc('\n', print->file);
    print_paint(print, PRINT_STRONG, text);
    fputc('\n', print->file);
}

/* Names one after the other, broken into lines. */
struct list {
    const struct print *print;
    int column;
    bool any;
};

static void list_add(struct list *list, const char *name)
{
    const int length = (int)strlen(name) + 2;
    if (list->any) {
        fputs(",", list->print->file);
        if (list->column + length > TEXT_WIDTH) {
            fputs("\n   ", list->print->file);
            list->column = 3;
        }
    }
    fprintf(list->print->file, " %s", name);
    list->column += length;
    list->any = true;
}

/* ---- sections -------------------------------------------------------------------------------- */

void totals_add(struct totals *totals, const struct run_result *result)
{
    for (unsigned i = 0; i < LAW_COUNT; i++) {
        totals->exercised[i] += result->exercised[i];
        totals->is_void[i] += result->is_void[i] ? 1 : 0;
    }
    if (result->violated) {
        totals->broken[result->violation.law]++;
    }
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        totals->filed[i] += result->filed[i];
        totals->fired[i] += result->fired[i];
    }
    for (unsigned i = 0; i < PROBE_COUNT; i++) {
        totals->probes[i] += result->probes[i];
    }
    for (unsigned i = 0; i < FIGURE_COUNT; i++) {
        const uint64_t figure = result->figures[i];
        if (figure == FIGURE_UNKNOWN) {
            continue;
        }
        totals->told[i]++;
        if (strcmp(figure_unit((enum figure)i), "us") != 0) {
            totals->figures[i] += figure;
        } else if (figure > totals->figures[i]) {
            totals->figures[i] = figure;
        }
    }
}

uint32_t totals_probes(const struct totals *totals)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < PROBE_COUNT; i++) {
        count += totals->probes[i] > 0 ? 1 : 0;
    }
    return count;
}

static void law_state(const struct print *print, const struct totals *totals, unsigned law,
                      uint64_t runs)
{
    char text[80];
    if (totals->broken[law] > 0) {
        snprintf(text, sizeof text, runs == 1 ? "BROKEN" : "BROKEN in %" PRIu64 " of %" PRIu64,
                 totals->broken[law], runs);
        print_paint(print, PRINT_BAD, text);
    } else if (totals->exercised[law] == 0) {
        print_paint(print, PRINT_DIM, "not exercised");
    } else if (totals->is_void[law] > 0) {
        snprintf(text, sizeof text,
                 runs == 1 ? "void in part" : "held; void in part in %" PRIu64 " of %" PRIu64,
                 totals->is_void[law], runs);
        print_paint(print, PRINT_ODD, text);
    } else {
        fputs("held", print->file);
    }
}

void print_laws(const struct print *print, const struct totals *totals, uint64_t runs)
{
    heading(print, "laws                       exercised");
    for (unsigned i = 0; i < LAW_COUNT; i++) {
        fprintf(print->file, "  %-*s %11" PRIu64 "  ", NAME_WIDTH, law_name((enum law)i),
                totals->exercised[i]);
        law_state(print, totals, i, runs);
        fputc('\n', print->file);
    }
}

void print_faults(const struct print *print, const struct totals *totals)
{
    bool any = false;
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        if (totals->filed[i] == 0 && totals->fired[i] == 0) {
            continue;
        }
        if (!any) {
            heading(print, "faults                         filed       fired");
        }
        any = true;
        fprintf(print->file, "  %-*s %11" PRIu64 " %11" PRIu64 "%s\n", NAME_WIDTH,
                effect_info((enum effect)i).name, totals->filed[i], totals->fired[i],
                totals->fired[i] == 0 ? "  never fired" : "");
    }
    if (!any) {
        heading(print, "faults");
        fputs("  none\n", print->file);
    }
}

void print_probes(const struct print *print, const struct totals *totals)
{
    struct list list = {print, TEXT_WIDTH / 2, false};
    unsigned reached = 0;
    for (unsigned i = 0; i < PROBE_COUNT; i++) {
        reached += totals->probes[i] > 0 ? 1u : 0u;
    }
    heading(print, "probes");
    fprintf(print->file, "  %u of %d interesting states were reached", reached, PROBE_COUNT);
    if (reached < PROBE_COUNT) {
        fputs("; not", print->file);
    }
    for (unsigned i = 0; i < PROBE_COUNT; i++) {
        if (totals->probes[i] == 0) {
            list_add(&list, probe_name((enum probe)i));
        }
    }
    fputc('\n', print->file);
}

/* Two columns; what stayed zero is left out. */
static void print_figures(const struct print *print, const struct totals *totals)
{
    unsigned shown = 0;
    heading(print, "figures");
    for (unsigned i = 0; i < FIGURE_COUNT; i++) {
        if (totals->figures[i] != 0) {
            fprintf(print->file, "%s%-16s %12" PRIu64 " %-11s", shown % 2 == 0 ? "  " : "   ",
                    figure_name((enum figure)i), totals->figures[i], figure_unit((enum figure)i));
            fputs(shown % 2 == 0 ? "" : "\n", print->file);
            shown++;
        }
    }
    fputs(shown % 2 == 0 ? "" : "\n", print->file);
}

/* In thousandths, so that no figure needs a fraction. */
static void per_reading(const struct print *print, const struct totals *totals, enum figure figure,
                        const char *text)
{
    const uint64_t accepted = totals->figures[FIGURE_accepted];
    const uint64_t number = totals->figures[figure];
    fprintf(print->file, "%" PRIu64 ".%03" PRIu64 " %s", number / accepted,
            number % accepted * 1000 / accepted, text);
}

void print_per_reading(const struct print *print, const struct totals *totals)
{
    if (totals->figures[FIGURE_accepted] == 0) {
        return;
    }
    fputs("per delivered reading: ", print->file);
    per_reading(print, totals, FIGURE_air_bytes, "bytes on air, ");
    per_reading(print, totals, FIGURE_signatures, "signatures, ");
    per_reading(print, totals, FIGURE_flash_erases, "flash erases\n");
}

/* ---- the story of a failure ------------------------------------------------------------------ */

struct story {
    const struct print *print;
    const struct settings *settings;
    uint64_t count, skip;
};

static void count_story(void *ctx, const struct world_item *item)
{
    struct story *story = ctx;
    story->count += trace_is_story(item) ? 1u : 0u;
}

static void tell_story(void *ctx, const struct world_item *item)
{
    struct story *story = ctx;
    char text[256];
    if (!trace_is_story(item)) {
        return;
    }
    if (story->skip > 0) {
        story->skip--;
        return;
    }
    world_item_print(story->settings, item, text, sizeof text);
    if (item->kind == ITEM_EVIDENCE) {
        fprintf(story->print->file, "%s\n", text);
    } else {
        print_paint(story->print, PRINT_ODD, text);
        fputc('\n', story->print->file);
    }
}

void print_story(const struct print *print, const struct settings *settings, struct trace *trace,
                 uint32_t lines)
{
    struct story story = {print, settings, 0, 0};
    (void)trace_each(trace, count_story, &story);
    story.skip = story.count > lines ? story.count - lines : 0;
    (void)trace_each(trace, tell_story, &story);
}

/* ---- one run --------------------------------------------------------------------------------- */

static void print_violation(const struct print *print, const struct run_result *result)
{
    const struct violation *violation = &result->violation;
    const struct observation *observation = &violation->observation;
    char time[40], node[32], device[32];
    print_time(observation->time_us, time, sizeof time);
    fleet_node_name(&result->plan.settings, observation->node, node, sizeof node);
    fleet_node_name(&result->plan.settings, observation->device, device, sizeof device);
    fprintf(print->file, "  law      %s: %s\n", law_name(violation->law),
            law_statement(violation->law));
    fprintf(print->file, "  where    event %" PRIu64 " at %s, node %s", observation->event, time,
            node);
    if (observation->device != 0) {
        fprintf(print->file, ": reading %s epoch %" PRIu32 " counter %" PRIu64, device,
                observation->epoch, observation->counter);
    }
    fputc('\n', print->file);
    if (result->check_text[0] != '\0') {
        fprintf(print->file, "  check    %s\n", result->check_text);
    } else {
        fprintf(print->file, "  why      %s: expected %" PRIu64 ", is %" PRIu64 "\n",
                violation->what, violation->expected, violation->actual);
    }
}

static void print_headline(const struct print *print, const struct report *report)
{
    const struct run_result *result = report->result;
    if (report->stopped) {
        char time[40];
        print_time(result->sim_us, time, sizeof time);
        print_paint(print, PRINT_ODD, "STOPPED");
        fprintf(print->file, "  before event %" PRIu64 ", at %s\n", result->events, time);
        return;
    }
    print_verdict(print, result->verdict);
    fprintf(print->file, "  %s\n", result->message[0] == '\0' ? "all laws held" : result->message);
    if (result->violated) {
        print_violation(print, result);
    }
}

static void print_pace(const struct print *print, const struct run_result *result)
{
    char time[40];
    print_time(result->sim_us, time, sizeof time);
    fprintf(print->file, "%" PRIu64 " events, %s simulated in %" PRIu64 ".%02" PRIu64 " s",
            result->events, time + 1, result->wall_us / 1000000, result->wall_us / 10000 % 100);
    if (result->wall_us > 0) {
        fprintf(print->file, " (%" PRIu64 " events/s)", result->events * 1000000 / result->wall_us);
    }
    fputc('\n', print->file);
}

static void print_drawn(void *ctx, const char *key, const char *value)
{
    const struct print *print = ctx;
    fprintf(print->file, "  %s=%s\n", key, value);
}

static void print_healed(const struct print *print, const struct plan *plan)
{
    char text[HEALED_BYTES];
    heal_core_print(plan, text, sizeof text);
    if (text[0] != '\0') {
        fprintf(print->file, "healed  %s\n", text);
    }
}

void print_report(const struct print *print, struct report *report)
{
    const struct run_result *result = report->result;
    struct totals totals;
    char hash[HASH_TEXT_BYTES];
    memset(&totals, 0, sizeof totals);
    totals_add(&totals, result);
    if (report->trace != NULL && (result->violated || report->stopped)) {
        print_story(print, &result->plan.settings, report->trace, STORY_LINES);
        fputc('\n', print->file);
    }
    print_headline(print, report);
    if (result->swarm) {
        heading(print, "drawn by the swarm, and set");
        settings_each(&result->plan.settings, print_drawn, (void *)(uintptr_t)print);
    }
    if (result->events > 0) {
        if (!report->stopped) {
            print_laws(print, &totals, 1);
            print_figures(print, &totals);
            print_faults(print, &totals);
            print_probes(print, &totals);
            fputc('\n', print->file);
            print_healed(print, &result->plan);
            print_per_reading(print, &totals);
        }
        print_pace(print, result);
        hash_print(result->digest, hash);
        fprintf(print->file, "hash    %s\n", hash);
    }
    if (report->run_id != 0) {
        fprintf(print->file, "run     %" PRId64 " in %s\n", report->run_id, report->db);
    }
    if (report->replay[0] != '\0') {
        fputs("replay  ", print->file);
        print_paint(print, PRINT_STRONG, report->replay);
        fputc('\n', print->file);
    }
}
