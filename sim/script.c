#include "sim/script_inside.h"

#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

const char script_world_place, script_driver_place, script_strikes_place, script_expect_place,
    script_predicate_place;

/* ---- opening --------------------------------------------------------------------------------- */

static bool read_text(struct script *script)
{
    FILE *file = fopen(script->path, "rb");
    if (file == NULL) {
        snprintf(script->error, sizeof script->error, "%s: cannot be opened: %s", script->path,
                 strerror(errno));
        return false;
    }
    script->text = malloc(SCRIPT_FILE_BYTES_MAX + 1);
    CHECK(script->text != NULL);
    script->text_bytes = fread(script->text, 1, SCRIPT_FILE_BYTES_MAX + 1, file);
    const bool whole = ferror(file) == 0;
    fclose(file);
    if (!whole) {
        snprintf(script->error, sizeof script->error, "%s: cannot be read; is it a file?",
                 script->path);
    } else if (script->text_bytes > SCRIPT_FILE_BYTES_MAX) {
        snprintf(script->error, sizeof script->error,
                 "%s: longer than %d bytes; put measured data into `readings`", script->path,
                 SCRIPT_FILE_BYTES_MAX);
    }
    return script->error[0] == '\0';
}

/* The comment in the first line. */
static void read_question(struct script *script)
{
    const char *text = script->text, *end = memchr(text, '\n', script->text_bytes);
    size_t length = end == NULL ? script->text_bytes : (size_t)(end - text);
    if (length < 2 || memcmp(text, "--", 2) != 0) {
        return;
    }
    while (length > 0 && (*text == '-' || *text == ' ')) {
        text++;
        length--;
    }
    if (length > 0 && text[length - 1] == '\r') {
        length--;
    }
    snprintf(script->question, sizeof script->question, "%.*s", (int)length, text);
}

static struct script *load(const char *path, struct plan *plan, script_body *body, void *argument,
                           char *error, size_t error_bytes)
{
    struct script *script = calloc(1, sizeof *script);
    CHECK(script != NULL && path != NULL);
    script->plan = plan;
    script->random = (struct random_stream){random_key(plan == NULL ? 0 : plan->seed, "script"), 0};
    snprintf(script->path, sizeof script->path, "%s", path);
    if (strlen(path) >= sizeof script->path) {
        snprintf(script->error, sizeof script->error, "%.60s...: the name of the file is too long",
                 path);
    } else if (read_text(script)) {
        read_question(script);
        script_sandbox_open(script);
        (void)script_call(script, body, argument);
    }
    script->plan = NULL;
    if (script->error[0] != '\0') {
        snprintf(error, error_bytes, "%s", script->error);
        script_close(script);
        return NULL;
    }
    return script;
}

struct script *script_open(const char *path, struct plan *plan, char *error, size_t error_bytes)
{
    CHECK(plan != NULL);
    return load(path, plan, script_file_read, NULL, error, error_bytes);
}

struct script *script_load(const char *path, script_body *body, void *argument, char *error,
                           size_t error_bytes)
{
    return load(path, NULL, body, argument, error, error_bytes);
}

void script_close(struct script *script)
{
    if (script == NULL) {
        return;
    }
    if (script->lua != NULL) {
        lua_close(script->lua);
    }
    free(script->text);
    free(script->pending);
    free(script);
}

const char *script_question(const struct script *script)
{
    return script->question;
}

const char *script_error(const struct script *script)
{
    return script->error;
}

/* ---- the run --------------------------------------------------------------------------------- */

static int file_strikes(lua_State *lua)
{
    if (lua_rawgetp(lua, LUA_REGISTRYINDEX, &script_strikes_place) != LUA_TNIL) {
        script_strikes(lua, -1);
    }
    return 0;
}

bool script_start(struct script *script, struct world *world)
{
    script->world = world;
    if (!script_call(script, file_strikes, NULL)) {
        return false;
    }
    if (!script->has_driver) {
        return true;
    }
    lua_rawgetp(script->driver, LUA_REGISTRYINDEX, &script_world_place);
    return script_drive(script, 1);
}

uint64_t script_wake_us(const struct script *script)
{
    return script->wait == SCRIPT_NOT_WAITING ? UINT64_MAX : script->wake_us;
}

/* The argument is a bool: what the predicate says. */
static int ask_predicate(lua_State *lua)
{
    bool *holds = lua_touserdata(lua, 1);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &script_predicate_place);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &script_world_place);
    lua_call(lua, 1, 1);
    *holds = lua_toboolean(lua, -1) != 0;
    return 0;
}

static bool answer_await(struct script *script, bool holds)
{
    lua_pushboolean(script->driver, holds);
    return script_drive(script, 1);
}

bool script_wake(struct script *script)
{
    bool holds = false;
    CHECK(script->wait != SCRIPT_NOT_WAITING && world_now_us(script->world) >= script->wake_us);
    if (script->wait == SCRIPT_SLEEPING) {
        return script_drive(script, 0);
    }
    return script_call(script, ask_predicate, &holds) && answer_await(script, holds);
}

/* ---- hooks ----------------------------------------------------------------------------------- */

void script_item(struct script *script, const struct world_item *item)
{
    if (item->kind != ITEM_EVIDENCE || script->wanted[item->what] == 0) {
        return;
    }
    if (script->pending_count == script->pending_capacity) {
        const uint32_t capacity = script->pending_capacity == 0 ? 64 : 2 * script->pending_capacity;
        if (capacity > SCRIPT_PENDING_MAX) {
            script->pending_full = true;
            return;
        }
        script->pending = realloc(script->pending, capacity * sizeof *script->pending);
        CHECK(script->pending != NULL);
        script->pending_capacity = capacity;
    }
    script->pending[script->pending_count++] = *item;
}

static void set_node(lua_State *lua, const char *field, uint32_t node)
{
    char name[32];
    if (node != 0) {
        const struct script *script = script_of(lua);
        fleet_node_name(&world_plan(script->world)->settings, node, name, sizeof name);
        lua_pushstring(lua, name);
        lua_setfield(lua, -2, field);
    }
}

static void push_evidence(lua_State *lua, const struct world_item *item)
{
    static const char *const names[EVIDENCE_COUNT] = {
#define EVIDENCE_NAME(NAME, Name) #NAME,
        EVIDENCE_LIST(EVIDENCE_NAME)
#undef EVIDENCE_NAME
    };
    lua_createtable(lua, 0, 7);
    lua_pushstring(lua, names[item->what]);
    lua_setfield(lua, -2, "name");
    set_node(lua, "node", item->node);
    set_node(lua, "device", item->a);
    lua_pushinteger(lua, item->b);
    lua_setfield(lua, -2, "epoch");
    lua_pushinteger(lua, (lua_Integer)item->counter);
    lua_setfield(lua, -2, "counter");
    lua_pushinteger(lua, (lua_Integer)item->value);
    lua_setfield(lua, -2, "value");
    lua_pushinteger(lua, (lua_Integer)item->time_us);
    lua_setfield(lua, -2, "time");
}

/* One hook, one piece of evidence. */
struct errand {
    int function;
    const struct world_item *item;
};

static int run_hook(lua_State *lua)
{
    const struct errand *errand = lua_touserdata(lua, 1);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, errand->function);
    push_evidence(lua, errand->item);
    lua_call(lua, 1, 0);
    return 0;
}

/* The next hook on this kind behind the one `done`: they were set in the order of their handles. */
static const struct script_hook *next_hook(const struct script *script, uint32_t kind,
                                           uint32_t done)
{
    for (uint32_t i = 0; i < script->hook_count; i++) {
        if (script->hooks[i].handle > done && script->hooks[i].kind == kind) {
            return &script->hooks[i];
        }
    }
    return NULL;
}

/* All hooks on one piece. A hook may set and take off hooks: those set meanwhile, above `newest`,
 * wait for the next step. */
static bool run_hooks(struct script *script, const struct world_item *item, uint32_t newest)
{
    const struct script_hook *hook = next_hook(script, item->what, 0);
    while (hook != NULL && hook->handle <= newest) {
        const uint32_t done = hook->handle;
        struct errand errand = {hook->function, item};
        if (!script_call(script, run_hook, &errand)) {
            return false;
        }
        hook = next_hook(script, item->what, done);
    }
    return true;
}

bool script_after(struct script *script)
{
    const uint32_t newest = script->handles;
    bool holds = false;
    if (world_state(script->world) != WORLD_RUNNING) {
        script->pending_count = 0;
        return true; /* a law was broken, or the run is over: that is the news, not the script's */
    }
    if (script->pending_full) {
        snprintf(script->error, sizeof script->error,
                 "%s: one event said more than %d things that hooks wait for; hook rarer evidence",
                 script->source, SCRIPT_PENDING_MAX);
        return false;
    }
    for (uint32_t i = 0; i < script->pending_count; i++) {
        const struct world_item item = script->pending[i];
        if (!run_hooks(script, &item, newest)) {
            return false;
        }
    }
    script->pending_count = 0;
    if (script->wait != SCRIPT_AWAITING) {
        return true;
    }
    return script_call(script, ask_predicate, &holds) && (!holds || answer_await(script, true));
}

/* ---- the end --------------------------------------------------------------------------------- */

/* The first of the functions, by name, that does not hold leaves its name and text. */
static int judge_expectations(lua_State *lua)
{
    struct script *script = script_of(lua);
    if (lua_rawgetp(lua, LUA_REGISTRYINDEX, &script_expect_place) == LUA_TNIL) {
        return 0;
    }
    const int table = lua_gettop(lua);
    script_keys(lua, table);
    const int keys = lua_gettop(lua);
    for (lua_Integer i = 1; lua_rawgeti(lua, keys, i) != LUA_TNIL; i++) {
        const char *name = lua_tostring(lua, -1);
        lua_pushvalue(lua, -1);
        lua_rawget(lua, table);
        lua_rawgetp(lua, LUA_REGISTRYINDEX, &script_world_place);
        lua_call(lua, 1, 2);
        if (!lua_isboolean(lua, -2)) {
            const char *where = script_where(lua, "expect", name, 1);
            lua_pushfstring(lua, "%sexpect: '%s' returns true or false, and a text if you like",
                            where, name);
            return lua_error(lua);
        }
        if (!lua_toboolean(lua, -2) && script->failed[0] == '\0') {
            const char *text = lua_isnil(lua, -1) ? NULL : script_text(lua, -1);
            snprintf(script->failed, sizeof script->failed, "%s%s%s", name,
                     text == NULL ? "" : ": ", text == NULL ? "" : text);
        }
        lua_settop(lua, keys);
    }
    return 0;
}

bool script_finish(struct script *script, const char **failed)
{
    *failed = NULL;
    if (!script_call(script, judge_expectations, NULL)) {
        return false;
    }
    *failed = script->failed[0] == '\0' ? NULL : script->failed;
    return true;
}
