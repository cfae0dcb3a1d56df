/* A device's life, as `brownout cuts` explores it: a part, the releases that there are, and goals
 * that the device is brought to one after the other, however often power goes away meanwhile.
 *
 * A life is a Lua file that returns a table with `life` (scenarios/update_install.lua). It has no
 * clock and no network: the server answers as a function of what the device asks for and of the
 * goal, and entropy is a function of the goal as well, so that a life has few states and no two
 * that need not be.
 */
#ifndef BROWNOUT_SIM_LIFE_H
#define BROWNOUT_SIM_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/slot.h"
#include "sim/behaviour.h"
#include "sim/part.h"

enum {
    LIFE_PATH_BYTES = 256,
    LIFE_QUESTION_BYTES = 256,
    LIFE_GOALS_MAX = 32, /* half of them before the search */
    LIFE_RELEASES_MAX = 8,
    LIFE_DEVICE = 1,     /* its number */
    LIFE_OUTBOX_MAX = 4, /* readings that wait for their acks */
    LIFE_CUTS_BYTES = 2048,
    LIFE_CUTS_MAX = 64,
};

enum life_act {
    LIFE_INSTALL,  /* a release is offered until it is confirmed, or was reverted too often */
    LIFE_DOWNLOAD, /* a release is offered, and withdrawn when so many sectors of it are there */
    LIFE_REFUSE,   /* an offer that must change nothing is made in each way that there is */
    LIFE_ROTATE,   /* the next key pair is staged, and put in force */
    LIFE_POLICY,   /* a policy is put in force */
    LIFE_SAMPLE,   /* so many readings are stored; acks come for two at a time */
    LIFE_RESET,    /* back to what left the factory, firmware apart: a new epoch */
    LIFE_ACT_COUNT
};

/* Its number, from 1 on, is the sequence of its manifest; release 1 left the factory. */
struct life_release {
    uint64_t level; /* of security */
    enum behaviour_defect defect;
};

struct life_goal {
    enum life_act act;
    uint32_t release; /* INSTALL, DOWNLOAD, REFUSE: its number */
    uint32_t count;   /* DOWNLOAD: sectors; SAMPLE: readings; POLICY: version */
};

struct life {
    char path[LIFE_PATH_BYTES];
    char question[LIFE_QUESTION_BYTES];
    char part[LIFE_PATH_BYTES]; /* for part_load */
    uint32_t sector_bytes_max;  /* the part is cut down to sectors of this size, if it can be */
    uint32_t image_bytes;       /* of each release */
    uint32_t piece_bytes;       /* what the server sends at once */
    uint32_t trials, reverts;
    uint32_t app_sectors; /* of the application's store */
    uint32_t release_count;
    struct life_release releases[LIFE_RELEASES_MAX];
    uint32_t
        before_count; /* of the goals: they are reached without a cut; the search begins behind */
    uint32_t goal_count;
    struct life_goal goals[LIFE_GOALS_MAX];
    char cuts[LIFE_CUTS_BYTES]; /* its one history, as a replay id (explore.h); "": all of them */
};

/* What a life has where its file says nothing. */
void life_standard(struct life *life);

/* Read the file, in the sandbox of scenarios. False: error says file:line, what, and the remedy. */
bool life_read(const char *path, struct life *life, char *error, size_t error_bytes);
/* Is this file a life, and not a scenario of a fleet? False as well if it cannot be told. */
bool life_is(const char *path);

/* Fit the part to the life: sector size, and just the sectors that it needs; and where is what.
 * False: error says what to change. */
bool life_fit(const struct life *life, struct flash_profile *profile, struct slot_layout *layout,
              char *error, size_t error_bytes);

const char *life_act_name(enum life_act act);

#endif
