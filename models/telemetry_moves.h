/* Numbers of the actions and variables of the Telemetry law, as its table has them (models/spec.h).
 */
#ifndef BROWNOUT_MODELS_TELEMETRY_MOVES_H
#define BROWNOUT_MODELS_TELEMETRY_MOVES_H

#include "models/telemetry.def"

enum telemetry_action {
#define TELEMETRY_ACTION0(name, Name, actor)                      TELEMETRY_##Name,
#define TELEMETRY_ACTION1(name, Name, actor, a, da)               TELEMETRY_##Name,
#define TELEMETRY_ACTION2(name, Name, actor, a, da, b, db)        TELEMETRY_##Name,
#define TELEMETRY_ACTION3(name, Name, actor, a, da, b, db, c, dc) TELEMETRY_##Name,
    LAW_ACTIONS(TELEMETRY_ACTION0, TELEMETRY_ACTION1, TELEMETRY_ACTION2, TELEMETRY_ACTION3)
};

enum telemetry_variable {
#define TELEMETRY_VAR(name, domain)                                      TELEMETRY_##name,
#define TELEMETRY_MAP(name, capacity, keys, domain)                      TELEMETRY_##name,
#define TELEMETRY_MAP2(name, capacity1, keys1, capacity2, keys2, domain) TELEMETRY_##name,
    LAW_VARIABLES(TELEMETRY_VAR, TELEMETRY_MAP, TELEMETRY_MAP2)
};

#endif
