/* What brownout mutants says of what came of planted bugs. */
#include <cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/command.h"
#include "sim/command_mutants.h"
#include "sim/print.h"

const char *mutants_outcome_name(enum mutant_outcome outcome)
{
    static const char *const names[] = {"caught", "survived", "other law",
                                        "loud",   "alike",    "broken"};
    return names[outcome];
}

/* ---- what came of it ------------------------------------------------------------------------- */

static void replay_line(char *line, size_t line_bytes, const struct mutants_call *call,
                        const struct mutants_planted *planted)
{
    static struct option_settings settings;
    const struct mutants_finding *finding = &planted->finding;
    const char *scenario = call->scenario != NULL ? call->scenario : planted->mutant.scenario;
    char run[COMMAND_LINE_BYTES / 2], error[64];
    if (finding->folder[0] == '\0') {
        snprintf(line, line_bytes, "brownout mutants %s --keep", planted->mutant.name);
        return;
    }
    if (planted->mutant.needs != MUTANT_NEEDS_RUN) {
        snprintf(line, line_bytes, "%s/brownout cuts %s%s%s", finding->folder, scenario,
                 finding->replay[0] != '\0' ? " --replay " : "", finding->replay);
        return;
    }
    settings = planted->mutant.settings;
    (void)option_settings_add(&settings, "run.crypto=ideal", error, sizeof error);
    command_run_line(run, sizeof run, scenario, finding->seed, &settings);
    snprintf(line, line_bytes, "%s/%s", finding->folder, run);
}

static void print_one(const struct print *print, const struct mutants_call *call,
                      const struct mutants_planted *planted)
{
    const struct mutants_finding *finding = &planted->finding;
    const bool good = finding->outcome == MUTANT_CAUGHT;
    char line[COMMAND_LINE_BYTES], name[16], also[48] = "";
    snprintf(name, sizeof name, "%-9s", mutants_outcome_name(finding->outcome));
    print_paint(print, good ? PRINT_GOOD : PRINT_BAD, name);
    if (finding->also > 0) {
        snprintf(also, sizeof also, "  (%" PRIu64 " runs broke another law)", finding->also);
    }
    const bool life = planted->mutant.needs != MUTANT_NEEDS_RUN;
    fprintf(print->file, "  %-27s %-20s %s %4" PRIu64 "  %3" PRIu64 ".%" PRIu64 " s%s\n",
            planted->mutant.name, mutant_law_name(planted->mutant.law), life ? "cuts" : "seed",
            life ? finding->cuts : finding->seed, finding->wall_us / 1000000,
            finding->wall_us / 100000 % 10, also);
    if (!good && finding->message[0] != '\0') {
        fprintf(print->file, "           %s\n", finding->message);
    }
    if (finding->is_shrunk) {
        mutant_shrunk_print(print, &finding->shrunk);
        if (finding->folder[0] != '\0') {
            fprintf(print->file, "           %s/shrunk.lua\n", finding->folder);
        }
    }
    if (!good || finding->folder[0] != '\0') {
        replay_line(line, sizeof line, call, planted);
        fprintf(print->file, "           %s\n", line);
    }
}

static int compare_numbers(const void *left, const void *right)
{
    const uint64_t one = *(const uint64_t *)left, other = *(const uint64_t *)right;
    return one < other ? -1 : one > other ? 1 : 0;
}

static void print_shrunk_all(const struct print *print, const struct mutants_planted *list,
                             uint32_t count)
{
    uint64_t faults[MUTANTS_MAX];
    uint32_t tried = 0, good = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].finding.is_shrunk) {
            faults[tried++] = list[i].finding.shrunk.faults;
            good += list[i].finding.shrunk.good ? 1 : 0;
        }
    }
    if (tried > 0) {
        qsort(faults, tried, sizeof faults[0], compare_numbers);
        fprintf(print->file,
                "%u of %u shrunk to at most %d faults, failing with the bug and passing without; "
                "faults: median %" PRIu64 ", most %" PRIu64 "\n",
                (unsigned)good, (unsigned)tried, MUTANT_FAULTS_MAX, faults[tried / 2],
                faults[tried - 1]);
    }
}

/* Of those that runs of a scenario caught. */
static void print_detection(const struct print *print, const struct mutants_planted *list,
                            uint32_t count)
{
    uint64_t runs[MUTANTS_MAX], times_us[MUTANTS_MAX];
    uint32_t caught = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct mutants_finding *finding = &list[i].finding;
        if (finding->outcome == MUTANT_CAUGHT && list[i].mutant.needs == MUTANT_NEEDS_RUN) {
            runs[caught] = finding->seed;
            times_us[caught++] = finding->search_us;
        }
    }
    if (caught == 0) {
        return;
    }
    qsort(runs, caught, sizeof runs[0], compare_numbers);
    qsort(times_us, caught, sizeof times_us[0], compare_numbers);
    fprintf(print->file,
            "%u of them by runs: after %" PRIu64 " in the median and %" PRIu64
            " at worst; in %.2f s in the median and %.2f s at worst\n",
            (unsigned)caught, runs[caught / 2], runs[caught - 1],
            (double)times_us[caught / 2] / 1e6, (double)times_us[caught - 1] / 1e6);
}

void mutants_print(const struct mutants_call *call, const struct mutants_planted *list,
                   uint32_t count)
{
    struct print print;
    uint32_t caught = 0;
    print_begin(&print, stdout);
    for (uint32_t i = 0; i < count; i++) {
        print_one(&print, call, &list[i]);
        caught += list[i].finding.outcome == MUTANT_CAUGHT ? 1 : 0;
    }
    fprintf(print.file, "%u of %u planted bugs caught by the law that they name\n",
            (unsigned)caught, (unsigned)count);
    print_detection(&print, list, count);
    print_shrunk_all(&print, list, count);
}

void mutants_print_json(const struct mutants_call *call, const struct mutants_planted *list,
                        uint32_t count, enum verdict verdict)
{
    cJSON *object = cJSON_CreateObject(), *array = cJSON_CreateArray();
    char line[COMMAND_LINE_BYTES];
    json_text(object, "verdict", verdict_name(verdict));
    for (uint32_t i = 0; i < count; i++) {
        const struct mutants_planted *planted = &list[i];
        cJSON *row = cJSON_CreateObject();
        json_text(row, "name", planted->mutant.name);
        json_text(row, "why", planted->mutant.why);
        json_text(row, "file", planted->mutant.file);
        json_text(row, "law", mutant_law_name(planted->mutant.law));
        json_text(row, "outcome", mutants_outcome_name(planted->finding.outcome));
        json_number(row, "seed", planted->finding.seed);
        json_number(row, "event", planted->finding.event);
        json_number(row, "cuts", planted->finding.cuts);
        json_number(row, "also", planted->finding.also);
        json_seconds(row, "seconds", planted->finding.wall_us);
        json_text(row, "message", planted->finding.message);
        replay_line(line, sizeof line, call, planted);
        json_text(row, "replay", line);
        if (planted->finding.is_shrunk) {
            cJSON_AddItemToObject(row, "shrunk", mutant_shrunk_json(&planted->finding.shrunk));
        }
        cJSON_AddItemToArray(array, row);
    }
    cJSON_AddItemToObject(object, "mutants", array);
    json_print(stdout, object);
}

enum verdict mutants_judge(const struct mutants_planted *list, uint32_t count)
{
    enum verdict verdict = VERDICT_PASS;
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].finding.outcome == MUTANT_BROKEN) {
            return VERDICT_HARNESS;
        }
        const bool good = !list[i].finding.is_shrunk || list[i].finding.shrunk.good;
        verdict = list[i].finding.outcome == MUTANT_CAUGHT && good ? verdict : VERDICT_FAIL;
    }
    return verdict;
}
