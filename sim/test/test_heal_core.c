/* Goal: what is left out at heal leaves a way to every device that is not left out itself, holds to
 * the end, and only those that have a way are asked. Method: many draws; cases made by hand; runs
 * of a small fleet that are looked at when they stop, and lived again from their plans. */
#include "sim/heal_core.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/limits.h"
#include "core/test/test.h"
#include "sim/run.h"
#include "sim/test/small_fleet.h"

enum { CLOUD = 1, GATEWAY1 = 2, GATEWAY2 = 3, DEVICE1 = 4, DEVICE2 = 5, DEVICE3 = 6, NODES = 6 };

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, what);
    abort();
}

static void leave(struct plan *plan, enum effect effect, uint32_t target, uint32_t other)
{
    const struct plan_entry entry = {
        .when = PLAN_AT, .effect = effect, .target = target, .other = other};
    char error[160];
    EXPECT(plan_entry_check(plan, &entry, error, sizeof error));
    EXPECT(plan_append(plan, &entry));
}

/* Devices that are not asked, as a number: device 1 is bit 0. */
static uint32_t unasked(const struct plan *plan)
{
    bool left[NODES + 1];
    uint32_t bits = 0;
    const uint32_t count = heal_core_left(plan, NULL, left);
    for (uint32_t node = DEVICE1; node <= DEVICE3; node++) {
        bits |= left[node] ? 1u << (node - DEVICE1) : 0;
    }
    EXPECT_EQUAL(count, (bits & 1) + (bits >> 1 & 1) + (bits >> 2 & 1));
    return bits;
}

/* ---- who is asked ---------------------------------------------------------------------------- */

static void only_who_has_a_way_is_asked(void)
{
    const struct {
        enum effect effect;
        uint32_t target, other, effect2, target2, other2, unasked;
    } cases[] = {
        {EFFECT_LEFT_DARK, GATEWAY1, PLAN_ANY, EFFECT_LEFT_DARK, GATEWAY1, PLAN_ANY, 0},
        {EFFECT_LEFT_DARK, GATEWAY1, PLAN_ANY, EFFECT_LEFT_DARK, GATEWAY2, PLAN_ANY, 7},
        {EFFECT_LEFT_DARK, GATEWAY1, PLAN_ANY, EFFECT_LEFT_CUT, GATEWAY2, CLOUD, 7},
        {EFFECT_LEFT_CUT, GATEWAY1, CLOUD, EFFECT_LEFT_CUT, DEVICE2, GATEWAY2, 2},
        {EFFECT_LEFT_CUT, GATEWAY1, DEVICE2, EFFECT_LEFT_CUT, DEVICE2, GATEWAY2, 2},
        {EFFECT_LEFT_CUT, DEVICE1, GATEWAY1, EFFECT_LEFT_CUT, DEVICE2, GATEWAY2, 0},
        {EFFECT_LEFT_CUT, DEVICE1, PLAN_ANY, EFFECT_LEFT_DARK, DEVICE3, PLAN_ANY, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct plan plan;
        small_fleet(&plan, 1);
        EXPECT_EQUAL(unasked(&plan), 0);
        leave(&plan, cases[i].effect, cases[i].target, cases[i].other);
        leave(&plan, (enum effect)cases[i].effect2, cases[i].target2, cases[i].other2);
        EXPECT_EQUAL(unasked(&plan), cases[i].unasked);
        plan_free(&plan);
    }
}

static void without_room_for_all_nobody_is_asked(void)
{
    struct plan plan;
    small_fleet(&plan, 1);
    small_fleet_set(&plan, "gateway.sessions", "2");
    EXPECT_EQUAL(unasked(&plan), 0);
    leave(&plan, EFFECT_LEFT_DARK, GATEWAY1, PLAN_ANY);
    EXPECT_EQUAL(unasked(&plan), 7);
    leave(&plan, EFFECT_LEFT_DARK, DEVICE1, PLAN_ANY); /* it comes to no gateway */
    EXPECT_EQUAL(unasked(&plan), 1);
    small_fleet_set(&plan, "run.heal_core", "yes");
    small_fleet_set(&plan, "gateway.sessions", "1");
    plan.entry_count = 0;
    EXPECT(heal_core_draw(&plan));
    EXPECT_EQUAL(plan.entry_count, 0);
    plan_free(&plan);
}

static void what_is_left_out_takes_no_trigger_and_spares_the_cloud(void)
{
    struct plan plan;
    char error[160];
    small_fleet(&plan, 1);
    struct plan_entry entry = {
        .when = PLAN_EVIDENCE, .nth = 1, .effect = EFFECT_LEFT_DARK, .target = GATEWAY1};
    EXPECT(!plan_entry_check(&plan, &entry, error, sizeof error));
    EXPECT(strstr(error, "no trigger") != NULL);
    entry.when = PLAN_AT;
    EXPECT(plan_entry_check(&plan, &entry, error, sizeof error));
    entry.target = CLOUD;
    EXPECT(!plan_entry_check(&plan, &entry, error, sizeof error));
    plan_free(&plan);
}

/* ---- the draw -------------------------------------------------------------------------------- */

static bool is_out_itself(const struct plan *plan, uint32_t node)
{
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        const struct plan_entry *entry = &plan->entries[i];
        if (entry->target == node && heal_core_is_left(entry->effect) && entry->other == PLAN_ANY) {
            return true;
        }
    }
    return false;
}

static void a_drawn_core_is_enough(void)
{
    uint32_t dark = 0, cut = 0, cloudless = 0, links = 0, devices = 0, whole = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct plan plan;
        bool left[32];
        small_fleet(&plan, seed);
        small_fleet_set(&plan, "fleet.rogues", seed % 3 == 0 ? "1" : "0");
        small_fleet_set(&plan, "fleet.devices", "6");
        small_fleet_set(&plan, "device.gateways",
                        seed % 2 == 0 && DEVICE_GATEWAYS_MAX >= 3 ? "3" : "2");
        small_fleet_set(&plan, "run.heal_core", "yes");
        EXPECT(heal_core_draw(&plan));
        const uint32_t count = heal_core_left(&plan, NULL, left);
        EXPECT(count < 6); /* somebody is asked */
        for (uint32_t node = 1; node <= fleet_node_count(&plan.settings); node++) {
            const bool is_device = fleet_role(&plan.settings, node) == ROLE_MASK_DEVICE;
            EXPECT(left[node] == (is_device && is_out_itself(&plan, node)));
        }
        for (uint32_t i = 0; i < plan.entry_count; i++) {
            const struct plan_entry *entry = &plan.entries[i];
            const bool is_device = fleet_role(&plan.settings, entry->target) == ROLE_MASK_DEVICE;
            devices += is_device && entry->other == PLAN_ANY ? 1 : 0;
            links += is_device && entry->other != PLAN_ANY ? 1 : 0;
            cloudless += !is_device && entry->other == CLOUD ? 1 : 0;
            dark += !is_device && entry->effect == EFFECT_LEFT_DARK ? 1 : 0;
            cut += !is_device && entry->effect == EFFECT_LEFT_CUT && entry->other == PLAN_ANY;
        }
        whole += plan.entry_count == 0 ? 1 : 0;
        plan_free(&plan);
    }
    EXPECT(dark > 30 && cut > 30 && cloudless > 30 && links > 100 && devices > 100 && whole > 0);
}

/* Faults are drawn as without it, and stand before it. */
static void no_other_draw_moves(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct plan with, without;
        small_fleet(&with, seed);
        small_fleet_set(&with, "faults.power_cut.every", "5m");
        plan_init(&without, 0);
        plan_copy(&without, &with);
        small_fleet_set(&with, "run.heal_core", "yes");
        EXPECT(plan_draw_faults(&with) && heal_core_draw(&with));
        EXPECT(plan_draw_faults(&without) && heal_core_draw(&without));
        EXPECT(without.entry_count > 0 && with.entry_count >= without.entry_count);
        EXPECT(memcmp(with.entries, without.entries,
                      without.entry_count * sizeof *without.entries) == 0);
        plan_free(&with);
        plan_free(&without);
    }
}

/* ---- runs ------------------------------------------------------------------------------------ */

struct ending {
    bool up[NODES + 1];
};

static void look(void *ctx, const struct world *world)
{
    struct ending *ending = ctx;
    for (uint32_t node = 1; node <= NODES; node++) {
        ending->up[node] = world_node_up(world, node);
    }
}

static void live(const struct plan *plan, struct run_result *result, struct ending *ending)
{
    struct run_request request;
    run_request_init(&request);
    request.plan = plan;
    request.stopped = look;
    request.stopped_ctx = ending;
    run(&request, result);
    if (result->verdict != VERDICT_PASS) {
        fprintf(stderr, "%s\n", result->message);
    }
    EXPECT_EQUAL(result->verdict, VERDICT_PASS);
}

static void what_is_left_dark_stays_dark_and_the_others_find_their_way(void)
{
    struct plan plan;
    static struct run_result whole, part, again;
    struct ending ending;
    small_fleet(&plan, 5);
    small_fleet_set(&plan, "faults.power_cut.every", "4m");
    EXPECT(plan_draw_faults(&plan));
    live(&plan, &whole, &ending);
    for (uint32_t node = 1; node <= NODES; node++) {
        EXPECT(ending.up[node]);
    }
    EXPECT_EQUAL(whole.probes[PROBE_healed_in_part], 0);
    leave(&plan, EFFECT_LEFT_DARK, GATEWAY2, PLAN_ANY);
    leave(&plan, EFFECT_LEFT_DARK, DEVICE2, PLAN_ANY);
    leave(&plan, EFFECT_LEFT_CUT, DEVICE3, PLAN_ANY);
    live(&plan, &part, &ending);
    EXPECT(ending.up[CLOUD] && ending.up[GATEWAY1] && ending.up[DEVICE1] && ending.up[DEVICE3]);
    EXPECT(!ending.up[GATEWAY2] && !ending.up[DEVICE2]);
    EXPECT_EQUAL(part.probes[PROBE_healed_in_part], 1);
    EXPECT_EQUAL(part.fired[EFFECT_LEFT_DARK], 2);
    EXPECT_EQUAL(part.fired[EFFECT_LEFT_CUT], 1);
    /* One of three devices is asked, and is. */
    EXPECT(part.exercised[LAW_LIVENESS_ACKED] > 0);
    EXPECT(part.exercised[LAW_LIVENESS_ACKED] * 2 < whole.exercised[LAW_LIVENESS_ACKED]);
    EXPECT(!part.is_void[LAW_LIVENESS_ACKED] && !part.is_void[LAW_LIVENESS_DELIVERED]);
    /* As it was lived, and by time. */
    live(&part.plan, &again, &ending);
    EXPECT(memcmp(again.digest, part.digest, sizeof part.digest) == 0);
    run_result_free(&again);
    part.plan.by_time = true;
    live(&part.plan, &again, &ending);
    EXPECT(memcmp(again.digest, part.digest, sizeof part.digest) == 0);
    run_result_free(&again);
    run_result_free(&part);
    run_result_free(&whole);
    plan_free(&plan);
}

static void what_is_left_out_is_printed(void)
{
    struct plan plan;
    char text[400], little[40];
    small_fleet(&plan, 1);
    heal_core_print(&plan, text, sizeof text);
    EXPECT(strcmp(text, "") == 0);
    leave(&plan, EFFECT_LEFT_DARK, GATEWAY2, PLAN_ANY);
    leave(&plan, EFFECT_LEFT_CUT, DEVICE1, GATEWAY1);
    leave(&plan, EFFECT_LEFT_CUT, DEVICE3, PLAN_ANY);
    heal_core_print(&plan, text, sizeof text);
    EXPECT(strcmp(text, "without gw2 (dark), dev1-gw1, dev3 (cut)") == 0);
    heal_core_print(&plan, little, sizeof little);
    EXPECT(strcmp(little, "without gw2 (dark), 2 more") == 0);
    plan_free(&plan);
}

int main(void)
{
    RUN(only_who_has_a_way_is_asked);
    RUN(without_room_for_all_nobody_is_asked);
    RUN(what_is_left_out_takes_no_trigger_and_spares_the_cloud);
    RUN(a_drawn_core_is_enough);
    RUN(no_other_draw_moves);
    RUN(what_is_left_dark_stays_dark_and_the_others_find_their_way);
    RUN(what_is_left_out_is_printed);
    return 0;
}
