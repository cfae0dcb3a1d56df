/* A device whose firmware is managed, as steps of specs/Update.
 *
 * What boot loader and agent say (core/evidence.h) stands for one action or for several: an act
 * that nobody speaks of (Count, EraseHeader, WriteSector) is told ahead of the word that shows it.
 * Words come behind durable acts, so when a device goes down, the last acts of a call may have
 * taken place unsaid. Then the device is in one of a few states, and each truth about its flash
 * (slots and floor in the crash image; the record at the next JUMP; progress when the agent is up)
 * rules out some of them. Steps are told once a single state is left; a truth that settles nothing
 * is told as a look (FOLLOW_LOOK). If an observation rules out all of them, the steps to the
 * likeliest one are told, and then what was said or seen: the listener finds what disagrees.
 *
 * Not followed: a device before its first JUMP (on the line, its record is made), and one that was
 * in more states than there is room for, or took more unsaid steps (`over` says so). Faults of
 * flash are not followed at all: the judge voids the law there.
 *
 * No heap, no pointers: a device is plain memory.
 */
#ifndef BROWNOUT_MODELS_FOLLOW_UPDATE_H
#define BROWNOUT_MODELS_FOLLOW_UPDATE_H

#include "models/follow.h"

enum {
    FOLLOW_UPDATE_STATES_MAX = 8, /* that a device may be in at once */
    FOLLOW_UPDATE_MOVES_MAX = 32, /* that were not told yet */
    FOLLOW_UPDATE_WORDS = 21,     /* of a state of the spec */
    FOLLOW_UPDATE_SIGHTS_MAX = 6, /* of the record, until the JUMP behind it */
};

/* The constants of a run. */
struct follow_update_config {
    int32_t k[SPEC_CONSTANTS_MAX]; /* of the model */
    uint32_t sector_bytes, image_bytes;
    uint32_t release_count;
    bool unfit; /* the fleet's releases are not those of the spec: nobody is followed */
};

enum follow_update_standing {
    FOLLOW_UPDATE_ON_THE_LINE, /* it has not booted yet */
    FOLLOW_UPDATE_FOLLOWED,
    FOLLOW_UPDATE_UNCLEAR, /* over: too many states, or unsaid steps */
    FOLLOW_UPDATE_STOPPED, /* over: the listener wants no more, or something disagreed */
};

/* A state that the device may be in, and how it came there from the last one that was told. */
struct follow_update_state {
    int32_t words[FOLLOW_UPDATE_WORDS];
    uint32_t move_count;
    uint8_t moves[FOLLOW_UPDATE_MOVES_MAX]; /* an action; above them, the release that is offered */
};

/* One device; all zero: on the line. */
struct follow_update {
    enum follow_update_standing standing;
    uint32_t state_count;
    struct follow_update_state states[FOLLOW_UPDATE_STATES_MAX]; /* the likeliest first */
    uint32_t sight_count;
    struct follow_sight sights[FOLLOW_UPDATE_SIGHTS_MAX];
};

/* trials, reverts_max: as in struct judge_config. image_bytes, sector_bytes: >= 1. */
void follow_update_configure(struct follow_update_config *config, uint32_t trials,
                             uint32_t reverts_max, uint32_t image_bytes, uint32_t sector_bytes);
/* One more release was made: TRUTH_RELEASE. Before the first device boots. */
void follow_update_release(struct follow_update_config *config, uint64_t sequence, uint64_t level);

/* Is it of any use to tell of such an observation? */
bool follow_update_hears(uint32_t kind);
/* Tell `listen` the steps of this device that the observation settles. Observations about other
 * matters are passed over. */
void follow_update_observe(struct follow_update *device, const struct follow_update_config *config,
                           const struct observation *observation, follow_listener *listen,
                           void *ctx);
/* What kind of state it is, in few bits: for coverage. words: of the model. */
uint32_t follow_update_shape(const struct follow_update_config *config, const int32_t *words);

#endif
