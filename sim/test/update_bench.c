#include "sim/test/update_bench.h"

#include <string.h>

#include "core/cbor.h"
#include "core/crypto/openssl.h"
#include "core/record_id.h"
#include "core/test/test.h"
#include "sim/flash.h"
#include "sim/ideal.h"
#include "sim/random.h"

enum {
    HIGH_LEVEL = 3,
    TRIALS = 2,
    REVERTS_MAX = 2,
    SLOT_SECTORS = 1 + BENCH_IMAGE_SECTORS,
    SECTORS = 3 + 3 + 2 * SLOT_SECTORS,
    AUTHOR = 1,
    OPERATOR = 2,
};

/* ---- The spec ---- */

static const char *const variable_names[] = {
#define VARIABLE(name) #name,
    BENCH_VARIABLES(VARIABLE)
#undef VARIABLE
};

static const struct spec_model *model;
static int32_t constants[SPEC_CONSTANTS_MAX];
static struct spec_action actions[SPEC_ACTIONS_MAX];
static uint32_t word_of[VAR_COUNT];
static uint64_t steps[SPEC_ACTIONS_MAX]; /* taken, of each action */

int32_t bench_get(const struct state *state, enum variable variable)
{
    return state->words[word_of[variable]];
}

void bench_set(struct state *state, enum variable variable, int32_t value)
{
    state->words[word_of[variable]] = value;
}

uint32_t bench_state_words(void)
{
    return model->state_words;
}

const char *bench_action(uint32_t index, uint64_t *taken)
{
    if (index >= model->action_count) {
        return NULL;
    }
    *taken = steps[index];
    return actions[index].name;
}

int32_t bench_get_slot(const struct state *state, enum variable variable, uint32_t slot)
{
    return state->words[word_of[variable] + slot];
}

static void set_constant(const char *name, int32_t value)
{
    bool found = false;
    for (uint32_t i = 0; i < model->constant_count; i++) {
        if (strcmp(model->constants[i].name, name) == 0) {
            constants[i] = value;
            found = true;
        }
    }
    EXPECT(found);
}

static void spec_prepare(void)
{
    struct spec_variable variables[SPEC_VARIABLES_MAX];
    for (uint32_t i = 0; i < spec_count(); i++) {
        model = strcmp(spec_at(i)->name, "Update") == 0 ? spec_at(i) : model;
    }
    EXPECT(model != NULL && model->state_words <= BENCH_WORDS);
    set_constant("Releases", BENCH_RELEASES);
    set_constant("HighLevel", HIGH_LEVEL);
    set_constant("Sectors", BENCH_IMAGE_SECTORS);
    set_constant("Trials", TRIALS);
    set_constant("RevertsMax", REVERTS_MAX);
    set_constant("MaxLosses", 1);
    set_constant("MaxSpoils", 1);
    model->variables(constants, variables);
    model->actions(constants, actions);
    for (uint32_t i = 0; i < VAR_COUNT; i++) {
        uint32_t at = 0;
        while (at < model->variable_count && strcmp(variables[at].name, variable_names[i]) != 0) {
            at++;
        }
        EXPECT(at < model->variable_count);
        word_of[i] = variables[at].word;
    }
}

/* False: the spec does not allow it, and nothing changed. */
bool bench_step(struct state *state, const char *action_name, int32_t parameter)
{
    const int32_t parameters[SPEC_PARAMETERS_MAX] = {parameter};
    struct state next = *state;
    uint32_t action = 0;
    while (action < model->action_count && strcmp(actions[action].name, action_name) != 0) {
        action++;
    }
    EXPECT(action < model->action_count);
    if (!model->step(constants, action, parameters, next.words)) {
        return false;
    }
    *state = next;
    steps[action]++;
    return true;
}

/* ---- The device ---- */

static struct {
    struct crypto_openssl openssl;
    struct ideal ideal;
    struct port_crypto crypto;
    struct key_pair author, operator;
    struct release releases[BENCH_RELEASES + 1];
} maker;

struct device bench_device;
struct update_config bench_config;
static bool tears; /* the operation in flight is done by half when power goes */

static enum err program(void *ctx, uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    struct cut_port *self = ctx;
    const struct flash_cut cut = {size_bytes / BENCH_UNIT_BYTES / 2, FLASH_TEAR_NONE};
    if (tears && !self->dead && self->operations + 1 == self->cut_at) {
        EXPECT_EQUAL(flash_program_cut(self->flash, offset, bytes, size_bytes, cut), ERR_OK);
    }
    return cut_port_of(self).flash_program(ctx, offset, bytes, size_bytes);
}

struct port bench_port(struct device *of)
{
    struct port port = cut_port_of(&of->rig);
    port.crypto = maker.crypto;
    port.flash_program = program;
    return port;
}

static void make_release(uint32_t sequence)
{
    const struct port port = {.crypto = maker.crypto};
    struct random_stream stream = {random_key(sequence, "image"), 0};
    struct release *release = &maker.releases[sequence];
    release->manifest = (struct manifest){
        .sequence = {sequence},
        .security = {sequence % 2 == 0 ? HIGH_LEVEL : 1},
        .hardware = 1,
        .size_bytes = BENCH_AREA_BYTES,
        .expires_us = MANIFEST_NEVER,
    };
    uint8_t bytes[MANIFEST_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    random_bytes(&stream, release->area, BENCH_AREA_BYTES);
    EXPECT_EQUAL(image_digest(&port, release->area, BENCH_AREA_BYTES, BENCH_AREA_BYTES, 0xff,
                              release->manifest.digest),
                 ERR_OK);
    EXPECT_EQUAL(manifest_encode(&release->manifest, bytes, &size_bytes), ERR_OK);
    EXPECT_EQUAL(manifest_sign(&port, &maker.author, AUTHOR, MANIFEST_AUTHOR, bytes, size_bytes,
                               &release->envelopes),
                 ERR_OK);
    EXPECT_EQUAL(manifest_sign(&port, &maker.operator, OPERATOR, MANIFEST_OPERATOR, bytes,
                               size_bytes, &release->envelopes),
                 ERR_OK);
}

static void maker_prepare(void)
{
    static const uint64_t secret[2] = {1, 2};
    struct port_crypto real;
    EXPECT_EQUAL(crypto_openssl_init(&maker.openssl, &real), ERR_OK);
    ideal_init(&maker.ideal, secret, &real, &maker.crypto);
    maker.author.seed[0] = AUTHOR;
    maker.operator.seed[0] = OPERATOR;
    EXPECT_EQUAL(maker.crypto.public_key(maker.crypto.ctx, &maker.author), ERR_OK);
    EXPECT_EQUAL(maker.crypto.public_key(maker.crypto.ctx, &maker.operator), ERR_OK);
    for (uint32_t sequence = 1; sequence <= BENCH_RELEASES; sequence++) {
        make_release(sequence);
    }
    bench_config = (struct update_config){
        .boot = {.layout = {.boot_store = {0, 3},
                            .app_store = {3, 3},
                            .slots = {{6, SLOT_SECTORS}, {6 + SLOT_SECTORS, SLOT_SECTORS}}},
                 .authority = {.author = AUTHOR, .operator= OPERATOR, .hardware = 1},
                 .trials = {TRIALS}},
        .enabled = true,
        .reverts_max = REVERTS_MAX,
    };
    memcpy(bench_config.boot.authority.author_key, maker.author.public_key, KEY_BYTES);
    memcpy(bench_config.boot.authority.operator_key, maker.operator.public_key, KEY_BYTES);
}

const struct release *bench_release(uint32_t sequence)
{
    EXPECT(sequence >= 1 && sequence <= BENCH_RELEASES);
    return &maker.releases[sequence];
}

void bench_power(uint32_t cut_at, bool torn)
{
    const struct cut cut = {cut_at == 0 ? CUT_NONE : CUT_BEFORE, 0, 0};
    cut_port_set(&bench_device.rig, cut, cut_at, 0);
    tears = torn;
}

enum err bench_boot(void)
{
    const struct port port = bench_port(&bench_device);
    const struct slot_region *region = &bench_config.boot.layout.app_store;
    static struct boot boot;
    memset(&boot, 0x5a, sizeof boot);
    const enum err err = boot_run(&boot, &bench_config.boot, &port, &bench_device.report);
    if (err != ERR_OK) {
        return err;
    }
    update_init(&bench_device.update, &bench_config, &port, &bench_device.report);
    enum err mounted =
        store_mount(&bench_device.store, &port, region->first_sector, region->sector_count);
    if (mounted == ERR_NOT_FOUND) {
        mounted =
            store_format(&bench_device.store, &port, region->first_sector, region->sector_count);
    }
    bench_device.store.failed = bench_device.store.failed || mounted != ERR_OK;
    return ERR_OK;
}

/* A device as it leaves the line, which has booted once: the first release in slot A. */
static void make_device(void)
{
    static const struct flash_profile profile = {
        .geometry = {.sector_bytes = BENCH_SECTOR_BYTES,
                     .sector_count = SECTORS,
                     .program_bytes = BENCH_UNIT_BYTES,
                     .erased_value = 0xff},
        .program_us = 40,
        .erase_us = 85000,
    };
    const struct slot_layout *layout = &bench_config.boot.layout;
    bench_device.rig.flash = flash_create(&profile);
    EXPECT(bench_device.rig.flash != NULL);
    bench_power(0, false);
    const struct port port = bench_port(&bench_device);
    const uint32_t area = slot_area_offset(layout, &port.flash, SLOT_A);
    for (uint32_t at = 0; at < BENCH_AREA_BYTES; at += BENCH_SECTOR_BYTES) {
        EXPECT_EQUAL(port.flash_program(port.ctx, area + at, maker.releases[1].area + at,
                                        BENCH_SECTOR_BYTES),
                     ERR_OK);
    }
    EXPECT_EQUAL(slot_header_program(layout, &port, SLOT_A, &maker.releases[1].envelopes), ERR_OK);
    EXPECT_EQUAL(bench_boot(), ERR_OK);
    bench_power(0, false);
}

void bench_prepare(struct state *state)
{
    spec_prepare();
    maker_prepare();
    make_device();
    *state = (struct state){{0}};
    EXPECT(model->init(constants, 0, state->words));
}

void bench_free(void)
{
    flash_free(bench_device.rig.flash);
    crypto_openssl_free(&maker.openssl);
}

/* ---- What the device is, seen as the spec sees it ---- */

/* Sectors of the release at the beginning of the slot's image area. */
static int32_t leading(struct device *of, uint32_t slot, int32_t sequence)
{
    uint8_t area[BENCH_AREA_BYTES];
    const uint32_t offset =
        slot_area_offset(&bench_config.boot.layout, &of->rig.flash->profile.geometry, slot);
    EXPECT_EQUAL(flash_read(of->rig.flash, offset, area, sizeof area, 0), ERR_OK);
    int32_t count = 0;
    while (count < BENCH_IMAGE_SECTORS &&
           memcmp(area + count * BENCH_SECTOR_BYTES,
                  maker.releases[sequence].area + count * BENCH_SECTOR_BYTES,
                  BENCH_SECTOR_BYTES) == 0) {
        count++;
    }
    return count;
}

static bool same_record(struct device *of, const struct port *port, const struct state *state)
{
    struct boot_record record;
    const bool lost =
        boot_record_load(&of->store, port, &bench_config.boot.layout, &record) != ERR_OK;
    if (lost || bench_get(state, VAR_lost)) {
        return lost && bench_get(state, VAR_lost);
    }
    const struct boot_trial none = {.slot = SLOT_NONE};
    const struct boot_trial trial = record.trial.slot == SLOT_NONE ? none : record.trial;
    const uint32_t reverts = record.revert.count < REVERTS_MAX ? record.revert.count : REVERTS_MAX;
    return (int32_t)record.confirmed == bench_get(state, VAR_confirmed) &&
           (int32_t)record.sequence.number == bench_get(state, VAR_highest) &&
           (int32_t)trial.sequence.number == bench_get(state, VAR_trial) &&
           (int32_t)trial.trials.left == bench_get(state, VAR_left) &&
           (int32_t)record.revert.sequence.number == bench_get(state, VAR_reverted) &&
           (int32_t)reverts == bench_get(state, VAR_reverts);
}

static bool same_progress(struct device *of, const struct port *port, const struct state *state)
{
    const struct slot_region *region = &bench_config.boot.layout.app_store;
    uint8_t bytes[64];
    uint32_t size_bytes = sizeof bytes;
    int32_t taken = 0, filled = 0;
    if (store_mount(&of->store, port, region->first_sector, region->sector_count) == ERR_OK &&
        store_get(&of->store, port, RECORD_PROGRESS, bytes, &size_bytes) == ERR_OK) {
        struct cbor_reader reader;
        cbor_read(&reader, bytes, size_bytes);
        cbor_get_array(&reader, 4);
        (void)cbor_get_u32(&reader);
        taken = (int32_t)cbor_get_uint(&reader);
        filled = (int32_t)cbor_get_u32(&reader);
    }
    return taken == bench_get(state, VAR_taken) && filled == bench_get(state, VAR_filled);
}

/* What was written of a download counts; what an earlier one left behind that, the spec forgets. */
static bool same_slot(struct device *of, const struct port *port, const struct state *state,
                      uint32_t slot)
{
    struct manifest_envelopes envelopes;
    struct manifest manifest;
    enum image_fault fault = slot_header_read(&bench_config.boot.layout, port, slot, &envelopes);
    if (fault == IMAGE_FAULT_NONE) {
        fault = manifest_open(port, &bench_config.boot.authority, &envelopes, &manifest);
    }
    const int32_t header = fault == IMAGE_FAULT_NONE ? (int32_t)manifest.sequence.number : 0;
    const int32_t content = bench_get_slot(state, VAR_content, slot);
    const int32_t whole = bench_get_slot(state, VAR_whole, slot);
    bool same = header == bench_get_slot(state, VAR_header, slot);
    if (content != 0) {
        const int32_t count = leading(of, slot, content);
        return same && (header != 0 ? count == whole : count >= whole);
    }
    for (int32_t sequence = 1; sequence <= BENCH_RELEASES; sequence++) {
        same = same && leading(of, slot, sequence) < BENCH_IMAGE_SECTORS;
    }
    return same;
}

/* To look leaves no trace: mounting a store may write. */
bool bench_is_like(const struct state *state)
{
    static struct device copy;
    copy = bench_device;
    copy.rig.flash = flash_snapshot(bench_device.rig.flash);
    EXPECT(copy.rig.flash != NULL);
    cut_port_set(&copy.rig, (struct cut){CUT_NONE, 0, 0}, 0, 0);
    const struct port port = bench_port(&copy);
    const bool same =
        same_slot(&copy, &port, state, SLOT_A) && same_slot(&copy, &port, state, SLOT_B) &&
        (int32_t)flash_counter(copy.rig.flash, COUNTER_SECURITY) == bench_get(state, VAR_floor) &&
        same_record(&copy, &port, state) && same_progress(&copy, &port, state);
    flash_drop(copy.rig.flash);
    return same;
}
