/* The search from inside; everybody else uses explore.h.
 *
 * A boot has three parts. The first one looks at the boot loader's store, the slots and the
 * security counter: of a crash image these are its *base*. The second one mounts the application's
 * store, and looks at nothing but that and what belongs to it: the image's *frame*. So bases are
 * explored by themselves, with the cuts that lead from one to the next, up to the *exits* at which
 * an image takes over; and frames as well, up to their own exits. The third part, the *work*, looks
 * at everything: it runs once for each two exits that belong together. Images that are torn in both
 * halves are covered, and need not be run. A read beyond its half ends the search: then nothing is
 * proved.
 *
 *   explore.c         opening and closing, runs and their branches, the result
 *   explore_uncut.c   the life without a cut, and where the search begins
 *   explore_search.c  the search: crash images that wait, in two halves
 *   explore_graph.c   halves, and the cuts between them
 *   explore_point.c   keys of images, and of points that a run may pass twice
 *   explore_port.c    the device's port, and the cuts that are made in its operations
 *   explore_judge.c   what must hold of each image, word and boot
 *   explore_pair.c    images of one key, run side by side
 *   explore_replay.c  one history again, told; ids; the way to a dump
 *   explore_settle.c  an id that shows what was found
 */
#ifndef BROWNOUT_SIM_EXPLORE_INSIDE_H
#define BROWNOUT_SIM_EXPLORE_INSIDE_H

#include <setjmp.h>

#include "core/crypto/openssl.h"
#include "models/update.h"
#include "sim/digest_map.h"
#include "sim/explore.h"
#include "sim/image_key.h"
#include "sim/life_device.h"
#include "sim/map.h"
#include "sim/memo.h"

enum {
    CHOICES_MAX = 12,      /* reads of one part of a boot that fork */
    RUN_CHOICES_MAX = 256, /* of a run that is replayed */
    SECTOR_FORKS_MAX = 3,  /* of them in one sector; what is read there later answers as the last */
    BOOTS_MAX = 64,        /* of one run, without a cut and without a point that is known */
    ERASES_MAX = 4,        /* of a sector between two points: I26 */
    PAIRS_MAX = 512,
    PAIR_EVERY = 16, /* keys, of which one is remembered for pairs */
    UNITS_ALL = 16,  /* a program of so many units is torn in each; a larger one at its ends */
};

/* What outlives power beside the flash: the law's own memory and the world's. */
struct life_state {
    struct update_law law;
    struct life_mind mind;
};

/* A part of a crash image, as a part of a boot finds it. */
struct half {
    struct flash *flash; /* and state: NULL when it is explored */
    struct life_state *state;
    sector_set masked; /* sectors that count as anything */
    uint64_t key[2];
    uint32_t changes, exits;     /* lists of links; LINK_NONE: empty */
    uint32_t reach, reach_count; /* of a base: what it leads to, once it was asked */
    bool asked;
    uint32_t distance; /* from the dump, in program units */
};

/* A device in which a part of a boot has come to its end. Of a base: the image has taken over; of a
 * frame: the application's store is mounted. */
struct exit {
    struct flash *flash;
    struct life_state state;
    sector_set masked;
    uint64_t us;   /* that it took to come here, at the most */
    uint32_t down; /* base that a loss of power right here leaves; LINK_NONE: not asked yet */
    struct boot_report report;  /* of a base */
    struct life_device *device; /* of a frame: outbox and vault */
};

#define LINK_NONE UINT32_MAX

/* From a base to a change that a boot makes there, or to an exit; from a change to the bases that
 * cuts in it leave. */
struct link {
    uint32_t next, to;
    uint32_t operation; /* of the run; or the variant of the cut */
    uint32_t choices;   /* base 3, the first one first */
    uint8_t choice_count;
};

/* Where a run was cut, or went through a reset. */
struct cut_point {
    uint32_t session; /* whose mount or work was cut; LINK_NONE: the device as it left the line */
    uint32_t mounted; /* exit of its frame, from which the work went on; LINK_NONE: in the mount */
    uint32_t operation, variant;
    uint32_t choices;
    uint8_t choice_count;
    bool reset; /* power stayed */
    uint8_t depth;
};

/* A crash image that a cut leaves in the second or third part of a boot, or a reset; those that
 * cuts in the first part leave are in the graph of bases. */
struct arrival {
    uint32_t base, frame;
    struct cut_point cut;
};

/* The second part of a boot: from an exit of a base, with a frame. */
struct session {
    uint32_t arrival, exit;
    uint8_t depth;
};

/* What a base leads to, by cuts alone: exits, and how many cuts away they are. */
struct reach {
    uint32_t exit;
    uint32_t depth;
};

/* A point that a boot can pass, and a boot that went from one to the next. */
struct edge {
    uint32_t from, to;
};

/* A read that forked, and how it answers until that part of the boot ends. */
struct fork {
    uint32_t offset, size_bytes;
    enum flash_reading reading;
};

enum escape {
    ESCAPE_NONE,
    ESCAPE_BROKEN, /* a law is */
    ESCAPE_UNMASK, /* a sector was read that counts as anything, because it is being filled */
    ESCAPE_JOIN,   /* the same, because it is of the other half */
    ESCAPE_END,    /* the run came to where it was to end */
};

/* What a run is for. */
enum run_mode {
    RUN_UNCUT,  /* the life as it is without cuts: judged, and measured */
    RUN_LOAD,   /* the first part of a boot, from a base: cut everywhere */
    RUN_MOUNT,  /* the second part, from a frame: cut everywhere */
    RUN_WORK,   /* the third part: cut everywhere */
    RUN_PAIR,   /* nothing is cut or judged: a digest of what happens is kept */
    RUN_CUT_AT, /* until the cut at an operation, which leaves an image */
    RUN_TELL,   /* judged like a search, and told */
};

struct run {
    enum run_mode mode;
    uint32_t source;  /* base, frame, or session */
    uint32_t mounted; /* of a work: the exit of the frame that it goes on from */
    uint32_t change;  /* under way; LINK_NONE */
    uint32_t point;   /* last passed */
    struct flash *flash;
    struct life_state state;
    uint64_t state_digest; /* as it was when an image was last made of it */
    uint8_t retained[RETAINED_BYTES];
    sector_set masked;
    enum life_phase phase;
    uint32_t slot;
    uint32_t operation; /* that change something, and words, since the run began */
    uint8_t depth;
    uint32_t boots;
    uint64_t elapsed_us;
    uint8_t erases[KEY_SECTORS_MAX]; /* since the last point */
    /* Branches. */
    uint32_t choice_count, choice_fixed; /* made, and those that the branch was given */
    uint32_t choice_base;                /* made before this part of the boot */
    uint8_t choices[RUN_CHOICES_MAX];
    uint32_t fork_count;
    struct fork forks[CHOICES_MAX];
    /* PAIR */
    uint64_t digest[2];
    uint32_t places;
    /* CUT_AT */
    uint32_t cut_operation, cut_variant;
    struct flash *left; /* by the cut */
    struct life_state left_state;
    /* TELL */
    FILE *file;
    jmp_buf escape;
};

/* Images of one key. */
struct image {
    struct flash *flash;
    struct life_state *state;
    sector_set masked;
    uint64_t key[2];
};
struct pair {
    struct image first, other; /* other.flash NULL: there is none yet */
};

/* A growing array; see explore_list. */
#define LIST(type)                                                                                 \
    struct {                                                                                       \
        type *items;                                                                               \
        uint32_t count, capacity;                                                                  \
    }

struct explore {
    struct life life;
    struct part part;
    struct explore_options options;
    struct flash_profile profile;
    struct slot_layout layout;
    sector_set app_sectors, other_sectors; /* as sets: of a frame, and all others */
    struct crypto_openssl openssl;
    struct memo *memo;
    struct port port;
    struct firmware *firmware;
    struct life_offers offers;
    struct life_world world;
    struct life_host host;
    struct update_law_config law;
    struct life_device device;
    struct flash_sector *anything;             /* stands in a masked sector */
    struct flash *line[FIRMWARE_RELEASES_MAX]; /* a part with that release in both slots */
    struct flash
        *root; /* and state: off, with the goals before the search reached; NULL at first */
    struct life_state root_state;
    struct map same; /* sector's digest and release: is it that release's? */

    struct image_key *key;
    struct digest_map met;           /* images as they are; of a half: its number */
    struct digest_map changes_known; /* to their numbers */
    struct digest_map bases_known, frames_known, exits_known, mounts_known;
    struct digest_map arrivals_known, sessions_known, works_known;
    struct digest_map points; /* keys, to numbers */
    struct digest_map told;   /* keys of the points that a TELL has passed */
    LIST(struct half) bases;
    LIST(struct half) frames;
    LIST(uint32_t) changes; /* of each its list of halves */
    LIST(struct link) links;
    LIST(struct exit) exits;  /* of bases */
    LIST(struct exit) mounts; /* of frames */
    LIST(struct arrival) arrivals;
    LIST(struct session) sessions;
    LIST(struct edge) edges;
    LIST(struct pair) pairs;
    LIST(struct reach) reach;
    uint32_t *stamps; /* of bases, exits and changes: the question that met it last */
    uint32_t stamp_capacity, stamp;
    LIST(uint32_t) queue;
    uint32_t taken, session; /* arrival, and session, that are looked at */
    bool bounded;            /* the number of images, or their depth, was */
    bool uncut_done;         /* the uncut life came to its end */
    uint64_t *keys;          /* sorted, after the run */
    struct map distances;

    struct run run;
    struct explore_result *result; /* being filled */
};

/* Room for one more item; the item is zero. */
void *explore_list(void **items, uint32_t *count, uint32_t *capacity, size_t item_bytes);
#define LIST_ADD(list)                                                                             \
    explore_list((void **)&(list).items, &(list).count, &(list).capacity, sizeof *(list).items)

/* ---- explore.c ---- */

/* Begin a run from this image. */
void explore_begin(struct explore *explore, enum run_mode mode, const struct flash *flash,
                   const struct life_state *state, sector_set masked);
void explore_end(struct explore *explore);
/* The first part of boots, until the image takes over: true. */
bool explore_load(struct explore *explore);
/* Whole boots until the life is done, or the run escapes. */
void explore_live(struct explore *explore);
_Noreturn void explore_escape(struct explore *explore, enum escape escape);
/* Is the run one whose cuts are looked at, and beyond the branch that it was given? */
bool explore_is_new(const struct explore *explore);
/* The next branch: the last choice that has another answer takes it. False: there is none. */
bool explore_next_branch(struct explore *explore);
uint32_t explore_choices(const struct run *run);

/* ---- explore_uncut.c ---- */

/* Reach the goals before the search, without a cut, once. */
enum escape explore_live_before(struct explore *explore);
/* And from there to the end of the life. */
enum escape explore_live_uncut(struct explore *explore);
/* The device as the search finds it first. To be dropped. */
struct flash *explore_root(const struct explore *explore, struct life_state *state);

/* ---- explore_point.c ---- */

uint64_t explore_state_digest(const struct life_state *state);
/* Of the run as it stands. */
void explore_point_key(struct explore *explore, enum life_place place,
                       const struct life_device *device, uint64_t digest[2]);
void explore_base_key(struct explore *explore, const struct flash *flash,
                      const struct update_law *law, sector_set masked, uint64_t digest[2]);
void explore_frame_key(struct explore *explore, const struct flash *flash,
                       const struct life_state *state, uint64_t digest[2]);
/* Of the law, what the frame has: keys, policy and epoch. */
void explore_law_frame(struct update_law *law, const struct update_law *frame);
/* The work stands at a point. False: it is known what follows. */
bool explore_pass(struct explore *explore, enum life_place place, const struct life_device *device);
/* The same for a history that is told: it was here before, and so will be again. */
bool explore_returns(struct explore *explore, enum life_place place,
                     const struct life_device *device);
void explore_edge(struct explore *explore, uint32_t from, uint32_t to);
/* Every boot ends: no way leads from a point back to itself. */
bool explore_is_acyclic(const struct explore *explore);

/* ---- explore_graph.c ---- */

void explore_graph_free(struct explore *explore);
/* The number of this half of an image. Takes the flash. */
uint32_t explore_base(struct explore *explore, struct flash *flash, const struct life_state *state,
                      sector_set masked);
uint32_t explore_frame(struct explore *explore, struct flash *flash,
                       const struct life_state *state);
/* So that all that masked sectors stand for is one image. */
void explore_mask(const struct explore *explore, struct flash *flash, sector_set masked);
/* An image is left by a cut. Takes the flash. */
void explore_offer(struct explore *explore, struct flash *flash, uint32_t variant,
                   sector_set masked);
/* The run makes this change; true: it was never made before. */
bool explore_change(struct explore *explore, const uint64_t digest[2]);
/* Find what the base leads to by cuts in the first part of boots. explore->queue has the bases on
 * the way then, near ones first, but not if it was asked before. */
enum escape explore_reach(struct explore *explore, uint32_t base);
/* The bases that cuts lead to from these, and these, into explore->queue. */
void explore_walk(struct explore *explore, uint32_t base);
/* Explore a frame, unless it is. */
enum escape explore_mount(struct explore *explore, uint32_t frame);
/* The images that there are: bases and frames that were together. */
uint64_t explore_image_count(struct explore *explore);

/* ---- explore_search.c ---- */

enum escape explore_search(struct explore *explore);
/* A cut of a work left this; the law knows. Takes the flash. */
void explore_arrive(struct explore *explore, struct flash *flash, struct life_state *state,
                    sector_set masked, uint32_t variant);

/* ---- explore_port.c ---- */

struct port explore_port(struct explore *explore);
/* Something was said, or the world knows more: power may go away right now. */
void explore_word(struct explore *explore);
/* The image that variant of the next operation leaves; for replays: 0 is after it. */
struct flash *explore_variant(const struct flash *flash, uint32_t offset, const uint8_t *bytes,
                              uint32_t size_bytes, uint32_t variant);
/* In words. */
void explore_describe(const struct flash *flash, uint32_t size_bytes, uint32_t variant, char *text,
                      size_t text_bytes);

/* ---- explore_judge.c ---- */

/* The law does not hold: the search is over. */
_Noreturn void explore_break(struct explore *explore, enum law law, const char *what,
                             uint64_t expected, uint64_t actual);
void explore_require(struct explore *explore, enum law law, const char *what, uint64_t expected,
                     uint64_t actual);
/* Tell the law; it is judged. */
void explore_observe(struct explore *explore, struct life_state *state,
                     const struct observation *observation);
/* The release that is whole in a slot; 0: none. */
uint64_t explore_in_slot(struct explore *explore, const struct flash *flash, uint32_t slot,
                         sector_set masked);
/* The power went away: the law learns of it, and of what is left. */
void explore_judge_image(struct explore *explore, const struct flash *flash, sector_set masked,
                         struct life_state *state);
/* Success is reported here. */
void explore_judge_place(struct explore *explore, enum life_place place);
/* Slots and floor, before a JUMP. */
void explore_show(struct explore *explore, const struct flash *flash, sector_set masked,
                  struct life_state *state);

/* ---- explore_pair.c ---- */

/* An image is the first of its key, or another one of a key that is known. Borrowed. */
void explore_pair(struct explore *explore, const struct image *image, bool first);
/* Run the pairs that wait. False: two of one key behaved differently. */
bool explore_pairs_run(struct explore *explore);
void explore_pairs_free(struct explore *explore);

/* ---- explore_replay.c ---- */

/* Of the run as it stands, running on. */
void explore_id(struct explore *explore, char *text, size_t text_bytes);
/* A law was broken: see to it that the id in `result` shows it; else `why` says that it does not.
 */
void explore_settle(struct explore *explore, struct explore_result *result);
/* How far these sectors are from the dump, in program units; `skipped` are not looked at. 0 without
 * a dump. */
uint32_t explore_distance(struct explore *explore, const struct flash *flash, sector_set skipped);
/* The image that is nearest to the dump, after the search. */
void explore_nearest(struct explore *explore, struct explore_result *result);
void explore_tell(struct explore *explore, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
