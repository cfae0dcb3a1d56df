/* Every power cut of a device's life, nested to any depth: a search over crash images.
 *
 * A crash image is what a loss of power leaves: flash, counters, and what the world was told. The
 * device boots from it, and at each operation that changes flash or a counter, and at each word
 * that it says, the power goes away once more, in each canonical way; what that leaves is the next
 * image. Images are hashed and met once (image_key.h), and explored breadth first: when there is no
 * new one, any number of cuts is covered. A boot that comes to a point that another one has passed
 * in the same state, RAM included, ends there: nothing is run twice.
 *
 * What power left uncertain answers the first read of it in each way that there is, one branch for
 * each, and alike until that part of the boot ends. The first three reads of a sector branch, each
 * by itself; what is read of it later answers as the third did. While an image sector is being
 * filled, what is in it counts as "anything": one image stands for all that a cut may leave there.
 * Should a boot read such a sector before it is erased, the search begins anew and takes each
 * content by itself.
 */
#ifndef BROWNOUT_SIM_EXPLORE_H
#define BROWNOUT_SIM_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "models/model.h"
#include "sim/life.h"
#include "sim/part.h"

enum { EXPLORE_REPLAY_BYTES = LIFE_CUTS_BYTES };

#define EXPLORE_NO_BOUND UINT64_MAX

struct explore_options {
    bool torn;      /* cuts inside a program unit and inside an erase, too */
    bool demonic;   /* uncertain bits answer in each way; else as if they were erased */
    bool masked;    /* what is in a sector that is being filled counts as anything */
    uint64_t depth; /* nested cuts; EXPLORE_NO_BOUND */
    uint64_t images_max;
    bool lives_on; /* a replay whose next cut is nowhere lives on to its end; else that is an error
                    */
    const struct port_crypto *crypto; /* NULL: OpenSSL's */
    const uint8_t *dump;              /* a flash to look for; NULL: none */
    uint32_t dump_bytes;              /* as many as explore_profile has */
    /* How far it is; NULL: nobody asks. */
    void (*progress)(void *ctx, uint64_t explored, uint64_t waiting);
    void *progress_ctx;
};

enum explore_verdict {
    EXPLORE_CLOSED,   /* no image is left: all laws held, at any number of cuts */
    EXPLORE_BOUNDED,  /* all laws held as far as it went */
    EXPLORE_VIOLATED, /* a law is broken */
    EXPLORE_VACUOUS,  /* nothing was proved: see why */
};

/* What a cut fell into. */
enum explore_operation {
    EXPLORE_PROGRAM,
    EXPLORE_ERASE,
    EXPLORE_COUNTER,
    EXPLORE_SYNC,
    EXPLORE_OPERATION_COUNT
};

struct explore_counts {
    uint64_t cuts;      /* boots from a crash image that were executed, in the boot loader's part */
    uint64_t mounts;    /* the same, in the part that mounts the application's store */
    uint64_t works;     /* the same, in the part that works on */
    uint64_t branches;  /* that were added to them, for other answers of uncertain bits */
    uint64_t generated; /* images that cuts left, the same ones included */
    uint64_t stood_for; /* images that a masked one stands for, beside itself */
    uint64_t points;    /* states in which a boot was looked at again */
    uint64_t met;       /* boots that ended in a state that was known */
    uint64_t boots;     /* resets included */
    uint64_t depth;     /* nested cuts, at the most */
    uint64_t torn_programs, torn_erases, cached; /* images of each kind */
    uint64_t uncertain;                          /* reads of uncertain bits */
    uint64_t poisoned;                           /* reads that ECC gave up */
    uint64_t joined;                             /* that answered as an earlier one did */
    uint64_t lost_branches; /* reads that did not fork any more, see EXPLORE_BOUNDED */
    uint64_t pairs;         /* images of one key that were run side by side */
    uint64_t trials_burned; /* reverts of an image that had fewer boots than trials */
    uint64_t cut[EXPLORE_OPERATION_COUNT];         /* operations that were cut */
    uint64_t exposure_us[EXPLORE_OPERATION_COUNT]; /* of the uncut life */
    uint64_t recovery_us; /* longest: operations from a cut to a started image */
    uint32_t erases;      /* of one sector between two points, at the most */
    uint64_t exercised[LAW_COUNT];
    uint64_t questions, computed; /* to the crypto provider; and answers that it had to find */
    uint64_t peak_images;         /* waiting at once */
};

struct explore_result {
    enum explore_verdict verdict;
    char why[256]; /* BOUNDED, VACUOUS; VIOLATED where `replay` does not show it */
    enum law law;  /* VIOLATED, and below */
    const char *what;
    uint64_t expected, actual;
    uint64_t depth;
    uint32_t nowhere; /* of a replay that lived on: which cut, from 1, fell nowhere; 0: none */
    char replay[EXPLORE_REPLAY_BYTES];
    bool masked;                        /* as it was explored at last */
    uint64_t image_count;               /* distinct crash images, as pairs of the next two */
    uint64_t base_count;                /* what boot loaders found */
    uint64_t frame_count;               /* what applications found */
    uint64_t image_digest[2];           /* over the sorted keys of both */
    uint64_t distance;                  /* of the dump from the nearest image, in program units */
    char nearest[EXPLORE_REPLAY_BYTES]; /* the cuts that leave it */
    struct explore_counts counts;
};

struct explore;

/* NULL: error says what is wrong with the life or the part, and the remedy. The life and the part
 * are copied; options are. */
struct explore *explore_open(const struct life *life, const struct part *part,
                             const struct explore_options *options, char *error,
                             size_t error_bytes);
void explore_close(struct explore *explore);

/* All of it. */
void explore_run(struct explore *explore, struct explore_result *result);

/* The keys of all halves of images, sorted; `count` pairs of words, owned by `explore`. After
 * explore_run. */
const uint64_t *explore_keys(struct explore *explore, uint64_t *count);

/* Live the cuts of a replay id again, and tell the story to `file`. image: what the last of them
 * leaves, is written there byte for byte (uncertain bits as they were before); NULL: not wanted.
 * False: error says what is wrong with the id. *result: VIOLATED if a law was broken on the way. */
bool explore_replay(struct explore *explore, const char *id, FILE *file, FILE *image,
                    struct explore_result *result, char *error, size_t error_bytes);

/* A CHECK failed in this process. Leaves the device that is being run; returns if none is. */
void explore_check_failed(const char *file, int line, const char *what);

/* The flash that a dump must be of. */
const struct flash_profile *explore_profile(const struct explore *explore);
const struct slot_layout *explore_layout(const struct explore *explore);

#endif
