/* Triage: which of many failures are the same one, and is it new, known, or gone?
 *
 * A failure is a recorded run whose verdict is not pass. It is known by its subject, which is a
 * function of the run's rows alone, so that it is the same in any sweep, build and database:
 *   law       that was broken; "run.expectation" or "run.VERDICT" where none was
 *   what      the guard or variable that disagrees, what a failed CHECK said, or the run's message;
 *             each row of digits is one '#', so that lines and counts do not tell failures apart
 *   evidence  the kind of the first bad evidence: of the item in the run's events that is what the
 *             violation was found in (event, time, node, device, epoch, counter); "-": none is
 *   role      of the node that said it, or that it befell: cloud, gw, rogue, dev; "-"
 *   cone      the fault classes that may have brought it about (triage_cone.h), sorted, with
 *             commas; "-": none did; "?": the run kept no plan that this build can read. Of a run
 *             that was shrunk (table shrunk) the classes that were left: those did bring it about
 * A failure's key is CAUSE-CONE: eight hexadecimal digits of the hash of the first four, and six of
 * the cone's.
 *
 * A group is one complaint, and the fewest faults that were seen to go before it. The failures of
 * one CAUSE are taken by the size of their cones, then by name, then by run: each joins the first
 * group whose cone its own holds whole (of a run that was shrunk, also the cone that it would have
 * if it was not), and else begins one. So what also happens without a fault
 * is one group, however many faults happened to strike near its other runs. A cone "?" neither
 * holds nor is held. The group's key and subject are those of the failure that began it: they stay,
 * until a run shows that fewer faults will do. A list of known failures names a group by its CAUSE,
 * by its key, or by the key of any of its failures, before that was shrunk or since, so that what
 * was listed before stays listed then.
 *
 * An arm is a scenario with its settings (--set). Runs are put in order by revision: the commit, or
 * where it was not clean the program; a revision stands where its first run was recorded. Now are
 * the runs that were recorded at `since` or later; without it those of the last revision. The rest
 * is history.
 *
 * State of a group, the first that applies; its arms are those in which it has ever failed:
 *   NEW       it fails now, and history has no failure of it
 *   RESOLVED  it does not fail now, and that is no chance. Clean runs are the runs of its arms that
 *             are now, or of a revision behind the last one in which it failed. In each arm it
 *             failed in f of n runs until then; p = f / (n + 1), one run more than there were, so
 *             that a single run does not make it certain. Chance is the product of (1 - p)^clean
 *             over its arms: how likely as many clean runs are if nothing was mended. Resolved:
 *             below TRIAGE_CHANCE_PERCENT. Likewise where all of this holds of the groups of its
 *             CAUSE together: a complaint that is gone is gone behind any faults
 *   RARE      fewer than one in TRIAGE_RARE_RUNS runs of its arms fails, since it was first seen
 *   ONGOING   else: it still fails, or nothing shows that it does not
 */
#ifndef BROWNOUT_SIM_TRIAGE_H
#define BROWNOUT_SIM_TRIAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/record.h"

enum {
    TRIAGE_RARE_RUNS = 100,
    TRIAGE_CHANCE_PERCENT = 5,
    TRIAGE_KEY_BYTES = 16, /* with its end */
    TRIAGE_CAUSE_DIGITS = 8,
    TRIAGE_WHAT_BYTES = 512,
    TRIAGE_CONE_BYTES = 1024, /* all fault classes */
};

enum triage_state { TRIAGE_NEW, TRIAGE_ONGOING, TRIAGE_RARE, TRIAGE_RESOLVED, TRIAGE_STATE_COUNT };
/* "new", "ongoing", "rare", "resolved" */
const char *triage_state_name(enum triage_state state);

struct triage_subject {
    char law[40], what[TRIAGE_WHAT_BYTES], evidence[64], role[16], cone[TRIAGE_CONE_BYTES];
    char lived_cone[TRIAGE_CONE_BYTES]; /* as the run tells it, shrunk or not; no part of the key */
};
void triage_key(const struct triage_subject *subject, char key[TRIAGE_KEY_BYTES]);
/* Copy, with each row of digits as '#'. */
void triage_mask(const char *text, char *masked, size_t masked_bytes);

struct triage_arm {
    char *scenario, *settings; /* owned */
};

struct triage_revision {
    char name[80];     /* commit, and what tells the program where that was not clean */
    char first_at[32]; /* when its first run was recorded, UTC */
};

/* Runs of an arm in a revision. Failures count among them. */
struct triage_tally {
    uint32_t arm, revision;
    bool now;
    uint64_t runs, wall_us;
};

struct triage_failure {
    int64_t run;
    uint64_t seed, events, faults; /* faults: how often one fired */
    uint32_t arm, revision;
    bool now;
    uint32_t group; /* index in triage.groups; set by triage_group */
    char key[TRIAGE_KEY_BYTES];
    char lived_key[TRIAGE_KEY_BYTES]; /* with its cone as the run tells it, shrunk or not */
    struct triage_subject *subject;   /* owned */
};

/* A law in the runs of a scenario that are now. */
struct triage_law {
    char *scenario; /* owned */
    char law[40];
    uint64_t exercised; /* runs in which it was put to the test */
};

struct triage_group {
    char key[TRIAGE_KEY_BYTES];
    uint32_t first, count; /* its failures: triage.failures[first..first + count - 1]; the first one
                              began it, and its subject is the group's */
    enum triage_state state;
    /* Of all groups with its CAUSE: the first of their states, and their failures. */
    enum triage_state cause_state;
    uint64_t cause_failures;
    uint64_t runs, failures;         /* of its arms, since the revision in which it first failed */
    uint64_t runs_now, failures_now; /* of its arms, now */
    uint32_t first_revision, last_revision; /* in which it failed */
    uint64_t clean;       /* runs since it, or what its CAUSE is resolved by, last failed */
    uint32_t clean_since; /* the revision in which that was */
    double chance;        /* of so many clean runs, if nothing was mended; 1 while it fails */
    /* Indices of failures, of those in its last revision: what this build is likely to bring back.
     * The run in which the fewest faults fired, and the one with the fewest events; the older run
     * where two are alike. */
    uint32_t fewest, fastest;
    const char *reason; /* why it is known, borrowed from triage_known; NULL: it is not */
};

struct triage {
    uint32_t arm_count, revision_count, tally_count, failure_count, law_count, group_count;
    uint32_t cause_count;
    struct triage_arm *arms;
    struct triage_revision *revisions; /* oldest first */
    struct triage_tally *tallies;
    struct triage_failure *failures; /* those of a group side by side, as they joined it */
    struct triage_law *laws;         /* by scenario, then by law */
    struct triage_group *groups; /* those of a CAUSE side by side: causes by state, then those with
                                    most failures; in them likewise */
    uint64_t runs, runs_now;
};

/* record_triage.c: all of a run database. since: "YYYY-MM-DD" or "YYYY-MM-DDThh:mm:ssZ"; NULL: the
 * last revision is now. *triage: to be freed in any case. */
bool triage_read(struct triage *triage, struct record *record, const char *since, char *error,
                 size_t error_bytes);
/* From arms, revisions, tallies and failures to groups. */
void triage_group(struct triage *triage);
void triage_free(struct triage *triage);

/* Failures that are known: a text file of lines "KEY reason", KEY being a whole one or
 * a CAUSE; empty lines, and those that begin with '#', say nothing. */
struct triage_known {
    uint32_t count;
    struct triage_known_line {
        char key[TRIAGE_KEY_BYTES];
        char reason[240];
        bool used; /* it named a group */
    } * lines;
};
enum { TRIAGE_KNOWN_MAX = 10000 };
/* False: error says file, line, what is wrong there, and the remedy. To be freed in any case. */
bool triage_known_read(struct triage_known *known, const char *path, char *error,
                       size_t error_bytes);
void triage_known_free(struct triage_known *known);
/* Set the reasons of groups; `known` must outlive them. A whole key wins over a CAUSE. */
void triage_known_apply(struct triage_known *known, struct triage *triage);

/* Groups that fail now and are not known: what a build breaks for. */
uint32_t triage_new_count(const struct triage *triage);

/* ---- what is said (triage_print.c, triage_json.c, triage_junit.c) ------------------------------
 */

/* db: for the lines that replay a run. */
struct triage_print {
    const struct triage *triage;
    const struct triage_known *known; /* NULL: no such file was named */
    const char *db;
};
/* One sentence on how sure a state is; "" for NEW. */
void triage_confidence(const struct triage *triage, const struct triage_group *group, char *text,
                       size_t text_bytes);
void triage_print_text(const struct triage_print *print, FILE *file);
void triage_print_markdown(const struct triage_print *print, FILE *file);
void triage_print_json(const struct triage_print *print, FILE *file);
/* The runs that are now: a suite for each scenario, in it a case for each law, and for what else
 * failed. A case fails where a group of it fails now that is not known, and is skipped where all
 * are known, or where no run put the law to the test. */
void triage_print_junit(const struct triage_print *print, FILE *file);

#endif
