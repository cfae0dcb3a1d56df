/* The verbs of the command, and what they share. argv[0] is the verb; each returns an exit code
 * (enum verdict of run.h). */
#ifndef BROWNOUT_SIM_COMMAND_H
#define BROWNOUT_SIM_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/option.h"
#include "sim/run.h"
#include "sim/trace.h"

int command_run(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_sweep(int argc, char **argv);
int command_merge(int argc, char **argv);
int command_shrink(int argc, char **argv);
int command_inevitable(int argc, char **argv);
int command_triage(int argc, char **argv);
int command_export(int argc, char **argv);
int command_selfcheck(int argc, char **argv);
int command_cuts(int argc, char **argv);
int command_mutants(int argc, char **argv);
int command_confidence(int argc, char **argv);
int command_spec(int argc, char **argv);
int command_report(int argc, char **argv);
int command_up(int argc, char **argv);
int command_judge(int argc, char **argv);
int command_session(int argc, char **argv);

/* Seeds fit a SQLite integer. */
#define COMMAND_SEED_MAX ((uint64_t)INT64_MAX)

enum { COMMAND_LINE_BYTES = 8192 };

/* Parse; true: go on. False: *exit_code says how it ended (help was shown, or it was refused). */
bool command_parse(const struct option_verb *verb, int argc, char **argv, const char **argument,
                   int *exit_code);
/* "brownout VERB: error" on standard error. Returns VERDICT_USAGE. */
int command_refuse(const char *verb, const char *error);

/* Is this file of a folder a scenario of a fleet? Not one: the annotated API for editors, which
 * stands beside them (brownout.lua), what begins with _ or a dot, and the lives of one device. */
bool command_is_scenario(const char *folder, const char *name);

/* The settings as run() takes them; they point into `settings`. */
struct command_settings {
    struct run_setting list[OPTION_SETTINGS_MAX];
};
void command_settings(struct command_settings *target, const struct option_settings *settings,
                      struct run_request *request);
/* As lines of key=value, and back. text: to be freed. */
char *command_settings_text(const struct option_settings *settings);
bool command_settings_read(struct option_settings *settings, const char *text);
/* run.crypto from --crypto; NULL: as it is. */
bool command_crypto(struct option_settings *settings, const char *crypto, char *error,
                    size_t error_bytes);

/* The line that runs a scenario with this seed again. */
void command_run_line(char *line, size_t line_bytes, const char *scenario, uint64_t seed,
                      const struct option_settings *settings);
/* The line that replays a recorded run. */
void command_replay_line(char *line, size_t line_bytes, int64_t run_id, const char *db);

/* All items, as lines. */
bool command_print_trace(struct trace *trace, const struct settings *settings);

/* A plan file: the plan, and behind its end what came of it when it was lived. */
bool command_plan_write(const char *path, const char *text, const struct run_result *result,
                        char *error, size_t error_bytes);
/* Says how the run goes; ctx: struct status. For run_request.progress. */
void command_progress(void *ctx, const struct world *world);

/* What --help of run and sweep say about settings and fault classes. */
const char *command_settings_help(void);

#endif
