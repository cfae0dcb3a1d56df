/* Goal: shrinking keeps the failure and leaves nothing that could go; its result hangs on nothing
 * but the plan; what it cannot shrink it says. Method: failures whose minimal plan is known,
 * because an expectation counts the faults that it takes; variants of faults one by one; and the
 * command on what is no failure. */
#include "sim/shrink.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/plan_lua.h"
#include "sim/process.h"
#include "sim/shrink_fault.h"
#include "sim/test/small_fleet.h"

static char folder[] = "/tmp/brownout_shrink_XXXXXX";

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

/* ---- one fault ------------------------------------------------------------------------------- */

static const struct plan_entry faults[] = {
    {.when = PLAN_AT, .at_us = 754123457, .effect = EFFECT_POWER_CUT, .lasts_us = 17123456},
    {.when = PLAN_AT, .at_us = 600000000, .effect = EFFECT_WALL_STEP, .amount = -3723000001},
    {.when = PLAN_OPERATION,
     .at_us = 61000001,
     .kind = OPERATION_ANY,
     .nth = 9,
     .boot = 2,
     .phase = PLAN_INSIDE,
     .fraction = 12345,
     .effect = EFFECT_CRASH,
     .lasts_us = 1500000},
    {.when = PLAN_EVIDENCE,
     .at_us = 0,
     .kind = EVIDENCE_SEND,
     .nth = 3,
     .delay_us = 7000001,
     .effect = EFFECT_HANG,
     .lasts_us = 86400000001},
    {.when = PLAN_AT, .at_us = 1, .effect = EFFECT_LINK_SLOW, .lasts_us = 1, .amount = 123456},
    {.when = PLAN_AT, .at_us = 59999999, .effect = EFFECT_FLASH_ROT, .amount = 99},
    {.when = PLAN_NOW, .filed_us = 12345, .effect = EFFECT_SUSPEND, .lasts_us = 61000000},
};
enum { FAULTS = sizeof faults / sizeof faults[0], STEPS_MAX = 500 };

static struct plan_entry fault_of_device(unsigned i, const struct plan *plan)
{
    struct plan_entry entry = faults[i];
    entry.target = fleet_node_count(&plan->settings); /* the last one is a device */
    entry.other = PLAN_ANY;
    return entry;
}

static void every_simpler_fault_can_strike_and_differs_in_one_field(void)
{
    struct plan plan;
    small_fleet(&plan, 1);
    for (unsigned i = 0; i < FAULTS; i++) {
        const struct plan_entry entry = fault_of_device(i, &plan);
        for (unsigned field = 0; field < SHRINK_FIELD_COUNT; field++) {
            struct plan_entry list[SHRINK_VARIANTS_MAX];
            char error[200] = "";
            const uint32_t count = shrink_fault_variants(&entry, (enum shrink_field)field, list);
            for (uint32_t at = 0; at < count; at++) {
                EXPECT(plan_entry_check(&plan, &list[at], error, sizeof error));
                EXPECT(list[at].effect == entry.effect && list[at].target == entry.target);
                EXPECT(field == SHRINK_LASTS || list[at].lasts_us == entry.lasts_us);
                EXPECT(field == SHRINK_AMOUNT || list[at].amount == entry.amount);
                EXPECT(field == SHRINK_WHEN || list[at].at_us == entry.at_us);
                EXPECT(memcmp(&list[at], &entry, sizeof entry) != 0);
            }
        }
    }
    plan_free(&plan);
}

/* Whoever takes variant number `pick` again and again comes to the end. */
static void simplifying_comes_to_an_end(void)
{
    struct plan plan;
    small_fleet(&plan, 1);
    for (unsigned i = 0; i < FAULTS; i++) {
        for (uint32_t pick = 0; pick < SHRINK_VARIANTS_MAX; pick++) {
            struct plan_entry entry = fault_of_device(i, &plan), list[SHRINK_VARIANTS_MAX];
            for (unsigned field = 0; field < SHRINK_FIELD_COUNT; field++) {
                uint32_t steps = 0, count;
                while ((count = shrink_fault_variants(&entry, (enum shrink_field)field, list)) >
                       0) {
                    entry = list[pick < count ? pick : count - 1];
                    EXPECT(++steps < STEPS_MAX);
                }
            }
        }
    }
    plan_free(&plan);
}

/* ---- kinds of failures ----------------------------------------------------------------------- */

static void expect_kind(const struct run_result *result, const char *kind)
{
    char text[FAILURE_BYTES];
    failure_kind(result, text);
    EXPECT(strcmp(text, kind) == 0);
}

static void failures_are_alike_by_law_and_first_bad_evidence(void)
{
    struct run_result result = {.verdict = VERDICT_FAIL,
                                .violated = true,
                                .violation = {.law = LAW_TELEMETRY_ONCE,
                                              .observation = {.kind = EVIDENCE_ACCEPT},
                                              .what = "accepted before",
                                              .actual = 7}};
    expect_kind(&result, "telemetry.once at ACCEPT");
    result.violation.observation.kind = TRUTH_DOWN;
    expect_kind(&result, "telemetry.once at is down");
    snprintf(result.check_text, sizeof result.check_text, "core/a.c:1: x");
    result.violation.law = LAW_CORE_CHECK;
    expect_kind(&result, "core.check: core/a.c:1: x");
    result = (struct run_result){.verdict = VERDICT_FAIL,
                                 .message = "expectation on lost does not hold: it is 3"};
    expect_kind(&result, "expectation on lost does not hold");
    result.live_expectation = true;
    expect_kind(&result, "");
    result = (struct run_result){.verdict = VERDICT_HARNESS, .message = "died of SIGSEGV: at 0x7f"};
    expect_kind(&result, "died of SIGSEGV");
    EXPECT(failure_is_crash(&result));
    result = (struct run_result){.verdict = VERDICT_UNKNOWN, .message = "no end after 2m"};
    expect_kind(&result, "");
    result = (struct run_result){.verdict = VERDICT_PASS};
    expect_kind(&result, "");
}

/* ---- the scenario of a plan ------------------------------------------------------------------ */

static void write_text(const char *name, const char *text, char *path, size_t path_bytes)
{
    snprintf(path, path_bytes, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    EXPECT(fputs(text, file) >= 0);
    EXPECT(fclose(file) == 0);
}

static void a_plan_and_its_scenario_are_one_history(void)
{
    struct plan plan;
    struct run_request request;
    struct run_result planned, scripted;
    char path[128];
    small_fleet(&plan, 7);
    small_fleet_set(&plan, "device.sample_every", "20s");
    small_fleet_set(&plan, "run.laws", "-spec.telemetry");
    for (unsigned i = 0; i < FAULTS; i++) {
        struct plan_entry entry = fault_of_device(i, &plan);
        entry.target -= i % 2;
        entry.filed_us = entry.when == PLAN_NOW ? 700000000 : 0;
        EXPECT(plan_append(&plan, &entry));
    }
    plan.by_time = true;
    snprintf(path, sizeof path, "%s/history.lua", folder);
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    const struct plan_lua scenario = {&plan, "Is it \"one\" history?", "A\nB\n", NULL};
    EXPECT(plan_lua_write(&scenario, file));
    EXPECT(fclose(file) == 0);
    run_request_init(&request);
    request.plan = &plan;
    run(&request, &planned);
    run_request_init(&request);
    request.scenario = path;
    request.seed = 7;
    run(&request, &scripted);
    EXPECT(planned.events > 1000);
    EXPECT_EQUAL(scripted.verdict, planned.verdict);
    EXPECT_EQUAL(scripted.fired[EFFECT_SUSPEND], 1);
    EXPECT(memcmp(planned.digest, scripted.digest, sizeof planned.digest) == 0);
    EXPECT(strcmp(scripted.question, "Is it \"one\" history?") == 0);
    run_result_free(&planned);
    run_result_free(&scripted);
    plan_free(&plan);
}

/* ---- shrinking ------------------------------------------------------------------------------- */

/* A fleet under many faults, whose nodes must not lose power so often. */
static void make(struct plan *plan, uint64_t losses)
{
    small_fleet(plan, 5);
    small_fleet_set(plan, "device.sample_every", "20s");
    small_fleet_set(plan, "device.reserve", "4");
    small_fleet_set(plan, "faults.power_cut", "1m");
    small_fleet_set(plan, "faults.link_stall", "1m");
    small_fleet_set(plan, "faults.wall_step", "2m");
    small_fleet_set(plan, "run.duration", "6m");
    small_fleet_set(plan, "run.heal", "5m");
    EXPECT(plan_draw_faults(plan));
    plan->expectation_count = 2;
    plan->expectations[0] = (struct plan_expectation){FIGURE_power_losses, PLAN_LESS, losses};
    plan->expectations[1] = (struct plan_expectation){FIGURE_lost, PLAN_EQUAL, 0};
}

static enum shrink_outcome shrink_with(const struct plan *plan, uint32_t jobs, uint64_t runs_max,
                                       struct shrink_result *result)
{
    const struct trial_config config = {.jobs = jobs, .timeout_us = 60000000, .runs_max = runs_max};
    return shrink(plan, 1, config, result);
}

static void expect_failing(const struct plan *plan)
{
    struct run_request request;
    struct run_result result;
    run_request_init(&request);
    request.plan = plan;
    run(&request, &result);
    EXPECT_EQUAL(result.verdict, VERDICT_FAIL);
    EXPECT(strstr(result.message, "power_losses") != NULL);
    run_result_free(&result);
}

static void what_is_left_is_what_it_takes(void)
{
    struct plan plan;
    static struct shrink_result result;
    make(&plan, 3);
    EXPECT(plan.entry_count > 40);
    EXPECT_EQUAL(shrink_with(&plan, 2, 10000, &result), SHRINK_DONE);
    EXPECT(result.minimal);
    EXPECT_EQUAL(result.plan.entry_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_EQUAL(result.plan.entries[i].effect, EFFECT_POWER_CUT);
        EXPECT_EQUAL(result.plan.entries[i].lasts_us, 1000000);
    }
    EXPECT_EQUAL(result.to.settings, 0);
    EXPECT(result.to.gateways <= result.from.gateways);
    EXPECT(result.to.devices <= result.from.devices);
    EXPECT_EQUAL(result.plan.expectation_count, 1); /* the other one was not broken */
    EXPECT(result.to.duration_us < result.from.duration_us);
    EXPECT_EQUAL(result.plan.seed, 1);
    EXPECT(result.seeds_failing >= 1);
    expect_failing(&result.plan);
    shrink_result_free(&result);
    plan_free(&plan);
}

static void the_result_is_the_same_with_any_number_of_jobs(void)
{
    struct plan plan;
    static struct shrink_result one, other;
    uint64_t hash[2], other_hash[2];
    make(&plan, 2);
    for (uint64_t runs_max = 7; runs_max < 10000; runs_max += 9000) {
        EXPECT_EQUAL(shrink_with(&plan, 1, runs_max, &one), SHRINK_DONE);
        EXPECT_EQUAL(shrink_with(&plan, 5, runs_max, &other), SHRINK_DONE);
        plan_hash(&one.plan, hash);
        plan_hash(&other.plan, other_hash);
        EXPECT(memcmp(hash, other_hash, sizeof hash) == 0);
        EXPECT_EQUAL(one.runs, other.runs);
        EXPECT_EQUAL(one.minimal, other.minimal);
        shrink_result_free(&one);
        shrink_result_free(&other);
    }
    plan_free(&plan);
}

static void a_budget_that_is_spent_leaves_a_plan_that_fails(void)
{
    struct plan plan;
    static struct shrink_result result;
    make(&plan, 3);
    for (uint64_t runs_max = 1; runs_max < 30; runs_max += 19) {
        EXPECT_EQUAL(shrink_with(&plan, 2, runs_max, &result), SHRINK_DONE);
        EXPECT(!result.minimal);
        EXPECT_EQUAL(result.runs, runs_max);
        expect_failing(&result.plan);
        shrink_result_free(&result);
    }
    plan_free(&plan);
}

static void a_run_that_passes_is_nothing_to_shrink(void)
{
    struct plan plan;
    static struct shrink_result result;
    make(&plan, 1000);
    EXPECT_EQUAL(shrink_with(&plan, 1, 100, &result), SHRINK_PASSES);
    EXPECT(strstr(result.message, "nothing to shrink") != NULL);
    EXPECT_EQUAL(result.runs, 0);
    shrink_result_free(&result);
    plan_free(&plan);
}

/* Each reader of the pipe finds another number in it. */
static pid_t start_counter(const char *path)
{
    EXPECT_EQUAL(mkfifo(path, 0600), 0);
    const pid_t pid = fork();
    int number = 0;
    if (pid == 0) {
        signal(SIGPIPE, SIG_IGN); /* a reader that is gone already */
    }
    while (pid == 0) {
        const int file = open(path, O_WRONLY);
        (void)dprintf(file, "%d\n", ++number);
        close(file);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    EXPECT(pid > 0);
    return pid;
}

static void a_plan_with_two_histories_is_not_shrunk(void)
{
    struct plan plan;
    static struct shrink_result result;
    char path[64];
    make(&plan, 3);
    snprintf(path, sizeof path, "%s/readings.csv", folder);
    small_fleet_set(&plan, "run.readings", path);
    const pid_t pid = start_counter(path);
    EXPECT_EQUAL(shrink_with(&plan, 1, 100, &result), SHRINK_FLAKY);
    EXPECT(strstr(result.message, "not deterministic") != NULL);
    shrink_result_free(&result);
    plan_free(&plan);
    EXPECT_EQUAL(kill(pid, SIGKILL), 0);
    EXPECT_EQUAL(waitpid(pid, NULL, 0), pid);
}

/* ---- the command ----------------------------------------------------------------------------- */

/* With these words it ends with this exit code, and says this. */
static void expect_said(const char *const *words, int code, const char *part)
{
    const char *argv[16] = {getenv("BROWNOUT"), "shrink"};
    static char text[65536];
    struct process process;
    size_t count = 2;
    if (argv[0] == NULL) { /* called by hand: CTest says where it is */
        return;
    }
    while (*words != NULL) {
        argv[count++] = *words++;
    }
    EXPECT(process_start(&process, argv, PROCESS_MEMORY_DRAWN, true));
    const int got = process_finish(&process, text, sizeof text);
    if (got != code || strstr(text, part) == NULL) {
        fprintf(stderr, "expected exit code %d and '%s', not %d:\n%s\n", code, part, got, text);
        exit(1);
    }
}
#define EXPECT_SAID(code, part, ...)                                                               \
    expect_said((const char *const[]){__VA_ARGS__, NULL}, code, part)

static const char passing[] = "return { fleet = { devices = 1 }, duration = \"1m\", heal = \"5m\","
                              " crypto = \"ideal\" }\n";
static const char failing[] =
    "return { fleet = { devices = 3 }, duration = \"20m\", heal = \"10m\", crypto = \"ideal\",\n"
    "  faults = { link_reset = \"1m\" },\n"
    "  run = function(w) w:sleep(\"7m\") w:power_cut(\"dev2\", \"10s\") end,\n"
    "  expect = { { \"power_losses\", \"==\", 0 } } }\n";
static const char judged[] =
    "return { fleet = { devices = 1 }, duration = \"1m\", heal = \"5m\", crypto = \"ideal\",\n"
    "  expect = { never = function() return false end } }\n";

static void the_command_says_what_it_cannot_shrink(void)
{
    char pass[64], judge[64], nothing[64];
    write_text("passing.lua", passing, pass, sizeof pass);
    write_text("judged.lua", judged, judge, sizeof judge);
    snprintf(nothing, sizeof nothing, "%s/none.db", folder);
    EXPECT_SAID(VERDICT_USAGE, "Say --seed N", pass);
    EXPECT_SAID(VERDICT_PASS, "the run passes", pass, "--seed", "1");
    EXPECT_SAID(VERDICT_PASS, "comes to one hash", pass, "--seed", "1", "--selfcheck");
    EXPECT_SAID(VERDICT_UNKNOWN, "a function of Lua", judge, "--seed", "1");
    EXPECT_SAID(VERDICT_PASS, "comes to one hash", judge, "--seed", "1", "--selfcheck");
    EXPECT_SAID(VERDICT_USAGE, "none.db", "17", "--db", nothing);
    EXPECT_SAID(VERDICT_USAGE, "has its own", "17", "--seed", "3");
    EXPECT_SAID(VERDICT_USAGE, "missing.plan", "missing.plan");
    EXPECT_SAID(VERDICT_USAGE, "--jobs", "17", "--jobs", "0");
    EXPECT_SAID(VERDICT_PASS, "Exit code", "--help");
}

static void the_command_writes_a_scenario_that_it_has_run(void)
{
    char scenario[64], db[64], shrunk[64], again[64];
    write_text("failing.lua", failing, scenario, sizeof scenario);
    snprintf(db, sizeof db, "%s/runs.db", folder);
    snprintf(shrunk, sizeof shrunk, "%s/shrunk.lua", folder);
    snprintf(again, sizeof again, "%s/shrunk.plan", folder);
    EXPECT_SAID(VERDICT_FAIL, "1 fault, 1 device, 1 gateway", scenario, "--seed", "3", "-o",
                shrunk);
    /* What is small already stays, as a scenario or as a plan. */
    EXPECT_SAID(VERDICT_FAIL, "\"faults\":1", shrunk, "--seed", "1", "--json");
    EXPECT_SAID(VERDICT_FAIL, "brownout replay", shrunk, "--seed", "1", "-o", again);
    EXPECT_SAID(VERDICT_FAIL, "effect = \"power_cut\", on = \"dev1\"", again);
    EXPECT_SAID(VERDICT_HARNESS, "cannot be written", again, "-o", "/no/such/folder/a.lua");
    /* From the database: an unknown run, and one that is there. */
    const char *const record[] = {
        getenv("BROWNOUT"), "run", scenario, "--seed", "3", "--db", db, NULL};
    if (record[0] != NULL) {
        static char text[65536];
        struct process process;
        EXPECT(process_start(&process, record, PROCESS_MEMORY_DRAWN, true));
        EXPECT_EQUAL(process_finish(&process, text, sizeof text), VERDICT_FAIL);
    }
    EXPECT_SAID(VERDICT_USAGE, "99", "99", "--db", db);
    EXPECT_SAID(VERDICT_FAIL, "effect = \"power_cut\", on = \"dev1\"", "1", "--db", db);
}

int main(void)
{
    EXPECT(mkdtemp(folder) != NULL);
    RUN(every_simpler_fault_can_strike_and_differs_in_one_field);
    RUN(simplifying_comes_to_an_end);
    RUN(failures_are_alike_by_law_and_first_bad_evidence);
    RUN(a_plan_and_its_scenario_are_one_history);
    RUN(what_is_left_is_what_it_takes);
    RUN(the_result_is_the_same_with_any_number_of_jobs);
    RUN(a_budget_that_is_spent_leaves_a_plan_that_fails);
    RUN(a_run_that_passes_is_nothing_to_shrink);
    RUN(a_plan_with_two_histories_is_not_shrunk);
    RUN(the_command_says_what_it_cannot_shrink);
    RUN(the_command_writes_a_scenario_that_it_has_run);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? 0 : 1;
}
