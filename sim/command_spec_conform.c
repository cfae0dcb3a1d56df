/* brownout spec conform: is each C model the same state machine as its spec?
 *
 *   A  the reachable graph, both inclusions
 *   B  one step from typed states, reachable or not, with each planted bug as well
 *   C  what invariants and action properties say of those states, steps and pairs of states
 *   D  the counts of a bigger instance
 */
#include <cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/spec_call.h"
#include "sim/spec_compare.h"
#include "sim/spec_golden.h"
#include "sim/spec_known.h"

enum { TASKS_MAX = SPEC_LAWS_MAX * 2 * SPEC_CONFIGS_MAX, MESSAGE_BYTES = 4096 };

enum part { PART_GRAPH, PART_STEPS, PART_COUNTS };

static const char *const part_names[] = {"graph", "steps", "counts"};

/* One subject and one part of it: what TLC is asked. */
struct task {
    const struct spec_folder *folder;
    uint32_t subject;
    enum part part;
    const char *name; /* of its configuration */
    bool good, wrong; /* wrong: the spec itself, not the comparison */
    bool known;       /* a graph that TLC had walked before */
    uint64_t states, edges;
    char message[MESSAGE_BYTES];
    struct spec_lines *lines; /* that TLC wrote: at most two */
    uint64_t compare_us;
};

struct conform {
    struct spec_call *call;
    struct task *tasks;
    struct tlc_job *jobs;
    uint32_t count, done;
    struct status status;
};

/* ---- Without Java ---------------------------------------------------------------------------- */

/* What is wrong goes to standard error; the number of things. */
static uint32_t check_golden_law(const char *golden, const struct spec_folder *folder)
{
    struct spec_lines *lines = calloc(1, sizeof *lines);
    static struct spec_subject subject;
    char error[MESSAGE_BYTES];
    bool more = true;
    uint32_t faults = 0;
    CHECK(lines != NULL);
    if (!spec_lines_of_files(lines, folder, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        free(lines);
        return 1;
    }
    for (uint32_t i = 0; more; i++) {
        if (!spec_subject_begin(&subject, folder, i, &more, error, sizeof error)) {
            fprintf(stderr, "%s\n", error);
            faults++;
        } else if (more) {
            spec_lines_of_model(lines, &subject);
        }
        spec_subject_end(&subject);
    }
    for (uint32_t i = 0; i < lines->count; i++) {
        if (!spec_golden_has(golden, lines->list[i], error, sizeof error)) {
            fprintf(stderr, "%s\n", error);
            faults++;
        }
    }
    if (faults == 0 && !spec_golden_is_covered(golden, folder, lines, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        faults++;
    }
    free(lines);
    return faults;
}

static enum verdict check_golden(const struct spec_call *call)
{
    char error[1024];
    struct status status;
    uint32_t faults = 0;
    status_begin(&status);
    char *golden = spec_golden_read(call->source, error, sizeof error);
    if (golden == NULL) {
        return (enum verdict)command_refuse("spec conform", error);
    }
    for (uint32_t f = 0; f < call->folder_count; f++) {
        faults += check_golden_law(golden, &call->folders[f]);
    }
    free(golden);
    const uint64_t wall_us = status_elapsed_us(&status);
    if (call->json) {
        cJSON *object = cJSON_CreateObject();
        json_text(object, "verdict", verdict_name(faults == 0 ? VERDICT_PASS : VERDICT_FAIL));
        json_number(object, "laws", call->folder_count);
        json_number(object, "faults", faults);
        json_seconds(object, "seconds", wall_us);
        json_print(stdout, object);
    } else if (faults == 0) {
        printf("%" PRIu32 " models are what TLC saw (specs/GOLDEN), %" PRIu64 ".%03" PRIu64 " s\n",
               call->folder_count, wall_us / 1000000, wall_us / 1000 % 1000);
    }
    return faults == 0 ? VERDICT_PASS : VERDICT_FAIL;
}

/* ---- With TLC -------------------------------------------------------------------------------- */

static bool begin_subject(struct task *task, struct spec_subject *subject)
{
    bool more;
    return spec_subject_begin(subject, task->folder, task->subject, &more, task->message,
                              sizeof task->message) &&
           more;
}

static void choose_part(struct spec_subject *subject, enum part part)
{
    subject->graph = part == PART_GRAPH;
    subject->steps = part == PART_STEPS;
    subject->counts = part == PART_COUNTS;
}

/* A graph that TLC walked before, and that made the model's line. Another line says nothing that a
 * reader can use: TLC walks that graph again. */
static bool is_known(const struct conform *conform, struct task *task, struct spec_subject *subject)
{
    char line[SPEC_LINE_BYTES];
    choose_part(subject, task->part);
    spec_lines_of_model(task->lines, subject);
    task->known = spec_known_find(&conform->call->tlc, task->folder, &subject->instance, line) &&
                  strcmp(line, task->lines->list[0]) == 0;
    task->good = task->known;
    if (task->known) {
        task->states = subject->reachable.states.count;
        task->edges =
            task->part == PART_GRAPH ? subject->reachable.edges : subject->reachable.generated;
    } else {
        task->lines->count = 0;
    }
    return task->known;
}

/* Off.tla of a subject is written when its turn comes: the other JVM runs on meanwhile. */
static bool prepare(void *ctx, struct tlc_job *job)
{
    struct conform *conform = ctx;
    struct task *task = job->owner;
    static struct spec_subject subject;
    bool starts = true;
    if (task->part == PART_STEPS) {
        starts = begin_subject(task, &subject) &&
                 spec_off_write(&subject.sample, job->folder, task->message, sizeof task->message);
        task->wrong = !starts;
        spec_subject_end(&subject);
    } else if (!conform->call->afresh) {
        task->wrong = !begin_subject(task, &subject);
        starts = !task->wrong && !is_known(conform, task, &subject);
        spec_subject_end(&subject);
    }
    conform->done += starts ? 0 : 1;
    return starts;
}

static void compare_graph(struct task *task, const struct tlc_job *job,
                          struct spec_subject *subject)
{
    char path[SPEC_PATH_BYTES + 16];
    struct spec_dump dump;
    snprintf(path, sizeof path, "%s/graph.dot", job->folder);
    task->good =
        spec_dump_read(&dump, &subject->instance, path, task->message, sizeof task->message) &&
        spec_compare_graph(&subject->instance, &dump, task->message, sizeof task->message);
    task->states = dump.states.count;
    task->edges = dump.edge_count;
    spec_line_graph(task->lines, subject, dump.states.count, dump.edge_count, job->depth,
                    &dump.digest);
    spec_dump_free(&dump);
}

static void compare_steps(struct task *task, const struct tlc_job *job,
                          struct spec_subject *subject)
{
    char path[SPEC_PATH_BYTES + 16];
    struct spec_sample_result result;
    snprintf(path, sizeof path, "%s/rows.txt", job->folder);
    task->good =
        spec_off_compare(&subject->sample, path, &result, task->message, sizeof task->message);
    task->states = subject->sample.count;
    task->edges = result.steps;
    spec_line_sample(task->lines, subject, &result);
}

/* Two ways to the same lines: what TLC wrote, and what the model says alone. */
static void compare_lines(struct task *task, struct spec_subject *subject)
{
    struct spec_lines *ours = calloc(1, sizeof *ours);
    CHECK(ours != NULL);
    choose_part(subject, task->part);
    spec_lines_of_model(ours, subject);
    CHECK(ours->count == task->lines->count);
    for (uint32_t i = 0; i < ours->count && task->good; i++) {
        if (strcmp(ours->list[i], task->lines->list[i]) != 0) {
            task->good = false;
            snprintf(task->message, sizeof task->message, "spec %s, model %s", task->lines->list[i],
                     ours->list[i]);
        }
    }
    free(ours);
}

static void compare(const struct conform *conform, struct task *task, const struct tlc_job *job)
{
    static struct spec_subject subject;
    if (begin_subject(task, &subject)) {
        switch (task->part) {
        case PART_GRAPH:
            compare_graph(task, job, &subject);
            break;
        case PART_STEPS:
            compare_steps(task, job, &subject);
            break;
        case PART_COUNTS:
            task->good = true;
            task->states = job->distinct;
            task->edges = job->generated;
            spec_line_counts(task->lines, &subject, job->distinct, job->depth);
            break;
        }
        if (task->good) {
            compare_lines(task, &subject);
        }
        if (task->good && task->part != PART_STEPS) {
            spec_known_keep(&conform->call->tlc, task->folder, &subject.instance,
                            task->lines->list[0]);
        }
    }
    spec_subject_end(&subject);
}

static void ended(void *ctx, struct tlc_job *job)
{
    struct conform *conform = ctx;
    struct task *task = job->owner;
    const uint64_t start_us = status_wall_us();
    if (job->outcome != TLC_HELD) {
        task->wrong = true;
        snprintf(task->message, sizeof task->message, "TLC: %.1900s", job->message);
    } else {
        compare(conform, task, job);
    }
    task->compare_us = status_wall_us() - start_us;
    conform->done++;
    if (status_due(&conform->status)) {
        char text[200];
        snprintf(text, sizeof text, "%" PRIu32 " of %" PRIu32 ": %s %s %s", conform->done,
                 conform->count, task->folder->model->name, task->name, part_names[task->part]);
        status_show(&conform->status, text);
    }
}

/* The spec with the constants of a configuration, and without its claims: a broken one would end
 * the graph where it breaks. TLC looks for configurations beside the module, so that it needs one
 * here. */
static bool write_graph(const struct spec_subject *subject, const char *folder, char *error,
                        size_t error_bytes)
{
    char path[2 * SPEC_PATH_BYTES];
    snprintf(path, sizeof path, "%s/Graph.tla", folder);
    FILE *file = fopen(path, "wb");
    if (file != NULL) {
        fprintf(file, "---- MODULE Graph ----\nEXTENDS %s\n====\n", subject->folder->model->name);
    }
    if (file == NULL || fclose(file) != 0) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return false;
    }
    snprintf(path, sizeof path, "%s/Graph.cfg", folder);
    return spec_constants_write(&subject->instance, path, "SPECIFICATION Spec\n", error,
                                error_bytes);
}

/* Steps of the graph, or as many as so many rows would have if they were of the graph, twice: TLC
 * prints each. */
static uint64_t weight_of(const struct spec_subject *what, enum part part)
{
    const struct spec_graph *graph = &what->reachable;
    return part != PART_STEPS ? graph->generated
                              : 2 * graph->generated * what->sample.count / graph->states.count;
}

static bool add_task(struct conform *conform, const struct spec_folder *folder, uint32_t subject,
                     const struct spec_subject *what, enum part part, char *error,
                     size_t error_bytes)
{
    struct task *task = &conform->tasks[conform->count];
    struct tlc_job *job = &conform->jobs[conform->count];
    CHECK(conform->count < TASKS_MAX);
    *task = (struct task){.folder = folder, .subject = subject, .part = part};
    task->name = what->config->name;
    task->lines = calloc(1, sizeof *task->lines);
    CHECK(task->lines != NULL);
    job->owner = task;
    if (!spec_call_folder(conform->call, conform->count++, job->folder, sizeof job->folder)) {
        return false;
    }
    memcpy(job->library, folder->path, sizeof job->library);
    job->prints = part == PART_STEPS;
    job->weight = weight_of(what, part);
    job->dump = part == PART_GRAPH;
    snprintf(job->module, sizeof job->module, part == PART_STEPS ? "Off.tla" : "Graph.tla");
    snprintf(job->config, sizeof job->config, part == PART_STEPS ? "Off.cfg" : "Graph.cfg");
    return part == PART_STEPS || write_graph(what, job->folder, error, error_bytes);
}

static bool add_tasks(struct conform *conform, const struct spec_folder *folder, char *error,
                      size_t error_bytes)
{
    static struct spec_subject subject;
    bool more = true, good = true;
    for (uint32_t i = 0; more && good; i++) {
        good = spec_subject_begin(&subject, folder, i, &more, error, error_bytes);
        if (good && more && subject.graph) {
            good = add_task(conform, folder, i, &subject, PART_GRAPH, error, error_bytes);
        }
        if (good && more && subject.steps) {
            good = add_task(conform, folder, i, &subject, PART_STEPS, error, error_bytes);
        }
        if (good && more && subject.counts) {
            good = add_task(conform, folder, i, &subject, PART_COUNTS, error, error_bytes);
        }
        spec_subject_end(&subject);
    }
    return good;
}

/* ---- What came of it ------------------------------------------------------------------------- */

static void print_table(const struct conform *conform)
{
    struct print print;
    print_begin(&print, stdout);
    fprintf(print.file, "%-12s %-30s %-7s %10s %10s %7s %7s\n", "law", "instance", "part", "states",
            "edges", "TLC s", "C s");
    for (uint32_t i = 0; i < conform->count; i++) {
        const struct task *task = &conform->tasks[i];
        const uint64_t wall_us = conform->jobs[i].wall_us;
        fprintf(print.file,
                "%-12s %-30s %-7s %10" PRIu64 " %10" PRIu64 " %5" PRIu64 ".%" PRIu64 " %5" PRIu64
                ".%" PRIu64 "  ",
                task->folder->model->name, task->name, part_names[task->part], task->states,
                task->edges, wall_us / 1000000, wall_us / 100000 % 10, task->compare_us / 1000000,
                task->compare_us / 100000 % 10);
        print_paint(&print, task->good ? PRINT_GOOD : PRINT_BAD, task->good ? "same" : "DIFFERENT");
        fprintf(print.file, "%s%s%s\n", task->known ? ", walked before" : "",
                task->message[0] != '\0' ? "\n    " : "", task->message);
    }
}

static void print_json(const struct conform *conform, enum verdict verdict)
{
    cJSON *object = cJSON_CreateObject(), *array = cJSON_CreateArray();
    json_text(object, "verdict", verdict_name(verdict));
    for (uint32_t i = 0; i < conform->count; i++) {
        const struct task *task = &conform->tasks[i];
        cJSON *row = cJSON_CreateObject();
        json_text(row, "law", task->folder->model->name);
        json_text(row, "instance", task->name);
        json_text(row, "part", part_names[task->part]);
        cJSON_AddBoolToObject(row, "same", task->good);
        cJSON_AddBoolToObject(row, "known", task->known);
        json_number(row, "states", task->states);
        json_number(row, "edges", task->edges);
        json_seconds(row, "seconds", conform->jobs[i].wall_us);
        json_text(row, "message", task->message);
        cJSON_AddItemToArray(array, row);
    }
    cJSON_AddItemToObject(object, "parts", array);
    json_print(stdout, object);
}

/* Write or check what TLC said of one law. False: GOLDEN says something else. */
static bool settle_law(const struct conform *conform, const struct spec_folder *folder)
{
    struct spec_lines *lines = calloc(1, sizeof *lines);
    char error[MESSAGE_BYTES];
    CHECK(lines != NULL);
    bool good = spec_lines_of_files(lines, folder, error, sizeof error);
    for (uint32_t i = 0; i < conform->count; i++) {
        const struct task *task = &conform->tasks[i];
        for (uint32_t n = 0; task->folder == folder && n < task->lines->count; n++) {
            memcpy(lines->list[lines->count++], task->lines->list[n], SPEC_LINE_BYTES);
        }
    }
    if (good && conform->call->update) {
        good = spec_golden_write(conform->call->source, folder->model->name, lines, error,
                                 sizeof error);
    } else if (good) {
        char *golden = spec_golden_read(conform->call->source, error, sizeof error);
        good = golden != NULL;
        for (uint32_t i = 0; good && i < lines->count; i++) {
            good = spec_golden_has(golden, lines->list[i], error, sizeof error);
        }
        good = good && spec_golden_is_covered(golden, folder, lines, error, sizeof error);
        free(golden);
    }
    if (!good) {
        fprintf(stderr, "%s\n", error);
    }
    free(lines);
    return good;
}

static enum verdict settle(const struct conform *conform)
{
    enum verdict verdict = VERDICT_PASS;
    for (uint32_t f = 0; f < conform->call->folder_count; f++) {
        const struct spec_folder *folder = &conform->call->folders[f];
        bool same = true, wrong = false;
        for (uint32_t i = 0; i < conform->count; i++) {
            if (conform->tasks[i].folder == folder) {
                same = same && conform->tasks[i].good;
                wrong = wrong || conform->tasks[i].wrong;
            }
        }
        if (wrong) {
            verdict = VERDICT_USAGE;
        } else if ((!same || (conform->call->rows == 0 && !settle_law(conform, folder))) &&
                   verdict == VERDICT_PASS) {
            verdict = VERDICT_FAIL;
        }
    }
    return verdict;
}

static enum verdict run_all(struct conform *conform)
{
    char error[MESSAGE_BYTES] = "";
    const struct tlc_hooks hooks = {.prepare = prepare, .done = ended, .ctx = conform};
    for (uint32_t f = 0; f < conform->call->folder_count; f++) {
        if (!add_tasks(conform, &conform->call->folders[f], error, sizeof error)) {
            return (enum verdict)command_refuse("spec conform", error);
        }
    }
    status_begin(&conform->status);
    const bool ran = tlc_run(&conform->call->tlc, conform->jobs, conform->count,
                             (uint32_t)conform->call->jobs, &hooks);
    status_clear(&conform->status);
    if (!ran) {
        (void)command_refuse("spec conform", "no more processes can be made; ask for fewer --jobs");
        return VERDICT_HARNESS;
    }
    const enum verdict verdict = settle(conform);
    if (conform->call->json) {
        print_json(conform, verdict);
    } else {
        print_table(conform);
    }
    return verdict;
}

static enum verdict conform_with_tlc(struct spec_call *call)
{
    struct conform conform = {.call = call};
    conform.tasks = calloc(TASKS_MAX, sizeof *conform.tasks);
    conform.jobs = calloc(TASKS_MAX, sizeof *conform.jobs);
    CHECK(conform.tasks != NULL && conform.jobs != NULL);
    const enum verdict verdict = run_all(&conform);
    for (uint32_t i = 0; i < conform.count; i++) {
        free(conform.tasks[i].lines);
        free(conform.jobs[i].output);
    }
    free(conform.tasks);
    free(conform.jobs);
    return verdict;
}

int command_spec_conform(int argc, char **argv)
{
    static struct spec_call call;
    const struct option options[] = {
        {.name = "--golden",
         .kind = OPTION_FLAG,
         .target = &call.golden,
         .doc = "without Java: do the models reproduce specs/GOLDEN?"},
        {.name = "--update",
         .kind = OPTION_FLAG,
         .target = &call.update,
         .doc = "write what TLC says to specs/GOLDEN, where the model says the same"},
        {.name = "--afresh",
         .kind = OPTION_FLAG,
         .target = &call.afresh,
         .doc = "let TLC walk each graph, also where it has walked the very same one before"},
        {.name = "--rows",
         .kind = OPTION_COUNT,
         .target = &call.rows,
         .min = 2,
         .max = 1000000,
         .value = "N",
         .doc = "draw so few typed states an instance: quicker, and GOLDEN is left alone"},
    };
    const struct option_verb verb = {
        .name = "spec conform",
        .doc = "Is the C model the same state machine as its spec, in both directions?",
        .details =
            "TLC and the model are compared on the whole reachable graph of each MC*.cfg, on one\n"
            "step from typed states on and off it (with each planted bug as well), on what the\n"
            "claims say of those, and on the counts of Big.cfg.\n"
            "Exit codes: 0 the same, 1 different, 2 a spec, a configuration or the jar is wrong,\n"
            "77 there is no Java, and the models reproduce specs/GOLDEN (with CI=true: 4).\n",
        .example = "brownout spec conform Telemetry --update",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int exit_code = VERDICT_PASS;
    memset(&call, 0, sizeof call);
    if (spec_call_begin(&call, &verb, argc, argv, &exit_code)) {
        for (uint32_t f = 0; f < call.folder_count; f++) {
            call.folders[f].rows_max = (uint32_t)call.rows;
        }
        if (!spec_call_lint(&call)) {
            exit_code = VERDICT_USAGE;
        } else if (call.rows != 0 && (call.golden || call.update)) {
            exit_code = command_refuse(verb.name, "--rows goes with neither --golden nor --update: "
                                                  "GOLDEN is of all rows");
        } else if (call.golden) {
            exit_code = (int)check_golden(&call);
        } else if (spec_call_tlc(&call, verb.name, &exit_code)) {
            exit_code = (int)conform_with_tlc(&call);
        } else if (exit_code == SPEC_EXIT_SKIPPED) {
            for (uint32_t f = 0; f < call.folder_count; f++) {
                call.folders[f].rows_max = 0; /* GOLDEN is of all rows */
            }
            const enum verdict verdict = check_golden(&call);
            exit_code = verdict == VERDICT_PASS ? exit_code : (int)verdict;
        }
    }
    spec_call_end(&call);
    return exit_code;
}
