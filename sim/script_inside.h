/* The script from inside: what its source files share. Everybody else uses script.h.
 *   script.c           the life of a script: open, start, wake, after, finish
 *   script_sandbox.c   the Lua state: memory, instructions, what is left of the base library
 *   script_walk.c      tables in sorted order: next, pairs, table.sort
 *   script_library.c   string, table, math and utf8, bounded
 *   script_file.c      the scenario's table: settings and expectations
 *   script_life.c      a device's life, for brownout cuts
 *   script_strike.c    a table that says what befalls whom: plan entries
 *   script_world.c     `w`, the world as run(w), hooks and predicates see it
 */
#ifndef BROWNOUT_SIM_SCRIPT_INSIDE_H
#define BROWNOUT_SIM_SCRIPT_INSIDE_H

#include "core/evidence.h"
#include "sim/random.h"
#include "sim/script.h"

struct lua_State;

enum {
    SCRIPT_FILE_BYTES_MAX = 1 << 20,
    SCRIPT_MEMORY_BYTES_MAX = 64 << 20,
    SCRIPT_STRING_BYTES_MAX = 64 << 10, /* whatever C does with a string in one call is bounded */
    SCRIPT_STEPS_MAX = 20000000,        /* instructions without a pause, and work that counts so */
    SCRIPT_PATTERN_STEPS_MAX = 100000000, /* a pattern's worst case in one call; about 0.3 s */
    SCRIPT_HOOKS_MAX = 64,
    SCRIPT_PENDING_MAX = 1 << 16, /* pieces of evidence in one step that hooks wait for */
};

enum script_wait { SCRIPT_NOT_WAITING, SCRIPT_SLEEPING, SCRIPT_AWAITING };

struct script_hook {
    uint32_t handle;
    enum evidence_kind kind;
    int function; /* reference in Lua's registry */
};

struct script {
    struct lua_State *lua;    /* the main thread: nothing runs on it */
    struct lua_State *caller; /* hooks, predicates and everything else that cannot wait */
    struct lua_State *driver; /* run(w) */
    char *text;               /* the file */
    size_t text_bytes;
    char path[256], source[64]; /* as given, and as Lua shortens it in its messages */
    char question[256];
    char error[512];
    char failed[320]; /* the expectation that does not hold */

    uint64_t memory_bytes; /* in use */
    uint64_t steps;        /* of this resume */
    uint32_t resumes;
    bool exhausted;      /* the budget of steps: nothing may catch that */
    bool string_refused; /* the last refused allocation was a string's */

    struct random_stream random;
    struct plan *plan;   /* while the file is opened */
    struct world *world; /* from script_start on */
    bool has_driver;

    enum script_wait wait;
    uint64_t wake_us;
    uint32_t hook_count, handles;
    struct script_hook hooks[SCRIPT_HOOKS_MAX];
    uint32_t wanted[EVIDENCE_COUNT]; /* hooks on this kind */
    struct world_item *pending;
    uint32_t pending_count, pending_capacity;
    bool pending_full;
};

/* A function that runs protected, on script->caller; its argument is a light userdata. */
typedef int script_body(struct lua_State *lua);

/* script.c */
/* Open the file with a reader of its own: body begins with script_file_return, and has `argument`
 * as its light userdata. No world, no plan. NULL: error says how it failed. */
struct script *script_load(const char *path, script_body *body, void *argument, char *error,
                           size_t error_bytes);

/* script_sandbox.c */
struct script *script_of(struct lua_State *lua);
void script_sandbox_open(struct script *script);
/* Run body(argument). False: script->error says how it failed. */
bool script_call(struct script *script, script_body *body, void *argument);
/* Resume run(w) with the `count` values on its stack. */
bool script_drive(struct script *script, int count);
/* Take steps from the budget; raises an error when it is used up. */
void script_charge(struct lua_State *lua, uint64_t steps);
/* Push the text of a value, without addresses. */
const char *script_text(struct lua_State *lua, int index);
/* Push what follows a refused name: "; did you mean 'x'?", or nothing near: "; there is a, b, c".
 */
const char *script_suggest(struct lua_State *lua, const char *typed, const char *const *names,
                           size_t count);

/* script_walk.c */
/* Push a list of the keys of the table at `index` in order: numbers, strings, booleans. Other keys
 * raise an error. */
void script_keys(struct lua_State *lua, int index);
int script_next(struct lua_State *lua);
int script_pairs(struct lua_State *lua);
int script_sort(struct lua_State *lua);

/* script_library.c: each leaves its table on the stack. */
void script_string_open(struct lua_State *lua);
void script_table_open(struct lua_State *lua);
void script_math_open(struct lua_State *lua);
void script_utf8_open(struct lua_State *lua);
/* math.random and w:random; arguments begin at `first`. */
int script_random(struct lua_State *lua, int first);

/* script_file.c */
int script_file_read(struct lua_State *lua);
/* Run the file's text, and push the table that it returns. */
void script_file_return(struct lua_State *lua);
/* Push "file:line: " of the nth `word` behind the first `section` (either may be NULL). */
const char *script_where(struct lua_State *lua, const char *section, const char *word,
                         uint32_t nth);

/* script_strike.c */
/* File what the table at `index` says; `where` begins the message of an error. */
void script_strike(struct lua_State *lua, int index, const char *where);
/* File all of the table `strikes`, before event 0. */
void script_strikes(struct lua_State *lua, int index);
/* The node of a name at `index`. */
uint32_t script_node(struct lua_State *lua, int index);

/* script_world.c: push `w`. */
void script_world_open(struct lua_State *lua);

/* Places in Lua's registry: the addresses are the keys. */
extern const char script_world_place, script_driver_place, script_strikes_place,
    script_expect_place, script_predicate_place;

#endif
