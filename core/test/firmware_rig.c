#include "core/test/firmware_rig.h"

#include <string.h>

#include "core/test/test.h"

enum { AUTHOR = 11, OPERATOR = 12 };

/* ---- The port ---- */

static bool rig_strikes(struct rig *rig)
{
    rig->writes++;
    rig->dead = rig->dead || rig->writes == rig->cut_at;
    return rig->dead || rig->worn;
}

static enum err rig_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    struct rig *rig = ctx;
    EXPECT(offset <= sizeof rig->cells);
    EXPECT(size_bytes <= sizeof rig->cells - offset);
    if (rig->dead || offset / RIG_SECTOR_BYTES == rig->unreadable) {
        rig->dead = rig->dead || rig->deadly;
        return ERR_IO;
    }
    memcpy(bytes, rig->cells + offset, size_bytes);
    return ERR_OK;
}

/* The bytes that are there, or all bits programmed. */
static bool may_again(const struct rig *rig, uint32_t offset, const uint8_t *bytes)
{
    static const uint8_t full[RIG_UNIT_BYTES];
    return memcmp(bytes, rig->cells + offset, RIG_UNIT_BYTES) == 0 ||
           memcmp(bytes, full, RIG_UNIT_BYTES) == 0;
}

static enum err rig_program(void *ctx, uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    struct rig *rig = ctx;
    EXPECT(size_bytes > 0);
    EXPECT(offset % RIG_UNIT_BYTES == 0 && size_bytes % RIG_UNIT_BYTES == 0);
    EXPECT(offset <= sizeof rig->cells && size_bytes <= sizeof rig->cells - offset);
    EXPECT_EQUAL(offset / RIG_SECTOR_BYTES, (offset + size_bytes - 1) / RIG_SECTOR_BYTES);
    if (rig_strikes(rig)) {
        return ERR_IO;
    }
    for (uint32_t at = offset; at < offset + size_bytes; at += RIG_UNIT_BYTES) {
        EXPECT(!rig->programmed[at / RIG_UNIT_BYTES] || may_again(rig, at, bytes + (at - offset)));
        rig->programmed[at / RIG_UNIT_BYTES] = true;
    }
    memcpy(rig->cells + offset, bytes, size_bytes);
    return ERR_OK;
}

static enum err rig_erase(void *ctx, uint32_t offset)
{
    struct rig *rig = ctx;
    EXPECT(offset % RIG_SECTOR_BYTES == 0 && offset < sizeof rig->cells);
    if (rig_strikes(rig)) {
        return ERR_IO;
    }
    memset(rig->cells + offset, 0xff, RIG_SECTOR_BYTES);
    memset(rig->programmed + offset / RIG_UNIT_BYTES, 0, RIG_SECTOR_BYTES / RIG_UNIT_BYTES);
    return ERR_OK;
}

static enum err rig_sync(void *ctx)
{
    const struct rig *rig = ctx;
    return rig->dead ? ERR_IO : ERR_OK;
}

static enum err rig_counter_read(void *ctx, enum port_counter counter, uint64_t *value)
{
    const struct rig *rig = ctx;
    *value = rig->counters[counter];
    return rig->dead || rig->counterless ? ERR_IO : ERR_OK;
}

static enum err rig_counter_increment(void *ctx, enum port_counter counter)
{
    struct rig *rig = ctx;
    if (rig_strikes(rig) || rig->counterless) {
        return ERR_IO;
    }
    rig->counters[counter]++;
    return ERR_OK;
}

static void rig_watchdog_arm(void *ctx, uint64_t timeout_us)
{
    struct rig *rig = ctx;
    rig->watchdog_us = timeout_us;
}

static enum err rig_retained_read(void *ctx, uint8_t bytes[RETAINED_BYTES])
{
    const struct rig *rig = ctx;
    memcpy(bytes, rig->retained, RETAINED_BYTES);
    return rig->dead ? ERR_IO : ERR_OK;
}

static enum err rig_retained_write(void *ctx, const uint8_t bytes[RETAINED_BYTES])
{
    struct rig *rig = ctx;
    if (rig_strikes(rig)) {
        return ERR_IO;
    }
    memcpy(rig->retained, bytes, RETAINED_BYTES);
    return ERR_OK;
}

static enum err rig_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct rig *rig = ctx;
    if (rig->dead) {
        return ERR_IO;
    }
    memset(bytes, (int)(0x40 + rig->drawn++), size_bytes);
    return ERR_OK;
}

static void rig_evidence(void *ctx, const struct evidence *evidence)
{
    struct rig *rig = ctx;
    rig->said[evidence->kind]++;
    rig->last[evidence->kind] = *evidence;
}

/* ---- The device ---- */

void rig_prepare(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    rig->unreadable = RIG_SECTORS;
    rig->port = (struct port){
        .ctx = rig,
        .flash = {.sector_bytes = RIG_SECTOR_BYTES,
                  .sector_count = RIG_SECTORS,
                  .program_bytes = RIG_UNIT_BYTES,
                  .erased_value = 0xff},
        .flash_read = rig_read,
        .flash_program = rig_program,
        .flash_erase = rig_erase,
        .flash_sync = rig_sync,
        .counter_read = rig_counter_read,
        .counter_increment = rig_counter_increment,
        .watchdog_arm = rig_watchdog_arm,
        .retained_read = rig_retained_read,
        .retained_write = rig_retained_write,
        .entropy = rig_entropy,
        .evidence = rig_evidence,
    };
    EXPECT_EQUAL(crypto_openssl_init(&rig->openssl, &rig->port.crypto), ERR_OK);
    rig->author.seed[0] = AUTHOR;
    rig->operator.seed[0] = OPERATOR;
    EXPECT_EQUAL(rig->port.crypto.public_key(rig->port.crypto.ctx, &rig->author), ERR_OK);
    EXPECT_EQUAL(rig->port.crypto.public_key(rig->port.crypto.ctx, &rig->operator), ERR_OK);
    rig->boot_config = (struct boot_config){
        .layout = {.boot_store = {0, 3},
                   .app_store = {3, 3},
                   .slots = {{6, RIG_SLOT_SECTORS}, {6 + RIG_SLOT_SECTORS, RIG_SLOT_SECTORS}}},
        .authority = {.author = AUTHOR,
                      .operator= OPERATOR,
                      .hardware = RIG_HARDWARE,
                      .component_count = 1,
                      .components = {{RIG_RADIO, 4}}},
        .trials = {RIG_TRIALS},
        .watchdog_us = 5000000,
    };
    struct manifest_authority *authority = &rig->boot_config.authority;
    memcpy(authority->author_key, rig->author.public_key, KEY_BYTES);
    memcpy(authority->operator_key, rig->operator.public_key, KEY_BYTES);
    rig->update_config =
        (struct update_config){.boot = rig->boot_config, .enabled = true, .reverts_max = 2};
}

void rig_make(struct rig *rig, const struct release *factory)
{
    const struct slot_layout *layout = &rig->boot_config.layout;
    rig_power(rig, 0);
    rig->worn = rig->deadly = rig->counterless = false;
    rig->unreadable = RIG_SECTORS;
    memset(rig->counters, 0, sizeof rig->counters);
    for (uint32_t sector = 0; sector < RIG_SECTORS; sector++) {
        EXPECT_EQUAL(rig_erase(rig, sector * RIG_SECTOR_BYTES), ERR_OK);
    }
    memcpy(rig_slot(rig, SLOT_A), factory->image, factory->manifest.size_bytes);
    EXPECT_EQUAL(slot_header_program(layout, &rig->port, SLOT_A, &factory->envelopes), ERR_OK);
}

void rig_free(struct rig *rig)
{
    crypto_openssl_free(&rig->openssl);
}

void rig_release(struct rig *rig, struct release *release, uint64_t sequence, uint64_t level,
                 uint32_t size_bytes)
{
    EXPECT(size_bytes <= RIG_AREA_BYTES);
    memset(release, 0, sizeof *release);
    for (uint32_t i = 0; i < size_bytes; i++) {
        release->image[i] = (uint8_t)(sequence * 131 + i * 7 + i / 256);
    }
    release->manifest = (struct manifest){
        .sequence = {sequence},
        .security = {level},
        .version = {1, (uint16_t)sequence, 0},
        .hardware = RIG_HARDWARE,
        .size_bytes = size_bytes,
        .expires_us = 1000000 + sequence,
    };
    EXPECT_EQUAL(image_digest(&rig->port, release->image, size_bytes, RIG_AREA_BYTES, 0xff,
                              release->manifest.digest),
                 ERR_OK);
    rig_sign(rig, release);
}

void rig_sign(struct rig *rig, struct release *release)
{
    uint8_t bytes[MANIFEST_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    EXPECT_EQUAL(manifest_encode(&release->manifest, bytes, &size_bytes), ERR_OK);
    EXPECT_EQUAL(manifest_sign(&rig->port, &rig->author, AUTHOR, MANIFEST_AUTHOR, bytes, size_bytes,
                               &release->envelopes),
                 ERR_OK);
    EXPECT_EQUAL(manifest_sign(&rig->port, &rig->operator, OPERATOR, MANIFEST_OPERATOR, bytes,
                               size_bytes, &release->envelopes),
                 ERR_OK);
}

void rig_power(struct rig *rig, uint32_t cut_at)
{
    rig->dead = false;
    rig->writes = 0;
    rig->cut_at = cut_at;
}

/* The application's store; left read-only where that fails. */
static void mount(struct rig *rig)
{
    const struct slot_region *region = &rig->boot_config.layout.app_store;
    enum err err = store_mount(&rig->store, &rig->port, region->first_sector, region->sector_count);
    if (err == ERR_NOT_FOUND) {
        err = store_format(&rig->store, &rig->port, region->first_sector, region->sector_count);
    }
    rig->store.failed = rig->store.failed || err != ERR_OK;
}

enum err rig_boot(struct rig *rig)
{
    rig->watchdog_us = 0;
    memset(&rig->boot, 0x5a, sizeof rig->boot); /* RAM is whatever it is */
    const enum err err = boot_run(&rig->boot, &rig->boot_config, &rig->port, &rig->report);
    if (err == ERR_OK) {
        update_init(&rig->update, &rig->update_config, &rig->port, &rig->report);
        mount(rig);
    }
    return err;
}

enum err rig_install(struct rig *rig, const struct release *release)
{
    enum image_fault why;
    uint32_t offset, size_bytes;
    const struct update_offer offer = {&release->envelopes, 1};
    enum err err = update_offer(&rig->update, &rig->store, &rig->port, &offer, &why);
    while (err == ERR_OK && update_wants(&rig->update, &offset, &size_bytes)) {
        const struct update_piece piece = {offset, release->image + offset, size_bytes};
        err = update_chunk(&rig->update, &rig->store, &rig->port, &piece);
    }
    return err == ERR_OK ? update_finish(&rig->update, &rig->store, &rig->port) : err;
}

void rig_replace(struct rig *rig, const struct release *release)
{
    EXPECT_EQUAL(rig_install(rig, release), ERR_OK);
    EXPECT_EQUAL(rig_boot(rig), ERR_OK);
    EXPECT_EQUAL(rig->report.outcome, BOOT_TRIAL);
    EXPECT_EQUAL(update_confirm(&rig->update, &rig->port, HEALTH_ROUND_TRIP), ERR_OK);
}

uint8_t *rig_slot(struct rig *rig, uint32_t slot)
{
    return rig->cells + slot_area_offset(&rig->boot_config.layout, &rig->port.flash, slot);
}

bool rig_holds(const struct rig *rig, uint32_t slot, const struct release *release)
{
    const uint8_t *area =
        rig->cells + slot_area_offset(&rig->boot_config.layout, &rig->port.flash, slot);
    bool same = memcmp(area, release->image, release->manifest.size_bytes) == 0;
    for (uint32_t i = release->manifest.size_bytes; i < RIG_AREA_BYTES; i++) {
        same = same && area[i] == 0xff;
    }
    return same;
}
