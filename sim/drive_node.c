#include "sim/drive_node.h"

#include <inttypes.h>
#include <string.h>

#include "core/check.h"

/* Whose call is under way: check_failed() has no other way to know. One thread. */
static struct drive_node *running_node;

static const char *const evidence_names[] = {
#define NAME(NAME, Name) [EVIDENCE_##NAME] = #NAME,
    EVIDENCE_LIST(NAME)
#undef NAME
};

static const char *const refusal_names[] = {
#define NAME(NAME, name) [REFUSAL_##NAME] = #name,
    REFUSAL_LIST(NAME)
#undef NAME
};

/* ---- Time, entropy, crypto ------------------------------------------------------------------- */

static enum err answer(const struct drive_node *node)
{
    return node->dead ? ERR_IO : ERR_OK;
}

static enum err port_clock_read(void *ctx, struct clock_reading *now)
{
    const struct drive_node *node = ctx;
    *now = (struct clock_reading){.monotonic_us = node->now_us, .wall_us = node->now_us};
    return answer(node);
}

static enum err port_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct drive_node *node = ctx;
    const bool none = (node->entropy_fails & 1u) != 0;
    node->entropy_fails >>= 1;
    random_bytes(&node->entropy, bytes, size_bytes);
    return none ? ERR_IO : answer(node);
}

static enum err port_sensor_read(void *ctx, uint32_t sensor, int32_t *value)
{
    struct drive_node *node = ctx;
    (void)sensor;
    *value = node->sensor++;
    return node->sensor_fails ? ERR_IO : answer(node);
}

static enum err port_actuator_set(void *ctx, uint32_t actuator, int32_t value)
{
    (void)actuator;
    (void)value;
    return answer(ctx);
}

/* ---- Links ----------------------------------------------------------------------------------- */

static enum err port_link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    struct drive_node *node = ctx;
    if (node->dead) {
        return ERR_IO;
    }
    *link = ++node->link;
    node->link_peer = peer;
    node->link_asked = true;
    node->link_open = false; /* what was sent over the last one is still on its way */
    return ERR_OK;
}

static int32_t port_link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct drive_node *node = ctx;
    if (node->dead) {
        return ERR_IO;
    }
    if (!node->link_open || link != node->link) {
        return ERR_CLOSED;
    }
    CHECK(size_bytes <= DRIVE_LINK_BYTES - node->out_bytes);
    memcpy(node->out + node->out_bytes, bytes, size_bytes);
    node->out_bytes += size_bytes;
    return (int32_t)size_bytes;
}

static void port_link_close(void *ctx, uint32_t link)
{
    struct drive_node *node = ctx;
    if (!node->dead && link == node->link) {
        node->link_open = false;
        node->link_asked = false;
    }
}

uint32_t drive_node_accept(struct drive_node *node, uint32_t peer)
{
    node->link_peer = peer;
    node->link_open = true;
    node->out_bytes = 0;
    return ++node->link;
}

/* ---- Flash and counters ---------------------------------------------------------------------- */

static enum err port_flash_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    struct drive_node *node = ctx;
    if (node->dead) {
        return ERR_IO;
    }
    const enum err err =
        flash_read(node->flash, offset, bytes, size_bytes, random_next(&node->reads));
    for (uint32_t at = node->garbled_from; at < node->garbled_to; at++) {
        if (at >= offset && at - offset < size_bytes) {
            bytes[at - offset] = (uint8_t)(bytes[at - offset] ^ 0x10u);
        }
    }
    return err;
}

static enum err port_flash_program(void *ctx, uint32_t offset, const uint8_t *bytes,
                                   uint32_t size_bytes)
{
    struct drive_node *node = ctx;
    const bool fails =
        node->cut == DRIVE_PROGRAMS_FAIL && (node->cut_armed || node->cut_kind == EVIDENCE_COUNT);
    if (!node->dead && node->cut_armed && !fails) {
        node->dead = true;
        if (node->cut == DRIVE_CUT_TORN) {
            const enum err err = flash_program_torn(node->flash, offset, bytes, size_bytes,
                                                    node->cut_fraction, random_next(&node->reads));
            CHECK(err == ERR_OK);
            node->flash_changed = true;
        }
    }
    if (node->dead || fails) {
        return ERR_IO;
    }
    node->flash_changed = true;
    return flash_program(node->flash, offset, bytes, size_bytes);
}

static enum err port_flash_erase(void *ctx, uint32_t offset)
{
    struct drive_node *node = ctx;
    node->flash_changed = node->flash_changed || !node->dead;
    return node->dead ? ERR_IO : flash_erase(node->flash, offset);
}

static enum err port_flash_sync(void *ctx)
{
    struct drive_node *node = ctx;
    if (node->dead) {
        return ERR_IO;
    }
    flash_sync(node->flash);
    return ERR_OK;
}

static enum err port_counter_read(void *ctx, enum port_counter counter, uint64_t *value)
{
    const struct drive_node *node = ctx;
    *value = flash_counter(node->flash, counter);
    return answer(node);
}

static enum err port_counter_increment(void *ctx, enum port_counter counter)
{
    struct drive_node *node = ctx;
    node->flash_changed = node->flash_changed || !node->dead;
    return node->dead ? ERR_IO : flash_counter_increment(node->flash, counter);
}

/* No role that is driven keeps anything there. */
static enum err port_retained_read(void *ctx, uint8_t bytes[RETAINED_BYTES])
{
    memset(bytes, 0, RETAINED_BYTES);
    return answer(ctx);
}

static enum err port_retained_write(void *ctx, const uint8_t bytes[RETAINED_BYTES])
{
    (void)bytes;
    return answer(ctx);
}

/* ---- Disk ------------------------------------------------------------------------------------ */

static enum disk_verdict on_disk_operation(void *ctx, enum disk_operation operation, uint32_t file,
                                           uint64_t offset, const uint8_t *bytes,
                                           uint32_t size_bytes)
{
    struct drive_node *node = ctx;
    (void)file;
    (void)offset;
    (void)bytes;
    (void)size_bytes;
    if (operation == DISK_READ || !node->running) {
        return DISK_PROCEED;
    }
    node->disk_changed = true;
    if (operation != DISK_WRITE || node->cut_left == 0 || --node->cut_left > 0) {
        return DISK_PROCEED;
    }
    node->dead = true;
    node->disk->torn_fraction = node->cut_fraction;
    return node->cut == DRIVE_CUT_WRITE_TORN ? DISK_DIE_TORN : DISK_DIE_BEFORE;
}

static void on_disk_randomness(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct drive_node *node = ctx;
    random_bytes(&node->sqlite, bytes, size_bytes);
}

static uint64_t on_disk_wall(void *ctx)
{
    return ((const struct drive_node *)ctx)->now_us;
}

/* ---- Watchdog, reset, evidence --------------------------------------------------------------- */

static void port_watchdog_arm(void *ctx, uint64_t timeout_us)
{
    (void)ctx;
    (void)timeout_us;
}

static enum reset_reason port_reset_reason(void *ctx)
{
    (void)ctx;
    return RESET_POWER_ON;
}

static void port_reset(void *ctx)
{
    struct drive_node *node = ctx;
    node->reset_asked = node->reset_asked || !node->dead;
}

static void port_evidence(void *ctx, const struct evidence *evidence)
{
    struct drive_node *node = ctx;
    if (node->dead) {
        return;
    }
    CHECK(node->said_count < DRIVE_SAID_MAX);
    node->said[node->said_count++] = (struct drive_said){
        evidence->kind, evidence->device, evidence->epoch, evidence->counter, evidence->value};
    if (node->hear != NULL) {
        node->hear(node->hear_ctx, evidence);
    }
    if (evidence->kind == node->cut_kind) {
        node->dead = node->cut == DRIVE_CUT_SAID;
        node->cut_armed = node->cut != DRIVE_CUT_SAID;
    }
}

static uint32_t count_from(const struct drive_node *node, enum evidence_kind kind, uint32_t first)
{
    uint32_t count = 0;
    for (uint32_t i = first; i < node->said_count; i++) {
        count += node->said[i].kind == kind ? 1 : 0;
    }
    return count;
}

uint32_t drive_node_count(const struct drive_node *node, enum evidence_kind kind)
{
    return count_from(node, kind, 0);
}

uint32_t drive_node_count_new(const struct drive_node *node, enum evidence_kind kind)
{
    return count_from(node, kind, node->said_first);
}

void drive_node_tell(const struct drive_node *node, const char *who, const char *indent, FILE *file)
{
    for (uint32_t i = 0; i < node->said_count; i++) {
        const struct drive_said *said = &node->said[i];
        fprintf(file, "%s%-8s %-9s", indent, who, evidence_names[said->kind]);
        if (said->device != 0) {
            fprintf(file, " epoch %" PRIu32 " counter %" PRIu64, said->epoch, said->counter);
        }
        if ((said->kind == EVIDENCE_REJECT || said->kind == EVIDENCE_DROP ||
             said->kind == EVIDENCE_REFUSE) &&
            said->value < REFUSAL_COUNT) {
            fprintf(file, ": %s", refusal_names[said->value]);
        }
        fprintf(file, "\n");
    }
    if (node->dead) {
        fprintf(file, "%s%-8s the power went\n", indent, who);
    }
    if (node->fault[0] != '\0') {
        fprintf(file, "%s%-8s %s\n", indent, who, node->fault);
    }
}

/* ---- Links ----------------------------------------------------------------------------------- */

bool drive_node_take(struct drive_node *node, uint32_t link, uint8_t bytes[DRIVE_LINK_BYTES],
                     struct event *event)
{
    const uint32_t size_bytes = node->out_bytes;
    if (size_bytes == 0) {
        return false;
    }
    memcpy(bytes, node->out, size_bytes);
    node->out_bytes = 0;
    *event = (struct event){
        .kind = EVENT_LINK_DATA, .link = link, .bytes = bytes, .size_bytes = size_bytes};
    return true;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void make_port(struct drive_node *node, const struct port_crypto *crypto)
{
    node->port = (struct port){
        .ctx = node,
        .clock_read = port_clock_read,
        .link_open = port_link_open,
        .link_send = port_link_send,
        .link_close = port_link_close,
        .flash_read = port_flash_read,
        .flash_program = port_flash_program,
        .flash_erase = port_flash_erase,
        .flash_sync = port_flash_sync,
        .disk_path = node->disk_path,
        .entropy = port_entropy,
        .crypto = *crypto,
        .counter_read = port_counter_read,
        .counter_increment = port_counter_increment,
        .retained_read = port_retained_read,
        .retained_write = port_retained_write,
        .watchdog_arm = port_watchdog_arm,
        .reset_reason = port_reset_reason,
        .reset = port_reset,
        .sensor_read = port_sensor_read,
        .actuator_set = port_actuator_set,
        .evidence = port_evidence,
    };
}

void drive_node_init(struct drive_node *node, const char *name, const struct port_crypto *crypto)
{
    memset(node, 0, sizeof *node);
    node->entropy = (struct random_stream){random_key(1, name), 0};
    node->sqlite = (struct random_stream){random_key(2, name), 0};
    node->reads = (struct random_stream){random_key(3, name), 0};
    make_port(node, crypto);
}

static void power_on(struct drive_node *node)
{
    node->cut = DRIVE_NO_CUT;
    node->cut_kind = EVIDENCE_COUNT;
    node->cut_left = 0;
    node->cut_armed = false;
    node->sensor_fails = false;
    node->garbled_from = node->garbled_to = 0;
    node->entropy_fails = 0;
    node->dead = false;
}

void drive_node_begin(struct drive_node *node)
{
    node->said_count = node->said_first = 0;
    power_on(node);
}

void drive_node_call(struct drive_node *node,
                     void (*run)(void *role, const struct port *port, const void *argument),
                     void *role, const void *argument)
{
    CHECK(running_node == NULL);
    running_node = node;
    node->running = true;
    if (node->flash != NULL) {
        node->port.flash = node->flash->profile.geometry;
    }
    if (node->disk != NULL) {
        node->disk->hooks =
            (struct disk_hooks){node, on_disk_operation, on_disk_randomness, on_disk_wall};
        disk_set_current(node->disk);
        disk_reset_randomness();
    }
    if (setjmp(node->escape) == 0) {
        run(role, &node->port, argument);
    }
    if (node->disk != NULL) {
        disk_set_current(NULL);
    }
    node->running = false;
    running_node = NULL;
}

void drive_node_boot(struct drive_node *node)
{
    power_on(node);
    node->now_us = 0;
    node->link_open = node->link_asked = node->reset_asked = false;
    node->out_bytes = 0;
}

void drive_check_failed(const char *file, int line, const char *what)
{
    struct drive_node *node = running_node;
    if (node == NULL || strncmp(file, "sim/", 4) == 0) {
        return;
    }
    if (!node->dead && node->fault[0] == '\0') {
        snprintf(node->fault, sizeof node->fault, "%s:%d: %s", file, line, what);
    }
    longjmp(node->escape, 1);
}
