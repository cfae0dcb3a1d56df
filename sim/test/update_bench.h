/* A device with firmware, and the state of specs/Update that it should be in: what the test of the
 * two stands on. One of each; the flash is sim/flash, signatures are stand-ins.
 */
#ifndef BROWNOUT_TEST_UPDATE_BENCH_H
#define BROWNOUT_TEST_UPDATE_BENCH_H

#include "core/update.h"
#include "models/spec.h"
#include "sim/test/cut_port.h"

enum {
    BENCH_RELEASES = 3, /* as in MC.cfg */
    BENCH_IMAGE_SECTORS = 2,
    BENCH_SECTOR_BYTES = 512,
    BENCH_UNIT_BYTES = 8,
    BENCH_AREA_BYTES = BENCH_IMAGE_SECTORS * BENCH_SECTOR_BYTES,
    BENCH_WORDS = 32,
};

/* ---- The spec ---- */

/* clang-format off */
#define BENCH_VARIABLES(X)                                                                         \
    X(header)                                                                                      \
    X(content)                                                                                     \
    X(whole)                                                                                       \
    X(lost) X(confirmed) X(highest) X(trial) X(left) X(reverted) X(reverts) X(taken) X(filled)     \
        X(floor) X(at) X(offer) X(losses) X(spoils)
/* clang-format on */
enum variable {
#define VARIABLE(name) VAR_##name,
    BENCH_VARIABLES(VARIABLE)
#undef VARIABLE
        VAR_COUNT
};

/* As the words of models/update.def. */
enum { OFF, COUNTED, RUN_IT, TRIAL, FALLBACK, ARMED, BEGIN, FILL, ERASED, WRITTEN, FULL };

struct state {
    int32_t words[BENCH_WORDS];
};

int32_t bench_get(const struct state *state, enum variable variable);
int32_t bench_get_slot(const struct state *state, enum variable variable, uint32_t slot);
void bench_set(struct state *state, enum variable variable, int32_t value);
uint32_t bench_state_words(void);
/* False: the spec does not allow it, and nothing changed. */
bool bench_step(struct state *state, const char *action, int32_t parameter);
/* How often each action was taken; NULL: there are no more actions. */
const char *bench_action(uint32_t index, uint64_t *steps);

/* ---- The device ---- */

struct release {
    struct manifest manifest;
    struct manifest_envelopes envelopes;
    uint8_t area[BENCH_AREA_BYTES];
};

/* What it is between two calls. */
struct device {
    struct cut_port rig;
    struct boot_report report;
    struct update update;
    struct store store; /* the application's */
};

extern struct device bench_device;
extern struct update_config bench_config;

/* The first release in slot A, nothing else, and it has booted once; the state that goes with it.
 */
void bench_prepare(struct state *state);
void bench_free(void);
const struct release *bench_release(uint32_t sequence);
struct port bench_port(struct device *device);
/* The power is there; it goes before that operation, counted from 1, and with torn it has done half
 * of it by then. 0: it stays. */
void bench_power(uint32_t cut_at, bool torn);
/* From reset to the running image. */
enum err bench_boot(void) MUST_USE;
/* Is what the device would remember what the state says? To look leaves no trace. */
bool bench_is_like(const struct state *state);

#endif
