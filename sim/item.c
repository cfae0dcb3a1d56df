/* What is seen of a run, as lines for people. */
#include <inttypes.h>
#include <stdio.h>

#include "core/err.h"
#include "sim/plan.h"
#include "sim/world.h"

const char *world_evidence_name(uint32_t kind)
{
    static const char *const names[] = {
#define EVIDENCE_NAME(NAME, Name) #NAME,
        EVIDENCE_LIST(EVIDENCE_NAME)
#undef EVIDENCE_NAME
    };
    return kind < EVIDENCE_COUNT ? names[kind] : "?";
}

const char *world_refusal_name(uint64_t refusal)
{
    static const char *const names[] = {
#define REFUSAL_NAME(NAME, name) #name,
        REFUSAL_LIST(REFUSAL_NAME)
#undef REFUSAL_NAME
    };
    return refusal < REFUSAL_COUNT ? names[refusal] : "?";
}

const char *world_truth_name(uint32_t truth)
{
    switch (truth) {
    case TRUTH_DOWN:
        return "is down";
    case TRUTH_UP:
        return "has power";
    case TRUTH_IMAGE:
        return "its crash image is judged";
    case TRUTH_IMAGE_END:
        return "end of its crash image";
    case TRUTH_STALL:
        return "stands still";
    case TRUTH_OUTBOX:
        return "has mounted its outbox";
    case TRUTH_KEPT:
        return "a reading of its outbox has come back";
    case TRUTH_LINK:
        return "opens a link";
    case TRUTH_RESPOND:
        return "answers a challenge";
    case TRUTH_READING:
        return "a reading in its crash image";
    case TRUTH_WINDOW:
        return "a window in its crash image";
    case TRUTH_QUEUED:
        return "a message in its crash image";
    case TRUTH_RELEASE:
        return "a release was made";
    case TRUTH_SLOT:
        return "what is in a slot";
    case TRUTH_FLOOR:
        return "its security floor";
    case TRUTH_SETTLED:
        return "has settled";
    case TRUTH_KNOWN:
        return "what the cloud knows of it";
    case TRUTH_DARK:
        return "boots again and again";
    case TRUTH_RECORD:
        return "its boot record";
    case TRUTH_TRIAL:
        return "its trial";
    case TRUTH_REVERTED:
        return "what it reverted last";
    case TRUTH_TAKEN:
        return "its download";
    case TRUTH_HEAL:
        return "all faults end: the liveness phase begins";
    case TRUTH_LEFT:
        return "is not healed, or has no way to the cloud";
    case TRUTH_END:
        return "the run ends";
    default:
        return "?";
    }
}

const char *world_said_name(uint32_t kind)
{
    return kind < EVIDENCE_COUNT ? world_evidence_name(kind) : world_truth_name(kind);
}

const char *world_item_kind_name(enum world_item_kind kind)
{
    switch (kind) {
    case ITEM_EVENT:
        return "event";
    case ITEM_OPERATION:
        return "operation";
    case ITEM_EVIDENCE:
        return "evidence";
    case ITEM_EFFECT:
        return "effect";
    case ITEM_TRUTH:
        return "truth";
    }
    return "?";
}

const char *world_item_name(const struct world_item *item)
{
    switch (item->kind) {
    case ITEM_EVENT:
        return world_event_name(item->what);
    case ITEM_OPERATION:
        return port_operation_name(item->what);
    case ITEM_EVIDENCE:
        return world_evidence_name(item->what);
    case ITEM_EFFECT:
        return effect_info((enum effect)item->what).name;
    case ITEM_TRUTH:
        return world_truth_name(item->what);
    }
    return "?";
}

static void print_evidence(const struct settings *settings, const struct world_item *item,
                           char *text, size_t text_bytes)
{
    char device[24];
    fleet_node_name(settings, item->a, device, sizeof device);
    const int length = snprintf(text, text_bytes, "%s %s epoch %" PRIu32 " counter %" PRIu64,
                                world_evidence_name(item->what), item->a == 0 ? "" : device,
                                item->b, item->counter);
    if (length < 0 || (size_t)length >= text_bytes) {
        return;
    }
    text += length;
    text_bytes -= (size_t)length;
    if (item->what == EVIDENCE_REJECT || item->what == EVIDENCE_REFUSE ||
        item->what == EVIDENCE_DROP) {
        snprintf(text, text_bytes, " (%s)", world_refusal_name(item->value));
    } else if (item->value != 0) {
        snprintf(text, text_bytes, " value %" PRIu64, item->value);
    }
}

static void print_effect(const struct settings *settings, const struct world_item *item, char *text,
                         size_t text_bytes)
{
    char lasts[40] = "";
    const struct effect_info info = effect_info((enum effect)item->what);
    (void)settings;
    if (item->b != 0) {
        snprintf(text, text_bytes, "*** %s ends", info.name);
        return;
    }
    duration_print(item->value, lasts, sizeof lasts);
    const int length = snprintf(text, text_bytes, "*** %s", info.name);
    if (length < 0 || (size_t)length >= text_bytes) {
        return;
    }
    if (info.amount != EFFECT_AMOUNT_none) {
        snprintf(text + length, text_bytes - (size_t)length, " by %" PRId64 "%s%s%s", item->result,
                 info.amount == EFFECT_AMOUNT_us    ? "us"
                 : info.amount == EFFECT_AMOUNT_ppm ? "ppm"
                                                    : "",
                 item->value != 0 ? " for " : "", item->value != 0 ? lasts : "");
    } else if (item->value != 0) {
        snprintf(text + length, text_bytes - (size_t)length, " for %s", lasts);
    }
}

void world_item_print(const struct settings *settings, const struct world_item *item, char *text,
                      size_t text_bytes)
{
    char node[24], body[160] = "";
    const uint64_t us = item->time_us;
    if (item->node == 0) {
        snprintf(node, sizeof node, "-");
    } else {
        fleet_node_name(settings, item->node, node, sizeof node);
    }
    switch (item->kind) {
    case ITEM_EVENT:
        snprintf(body, sizeof body, "-- %s (%" PRIu32 ", %" PRIu32 ")",
                 world_event_name(item->what), item->a, item->b);
        break;
    case ITEM_OPERATION:
        snprintf(body, sizeof body, "   %s(%" PRIu32 ", %" PRIu32 ") -> %" PRId64,
                 port_operation_name(item->what), item->a, item->b, item->result);
        break;
    case ITEM_EVIDENCE:
        print_evidence(settings, item, body, sizeof body);
        break;
    case ITEM_EFFECT:
        print_effect(settings, item, body, sizeof body);
        break;
    case ITEM_TRUTH:
        snprintf(body, sizeof body, "*** %s", world_truth_name(item->what));
        break;
    }
    snprintf(text, text_bytes,
             "%8" PRIu64 " +%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%06" PRIu64 " %-8s %s",
             item->event, us / 3600000000u, us / 60000000u % 60, us / 1000000u % 60, us % 1000000u,
             node, body);
}
