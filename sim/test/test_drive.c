/* Goal: a core that does what its spec says is taken along its edges, one that does not is told
 * from it, and what cannot be shown is counted as that and nothing else. Method: the driver of
 * Telemetry on a small instance, as it is and behind a hand that falsifies one thing. */
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/drive_node.h"
#include "sim/drive_telemetry.h"
#include "sim/spec_drive.h"
#include "sim/spec_scenario.h"
#include "sim/spec_undriven.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    drive_check_failed(file, line, what);
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    exit(1);
}

static struct spec_folder folder;
static struct spec_instance instance;
static struct spec_graph graph;
static char error[1024];

static const struct spec_config *config_of(const char *name)
{
    for (uint32_t i = 0; i < folder.config_count; i++) {
        if (strcmp(folder.configs[i].name, name) == 0) {
            return &folder.configs[i];
        }
    }
    EXPECT(false);
    return NULL;
}

static const struct spec_model *telemetry(void)
{
    uint32_t i = 0;
    while (strcmp(spec_at(i)->name, "Telemetry") != 0) {
        i++;
    }
    return spec_at(i);
}

static void instance_of(const char *name)
{
    EXPECT(spec_folder_read(&folder, telemetry(), ".", error, sizeof error));
    EXPECT(spec_instance_init(&instance, telemetry(), config_of(name), error, sizeof error));
}

static enum drive_end cover(const struct driver *driver, uint64_t sample,
                            struct drive_report *report)
{
    const struct drive_request request = {.seed = 5, .steps_max = 200, .sample = sample};
    FILE *out = fopen("/dev/null", "w");
    EXPECT(out != NULL);
    const enum drive_end end =
        spec_drive_cover(driver, &graph, &request, report, out, error, sizeof error);
    fclose(out);
    return end;
}

static void the_core_goes_along(void)
{
    static struct drive_report report;
    EXPECT_EQUAL(cover(&drive_telemetry, 3000, &report), DRIVE_END_GOOD);
    EXPECT(report.driven > 1000 && !report.whole && !report.strayed);
    EXPECT_EQUAL(report.driven + report.undriven + report.beyond, report.edges);
}

/* ---- A hand that falsifies ------------------------------------------------------------------- */

static enum { HONEST, LOOKS_AWAY, LOSES_ACKS, LOSES_POWER } hand;

static enum drive_outcome false_act(void *rig, const struct spec_move *move, const char **why)
{
    if ((hand == LOSES_ACKS && move->action == ACTION_ack) ||
        (hand == LOSES_POWER && move->action == ACTION_power_loss)) {
        *why = NULL;
        return DRIVE_DONE;
    }
    return drive_telemetry.act(rig, move, why);
}

static void false_look(void *rig, int32_t *cells, bool *seen)
{
    drive_telemetry.look(rig, cells, seen);
    for (uint32_t i = 0; hand == LOOKS_AWAY && i < instance.cell_count; i++) {
        cells[i] += instance.cells[i].variable == VARIABLE_durable_top ? 1 : 0;
    }
}

static void what_is_not_so_is_told(void)
{
    static struct drive_report report;
    struct driver driver = drive_telemetry;
    driver.act = false_act;
    driver.look = false_look;
    hand = HONEST;
    EXPECT_EQUAL(cover(&driver, 3000, &report), DRIVE_END_GOOD);
    for (hand = LOOKS_AWAY; hand <= LOSES_POWER; hand++) {
        EXPECT_EQUAL(cover(&driver, 20000, &report), DRIVE_END_DIVERGED);
    }
}

/* Slots and acks decide as well: who keeps that for himself is found out. */
static void a_key_that_says_too_little_is_told(void)
{
    static struct drive_report report;
    struct driver driver = drive_telemetry;
    driver.key = NULL;
    EXPECT_EQUAL(cover(&driver, 30000, &report), DRIVE_END_GOOD);
    EXPECT(report.strayed);
}

static enum drive_outcome refuse(void *rig, const struct spec_move *move, const char **why)
{
    (void)rig;
    (void)move;
    *why = "never";
    return DRIVE_UNDRIVEN;
}

static void what_is_refused_everywhere_is_undriven(void)
{
    static struct drive_report report;
    struct driver driver = drive_telemetry;
    driver.act = refuse;
    EXPECT_EQUAL(cover(&driver, 0, &report), DRIVE_END_GOOD);
    EXPECT(report.whole);
    EXPECT_EQUAL(report.driven, 0);
    EXPECT_EQUAL(report.sites, 1);
    EXPECT(report.undriven > 0 && report.reason_count > 0);
    EXPECT_EQUAL(report.undriven + report.beyond, report.edges);
}

/* ---- The list -------------------------------------------------------------------------------- */

static bool list(const char *text, struct undriven *undriven)
{
    struct spec_folder own = folder;
    char path[SPEC_PATH_BYTES + 16];
    char parent[] = "/tmp/brownout_XXXXXX";
    EXPECT(mkdtemp(parent) != NULL);
    snprintf(own.path, sizeof own.path, "%s", parent);
    snprintf(path, sizeof path, "%s/UNDRIVEN", parent);
    if (text != NULL) {
        FILE *file = fopen(path, "w");
        EXPECT(file != NULL && fputs(text, file) >= 0);
        fclose(file);
    }
    const bool good = undriven_read(undriven, &own, &instance, error, sizeof error);
    (void)unlink(path);
    EXPECT_EQUAL(rmdir(parent), 0);
    return good;
}

static void the_list_is_read_strictly(void)
{
    static struct undriven undriven;
    EXPECT(list(NULL, &undriven) && undriven.count == 0);
    EXPECT(list("# why\n\n  Send : it is so \nReserve:a: b\n", &undriven));
    EXPECT_EQUAL(undriven.count, 2);
    const uint32_t line = undriven_find(&undriven, ACTION_send, "it is so");
    EXPECT(line == 0 && undriven.lines[line].number == 3);
    EXPECT_EQUAL(undriven_find(&undriven, ACTION_reserve, "a: b"), 1);
    EXPECT_EQUAL(undriven_find(&undriven, ACTION_reserve, "it is so"), UINT32_MAX);
    EXPECT(!list("Send\n", &undriven) && strstr(error, ":1: write Action: reason") != NULL);
    EXPECT(!list("Send:\n", &undriven));
    EXPECT(!list("\nSand: it is so\n", &undriven) && strstr(error, ":2: ") != NULL);
}

/* ---- Scenarios ------------------------------------------------------------------------------- */

static struct spec_move move_of(const char *text)
{
    for (uint32_t i = 0; i < instance.move_count; i++) {
        char name[SPEC_MOVE_BYTES];
        spec_print_move(&instance, &instance.moves[i], name, sizeof name);
        if (strcmp(name, text) == 0) {
            return instance.moves[i];
        }
    }
    EXPECT(false);
    return instance.moves[0];
}

static bool scenario(const char *const *names, uint32_t count, char *text, size_t text_bytes)
{
    static struct spec_moves moves;
    memset(text, 0, text_bytes);
    moves.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        moves.list[moves.count++] = move_of(names[i]);
    }
    FILE *file = fmemopen(text, text_bytes, "w");
    EXPECT(file != NULL);
    const bool good =
        spec_scenario_write(&drive_telemetry, &instance, &moves, file, error, sizeof error);
    fclose(file);
    return good;
}

static void a_fault_strikes_behind_the_word_before_it(void)
{
    static char text[4096];
    const char *const walk[] = {"CloudLoss",  "Reserve(1)", "Sign(1)",      "Store(1, 0)", "Commit",
                                "Reserve(1)", "Sign(1)",    "PowerLoss(1)", "Send(1, 1)"};
    EXPECT(scenario(walk, 8, text, sizeof text));
    EXPECT(strstr(text, "on = \"cloud1\", lasts = \"30s\", at = \"1m\" }") != NULL);
    EXPECT(strstr(text, "on = \"dev1\", lasts = \"30s\", evidence = \"SIGN\", nth = 2 }") != NULL);
    EXPECT(strstr(text, "\"power_losses\", \"==\", 2 ") != NULL);
    EXPECT(strstr(text, "The walk ends here") == NULL);
    EXPECT(scenario(walk, 9, text, sizeof text));
    EXPECT(strstr(text, "on = \"dev1\", lasts = \"30s\", evidence = \"SEND\", nth = 1 }") != NULL);
    EXPECT(strstr(text, "\"power_losses\", \"==\", 3 ") != NULL);
}

static void what_no_strike_does_is_refused(void)
{
    static char text[4096];
    const char *const walk[] = {"Found(1)"};
    instance_of("bug_keep_epoch");
    EXPECT(!scenario(walk, 1, text, sizeof text));
    EXPECT(strstr(error, "step 1, Found(1)") != NULL);
}

int main(void)
{
    if (MQTT_INFLIGHT_MAX < BENCH_COPIES_MAX) {
        printf("skipped: limits are too small for a step of the cloud with several copies\n");
        return 77;
    }
    instance_of("MC_reserve");
    EXPECT(spec_explore(&graph, &instance, SPEC_STATES_MAX, error, sizeof error));
    RUN(the_core_goes_along);
    RUN(what_is_not_so_is_told);
    RUN(a_key_that_says_too_little_is_told);
    RUN(what_is_refused_everywhere_is_undriven);
    RUN(the_list_is_read_strictly);
    RUN(a_fault_strikes_behind_the_word_before_it);
    RUN(what_no_strike_does_is_refused);
    spec_graph_free(&graph);
    return 0;
}
