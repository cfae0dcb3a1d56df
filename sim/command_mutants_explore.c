/* --explore of brownout mutants: bugs are looked for as if nobody knew of them. */
#include <cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "build_id.h"
#include "core/check.h"
#include "sim/command.h"
#include "sim/command_mutants.h"
#include "sim/mutant_table.h"
#include "sim/print.h"

/* What --explore needs beside the rest. */
bool mutants_prepare_explore(struct mutants_call *call, char *error, size_t error_bytes)
{
    if (call->explore == NULL) {
        const bool good = call->rates == NULL && call->fuzz == NULL;
        snprintf(error, error_bytes, "--rates and --fuzz belong to --explore");
        return good;
    }
    if (!mutant_ways_read(call->explore, call->ways, error, error_bytes)) {
        return false;
    }
    if (call->ways[MUTANT_FUZZ] && call->fuzz == NULL) {
        snprintf(
            error, error_bytes,
            "--explore fuzz needs --fuzz FOLDER: cmake --preset clang-release && cmake --build "
            "--preset fuzz-plan makes build/clang-release/fuzz");
        return false;
    }
    if (call->ways[MUTANT_FUZZ]) {
        call->fuzz_build = mutant_build_open(call->fuzz, error, error_bytes);
    }
    return !call->ways[MUTANT_FUZZ] || call->fuzz_build != NULL;
}

/* ---- one planted bug that nobody knows of ---------------------------------------------------- */

static const char *explored_scenario(const struct mutants_call *call)
{
    return call->scenario != NULL ? call->scenario : MUTANT_EXPLORE_SCENARIO;
}

/* The program of one way stands in the shop: another object and another link, where it fuzzes. */
static bool make_for(const struct mutants_call *call, const struct mutant_build *build,
                     const struct mutant *mutant, struct mutant_shop *shop, bool fuzz,
                     struct mutants_finding *finding)
{
    if (fuzz) {
        snprintf(shop->program, sizeof shop->program, "%s/fuzz_plan", shop->folder);
        snprintf(shop->object, sizeof shop->object, "%s/fuzz_planted.o", shop->folder);
    }
    return mutant_make(mutant, shop, fuzz ? call->fuzz_build : build, call->source_folder,
                       finding->message, sizeof finding->message);
}

void mutants_search(const struct mutants_call *call, const struct mutant_build *build,
                    const struct mutant *mutant, const struct mutant_shop *shop,
                    struct mutants_finding *finding)
{
    char sound[2 * MUTANT_PATH_BYTES];
    struct mutant_shop place = *shop;
    snprintf(sound, sizeof sound, "%s/brownout", call->build_folder);
    finding->outcome = MUTANT_SURVIVED;
    for (unsigned way = 0; way < MUTANT_WAY_COUNT; way++) {
        if (!call->ways[way]) {
            continue;
        }
        if (!make_for(call, build, mutant, &place, way == MUTANT_FUZZ, finding)) {
            finding->outcome = MUTANT_BROKEN;
            return;
        }
        const struct mutant_explore_call explore = {
            .mutant = mutant,
            .program = place.program,
            .sound = sound,
            .scenario = explored_scenario(call),
            .folder = place.folder,
            .runs = call->runs,
            .cpu_us = call->search_us,
            .searches = (uint32_t)call->searches,
        };
        mutant_explore(&explore, (enum mutant_way)way, &finding->explored[way]);
        if (finding->explored[way].message[0] != '\0') {
            finding->outcome = MUTANT_BROKEN;
        } else if (mutant_explored_caught(&finding->explored[way]) > 0 &&
                   finding->outcome == MUTANT_SURVIVED) {
            finding->outcome = MUTANT_CAUGHT;
        }
    }
}

/* ---- ways beside each other ------------------------------------------------------------------ */

static struct mutant_row *rows_of(const struct mutants_planted *list, uint32_t count)
{
    struct mutant_row *rows = calloc((size_t)count + 1, sizeof *rows);
    CHECK(rows != NULL);
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = (struct mutant_row){&list[i].mutant, list[i].finding.explored};
    }
    return rows;
}

/* The first way that was asked for. */
static enum mutant_way rated_way(const struct mutants_call *call)
{
    unsigned way = 0;
    while (way + 1 < MUTANT_WAY_COUNT && !call->ways[way]) {
        way++;
    }
    return (enum mutant_way)way;
}

static bool write_rates(const struct mutants_call *call, const struct mutant_row *rows,
                        uint32_t count, char *error, size_t error_bytes)
{
    char made_by[256];
    snprintf(made_by, sizeof made_by,
             "brownout mutants --explore %s --runs %" PRIu64 " --searches %" PRIu64
             " --cpu %" PRIu64 "s --rates FILE",
             call->explore, call->runs, call->searches, call->search_us / 1000000);
    return mutant_rates_write(call->rates, made_by, BUILD_COMMIT, explored_scenario(call),
                              rated_way(call), rows, count, error, error_bytes);
}

/* A bug that no way finds is an answer, too; one that could not be looked for is none. */
int mutants_print_explored(const struct mutants_call *call, const struct mutants_planted *list,
                           uint32_t count)
{
    struct print print;
    char error[512];
    enum verdict verdict = VERDICT_PASS;
    struct mutant_row *rows = rows_of(list, count);
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].finding.outcome == MUTANT_BROKEN) {
            fprintf(stderr, "brownout mutants: %s: %s\n", list[i].mutant.name,
                    list[i].finding.message);
            verdict = VERDICT_HARNESS;
        }
    }
    if (call->json) {
        cJSON *object = cJSON_CreateObject();
        json_text(object, "verdict", verdict_name(verdict));
        json_text(object, "scenario", explored_scenario(call));
        json_number(object, "runs", call->runs);
        json_seconds(object, "cpu_s", call->search_us);
        mutant_table_json(object, rows, count);
        json_print(stdout, object);
    } else {
        print_begin(&print, stdout);
        mutant_table_print(&print, rows, count);
    }
    if (call->rates != NULL && verdict == VERDICT_PASS &&
        !write_rates(call, rows, count, error, sizeof error)) {
        verdict = (enum verdict)command_refuse("mutants", error);
    }
    free(rows);
    return (int)verdict;
}
