/* A scenario: Lua 5.4 that says what fleet there is, and drives what befalls it.
 *
 * The file returns a table (see scenarios/brownout.lua, the annotated API for editors):
 *   fleet, device, gateway, cloud, link, flash   settings by section (setting.def)
 *   duration, heal, crypto, readings, laws       settings of the run; readings is a CSV file,
 * relative to the scenario faults     { power_cut = "2h", hang = { every = "6h", lasts = "10s..5m",
 * on = "device" } } strikes    list of effects placed in advance: { effect = "power_cut", on =
 * "dev3", at = "10m", lasts = "20s" }, or with operation = "flash_program", nth = 3, phase =
 * "inside", ... run        function(w): the coroutine that drives (or a table: the settings of the
 * run as a section) expect     list of { "accepted", ">=", 100 } (kept in the plan), or named
 * functions(w) -> boolean
 *              [, text] (judged live only)
 *
 * Lua runs only between events: it takes no sequence number and no draw, and is outside the hash.
 * What it does to the world is filed in the plan. Every budget is bounded: memory, instructions a
 * resume, string patterns and repeats.
 */
#ifndef BROWNOUT_SIM_SCRIPT_H
#define BROWNOUT_SIM_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/plan.h"
#include "sim/world.h"

struct script;

/* Load and run the file's top level, and write its settings and expectations into plan (already
 * initialised, its seed is set). NULL: error says file:line, what, and the remedy. The first line's
 * comment is the scenario's question: script_question(). */
struct script *script_open(const char *path, struct plan *plan, char *error, size_t error_bytes);
void script_close(struct script *script);
const char *script_question(const struct script *script);

/* Begin: the world exists, no event was taken. Files the strikes: only now do the names of nodes
 * hold, because settings from elsewhere may have changed the fleet. All below: false = the script
 * failed, script_error() says how (file:line); the run then ends with exit code 2. */
bool script_start(struct script *script, struct world *world);
/* Simulated time at which it wants to be woken; UINT64_MAX = not by time. */
uint64_t script_wake_us(const struct script *script);
/* The world stands at script_wake_us(): resume what slept until then. */
bool script_wake(struct script *script);
/* After each event: look at awaited predicates and run hooks for the evidence of this step. */
bool script_after(struct script *script);
/* Feed from world_options.item: remembers evidence that hooks wait for; cheap when none does. */
void script_item(struct script *script, const struct world_item *item);
/* The run has ended: judge the expectations that are functions. *failed: name of the first that
 * does not hold (borrowed), or NULL. */
bool script_finish(struct script *script, const char **failed);
const char *script_error(const struct script *script);

#endif
