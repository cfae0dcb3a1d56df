/* What a report says of a whole run database, as JSON. Everything but the runs that broke something
 * (report_groups.h) and their diagrams (report_run.h). */
#ifndef BROWNOUT_SIM_REPORT_DATA_H
#define BROWNOUT_SIM_REPORT_DATA_H

#include <stdbool.h>
#include <stddef.h>

struct cJSON;
struct record;

enum {
    REPORT_RUNS_MAX = 200000, /* whose figures are in the page one by one: the last ones */
    REPORT_SCENARIOS_MAX = 4096,
};

/* Into object:
 *   one table {"columns", "rows"} for each view that the page shows
 *   "runs": figures of every run (report_column.h); "scenarios", "verdicts", "figure_names": what
 *       its numbers stand for; "runs_left_out": older ones
 *   "transitions": what runs showed of each action of a spec under each fault class
 *   "laws_said", "faults_said", "figures_said": statements and docs, by name
 *   "names": what the numbers of items stand for */
bool report_data(struct record *record, struct cJSON *object, char *error, size_t error_bytes);

#endif
