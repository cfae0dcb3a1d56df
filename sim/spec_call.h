/* What the verbs of `brownout spec` share: their options, the laws that are meant, and a folder for
 * what TLC writes. */
#ifndef BROWNOUT_SIM_SPEC_CALL_H
#define BROWNOUT_SIM_SPEC_CALL_H

#include "sim/option.h"
#include "sim/print.h"
#include "sim/spec_drive.h"
#include "sim/spec_folder.h"
#include "sim/status.h"
#include "sim/tlc.h"

enum {
    SPEC_LAWS_MAX = 24,
    SPEC_EXIT_SKIPPED = 77, /* as CTest knows it: what needs Java was left out, the rest is good */
};

struct spec_call {
    const char *law, *source;
    uint64_t jobs, rows;
    bool json, keep, golden, update, afresh;
    uint32_t folder_count;
    struct spec_folder *folders; /* of the laws that are meant */
    char shop[SPEC_PATH_BYTES];  /* for runs of TLC; "": not made */
    struct tlc tlc;
};

/* The verbs; argv[0] is the verb behind `spec`. */
int command_spec_check(int argc, char **argv);
int command_spec_conform(int argc, char **argv);
int command_spec_mutate(int argc, char **argv);
int command_spec_trace(int argc, char **argv);
int command_spec_walks(int argc, char **argv);
int command_spec_edges(int argc, char **argv);
int command_spec_replay(int argc, char **argv);

/* `walks --core`: the core of each law that is meant, or of that configuration alone. */
struct spec_drive_call {
    const char *config; /* NULL: each MC*.cfg */
    struct drive_request drive;
};
int command_spec_drive(const struct spec_call *call, const struct spec_drive_call *request);

/* Parse (with the common options behind those of `verb`), and read the folders. A verb without an
 * argument of its own takes a law, or means all. False: *exit_code. */
bool spec_call_begin(struct spec_call *call, const struct option_verb *verb, int argc, char **argv,
                     int *exit_code);
void spec_call_end(struct spec_call *call);

/* TLC is there: true. False: why, on standard error; *exit_code: 77 or, with CI=true, 4; 2 where
 * what is there is wrong. */
bool spec_call_tlc(struct spec_call *call, const char *verb, int *exit_code);

/* A new folder in the shop, by number. */
bool spec_call_folder(struct spec_call *call, uint32_t number, char *path, size_t path_bytes);

/* Lint all; true: nothing was found. Faults go to standard error. */
bool spec_call_lint(const struct spec_call *call);

#endif
