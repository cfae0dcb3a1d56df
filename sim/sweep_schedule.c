#include "sim/sweep_schedule.h"

#include "core/check.h"
#include "sim/plan.h"
#include "sim/script.h"

void sweep_schedule_read(struct sweep_request *request)
{
    static struct plan plan;
    char error[512];
    for (uint32_t i = 0; i < request->scenario_count; i++) {
        struct sweep_scenario *scenario = &request->scenarios[i];
        scenario->every = 1;
        if (request->scenario_count == 1) {
            return; /* who names one file wants that one */
        }
        plan_init(&plan, request->seed_start);
        struct script *script = script_open(scenario->path, &plan, error, sizeof error);
        bool good = script != NULL;
        script_close(script);
        for (uint32_t at = 0; at < request->settings.count && good; at++) {
            const struct option_setting *setting = &request->settings.list[at];
            good = settings_set(&plan.settings, setting->key, setting->value, error, sizeof error);
        }
        if (good) {
            scenario->every = (uint32_t)plan.settings.number[SETTING_run_sweep_every];
        }
        plan_free(&plan);
        CHECK(scenario->every >= 1 && scenario->every <= SWEEP_EVERY_MAX);
    }
}

static uint64_t rounds_of_shard(const struct sweep_request *request)
{
    const uint64_t before = request->shard - 1;
    return request->runs > before ? (request->runs - before - 1) / request->shards + 1 : 0;
}

/* The round, of all shards together. */
static uint64_t round_of(const struct sweep_request *request, uint64_t round_of_shard)
{
    return round_of_shard * request->shards + request->shard - 1;
}

static bool is_in(const struct sweep_request *request, uint32_t scenario, uint64_t round_of_shard)
{
    const uint64_t every = request->scenarios[scenario].every;
    const uint64_t round = round_of(request, round_of_shard);
    return round % every == round / every % every;
}

uint64_t sweep_schedule_end(const struct sweep_request *request)
{
    return rounds_of_shard(request) * request->scenario_count;
}

bool sweep_schedule_has(const struct sweep_request *request, uint64_t job)
{
    return is_in(request, sweep_schedule_scenario(request, job), job / request->scenario_count);
}

/* Of the first rounds of the shard. */
static uint64_t count_in(const struct sweep_request *request, uint32_t scenario, uint64_t rounds)
{
    uint64_t count = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        count += is_in(request, scenario, round);
    }
    return count;
}

/* After every * every rounds of a shard all begins again. */
uint64_t sweep_schedule_count(const struct sweep_request *request)
{
    const uint64_t rounds = rounds_of_shard(request);
    uint64_t count = 0;
    for (uint32_t i = 0; i < request->scenario_count; i++) {
        const uint64_t period = (uint64_t)request->scenarios[i].every * request->scenarios[i].every;
        const uint64_t periods = rounds / period;
        count += periods > 0 ? periods * count_in(request, i, period) : 0;
        count += count_in(request, i, rounds % period);
    }
    return count;
}

uint32_t sweep_schedule_scenario(const struct sweep_request *request, uint64_t job)
{
    return (uint32_t)(job % request->scenario_count);
}

/* All scenarios of one seed, then the next: who stops early has seen something of each. */
uint64_t sweep_schedule_seed(const struct sweep_request *request, uint64_t job)
{
    return request->seed_start + round_of(request, job / request->scenario_count);
}
