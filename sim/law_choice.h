/* Which laws of models judge a run: the setting run.laws.
 *
 *   (empty)                            all
 *   telemetry.once,telemetry.window    these alone
 *   -spec.telemetry                    all but this one; any number of these, each with its minus
 */
#ifndef BROWNOUT_SIM_LAW_CHOICE_H
#define BROWNOUT_SIM_LAW_CHOICE_H

#include "models/model.h"

/* False: error says which name is wrong, or that both forms are mixed. */
bool law_choice(const char *text, bool judged[LAW_COUNT], char *error, size_t error_bytes);

#endif
