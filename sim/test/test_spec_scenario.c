/* Goal: a walk of a law becomes a scenario in which the real fleet takes that walk, or is refused
 * with the step that no scenario can say. Method: the command replays walks and runs what it wrote;
 * each run is recorded, and what its device did, as its follower tells it, begins with the walk. */
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/limits.h"
#include "core/test/test.h"
#include "sim/spec_folder.h"
#include "sim/spec_instance.h"
#include "sim/spec_runs.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    exit(1);
}

enum { SWEPT = 48, FLEET_FITS = SERVER_SESSIONS_MAX >= SWEPT, TEXT_BYTES = 16384 };

static const char *command;
static char shop[] = "/tmp/brownout_XXXXXX";
static char said[TEXT_BYTES]; /* by the last call of the command */
static char root[512];        /* of the tree */

static void read_text(const char *name, char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", shop, name);
    FILE *file = fopen(path, "rb");
    EXPECT(file != NULL);
    const size_t bytes = fread(text, 1, TEXT_BYTES - 1, file);
    text[bytes] = '\0';
    fclose(file);
}

/* Returns its exit code. */
static int call(const char *arguments)
{
    char line[1024];
    snprintf(line, sizeof line, "cd '%s' && '%s' %s > said.txt 2>&1", shop, command, arguments);
    const int status = system(line);
    EXPECT(status >= 0 && status % 256 == 0);
    read_text("said.txt", said);
    return status / 256;
}

static int replay_of(const char *law, const char *config, const char *more)
{
    char arguments[1024];
    snprintf(arguments, sizeof arguments, "spec replay %s --source '%s' --config %s %s", law, root,
             config, more);
    return call(arguments);
}

static int replay(const char *config, const char *more)
{
    return replay_of("Update", config, more);
}

static void write_walk(const char *const *moves)
{
    char path[128];
    snprintf(path, sizeof path, "%s/walk.txt", shop);
    FILE *file = fopen(path, "wb");
    EXPECT(file != NULL);
    for (; *moves != NULL; moves++) {
        fprintf(file, "%s\n", *moves);
    }
    EXPECT(fclose(file) == 0);
}

/* ---- The core -------------------------------------------------------------------------------- */

static void the_core_has_none_of_the_planted_bugs(void)
{
    static const struct {
        const char *config, *refused; /* at this step */
    } bugs[] = {
        {"bug_take_any", "\n  3  Take "},           {"bug_keep_header", "\n 15  Take "},
        {"bug_free_trial", "\n 16  JumpTrial "},    {"bug_early_floor", "\n 17  Raise "},
        {"bug_eager_count", "\n  5  EraseSector "},
    };
    for (uint32_t i = 0; i < sizeof bugs / sizeof bugs[0]; i++) {
        EXPECT_EQUAL(replay(bugs[i].config, ""), 0);
        const char *last = strstr(said, bugs[i].refused);
        EXPECT(last != NULL && strstr(last, "the core refuses: ") != NULL);
        EXPECT(strstr(last, "the core does not have this bug") != NULL);
    }
}

/* ---- What no scenario can say ---------------------------------------------------------------- */

static void a_step_that_cannot_be_said_is_named(void)
{
    static const char *const hidden[] = {"Jump",        "Offer(2)",    "Take",      "EraseHeader",
                                         "EraseSector", "WriteSector", "LosePower", NULL};
    static const char *const declined[] = {"Jump",        "Offer(2)", "Take",
                                           "EraseHeader", "Offer(1)", NULL};
    EXPECT_EQUAL(replay("bug_take_any", "-o some.lua"), 2);
    EXPECT(strstr(said, "step 2, Offer(1): ") != NULL && access("some.lua", F_OK) != 0);
    EXPECT_EQUAL(replay("bug_keep_header", "-o some.lua"), 2);
    EXPECT(strstr(said, "step 13, Spoil(\"B\"): ") != NULL);
    write_walk(hidden);
    EXPECT_EQUAL(replay("MC", "--walk walk.txt -o some.lua"), 2);
    EXPECT(strstr(said, "step 7, LosePower: ") != NULL);
    write_walk(declined);
    EXPECT_EQUAL(replay("MC", "--walk walk.txt -o some.lua"), 2);
    EXPECT(strstr(said, "step 5, Offer(1): ") != NULL);
}

/* ---- Runs that take the walk ----------------------------------------------------------------- */

/* Of these a run tells no more than what the call that they belong to comes to; of the steps of a
 * rise, how many there were, once a crash image shows it. */
static bool is_told(const char *move)
{
    return strcmp(move, "Raise") != 0 && strcmp(move, "EraseHeader") != 0 &&
           strcmp(move, "EraseSector") != 0 && strcmp(move, "WriteSector") != 0 &&
           strcmp(move, "WriteHeader") != 0;
}

/* The next move from *at on that is told; "": there is none. */
static void next_told(const struct spec_trace *trace, const struct spec_instance *instance,
                      uint32_t *at, char *move)
{
    for (move[0] = '\0'; *at < trace->count && (move[0] == '\0' || !is_told(move)); ++*at) {
        if (trace->events[*at].move.action != FOLLOW_LOOK) {
            spec_print_move(instance, &trace->events[*at].move, move, SPEC_MOVE_BYTES);
        }
    }
}

static void expect_walk(const struct spec_trace *trace, const struct spec_instance *instance,
                        const char *const *moves)
{
    for (uint32_t at = 0; *moves != NULL; moves++) {
        char is[SPEC_MOVE_BYTES];
        if (!is_told(*moves)) {
            continue;
        }
        next_told(trace, instance, &at, is);
        if (strcmp(is, *moves) != 0) {
            fprintf(stderr, "step %u of the run is '%s', not %s\n", (unsigned)at, is, *moves);
            exit(1);
        }
    }
}

static const struct spec_model *update(void)
{
    uint32_t i = 0;
    while (strcmp(spec_at(i)->name, "Update") != 0) {
        i++;
    }
    return spec_at(i);
}

static void runs_along(const char *config, const char *const *moves)
{
    static struct spec_folder folder;
    static struct spec_instance instance;
    struct spec_runs runs = {.law = "Update"};
    char error[RECORD_ERROR_BYTES] = "", more[128];
    write_walk(moves);
    EXPECT_EQUAL(replay(config, "--walk walk.txt -o walk.lua"), 0);
    for (int seed = 1; seed <= 3; seed++) {
        snprintf(more, sizeof more, "run '%s/walk.lua' --seed %d --db runs.db", shop, seed);
        EXPECT_EQUAL(call(more), 0);
    }
    snprintf(more, sizeof more, "%s/runs.db", shop);
    struct record *record = record_open(more, RECORD_READ, error, sizeof error);
    EXPECT(record != NULL);
    EXPECT(spec_folder_read(&folder, update(), ".", error, sizeof error));
    EXPECT(spec_instance_init(&instance, update(), &folder.configs[0], error, sizeof error));
    for (int id = 1; id <= 3; id++) {
        const enum verdict verdict = spec_runs_add(&runs, record, id, error, sizeof error);
        if (verdict != VERDICT_PASS) {
            fprintf(stderr, "%s\n", error);
        }
        EXPECT_EQUAL(verdict, VERDICT_PASS);
    }
    EXPECT_EQUAL(runs.count, 3);
    for (uint32_t i = 0; i < runs.count; i++) {
        expect_walk(&runs.list[i], &instance, moves);
    }
    record_close(record);
    spec_runs_free(&runs);
    EXPECT_EQUAL(unlink(more), 0);
}

/* Before the first erase, behind a sector's, and before the image on trial runs. */
static void power_goes_between_the_words_where_the_walk_says(void)
{
    static const char *const moves[] = {
        "Jump",        "Offer(2)",    "Take",        "LosePower",   "Jump",        "Offer(2)",
        "Take",        "EraseHeader", "EraseSector", "LosePower",   "Jump",        "Offer(2)",
        "Take",        "EraseHeader", "EraseSector", "WriteSector", "CountSector", "EraseHeader",
        "WriteHeader", "Arm",         "Reset",       "Count",       "LosePower",   "Count",
        "JumpTrial",   "Confirm",     "Raise",       NULL};
    char text[TEXT_BYTES];
    runs_along("MC_losses", moves);
    read_text("walk.lua", text);
    EXPECT(strstr(text, "{ word = \"JUMP\", nth = 1,") != NULL);
    EXPECT(strstr(text, "operation = \"flash_erase\", nth = 1, phase = \"before\" }") != NULL);
    EXPECT(strstr(text, "{ word = \"TAKE\", nth = 1,") != NULL);
    EXPECT(strstr(text, "operation = \"flash_erase\", nth = 1, phase = \"after\" }") != NULL);
    EXPECT(strstr(text, "operation = \"evidence\", nth = 1, phase = \"before\", boot = 4 },\n") !=
           NULL);
    EXPECT(strstr(text, "evidence = \"RAISE\", nth = 1 },\n") != NULL);
}

/* An image that hangs is reset by its watchdog; power goes between the steps of a rise. */
static void an_image_hangs_where_the_walk_resets_it(void)
{
    static const char *const moves[] = {
        "Jump",        "Offer(2)",    "Take",        "EraseHeader", "EraseSector", "WriteSector",
        "CountSector", "EraseSector", "WriteSector", "CountSector", "EraseHeader", "WriteHeader",
        "Arm",         "Reset",       "Count",       "JumpTrial",   "Reset",       "Count",
        "JumpTrial",   "Confirm",     "Raise",       "LosePower",   "Raise",       "Raise",
        "Jump",        NULL};
    char text[TEXT_BYTES];
    runs_along("MC", moves);
    read_text("walk.lua", text);
    EXPECT(strstr(text,
                  "effect = \"hang\", on = \"device\", lasts = \"5m\", evidence = \"JUMP\", nth = "
                  "2 },\n") != NULL);
    EXPECT(strstr(text,
                  "operation = \"counter_increment\", nth = 1, phase = \"after\", boot = 3 },\n") !=
           NULL);
}

static void trials_that_are_burnt_end_in_a_revert(void)
{
    static const char *const moves[] = {
        "Jump",        "Offer(2)",    "Take",        "EraseHeader", "EraseSector", "WriteSector",
        "CountSector", "EraseHeader", "WriteHeader", "Arm",         "Reset",       "Count",
        "LosePower",   "Count",       "LosePower",   "Revert",      "Jump",        NULL};
    runs_along("MC_losses", moves);
}

/* ---- Counterexamples ------------------------------------------------------------------------- */

static void the_scenario_of_a_counterexample_passes_on_a_core_without_the_bug(void)
{
    static const char *const configs[] = {"bug_free_trial", "bug_early_floor", "bug_eager_count"};
    for (uint32_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        EXPECT_EQUAL(replay(configs[i], "-o bug.lua"), 0);
        EXPECT_EQUAL(call("run bug.lua --seed 1"), 0);
        EXPECT(strstr(said, "PASS") != NULL && strstr(said, "\n  spec.update ") != NULL);
    }
}

/* Faults of the walk alone, and the real core with the bug is caught by the law beside it. */
static void the_scenario_of_a_counterexample_fails_on_a_core_with_the_bug(void)
{
    static const struct {
        const char *config, *planted, *law;
    } bugs[] = {{"bug_early_puback", "custody_before_commit", "gateway.custody"},
                {"bug_early_ack", "ack_before_commit", "telemetry.durable"},
                {"bug_window_forgets", "window_bits_lost", "telemetry.once"}};
    for (uint32_t i = 0; i < sizeof bugs / sizeof bugs[0]; i++) {
        char more[1024];
        EXPECT_EQUAL(replay_of("Session", bugs[i].config, "-o bug.lua"), 0);
        EXPECT_EQUAL(call("run bug.lua --seed 1"), 0);
        EXPECT(strstr(said, "PASS") != NULL && strstr(said, "\n  spec.session ") != NULL);
        /* Faults that are drawn are left out as well: the walk's own are what it takes. */
        snprintf(more, sizeof more,
                 "mutants %s --source '%s' --scenario '%s/bug.lua' --law %s --runs 1",
                 bugs[i].planted, root, shop, bugs[i].law);
        EXPECT_EQUAL(call(more), 1);
        snprintf(more, sizeof more, "without faults: %s: ", bugs[i].law);
        EXPECT(strstr(said, more) != NULL);
    }
    EXPECT_EQUAL(replay_of("Session", "bug_puback_releases", "-o some.lua"), 2);
    EXPECT(strstr(said, "step 1, Sign(1): a fleet begins with replay windows") != NULL);
}

int main(void)
{
    command = getenv("BROWNOUT");
    EXPECT(command != NULL && mkdtemp(shop) != NULL && getcwd(root, sizeof root) != NULL);
    RUN(the_core_has_none_of_the_planted_bugs);
    RUN(a_step_that_cannot_be_said_is_named);
    RUN(power_goes_between_the_words_where_the_walk_says);
    RUN(an_image_hangs_where_the_walk_resets_it);
    RUN(trials_that_are_burnt_end_in_a_revert);
    if (FLEET_FITS) { /* tiny limits have no room for it */
        RUN(the_scenario_of_a_counterexample_passes_on_a_core_without_the_bug);
        RUN(the_scenario_of_a_counterexample_fails_on_a_core_with_the_bug);
    }
    char line[64];
    snprintf(line, sizeof line, "rm -r '%s'", shop);
    EXPECT_EQUAL(system(line), 0);
    return 0;
}
