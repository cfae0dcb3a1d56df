#define _XOPEN_SOURCE 700 /* realpath */
#include "sim/plan_lua.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/lua_text.h"

static const char *const evidence_names[] = {
#define NAME(NAME, Name) [EVIDENCE_##NAME] = #NAME,
    EVIDENCE_LIST(NAME)
#undef NAME
};

/* ---- words ----------------------------------------------------------------------------------- */

static void write_time(FILE *file, const char *name, uint64_t us)
{
    char text[64];
    duration_print(us, text, sizeof text);
    fprintf(file, ", %s = \"%s\"", name, text);
}

/* ---- settings -------------------------------------------------------------------------------- */

struct section {
    FILE *file;
    char name[32]; /* of the table that is open; "": none */
};

static void end_section(struct section *section)
{
    if (section->name[0] != '\0') {
        fputs(" },\n", section->file);
        section->name[0] = '\0';
    }
}

static void write_value(FILE *file, const char *key, const char *value)
{
    char *path = NULL;
    if (value[0] != '\0' && strspn(value, "0123456789") == strlen(value)) {
        fputs(value, file);
        return;
    }
    if (strcmp(key, "run.readings") == 0) {
        path = realpath(value, NULL);
    }
    lua_text_string(file, path != NULL ? path : value);
    free(path);
}

/* Those of the run stand by themselves, the others in tables; they come section by section. */
static void write_setting(void *ctx, const char *key, const char *value)
{
    struct section *section = ctx;
    const size_t length = strcspn(key, ".");
    const char *name = key + length + 1;
    if (strncmp(key, "faults.", 7) == 0) {
        return; /* what they drew stands among the entries */
    }
    if (strncmp(key, "run.", 4) == 0) {
        end_section(section);
        fprintf(section->file, "    %s = ", name);
        write_value(section->file, key, value);
        fputs(",\n", section->file);
        return;
    }
    if (strlen(section->name) != length || strncmp(section->name, key, length) != 0) {
        end_section(section);
        CHECK(length < sizeof section->name);
        memcpy(section->name, key, length);
        section->name[length] = '\0';
        fprintf(section->file, "    %s = { ", section->name);
    } else {
        fputs(", ", section->file);
    }
    fprintf(section->file, "%s = ", name);
    write_value(section->file, key, value);
}

static void write_settings(const struct settings *settings, FILE *file)
{
    struct section section = {.file = file};
    settings_each(settings, write_setting, &section);
    end_section(&section);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void write_when(const struct plan_entry *entry, FILE *file)
{
    static const char *const phases[] = {"before", "inside", "after"};
    if (entry->when == PLAN_AT || (entry->when != PLAN_NOW && entry->at_us > 0)) {
        write_time(file, "at", entry->at_us);
    }
    if (entry->when == PLAN_OPERATION) {
        fprintf(file, ", operation = \"%s\"", port_operation_name(entry->kind));
    } else if (entry->when == PLAN_EVIDENCE) {
        fprintf(file, ", evidence = \"%s\"", evidence_names[entry->kind]);
    } else {
        return;
    }
    fprintf(file, ", nth = %" PRIu32, entry->nth);
    if (entry->boot != 0) {
        fprintf(file, ", boot = %" PRIu32, entry->boot);
    }
    if (entry->when == PLAN_OPERATION) {
        fprintf(file, ", phase = \"%s\"", phases[entry->phase]);
    }
    if (entry->when == PLAN_OPERATION && entry->phase == PLAN_INSIDE) {
        fprintf(file, ", fraction = %" PRIu32, entry->fraction);
    }
    if (entry->delay_us != 0) {
        write_time(file, "delay", entry->delay_us);
    }
}

/* The inside of a strike's table. */
static void write_strike(const struct plan *plan, const struct plan_entry *entry, FILE *file)
{
    const struct effect_info info = effect_info(entry->effect);
    char name[32];
    fleet_node_name(&plan->settings, entry->target, name, sizeof name);
    fprintf(file, "{ effect = \"%s\", on = \"%s\"", info.name, name);
    if (info.target == EFFECT_TARGET_PAIR && entry->other != PLAN_ANY) {
        fleet_node_name(&plan->settings, entry->other, name, sizeof name);
        fprintf(file, ", other = \"%s\"", name);
    }
    write_when(entry, file);
    if (info.lasts == EFFECT_LASTS_DURATION) {
        write_time(file, "lasts", entry->lasts_us);
    }
    if (info.amount == EFFECT_AMOUNT_us) {
        char text[64];
        duration_print(entry->amount < 0 ? (uint64_t)-entry->amount : (uint64_t)entry->amount, text,
                       sizeof text);
        fprintf(file, ", amount = \"%s%s\"", entry->amount < 0 ? "-" : "", text);
    } else if (info.amount != EFFECT_AMOUNT_none) {
        fprintf(file, ", amount = %" PRId64, entry->amount);
    }
    fputs(" }", file);
}

static void write_note(const struct plan_lua *scenario, uint32_t entry, FILE *file)
{
    if (scenario->notes != NULL && scenario->notes[entry] != NULL) {
        lua_text_comment(file, "        ", scenario->notes[entry]);
    }
}

static void write_placed(const struct plan_lua *scenario, FILE *file)
{
    const struct plan *plan = scenario->plan;
    bool any = false;
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        if (plan->entries[i].when == PLAN_NOW) {
            continue;
        }
        fputs(any ? "" : "\n    strikes = {\n", file);
        any = true;
        write_note(scenario, i, file);
        fputs("        ", file);
        write_strike(plan, &plan->entries[i], file);
        fputs(",\n", file);
    }
    fputs(any ? "    },\n" : "", file);
}

static void write_filed(const struct plan_lua *scenario, FILE *file)
{
    const struct plan *plan = scenario->plan;
    uint64_t now_us = 0;
    bool any = false;
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        const struct plan_entry *entry = &plan->entries[i];
        if (entry->when != PLAN_NOW) {
            continue;
        }
        fputs(any ? "" : "\n    run = function(w)\n", file);
        any = true;
        write_note(scenario, i, file);
        if (entry->filed_us > now_us) {
            char text[64];
            duration_print(entry->filed_us - now_us, text, sizeof text);
            fprintf(file, "        w:sleep(\"%s\")\n", text);
            now_us = entry->filed_us;
        }
        fputs("        w:strike(", file);
        write_strike(plan, entry, file);
        fputs(")\n", file);
    }
    fputs(any ? "    end,\n" : "", file);
}

static void write_expectations(const struct plan *plan, FILE *file)
{
    static const char *const comparisons[] = {"<", "<=", "==", ">=", ">"};
    if (plan->expectation_count == 0) {
        return;
    }
    fputs("\n    expect = {\n", file);
    for (uint32_t i = 0; i < plan->expectation_count; i++) {
        const struct plan_expectation *expectation = &plan->expectations[i];
        fprintf(file, "        { \"%s\", \"%s\", %" PRIu64 " },\n",
                figure_name(expectation->figure), comparisons[expectation->comparison],
                expectation->number);
    }
    fputs("    },\n", file);
}

bool plan_lua_write(const struct plan_lua *scenario, FILE *file)
{
    lua_text_comment(file, "", scenario->question);
    lua_text_comment(file, "", scenario->head);
    fputs("\n---@type Scenario\nreturn {\n", file);
    write_settings(&scenario->plan->settings, file);
    write_placed(scenario, file);
    write_filed(scenario, file);
    write_expectations(scenario->plan, file);
    fputs("}\n", file);
    return fflush(file) == 0 && ferror(file) == 0;
}
