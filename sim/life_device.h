/* One boot of the device of a life: boot loader, then the image, which works on the goals. All of
 * it is core: boot_run, handover, outbox, vault, update; what is here stands in for the part of
 * core/device.c that talks to a server, which a life does not have.
 *
 * The host is asked at each point at which two lives that came there in different ways may have
 * become the same; it says whether to go on.
 */
#ifndef BROWNOUT_SIM_LIFE_DEVICE_H
#define BROWNOUT_SIM_LIFE_DEVICE_H

#include "core/boot.h"
#include "core/outbox.h"
#include "core/update.h"
#include "core/vault.h"
#include "models/model.h"
#include "sim/life.h"
#include "sim/life_offer.h"

/* What outlives power and is not in the device: how far the life is, and what the world was told.
 * Plain memory without padding, a part of the key of each crash image. */
struct life_mind {
    uint32_t goal;  /* that is worked on; goal_count: none is left */
    uint32_t step;  /* of it: readings stored, offers refused */
    uint32_t draws; /* of entropy for this goal, modulo 2: so that a second draw is another one */
    uint32_t generation; /* of the key in force when the goal began */
    uint64_t next;  /* the start of the public key that the server was asked to sign; 0: none */
    uint64_t epoch; /* as last seen; 0: the device never booted */
    uint64_t top;   /* the highest counter that was drawn in this epoch */
    uint64_t stored[LIFE_OUTBOX_MAX]; /* readings that are stored and not acked; 0: none */
};

/* What is the same for all boots of a life. */
struct life_world {
    const struct life *life;
    const struct firmware *firmware;
    const struct life_offers *offers; /* that must be refused */
    struct outbox_config outbox;
    struct key_pair factory;
    uint8_t secret[KEY_BYTES];
};

/* Who is at work, and may write what. */
enum life_phase {
    LIFE_LOADS,   /* the boot loader */
    LIFE_RUNS,    /* the image in a slot */
    LIFE_REFUSES, /* the same, while it looks at an offer that must change nothing */
};

enum life_place {
    LIFE_AT_JUMP,  /* the boot loader is done */
    LIFE_AT_TAKE,  /* the image knows what the boot loader has told it */
    LIFE_AT_MOUNT, /* the application's store is mounted, keys are loaded */
    LIFE_AT_START, /* the update agent is there, and the server knows what runs */
    LIFE_AT_ACT,   /* something was done for the goal */
    LIFE_PLACE_COUNT
};

struct life_device;

/* Who runs the life. */
struct life_host {
    void *ctx;
    void (*phase)(void *ctx, enum life_phase phase, uint32_t slot);
    /* False: stop here. */
    bool (*reached)(void *ctx, enum life_place place, const struct life_device *device);
    /* Say it of the device, in the name of the world. */
    void (*truth)(void *ctx, uint32_t kind, uint64_t counter, uint64_t value);
    /* A law that the life itself judges; counts it, and does not return if it does not hold. */
    void (*require)(void *ctx, enum law law, const char *what, uint64_t expected, uint64_t actual);
};

/* RAM: it is noise when a boot begins. */
struct life_device {
    struct boot boot;
    struct boot_report loaded; /* by the boot loader */
    struct store store;        /* boot's, as hand-over mounts it */
    struct boot_report report; /* as the image has it */
    struct update update;
    struct outbox outbox;
    struct vault vault;
    bool running; /* the image's parts are there */
};

enum life_end {
    LIFE_HANDED,  /* the image has taken over, and knows how it was booted */
    LIFE_MOUNTED, /* the application's store is mounted, keys are loaded */
    LIFE_DONE,    /* all goals are reached */
    LIFE_STOPPED, /* the host did not want to go on */
    LIFE_RESETS, /* the device was reset: the next boot follows, RAM is lost, retained RAM is not */
    LIFE_DARK,   /* no slot may run */
};

/* One boot is in three parts. The first one looks at the boot loader's store and at the slots, and
 * leaves device->report: HANDED, RESETS, DARK or STOPPED. */
enum life_end life_device_load(struct life_device *device, const struct life_world *world,
                               const struct port *port, const struct life_host *host);
/* The second one mounts the application's store and looks at nothing else; it leaves device->outbox
 * and device->vault: MOUNTED, RESETS, STOPPED. */
enum life_end life_device_mount(struct life_device *device, const struct life_world *world,
                                struct life_mind *mind, const struct port *port,
                                const struct life_host *host);
/* The third one works on the goals, with what the first two have left: DONE, RESETS, STOPPED. */
enum life_end life_device_work(struct life_device *device, const struct life_world *world,
                               struct life_mind *mind, const struct port *port,
                               const struct life_host *host);

/* Say of a reading what its evidence says: kept, acked or given up. For the host's evidence. */
void life_mind_evidence(struct life_mind *mind, const struct evidence *evidence);

#endif
