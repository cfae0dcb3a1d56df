/* brownout spec check: TLC on every configuration of every spec. */
#include <cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/spec_call.h"
#include "sim/spec_known.h"
#include "sim/spec_walks.h"

enum { TASKS_MAX = SPEC_LAWS_MAX * SPEC_CONFIGS_MAX, BUG_STATES_MAX = 500000 };

/* One configuration, and what TLC made of it. */
struct task {
    const struct spec_folder *folder;
    const struct spec_config *config;
    bool good;
    bool taken[SPEC_ACTIONS_MAX]; /* MC*.cfg that holds: the actions in TLC's graph */
    char note[TLC_MESSAGE_BYTES]; /* what is wrong, or what was broken as it should be */
};

struct progress {
    const struct spec_call *call;
    struct status status;
    uint32_t done, count;
};

/* ---- Verdicts -------------------------------------------------------------------------------- */

/* What must hold. */
static void judge_sound(struct task *task, const struct tlc_job *job)
{
    const uint64_t limit = task->config->role == SPEC_ROLE_BIG ? (uint64_t)SPEC_STATES_MAX
                                                               : (uint64_t)SPEC_CHECKED_STATES_MAX;
    if (job->outcome != TLC_HELD) {
        snprintf(task->note, sizeof task->note, "%.200s%s%.1500s", job->broken,
                 job->broken[0] == '\0' ? "" : " is broken: ", job->message);
    } else if (job->distinct > limit) {
        snprintf(task->note, sizeof task->note,
                 "%" PRIu64 " states, more than %" PRIu64 ": use smaller constants", job->distinct,
                 limit);
    } else {
        task->good = true;
    }
}

/* Which actions the graph at this path holds. */
static void read_graph(struct task *task, const struct tlc_job *job, const char *path,
                       struct spec_subject *subject, struct spec_lines *lines)
{
    struct spec_dump dump;
    task->good = spec_dump_read(&dump, &subject->instance, path, task->note, sizeof task->note);
    if (task->good) {
        for (uint64_t i = 0; i < dump.edge_count; i++) {
            task->taken[dump.edges[i].action] = true;
        }
        spec_line_graph(lines, subject, dump.states.count, dump.edge_count, job->depth,
                        &dump.digest);
    }
    spec_dump_free(&dump);
}

/* The line of what TLC walked, of use to `spec conform`. */
static void keep_line(const struct spec_call *call, struct task *task, const struct tlc_job *job)
{
    static struct spec_subject subject;
    struct spec_lines *lines = calloc(1, sizeof *lines);
    char path[SPEC_PATH_BYTES + 16];
    CHECK(lines != NULL);
    snprintf(path, sizeof path, "%s/graph.dot", job->folder);
    subject.folder = task->folder;
    subject.config = task->config;
    task->good = spec_instance_init(&subject.instance, task->folder->model, task->config,
                                    task->note, sizeof task->note);
    if (task->good && job->dump) {
        read_graph(task, job, path, &subject, lines);
    } else if (task->good) {
        spec_line_counts(lines, &subject, job->distinct, job->depth);
    }
    if (task->good) {
        spec_known_keep(&call->tlc, task->folder, &subject.instance, lines->list[0]);
    }
    if (job->dump && !call->keep) {
        (void)unlink(path); /* tens of megabytes, and done with */
    }
    free(lines);
}

/* The model's shortest way to the bug is as long as TLC's; of a response (~>) it knows none. */
static void judge_length(struct task *task, const struct tlc_job *job, const char *claim)
{
    static struct spec_instance instance;
    struct spec_graph graph;
    uint32_t state, move;
    uint64_t states = job->trace_states;
    memset(&graph, 0, sizeof graph);
    if (!spec_instance_init(&instance, task->folder->model, task->config, task->note,
                            sizeof task->note) ||
        !spec_explore(&graph, &instance, BUG_STATES_MAX, task->note, sizeof task->note)) {
        spec_graph_free(&graph);
        return;
    }
    if (spec_find_broken(&graph, claim, &state, &move)) {
        struct spec_walks walks;
        spec_walks_to(&walks, &graph, state);
        states = walks.step_count + (move == UINT32_MAX ? 1u : 2u);
        spec_walks_free(&walks);
    }
    task->good = states == job->trace_states;
    if (task->good) {
        snprintf(task->note, sizeof task->note, "breaks %s after %" PRIu64 " steps", claim,
                 states - 1);
    } else {
        snprintf(task->note, sizeof task->note,
                 "breaks %s after %" PRIu64 " steps, and the model after %" PRIu64, claim,
                 job->trace_states - 1, states - 1);
    }
    spec_graph_free(&graph);
}

/* What must break, and by this name. */
static void judge_broken(struct task *task, const struct tlc_job *job)
{
    const struct spec_config *config = task->config;
    const char *name =
        config->invariants.count > 0 ? config->invariants.list[0] : config->properties.list[0];
    if (job->outcome == TLC_HELD) {
        snprintf(task->note, sizeof task->note,
                 config->role == SPEC_ROLE_BUG ? "the planted bug does not break %s"
                                               : "%s holds: what it denies is not reachable",
                 name);
    } else if (job->outcome != TLC_INVARIANT && job->outcome != TLC_PROPERTY) {
        snprintf(task->note, sizeof task->note, "%.1800s", job->message);
    } else if (job->broken[0] != '\0' && strcmp(job->broken, name) != 0) {
        snprintf(task->note, sizeof task->note, "%s is broken, and not %s", job->broken, name);
    } else if (config->role == SPEC_ROLE_REACH) {
        task->good = true;
        snprintf(task->note, sizeof task->note, "%s is violated", name);
    } else {
        judge_length(task, job, name);
    }
}

static void ended(void *ctx, struct tlc_job *job)
{
    struct progress *progress = ctx;
    struct task *task = job->owner;
    switch (task->config->role) {
    case SPEC_ROLE_LIVE:
        judge_sound(task, job);
        break;
    case SPEC_ROLE_CHECK:
    case SPEC_ROLE_BIG:
        judge_sound(task, job);
        if (task->good) {
            keep_line(progress->call, task, job);
        }
        break;
    case SPEC_ROLE_BUG:
    case SPEC_ROLE_REACH:
    case SPEC_ROLE_COUNT:
    default:
        judge_broken(task, job);
        break;
    }
    progress->done++;
    if (status_due(&progress->status)) {
        char text[160];
        snprintf(text, sizeof text, "%" PRIu32 " of %" PRIu32 ": %s %s", progress->done,
                 progress->count, task->folder->model->name, task->config->name);
        status_show(&progress->status, text);
    }
}

/* An action that no checked instance takes says nothing: each is known by name, with its reason. */
static uint32_t judge_dead(const struct spec_folder *folder, const struct task *tasks,
                           uint32_t count, FILE *report)
{
    struct spec_action actions[SPEC_ACTIONS_MAX];
    const int32_t none[SPEC_CONSTANTS_MAX] = {0};
    uint32_t faults = 0;
    folder->model->actions(none, actions);
    for (uint32_t a = 0; a < folder->model->action_count; a++) {
        bool alive = false, whole = true;
        for (uint32_t i = 0; i < count; i++) {
            const struct task *task = &tasks[i];
            if (task->folder == folder && task->config->role == SPEC_ROLE_CHECK) {
                whole = whole && task->good; /* a graph that was not read may take it */
                alive = alive || task->taken[a];
            }
        }
        if ((alive || whole) && alive == (actions[a].dead != NULL)) {
            fprintf(report,
                    alive ? "%s: %s is taken; take it off LAW_DEAD\n"
                          : "%s: %s is never taken; name it in Next, give MC*.cfg other constants, "
                            "or list it in LAW_DEAD with its reason\n",
                    folder->model->name, actions[a].name);
            faults++;
        }
    }
    return faults;
}

/* ---- What came of it ------------------------------------------------------------------------- */

static void print_table(const struct tlc_job *jobs, uint32_t count)
{
    struct print print;
    print_begin(&print, stdout);
    fprintf(print.file, "%-12s %-26s %10s %10s %6s %7s\n", "law", "configuration", "states",
            "generated", "depth", "s");
    for (uint32_t i = 0; i < count; i++) {
        const struct tlc_job *job = &jobs[i];
        const struct task *task = job->owner;
        fprintf(print.file,
                "%-12s %-26s %10" PRIu64 " %10" PRIu64 " %6" PRIu64 " %5" PRIu64 ".%" PRIu64 "  ",
                task->folder->model->name, task->config->name, job->distinct, job->generated,
                job->depth, job->wall_us / 1000000, job->wall_us / 100000 % 10);
        print_paint(&print, task->good ? PRINT_GOOD : PRINT_BAD, task->good ? "ok" : "WRONG");
        fprintf(print.file, "  %s\n", task->note);
    }
}

static void print_json(const struct tlc_job *jobs, uint32_t count, enum verdict verdict)
{
    cJSON *object = cJSON_CreateObject(), *array = cJSON_CreateArray();
    json_text(object, "verdict", verdict_name(verdict));
    for (uint32_t i = 0; i < count; i++) {
        const struct task *task = jobs[i].owner;
        cJSON *row = cJSON_CreateObject();
        json_text(row, "law", task->folder->model->name);
        json_text(row, "configuration", task->config->name);
        cJSON_AddBoolToObject(row, "good", task->good);
        json_number(row, "states", jobs[i].distinct);
        json_number(row, "generated", jobs[i].generated);
        json_number(row, "depth", jobs[i].depth);
        json_seconds(row, "seconds", jobs[i].wall_us);
        json_text(row, "note", task->note);
        cJSON_AddItemToArray(array, row);
    }
    cJSON_AddItemToObject(object, "configurations", array);
    json_print(stdout, object);
}

/* ---- What TLC is asked ----------------------------------------------------------------------- */

/* What is whole begins first, the biggest graph at its head; what stops at a broken claim is soon
 * over. */
static uint64_t weight_of(const struct spec_folder *folder, const struct spec_config *config)
{
    static struct spec_instance instance;
    struct spec_graph graph;
    char error[TLC_MESSAGE_BYTES];
    uint64_t weight = SPEC_STATES_MAX;
    if (config->role == SPEC_ROLE_BUG || config->role == SPEC_ROLE_REACH) {
        return 0;
    }
    memset(&graph, 0, sizeof graph);
    if (config->role == SPEC_ROLE_CHECK &&
        spec_instance_init(&instance, folder->model, config, error, sizeof error) &&
        spec_explore(&graph, &instance, SPEC_CHECKED_STATES_MAX, error, sizeof error)) {
        weight = graph.generated;
    }
    spec_graph_free(&graph);
    return weight;
}

static uint32_t prepare(struct spec_call *call, struct task *tasks, struct tlc_job *jobs)
{
    uint32_t count = 0;
    for (uint32_t f = 0; f < call->folder_count; f++) {
        const struct spec_folder *folder = &call->folders[f];
        for (uint32_t i = 0; i < folder->config_count; i++) {
            struct tlc_job *job = &jobs[count];
            tasks[count] = (struct task){.folder = folder, .config = &folder->configs[i]};
            memcpy(job->module, folder->module, sizeof job->module);
            memcpy(job->config, folder->configs[i].path, sizeof job->config);
            job->dump = folder->configs[i].role == SPEC_ROLE_CHECK;
            job->weight = weight_of(folder, &folder->configs[i]);
            job->owner = &tasks[count];
            if (!spec_call_folder(call, count, job->folder, sizeof job->folder)) {
                return 0;
            }
            count++;
        }
    }
    return count;
}

static enum verdict check(struct spec_call *call, struct task *tasks, struct tlc_job *jobs)
{
    struct progress progress = {.call = call, .count = prepare(call, tasks, jobs)};
    const uint32_t count = progress.count;
    enum verdict verdict = VERDICT_PASS;
    if (count == 0) {
        return VERDICT_HARNESS;
    }
    status_begin(&progress.status);
    const struct tlc_hooks hooks = {.done = ended, .ctx = &progress};
    const bool ran = tlc_run(&call->tlc, jobs, count, (uint32_t)call->jobs, &hooks);
    status_clear(&progress.status);
    if (!ran) {
        (void)command_refuse("spec check", "no more processes can be made; ask for fewer --jobs");
        return VERDICT_HARNESS;
    }
    for (uint32_t i = 0; i < count; i++) {
        const enum tlc_outcome outcome = jobs[i].outcome;
        if (outcome == TLC_NO_SPEC || outcome == TLC_FAILED) {
            verdict = VERDICT_USAGE;
        } else if (!tasks[i].good && verdict == VERDICT_PASS) {
            verdict = VERDICT_FAIL;
        }
    }
    for (uint32_t f = 0; f < call->folder_count; f++) {
        if (judge_dead(&call->folders[f], tasks, count, stderr) > 0 && verdict == VERDICT_PASS) {
            verdict = VERDICT_FAIL;
        }
    }
    if (call->json) {
        print_json(jobs, count, verdict);
    } else {
        print_table(jobs, count);
    }
    return verdict;
}

int command_spec_check(int argc, char **argv)
{
    static struct spec_call call;
    const struct option_verb verb = {
        .name = "spec check",
        .doc = "TLC on every spec: MC and Live must hold, bug and reach must break the one claim\n"
               "that they list, and every action must be taken or be listed as dead",
        .details = "Exit codes: 0 all of it, 1 a claim is not as it should be, 2 a spec, a\n"
                   "configuration or the jar is wrong, 77 there is no Java (with CI=true: 4).\n",
        .example = "brownout spec check Telemetry --jobs 2",
    };
    int exit_code = VERDICT_PASS;
    memset(&call, 0, sizeof call);
    if (spec_call_begin(&call, &verb, argc, argv, &exit_code)) {
        if (!spec_call_lint(&call)) {
            exit_code = VERDICT_USAGE;
        } else if (spec_call_tlc(&call, verb.name, &exit_code)) {
            struct task *tasks = calloc(TASKS_MAX, sizeof *tasks);
            struct tlc_job *jobs = calloc(TASKS_MAX, sizeof *jobs);
            CHECK(tasks != NULL && jobs != NULL);
            exit_code = (int)check(&call, tasks, jobs);
            for (uint32_t i = 0; i < TASKS_MAX; i++) {
                free(jobs[i].output);
            }
            free(jobs);
            free(tasks);
        }
    }
    spec_call_end(&call);
    return exit_code;
}
