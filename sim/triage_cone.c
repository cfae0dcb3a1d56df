#include "sim/triage_cone.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"

void triage_cone_begin(struct triage_cone *cone, const struct plan *plan, const char *node,
                       const char *device, uint64_t time_us)
{
    const uint64_t safe_us = plan->settings.number[SETTING_run_duration];
    memset(cone, 0, sizeof *cone);
    cone->plan = plan;
    cone->node = fleet_node_find(&plan->settings, node);
    cone->device = fleet_node_find(&plan->settings, device);
    if (fleet_role(&plan->settings, cone->device) != ROLE_MASK_DEVICE) {
        cone->device = 0;
    }
    cone->end_us = time_us < safe_us ? time_us : safe_us;
    cone->struck_us = malloc(((size_t)plan->entry_count + 1) * sizeof *cone->struck_us);
    cone->places = calloc((size_t)fleet_node_count(&plan->settings) + 1, sizeof *cone->places);
    CHECK(cone->struck_us != NULL && cone->places != NULL);
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        cone->struck_us[i] = UINT64_MAX;
    }
}

void triage_cone_effect(struct triage_cone *cone, uint32_t entry, uint64_t time_us)
{
    if (entry < cone->plan->entry_count && cone->struck_us[entry] == UINT64_MAX) {
        cone->struck_us[entry] = time_us;
    }
}

static bool is_in_time(const struct triage_cone *cone, uint64_t from_us, uint64_t to_us)
{
    const uint64_t start_us = cone->end_us < TRIAGE_CONE_US ? 0 : cone->end_us - TRIAGE_CONE_US;
    return from_us <= cone->end_us && to_us >= start_us;
}

static void add_gateway(struct triage_cone *cone, uint64_t node)
{
    if (node <= fleet_node_count(&cone->plan->settings) &&
        fleet_role(&cone->plan->settings, (uint32_t)node) == ROLE_MASK_GATEWAY) {
        cone->places[node] = true;
        cone->gateway_named = true;
    }
}

void triage_cone_evidence(struct triage_cone *cone, uint64_t time_us, const char *name,
                          uint32_t node, uint32_t device, uint64_t value)
{
    if (cone->device == 0 || device != cone->device || !is_in_time(cone, time_us, time_us)) {
        return;
    }
    add_gateway(cone, node);
    if (strcmp(name, "SEND") == 0 || strcmp(name, "ACCEPT") == 0) {
        add_gateway(cone, value);
    }
}

static void place_servers(struct triage_cone *cone)
{
    const struct settings *settings = &cone->plan->settings;
    const uint32_t count = fleet_node_count(settings);
    const bool from_device = cone->device != 0;
    const bool from_gateway = fleet_role(settings, cone->node) == ROLE_MASK_GATEWAY;
    for (uint32_t node = 1; node <= count; node++) {
        const uint32_t role = fleet_role(settings, node);
        cone->places[node] = cone->places[node] || node == cone->node || node == cone->device ||
                             (role == ROLE_MASK_CLOUD && (from_device || from_gateway)) ||
                             (role == ROLE_MASK_ROGUE && from_device) ||
                             (role == ROLE_MASK_GATEWAY && from_device && !cone->gateway_named);
    }
}

static bool is_place(const struct triage_cone *cone, uint32_t node)
{
    return node <= fleet_node_count(&cone->plan->settings) && cone->places[node];
}

static bool is_inside(const struct triage_cone *cone, uint32_t index)
{
    const struct plan_entry *entry = &cone->plan->entries[index];
    const bool trigger = entry->when == PLAN_OPERATION || entry->when == PLAN_EVIDENCE;
    const bool told = cone->struck_us[index] != UINT64_MAX;
    uint64_t from_us = entry->when == PLAN_NOW ? entry->filed_us : entry->at_us;
    from_us = told ? cone->struck_us[index] : from_us;
    uint64_t to_us =
        entry->lasts_us > UINT64_MAX - from_us ? UINT64_MAX : from_us + entry->lasts_us;
    to_us = trigger && !told ? UINT64_MAX : to_us;
    const bool pair = effect_info(entry->effect).target == EFFECT_TARGET_PAIR;
    return is_in_time(cone, from_us, to_us) && is_place(cone, entry->target) &&
           (!pair || entry->other == PLAN_ANY || is_place(cone, entry->other));
}

static int by_name(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

void triage_cone_classes(const bool inside[EFFECT_COUNT], char *text, size_t text_bytes)
{
    const char *names[EFFECT_COUNT];
    size_t count = 0, length = 0;
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        if (inside[i]) {
            names[count++] = effect_info((enum effect)i).name;
        }
    }
    qsort(names, count, sizeof names[0], by_name);
    snprintf(text, text_bytes, "-");
    for (size_t i = 0; i < count; i++) {
        const int added =
            snprintf(text + length, text_bytes - length, "%s%s", i == 0 ? "" : ",", names[i]);
        CHECK(added > 0 && (size_t)added < text_bytes - length);
        length += (size_t)added;
    }
}

void triage_cone_end(struct triage_cone *cone, const bool fired[EFFECT_COUNT], char *text,
                     size_t text_bytes)
{
    bool inside[EFFECT_COUNT] = {false};
    place_servers(cone);
    for (uint32_t i = 0; i < cone->plan->entry_count; i++) {
        const enum effect effect = cone->plan->entries[i].effect;
        inside[effect] = inside[effect] || (fired[effect] && is_inside(cone, i));
    }
    triage_cone_classes(inside, text, text_bytes);
    free(cone->struck_us);
    free(cone->places);
}
