#include "sim/evidence_cause.h"

#include <string.h>

enum act { ACT_SEND, ACT_FORWARD, ACT_JUDGED, ACT_RESPOND, ACT_NONE };

static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

static uint64_t key_of(enum act act, const struct evidence_line *line)
{
    return mix(mix((uint64_t)line->device << 32 | line->epoch) + mix(line->counter) +
               (uint64_t)act);
}

static enum act act_of(uint32_t kind)
{
    switch (kind) {
    case EVIDENCE_SEND:
        return ACT_SEND;
    case EVIDENCE_FORWARD:
        return ACT_FORWARD;
    case EVIDENCE_ACCEPT:
    case EVIDENCE_REJECT:
        return ACT_JUDGED;
    case EVIDENCE_WORD_RESPOND:
        return ACT_RESPOND;
    default:
        return ACT_NONE;
    }
}

/* What has to be said before a line of this kind, where somebody's log would have it. */
static enum act cause_of(const struct evidence_causes *causes, const struct evidence_line *line)
{
    const bool device = line->device <= EVIDENCE_NODE_MAX && causes->present[line->device];
    switch (line->kind) {
    case EVIDENCE_CUSTODY:
        return device ? ACT_SEND : ACT_NONE;
    case EVIDENCE_REJECT:
        return causes->has_gateway &&
                       (line->value == REFUSAL_NO_WINDOW || line->value == REFUSAL_DUPLICATE)
                   ? ACT_FORWARD
                   : ACT_NONE;
    case EVIDENCE_ACCEPT:
        return causes->has_gateway ? ACT_FORWARD : ACT_NONE;
    case EVIDENCE_DISCHARGE:
        return causes->has_cloud ? ACT_JUDGED : ACT_NONE;
    case EVIDENCE_WINDOW:
        return device ? ACT_RESPOND : ACT_NONE;
    default:
        return ACT_NONE;
    }
}

void evidence_cause_init(struct evidence_causes *causes)
{
    memset(causes, 0, sizeof *causes);
    map_init(&causes->seen);
}

void evidence_cause_free(struct evidence_causes *causes)
{
    map_free(&causes->seen);
}

void evidence_cause_remember(struct evidence_causes *causes, const struct evidence_line *line)
{
    const enum act act = act_of(line->kind);
    if (line->kind == EVIDENCE_ACK && line->device <= EVIDENCE_NODE_MAX) {
        struct evidence_ack *ack = &causes->acks[line->device];
        if (line->epoch > ack->epoch || (line->epoch == ack->epoch && line->counter > ack->top)) {
            *ack = (struct evidence_ack){line->epoch, line->counter};
        }
    }
    if (act == ACT_NONE || causes->seen.count >= EVIDENCE_MESSAGES_MAX) {
        return;
    }
    const uint64_t key = key_of(act, line);
    if (map_find(&causes->seen, key) == MAP_NONE) {
        map_put(&causes->seen, key, 1);
    }
}

bool evidence_cause_seen(const struct evidence_causes *causes, const struct evidence_line *line)
{
    const enum act cause = cause_of(causes, line);
    if (line->kind == EVIDENCE_RELEASE && causes->has_cloud && line->device <= EVIDENCE_NODE_MAX) {
        const struct evidence_ack *ack = &causes->acks[line->device];
        return ack->epoch > line->epoch || (ack->epoch == line->epoch && ack->top >= line->counter);
    }
    return cause == ACT_NONE || causes->seen.count >= EVIDENCE_MESSAGES_MAX ||
           map_find(&causes->seen, key_of(cause, line)) != MAP_NONE;
}
