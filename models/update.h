/* Firmware update and boot: what one device promises about its images, whatever power does. Spec
 * names reserved: Update, and Identity for the key in force.
 *
 * A device's state is plain memory without pointers or growing numbers, so that a search can fork
 * it at each cut and take it into the key of a crash image. The world lists the slots before each
 * JUMP and at each image; everything else is what boot loader and agent say (core/evidence.h).
 *
 * Words are said after the durable act. Power may go in between: then the act took place and nobody
 * said so. `perhaps` and `taken` are what such an act may have made true; the next boot settles it.
 */
#ifndef BROWNOUT_MODELS_UPDATE_H
#define BROWNOUT_MODELS_UPDATE_H

#include "models/model.h"

enum {
    UPDATE_LAW_SLOTS = 2,
    UPDATE_LAW_RELEASES_MAX = 8,
    UPDATE_LAW_STATUSES_MAX = 8,
};

/* An image that was made, and signed by both. */
struct update_law_release {
    uint64_t sequence; /* of its manifest, >= 1 */
    uint64_t level;    /* of security */
};

struct update_law_config {
    uint32_t trials;      /* boots that an unconfirmed image gets */
    uint32_t reverts_max; /* times that one image may be reverted and taken again; 0: any */
    uint32_t release_count;
    struct update_law_release releases[UPDATE_LAW_RELEASES_MAX];
};

/* Values of JUMP, STATUS and LEARN: enum boot_outcome of the boot loader. */
enum update_law_outcome {
    UPDATE_LAW_NONE,
    UPDATE_LAW_CONFIRMED,
    UPDATE_LAW_TRIAL,
    UPDATE_LAW_FALLBACK,
};

struct update_law_status {
    uint64_t sequence;
    uint64_t outcome;
};

/* One device. Images are named by the sequence of their manifest; 0 = none. */
struct update_law {
    uint64_t slots[UPDATE_LAW_SLOTS]; /* the whole, authentic release in each, as last listed */
    uint64_t floor;                   /* the security counter, as last seen */
    uint64_t running, outcome;        /* as the boot loader left it; 0 while it is down */
    uint64_t confirmed;               /* the last one whose confirm is known */
    uint64_t perhaps;                 /* ran on trial: its confirm may be durable, unsaid */
    uint64_t armed;                   /* on trial */
    uint64_t ends;                    /* of power since it was armed, at most trials + 1 */
    uint64_t executed;                /* JUMPs to it since it was armed */
    uint64_t taken, filled;           /* the download, and how much of it is durable */
    uint64_t reverted;                /* the last one */
    uint64_t reverts;                 /* of it in a row, as far as they were said */
    uint64_t key, key_next;           /* generation in force, and staged */
    uint64_t policy, epoch;           /* of keys and policy */
    uint64_t policy_said;             /* in this epoch */
    uint64_t status_count;            /* said, and not learnt yet */
    struct update_law_status statuses[UPDATE_LAW_STATUSES_MAX];
    uint64_t learnt_any; /* statuses were too many to remember: which is learnt is not judged */
};

struct update_law_finding {
    enum law law;
    const char *what; /* static text: the guard or variable that disagrees */
    uint64_t expected, actual;
};

/* A device that runs the confirmed release `sequence`, in slot 0. */
void update_law_init(struct update_law *law, const struct update_law_config *config,
                     uint64_t sequence);

/* False: *out says which law is broken. Observations about other matters are passed over.
 * exercised: [LAW_COUNT], counts how often each law was put to the test; may be NULL. */
bool update_law_observe(struct update_law *law, const struct update_law_config *config,
                        const struct observation *observation, struct update_law_finding *out,
                        uint64_t *exercised);

/* Of a release that the configuration knows; 0 for any other. */
uint64_t update_law_level(const struct update_law_config *config, uint64_t sequence);

#endif
