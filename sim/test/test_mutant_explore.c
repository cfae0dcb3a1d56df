/* Goal: what looking for a planted bug goes by is what sweep, fuzz_plan and a plan say. Method:
 * their answers, whole and spoilt; a plan that is drawn beforehand against the run that draws it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/mutant_explore.h"
#include "sim/mutant_table.h"
#include "sim/run.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, what);
    abort();
}

static void an_answer_of_sweep_is_read_whole_or_refused(void)
{
    struct mutant_sight sight;
    EXPECT(
        mutant_sweep_understand("progress\n{\"runs\":7,\"error\":null,\"failures\":[{\"run_id\":7,"
                                "\"verdict\":\"fail\",\"law\":\"telemetry.once\"}]}\n",
                                &sight));
    EXPECT(sight.failed);
    EXPECT_EQUAL(sight.runs, 7);
    EXPECT(strcmp(sight.law, "telemetry.once") == 0);
    /* What cannot be told broke no law. */
    EXPECT(mutant_sweep_understand("{\"runs\":9,\"error\":null,\"failures\":[{\"run_id\":9,"
                                   "\"verdict\":\"unknown\",\"law\":null}]}",
                                   &sight));
    EXPECT(!sight.failed);
    EXPECT_EQUAL(sight.runs, 9);
    EXPECT(!mutant_sweep_understand("{\"runs\":0,\"failures\":[]}", &sight));
    EXPECT(!mutant_sweep_understand("{\"runs\":3,\"error\":\"the canary did not fail\"}", &sight));
    EXPECT(!mutant_sweep_understand("{\"runs\":3,", &sight));
    EXPECT(!mutant_sweep_understand("brownout sweep: no such scenario", &sight));
}

static void an_answer_of_the_fuzzer_is_read_whole_or_refused(void)
{
    struct mutant_sight sight;
    EXPECT(mutant_fuzz_understand("#12 NEW\n{\"fuzz_plan\":\"failed\",\"runs\":12,\"law\":"
                                  "\"liveness.acked\",\"plan\":\"/x/broken-1.plan\"}\n"
                                  "==1== ERROR: libFuzzer: deadly signal\n",
                                  &sight));
    EXPECT(sight.failed);
    EXPECT_EQUAL(sight.runs, 12);
    EXPECT(strcmp(sight.plan, "/x/broken-1.plan") == 0);
    EXPECT(mutant_fuzz_understand("{\"fuzz_plan\":\"nothing\",\"runs\":200,\"law\":\"\"}", &sight));
    EXPECT(!sight.failed);
    EXPECT_EQUAL(sight.runs, 200);
    EXPECT(!mutant_fuzz_understand("==1== ERROR: libFuzzer: out-of-memory", &sight));
}

static void ways_are_named_or_refused(void)
{
    bool ways[MUTANT_WAY_COUNT];
    char error[256] = "";
    EXPECT(mutant_ways_read("swarm,fuzz", ways, error, sizeof error));
    EXPECT(!ways[MUTANT_UNIFORM] && ways[MUTANT_SWARM] && !ways[MUTANT_GUIDED] &&
           ways[MUTANT_FUZZ]);
    EXPECT(!mutant_ways_read("swarm,luck", ways, error, sizeof error));
    EXPECT(strstr(error, "'luck'") != NULL);
    EXPECT(!mutant_ways_read("", ways, error, sizeof error));
    EXPECT(!mutant_ways_read("swarm,", ways, error, sizeof error));
}

/* ---- plans ----------------------------------------------------------------------------------- */

static const struct run_setting settings[] = {
    {"run.swarm", "yes"}, {"run.crypto", "ideal"},     {"run.duration", "4m"},
    {"run.heal", "5m"},   {"firmware.image", "30000"}, {"firmware.release", "1m"},
};

static void request_of(struct run_request *request, uint64_t seed)
{
    run_request_init(request);
    request->scenario = MUTANT_EXPLORE_SCENARIO;
    request->seed = seed;
    request->settings = settings;
    request->setting_count = sizeof settings / sizeof settings[0];
}

static void a_plan_drawn_beforehand_is_the_one_that_is_lived(void)
{
    struct run_request request;
    static struct run_result whole, drawn;
    struct plan plan;
    char error[512] = "";
    uint32_t faults = 0;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        request_of(&request, seed);
        EXPECT(run_draw(&request, &plan, error, sizeof error));
        run(&request, &whole);
        run_request_init(&request);
        request.plan = &plan;
        run(&request, &drawn);
        EXPECT(whole.events > 20);
        faults += plan.entry_count;
        EXPECT(memcmp(whole.digest, drawn.digest, sizeof whole.digest) == 0);
        run_result_free(&whole);
        run_result_free(&drawn);
        plan_free(&plan);
    }
    EXPECT(faults > 10);
}

/* Half of a swarm: each run is one that the swarm draws, or the one of the scenario as it stands.
 */
static void half_of_a_swarm_is_half_of_the_runs(void)
{
    static const struct run_setting choices[] = {
        {"run.swarm", "no"}, {"run.swarm", "yes"}, {"run.swarm", "half"}};
    enum { NO, YES, HALF, SEEDS = 40 };
    uint32_t drawn = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        static struct run_result results[3];
        for (unsigned i = NO; i <= HALF; i++) {
            struct run_request request;
            request_of(&request, seed);
            request.settings = &choices[i];
            request.setting_count = 1;
            request.until_event = 1;
            run(&request, &results[i]);
        }
        EXPECT(results[YES].swarm && !results[NO].swarm);
        const struct run_result *same = &results[results[HALF].swarm ? YES : NO];
        EXPECT(memcmp(results[HALF].plan_digest, same->plan_digest, sizeof same->plan_digest) == 0);
        drawn += results[HALF].swarm ? 1 : 0;
        for (unsigned i = NO; i <= HALF; i++) {
            run_result_free(&results[i]);
        }
    }
    EXPECT(drawn > SEEDS / 4 && drawn < SEEDS - SEEDS / 4);
}

static void what_cannot_be_drawn_says_why(void)
{
    struct run_request request;
    struct plan plan;
    char error[512] = "";
    request_of(&request, 1);
    request.scenario = "scenarios/no_such.lua";
    EXPECT(!run_draw(&request, &plan, error, sizeof error));
    EXPECT(strstr(error, "no_such") != NULL);
}

/* Slots need room: a swarm draws no flash that has none. */
static void a_swarm_draws_flash_that_firmware_fits_on(void)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct run_request request;
        static struct run_result result;
        request_of(&request, seed);
        request.until_event = 1;
        run(&request, &result);
        if (result.verdict == VERDICT_USAGE) {
            fprintf(stderr, "seed %d: %s\n", (int)seed, result.message);
        }
        EXPECT(result.verdict != VERDICT_USAGE);
        run_result_free(&result);
    }
}

int main(void)
{
    RUN(an_answer_of_sweep_is_read_whole_or_refused);
    RUN(an_answer_of_the_fuzzer_is_read_whole_or_refused);
    RUN(ways_are_named_or_refused);
    RUN(a_plan_drawn_beforehand_is_the_one_that_is_lived);
    RUN(half_of_a_swarm_is_half_of_the_runs);
    RUN(what_cannot_be_drawn_says_why);
    RUN(a_swarm_draws_flash_that_firmware_fits_on);
    return 0;
}
