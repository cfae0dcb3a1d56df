/* Goal: the real boot loader and the real update agent are the state machine of specs/Update.
 * Method: beginning with a new device, every state of the spec that they can be brought to is
 * visited, and from each one every call is made (boot, offers of all releases, pieces of a
 * download, the end of it, confirm) and every fault is done (spoilt slots, a lost record, a reset).
 * Where a call ends, and what each cut of it leaves in flash, whole or torn, must be what the spec
 * says for the same actions. Cuts at any depth are among these, because the states after them are
 * visited as well: faults have no budget here. Signatures are stand-ins.
 */
#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/flash.h"
#include "sim/random.h"
#include "sim/test/update_bench.h"

enum {
    STEPS_MAX = 16, /* of a call */
    NODES_MAX = 8192,
    TABLE_SIZE = 4 * NODES_MAX,
};

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

/* ---- States that were visited ---- */

static struct {
    struct state state;
    struct device device;
} * nodes[NODES_MAX];
static uint32_t node_count;
static uint32_t table[TABLE_SIZE]; /* 1 + node */
static uint64_t calls, cuts;

/* The device as it is now is in that state, its budgets apart. */
static void add(const struct state *state)
{
    struct state key = *state;
    bench_set(&key, VAR_offer, 0);
    bench_set(&key, VAR_losses, 0);
    bench_set(&key, VAR_spoils, 0);
    uint64_t hash = 0;
    for (uint32_t i = 0; i < bench_state_words(); i++) {
        hash = random_at(hash, (uint64_t)key.words[i]);
    }
    uint32_t at = (uint32_t)(hash % TABLE_SIZE);
    for (; table[at] != 0; at = (at + 1) % TABLE_SIZE) {
        if (memcmp(&nodes[table[at] - 1]->state, &key, sizeof key) == 0) {
            return;
        }
    }
    EXPECT(node_count < NODES_MAX);
    nodes[node_count] = malloc(sizeof *nodes[0]);
    EXPECT(nodes[node_count] != NULL);
    nodes[node_count]->state = key;
    nodes[node_count]->device = bench_device;
    nodes[node_count]->device.rig.flash = flash_snapshot(bench_device.rig.flash);
    EXPECT(nodes[node_count]->device.rig.flash != NULL);
    table[at] = ++node_count;
}

static void enter(uint32_t node)
{
    struct flash *flash = bench_device.rig.flash;
    flash_restore(flash, nodes[node]->device.rig.flash);
    bench_device = nodes[node]->device;
    bench_device.rig.flash = flash;
    bench_power(0, false);
}

/* ---- Calls ---- */

enum call { CALL_BOOT, CALL_OFFER, CALL_HALF, CALL_SECTOR, CALL_FINISH, CALL_CONFIRM };

static enum err make_call(enum call call, int32_t release)
{
    const struct port port = bench_port(&bench_device);
    const struct release *offered = bench_release(release == 0 ? 1 : (uint32_t)release);
    const struct update_offer offer = {&offered->envelopes, 0};
    struct update_piece piece = {0};
    enum image_fault why;
    switch (call) {
    case CALL_BOOT:
        return bench_boot();
    case CALL_OFFER:
        return update_offer(&bench_device.update, &bench_device.store, &port, &offer, &why);
    case CALL_HALF:
    case CALL_SECTOR:
        EXPECT(update_wants(&bench_device.update, &piece.offset, &piece.size_bytes));
        piece.bytes = bench_release((uint32_t)bench_device.update.manifest.sequence.number)->area +
                      piece.offset;
        piece.size_bytes /= call == CALL_HALF ? 2 : 1;
        return update_chunk(&bench_device.update, &bench_device.store, &port, &piece);
    case CALL_FINISH:
        return update_finish(&bench_device.update, &bench_device.store, &port);
    case CALL_CONFIRM:
    default:
        return update_confirm(&bench_device.update, &port, HEALTH_ROUND_TRIP);
    }
}

/* Where the spec says that the device is. */
static int32_t place(void)
{
    const struct update *update = &bench_device.update;
    switch (update->state) {
    case UPDATE_DOWNLOADING:
        return update->received_bytes % BENCH_SECTOR_BYTES == 0 ? FILL : ERASED;
    case UPDATE_COMPLETE:
        return FULL;
    case UPDATE_ARMED:
        return ARMED;
    case UPDATE_IDLE:
        if (update->confirmed) {
            return RUN_IT;
        }
        return update->report.outcome == BOOT_TRIAL ? TRIAL : FALLBACK;
    case UPDATE_FAILED:
    default:
        return -1;
    }
}

/* The actions of a call, in their order: what each of them makes of the state before it. */
struct path {
    struct state states[STEPS_MAX];
    uint32_t last;
};

static bool go(struct path *path, const char *name, int32_t parameter)
{
    EXPECT(path->last + 1 < STEPS_MAX);
    struct state next = path->states[path->last];
    if (!bench_step(&next, name, parameter)) {
        return false;
    }
    path->states[++path->last] = next;
    return true;
}

/* reached: of the path, in and out: the state after the last action that took place. */
static void cut_call(uint32_t node, enum call call, int32_t release, const struct path *path,
                     uint32_t cut_at, bool torn, uint32_t *reached)
{
    enter(node);
    bench_power(cut_at, torn);
    (void)make_call(call, release);
    EXPECT(bench_device.rig.dead);
    cuts++;
    while (*reached <= path->last && !bench_is_like(&path->states[*reached])) {
        ++*reached;
    }
    EXPECT(*reached <= path->last); /* else flash is like nothing that the spec knows */
    struct state state = path->states[*reached];
    EXPECT(bench_get(&state, VAR_at) == OFF || bench_step(&state, "LosePower", 0));
    bench_power(0, false);
    add(&state);
}

/* Make the call, whole and cut at each of its operations. */
static void try_call(uint32_t node, enum call call, int32_t release, const struct path *path)
{
    const struct state *end = &path->states[path->last];
    enter(node);
    const enum err err = make_call(call, release);
    const uint32_t operations = bench_device.rig.operations;
    calls++;
    EXPECT(bench_is_like(end));
    EXPECT_EQUAL(place(), bench_get(end, VAR_at));
    const bool other = place() == TRIAL || place() == FALLBACK;
    const int32_t slot = other ? 1 - bench_get(end, VAR_confirmed) : bench_get(end, VAR_confirmed);
    EXPECT_EQUAL(bench_device.report.slot, slot);
    EXPECT_EQUAL(bench_device.report.manifest.sequence.number,
                 bench_get_slot(end, VAR_header, (uint32_t)slot));
    if (path->last == 0) { /* declined */
        EXPECT_EQUAL(err, ERR_DENIED);
        EXPECT_EQUAL(operations, 0);
        return;
    }
    add(end);
    uint32_t reached = 0, reached_torn = 0;
    for (uint32_t cut_at = 1; cut_at <= operations; cut_at++) {
        cut_call(node, call, release, path, cut_at, false, &reached);
        cut_call(node, call, release, path, cut_at, true, &reached_torn);
    }
}

/* ---- What can be done in each state ---- */

static void try_boot(uint32_t node)
{
    static const char *const names[] = {"Recover", "Count", "JumpTrial", "Revert", "Raise", "Jump"};
    struct path path = {.states = {nodes[node]->state}};
    while (bench_get(&path.states[path.last], VAR_at) <= COUNTED) {
        uint32_t at = 0;
        while (at < sizeof names / sizeof names[0] && !go(&path, names[at], 0)) {
            at++;
        }
        EXPECT(at < sizeof names / sizeof names[0]); /* the spec knows what to do */
    }
    try_call(node, CALL_BOOT, 0, &path);
}

static void try_offer(uint32_t node, int32_t release)
{
    struct path path = {.states = {nodes[node]->state}};
    EXPECT(bench_step(&path.states[0], "Offer", release));
    if (go(&path, "Take", 0)) {
        (void)go(&path, "EraseHeader", 0);
        if (bench_get(&path.states[1], VAR_at) == FULL) { /* that was of the end of a download */
            path.last = 1;
        }
    } else {
        EXPECT(bench_step(&path.states[0], "Decline", 0));
    }
    try_call(node, CALL_OFFER, release, &path);
}

static void try_agent(uint32_t node)
{
    struct path path = {.states = {nodes[node]->state}};
    const int32_t at = bench_get(&nodes[node]->state, VAR_at);
    if (at == FILL) {
        EXPECT(go(&path, "EraseSector", 0));
        try_call(node, CALL_HALF, 0, &path);
    }
    if (at == FILL || at == ERASED) {
        EXPECT(go(&path, "WriteSector", 0) && go(&path, "CountSector", 0));
        try_call(node, CALL_SECTOR, 0, &path);
    }
    if (at == FULL) {
        EXPECT(
            (go(&path, "EraseHeader", 0) && go(&path, "WriteHeader", 0) && go(&path, "Arm", 0)) ||
            go(&path, "Discard", 0));
        try_call(node, CALL_FINISH, 0, &path);
    }
    if (at == TRIAL || at == FALLBACK) {
        EXPECT(go(&path, "Confirm", 0));
        while (go(&path, "Raise", 0)) {
        }
        try_call(node, CALL_CONFIRM, 0, &path);
    }
}

static void try_faults(uint32_t node)
{
    for (int32_t slot = SLOT_A; slot <= SLOT_B; slot++) {
        struct state spoilt = nodes[node]->state;
        if (bench_step(&spoilt, "Spoil", slot)) {
            const uint32_t offset =
                slot_area_offset(&bench_config.boot.layout,
                                 &bench_device.rig.flash->profile.geometry, (uint32_t)slot);
            static const uint8_t zeros[BENCH_UNIT_BYTES];
            enter(node);
            EXPECT_EQUAL(flash_program(bench_device.rig.flash, offset, zeros, sizeof zeros),
                         ERR_OK);
            EXPECT(bench_is_like(&spoilt));
            add(&spoilt);
        }
    }
    struct state without = nodes[node]->state;
    if (bench_step(&without, "LoseRecord", 0)) {
        const struct slot_region *region = &bench_config.boot.layout.boot_store;
        enter(node);
        for (uint32_t i = 0; i < region->sector_count; i++) {
            EXPECT_EQUAL(flash_erase(bench_device.rig.flash,
                                     (region->first_sector + i) * BENCH_SECTOR_BYTES),
                         ERR_OK);
        }
        EXPECT(bench_is_like(&without));
        add(&without);
    }
    struct state off = nodes[node]->state;
    if (bench_step(&off, "LosePower", 0)) {
        enter(node);
        add(&off);
    }
}

static void visit(uint32_t node)
{
    if (bench_get(&nodes[node]->state, VAR_at) == OFF) {
        try_boot(node);
    } else {
        for (int32_t release = 1; release <= BENCH_RELEASES; release++) {
            try_offer(node, release);
        }
        try_agent(node);
        struct state again = nodes[node]->state;
        if (bench_step(&again, "Reset", 0)) {
            enter(node);
            add(&again);
        }
    }
    try_faults(node);
}

static void boot_loader_and_agent_are_what_the_spec_says_at_every_cut(void)
{
    struct state state;
    bench_prepare(&state);
    EXPECT(bench_is_like(&state));
    add(&state);
    for (uint32_t node = 0; node < node_count; node++) {
        visit(node);
    }
    printf("   %" PRIu32 " states, %" PRIu64 " calls, %" PRIu64 " cuts\n", node_count, calls, cuts);
    uint64_t taken = 0;
    for (uint32_t i = 0; bench_action(i, &taken) != NULL; i++) {
        EXPECT(taken > 0);
    }
    EXPECT_EQUAL(bench_device.rig.flash->counts.discipline, 0);
    while (node_count > 0) {
        flash_drop(nodes[--node_count]->device.rig.flash);
        free(nodes[node_count]);
    }
    bench_free();
}

int main(void)
{
    RUN(boot_loader_and_agent_are_what_the_spec_says_at_every_cut);
    return 0;
}
