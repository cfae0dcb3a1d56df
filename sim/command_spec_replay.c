/* brownout spec replay: a walk of a spec, such as the counterexample of a planted bug, taken to the
 * real core step by step, and written as a scenario of the simulated world. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/spec_call.h"
#include "sim/spec_scenario.h"
#include "sim/spec_walks.h"

struct request {
    const char *config, *walk, *output;
};

/* ---- Which walk ------------------------------------------------------------------------------ */

/* A line of a walk begins with its move; what stands behind it says what the move changes. */
static bool read_move(const struct spec_instance *instance, const char *line,
                      struct spec_move *move)
{
    for (uint32_t i = 0; i < instance->move_count; i++) {
        char text[SPEC_MOVE_BYTES];
        spec_print_move(instance, &instance->moves[i], text, sizeof text);
        const size_t length = strlen(text);
        if (strncmp(line, text, length) == 0 && strchr(" \t\r\n", line[length]) != NULL) {
            *move = instance->moves[i];
            return true;
        }
    }
    return false;
}

static bool read_walk(const struct spec_instance *instance, const char *path,
                      struct spec_moves *moves, char *error, size_t error_bytes)
{
    char line[1024];
    int32_t state[SPEC_STATE_WORDS_MAX] = {0}, pre[SPEC_STATE_WORDS_MAX];
    int32_t post[SPEC_STATE_WORDS_MAX];
    bool good = instance->model->init(instance->k, 0, state);
    FILE *file = fopen(path, "r");
    CHECK(good);
    spec_gather(instance, state, pre);
    if (file == NULL) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return false;
    }
    for (uint32_t number = 1; good && fgets(line, sizeof line, file) != NULL; number++) {
        const char *text = line + strspn(line, " \t");
        if (*text < 'A' || *text > 'Z' ||
            strncmp(text, instance->model->name, strlen(instance->model->name)) == 0) {
            continue; /* a heading, or nothing */
        }
        struct spec_move *move = &moves->list[moves->count];
        if (moves->count == SCENARIO_MOVES_MAX || !read_move(instance, text, move)) {
            snprintf(error, error_bytes, "%s:%" PRIu32 ": no move of %s, %s, or too many", path,
                     number, instance->model->name, instance->name);
            good = false;
        } else if (!spec_step(instance, move, pre, post)) {
            snprintf(error, error_bytes, "%s:%" PRIu32 ": the spec does not enable it there", path,
                     number);
            good = false;
        } else {
            moves->count++;
            memcpy(pre, post, instance->cell_count * sizeof pre[0]);
        }
    }
    fclose(file);
    if (good && moves->count == 0) {
        snprintf(error, error_bytes, "%s: no moves; brownout spec walks --print writes some", path);
        good = false;
    }
    return good;
}

static bool find_walk(const struct spec_instance *instance, const struct spec_config *config,
                      struct spec_moves *moves, char *error, size_t error_bytes)
{
    struct spec_graph graph;
    struct spec_walks walks;
    memset(&graph, 0, sizeof graph);
    memset(&walks, 0, sizeof walks);
    bool good = spec_explore(&graph, instance, SPEC_STATES_MAX, error, error_bytes) &&
                spec_walks_break(&walks, &graph, config, error, error_bytes);
    if (good && walks.step_count > SCENARIO_MOVES_MAX) {
        snprintf(error, error_bytes, "%s: the walk is longer than %d steps", config->name,
                 SCENARIO_MOVES_MAX);
        good = false;
    }
    for (uint32_t i = 0; good && i < walks.step_count; i++) {
        moves->list[moves->count++] = instance->moves[walks.steps[i].move];
    }
    spec_walks_free(&walks);
    spec_graph_free(&graph);
    return good;
}

/* ---- Along it -------------------------------------------------------------------------------- */

enum fate {
    FATE_FOLLOWS, /* the core did as the spec says */
    FATE_REFUSES, /* it did not */
    FATE_OPEN,    /* the driver cannot tell */
};

static enum fate take_step(const struct driver *driver, void *rig,
                           const struct spec_instance *instance, const struct spec_move *move,
                           const int32_t *post)
{
    const char *why = NULL;
    const enum drive_outcome outcome = driver->act(rig, move, &why);
    if (outcome == DRIVE_UNDRIVEN) {
        printf("    a core does not come there: %s\n", why);
        return FATE_OPEN;
    }
    if (driver->tell != NULL) {
        driver->tell(rig, "    ", stdout);
    }
    if (outcome == DRIVE_FAILED) {
        printf("    the core refuses: %s\n", why);
        return FATE_REFUSES;
    }
    return drive_compare(driver, rig, instance, post, "    the core refuses: ", stdout) > 0
               ? FATE_REFUSES
               : FATE_FOLLOWS;
}

static enum fate follow(const struct driver *driver, const struct spec_instance *instance,
                        const struct spec_moves *moves, void *rig)
{
    int32_t state[SPEC_STATE_WORDS_MAX] = {0}, pre[SPEC_STATE_WORDS_MAX];
    int32_t post[SPEC_STATE_WORDS_MAX];
    enum fate fate = FATE_FOLLOWS;
    const bool begun = instance->model->init(instance->k, 0, state);
    CHECK(begun);
    spec_gather(instance, state, pre);
    for (uint32_t i = 0; i < moves->count && fate == FATE_FOLLOWS; i++) {
        const bool enabled = spec_step(instance, &moves->list[i], pre, post);
        CHECK(enabled);
        printf("%3" PRIu32, i + 1);
        spec_print_step(instance, pre, post, &moves->list[i], stdout);
        fate = take_step(driver, rig, instance, &moves->list[i], post);
        memcpy(pre, post, instance->cell_count * sizeof pre[0]);
    }
    const char *why = NULL;
    if (fate == FATE_FOLLOWS && driver->finish != NULL && driver->finish(rig, &why) != DRIVE_DONE) {
        printf("    the core refuses, at the end of what was held back: %s\n", why);
        fate = FATE_REFUSES;
    }
    return fate;
}

/* Of a planted bug the core must refuse a step; of any other walk none. */
static int drive_walk(const struct driver *driver, const struct spec_instance *instance,
                      const struct spec_config *config, const struct spec_moves *moves)
{
    char error[1024];
    const bool bug = config->role == SPEC_ROLE_BUG;
    void *rig = driver->begin(instance, error, sizeof error);
    if (rig == NULL) {
        return command_refuse("spec replay", error);
    }
    const enum fate fate = follow(driver, instance, moves, rig);
    driver->end(rig);
    if (fate == FATE_OPEN) {
        printf("unknown: the walk leads where no core comes\n");
        return VERDICT_UNKNOWN;
    }
    if (bug) {
        printf(fate == FATE_REFUSES ? "the core does not have this bug\n"
                                    : "the core follows to the end: it has this bug\n");
    } else {
        printf(fate == FATE_FOLLOWS ? "the core follows to the end\n"
                                    : "the core leaves the spec\n");
    }
    return (fate == FATE_REFUSES) == bug ? VERDICT_PASS : VERDICT_FAIL;
}

static int write_scenario(const struct driver *driver, const struct spec_instance *instance,
                          const struct spec_moves *moves, const char *path)
{
    char error[1024];
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        snprintf(error, sizeof error, "%s: %s", path, strerror(errno));
        return command_refuse("spec replay", error);
    }
    bool good = spec_scenario_write(driver, instance, moves, file, error, sizeof error);
    if (fclose(file) != 0 && good) {
        snprintf(error, sizeof error, "%s: %s", path, strerror(errno));
        good = false;
    }
    if (!good) {
        (void)remove(path);
        return command_refuse("spec replay", error);
    }
    printf("brownout run %s\n", path);
    return VERDICT_PASS;
}

/* ---- The command ----------------------------------------------------------------------------- */

static const struct spec_config *config_of(const struct spec_folder *folder, const char *name)
{
    for (uint32_t i = 0; i < folder->config_count; i++) {
        if (strcmp(folder->configs[i].name, name) == 0) {
            return &folder->configs[i];
        }
    }
    return NULL;
}

static int replay(const struct spec_call *call, const struct request *request)
{
    static struct spec_instance instance;
    static struct spec_moves moves;
    char error[2048];
    const struct spec_folder *folder = &call->folders[0];
    const struct spec_config *config = NULL;
    const struct driver *driver = call->law == NULL ? NULL : driver_of(call->law);
    if (call->law == NULL || request->config == NULL) {
        return command_refuse("spec replay",
                              "name a law, and with --config what is to be replayed");
    }
    if (driver == NULL) {
        snprintf(error, sizeof error, "no driver takes the core along %s", call->law);
        return command_refuse("spec replay", error);
    }
    config = config_of(folder, request->config);
    if (config == NULL) {
        snprintf(error, sizeof error, "%s has no configuration %s.cfg", call->law, request->config);
        return command_refuse("spec replay", error);
    }
    if (request->walk == NULL && config->role != SPEC_ROLE_BUG) {
        snprintf(error, sizeof error, "%s has no planted bug: name a walk of it with --walk",
                 config->name);
        return command_refuse("spec replay", error);
    }
    memset(&moves, 0, sizeof moves);
    if (!spec_instance_init(&instance, folder->model, config, error, sizeof error) ||
        !(request->walk != NULL ? read_walk(&instance, request->walk, &moves, error, sizeof error)
                                : find_walk(&instance, config, &moves, error, sizeof error))) {
        return command_refuse("spec replay", error);
    }
    const int exit_code = drive_walk(driver, &instance, config, &moves);
    if (request->output == NULL || exit_code == VERDICT_USAGE) {
        return exit_code;
    }
    const int written = write_scenario(driver, &instance, &moves, request->output);
    return written == VERDICT_PASS ? exit_code : written;
}

int command_spec_replay(int argc, char **argv)
{
    static struct spec_call call;
    struct request request = {0};
    const struct option options[] = {
        {.name = "--config",
         .kind = OPTION_TEXT,
         .target = &request.config,
         .value = "NAME",
         .doc = "bug_*: the shortest walk that breaks its claim; others with --walk"},
        {.name = "--walk",
         .kind = OPTION_TEXT,
         .target = &request.walk,
         .value = "FILE",
         .doc = "this walk of it, one move a line, as spec walks --print writes them"},
        {.name = "-o",
         .kind = OPTION_TEXT,
         .target = &request.output,
         .value = "FILE.lua",
         .doc = "write a scenario with the walk's faults, for brownout run"},
    };
    const struct option_verb verb = {
        .name = "spec replay",
        .doc = "A counterexample of a spec, taken to the real core and to a scenario",
        .details =
            "Each step is driven as by spec walks --core; what the core says is printed, and "
            "where\n"
            "it does otherwise than the spec. Of a planted bug's walk a core without the bug\n"
            "refuses a step. The walk is as long as TLC's own: spec check compares them.\n"
            "Exit codes: 0 the core refuses the bug, or follows where there is none; 1 it does\n"
            "not; 2 the call is wrong, or no strike does what the walk needs; 5 no core comes\n"
            "there.\n",
        .example = "brownout spec replay Telemetry --config bug_resume_from_used -o resume.lua",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int exit_code = VERDICT_PASS;
    memset(&call, 0, sizeof call);
    if (spec_call_begin(&call, &verb, argc, argv, &exit_code)) {
        exit_code = replay(&call, &request);
    }
    spec_call_end(&call);
    return exit_code;
}
