/* Goal: a scenario can do what script.h says and nothing else, every budget ends with a message,
 * and what it does to the world is in the plan. Method: small scenarios as texts, opened, or run to
 * the end in this process. */
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/limits.h"
#include "core/test/test.h"
#include "sim/run.h"
#include "sim/life.h"
#include "sim/script.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

static char path[64];

static void write_scenario(const char *text)
{
    FILE *file = fopen(path, "wb");
    EXPECT(file != NULL);
    EXPECT(fputs(text, file) >= 0);
    EXPECT(fclose(file) == 0);
}

static void begin(void)
{
    snprintf(path, sizeof path, "/tmp/test_script_XXXXXX");
    const int file = mkstemp(path);
    EXPECT(file >= 0);
    close(file);
}

static void contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fprintf(stderr, "expected '%s' in: %s\n", part, text);
        exit(1);
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Opening fails in `line`, with `part` in the message. */
static void refused(const char *text, unsigned line, const char *part)
{
    struct plan plan;
    char error[512] = "", place[96];
    write_scenario(text);
    plan_init(&plan, 1);
    if (script_open(path, &plan, error, sizeof error) != NULL) {
        fprintf(stderr, "expected to be refused with '%s':\n%s\n", part, text);
        exit(1);
    }
    snprintf(place, sizeof place, "%s:%u: ", path, line);
    contains(error, part);
    if (line > 0 && strncmp(error, place, strlen(place)) != 0) {
        fprintf(stderr, "expected line %u in: %s\n", line, error);
        exit(1);
    }
    plan_free(&plan);
}

static void opened(const char *text, struct plan *plan)
{
    char error[512] = "";
    write_scenario(text);
    plan_init(plan, 1);
    struct script *script = script_open(path, plan, error, sizeof error);
    if (script == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    script_close(script);
}

/* Lua that asserts by itself. */
static void holds(const char *text)
{
    struct plan plan;
    opened(text, &plan);
    plan_free(&plan);
}

static void settings_are_set_by_section(void)
{
    struct plan plan;
    opened("return { fleet = { devices = 7, gateways = 2.0 }, duration = '2h', heal = '1h30m',\n"
           "crypto = 'ideal', link = { device = 'nb-iot', gateway = 'trace:up.mahi,/down.mahi' },\n"
           "readings = 'values.csv', device = { sample_every = '10s' } }",
           &plan);
    EXPECT_EQUAL(plan.settings.number[SETTING_fleet_devices], 7);
    EXPECT_EQUAL(plan.settings.number[SETTING_fleet_gateways], 2);
    EXPECT_EQUAL(plan.settings.number[SETTING_run_duration], 7200000000);
    EXPECT_EQUAL(plan.settings.number[SETTING_run_heal], 5400000000);
    EXPECT_EQUAL(plan.settings.number[SETTING_run_crypto], 1);
    EXPECT_EQUAL(plan.settings.number[SETTING_device_sample_every], 10000000);
    EXPECT(strcmp(plan.settings.text[SETTING_link_device], "nb-iot") == 0);
    EXPECT(strcmp(plan.settings.text[SETTING_link_gateway], "trace:/tmp/up.mahi,/down.mahi") == 0);
    EXPECT(strcmp(plan.settings.text[SETTING_run_readings], "/tmp/values.csv") == 0);
    plan_free(&plan);
    opened("return { run = { duration = '2h' } }", &plan);
    EXPECT_EQUAL(plan.settings.number[SETTING_run_duration], 7200000000);
    plan_free(&plan);
}

static void faults_are_set_by_class(void)
{
    struct plan plan;
    opened("return { faults = { power_cut = '2h',\n"
           "hang = { every = '6h', lasts = '10s..5m', on = { 'device', 'cloud' } },\n"
           "wall_step = { every = '1d', amount = '-1h..1h', on = 'gateway' },\n"
           "link_slow = { every = '3h', amount = 1000 } } }",
           &plan);
    const struct fault_setting *faults = plan.settings.faults;
    EXPECT_EQUAL(faults[EFFECT_POWER_CUT].every_us, 7200000000);
    EXPECT_EQUAL(faults[EFFECT_HANG].lasts_min_us, 10000000);
    EXPECT_EQUAL(faults[EFFECT_HANG].lasts_max_us, 300000000);
    EXPECT_EQUAL(faults[EFFECT_HANG].roles, ROLE_MASK_DEVICE | ROLE_MASK_CLOUD);
    EXPECT_EQUAL(faults[EFFECT_WALL_STEP].amount_min, -3600000000);
    EXPECT_EQUAL(faults[EFFECT_WALL_STEP].roles, ROLE_MASK_GATEWAY);
    EXPECT_EQUAL(faults[EFFECT_LINK_SLOW].amount_max, 1000);
    plan_free(&plan);
}

static void expectations_go_into_the_plan(void)
{
    struct plan plan;
    opened("return { expect = { { 'accepted', '>=', 100 }, { 'lost', '==', 0 },\n"
           "named = function(w) return true end } }",
           &plan);
    EXPECT_EQUAL(plan.expectation_count, 2);
    EXPECT_EQUAL(plan.expectations[0].figure, FIGURE_accepted);
    EXPECT_EQUAL(plan.expectations[0].comparison, PLAN_AT_LEAST);
    EXPECT_EQUAL(plan.expectations[0].number, 100);
    EXPECT_EQUAL(plan.expectations[1].comparison, PLAN_EQUAL);
    plan_free(&plan);
}

static void the_first_line_is_the_question(void)
{
    struct plan plan;
    char error[512];
    plan_init(&plan, 1);
    write_scenario("-- Does it hold?\nreturn {}\n");
    struct script *script = script_open(path, &plan, error, sizeof error);
    EXPECT(script != NULL);
    EXPECT(strcmp(script_question(script), "Does it hold?") == 0);
    script_close(script);
    write_scenario("return {}\n");
    script = script_open(path, &plan, error, sizeof error);
    EXPECT(script != NULL && script_question(script)[0] == '\0');
    script_close(script);
    plan_free(&plan);
}

static void mistakes_are_named_with_line_and_remedy(void)
{
    refused("return {\n  fleet = {\n    devcies = 7,\n} }", 3, "did you mean 'fleet.devices'?");
    refused("return {\n  fleets = {} }", 2, "did you mean 'fleet'?");
    refused("return {\n  duration = 600 }", 2, "write it as \"90s\", \"10m\"");
    refused("return {\n -- heal\n heal = true }", 3, "neither a whole number nor a text");
    refused("return { fleet = {\n devices = 1.5 } }", 2, "neither a whole number nor a text");
    refused("return { fleet = {\n devices = 99999 } }", 2, "out of range");
    refused("return { fleet = 7 }", 1, "write fleet = { ... }");
    refused("return { 7 }", 1, "needs a name");
    refused("return {\n faults = {\n power_cuts = '2h' } }", 3, "did you mean 'power_cut'?");
    refused("return { faults = { power_cut = {\n evry = '2h' } } }", 2, "has no 'evry'");
    refused("return { faults = {\n suspend = { on = 'cloud' } } }", 2, "it can strike device");
    refused("return { expect = {\n { 'acepted', '>=', 1 } } }", 2, "did you mean 'accepted'?");
    refused("return { expect = { { 'accepted', '=>', 1 } } }", 1, "no comparison");
    refused("return { expect = { { 'accepted', '>=', -1 } } }", 1, "no whole number");
    refused("return { expect = { never = 7 } }", 1, "a name without a function");
    refused("return { run = 7 }", 1, "write run = function(w)");
    refused("return { strikes = 7 }", 1, "write strikes = {");
    refused("local x = 1\n", 1, "this file returns no table");
    refused("\nreturn {", 2, "expected");
    refused("\nerror('no such luck')", 2, "no such luck");
    refused("\nerror({})", 2, "raised an error that is no text");
    refused("\nlocal x = nil\nx.y = 1", 3, "attempt to index a nil value");
    refused("\033Lua", 0, "binary chunk");
    refused("\nreturn { fleet = { [print] = 1 } }", 0, "with a function as key");
}

static void a_file_that_is_none_is_refused(void)
{
    struct plan plan;
    char error[512] = "";
    plan_init(&plan, 1);
    EXPECT(script_open("/tmp/no/such.lua", &plan, error, sizeof error) == NULL);
    contains(error, "/tmp/no/such.lua: cannot be opened: No such file");
    EXPECT(script_open("/tmp", &plan, error, sizeof error) == NULL);
    contains(error, "/tmp: cannot be read");
    script_close(NULL);
}

/* ---- what comes with it ---------------------------------------------------------------------- */

static char *whole_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    char *text = calloc(1, 1 << 17);
    EXPECT(file != NULL && text != NULL);
    EXPECT(fread(text, 1, (1 << 17) - 1, file) > 0);
    EXPECT(feof(file));
    fclose(file);
    return text;
}

static void every_scenario_opens_and_asks_a_question(void)
{
    glob_t found;
    EXPECT_EQUAL(glob("scenarios/*.lua", 0, NULL, &found), 0);
    EXPECT(found.gl_pathc > 10);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct plan plan;
        char error[512] = "";
        plan_init(&plan, 1);
        if (strcmp(found.gl_pathv[i], "scenarios/brownout.lua") != 0 &&
            !life_is(found.gl_pathv[i])) {
            struct script *script = script_open(found.gl_pathv[i], &plan, error, sizeof error);
            if (script == NULL && OUTBOX_MAX < 256 && strstr(error, "is out of range") != NULL) {
                plan_free(&plan);
                continue; /* the limits are shrunk, and the scenario wants more */
            }
            if (script == NULL) {
                fprintf(stderr, "%s\n", error);
                exit(1);
            }
            contains(script_question(script), "?");
            script_close(script);
        }
        plan_free(&plan);
    }
    globfree(&found);
}

static void the_annotated_api_names_everything(void)
{
    static const char *const names[] = {
#define SETTING(id, key, kind, standard, min, max, doc) #id,
#include "sim/setting.def"
#undef SETTING
    };
    char line[96];
    char *text = whole_file("scenarios/brownout.lua");
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        snprintf(line, sizeof line, "\n---@field %s? ", strchr(names[i], '_') + 1);
        contains(text, line);
    }
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        const char *name = effect_info((enum effect)i).name;
        snprintf(line, sizeof line, "\n---| \"%s\" # ", name);
        contains(text, line);
        snprintf(line, sizeof line, "\n---@field %s? Duration|Fault ", name);
        contains(text, line);
        snprintf(line, sizeof line, "\nfunction World:%s(on, ", name);
        contains(text, line);
    }
    for (unsigned i = 0; i < FIGURE_COUNT; i++) {
        snprintf(line, sizeof line, "\n---| \"%s\" # %s", figure_name((enum figure)i),
                 figure_doc((enum figure)i));
        contains(text, line);
    }
    for (unsigned i = 0; i < OPERATION_KIND_COUNT; i++) {
        snprintf(line, sizeof line, "\n---| \"%s\"\n", port_operation_name(i));
        contains(text, line);
    }
    free(text);
}

/* ---- the sandbox ----------------------------------------------------------------------------- */

static void what_a_scenario_has_not_is_said(void)
{
    refused("\nlocal t = os.time()", 2,
            "a scenario has no 'os': there is no clock but the world's");
    refused("io.open('x')", 1, "a scenario has no 'io'");
    refused("load('x')", 1, "a scenario has no 'load'");
    refused("require('x')", 1, "a scenario has no 'require'");
    refused("dofile('x')", 1, "a scenario has no 'dofile'");
    refused("loadfile('x')", 1, "a scenario has no 'loadfile'");
    refused("debug.traceback()", 1, "a scenario has no 'debug'");
    refused("collectgarbage()", 1, "a scenario has no 'collectgarbage'");
    refused("string.dump(print)", 1, "attempt to call a nil value (field 'dump')");
    refused("math.sin(1)", 1, "attempt to call a nil value (field 'sin')");
    refused("math.randomseed(1)", 1, "choose that with --seed");
    refused("\nprnt('x')", 2, "did you mean 'print'?");
    refused("setmetatable({}, { __gc = print })", 1, "'__gc' would tell when");
    refused("setmetatable({}, { __mode = 'k' })", 1, "'__mode' would tell when");
    refused("string.format('%p', {})", 1, "%p is an address");
    refused("string.format('%5.2p', {})", 1, "%p is an address");
}

static void no_text_shows_an_address(void)
{
    holds(
        "assert(tostring({}) == 'table' and tostring(print) == 'function')\n"
        "assert(tostring(coroutine.create(print)) == 'thread')\n"
        "assert(('%s %5s %%'):format({}, 'x') == 'table     x %')\n"
        "assert(tostring(setmetatable({}, { __tostring = function() return 'me' end })) == 'me')\n"
        "assert(tostring(1) == '1' and tostring(nil) == 'nil' and tostring('x') == 'x')\n"
        "local ok, message = pcall(error, {})\n"
        "assert(not ok and type(message) == 'table')\n"
        "assert(not pcall(string.format, '%d'))\n"
        "assert(getmetatable('') == false and getmetatable(_G) == false)\n"
        "return {}");
}

static void tables_are_walked_in_order(void)
{
    holds("local t = { b = 1, a = 2, [3] = 3, [1] = 4, [2.5] = 5, [-7] = 6, [true] = 7,\n"
          "            [false] = 8, ab = 9, [1e300] = 10, [math.mininteger] = 11, [-1e300] = 12 }\n"
          "local seen = {}\n"
          "for k in pairs(t) do seen[#seen + 1] = tostring(k) end\n"
          "local order = table.concat(seen, ' ')\n"
          "assert(order == '-1e+300 -9223372036854775808 -7 1 2.5 3 1e+300 a ab b false true', "
          "order)\n"
          "local again, k = {}, nil\n"
          "repeat k = next(t, k); again[#again + 1] = k ~= nil and tostring(k) or nil\n"
          "until k == nil\n"
          "assert(table.concat(again, ' ') == order)\n"
          "assert(next({}) == nil and select('#', next({})) == 1)\n"
          "local count = 0\n"
          "for k in pairs(t) do t[k] = nil; count = count + 1 end\n"
          "assert(count == 12 and next(t) == nil)\n"
          "local u = { a = 1, b = 2, c = 3 }\n"
          "for k in pairs(u) do u.b = nil; u.d = 4; assert(k ~= 'b' and k ~= 'd') end\n"
          "local p = setmetatable({}, { __pairs = function() return next, { x = 1 }, nil end })\n"
          "for k, v in pairs(p) do assert(k == 'x' and v == 1) end\n"
          "return {}");
    refused("for k in pairs({ [{}] = 1 }) do end", 1, "a table with a table as key has no order");
    refused("next({ [print] = 1 })", 1, "a table with a function as key has no order");
}

static void sorting_is_stable_and_survives_any_order(void)
{
    holds("local t = {}\n"
          "for i = 1, 500 do t[i] = { key = i * 7919 % 10, place = i } end\n"
          "table.sort(t, function(a, b) return a.key < b.key end)\n"
          "for i = 2, 500 do\n"
          "  assert(t[i - 1].key < t[i].key or t[i - 1].key == t[i].key and\n"
          "         t[i - 1].place < t[i].place)\n"
          "end\n"
          "local words = { 'b', 'c', 'a' }\n"
          "table.sort(words)\n"
          "assert(table.concat(words) == 'abc')\n"
          "for n = 0, 40 do\n"
          "  local numbers, sum = {}, 0\n"
          "  for i = 1, n do numbers[i] = math.random(100); sum = sum + numbers[i] end\n"
          "  table.sort(numbers, function(a, b) return true end)\n"
          "  table.sort(numbers, function(a, b) return math.random(2) == 1 end)\n"
          "  for i = 1, n do sum = sum - numbers[i] end\n"
          "  assert(sum == 0 and #numbers == n)\n"
          "  table.sort(numbers)\n"
          "  for i = 2, n do assert(numbers[i - 1] <= numbers[i]) end\n"
          "end\n"
          "return {}");
    refused("\ntable.sort({ 1, 'x' })", 2, "attempt to compare string with number");
    refused("table.sort({ 2, 1 },\nfunction(a, b) error('no order') end)", 2, "no order");
    refused("table.sort({ 2, 1 }, 7)", 1, "function expected");
}

static void chance_comes_from_the_seed(void)
{
    struct plan one, two;
    const char *text =
        "return { fleet = { devices = math.random(60), gateways = math.random(3, 4) },"
        " device = { outbox = math.random(8) } }";
    opened(text, &one);
    opened(text, &two);
    EXPECT(memcmp(&one.settings, &two.settings, sizeof one.settings) == 0);
    plan_free(&one);
    plan_free(&two);
    holds("for i = 1, 100 do\n"
          "  local float, low = math.random(), math.random(-3, 3)\n"
          "  assert(float >= 0 and float < 1 and low >= -3 and low <= 3)\n"
          "  assert(math.type(math.random(math.mininteger, math.maxinteger)) == 'integer')\n"
          "end\n"
          "return {}");
    refused("math.random(2, 1)", 1, "interval is empty");
}

static void coroutines_and_protected_calls_work_as_ever(void)
{
    holds("local co = coroutine.create(function(a) local b = coroutine.yield(a + 1); return b * 2 "
          "end)\n"
          "local ok, value = coroutine.resume(co, 1)\n"
          "assert(ok and value == 2)\n"
          "ok, value = coroutine.resume(co, 21)\n"
          "assert(ok and value == 42 and coroutine.status(co) == 'dead')\n"
          "local next_one = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)\n"
          "assert(next_one() == 1 and next_one() == 2)\n"
          "ok, value = coroutine.resume(coroutine.create(function() error('inside') end))\n"
          "assert(not ok and value:find('inside', 1, true))\n"
          "assert(select('#', pcall(function() return 1, 2, 3 end)) == 4)\n"
          "local ok, text = xpcall(function(x) error(x) end, function(m) return 'seen ' .. m end, "
          "'it')\n"
          "assert(not ok and text:find('^seen .*it$'))\n"
          "assert(select(2, xpcall(function(a, b) return a + b end, print, 1, 2)) == 3)\n"
          "return {}");
    refused("coroutine.yield()", 1, "coroutine.yield is for coroutines of your own");
}

static void libraries_do_their_work(void)
{
    holds("assert(('key = 12'):match('^(%w+)%s*=%s*(%d+)$') == 'key')\n"
          "assert(('a,b,,c'):gsub(',', ';') == 'a;b;;c')\n"
          "local words = {}\n"
          "for word in ('one two  three'):gmatch('%a+') do words[#words + 1] = word end\n"
          "assert(#words == 3 and words[3] == 'three')\n"
          "assert(('a.b'):find('.', 1, true) == 2 and ('x'):rep(3, '-') == 'x-x-x')\n"
          "assert(('  trim  '):match('^%s*(.-)%s*$') == 'trim')\n"
          "assert(('a[b]c'):gsub('[%[%]]', '') == 'abc' and ('(x)'):match('%b()') == '(x)')\n"
          "local t = table.pack(1, 2, 3)\n"
          "table.insert(t, 4); table.insert(t, 1, 0)\n"
          "assert(table.concat(t, ' ') == '0 1 2 3 4' and table.remove(t) == 4)\n"
          "assert(table.remove(t, 1) == 0 and select('#', table.unpack(t)) == 3)\n"
          "assert(#table.move({ 1, 2, 3 }, 1, 3, 2) == 4 and ('é'):len() == 2 and utf8.len('é') == "
          "1)\n"
          "return {}");
    refused("\nlocal x = ('x'):rep()", 2, "bad argument #1 to 'rep'");
    refused("table.concat({ {} })", 1, "invalid value (table) at index 1");
}

/* ---- budgets --------------------------------------------------------------------------------- */

#define SPENT "the budget of 20000000 instructions without a pause is used up"

static void a_loop_without_end_ends(void)
{
    refused("\nwhile true do end", 2, SPENT);
    refused("\nrepeat pcall(function() while true do end end) until false", 2, SPENT);
    refused("xpcall(function() while true do end end, function(m) return m end)", 1, SPENT);
    refused("local co = coroutine.wrap(function() while true do coroutine.yield() end end)\n"
            "while true do co() end",
            0, SPENT);
    refused(
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end", 1,
        SPENT);
    refused("while true do coroutine.create(print) end", 1, SPENT);
    refused("local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end })\n"
            "local x = t[1]",
            0, "stack overflow");
    refused("local function f() return f() end\nf()", 1, SPENT);
    refused("local function f() local a, b, c, d, e, g, h, i, j = 1 f() end\nf()", 1,
            "stack overflow");
    refused("table.sort({ 1, 2, 3 }, function() while true do end end)", 1, SPENT);
    refused("local t = setmetatable({}, { __len = function() return 1 << 60 end })\n"
            "table.insert(t, 1, 2)",
            2, SPENT);
    refused("table.move({}, 1, 1 << 60, 2)", 1, SPENT);
    refused("local t = {}\nfor i = 1, 100000 do t[i] = i end\nwhile true do for k in pairs(t) do "
            "break end end",
            3, SPENT);
}

static void memory_is_bounded(void)
{
    refused("\nlocal t = {}\nfor i = 1, 1e9 do t[i] = {} end", 3,
            "more than 67108864 bytes of memory");
    refused(
        "\nlocal t = {}\nrepeat until not pcall(function() while true do t[#t + 1] = {} end end)\n",
        3, "more than 67108864 bytes of memory");
    refused("local s = 'x'\nwhile true do s = s .. s end", 2, "a text longer than 65536 bytes");
    refused("\nlocal s = ('x'):rep(1e9)", 2, "string.rep would make more than 65536 bytes");
    refused("('x'):rep(1 << 62, 'y')", 1, "string.rep would make more than");
    refused("local t = {}\nfor i = 1, 70000 do t[i] = 'x' end\ntable.concat(t)", 3,
            "a text longer than 65536 bytes");
    refused("local s = ('x'):rep(60000)\nwhile true do local t = s .. 'y' end", 2, SPENT);
    holds("assert(('x'):rep(65536):len() == 65536 and (''):rep(1e9) == '')\n"
          "for i = 1, 100000 do local t = { i, tostring(i) } end\n"
          "return {}");
}

static void patterns_are_bounded(void)
{
    refused("\nlocal x = string.rep('a', 30):match(('a?'):rep(30) .. ('a'):rep(30))", 2,
            "a pattern with 30 repeats and options on 30 bytes may take for ever");
    refused("string.rep('a', 1000):match(('.-'):rep(6) .. 'b')", 1, "may take for ever");
    refused("string.rep('a', 60000):find(('.*'):rep(9) .. 'b')", 1, "may take for ever");
    refused("string.rep('(', 60000):gsub('%b()', '')", 1, "may take for ever");
    refused("string.rep('a', 60000):find(string.rep('a', 30000) .. 'b', 1, true)", 1,
            "may take for ever");
    refused("local s = ('a'):rep(200)\nwhile true do s:match('a*a*b') end", 2, SPENT);
    refused("('x'):match('[a')", 1, "malformed pattern");
    refused("('x'):match('%')", 1, "malformed pattern");
    holds("assert(('a'):rep(60000):find('b') == nil and ('a'):rep(60000):match('^a*$'))\n"
          "assert(('[]*-'):match('[]*%-?[]+') == '[]*-')\n"
          "return {}");
}

/* ---- running --------------------------------------------------------------------------------- */

#define SMALL "fleet = { devices = 3 }, crypto = 'ideal', duration = '20m', heal = '10m', "

static void lived(const char *text, struct run_result *result)
{
    struct run_request request;
    write_scenario(text);
    run_request_init(&request);
    request.scenario = path;
    request.seed = 1;
    run(&request, result);
}

static void passes(const char *text, struct run_result *result)
{
    lived(text, result);
    if (result->verdict != VERDICT_PASS) {
        fprintf(stderr, "%s: %s\n", verdict_name(result->verdict), result->message);
        exit(1);
    }
}

static void runs_wrongly(const char *text, unsigned line, const char *part)
{
    struct run_result result;
    char place[96];
    lived(text, &result);
    contains(result.message, part);
    EXPECT_EQUAL(result.verdict, VERDICT_USAGE);
    snprintf(place, sizeof place, "%s:%u: ", path, line);
    contains(result.message, place);
    run_result_free(&result);
}

static void what_a_script_does_is_in_the_plan(void)
{
    struct run_result result, again;
    passes("return { " SMALL "\n"
           "strikes = { { effect = 'power_cut', on = 'dev2', at = '90s', lasts = '5s' },\n"
           "  { effect = 'crash', on = 'cloud', evidence = 'ACCEPT', nth = 4, lasts = '1s' } },\n"
           "run = function(w)\n"
           "  w:sleep('5m')\n"
           "  assert(w:now() == 300000000 and w:now_text() == '5m')\n"
           "  w:power_cut('dev1', '20s')\n"
           "  assert(not w:up('dev1') and w:view('dev1') == nil and w:up('dev3'))\n"
           "  w:partition('gw1', '30s', { other = 'cloud1' })\n"
           "  w:wall_step({ 'dev1', 'dev2' }, '-5m')\n"
           "  w:link_delay('device', '2s', '1m')\n"
           "  w:strike{ effect = 'power_cut', on = 'dev3', operation = 'flash_program', nth = 2,\n"
           "            lasts = '5s', fraction = 100 }\n"
           "end }",
           &result);
    const struct plan *plan = &result.plan;
    EXPECT_EQUAL(plan->entry_count, 10);
    EXPECT_EQUAL(plan->entries[0].when, PLAN_AT);
    EXPECT_EQUAL(plan->entries[0].event, 0);
    EXPECT_EQUAL(plan->entries[0].at_us, 90000000);
    EXPECT_EQUAL(plan->entries[1].when, PLAN_EVIDENCE);
    EXPECT_EQUAL(plan->entries[1].nth, 4);
    EXPECT_EQUAL(plan->entries[2].filed_us, 300000000);
    EXPECT_EQUAL(plan->entries[2].target, fleet_node_find(&plan->settings, "dev1"));
    EXPECT_EQUAL(plan->entries[2].lasts_us, 20000000);
    EXPECT_EQUAL(plan->entries[3].other, fleet_node_find(&plan->settings, "cloud1"));
    EXPECT_EQUAL(plan->entries[4].amount, -300000000);
    EXPECT_EQUAL(plan->entries[6].effect, EFFECT_LINK_DELAY);
    EXPECT_EQUAL(plan->entries[6].other, PLAN_ANY);
    EXPECT_EQUAL(plan->entries[9].phase, PLAN_INSIDE);
    EXPECT_EQUAL(plan->entries[9].fraction, 100);
    EXPECT_EQUAL(result.fired[EFFECT_POWER_CUT], 3);
    EXPECT_EQUAL(result.fired[EFFECT_CRASH], 1);

    struct run_request request;
    run_request_init(&request);
    request.plan = plan;
    run(&request, &again);
    EXPECT(memcmp(result.digest, again.digest, sizeof result.digest) == 0);
    run_result_free(&again);
    run_result_free(&result);
}

static void awaits_answer_whether_it_came_true(void)
{
    struct run_result result;
    passes(
        "return { " SMALL "\n"
        "run = function(w)\n"
        "  assert(w:await(function() return true end) == true and w:now() == 0)\n"
        "  local ok = w:await(function(w) return w:figure('accepted') >= 9 end, '10m')\n"
        "  assert(ok == true and w:figure('accepted') == 9)\n"
        "  local before = w:now()\n"
        "  assert(w:await(function() return false end, '90s') == false)\n"
        "  assert(w:now() - before == 90000000)\n"
        "  assert(w:await(function(w) return w:now() >= before + 180000000 end, '90s') == true)\n"
        "  pcall(function() w:sleep('1s') end)\n"
        "  assert(w:now() == before + 181000000)\n"
        "  w:crash('gw1', '1s')\n"
        "  w:await(function() return false end)\n"
        "  w:fail('never comes here')\n"
        "end }",
        &result);
    EXPECT_EQUAL(result.fired[EFFECT_CRASH], 1);
    run_result_free(&result);
}

static void hooks_hear_evidence_after_the_step(void)
{
    struct run_result result;
    passes("local heard, late = 0, 0\n"
           "return { " SMALL "\n"
           "run = function(w)\n"
           "  local first\n"
           "  first = w:on('ACCEPT', function(e)\n"
           "    heard = heard + 1\n"
           "    assert(e.name == 'ACCEPT' and e.node == 'cloud1' and e.device:match('^dev%d$'))\n"
           "    assert(e.epoch == 1 and e.counter >= 0 and e.time >= w:now())\n"
           "    if heard == 5 then\n"
           "      w:off(first); w:off(first); w:crash('cloud1', '1s')\n"
           "      w:on('ACCEPT', function() late = late + 1 end)\n"
           "    end\n"
           "  end)\n"
           "end,\n"
           "expect = { heard = function(w)\n"
           "  return heard == 5 and late > 0, heard .. ' then ' .. late end } }",
           &result);
    EXPECT_EQUAL(result.fired[EFFECT_CRASH], 1);
    run_result_free(&result);
}

static void the_world_can_be_looked_at(void)
{
    struct run_result result;
    passes("return { " SMALL "\n"
           "run = function(w)\n"
           "  assert(table.concat(w:nodes(), ' ') == 'cloud1 gw1 dev1 dev2 dev3')\n"
           "  assert(#w:nodes('device') == 3 and #w:nodes('rogue') == 0)\n"
           "  w:sleep('10m')\n"
           "  local view = w:view('dev1')\n"
           "  assert(view.epoch == 1 and view.counter_next >= 9)\n"
           "  assert(w:figure('sampled') >= 27 and tostring(w) == 'world')\n"
           "  assert(w:random(6) <= 6 and w:random(3, 3) == 3)\n"
           "end,\n"
           "expect = { looks = function(w) return w:figure('accepted') > 50 end } }",
           &result);
    run_result_free(&result);
}

static void expectations_fail_by_name(void)
{
    struct run_result result;
    lived("return { " SMALL "expect = { b = function() return true end,\n"
          "a = function(w) return false, w:figure('lost') .. ' lost' end } }",
          &result);
    EXPECT_EQUAL(result.verdict, VERDICT_FAIL);
    EXPECT(result.live_expectation);
    contains(result.message, "'a: 0 lost' does not hold");
    run_result_free(&result);
    lived("return { " SMALL "run = function(w) w:fail('so it is'); w:fail('later') end }", &result);
    EXPECT_EQUAL(result.verdict, VERDICT_FAIL);
    contains(result.message, "'w:fail: so it is'");
    run_result_free(&result);
    lived("return { " SMALL "expect = { { 'accepted', '<', 1 } } }", &result);
    EXPECT_EQUAL(result.verdict, VERDICT_FAIL);
    EXPECT(!result.live_expectation);
    run_result_free(&result);
}

static void names_follow_the_settings_of_the_command(void)
{
    struct run_request request;
    struct run_result result;
    const struct run_setting setting = {"fleet.gateways", "3"};
    write_scenario("return { " SMALL "strikes = {\n"
                   "{ effect = 'power_cut', on = 'dev2', at = '5m', lasts = '1s' } } }");
    run_request_init(&request);
    request.scenario = path;
    request.seed = 1;
    request.settings = &setting;
    request.setting_count = 1;
    run(&request, &result);
    EXPECT_EQUAL(result.verdict, VERDICT_PASS);
    EXPECT_EQUAL(result.plan.entries[0].target, 1 + 3 + 2);
    run_result_free(&result);
}

static void mistakes_while_running_are_named(void)
{
#define DO(text) "return { " SMALL "\nrun = function(w)\n" text "\nend }"
    runs_wrongly(DO("w:sleep(600)"), 3, "write it as \"20s\", \"10m\"");
    runs_wrongly(DO("w:sleep('0')"), 3, "is not a time that can pass");
    runs_wrongly(DO("w.sleep('1m')"), 3, "call it with a colon");
    runs_wrongly(DO("w:slep('1m')"), 3, "did you mean 'sleep'?");
    runs_wrongly(DO("w:power_cut('dev9', '1s')"), 3,
                 "no node is called 'dev9'; there is cloud1 gw1 dev1..dev3");
    runs_wrongly(DO("w:power_cut('rogue', '1s')"), 3, "the fleet has no rogue to strike");
    runs_wrongly(DO("w:power_cut('dev1')"), 3, "power_cut needs a duration: lasts = \"20s\"");
    runs_wrongly(DO("w:power_cut('dev1', 20)"), 3, "lasts: '20' is not a duration");
    runs_wrongly(DO("w:power_cut('dev1', '1s', {}, 1)"), 3, "one argument too many");
    runs_wrongly(DO("w:power_cut('dev1', '1s', { phse = 1 })"), 3, "did you mean 'phase'?");
    runs_wrongly(DO("w:power_cut('dev1', '1s', { nth = 1 })"), 3, "nth belongs to a trigger");
    runs_wrongly(DO("w:power_cut('dev1', '1s', { other = 'gw1' })"), 3, "leave other out");
    runs_wrongly(DO("w:power_cut('dev1', '1s', { operation = 'flash_prog' })"), 3,
                 "did you mean 'flash_program'?");
    runs_wrongly(DO("w:power_cut('dev1', '1s', { evidence = 'ACCEPTED' })"), 3,
                 "did you mean 'ACCEPT'?");
    runs_wrongly(DO("w:power_cut('dev1', '1s', { evidence = 'STORE', phase = 'amid' })"), 3,
                 "\"before\", \"inside\" or \"after\"");
    runs_wrongly(DO("w:sleep('5m') w:power_cut('dev1', '1s', { at = '1m' })"), 3, "that is past");
    runs_wrongly(DO("w:link_slow('dev1', 'much', '1s')"), 3, "parts per million");
    runs_wrongly(DO("w:link_slow('dev1', 0, '1s')"), 3, "outside 1..1000000");
    runs_wrongly(DO("w:wall_step('dev1', 7)"), 3, "needs a time: amount = \"5m\"");
    runs_wrongly(DO("w:flash_rot('dev1', '5m')"), 3, "needs a whole number, how many: amount = 3");
    runs_wrongly(DO("w:flash_bad('dev1', 65)"), 3, "amount 65 is outside 1..64");
    runs_wrongly(DO("w:flash_bad('gw1', 1)"), 3, "flash_bad cannot strike gw1");
    runs_wrongly(DO("w:suspend('cloud1', '1s')"), 3, "suspend cannot strike cloud1");
    runs_wrongly(DO("w:strike{ effect = 'powercut' }"), 3, "did you mean 'power_cut'?");
    runs_wrongly(DO("w:strike{ effect = 'link_reset' }"), 3, "on: say whom");
    runs_wrongly(DO("w:figure('accept')"), 3, "did you mean 'accepted'?");
    runs_wrongly(DO("w:view('gw7')"), 3, "no node is called 'gw7'");
    runs_wrongly(DO("w:on('ACCEPTS', print)"), 3, "did you mean 'ACCEPT'?");
    runs_wrongly(DO("w:on('ACCEPT', function(e)\nw:sleep('1s') end)"), 4, "w:sleep is for run(w)");
    runs_wrongly(DO("w:on('ACCEPT', function(e)\nlocal x = nil + 1 end)"), 4,
                 "arithmetic on a nil");
    runs_wrongly(DO("w:await(function()\nw:sleep('1s') end)"), 4, "w:sleep is for run(w)");
    runs_wrongly(DO("w:await(function(w)\nif w:now() > 0 then w:await(print) end end)"), 4,
                 "w:await is for run(w)");
    runs_wrongly(DO("coroutine.wrap(function()\nw:sleep('1s') end)()"), 4,
                 "coroutines of your own");
    runs_wrongly(DO("coroutine.yield()"), 3, "coroutines of your own");
    runs_wrongly(DO("while true do end"), 3, SPENT);
    runs_wrongly(DO("while true do w:await(function() return true end) end"), 3, SPENT);
    runs_wrongly(DO("w:await(function()\nwhile true do end end)"), 4, SPENT);
    runs_wrongly("return { " SMALL
                 "strikes = { {\neffect = 'crash', on = 'gw1', lasts = '1s' } } }",
                 2, "say when");
    runs_wrongly("return { " SMALL "\nstrikes = { x = 1 } }", 2, "a plain list");
    runs_wrongly("return { " SMALL "expect = {\nok = function(w) return 1 end } }", 2,
                 "'ok' returns true or false");
    runs_wrongly("return { " SMALL "expect = { ok = function(w)\nw:crash('gw1', '1s') end } }", 2,
                 "the run is over");
#undef DO
}

static void what_lua_does_leaves_the_history_alone(void)
{
    struct run_result quiet, busy;
    passes("return { " SMALL " }", &quiet);
    passes("return { " SMALL "run = function(w)\n"
           "  w:on('ACCEPT', function(e) math.random(7) end)\n"
           "  while true do w:await(function() return false end, '7s') w:sleep('1ms') end\n"
           "end }",
           &busy);
    EXPECT(memcmp(quiet.digest, busy.digest, sizeof quiet.digest) == 0);
    EXPECT_EQUAL(quiet.events, busy.events);
    run_result_free(&quiet);
    run_result_free(&busy);
}

int main(void)
{
    begin();
    RUN(settings_are_set_by_section);
    RUN(faults_are_set_by_class);
    RUN(expectations_go_into_the_plan);
    RUN(the_first_line_is_the_question);
    RUN(mistakes_are_named_with_line_and_remedy);
    RUN(a_file_that_is_none_is_refused);
    RUN(every_scenario_opens_and_asks_a_question);
    RUN(the_annotated_api_names_everything);
    RUN(what_a_scenario_has_not_is_said);
    RUN(no_text_shows_an_address);
    RUN(tables_are_walked_in_order);
    RUN(sorting_is_stable_and_survives_any_order);
    RUN(chance_comes_from_the_seed);
    RUN(coroutines_and_protected_calls_work_as_ever);
    RUN(libraries_do_their_work);
    RUN(a_loop_without_end_ends);
    RUN(memory_is_bounded);
    RUN(patterns_are_bounded);
    RUN(what_a_script_does_is_in_the_plan);
    RUN(awaits_answer_whether_it_came_true);
    RUN(hooks_hear_evidence_after_the_step);
    RUN(the_world_can_be_looked_at);
    RUN(expectations_fail_by_name);
    RUN(names_follow_the_settings_of_the_command);
    RUN(mistakes_while_running_are_named);
    RUN(what_lua_does_leaves_the_history_alone);
    unlink(path);
    return 0;
}
