#include "sim/heal_core.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/limits.h"
#include "sim/map.h"
#include "sim/random.h"

enum {
    GATEWAY_ONE_IN = 2, /* is left out, in one of three ways */
    GATEWAY_WAYS = 3,   /* dark, cut from all, cut from the cloud alone */
    LINK_ONE_IN = 4,
    DEVICE_ONE_IN = 8,
    DRAWN_DEVICES_MAX = 64, /* of so many, the first ones, something may be left out */
    CLOUD = 1,
};

/* What is left out. */
struct leaving {
    const struct settings *settings;
    uint32_t node_count;
    bool *dark, *cut; /* [node_count + 1]; cut: from everybody */
    struct map pairs; /* links that are cut */
};

bool heal_core_is_left(enum effect effect)
{
    return effect == EFFECT_LEFT_DARK || effect == EFFECT_LEFT_CUT;
}

static uint64_t pair_key(uint32_t one, uint32_t other)
{
    return one < other ? (uint64_t)one << 32 | other : (uint64_t)other << 32 | one;
}

static void leaving_init(struct leaving *leaving, const struct settings *settings)
{
    *leaving = (struct leaving){.settings = settings, .node_count = fleet_node_count(settings)};
    leaving->dark = calloc((size_t)leaving->node_count + 1, sizeof *leaving->dark);
    leaving->cut = calloc((size_t)leaving->node_count + 1, sizeof *leaving->cut);
    CHECK(leaving->dark != NULL && leaving->cut != NULL);
    map_init(&leaving->pairs);
}

static void leaving_free(struct leaving *leaving)
{
    free(leaving->dark);
    free(leaving->cut);
    map_free(&leaving->pairs);
}

static bool is_pair_cut(const struct leaving *leaving, uint32_t one, uint32_t other)
{
    return map_find(&leaving->pairs, pair_key(one, other)) != MAP_NONE;
}

static void cut_pair(struct leaving *leaving, uint32_t one, uint32_t other)
{
    if (!is_pair_cut(leaving, one, other)) {
        map_put(&leaving->pairs, pair_key(one, other), 0);
    }
}

static void join_pair(struct leaving *leaving, uint32_t one, uint32_t other)
{
    if (is_pair_cut(leaving, one, other)) {
        map_remove(&leaving->pairs, pair_key(one, other));
    }
}

static bool is_out(const struct leaving *leaving, uint32_t node)
{
    return leaving->dark[node] || leaving->cut[node];
}

/* A gateway that reaches the cloud. */
static bool serves(const struct leaving *leaving, uint32_t gateway)
{
    return !is_out(leaving, gateway) && !is_pair_cut(leaving, gateway, CLOUD);
}

static bool has_way(const struct leaving *leaving, uint32_t device)
{
    for (uint32_t i = 0; i < DEVICE_GATEWAYS_MAX && !is_out(leaving, device); i++) {
        const uint32_t gateway = fleet_device_gateway(leaving->settings, device, i);
        if (gateway != 0 && serves(leaving, gateway) && !is_pair_cut(leaving, device, gateway)) {
            return true;
        }
    }
    return false;
}

/* ---- who is asked ---------------------------------------------------------------------------- */

static bool read_entries(const struct plan *plan, const bool *holds, struct leaving *leaving)
{
    bool any = false;
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        const struct plan_entry *entry = &plan->entries[i];
        if (!heal_core_is_left(entry->effect) || (holds != NULL && !holds[i])) {
            continue;
        }
        any = true;
        if (entry->effect == EFFECT_LEFT_DARK) {
            leaving->dark[entry->target] = true;
        } else if (entry->other == PLAN_ANY) {
            leaving->cut[entry->target] = true;
        } else {
            cut_pair(leaving, entry->target, entry->other);
        }
    }
    return any;
}

/* Whoever has power may come to the one gateway that is left. */
static bool has_room(const struct leaving *leaving)
{
    uint64_t asking = 0;
    for (uint32_t node = 1; node <= leaving->node_count; node++) {
        asking += fleet_role(leaving->settings, node) == ROLE_MASK_DEVICE && !leaving->dark[node];
    }
    return asking <= leaving->settings->number[SETTING_gateway_sessions];
}

uint32_t heal_core_left(const struct plan *plan, const bool *holds, bool *left)
{
    struct leaving leaving;
    uint32_t count = 0;
    leaving_init(&leaving, &plan->settings);
    memset(left, 0, ((size_t)leaving.node_count + 1) * sizeof *left);
    const bool any = read_entries(plan, holds, &leaving);
    const bool room = any && has_room(&leaving);
    for (uint32_t node = 1; node <= leaving.node_count && any; node++) {
        if (fleet_role(&plan->settings, node) == ROLE_MASK_DEVICE) {
            left[node] = !room || leaving.cut[CLOUD] || !has_way(&leaving, node);
            count += left[node] ? 1 : 0;
        }
    }
    leaving_free(&leaving);
    return count;
}

/* ---- the draw -------------------------------------------------------------------------------- */

static struct random_stream stream_of(const struct plan *plan, uint32_t node)
{
    char name[32], stream[64];
    fleet_node_name(&plan->settings, node, name, sizeof name);
    snprintf(stream, sizeof stream, "heal_core/%s", name);
    return (struct random_stream){random_key(plan->seed, stream), 0};
}

static void draw_gateway(const struct plan *plan, struct leaving *leaving, uint32_t node)
{
    struct random_stream draws = stream_of(plan, node);
    const bool out = random_below(&draws, GATEWAY_ONE_IN) == 0;
    const uint64_t way = random_below(&draws, GATEWAY_WAYS);
    leaving->dark[node] = out && way == 0;
    leaving->cut[node] = out && way == 1;
    if (out && way == 2) {
        cut_pair(leaving, node, CLOUD);
    }
}

/* A device that is not left out itself keeps a way, or gets one: the gateway that was drawn for it
 * is healed. Nobody loses a way by that. */
static void draw_device(const struct plan *plan, struct leaving *leaving, uint32_t node,
                        bool may_be_out)
{
    struct random_stream draws = stream_of(plan, node);
    const bool out = random_below(&draws, DEVICE_ONE_IN) == 0 && may_be_out;
    const bool dark = random_below(&draws, 2) == 0;
    uint32_t gateways[DEVICE_GATEWAYS_MAX], count = 0;
    for (uint32_t i = 0; i < DEVICE_GATEWAYS_MAX; i++) {
        const uint32_t gateway = fleet_device_gateway(leaving->settings, node, i);
        const bool cut = random_below(&draws, LINK_ONE_IN) == 0;
        if (gateway != 0) {
            gateways[count++] = gateway;
            if (cut && !out) {
                cut_pair(leaving, node, gateway);
            }
        }
    }
    const uint32_t kept = gateways[random_below(&draws, count)];
    leaving->dark[node] = out && dark;
    leaving->cut[node] = out && !dark;
    if (!out && !has_way(leaving, node)) {
        leaving->dark[kept] = leaving->cut[kept] = false;
        join_pair(leaving, kept, CLOUD);
        join_pair(leaving, node, kept);
    }
}

static bool append(struct plan *plan, enum effect effect, uint32_t target, uint32_t other)
{
    const struct plan_entry entry = {
        .when = PLAN_AT,
        .at_us = plan->settings.number[SETTING_run_duration],
        .effect = effect,
        .target = target,
        .other = other,
    };
    return plan_append(plan, &entry);
}

static bool append_of(struct plan *plan, const struct leaving *leaving, uint32_t node)
{
    const bool is_device = fleet_role(&plan->settings, node) == ROLE_MASK_DEVICE;
    bool good = true;
    if (leaving->dark[node]) {
        return append(plan, EFFECT_LEFT_DARK, node, PLAN_ANY);
    }
    if (leaving->cut[node]) {
        return append(plan, EFFECT_LEFT_CUT, node, PLAN_ANY);
    }
    if (!is_device && is_pair_cut(leaving, node, CLOUD)) {
        good = append(plan, EFFECT_LEFT_CUT, node, CLOUD);
    }
    for (uint32_t i = 0; i < DEVICE_GATEWAYS_MAX && is_device && good; i++) {
        const uint32_t gateway = fleet_device_gateway(&plan->settings, node, i);
        if (gateway != 0 && !is_out(leaving, gateway) && is_pair_cut(leaving, node, gateway)) {
            good = append(plan, EFFECT_LEFT_CUT, node, gateway);
        }
    }
    return good;
}

bool heal_core_draw(struct plan *plan)
{
    struct leaving leaving;
    bool good = true;
    uint32_t devices = 0;
    if (plan->settings.number[SETTING_run_heal_core] == 0) {
        return true;
    }
    leaving_init(&leaving, &plan->settings);
    if (has_room(&leaving)) {
        for (uint32_t node = CLOUD + 1; node <= leaving.node_count; node++) {
            if (fleet_role(&plan->settings, node) != ROLE_MASK_DEVICE) {
                draw_gateway(plan, &leaving, node);
            } else if (++devices <= DRAWN_DEVICES_MAX) {
                draw_device(plan, &leaving, node, devices > 1);
            } else if (!has_way(&leaving, node)) {
                leaving.dark[fleet_device_gateway(&plan->settings, node, 0)] = false;
                leaving.cut[fleet_device_gateway(&plan->settings, node, 0)] = false;
                join_pair(&leaving, fleet_device_gateway(&plan->settings, node, 0), CLOUD);
            }
        }
        for (uint32_t node = CLOUD + 1; node <= leaving.node_count && good; node++) {
            good = append_of(plan, &leaving, node);
        }
    }
    leaving_free(&leaving);
    return good;
}

/* ---- text ------------------------------------------------------------------------------------ */

void heal_core_print(const struct plan *plan, char *text, size_t text_bytes)
{
    size_t length = 0;
    uint32_t more = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        const struct plan_entry *entry = &plan->entries[i];
        char target[32], other[32], item[96];
        if (!heal_core_is_left(entry->effect)) {
            continue;
        }
        fleet_node_name(&plan->settings, entry->target, target, sizeof target);
        fleet_node_name(&plan->settings, entry->other, other, sizeof other);
        const bool pair = entry->effect == EFFECT_LEFT_CUT && entry->other != PLAN_ANY;
        snprintf(item, sizeof item, "%s%s%s%s%s", length == 0 ? "without " : ", ", target,
                 pair ? "-" : "", pair ? other : "",
                 pair                                ? ""
                 : entry->effect == EFFECT_LEFT_DARK ? " (dark)"
                                                     : " (cut)");
        if (length + strlen(item) + sizeof ", 1048576 more" < text_bytes) {
            memcpy(text + length, item, strlen(item) + 1);
            length += strlen(item);
        } else {
            more++;
        }
    }
    if (more > 0) {
        snprintf(text + length, text_bytes - length, ", %" PRIu32 " more", more);
    }
}
