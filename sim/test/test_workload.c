/* Goal: the shape of a workload is what its settings say, is judged as such, and proves that it
 * came about; without one nothing of a run moves. Method: small fleets in this process, without
 * faults; each device's samples are counted and timed as they are said. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/fleet.h"
#include "sim/run.h"
#include "sim/swarm.h"
#include "sim/test/small_fleet.h"

enum { DEVICES = 3, FIRST = 4, SECOND_US = 1000000, BASE_US = 20 * SECOND_US };

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

struct heard {
    uint64_t count[DEVICES], last_us[DEVICES];
    uint64_t shortest_us[DEVICES], longest_us[DEVICES];
};

static void hear(void *ctx, const struct world_item *item)
{
    struct heard *heard = ctx;
    if (item->kind != ITEM_EVIDENCE || item->what != EVIDENCE_SIGN) {
        return;
    }
    const uint32_t device = item->node - FIRST;
    const uint64_t wait_us = item->time_us - heard->last_us[device];
    EXPECT(device < DEVICES);
    if (heard->count[device]++ > 0) {
        const uint64_t shortest_us = heard->shortest_us[device];
        heard->shortest_us[device] =
            shortest_us == 0 || wait_us < shortest_us ? wait_us : shortest_us;
        heard->longest_us[device] =
            wait_us > heard->longest_us[device] ? wait_us : heard->longest_us[device];
    }
    heard->last_us[device] = item->time_us;
}

static struct run_result result;

static void live(const struct plan *plan, struct heard *heard)
{
    struct run_request request;
    memset(heard, 0, sizeof *heard);
    run_result_free(&result);
    run_request_init(&request);
    request.plan = plan;
    request.options.item = hear;
    request.options.item_ctx = heard;
    run(&request, &result);
    EXPECT_EQUAL(result.verdict, VERDICT_PASS);
    EXPECT(result.exercised[LAW_TIME_CADENCE] > 0);
}

static int compare(const void *left, const void *right)
{
    const uint64_t one = *(const uint64_t *)left, other = *(const uint64_t *)right;
    return one < other ? -1 : one > other ? 1 : 0;
}

/* 2 times as often as the setting says, and 4 and 9 times as seldom as that; 35 minutes. */
static void busy_and_idle_devices_are_as_skewed_as_asked(void)
{
    struct heard heard;
    struct plan plan;
    bool busiest[DEVICES] = {false};
    for (uint64_t seed = 1; seed <= 4; seed++) {
        small_fleet(&plan, seed);
        small_fleet_set(&plan, "workload.hot", "2");
        small_fleet_set(&plan, "workload.skew", "2");
        live(&plan, &heard);
        for (unsigned i = 0; i < DEVICES; i++) {
            busiest[i] = busiest[i] || heard.count[i] > 200;
        }
        qsort(heard.count, DEVICES, sizeof heard.count[0], compare);
        EXPECT(heard.count[2] >= 209 && heard.count[2] <= 210);
        EXPECT(heard.count[1] >= 52 && heard.count[1] <= 53);
        EXPECT(heard.count[0] >= 23 && heard.count[0] <= 24);
        EXPECT(result.probes[PROBE_sampled_hot] >= 200);
        EXPECT(result.probes[PROBE_sampled_cold] >= 20);
        EXPECT_EQUAL(result.probes[PROBE_burst_idled], 0);
        plan_free(&plan);
    }
    EXPECT(busiest[0] + busiest[1] + busiest[2] > 1); /* not by their numbers */
}

static void a_burst_ends_in_an_idle_spell(void)
{
    struct heard heard;
    struct plan plan;
    small_fleet(&plan, 1);
    small_fleet_set(&plan, "workload.burst", "5");
    small_fleet_set(&plan, "workload.idle", "3m");
    live(&plan, &heard);
    for (unsigned i = 0; i < DEVICES; i++) {
        EXPECT(heard.shortest_us[i] >= BASE_US - SECOND_US);
        EXPECT(heard.shortest_us[i] <= BASE_US);
        EXPECT(heard.longest_us[i] >= 180 * SECOND_US);
        EXPECT(heard.longest_us[i] <= 181 * SECOND_US);
        /* 5 in 260 seconds: 8 bursts in 35 minutes, and perhaps a part of one more. */
        EXPECT(heard.count[i] >= 40 && heard.count[i] <= 45);
    }
    EXPECT(result.probes[PROBE_burst_idled] >= 3 * 7);
    EXPECT_EQUAL(result.probes[PROBE_sampled_hot] + result.probes[PROBE_sampled_cold], 0);
    plan_free(&plan);
}

/* Of 105 readings a device, in connections that begin with 65530, all but six come behind that. */
static void packet_ids_wrap_around_and_every_reading_arrives(void)
{
    struct heard heard;
    struct plan plan;
    small_fleet(&plan, 1);
    live(&plan, &heard);
    const uint64_t accepted = result.figures[FIGURE_accepted];
    const uint64_t sent = result.figures[FIGURE_sent];
    EXPECT_EQUAL(result.probes[PROBE_packet_id_wrapped], 0);
    small_fleet_set(&plan, "workload.packet_id", "65530");
    live(&plan, &heard);
    EXPECT_EQUAL(result.probes[PROBE_packet_id_wrapped], DEVICES); /* one connection each */
    EXPECT_EQUAL(result.figures[FIGURE_accepted], accepted);
    EXPECT_EQUAL(result.figures[FIGURE_sent], sent);
    plan_free(&plan);
}

static void without_a_shape_nothing_moves_and_no_probe_fires(void)
{
    struct heard heard;
    struct plan plan;
    small_fleet(&plan, 1);
    live(&plan, &heard);
    const uint64_t digest[2] = {result.digest[0], result.digest[1]};
    EXPECT_EQUAL(result.probes[PROBE_sampled_hot] + result.probes[PROBE_sampled_cold] +
                     result.probes[PROBE_burst_idled] + result.probes[PROBE_counters_again] +
                     result.probes[PROBE_packet_id_wrapped],
                 0);
    small_fleet_set(&plan, "workload.idle", "1h"); /* of no burst */
    live(&plan, &heard);
    EXPECT(memcmp(digest, result.digest, sizeof digest) == 0);
    plan_free(&plan);
}

static void a_swarm_draws_shapes_for_some_runs(void)
{
    unsigned uneven = 0, bursts = 0, wraps = 0, plain = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct plan plan;
        small_fleet(&plan, seed);
        swarm_draw(&plan);
        const uint64_t *number = plan.settings.number;
        const bool hot = number[SETTING_workload_hot] > 1, burst = number[SETTING_workload_burst];
        EXPECT_EQUAL(hot, number[SETTING_workload_skew] > 0);
        EXPECT(!burst || number[SETTING_workload_idle] >= 4 * number[SETTING_device_sample_every]);
        uneven += hot;
        bursts += burst;
        wraps += number[SETTING_workload_packet_id] > 60000;
        plain += !hot && !burst;
        plan_free(&plan);
    }
    EXPECT(wraps >= 10 && wraps <= 50);
    EXPECT(uneven >= 10 && bursts >= 10 && plain >= 40 && uneven <= 50 && bursts <= 50);
}

/* How many sectors a flash has is drawn behind the rest, and moves nothing. */
static void a_swarm_draws_few_sectors_for_some_runs_and_moves_nothing_with_them(void)
{
    unsigned few = 0, many = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct plan plan, other;
        small_fleet(&plan, seed);
        small_fleet(&other, seed);
        other.settings.number[SETTING_flash_sectors] = 4;
        swarm_draw(&plan);
        swarm_draw(&other);
        EXPECT(memcmp(&plan.settings, &other.settings, sizeof plan.settings) == 0);
        const uint64_t sectors = plan.settings.number[SETTING_flash_sectors];
        EXPECT(sectors >= 4 && sectors <= STORE_SECTORS_MAX);
        few += sectors < 8;
        many += sectors >= 8;
        plan_free(&plan);
        plan_free(&other);
    }
    EXPECT(few >= 10 && many >= 10);
}

int main(void)
{
    RUN(busy_and_idle_devices_are_as_skewed_as_asked);
    RUN(a_burst_ends_in_an_idle_spell);
    RUN(packet_ids_wrap_around_and_every_reading_arrives);
    RUN(without_a_shape_nothing_moves_and_no_probe_fires);
    RUN(a_swarm_draws_shapes_for_some_runs);
    RUN(a_swarm_draws_few_sectors_for_some_runs_and_moves_nothing_with_them);
    run_result_free(&result);
    return 0;
}
