/* Goal: what happened in a run reaches TLC unchanged, and what TLC says of it is read as it was
 * meant. Method: walks of a law's C model are packed into numbers and read back, event by event;
 * guards are read from the specs that are there; TLC's rows are written by hand. No Java is
 * needed. */
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/spec_batch.h"
#include "sim/spec_guard.h"
#include "sim/test/trace_walk.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    exit(1);
}

static struct spec_folder folder;
static const struct spec_config *config;
static struct spec_instance instance;

static const struct spec_model *model_of(const char *name)
{
    for (uint32_t i = 0; i < spec_count(); i++) {
        if (strcmp(spec_at(i)->name, name) == 0) {
            return spec_at(i);
        }
    }
    return NULL;
}

static void load(const char *name)
{
    char error[512] = "";
    EXPECT(spec_folder_read(&folder, model_of(name), ".", error, sizeof error));
    config = spec_trials_config(&folder);
    EXPECT(config != NULL);
    trace_walk_instance(&instance, folder.model, config);
}

static uint32_t action_named(const char *name)
{
    uint32_t action = 0;
    while (strcmp(instance.actions[action].name, name) != 0) {
        action++;
        EXPECT(action < instance.model->action_count);
    }
    return action;
}

static void expect_same(const struct spec_trace_event *left, const struct spec_trace_event *right)
{
    const uint32_t parameters =
        left->move.action == FOLLOW_LOOK ? 0 : instance.actions[left->move.action].parameter_count;
    EXPECT_EQUAL(left->move.action, right->move.action);
    for (uint32_t i = 0; i < parameters; i++) {
        EXPECT_EQUAL(left->move.parameters[i], right->move.parameters[i]);
    }
    EXPECT_EQUAL(left->sight_count, right->sight_count);
    for (uint32_t i = 0; i < left->sight_count; i++) {
        EXPECT_EQUAL(left->sights[i].variable, right->sights[i].variable);
        EXPECT_EQUAL(left->sights[i].value, right->sights[i].value);
        EXPECT_EQUAL(left->sights[i].relation, right->sights[i].relation);
        EXPECT_EQUAL(left->sights[i].key, right->sights[i].key);
    }
}

static void expect_round(const struct spec_trace *const *traces, uint32_t count)
{
    static struct spec_pack pack;
    char error[512] = "";
    const bool good =
        spec_pack_make(&pack, folder.model, traces[0]->k, traces, count, error, sizeof error);
    if (!good) {
        fprintf(stderr, "%s\n", error);
    }
    EXPECT(good);
    EXPECT_EQUAL(pack.begins[0], 0);
    for (uint32_t t = 0; t < count; t++) {
        uint32_t at = pack.begins[t];
        for (uint32_t i = 0; i < traces[t]->count; i++) {
            struct spec_trace_event event;
            EXPECT_EQUAL(spec_pack_index(&pack, t, at), i);
            at += spec_pack_read(&pack, at, &event);
            expect_same(&event, &traces[t]->events[i]);
        }
        EXPECT_EQUAL(at, pack.begins[t + 1]);
    }
    for (uint32_t i = 0; i < pack.begins[count]; i++) {
        EXPECT(pack.numbers[i] >= 0);
    }
    spec_pack_free(&pack);
}

static void every_step_of_every_law_comes_back_from_its_numbers(void)
{
    enum { TRACES = 5 };
    for (uint32_t m = 0; m < spec_count(); m++) {
        struct spec_trace traces[TRACES];
        const struct spec_trace *list[TRACES];
        load(spec_at(m)->name);
        for (uint32_t t = 0; t < TRACES; t++) {
            trace_walk(&traces[t], &instance, 1000 * m + t, 100 * t);
            EXPECT(t == 0 || traces[t].count > 0);
            list[t] = &traces[t];
        }
        expect_round(list, TRACES);
        for (uint32_t t = 0; t < TRACES; t++) {
            spec_trace_free(&traces[t]);
        }
    }
}

static void values_of_any_size_get_numbers_of_their_own(void)
{
    load("Telemetry");
    struct spec_trace trace = {0};
    const struct spec_trace *list[] = {&trace};
    memcpy(trace.k, instance.k, sizeof trace.k);
    const int32_t values[] = {0, 1, -7, 1 << 20, 1073741823, -1073741823};
    for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct spec_trace_event event = {.sight_count = 3};
        event.move.action = action_named("Accept");
        event.move.parameters[0] = 1;
        event.move.parameters[1] = values[i];
        event.move.parameters[2] = values[(i + 1) % 6];
        for (uint32_t s = 0; s < 3; s++) {
            event.sights[s] =
                (struct follow_sight){.variable = s == 2 ? 0 : s, .value = values[(i + s) % 6]};
        }
        spec_trace_add(&trace, &event);
    }
    expect_round(list, 1);
    spec_trace_free(&trace);
}

static uint32_t variable_named(const char *name)
{
    uint32_t variable = 0;
    while (strcmp(instance.variables[variable].name, name) != 0) {
        variable++;
        EXPECT(variable < instance.model->variable_count);
    }
    return variable;
}

/* Between two steps the state is seen: of each slot its own, and a word that is none. */
static void looks_come_back_with_their_keys_and_wrong_words(void)
{
    load("Update");
    struct spec_trace trace = {0};
    const struct spec_trace *list[] = {&trace};
    memcpy(trace.k, instance.k, sizeof trace.k);
    for (int32_t slot = 0; slot < 2; slot++) {
        struct spec_trace_event event = {.move = {.action = FOLLOW_LOOK}, .sight_count = 2};
        event.sights[0] = (struct follow_sight){
            .variable = variable_named("header"), .value = 2 - slot, .key = slot};
        event.sights[1] =
            (struct follow_sight){.variable = variable_named("confirmed"), .value = 3 * slot - 1};
        spec_trace_add(&trace, &event);
    }
    expect_round(list, 1);
    trace.events[1].sights[0].key = 2;
    static struct spec_pack pack;
    char error[512] = "";
    EXPECT(!spec_pack_make(&pack, folder.model, trace.k, list, 1, error, sizeof error));
    EXPECT(strstr(error, "step 2") != NULL && strstr(error, "no such key") != NULL);
    spec_pack_free(&pack);
    spec_trace_free(&trace);
}

static void what_cannot_be_told_is_refused_with_the_step(void)
{
    static struct spec_pack pack;
    char error[512] = "";
    load("Telemetry");
    struct spec_trace trace = {.run_id = 17, .actor = 5};
    const struct spec_trace *list[] = {&trace};
    struct spec_trace_event event = {.sight_count = 0};
    memcpy(trace.k, instance.k, sizeof trace.k);
    event.move.parameters[0] = 1;
    spec_trace_add(&trace, &event);
    event.sight_count = 1;
    event.sights[0].key = 7;
    while (strcmp(instance.variables[event.sights[0].variable].name, "sent") != 0) {
        event.sights[0].variable++;
    }
    spec_trace_add(&trace, &event);
    EXPECT(!spec_pack_make(&pack, folder.model, trace.k, list, 1, error, sizeof error));
    EXPECT(strstr(error, "run 17, node 5, step 2") != NULL && strstr(error, "no such key") != NULL);
    spec_pack_free(&pack);
    trace.events[1].sights[0] = (struct follow_sight){.value = INT32_MAX};
    trace.events[0] = trace.events[1];
    trace.events[0].sights[0].value = INT32_MIN;
    EXPECT(!spec_pack_make(&pack, folder.model, trace.k, list, 1, error, sizeof error));
    EXPECT(strstr(error, "too far") != NULL);
    spec_pack_free(&pack);
    trace.events[1].move.action = folder.model->action_count;
    EXPECT(!spec_pack_make(&pack, folder.model, trace.k, list, 1, error, sizeof error));
    EXPECT(strstr(error, "no such action") != NULL);
    spec_pack_free(&pack);
    spec_trace_free(&trace);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

static void damage_changes_what_it_says_and_nothing_else(void)
{
    load("Telemetry");
    struct spec_trace good, other;
    trace_walk(&good, &instance, 1, 200);
    trace_walk(&other, &instance, 2, 50);
    EXPECT_EQUAL(trace_walk_refused(folder.model, good.k, &good), UINT32_MAX);
    for (uint32_t d = 0; d < SPEC_DAMAGE_COUNT; d++) {
        uint32_t done = 0, refused = 0;
        for (uint32_t at = 0; at < good.count; at++) {
            struct spec_trace bad;
            spec_trace_copy(&bad, &good, good.count);
            const bool spoilt = spec_trace_damage(&bad, d, at, &other, folder.model);
            const bool same = bad.count == good.count &&
                              memcmp(bad.events, good.events, bad.count * sizeof *bad.events) == 0;
            EXPECT(spoilt || same);
            EXPECT(bad.count + 1 >= good.count && bad.count <= good.count + 1);
            done += spoilt;
            const uint32_t first = trace_walk_refused(folder.model, bad.k, &bad);
            refused += first != UINT32_MAX;
            if (d == SPEC_DAMAGE_WRONG_SIGHT && spoilt) {
                EXPECT_EQUAL(first, at);
            }
            spec_trace_free(&bad);
        }
        EXPECT(done > 0 && refused > 0);
        EXPECT(spec_damage_text(d)[0] != '\0');
    }
    spec_trace_free(&good);
    spec_trace_free(&other);
}

/* ---- Guards ---------------------------------------------------------------------------------- */

static void guards_are_the_conjuncts_that_speak_of_the_state_alone(void)
{
    static const char module[] = "Late == 3\n"
                                 "Stay == UNCHANGED <<a, b>>\n"
                                 "Both(d) == /\\ Stay\n"
                                 "Go(d, c) ==\n"
                                 "    /\\ a[d] < c /\\ b[d] # {} \\* why\n"
                                 "    /\\ a[d] = 1 => b[d] = {} /\\ c = 2\n"
                                 "    /\\ IF c = 1 THEN a[d] = 1\n"
                                 "       ELSE a[d] = 2\n"
                                 "    /\\ a' = [a EXCEPT ![d] = c]\n"
                                 "    /\\ c > 0 /\\ (a[d] = 1 \\/ c = 2)\n"
                                 "    /\\ Both(d)\n"
                                 "\n"
                                 "Plain == a > 0 /\\ Stay\n";
    static const char *const expected[] = {"a[d] < c",
                                           "b[d] # {}",
                                           "a[d] = 1 => b[d] = {} /\\ c = 2",
                                           "IF c = 1 THEN a[d] = 1\n       ELSE a[d] = 2",
                                           "c > 0",
                                           "(a[d] = 1 \\/ c = 2)"};
    static struct spec_guards guards;
    EXPECT(spec_guards_read(&guards, module, "Go"));
    EXPECT(strcmp(guards.parameters, "d, c") == 0);
    EXPECT_EQUAL(guards.count, sizeof expected / sizeof expected[0]);
    for (uint32_t i = 0; i < guards.count; i++) {
        EXPECT(strcmp(guards.list[i].text, expected[i]) == 0);
    }
    EXPECT_EQUAL(guards.list[3].column, 7);
    EXPECT(spec_guards_read(&guards, module, "Plain"));
    EXPECT_EQUAL(guards.count, 1);
    EXPECT(strcmp(guards.list[0].text, "a > 0") == 0 && guards.parameters[0] == '\0');
    EXPECT(!spec_guards_read(&guards, module, "Gone"));
}

static void every_action_of_every_spec_is_found(void)
{
    static struct spec_guards guards;
    for (uint32_t m = 0; m < spec_count(); m++) {
        char error[512] = "";
        size_t size_bytes;
        load(spec_at(m)->name);
        char *text =
            spec_read_file(folder.module, SPEC_FILE_BYTES_MAX, &size_bytes, error, sizeof error);
        EXPECT(text != NULL);
        for (uint32_t a = 0; a < folder.model->action_count; a++) {
            EXPECT(spec_guards_read(&guards, text, instance.actions[a].name));
            for (uint32_t g = 0; g < guards.count; g++) {
                EXPECT(strchr(guards.list[g].text, '\'') == NULL);
            }
        }
        free(text);
    }
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static char path[64];

static void write_rows(const char *text)
{
    snprintf(path, sizeof path, "/tmp/brownout-rows-%ld.txt", (long)getpid());
    FILE *file = fopen(path, "wb");
    EXPECT(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void rows_of_tlc_are_read_as_they_were_meant(void)
{
    static struct spec_pack pack;
    static struct spec_stuck stuck[2];
    struct spec_trace traces[2];
    bool accepted[2];
    char error[512] = "", rows[1024];
    load("Telemetry");
    trace_walk(&traces[0], &instance, 1, 20);
    trace_walk(&traces[1], &instance, 2, 20);
    traces[1].events[3].move = (struct spec_move){action_named("Accept"), {1, 1, 2}};
    traces[1].events[3].sight_count = 1;
    traces[1].events[3].sights[0] = (struct follow_sight){.variable = 0};
    while (strcmp(instance.variables[traces[1].events[3].sights[0].variable].name, "top") != 0) {
        traces[1].events[3].sights[0].variable++;
    }
    traces[1].events[3].sights[0].value = 9;
    const struct spec_trace *list[] = {&traces[0], &traces[1]};
    EXPECT(spec_pack_make(&pack, folder.model, traces[0].k, list, 2, error, sizeof error));
    write_rows("TLC says this\n<<\"ACCEPT\", 2>>\n");
    EXPECT(spec_trace_read_accepted(&pack, path, accepted, error, sizeof error));
    EXPECT(!accepted[0] && accepted[1]);
    write_rows("<<\"ACCEPT\", 3>>\n");
    EXPECT(!spec_trace_read_accepted(&pack, path, accepted, error, sizeof error));

    const struct spec_trace_module module = {
        .pack = &pack, .config = config, .text = "Accept(d, e, c) ==\n    /\\ c > 2 /\\ e = 1\n"};
    uint32_t at = pack.begins[1];
    struct spec_trace_event event;
    for (uint32_t i = 0; i < 3; i++) {
        at += spec_pack_read(&pack, at, &event);
    }
    snprintf(rows, sizeof rows,
             "<<\"STUCK\", 2, %u, 2>>\n<<\"STATE\", 2, 0, \"<<{1, 2, 3, 5, 7, 8}>>\">>\n"
             "<<\"STATE\", 2, 1, \"<<\\\"a\\\", 4>>\">>\n",
             at + 1);
    write_rows(rows);
    EXPECT(spec_trace_read_stuck(&module, path, stuck, error, sizeof error));
    EXPECT(!stuck[0].is_stuck && stuck[1].is_stuck);
    EXPECT_EQUAL(stuck[1].index, 3);
    EXPECT(strcmp(stuck[1].why, "guard of Accept(d, e, c) does not hold: e = 1") == 0);
    EXPECT(strstr(stuck[1].state, "[1] = {1..3, 5, 7, 8}\n") != NULL);
    EXPECT(strstr(stuck[1].state, "\"a\", 4") != NULL);
    free(stuck[1].state);
    snprintf(rows, sizeof rows, "<<\"MADE\", 2, %u, 0, 0, \"7\">>\n<<\"STUCK\", 2, %u, 0>>\n",
             at + 1, at + 1);
    write_rows(rows);
    EXPECT(spec_trace_read_stuck(&module, path, stuck, error, sizeof error));
    EXPECT(strcmp(stuck[1].why, "variable top: 7 in the spec, 9 in the run") == 0);
    free(stuck[1].state);
    snprintf(rows, sizeof rows, "<<\"MADE\", 2, %u, 2, 0, \"9\">>\n<<\"STUCK\", 2, %u, 0>>\n",
             at + 1, at + 1);
    write_rows(rows);
    EXPECT(spec_trace_read_stuck(&module, path, stuck, error, sizeof error));
    EXPECT(strstr(stuck[1].why, config->invariants.list[1]) != NULL);
    free(stuck[1].state);
    unlink(path);
    spec_pack_free(&pack);
    spec_trace_free(&traces[0]);
    spec_trace_free(&traces[1]);
}

int main(void)
{
    RUN(every_step_of_every_law_comes_back_from_its_numbers);
    RUN(values_of_any_size_get_numbers_of_their_own);
    RUN(looks_come_back_with_their_keys_and_wrong_words);
    RUN(what_cannot_be_told_is_refused_with_the_step);
    RUN(damage_changes_what_it_says_and_nothing_else);
    RUN(guards_are_the_conjuncts_that_speak_of_the_state_alone);
    RUN(every_action_of_every_spec_is_found);
    RUN(rows_of_tlc_are_read_as_they_were_meant);
    return 0;
}
