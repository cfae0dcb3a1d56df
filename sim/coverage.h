/* What a run showed, as two sets of keys: two runs with the same sets told nothing new of each
 * other.
 *
 *   transition  an action of a spec, the kind of state that it was taken in, and the fault class
 *               under which: every run has these
 *   edge        an edge of a spec's own graph: the whole state, and the move. Only runs whose
 *               constants are as small as those that TLC explores have these, and a device only
 *               until it leaves that graph (its counters are used up)
 *
 * Fault class of a step: the last that struck its actor, else a server, while it lasts and for
 * COVERAGE_AFTER_US behind; else none. Nothing here is read by the world, and the hash of a run
 * does not depend on it.
 */
#ifndef BROWNOUT_SIM_COVERAGE_H
#define BROWNOUT_SIM_COVERAGE_H

#include "models/follow.h"
#include "sim/plan.h"

enum {
    COVERAGE_KEYS_MAX = 1 << 20, /* of each set of a run; what is beyond is counted in `lost` */
    COVERAGE_AFTER_US = 300000000,
};

#define COVERAGE_KIND_LIST(X) X(TRANSITION, "transition") X(EDGE, "edge")
enum coverage_kind {
#define COVERAGE_KIND_ENUM(NAME, name) COVERAGE_##NAME,
    COVERAGE_KIND_LIST(COVERAGE_KIND_ENUM)
#undef COVERAGE_KIND_ENUM
        COVERAGE_KIND_COUNT
};
const char *coverage_kind_name(enum coverage_kind kind);

struct coverage_set {
    uint64_t *keys; /* owned; ascending */
    uint32_t count;
    uint64_t lost;
};
void coverage_set_free(struct coverage_set *set);
/* As it stands in a database: the difference of each key to the one before it, in groups of 7 bits,
 * the lowest first (LEB128). To be freed. */
uint8_t *coverage_pack(const struct coverage_set *set, size_t *size_bytes);
/* False: those are no keys, and the set is empty. Any bytes may come. */
bool coverage_unpack(const uint8_t *bytes, size_t size_bytes, struct coverage_set *set);

/* A transition's key, taken apart. */
struct coverage_transition {
    uint32_t law, action; /* spec_at(law) */
    enum effect fault;    /* EFFECT_COUNT: none */
    uint32_t shape;       /* models/model.h, judge_config.heard */
};
uint64_t coverage_transition_key(const struct coverage_transition *transition);
struct coverage_transition coverage_transition(uint64_t key);

/* Key of an edge. k: constants of which budgets (those of faults, and Counters of Telemetry: how
 * far the numbers go) do not count, since a run knows no such bound. */
uint64_t coverage_edge_key(const struct spec_model *model, const int32_t *k, const int32_t *state,
                           const struct spec_move *move);

struct coverage;

/* settings are borrowed. */
struct coverage *coverage_open(const struct settings *settings);
/* Hands the keys over, and is gone. NULL is allowed: empty sets. */
void coverage_close(struct coverage *coverage, struct coverage_set sets[COVERAGE_KIND_COUNT]);
/* An entry of the plan strikes, or is over. */
void coverage_effect(struct coverage *coverage, const struct plan_entry *entry, bool over,
                     uint64_t time_us);
/* As judge_config.heard. */
void coverage_step(struct coverage *coverage, const char *law, const int32_t *k,
                   const struct follow_step *step, uint32_t shape);

#endif
