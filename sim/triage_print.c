/* Triage as text for people, and as Markdown for a pull request or a job's summary. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/command.h"
#include "sim/print.h"
#include "sim/triage.h"

/* "3.2 %", "below 0.1 %" */
static void percent(double share, char *text, size_t text_bytes)
{
    if (share > 0 && share < 0.001) {
        snprintf(text, text_bytes, "below 0.1 %%");
    } else {
        snprintf(text, text_bytes, "%.1f %%", share * 100);
    }
}

void triage_confidence(const struct triage *triage, const struct triage_group *group, char *text,
                       size_t text_bytes)
{
    char share[32];
    text[0] = '\0';
    if (group->state == TRIAGE_NEW) {
        return;
    }
    if (group->failures_now > 0) {
        percent((double)group->failures / (double)group->runs, share, sizeof share);
        snprintf(text, text_bytes, "fails in %" PRIu64 " of %" PRIu64 " runs since %s (%s)",
                 group->failures, group->runs, triage->revisions[group->first_revision].name,
                 share);
        return;
    }
    if (group->clean == 0) {
        snprintf(text, text_bytes, "its scenarios were not run again since %s",
                 triage->revisions[group->clean_since].name);
        return;
    }
    percent(group->chance, share, sizeof share);
    snprintf(text, text_bytes,
             "%" PRIu64 " clean runs since %s; were it as it was, that would be %s likely%s",
             group->clean, triage->revisions[group->clean_since].name, share,
             group->state == TRIAGE_RESOLVED ? "" : ": too likely to call it resolved");
}

static const char *scenario_name(const struct triage *triage, uint32_t arm)
{
    const char *scenario = triage->arms[arm].scenario;
    return scenario[0] == '\0' ? "(a plan)" : scenario;
}

/* Those that the group's failures are of, each once, with commas. Arms stand in the order of their
 * scenarios. */
static void print_scenarios(const struct triage *triage, const struct triage_group *group,
                            FILE *file)
{
    const char *last = "";
    for (uint32_t arm = 0; arm < triage->arm_count; arm++) {
        bool failed = false;
        for (uint32_t i = 0; i < group->count && !failed; i++) {
            failed = triage->failures[group->first + i].arm == arm;
        }
        const char *name = scenario_name(triage, arm);
        if (failed && strcmp(name, last) != 0) {
            fprintf(file, "%s%s", last[0] == '\0' ? "" : ", ", name);
            last = name;
        }
    }
}

static void print_seed(const struct triage_print *print, const char *title, uint32_t index,
                       const char *before, const char *after, FILE *file)
{
    char line[COMMAND_LINE_BYTES];
    const struct triage_failure *failure = &print->triage->failures[index];
    command_replay_line(line, sizeof line, failure->run, print->db);
    fprintf(file, "%s%s%s  # %s: faults %" PRIu64 ", events %" PRIu64 ", seed %" PRIu64 "\n",
            before, line, after, title, failure->faults, failure->events, failure->seed);
}

static void print_seeds(const struct triage_print *print, const struct triage_group *group,
                        const char *before, FILE *file)
{
    if (group->fewest == group->fastest) {
        print_seed(print, "fewest faults and fastest", group->fewest, before, "", file);
    } else {
        print_seed(print, "fewest faults", group->fewest, before, "", file);
        print_seed(print, "fastest", group->fastest, before, "", file);
    }
}

/* "first bad evidence: ACK of a cloud" */
static void print_evidence(const struct triage_subject *subject, FILE *file)
{
    if (strcmp(subject->evidence, "-") == 0 && strcmp(subject->role, "-") == 0) {
        fputs("no piece of evidence shows it", file);
    } else if (strcmp(subject->evidence, "-") == 0) {
        fprintf(file, "first bad evidence: not kept, of a %s", subject->role);
    } else {
        fprintf(file, "first bad evidence: %s, of a %s", subject->evidence, subject->role);
    }
}

static void print_cone(const char *cone, FILE *file)
{
    if (strcmp(cone, "-") == 0) {
        fputs("no fault near it", file);
    } else if (strcmp(cone, "?") == 0) {
        fputs("faults near it not known", file);
    } else {
        fprintf(file, "after %s", cone);
    }
}

static bool is_first_of_cause(const struct triage *triage, uint32_t index)
{
    return index == 0 || strncmp(triage->groups[index].key, triage->groups[index - 1].key,
                                 TRIAGE_CAUSE_DIGITS) != 0;
}

static void print_cause(const struct triage *triage, const struct triage_group *group, FILE *file)
{
    const struct triage_subject *subject = triage->failures[group->first].subject;
    fprintf(file, "\n%s: %s\n  ", subject->law, subject->what);
    print_evidence(subject, file);
    fprintf(file, "; failures: %" PRIu64 "\n", group->cause_failures);
}

static void print_unused(const struct triage_print *print, const char *before, FILE *file)
{
    for (uint32_t i = 0; print->known != NULL && i < print->known->count; i++) {
        const struct triage_known_line *line = &print->known->lines[i];
        if (!line->used) {
            fprintf(file, "%s%s is known (%s) and not in this database\n", before, line->key,
                    line->reason);
        }
    }
}

static void print_heading(const struct triage_print *print, FILE *file)
{
    const struct triage *triage = print->triage;
    fprintf(file, "%" PRIu64 " runs, %" PRIu64 " of them now; revisions: %" PRIu32, triage->runs,
            triage->runs_now, triage->revision_count);
    if (triage->revision_count > 0) {
        fprintf(file, ", the last is %s", triage->revisions[triage->revision_count - 1].name);
    }
    fprintf(file,
            "\nfailures: %" PRIu32 ", complaints: %" PRIu32 ", groups: %" PRIu32
            "; groups that fail now and are not known: %" PRIu32 "\n",
            triage->failure_count, triage->cause_count, triage->group_count,
            triage_new_count(triage));
}

void triage_print_text(const struct triage_print *print, FILE *file)
{
    const struct triage *triage = print->triage;
    char sure[400];
    print_heading(print, file);
    for (uint32_t i = 0; i < triage->group_count; i++) {
        const struct triage_group *group = &triage->groups[i];
        if (is_first_of_cause(triage, i)) {
            print_cause(triage, group, file);
        }
        fprintf(file, "  %-8s  %s  ", triage_state_name(group->state), group->key);
        print_cone(triage->failures[group->first].subject->cone, file);
        fprintf(file, "\n            failed: %" PRIu64 ", of them now: %" PRIu64 "; ",
                group->failures, group->failures_now);
        print_scenarios(triage, group, file);
        fputc('\n', file);
        triage_confidence(triage, group, sure, sizeof sure);
        if (sure[0] != '\0') {
            fprintf(file, "            %s\n", sure);
        }
        if (group->reason != NULL) {
            fprintf(file, "            known: %s%s\n", group->reason,
                    group->state == TRIAGE_RESOLVED ? " (resolved: its line may go)" : "");
        }
        print_seeds(print, group, "            ", file);
    }
    print_unused(print, "\n", file);
}

/* ---- Markdown -------------------------------------------------------------------------------- */

/* In a table's cell: what would be read as form is not. */
static void print_cell(const char *text, FILE *file)
{
    for (; *text != '\0'; text++) {
        if (strchr("\\`*_{}[]<>#|&~", *text) != NULL) {
            fputc('\\', file);
        }
        fputc((unsigned char)*text < ' ' ? ' ' : *text, file);
    }
}

void triage_print_markdown(const struct triage_print *print, FILE *file)
{
    const struct triage *triage = print->triage;
    char sure[400];
    fputs("## brownout triage\n\n", file);
    print_heading(print, file);
    if (triage->group_count > 0) {
        fputs("\n| state | key | law | what | evidence | failures (now) |\n"
              "|---|---|---|---|---|---|\n",
              file);
    }
    for (uint32_t i = 0; i < triage->group_count; i++) {
        const struct triage_group *group = &triage->groups[i];
        const struct triage_subject *subject = triage->failures[group->first].subject;
        fprintf(file, "| %s%s | `%s` | `%s` | ", triage_state_name(group->state),
                group->reason != NULL ? ", known" : "", group->key, subject->law);
        print_cell(subject->what, file);
        fputs(" | ", file);
        char *evidence = NULL;
        size_t size;
        FILE *memory = open_memstream(&evidence, &size);
        if (memory != NULL) {
            print_evidence(subject, memory);
            fputs("; ", memory);
            print_cone(subject->cone, memory);
            fclose(memory);
            print_cell(evidence, file);
        }
        free(evidence);
        fprintf(file, " | %" PRIu64 " (%" PRIu64 ") |\n", group->failures, group->failures_now);
    }
    for (uint32_t i = 0; i < triage->group_count; i++) {
        const struct triage_group *group = &triage->groups[i];
        triage_confidence(triage, group, sure, sizeof sure);
        fprintf(file, "\n`%s`", group->key);
        if (group->reason != NULL) {
            fputs(", known: ", file);
            print_cell(group->reason, file);
        }
        if (sure[0] != '\0') {
            fputs(": ", file);
            print_cell(sure, file);
        }
        fputs("\n\n```\n", file);
        print_seeds(print, group, "", file);
        fputs("```\n", file);
    }
    print_unused(print, "\n", file);
}
