/* The executable laws: state machines that accept or reject each observation.
 * A model sees only what a role said (core/evidence.h) and what befell the world (truths, which the
 * simulator alone can tell); never a core struct. The judge is all models together.
 * No heap: the caller provides judge_size_bytes() of zeroed memory.
 */
#ifndef BROWNOUT_MODELS_MODEL_H
#define BROWNOUT_MODELS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/evidence.h"

enum law {
#define LAW(ID, name, statement) LAW_##ID,
#include "models/laws.def"
#undef LAW
    LAW_COUNT
};

const char *law_name(enum law law);
const char *law_statement(enum law law);

/* Truths follow the evidence kinds in one numbering. A server's image follows its DOWN: at once, or
 * when it has booted and before it serves. */
enum truth {
    TRUTH_FIRST = EVIDENCE_COUNT,
    TRUTH_DOWN = TRUTH_FIRST, /* node lost power (value 0), or died or was reset (1) */
    TRUTH_UP,                 /* node boots */
    TRUTH_IMAGE,     /* a listing of node's crash image begins (after DOWN, and at the end) */
    TRUTH_READING,   /* image of a cloud: a row of table reading; body = its envelope */
    TRUTH_WINDOW,    /* image of a cloud: a row of table window; counter: top; value: the first
                      * bits of what it has seen */
    TRUTH_QUEUED,    /* image of a gateway: a row of table queue */
    TRUTH_IMAGE_END, /* what was not listed is not there */
    TRUTH_STALL, /* node is hung or suspended for `value` us; said once, before it samples again */
    TRUTH_HEAL,  /* faults end, but where LEFT says otherwise; the liveness phase begins */
    TRUTH_END,   /* the run ends */
    /* Of a device with firmware to update; SLOT (for each slot) and FLOOR come before each JUMP, in
     * each crash image, and at the end. */
    TRUTH_RELEASE, /* an image was made: counter: sequence of its manifest, value: security level */
    TRUTH_SLOT,    /* epoch: slot; counter: sequence of the whole, authentic image in it; 0: none */
    TRUTH_FLOOR,   /* value: the security counter */
    TRUTH_SETTLED, /* nothing is left to do for it, all faults are over; counter: what it runs */
    TRUTH_KNOWN,   /* the cloud's row of a device, at the end; counter: sequence, value: outcome */
    TRUTH_DARK,    /* it was booted again and again, and nothing ran */
    /* What it keeps in flash beside its images, as the boot loader left it: before each JUMP. */
    TRUTH_RECORD,   /* epoch: confirmed slot, 2 if the record does not read; counter: the newest
                       sequence that was ever confirmed */
    TRUTH_TRIAL,    /* counter: sequence on trial, 0: none; value: boots that it has left */
    TRUTH_REVERTED, /* counter: sequence last reverted, 0: none; value: times in a row */
    /* As the agent found it: before each BOOT of a device that has its flash. */
    TRUTH_TAKEN, /* counter: sequence of the download, 0: none; value: sectors that count */
    /* Of each device. */
    TRUTH_OUTBOX,  /* its store is mounted, ahead of all that it says of readings; counter: the next
                      one that it will draw; epoch 0: there is no store; value: readings that have
                      come back, which follow: */
    TRUTH_KEPT,    /* counter; value: slot of its record */
    TRUTH_RESPOND, /* its answer to a challenge is about to leave; counter: floor. Said ahead of
                      whatever else it says behind it */
    /* Of devices and gateways. */
    TRUTH_LINK, /* node opens a link to the node `value`; those that it opened before are over */
    TRUTH_LEFT, /* behind HEAL: a device that was not healed, or has no way to the cloud for good:
                   laws of liveness ask nothing of it */
    TRUTH_COUNT
};

struct observation {
    uint64_t time_us; /* simulated, since the start */
    uint64_t event;   /* index of the event in whose step it was said */
    uint32_t kind;    /* enum evidence_kind or enum truth */
    uint32_t node;    /* who said it, or whom it befell */
    uint32_t device;
    uint32_t epoch;
    uint64_t counter;
    uint64_t value;
    uint64_t body[2]; /* 128-bit hash of the evidence's body; zero without one */
};

enum model_role { MODEL_CLOUD, MODEL_GATEWAY, MODEL_DEVICE, MODEL_OTHER };

struct follow_step;

struct judge_config {
    uint32_t node_count;
    const enum model_role *roles; /* [node_count], by node number; 0 is nobody: MODEL_OTHER. A
                                     device's number is its node number. Borrowed for the judge's
                                     life. One cloud */
    uint32_t cloud_window;        /* bits */
    uint32_t outbox_max;
    uint32_t reserve; /* counters that a device reserves at once; 0: no device is followed */
    uint32_t queue_max;
    uint64_t sample_every_us;
    const uint64_t *periods_us; /* [node_count]: in place of it, of each device; NULL: all alike.
                                   Borrowed for the judge's life */
    uint32_t burst;             /* so many samples in a row, and then */
    uint64_t idle_us;           /* none for so long; burst 0: one period after the other */
    uint64_t sample_slack_us;   /* how late a sample may be: drift of 1/8 of sample_every_us, busy
                                   time; where it waits for longer, 1/8 of that more */
    uint32_t trials;       /* boots that an unconfirmed image gets; 0: firmware is not managed */
    uint32_t reverts_max;  /* times that one image may be reverted and taken again; 0: any */
    uint32_t image_bytes;  /* of each release; >= 1 where firmware is managed, as are */
    uint32_t sector_bytes; /* of a device's flash */
    /* Hears each step of a law that has a spec, before it is judged (models/follow.h): the name of
     * the law, the constants of its spec in this run, and the kind of state that the step is taken
     * in: at most 32 bits of the law's own. NULL: nobody does. */
    void (*heard)(void *ctx, const char *law, const int32_t *k, const struct follow_step *step,
                  uint32_t shape);
    void *heard_ctx;
};

enum { VIOLATION_WHAT_BYTES = 160 };

struct violation {
    enum law law;
    struct observation observation;  /* what broke it */
    char what[VIOLATION_WHAT_BYTES]; /* the guard or variable that disagrees */
    uint64_t expected, actual;
};

struct judge;

size_t judge_size_bytes(const struct judge_config *config);
void judge_init(struct judge *judge, const struct judge_config *config);
/* From here on these hear, in place of those of the config that it was made with. */
void judge_tell(struct judge *judge,
                void (*heard)(void *ctx, const char *law, const int32_t *k,
                              const struct follow_step *step, uint32_t shape),
                void *ctx);
/* False if a law is broken: *violation says which. A broken law is reported once. */
bool judge_observe(struct judge *judge, const struct observation *observation,
                   struct violation *violation);
/* Laws that no model judges, because nobody says what they are about: flash.*, of which the
 * simulator alone knows. It counts its tests, and tells what it found. True: *violation is to be
 * reported; false: the law is void there, or was reported before. observation: when, and at which
 * node. */
struct judge_finding {
    const char *what; /* static text */
    uint64_t expected, actual;
};
void judge_exercise(struct judge *judge, enum law law, uint64_t times);
bool judge_found(struct judge *judge, enum law law, const struct observation *observation,
                 const struct judge_finding *finding, struct violation *violation);
/* From here on `law` is not judged where node is at fault (a fault class voids it); no node:
 * nowhere.
 */
void judge_void(struct judge *judge, enum law law, uint32_t node);
bool judge_is_void(const struct judge *judge, enum law law);
/* Devices that a law of a spec (spec.*) no longer follows: void there, broken, or beyond what it
 * can tell or keep. */
uint32_t judge_unfollowed(const struct judge *judge, enum law law);
/* Readings of other devices that spec.session no longer follows (models/follow_session.h). */
uint64_t judge_unfollowed_readings(const struct judge *judge);
/* How often the run took an action, by its number in the .def, of the spec Telemetry or Session:
 * law is LAW_SPEC_TELEMETRY or LAW_SPEC_SESSION. */
uint64_t judge_steps(const struct judge *judge, enum law law, uint32_t action);
/* At the end of a run: devices that had not delivered what they owed, but went on delivering in the
 * last quarter of the liveness phase. Whether they would have cannot be told: no law is broken. */
uint32_t judge_recovering(const struct judge *judge);
/* How often a law was put to the test. */
uint64_t judge_exercised(const struct judge *judge, enum law law);

#endif
