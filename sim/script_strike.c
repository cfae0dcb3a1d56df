/* { effect = "power_cut", on = "dev3", lasts = "20s", ... } becomes entries of the plan. */
#include "sim/script_inside.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

/* One table, while it is read. */
struct reader {
    lua_State *lua;
    const char *where; /* begins the messages */
    int table;
    struct effect_info info;
    struct plan_entry entry;
};

static void refuse(const struct reader *reader, const char *what)
{
    lua_pushfstring(reader->lua, "%s%s", reader->where, what);
    lua_error(reader->lua);
}

static const struct settings *settings_of(lua_State *lua)
{
    return &world_plan(script_of(lua)->world)->settings;
}

/* ---- fields ---------------------------------------------------------------------------------- */

static const char *const fields[] = {"effect",   "on",   "lasts",    "amount", "other",
                                     "at",       "nth",  "evidence", "phase",  "operation",
                                     "fraction", "boot", "delay"};

static void check_fields(const struct reader *reader)
{
    lua_State *lua = reader->lua;
    script_keys(lua, reader->table);
    for (lua_Integer i = 1; lua_rawgeti(lua, -1, i) != LUA_TNIL; i++) {
        bool known = false;
        const char *key = script_text(lua, -1);
        for (size_t j = 0; j < sizeof fields / sizeof fields[0]; j++) {
            known = known || strcmp(key, fields[j]) == 0;
        }
        if (!known) {
            const char *near = script_suggest(lua, key, fields, sizeof fields / sizeof fields[0]);
            refuse(reader, lua_pushfstring(lua, "a strike has no '%s'%s", key, near));
        }
        lua_pop(lua, 2);
    }
    lua_pop(lua, 2);
}

/* Push the field; false if it is not there. */
static bool field(const struct reader *reader, const char *name)
{
    lua_pushstring(reader->lua, name);
    return lua_rawget(reader->lua, reader->table) != LUA_TNIL;
}

/* NULL if it is not there. The text stays while the table does. */
static const char *text_field(const struct reader *reader, const char *name)
{
    lua_State *lua = reader->lua;
    const char *text = NULL;
    if (field(reader, name)) {
        if (lua_type(lua, -1) != LUA_TSTRING) {
            refuse(reader, lua_pushfstring(lua, "%s: a %s where a text belongs", name,
                                           luaL_typename(lua, -1)));
        }
        text = lua_tostring(lua, -1);
    }
    lua_pop(lua, 1);
    return text;
}

static uint64_t time_field(const struct reader *reader, const char *name, bool *given)
{
    lua_State *lua = reader->lua;
    uint64_t us = 0;
    *given = field(reader, name);
    if (*given &&
        (lua_type(lua, -1) != LUA_TSTRING || !duration_parse(lua_tostring(lua, -1), &us))) {
        refuse(reader, lua_pushfstring(lua,
                                       "%s: '%s' is not a duration; write it as \"20s\", "
                                       "\"10m\" or \"1h30m\"",
                                       name, script_text(lua, -1)));
    }
    lua_pop(lua, 1);
    return us;
}

static uint32_t count_field(const struct reader *reader, const char *name, uint32_t standard,
                            uint32_t max)
{
    lua_State *lua = reader->lua;
    int exact = 0;
    lua_Integer number = standard;
    if (field(reader, name)) {
        number = lua_tointegerx(lua, -1, &exact);
        if (lua_type(lua, -1) != LUA_TNUMBER || exact == 0 || number < 0 || number > max) {
            refuse(reader, lua_pushfstring(lua, "%s: '%s' is not a whole number from 0 to %I", name,
                                           script_text(lua, -1), (LUAI_UACINT)max));
        }
    }
    lua_pop(lua, 1);
    return (uint32_t)number;
}

/* ---- effect, lasts, amount ------------------------------------------------------------------- */

static void read_effect(struct reader *reader)
{
    const char *names[EFFECT_COUNT];
    const char *name = text_field(reader, "effect");
    reader->entry.effect = name == NULL ? EFFECT_COUNT : effect_find(name);
    if (reader->entry.effect == EFFECT_COUNT) {
        for (unsigned i = 0; i < EFFECT_COUNT; i++) {
            names[i] = effect_info((enum effect)i).name;
        }
        refuse(reader,
               lua_pushfstring(
                   reader->lua, "effect: there is no '%s'%s", name == NULL ? "" : name,
                   script_suggest(reader->lua, name == NULL ? "" : name, names, EFFECT_COUNT)));
    }
    reader->info = effect_info(reader->entry.effect);
}

static void read_lasts(struct reader *reader)
{
    const bool has = reader->info.lasts == EFFECT_LASTS_DURATION;
    bool given;
    reader->entry.lasts_us = time_field(reader, "lasts", &given);
    if (given != has) {
        refuse(reader, lua_pushfstring(reader->lua,
                                       has ? "%s needs a duration: lasts = \"20s\""
                                           : "%s strikes in an instant; leave lasts out",
                                       reader->info.name));
    }
}

/* Parts per million and counts are whole numbers, times are texts: "5m", "-1h". */
static void read_amount(struct reader *reader)
{
    lua_State *lua = reader->lua;
    const struct effect_info *info = &reader->info;
    const bool given = field(reader, "amount");
    int exact = 0;
    uint64_t us;
    const char *text = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : NULL;
    if (info->amount == EFFECT_AMOUNT_none) {
        if (given) {
            refuse(reader, lua_pushfstring(lua, "%s has no amount; leave it out", info->name));
        }
    } else if (info->amount == EFFECT_AMOUNT_us) {
        const bool negative = text != NULL && *text == '-';
        if (text == NULL || !duration_parse(text + (negative ? 1 : 0), &us)) {
            refuse(reader,
                   lua_pushfstring(lua, "%s needs a time: amount = \"5m\" or \"-1h\"", info->name));
        } else {
            reader->entry.amount = negative ? -(int64_t)us : (int64_t)us;
        }
    } else {
        reader->entry.amount = lua_tointegerx(lua, -1, &exact);
        if (lua_type(lua, -1) != LUA_TNUMBER || exact == 0) {
            refuse(reader, lua_pushfstring(lua,
                                           info->amount == EFFECT_AMOUNT_ppm
                                               ? "%s needs parts per million, a whole number: "
                                                 "amount = 200000"
                                               : "%s needs a whole number, how many: amount = 3",
                                           info->name));
        }
    }
    lua_pop(lua, 1);
}

/* ---- when ------------------------------------------------------------------------------------ */

static void read_operation(struct reader *reader, const char *name)
{
    const char *names[OPERATION_KIND_COUNT];
    reader->entry.when = PLAN_OPERATION;
    reader->entry.kind = port_operation_find(name);
    if (reader->entry.kind == OPERATION_KIND_COUNT) {
        for (unsigned i = 0; i < OPERATION_KIND_COUNT; i++) {
            names[i] = port_operation_name(i);
        }
        refuse(reader,
               lua_pushfstring(reader->lua, "operation: there is no '%s'%s", name,
                               script_suggest(reader->lua, name, names, OPERATION_KIND_COUNT)));
    }
}

static const char *const evidence_names[EVIDENCE_COUNT] = {
#define EVIDENCE_NAME(NAME, Name) #NAME,
    EVIDENCE_LIST(EVIDENCE_NAME)
#undef EVIDENCE_NAME
};

static void read_evidence(struct reader *reader, const char *name)
{
    reader->entry.when = PLAN_EVIDENCE;
    while (reader->entry.kind < EVIDENCE_COUNT &&
           strcmp(evidence_names[reader->entry.kind], name) != 0) {
        reader->entry.kind++;
    }
    if (reader->entry.kind == EVIDENCE_COUNT) {
        refuse(reader,
               lua_pushfstring(reader->lua, "evidence: there is no '%s'%s", name,
                               script_suggest(reader->lua, name, evidence_names, EVIDENCE_COUNT)));
    }
}

static void read_phase(struct reader *reader)
{
    static const char *const names[] = {"before", "inside", "after"};
    const char *name = text_field(reader, "phase");
    unsigned phase = PLAN_INSIDE;
    if (name != NULL) {
        for (phase = 0; phase < 3 && strcmp(names[phase], name) != 0; phase++) {
        }
    }
    if (phase == 3) {
        refuse(reader, "phase: \"before\", \"inside\" or \"after\" the operation");
    }
    reader->entry.phase = (enum plan_phase)phase;
}

/* Fields that mean something only with a trigger. */
static void refuse_without_trigger(const struct reader *reader)
{
    static const char *const names[] = {"nth", "phase", "fraction", "boot", "delay"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (field(reader, names[i])) {
            refuse(reader, lua_pushfstring(reader->lua,
                                           "%s belongs to a trigger; add operation = "
                                           "\"flash_program\" or evidence = \"ACCEPT\"",
                                           names[i]));
        }
        lua_pop(reader->lua, 1);
    }
}

static void read_when(struct reader *reader, bool needs_time)
{
    struct plan_entry *entry = &reader->entry;
    const char *operation = text_field(reader, "operation");
    const char *evidence = text_field(reader, "evidence");
    const uint64_t now_us = world_now_us(script_of(reader->lua)->world);
    bool given;
    entry->at_us = time_field(reader, "at", &given);
    entry->when = given ? PLAN_AT : PLAN_NOW;
    if (given && entry->at_us < now_us) {
        refuse(reader, "at: that is past; it counts from the start of the run. Leave it out to "
                       "strike now");
    }
    if (operation != NULL && evidence != NULL) {
        refuse(reader, "a trigger is an operation or evidence, not both");
    } else if (operation != NULL) {
        read_operation(reader, operation);
    } else if (evidence != NULL) {
        read_evidence(reader, evidence);
    } else {
        refuse_without_trigger(reader);
        if (needs_time && !given) {
            refuse(reader, "say when: at = \"10m\", operation = \"flash_program\" or evidence = "
                           "\"ACCEPT\"");
        }
        return;
    }
    read_phase(reader);
    entry->nth = count_field(reader, "nth", 1, UINT32_MAX);
    entry->boot = count_field(reader, "boot", 0, UINT32_MAX);
    entry->fraction = count_field(reader, "fraction", 32768, 65535);
    entry->delay_us = time_field(reader, "delay", &given);
}

/* ---- whom ------------------------------------------------------------------------------------ */

static void refuse_node(lua_State *lua, const char *where, const char *name)
{
    static const struct {
        enum setting setting;
        const char *name;
    } kinds[] = {{SETTING_fleet_clouds, "cloud"},
                 {SETTING_fleet_gateways, "gw"},
                 {SETTING_fleet_rogues, "rogue"},
                 {SETTING_fleet_devices, "dev"}};
    luaL_Buffer text;
    luaL_buffinit(lua, &text);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char line[64];
        const unsigned count = (unsigned)settings_of(lua)->number[kinds[i].setting];
        if (count > 1) {
            snprintf(line, sizeof line, " %s1..%s%u", kinds[i].name, kinds[i].name, count);
        } else {
            snprintf(line, sizeof line, " %s1", kinds[i].name);
        }
        luaL_addstring(&text, count == 0 ? "" : line);
    }
    luaL_pushresult(&text);
    lua_pushfstring(lua, "%sno node is called '%s'; there is%s", where, name,
                    lua_tostring(lua, -1));
    lua_error(lua);
}

uint32_t script_node(lua_State *lua, int index)
{
    const char *name = luaL_checkstring(lua, index);
    const uint32_t node = fleet_node_find(settings_of(lua), name);
    if (node == 0) {
        luaL_where(lua, 1);
        refuse_node(lua, lua_tostring(lua, -1), name);
    }
    return node;
}

static uint32_t roles_of(const struct reader *reader, const char *word)
{
    static const struct {
        const char *name;
        uint32_t mask;
    } roles[] = {{"device", ROLE_MASK_DEVICE},
                 {"gateway", ROLE_MASK_GATEWAY},
                 {"cloud", ROLE_MASK_CLOUD},
                 {"rogue", ROLE_MASK_ROGUE}};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (strcmp(roles[i].name, word) == 0) {
            return roles[i].mask;
        }
    }
    return strcmp(word, "all") == 0 ? reader->info.roles : 0;
}

static void file(const struct reader *reader, uint32_t node)
{
    char error[256];
    struct plan_entry entry = reader->entry;
    entry.target = node;
    if (!world_file(script_of(reader->lua)->world, entry, error, sizeof error)) {
        refuse(reader, error);
    }
}

/* One word of `on`: a node, or all nodes of a role. */
static void file_word(const struct reader *reader, const char *word)
{
    const struct settings *settings = settings_of(reader->lua);
    const uint32_t roles = roles_of(reader, word);
    const uint32_t count = fleet_node_count(settings);
    bool filed = false;
    if (roles == 0) {
        const uint32_t node = fleet_node_find(settings, word);
        if (node == 0) {
            refuse_node(reader->lua, reader->where, word);
        }
        file(reader, node);
        return;
    }
    for (uint32_t node = 1; node <= count; node++) {
        if ((fleet_role(settings, node) & roles) != 0) {
            file(reader, node);
            filed = true;
        }
    }
    if (!filed) {
        refuse(reader, lua_pushfstring(reader->lua, "on: the fleet has no %s to strike", word));
    }
}

static void read_other(struct reader *reader)
{
    const char *name = text_field(reader, "other");
    reader->entry.other = PLAN_ANY;
    if (name == NULL) {
        return;
    }
    if (reader->info.target != EFFECT_TARGET_PAIR) {
        refuse(reader, lua_pushfstring(reader->lua, "%s strikes one node; leave other out",
                                       reader->info.name));
    }
    reader->entry.other = fleet_node_find(settings_of(reader->lua), name);
    if (reader->entry.other == 0) {
        refuse_node(reader->lua, reader->where, name);
    }
}

static void strike_table(lua_State *lua, int index, const char *where, bool needs_time)
{
    struct reader reader = {.lua = lua, .where = where, .table = lua_absindex(lua, index)};
    luaL_checkstack(lua, 20, NULL);
    check_fields(&reader);
    read_effect(&reader);
    read_lasts(&reader);
    read_amount(&reader);
    read_other(&reader);
    read_when(&reader, needs_time);
    const bool given = field(&reader, "on");
    if (given && lua_type(lua, -1) == LUA_TSTRING) {
        file_word(&reader, lua_tostring(lua, -1));
    } else if (given && lua_istable(lua, -1)) {
        const lua_Integer count = luaL_len(lua, -1);
        script_charge(lua, count < 0 ? 0 : (uint64_t)count);
        for (lua_Integer i = 1; i <= count; i++) {
            if (lua_geti(lua, -1, i) != LUA_TSTRING) {
                refuse(&reader, "on: a list of names, { \"dev1\", \"gw2\" }");
            }
            file_word(&reader, lua_tostring(lua, -1));
            lua_pop(lua, 1);
        }
    } else {
        refuse(&reader, "on: say whom: \"dev3\", \"device\" or a list of such");
    }
    lua_pop(lua, 1);
}

void script_strike(lua_State *lua, int index, const char *where)
{
    if (world_state(script_of(lua)->world) != WORLD_RUNNING) {
        luaL_error(lua, "%sthe run is over: nothing strikes any more", where);
    }
    strike_table(lua, index, where, false);
}

void script_strikes(lua_State *lua, int index)
{
    const int table = lua_absindex(lua, index);
    const lua_Integer count = luaL_len(lua, table);
    script_charge(lua, count < 0 ? 0 : (uint64_t)count);
    script_keys(lua, table);
    if (luaL_len(lua, -1) != count) {
        lua_pushfstring(lua, "%sstrikes: a plain list: { { effect = ... }, { effect = ... } }",
                        script_where(lua, NULL, "strikes", 1));
        lua_error(lua);
    }
    for (lua_Integer i = 1; i <= count; i++) {
        const char *where = script_where(lua, "strikes", "effect", (uint32_t)i);
        if (lua_geti(lua, table, i) != LUA_TTABLE) {
            lua_pushfstring(lua, "%sstrikes: entry %I is no table", where, (LUAI_UACINT)i);
            lua_error(lua);
        }
        strike_table(lua, -1, where, true);
        lua_pop(lua, 2);
    }
    lua_pop(lua, 1);
}
