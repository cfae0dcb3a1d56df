/* brownout mutants: every planted bug must be silent while nothing strikes, and be caught by the
 * law that it names when something does. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/command_mutants.h"
#include "sim/selfcheck.h"
#include "sim/status.h"

enum { CALM_RUNS = 5, RUNS_DEFAULT = 200, JOBS_MAX = 64 };
enum { SEARCH_US_DEFAULT = 60000000, SEARCHES_DEFAULT = 1 };
enum { PIPE_BYTES = 65536 /* what a pipe takes before anybody reads */ };
_Static_assert(sizeof(struct mutants_finding) <= PIPE_BYTES, "it is written before it is read");

/* ---- one planted bug ------------------------------------------------------------------------- */

static void task_of(struct twin_task *task, const struct mutants_call *call,
                    const struct mutant *mutant, const struct mutant_shop *shop, uint64_t seed)
{
    twin_task_init(task);
    task->program = shop->program;
    task->scenario = call->scenario != NULL ? call->scenario : mutant->scenario;
    task->settings = &mutant->settings;
    task->crypto = "ideal";
    task->seed = seed;
}

/* Both providers, other memory and all that: whatever selfcheck does, the planted program does. */
static bool is_determined(const struct mutants_call *call, const struct mutant *mutant,
                          const struct mutant_shop *shop, uint64_t seed,
                          struct mutants_finding *finding)
{
    static struct selfcheck_result result;
    const struct selfcheck_request request = {
        .program = shop->program,
        .scenario = call->scenario != NULL ? call->scenario : mutant->scenario,
        .seed = seed,
        .settings = &mutant->settings,
    };
    selfcheck(&request, &result);
    if (result.verdict != VERDICT_PASS && result.verdict != VERDICT_NONDETERMINISTIC) {
        finding->outcome = MUTANT_BROKEN;
        snprintf(finding->message, sizeof finding->message, "%s", result.message);
    } else if (result.verdict == VERDICT_NONDETERMINISTIC) {
        finding->outcome = MUTANT_CAUGHT;
        finding->seed = seed;
        finding->event = result.difference.event;
    }
    return result.verdict == VERDICT_PASS;
}

/* The same run by the program without the bug: what it breaks as well proves nothing. */
static bool is_its_own(const struct mutants_call *call, struct twin_task task,
                       struct mutants_finding *finding)
{
    char program[2 * MUTANT_PATH_BYTES];
    struct twin_answer answer;
    snprintf(program, sizeof program, "%s/brownout", call->build_folder);
    task.program = program;
    if (!twin_run(&task, &answer, finding->message, sizeof finding->message)) {
        finding->outcome = MUTANT_BROKEN;
        return false;
    }
    if (answer.verdict != VERDICT_PASS) {
        finding->outcome = MUTANT_ALIKE;
        snprintf(finding->message, sizeof finding->message, "without the bug: %s", answer.message);
        return false;
    }
    return true;
}

/* True: go on with the next seed. */
static bool run_one(const struct mutants_call *call, const struct mutant *mutant,
                    const struct mutant_shop *shop, uint64_t seed, struct mutants_finding *finding)
{
    struct twin_task task;
    struct twin_answer answer;
    if (mutant->law == MUTANT_DETERMINISM) {
        return is_determined(call, mutant, shop, seed, finding);
    }
    task_of(&task, call, mutant, shop, seed);
    if (!twin_run(&task, &answer, finding->message, sizeof finding->message)) {
        finding->outcome = MUTANT_BROKEN;
        return false;
    }
    if (answer.verdict == VERDICT_PASS || answer.verdict == VERDICT_UNKNOWN) {
        return true; /* what cannot be told broke no law */
    }
    for (uint32_t law = 0; law < LAW_COUNT; law++) {
        if (mutant->also[law] && strcmp(answer.law, law_name((enum law)law)) == 0) {
            finding->also++;
            return true;
        }
    }
    finding->seed = seed;
    finding->event = answer.event;
    if (is_its_own(call, task, finding)) {
        finding->outcome = strcmp(answer.law, law_name((enum law)mutant->law)) == 0
                               ? MUTANT_CAUGHT
                               : MUTANT_OTHER_LAW;
        snprintf(finding->message, sizeof finding->message, "%s", answer.message);
    }
    return false;
}

static bool is_silent(const struct mutants_call *call, const struct mutant *mutant,
                      const struct mutant_shop *shop, struct mutants_finding *finding)
{
    for (uint64_t seed = 1; seed <= CALM_RUNS; seed++) {
        struct twin_task task;
        struct twin_answer answer;
        task_of(&task, call, mutant, shop, seed);
        task.calm = true;
        if (!twin_run(&task, &answer, finding->message, sizeof finding->message)) {
            finding->outcome = MUTANT_BROKEN;
            return false;
        }
        if (answer.verdict != VERDICT_PASS) {
            finding->outcome = MUTANT_LOUD;
            finding->seed = seed;
            snprintf(finding->message, sizeof finding->message, "without faults: %s",
                     answer.message);
            return false;
        }
    }
    return true;
}

/* All power cuts of a life, in place of seeds. */
static void explore(const struct mutants_call *call, const struct mutant *mutant,
                    const struct mutant_shop *shop, struct mutants_finding *finding)
{
    char sound[2 * MUTANT_PATH_BYTES];
    static struct mutant_life_result result;
    snprintf(sound, sizeof sound, "%s/brownout", call->build_folder);
    mutant_life_examine(mutant, shop->program, sound,
                        call->scenario != NULL ? call->scenario : mutant->scenario, &result);
    finding->outcome = result.outcome;
    finding->cuts = result.depth;
    memcpy(finding->replay, result.replay, sizeof finding->replay);
    memcpy(finding->message, result.message, sizeof result.message);
}

static void shrink_caught(const struct mutants_call *call, const struct mutant *mutant,
                          const struct mutant_shop *shop, struct mutants_finding *finding)
{
    char sound[2 * MUTANT_PATH_BYTES], output[2 * MUTANT_PATH_BYTES];
    snprintf(sound, sizeof sound, "%s/brownout", call->build_folder);
    snprintf(output, sizeof output, "%s/shrunk.lua", shop->folder);
    const struct mutant_shrink_call shrink = {
        .mutant = mutant,
        .program = shop->program,
        .sound = sound,
        .scenario = call->scenario != NULL ? call->scenario : mutant->scenario,
        .seed = finding->seed,
        .replay = finding->replay,
        .output = output,
    };
    if (finding->outcome == MUTANT_CAUGHT) {
        mutant_shrink(&shrink, &finding->shrunk);
        finding->is_shrunk = true;
    }
}

static void examine(const struct mutants_call *call, const struct mutant_build *build,
                    const struct mutant *mutant, struct mutants_finding *finding)
{
    struct mutant_shop shop;
    struct status status;
    status_begin(&status);
    memset(finding, 0, sizeof *finding);
    finding->outcome = MUTANT_BROKEN;
    if (!mutant_shop_open(&shop, mutant, finding->message, sizeof finding->message)) {
        return;
    }
    const bool applies =
        mutant_apply(mutant, &shop, call->source_folder, finding->message, sizeof finding->message);
    if (applies && call->explore != NULL) {
        mutants_search(call, build, mutant, &shop, finding);
    } else if (applies && mutant_make(mutant, &shop, build, call->source_folder, finding->message,
                                      sizeof finding->message)) {
        uint64_t begin_us = status_elapsed_us(&status);
        if (mutant->needs != MUTANT_NEEDS_RUN) {
            explore(call, mutant, &shop, finding);
        } else if (is_silent(call, mutant, &shop, finding)) {
            finding->outcome = MUTANT_SURVIVED;
            uint64_t seed = 1;
            begin_us = status_elapsed_us(&status);
            while (seed <= call->runs && run_one(call, mutant, &shop, seed, finding)) {
                seed++;
            }
        }
        finding->search_us = status_elapsed_us(&status) - begin_us;
        if (call->shrink) {
            shrink_caught(call, mutant, &shop, finding);
        }
    }
    if (call->keep) {
        snprintf(finding->folder, sizeof finding->folder, "%s", shop.folder);
    } else {
        mutant_shop_close(&shop);
    }
    finding->wall_us = status_elapsed_us(&status);
}

/* ---- many at once ---------------------------------------------------------------------------- */

static bool begin(const struct mutants_call *call, const struct mutant_build *build,
                  struct mutants_planted *planted)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return false;
    }
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        struct mutants_finding finding;
        (void)close(ends[0]);
        examine(call, build, &planted->mutant, &finding);
        /* Smaller than what a pipe takes at once. */
        _exit(write(ends[1], &finding, sizeof finding) == (ssize_t)sizeof finding ? 0 : 1);
    }
    (void)close(ends[1]);
    planted->pid = pid;
    planted->output = ends[0];
    return pid > 0;
}

static void end(struct mutants_planted *planted)
{
    ssize_t count;
    do {
        count = read(planted->output, &planted->finding, sizeof planted->finding);
    } while (count < 0 && errno == EINTR);
    if (count != (ssize_t)sizeof planted->finding) {
        planted->finding =
            (struct mutants_finding){.outcome = MUTANT_BROKEN, .message = "its process died"};
    }
    (void)close(planted->output);
    planted->pid = 0;
}

static struct mutants_planted *await(struct mutants_planted *list, uint32_t count)
{
    for (;;) {
        const pid_t pid = wait(NULL);
        CHECK(pid > 0 || errno == EINTR);
        for (uint32_t i = 0; i < count; i++) {
            if (pid > 0 && list[i].pid == pid) {
                end(&list[i]);
                return &list[i];
            }
        }
    }
}

static bool examine_all(const struct mutants_call *call, const struct mutant_build *build,
                        struct mutants_planted *list, uint32_t count)
{
    uint32_t begun = 0, done = 0;
    struct status status;
    status_begin(&status);
    while (done < count) {
        while (begun < count && begun - done < call->jobs) {
            if (!begin(call, build, &list[begun])) {
                status_clear(&status);
                return false;
            }
            begun++;
        }
        const struct mutants_planted *last = await(list, count);
        done++;
        if (status_due(&status)) {
            char text[160];
            snprintf(text, sizeof text, "%u of %u: %s %s", (unsigned)done, (unsigned)count,
                     last->mutant.name, mutants_outcome_name(last->finding.outcome));
            status_show(&status, text);
        }
    }
    status_clear(&status);
    return true;
}

/* ---- what is asked --------------------------------------------------------------------------- */

static bool parse(struct mutants_call *call, int argc, char **argv, int *exit_code)
{
    const struct option options[] = {
        {.name = "--all",
         .kind = OPTION_FLAG,
         .target = &call->all,
         .doc = "all of them; the same as no name"},
        {.name = "--runs",
         .kind = OPTION_COUNT,
         .target = &call->runs,
         .min = 1,
         .max = 1000000,
         .value = "N",
         .doc = "seeds 1 to N until it is caught (200)"},
        {.name = "--jobs",
         .kind = OPTION_COUNT,
         .target = &call->jobs,
         .min = 1,
         .max = JOBS_MAX,
         .value = "J",
         .doc = "so many at once; otherwise one a processor"},
        {.name = "--scenario",
         .kind = OPTION_TEXT,
         .target = &call->scenario,
         .value = "FILE",
         .doc = "in place of the one that each names"},
        {.name = "--law",
         .kind = OPTION_TEXT,
         .target = &call->law,
         .value = "LAW",
         .doc = "judged by this law alone, in place of the one that each names"},
        {.name = "--source",
         .kind = OPTION_TEXT,
         .target = &call->source,
         .value = "FOLDER",
         .doc = "root of the tree; otherwise the one that was built"},
        {.name = "--build",
         .kind = OPTION_TEXT,
         .target = &call->build,
         .value = "FOLDER",
         .doc = "where mutants.json and the libraries are; otherwise beside this program"},
        {.name = "--shrink",
         .kind = OPTION_FLAG,
         .target = &call->shrink,
         .doc = "shrink what caught each; the scenario must fail with the bug and pass without"},
        {.name = "--explore",
         .kind = OPTION_TEXT,
         .target = &call->explore,
         .value = "WAYS",
         .doc = "how long until they are found by uniform, swarm, mixed, guided, fuzz (below)"},
        {.name = "--searches",
         .kind = OPTION_COUNT,
         .target = &call->searches,
         .min = 1,
         .max = MUTANT_SEARCHES_MAX,
         .value = "R",
         .doc = "--explore: so many for each bug and way, with other seeds (1)"},
        {.name = "--cpu",
         .kind = OPTION_TIME,
         .target = &call->search_us,
         .value = "TIME",
         .doc = "--explore: processor time of one search at the most (1m)"},
        {.name = "--fuzz",
         .kind = OPTION_TEXT,
         .target = &call->fuzz,
         .value = "FOLDER",
         .doc = "--explore fuzz: where a build by clang has fuzz_plan"},
        {.name = "--rates",
         .kind = OPTION_TEXT,
         .target = &call->rates,
         .value = "FILE",
         .doc = "--explore: write there how often the first way caught each, for confidence"},
        {.name = "--keep",
         .kind = OPTION_FLAG,
         .target = &call->keep,
         .doc = "keep the planted programs, and print how each is run"},
        {.name = "--json",
         .kind = OPTION_FLAG,
         .target = &call->json,
         .doc = "print one JSON object instead of a table"},
    };
    const struct option_verb verb = {
        .name = "mutants",
        .argument = "[NAME]",
        .doc = "Planted bugs: each must be caught by the law that it names, and be silent without "
               "faults",
        .details =
            "A planted bug is a patch in sim/mutants. It is applied to a copy of one source\n"
            "file, which is compiled and linked in place of the real one. Exit code 1: one\n"
            "survived, was caught by another law, or (--shrink) has no small scenario that\n"
            "fails with it and passes without; 4: a patch does not apply any more.\n"
            "Of a life the one history that shows it is pinned. With --keep the small scenarios\n"
            "stay, and --json has their text.\n"
            "NAME is one of them, or several with commas between.\n"
            "--explore looks for them as for bugs that nobody knows of: all begin with one\n"
            "scenario (" MUTANT_EXPLORE_SCENARIO "), and all laws judge. Of the\n"
            "settings of a patch only firmware.* count: the others would give the bug away.\n"
            "uniform: seeds of the scenario as it stands; swarm: with what run.swarm draws;\n"
            "mixed: run.swarm=half;\n"
            "guided: swarm with sweep --guide; fuzz: libFuzzer on plans (fuzz_plan).\n",
        .example = "brownout mutants window_edge_open --keep",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    memset(call, 0, sizeof *call);
    call->runs = RUNS_DEFAULT;
    call->searches = SEARCHES_DEFAULT;
    call->search_us = SEARCH_US_DEFAULT;
    call->jobs = processors < 1 ? 1 : processors > JOBS_MAX ? JOBS_MAX : (uint64_t)processors;
    return command_parse(&verb, argc, argv, &call->name, exit_code);
}

static bool find_folders(struct mutants_call *call, struct mutant_build **build, char *error,
                         size_t error_bytes)
{
    if (call->build != NULL) {
        snprintf(call->build_folder, sizeof call->build_folder, "%s", call->build);
    } else {
        const ssize_t length =
            readlink("/proc/self/exe", call->build_folder, sizeof call->build_folder - 1);
        call->build_folder[length > 0 ? length : 0] = '\0';
        char *slash = strrchr(call->build_folder, '/');
        if (slash != NULL) {
            *slash = '\0';
        }
    }
    *build = mutant_build_open(call->build_folder, error, error_bytes);
    if (*build == NULL) {
        return false;
    }
    snprintf(call->source_folder, sizeof call->source_folder, "%s",
             call->source != NULL ? call->source : mutant_build_source(*build));
    return true;
}

static int is_patch(const struct dirent *entry)
{
    const size_t length = strlen(entry->d_name), suffix = strlen(MUTANT_SUFFIX);
    return length > suffix && strcmp(entry->d_name + length - suffix, MUTANT_SUFFIX) == 0;
}

/* Is `name` among "a,b,c"? */
static bool is_asked(const char *names, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = names; at != NULL; at = strchr(at, ',')) {
        at += *at == ',' ? 1 : 0;
        if (strcspn(at, ",") == length && strncmp(at, name, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Lives are searched whole, and determinism is no law of one run: nothing is explored there. */
static bool is_meant(const struct mutants_call *call, const struct mutant *mutant)
{
    const bool in_runs = mutant->needs == MUTANT_NEEDS_RUN && mutant->law != MUTANT_DETERMINISM;
    return (call->name == NULL || is_asked(call->name, mutant->name)) &&
           (call->explore == NULL || in_runs);
}

/* It is named from the root of the tree, which need not be here. */
static void place_scenario(struct mutant *mutant, const char *source_folder)
{
    char path[2 * MUTANT_PATH_BYTES + 2];
    snprintf(path, sizeof path, "%s/%s", source_folder, mutant->scenario);
    if (access(mutant->scenario, F_OK) != 0 && strlen(path) < sizeof mutant->scenario) {
        memcpy(mutant->scenario, path, strlen(path) + 1);
    }
}

static bool read_all(const struct mutants_call *call, struct mutants_planted *list, uint32_t *count,
                     char *error, size_t error_bytes)
{
    char folder[MUTANT_PATH_BYTES + 16], path[2 * MUTANT_PATH_BYTES + 16];
    struct dirent **entries = NULL;
    const uint32_t law = call->law == NULL ? LAW_COUNT : mutant_law(call->law);
    bool good = call->law == NULL || law < LAW_COUNT;
    *count = 0;
    if (!good) {
        snprintf(error, error_bytes, "no law '%s' (a run prints all of them)", call->law);
        return false;
    }
    snprintf(folder, sizeof folder, "%s/sim/mutants", call->source_folder);
    const int found = scandir(folder, &entries, is_patch, alphasort);
    for (int i = 0; i < found; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        free(entries[i]);
        if (good && *count < MUTANTS_MAX) {
            struct mutant *mutant = &list[*count].mutant;
            good = mutant_read(mutant, path, error, error_bytes);
            place_scenario(mutant, call->source_folder);
            mutant_judge(mutant, law);
            *count += is_meant(call, mutant) ? 1 : 0;
        }
    }
    free(entries);
    if (good && *count == 0) {
        snprintf(error, error_bytes, "no planted bug '%s' in %s",
                 call->name == NULL ? "" : call->name, folder);
    }
    return good && *count > 0;
}

int command_mutants(int argc, char **argv)
{
    static struct mutants_call call;
    struct mutant_build *build = NULL;
    char error[1024] = "";
    uint32_t count = 0;
    int exit_code;
    if (!parse(&call, argc, argv, &exit_code)) {
        return exit_code;
    }
    if (!mutants_prepare_explore(&call, error, sizeof error) ||
        !find_folders(&call, &build, error, sizeof error)) {
        return command_refuse("mutants", error);
    }
    struct mutants_planted *list = calloc(MUTANTS_MAX, sizeof *list);
    CHECK(list != NULL);
    if (!read_all(&call, list, &count, error, sizeof error)) {
        exit_code = command_refuse("mutants", error);
    } else if (!examine_all(&call, build, list, count)) {
        (void)command_refuse("mutants", "no more processes can be made; ask for fewer --jobs");
        exit_code = VERDICT_HARNESS;
    } else if (call.explore != NULL) {
        exit_code = mutants_print_explored(&call, list, count);
    } else {
        const enum verdict verdict = mutants_judge(list, count);
        if (call.json) {
            mutants_print_json(&call, list, count, verdict);
        } else {
            mutants_print(&call, list, count);
        }
        exit_code = (int)verdict;
    }
    free(list);
    mutant_build_close(build);
    mutant_build_close(call.fuzz_build);
    return exit_code;
}
