/* One device, judged by the Telemetry law: the code that equals the spec (models/spec_telemetry.c)
 * in its wide form. No heap.
 *
 * Its history grows gaps: numbers that a cut passed over, readings that were shed before they were
 * sent. Where a set becomes long its oldest ranges are joined, for numbers below all that the
 * device has, may draw or may get back, and below the window that the cloud would fall back to:
 * of such a number no action asks more than whether it is closed, and that it is.
 */
#ifndef BROWNOUT_MODELS_WIDE_TELEMETRY_H
#define BROWNOUT_MODELS_WIDE_TELEMETRY_H

#include "models/follow.h"
#include "models/ruling.h"

struct wide_telemetry;

enum wide_outcome {
    WIDE_TAKEN,
    WIDE_BROKEN, /* the law does not allow it, or the run shows something else: *difference */
    WIDE_BEYOND, /* the law can say no more of it: its sets are too long */
};

size_t wide_telemetry_size_bytes(void);
/* Of what all devices share: of the state before a step, what properties of actions ask for. */
size_t wide_telemetry_before_bytes(void);
/* In zeroed memory. k: follow_telemetry_constants, or any with one device. */
void wide_telemetry_init(struct wide_telemetry *wide, const int32_t *k);
/* The actor of the move is 1. After anything but WIDE_TAKEN it is of no use any more. Of the claims
 * those are looked at that the action could break. */
enum wide_outcome wide_telemetry_take(struct wide_telemetry *wide, void *before, const int32_t *k,
                                      const struct follow_step *step,
                                      struct difference *difference);
/* What kind of state it is, in few bits: for coverage, where two devices count as one that differ
 * only in their numbers. */
uint32_t wide_telemetry_shape(const struct wide_telemetry *wide, const int32_t *k);
/* For comparison with the narrow form: a variable of actor 1 as a number, or as a word with a bit
 * for each element up to SPEC_ELEMENT_MAX; and its invariants. */
int32_t wide_telemetry_value(const struct wide_telemetry *wide, uint32_t variable, int32_t key);
bool wide_telemetry_holds(const struct wide_telemetry *wide, const int32_t *k, uint32_t invariant);

#endif
