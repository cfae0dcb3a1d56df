/* The runs that did not pass, in groups that look alike: the same verdict, law, guard and first bad
 * evidence; where no law broke, the same message but for its numbers. Runs that get a diagram have
 * kept their plan. */
#ifndef BROWNOUT_SIM_REPORT_GROUPS_H
#define BROWNOUT_SIM_REPORT_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;
struct record;

enum {
    REPORT_FAILURES_MAX = 100000, /* that are looked at: those of the fewest events */
    REPORT_GROUPS_MAX = 4096,
    REPORT_GROUP_RUNS_MAX = 1000, /* of a group, one by one */
    REPORT_DIAGRAMS_MAX = 1000,
};

/* Which runs get a diagram: the one of the fewest events of each group, largest group first; then
 * the second of each, and so on. */
struct report_choice {
    uint32_t count;
    int64_t runs[REPORT_DIAGRAMS_MAX];
};

/* Into object: "groups": [{what they share, "count", "runs": [...]}...], "failures_left_out": how
 * many did not fit. db: how the file was named, for replay lines. wanted: diagrams. */
bool report_groups(struct record *record, const char *db, uint32_t wanted, struct cJSON *object,
                   struct report_choice *choice, char *error, size_t error_bytes);

#endif
