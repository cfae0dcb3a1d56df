/* The state of the telemetry model. Private to telemetry.c (what roles say) and telemetry_image.c
 * (what images and the end of a run show).
 */
#ifndef BROWNOUT_MODELS_TELEMETRY_STATE_H
#define BROWNOUT_MODELS_TELEMETRY_STATE_H

#include "models/telemetry.h"

enum {
    /* Readings of a device that are remembered one by one; a power of two. Twice the 4096 that a
     * device may let lie between its newest and its oldest unacked counter, so that no reading
     * that still matters is ever overwritten by a device that keeps to its bound. */
    SPAN = 8192,
};

/* What is known of a reading. */
enum {
    SIGNED = 1 << 0,
    FORKED = 1 << 1, /* signed again with other bytes: no body is the right one */
    STORED = 1 << 2,
    SHED = 1 << 3,
    RELEASED = 1 << 4,
    TENTATIVE = 1 << 5, /* accepted, not yet committed */
    MAYBE = 1 << 6,     /* tentative when the cloud fell: the image will tell */
    ACCEPTED = 1 << 7,  /* the cloud goes by it: committed, or in the image that it booted from */
    FIRM = 1 << 8,      /* and nothing may take it: committed, or there after a loss of power. What
                           is seen after the death of a process alone may not have been synced */
    LISTED = 1 << 9,    /* its slot is on the list of tentative ones */
    ROW = 1 << 10,      /* in the image that is being listed */
};

struct slot {
    uint64_t body;
    uint64_t counter;
    uint32_t epoch;
    uint16_t flags; /* 0: never used */
    uint16_t next;  /* tentative ones of a device: 1 + slot; 0 ends the list */
};

/* The replay window as the model keeps it: its own rule, not the cloud's bits. */
struct replay_window {
    bool established;
    uint32_t epoch;
    uint64_t top;   /* highest counter accepted or closed */
    uint64_t floor; /* all up to here are closed by a challenge */
};

struct device {
    uint32_t epoch;   /* highest signed */
    uint64_t counter; /* highest signed in it */
    bool signed_once; /* the two above hold */
    bool restarted;   /* has signed nothing since its boot */
    uint32_t held;    /* stored, neither shed nor released, as far as was said: a lower bound */
    uint64_t oldest;  /* no counter below is held */
    uint32_t used;    /* slots that were ever used are below */
    bool healed;      /* the liveness phase has begun: counters up to heal_counter must arrive */
    uint32_t heal_epoch;
    uint64_t heal_counter;
    uint64_t release_us; /* time of its last RELEASE */
    uint64_t left_firm;  /* firm readings that left the ring, */
    uint64_t left_maybe; /* and such that may be there */

    struct replay_window firm;      /* nothing may take it */
    struct replay_window committed; /* what the cloud goes back to when a commit fails */
    struct replay_window said;      /* with all that was said since */
    bool pending;  /* on the model's list: said may differ, or some are tentative */
    bool doubtful; /* pending when the cloud fell */
    uint32_t pending_next;
    uint16_t tentative; /* 1 + slot; 0: none */

    bool row_window; /* of the image that is being listed */
    uint32_t row_epoch;
    uint64_t row_top;
    uint64_t rows_left; /* rows of readings that left the ring */

    struct slot ring[SPAN]; /* by counter modulo SPAN */
};

struct telemetry_model {
    const struct judge_config *config;
    struct device *devices;
    uint32_t device_count;
    uint32_t *places; /* [node_count]: 1 + index of the device; 0 = not one */
    uint32_t pending; /* devices since the last commit: 1 + index; 0 ends the list */
    bool power_lost;  /* by the cloud, just now: the image that follows is what is durable */
    uint64_t heal_us;
    uint32_t recovering; /* devices that at the end had readings left, and were at it */
};

/* Where a reading is. */
enum place {
    NEVER, /* never signed */
    LEFT,  /* the ring has gone on: signed perhaps, and resolved if so */
    HERE,
};

/* 64 bits of the body's hash: nobody here looks for collisions. */
static inline uint64_t fold(const uint64_t body[2])
{
    return body[0] + body[1] * UINT64_C(0x9E3779B97F4A7C15);
}

static inline struct slot *slot_of(struct device *device, uint64_t counter)
{
    return &device->ring[counter % SPAN];
}

static inline enum place find(struct device *device, const struct observation *observation,
                              struct slot **out)
{
    struct slot *slot = slot_of(device, observation->counter);
    *out = slot;
    if (slot->flags == 0) {
        return NEVER;
    }
    if (slot->epoch == observation->epoch && slot->counter == observation->counter) {
        return HERE;
    }
    return slot->epoch > observation->epoch ||
                   (slot->epoch == observation->epoch && slot->counter > observation->counter)
               ? LEFT
               : NEVER;
}

static inline bool has(const struct slot *slot, uint32_t flags)
{
    return (slot->flags & flags) != 0;
}

static inline bool is_held(const struct device *device, const struct slot *slot)
{
    return has(slot, STORED) && !has(slot, SHED | RELEASED) && slot->epoch == device->epoch;
}

/* How a transaction of the cloud ends. */
enum outcome { COMMITTED, ROLLED_BACK, IN_DOUBT };
void telemetry_settle(struct telemetry_model *model, enum outcome outcome);

/* A row of an image, the image's end, and the run's end. */
void telemetry_row(struct device *device, const struct observation *observation,
                   struct ruling *ruling);
void telemetry_row_window(struct device *device, const struct observation *observation);
void telemetry_image_end(struct telemetry_model *model, struct ruling *ruling);
void telemetry_end(struct telemetry_model *model, struct ruling *ruling);

#endif
