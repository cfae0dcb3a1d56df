/* What came of looking for planted bugs in several ways (sim/mutant_explore.h), side by side; and
 * the file of detection rates that `brownout confidence` goes by.
 */
#ifndef BROWNOUT_SIM_MUTANT_TABLE_H
#define BROWNOUT_SIM_MUTANT_TABLE_H

#include "sim/mutant_explore.h"
#include "sim/print.h"

struct mutant_row {
    const struct mutant *mutant;
    const struct mutant_explored *explored; /* MUTANT_WAY_COUNT of them */
};

void mutant_table_print(const struct print *print, const struct mutant_row *rows, uint32_t count);
/* Adds "ways" and "explored". */
struct cJSON;
void mutant_table_json(struct cJSON *object, const struct mutant_row *rows, uint32_t count);

/* One JSON object: how it was made, and of every bug its law, in how many runs it was looked for in
 * this way, and how often it was caught. False: error. */
bool mutant_rates_write(const char *path, const char *made_by, const char *commit,
                        const char *scenario, enum mutant_way way, const struct mutant_row *rows,
                        uint32_t count, char *error, size_t error_bytes);

#endif
