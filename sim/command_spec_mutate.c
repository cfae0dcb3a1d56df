/* brownout spec mutate: does conform notice each changed token of a model?
 *
 * All mutants of a model are compiled into one library. The model itself is held to specs/GOLDEN,
 * so that no Java is needed, and each mutant to what the model does: in a process of its own, until
 * the first difference.
 */
#include <cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/mutant.h"
#include "sim/spec_call.h"
#include "sim/spec_golden.h"
#include "sim/spec_library.h"
#include "sim/spec_reference.h"

enum { CPU_US_MIN = 300000, CPU_TIMES = 3, MESSAGE_BYTES = 2048, SOURCE_BYTES_MAX = 1 << 18 };

/* Exit codes of a mutant's process. */
enum fate {
    FATE_SURVIVED,
    FATE_GRAPH,  /* killed by the reachable graph */
    FATE_STEPS,  /* by a step from a typed state */
    FATE_CLAIMS, /* by an invariant or an action property */
    FATE_COUNTS, /* by the number of states, or the depth, of a bigger instance */
    FATE_CRASHED,
    FATE_ENDLESS, /* it took more than CPU_TIMES what the model takes */
    FATE_COUNT
};

struct mutation {
    struct spec_call *call;
    const struct spec_folder *folder;
    const char *golden, *compiler;
    char *text; /* of the model */
    struct spec_mutants *mutants;
    struct spec_library library;
    uint32_t reference_count;
    struct spec_reference *references;
    /* That a mutant may take: one that loops costs no more, on a busy machine too. 0: no end. */
    int64_t cpu_us;
    enum fate *fates;
    pid_t *pids;
    uint64_t wall_us;
};

/* ---- The model itself ------------------------------------------------------------------------ */

/* False: one of them is not in GOLDEN. */
static bool is_golden(const struct mutation *mutation, const struct spec_subject *subject,
                      char *error, size_t error_bytes)
{
    static struct spec_lines lines;
    bool good = true;
    lines.count = 0;
    spec_lines_of_model(&lines, subject);
    for (uint32_t i = 0; good && i < lines.count; i++) {
        good = spec_golden_has(mutation->golden, lines.list[i], error, error_bytes);
    }
    return good;
}

/* What it does in each subject, which is what TLC saw. */
static bool take_references(struct mutation *mutation, char *error, size_t error_bytes)
{
    static struct spec_folder folder;
    static struct spec_subject subject;
    bool good = true, more = true;
    folder = *mutation->folder;
    folder.model = mutation->library.model;
    mutation->library.choose(0);
    while (good && more) {
        const uint32_t number = mutation->reference_count;
        good = spec_subject_begin(&subject, &folder, number, &more, error, error_bytes);
        if (good && more) {
            good = is_golden(mutation, &subject, error, error_bytes);
            spec_reference_take(&mutation->references[number], &subject);
            mutation->reference_count++;
        } else {
            spec_subject_end(&subject);
        }
    }
    return good;
}

/* ---- One mutant, in its process -------------------------------------------------------------- */

static enum fate examine_graphs(const struct mutation *mutation)
{
    for (uint32_t i = 0; i < mutation->reference_count; i++) {
        const struct spec_reference *reference = &mutation->references[i];
        if (reference->subject.graph && !spec_reference_has_graph(reference)) {
            return FATE_GRAPH;
        }
    }
    return FATE_SURVIVED;
}

static enum fate examine_rows(const struct mutation *mutation)
{
    enum spec_difference difference = SPEC_NO_DIFFERENCE;
    for (uint32_t i = 0; difference == SPEC_NO_DIFFERENCE && i < mutation->reference_count; i++) {
        const struct spec_reference *reference = &mutation->references[i];
        difference = reference->subject.steps ? spec_reference_has_rows(reference) : difference;
    }
    return difference == SPEC_OTHER_STEP    ? FATE_STEPS
           : difference == SPEC_OTHER_CLAIM ? FATE_CLAIMS
                                            : FATE_SURVIVED;
}

static enum fate examine_counts(const struct mutation *mutation)
{
    static struct spec_graph graph;
    char error[MESSAGE_BYTES];
    enum fate fate = FATE_SURVIVED;
    for (uint32_t i = 0; fate == FATE_SURVIVED && i < mutation->reference_count; i++) {
        const struct spec_subject *subject = &mutation->references[i].subject;
        const struct spec_graph *known = &subject->reachable;
        if (subject->counts) {
            const bool same =
                spec_explore(&graph, &subject->instance, SPEC_STATES_MAX, error, sizeof error) &&
                graph.states.count == known->states.count && graph.depth == known->depth;
            fate = same ? FATE_SURVIVED : FATE_COUNTS;
            spec_graph_free(&graph);
        }
    }
    return fate;
}

/* What is cheap and notices most comes first. */
static enum fate examine(const struct mutation *mutation, uint32_t number)
{
    mutation->library.choose(number);
    enum fate fate = examine_graphs(mutation);
    fate = fate == FATE_SURVIVED ? examine_rows(mutation) : fate;
    return fate == FATE_SURVIVED ? examine_counts(mutation) : fate;
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* Number 0: the model itself. The process; negative: none could be made. */
static pid_t begin(const struct mutation *mutation, uint32_t number)
{
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        const struct itimerval once = {.it_value = {.tv_sec = mutation->cpu_us / 1000000,
                                                    .tv_usec = mutation->cpu_us % 1000000}};
        (void)setitimer(ITIMER_PROF, &once, NULL);
        _exit((int)examine(mutation, number));
    }
    return pid;
}

static enum fate fate_of(int status)
{
    if (WIFEXITED(status)) {
        const int code = WEXITSTATUS(status);
        return code < (int)FATE_COUNT ? (enum fate)code : FATE_CRASHED;
    }
    return WTERMSIG(status) == SIGPROF ? FATE_ENDLESS : FATE_CRASHED;
}

/* CPU time of all processes that were waited for. */
static int64_t children_us(void)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_CHILDREN, &usage) == 0);
    const int64_t seconds = (int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
    return seconds * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/* The model is examined as its mutants are, and whole: no mutant that ends takes much longer. */
static bool examine_model(struct mutation *mutation, char *error, size_t error_bytes)
{
    const int64_t before_us = children_us();
    const pid_t pid = begin(mutation, 0);
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0) {
        CHECK(errno == EINTR);
    }
    if (pid < 0 || fate_of(status) != FATE_SURVIVED) {
        snprintf(error, error_bytes,
                 pid < 0 ? "no more processes can be made; ask for fewer --jobs"
                         : "the model differs from what it did a moment ago: it is no function of "
                           "state and parameters");
        return false;
    }
    const int64_t took_us = children_us() - before_us;
    mutation->cpu_us = CPU_TIMES * took_us < CPU_US_MIN ? CPU_US_MIN : CPU_TIMES * took_us;
    return true;
}

static uint32_t await(struct mutation *mutation)
{
    for (;;) {
        int status = 0;
        const pid_t pid = wait(&status);
        CHECK(pid > 0 || errno == EINTR);
        for (uint32_t i = 0; i < mutation->mutants->count; i++) {
            if (pid > 0 && mutation->pids[i] == pid) {
                mutation->pids[i] = 0;
                mutation->fates[i] = fate_of(status);
                return i;
            }
        }
    }
}

static bool examine_all(struct mutation *mutation)
{
    uint32_t begun = 0, done = 0;
    struct status status;
    status_begin(&status);
    while (done < mutation->mutants->count) {
        while (begun < mutation->mutants->count && begun - done < mutation->call->jobs) {
            mutation->pids[begun] = begin(mutation, begun + 1);
            if (mutation->pids[begun] < 0) {
                status_clear(&status);
                return false;
            }
            begun++;
        }
        (void)await(mutation);
        done++;
        if (status_due(&status)) {
            char text[160];
            snprintf(text, sizeof text, "%s: %" PRIu32 " of %" PRIu32 " mutants",
                     mutation->folder->model->name, done, mutation->mutants->count);
            status_show(&status, text);
        }
    }
    status_clear(&status);
    mutation->wall_us = status_elapsed_us(&status);
    return true;
}

/* ---- What came of it ------------------------------------------------------------------------- */

static uint32_t count_fate(const struct mutation *mutation, enum fate fate)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < mutation->mutants->count; i++) {
        count += mutation->fates[i] == fate ? 1 : 0;
    }
    return count;
}

/* Survivors that are not listed, and listed ones that do not survive. */
static uint32_t tell_faults(const struct mutation *mutation)
{
    uint32_t faults = 0;
    for (uint32_t i = 0; i < mutation->mutants->count; i++) {
        const struct spec_mutant *mutant = &mutation->mutants->list[i];
        const bool survived = mutation->fates[i] == FATE_SURVIVED;
        char text[4 * SPEC_TOKEN_BYTES];
        spec_mutant_print(mutation->mutants, i, text, sizeof text);
        if (survived != mutant->listed) {
            fprintf(stderr,
                    survived ? "%s:%" PRIu32 ": nobody notices %s; add an instance that does, or "
                               "list it in specs/%s/EQUIVALENT with its reason\n"
                             : "%s:%" PRIu32 ": %s is noticed; take it off specs/%s/EQUIVALENT\n",
                    mutation->folder->model->source, mutant->line, text,
                    mutation->folder->model->name);
            faults++;
        }
    }
    return faults;
}

static void report(const struct mutation *mutation, uint32_t faults, cJSON *array)
{
    static const char *const names[FATE_COUNT] = {"survived", "graph",   "steps",  "claims",
                                                  "counts",   "crashed", "endless"};
    cJSON *row = array == NULL ? NULL : cJSON_CreateObject();
    if (row == NULL) {
        printf("%-12s %4" PRIu32 " mutants in %" PRIu64 ".%" PRIu64 " s: ",
               mutation->folder->model->name, mutation->mutants->count, mutation->wall_us / 1000000,
               mutation->wall_us / 100000 % 10);
    } else {
        json_text(row, "law", mutation->folder->model->name);
        json_number(row, "mutants", mutation->mutants->count);
        json_number(row, "faults", faults);
        json_seconds(row, "seconds", mutation->wall_us);
    }
    for (uint32_t fate = FATE_GRAPH; fate < FATE_COUNT; fate++) {
        const uint32_t count = count_fate(mutation, (enum fate)fate);
        if (row != NULL) {
            json_number(row, names[fate], count);
        } else if (count > 0) {
            printf("%s %" PRIu32 ", ", names[fate], count);
        }
    }
    const uint32_t survived = count_fate(mutation, FATE_SURVIVED);
    if (row != NULL) {
        json_number(row, "survived", survived);
        cJSON_AddItemToArray(array, row);
    } else {
        printf("survived %" PRIu32 " (%" PRIu32 " not as listed)\n", survived, faults);
    }
}

/* Its mutants, and the compiler that works on them. */
static enum verdict begin_law(struct mutation *mutation)
{
    char path[2 * SPEC_PATH_BYTES], error[MESSAGE_BYTES];
    static struct spec_instance instance;
    const struct spec_folder *folder = mutation->folder;
    size_t size_bytes;
    snprintf(path, sizeof path, "%s/%s", mutation->call->source, folder->model->source);
    mutation->text = spec_read_file(path, SOURCE_BYTES_MAX, &size_bytes, error, sizeof error);
    if (mutation->text == NULL ||
        !spec_instance_init(&instance, folder->model, &folder->configs[0], error, sizeof error)) {
        return (enum verdict)command_refuse("spec mutate", error);
    }
    mutation->mutants = calloc(1, sizeof *mutation->mutants);
    mutation->fates = calloc(SPEC_MUTANTS_MAX, sizeof *mutation->fates);
    mutation->pids = calloc(SPEC_MUTANTS_MAX, sizeof *mutation->pids);
    mutation->references = calloc(SPEC_CONFIGS_MAX, sizeof *mutation->references);
    CHECK(mutation->mutants != NULL && mutation->fates != NULL && mutation->pids != NULL &&
          mutation->references != NULL);
    spec_mutants_list(mutation->mutants, &instance, mutation->text);
    snprintf(path, sizeof path, "%s/EQUIVALENT", folder->path);
    if (!spec_mutants_excuse(mutation->mutants, path, error, sizeof error)) {
        return (enum verdict)command_refuse("spec mutate", error);
    }
    const struct spec_library_source source = {.model = folder->model,
                                               .mutants = mutation->mutants,
                                               .compiler = mutation->compiler,
                                               .root = mutation->call->source,
                                               .shop = mutation->call->shop};
    if (!spec_library_begin(&mutation->library, &source, error, sizeof error)) {
        (void)command_refuse("spec mutate", error);
        return VERDICT_HARNESS;
    }
    return VERDICT_PASS;
}

static enum verdict judge_law(struct mutation *mutation, cJSON *array)
{
    char error[MESSAGE_BYTES];
    if (!take_references(mutation, error, sizeof error)) {
        return (enum verdict)command_refuse("spec mutate", error);
    }
    if (!examine_model(mutation, error, sizeof error)) {
        (void)command_refuse("spec mutate", error);
        return VERDICT_HARNESS;
    }
    if (!examine_all(mutation)) {
        (void)command_refuse("spec mutate", "no more processes can be made; ask for fewer --jobs");
        return VERDICT_HARNESS;
    }
    const uint32_t faults = tell_faults(mutation);
    report(mutation, faults, array);
    return faults > 0 ? VERDICT_FAIL : VERDICT_PASS;
}

static void free_references(struct mutation *mutation)
{
    for (uint32_t i = 0; i < mutation->reference_count; i++) {
        spec_reference_free(&mutation->references[i]);
    }
    mutation->reference_count = 0;
}

static void end_law(struct mutation *mutation)
{
    free_references(mutation);
    free(mutation->references);
    free(mutation->text);
    free(mutation->mutants);
    free(mutation->fates);
    free(mutation->pids);
}

/* All libraries, so many at a time. Those that could not be made have no model. */
static enum verdict build_all(struct spec_call *call, struct mutation *mutations)
{
    enum verdict verdict = VERDICT_PASS;
    for (uint32_t begun = 0, ended = 0; ended < call->folder_count; ended++) {
        char error[MESSAGE_BYTES];
        for (; begun < call->folder_count && begun - ended < call->jobs; begun++) {
            const enum verdict one = begin_law(&mutations[begun]);
            verdict = one > verdict ? one : verdict;
        }
        struct spec_library *library = &mutations[ended].library;
        if (library->compiles && !spec_library_end(library, error, sizeof error)) {
            (void)command_refuse("spec mutate", error);
            verdict = VERDICT_HARNESS;
        }
    }
    return verdict;
}

static enum verdict judge_all(struct spec_call *call, struct mutation *mutations, cJSON *array)
{
    enum verdict verdict = build_all(call, mutations);
    for (uint32_t f = 0; f < call->folder_count; f++) {
        if (mutations[f].library.model != NULL) {
            const enum verdict one = judge_law(&mutations[f], array);
            verdict = one > verdict ? one : verdict;
        }
        free_references(&mutations[f]);
    }
    return verdict;
}

static int mutate_laws(struct spec_call *call, const struct mutant_build *build)
{
    char error[MESSAGE_BYTES], folder[SPEC_PATH_BYTES];
    char *golden = spec_golden_read(call->source, error, sizeof error);
    if (golden == NULL) {
        return command_refuse("spec mutate", error);
    }
    if (!spec_call_folder(call, 0, folder, sizeof folder)) {
        free(golden);
        return VERDICT_HARNESS;
    }
    cJSON *object = call->json ? cJSON_CreateObject() : NULL;
    cJSON *array = call->json ? cJSON_AddArrayToObject(object, "laws") : NULL;
    struct mutation *mutations = calloc(call->folder_count, sizeof *mutations);
    CHECK(mutations != NULL);
    for (uint32_t f = 0; f < call->folder_count; f++) {
        mutations[f] = (struct mutation){.call = call,
                                         .folder = &call->folders[f],
                                         .golden = golden,
                                         .compiler = mutant_build_compiler(build)};
    }
    const enum verdict verdict = judge_all(call, mutations, array);
    for (uint32_t f = 0; f < call->folder_count; f++) {
        end_law(&mutations[f]);
    }
    free(mutations);
    if (object != NULL) {
        json_text(object, "verdict", verdict_name(verdict));
        json_print(stdout, object);
    }
    free(golden);
    return (int)verdict;
}

/* mutants.json stands beside this program: it names the compiler. */
static struct mutant_build *open_build(const char *named, char *error, size_t error_bytes)
{
    char folder[MUTANT_PATH_BYTES];
    if (named != NULL) {
        return mutant_build_open(named, error, error_bytes);
    }
    const ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    return mutant_build_open(folder, error, error_bytes);
}

int command_spec_mutate(int argc, char **argv)
{
    static struct spec_call call;
    const char *folder = NULL;
    const struct option options[] = {
        {.name = "--build",
         .kind = OPTION_TEXT,
         .target = &folder,
         .value = "FOLDER",
         .doc = "where mutants.json is; otherwise beside this program"},
    };
    const struct option_verb verb = {
        .name = "spec mutate",
        .doc = "Does conform notice each changed token of a model?",
        .details =
            "Each operator, number and field of models/spec_<law>.c becomes another one, alone.\n"
            "The model must reproduce specs/GOLDEN, and the mutant must differ from the model\n"
            "somewhere in that. Those that do not are listed with their reasons in\n"
            "specs/<Law>/EQUIVALENT, and nothing else is.\n"
            "Exit codes: 0 so it is, 1 a survivor is not listed or a listed one is noticed,\n"
            "2 the call is wrong, or the model does not conform, 4 the harness itself failed.\n",
        .example = "brownout spec mutate Telemetry",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int exit_code = VERDICT_PASS;
    char error[1024];
    memset(&call, 0, sizeof call);
    if (spec_call_begin(&call, &verb, argc, argv, &exit_code)) {
        struct mutant_build *build = open_build(folder, error, sizeof error);
        exit_code = build == NULL ? command_refuse(verb.name, error) : mutate_laws(&call, build);
        mutant_build_close(build);
    }
    spec_call_end(&call);
    return exit_code;
}
