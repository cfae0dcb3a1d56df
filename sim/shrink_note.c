#include "sim/shrink_note.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/print.h"

struct listener {
    struct shrink_notes *notes;
    const struct settings *settings;
    struct world_item *words; /* [node]: the last evidence that it said */
    uint32_t node_count;
    bool *said;
};

/* "+00:05:12.345678 dev3 SEND ...", without the index of the event in front. */
static void print_item(const struct settings *settings, const struct world_item *item, char *text,
                       size_t text_bytes)
{
    char line[256];
    world_item_print(settings, item, line, sizeof line);
    const char *plus = strchr(line, '+');
    size_t length = 0;
    /* Columns are for lists. */
    for (const char *at = plus == NULL ? line : plus; *at != '\0' && length + 1 < text_bytes;
         at++) {
        if (*at != ' ' || at[1] != ' ') {
            text[length++] = *at;
        }
    }
    text[length] = '\0';
}

static void note_effect(struct listener *listener, const struct world_item *item)
{
    char *note = listener->notes->hits[item->a];
    char time[40], word[256];
    if (note[0] != '\0') {
        return;
    }
    print_time(item->time_us, time, sizeof time);
    if (item->node <= listener->node_count && listener->said[item->node]) {
        print_item(listener->settings, &listener->words[item->node], word, sizeof word);
        snprintf(note, SHRINK_NOTE_BYTES, "Strikes at %s, event %" PRIu64 "; the last word was %s",
                 time, item->event, word);
    } else {
        snprintf(note, SHRINK_NOTE_BYTES, "Strikes at %s, event %" PRIu64 ", before any word", time,
                 item->event);
    }
}

static void hear(void *ctx, const struct world_item *item)
{
    struct listener *listener = ctx;
    if (item->kind == ITEM_EVIDENCE && item->node <= listener->node_count) {
        listener->words[item->node] = *item;
        listener->said[item->node] = true;
    } else if (item->kind == ITEM_EFFECT && item->b == 0 && item->a < listener->notes->count) {
        note_effect(listener, item);
    }
}

static void note_bad(struct shrink_notes *notes, const struct plan *plan,
                     const struct run_result *result)
{
    const struct violation *violation = &result->violation;
    const struct observation *bad = &violation->observation;
    char time[40], node[32], device[32], reading[120] = "";
    if (!result->violated) {
        snprintf(notes->bad, sizeof notes->bad, "What is wrong: %.300s\n", result->message);
        return;
    }
    print_time(bad->time_us, time, sizeof time);
    fleet_node_name(&plan->settings, bad->node, node, sizeof node);
    fleet_node_name(&plan->settings, bad->device, device, sizeof device);
    if (bad->device != 0) {
        snprintf(reading, sizeof reading, ", %s epoch %" PRIu32 " counter %" PRIu64, device,
                 bad->epoch, bad->counter);
    }
    snprintf(notes->bad, sizeof notes->bad, "%s: %s\nFirst bad: %s %s, %s%s, event %" PRIu64 "\n",
             law_name(violation->law), law_statement(violation->law), time, node,
             world_said_name(bad->kind), reading, bad->event);
    const size_t length = strlen(notes->bad);
    if (result->check_text[0] != '\0') {
        snprintf(notes->bad + length, sizeof notes->bad - length, "%s\n", result->check_text);
    } else {
        snprintf(notes->bad + length, sizeof notes->bad - length,
                 "%s: expected %" PRIu64 ", is %" PRIu64 "\n", violation->what, violation->expected,
                 violation->actual);
    }
}

void shrink_notes_make(struct shrink_notes *notes, const struct plan *plan, uint64_t events_max)
{
    struct listener listener = {notes, &plan->settings, NULL, fleet_node_count(&plan->settings),
                                NULL};
    struct run_request request;
    struct run_result result;
    memset(notes, 0, sizeof *notes);
    notes->count = plan->entry_count;
    notes->hits = calloc(notes->count + 1, sizeof *notes->hits);
    notes->lines = calloc(notes->count + 1, sizeof *notes->lines);
    listener.words = calloc(listener.node_count + 1, sizeof *listener.words);
    listener.said = calloc(listener.node_count + 1, sizeof *listener.said);
    CHECK(notes->hits != NULL && notes->lines != NULL);
    CHECK(listener.words != NULL && listener.said != NULL);
    run_request_init(&request);
    request.plan = plan;
    request.until_event = events_max;
    request.options.item = hear;
    request.options.item_ctx = &listener;
    run(&request, &result);
    for (uint32_t i = 0; i < notes->count; i++) {
        if (notes->hits[i][0] == '\0') {
            snprintf(notes->hits[i], SHRINK_NOTE_BYTES,
                     "Does not strike before the failure; that it is armed moves something");
        }
        notes->lines[i] = notes->hits[i];
    }
    note_bad(notes, plan, &result);
    run_result_free(&result);
    free(listener.words);
    free(listener.said);
}

void shrink_notes_free(struct shrink_notes *notes)
{
    free(notes->hits);
    free(notes->lines);
}

void shrink_question(const struct plan *plan, const char *what, char *text, size_t text_bytes)
{
    enum { SHOWN = 3 };
    size_t length = (size_t)snprintf(text, text_bytes, "Does %s", what);
    for (uint32_t i = 0; i < plan->entry_count && i < SHOWN && length < text_bytes; i++) {
        char node[32];
        const bool last = i + 1 == plan->entry_count && i > 0;
        fleet_node_name(&plan->settings, plan->entries[i].target, node, sizeof node);
        length += (size_t)snprintf(text + length, text_bytes - length, "%s%s of %s",
                                   i == 0 ? " under "
                                   : last ? " and "
                                          : ", ",
                                   effect_info(plan->entries[i].effect).name, node);
    }
    if (length < text_bytes) {
        snprintf(text + length, text_bytes - length, "%s?",
                 plan->entry_count == 0      ? " where no fault strikes"
                 : plan->entry_count > SHOWN ? ", and more"
                                             : "");
    }
}
