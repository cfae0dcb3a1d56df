/* One machine of the fleet: a role of core, its RAM, and the simulated port that it calls.
 *
 * Power loss is a dead port. A cut is placed at a port operation (plan trigger) or at a time; one
 * that falls inside an operation tears it as the flash or disk model says. From then on the port
 * has no effect and answers ERR_IO until the step returns; then the RAM is dropped. In a dead node
 * a failed CHECK, or more than NODE_DEAD_CALLS_MAX further calls, leaves the step by longjmp.
 */
#ifndef BROWNOUT_SIM_NODE_H
#define BROWNOUT_SIM_NODE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/event.h"
#include "core/port.h"
#include "sim/clock.h"
#include "sim/disk.h"
#include "sim/flash.h"
#include "sim/flash_law.h"
#include "sim/hash.h"
#include "sim/net.h"
#include "sim/plan.h"
#include "sim/random.h"
#include "sim/world.h"

enum {
    NODE_DEAD_CALLS_MAX = 10000,   /* port calls of a dead node before it counts as spinning */
    NODE_LIVE_CALLS_MAX = 1000000, /* port calls of one step of a live node */
    NODE_TRIGGERS_MAX = 64,
};

/* A role as the simulator runs it: the four functions of core, and drop for servers. */
struct role {
    const char *name;
    void (*init)(void *memory, const void *config, const struct port *port);
    void (*step)(void *memory, const struct port *port, const struct event *event);
    uint64_t (*deadline_us)(const void *memory);
    size_t (*view)(const void *memory, struct world_view *out, size_t capacity);
    void (*drop)(void *memory); /* NULL: none */
};

/* What all nodes of a world share: the stage on which they act. */
struct stage {
    struct hash hash;
    struct net *net;
    struct port_crypto crypto;
    const struct plan *plan;
    const struct world_options *options;
    uint64_t event; /* index of the event being taken */
    uint64_t figures[FIGURE_COUNT];
    uint64_t probes[PROBE_COUNT];
    uint64_t fired[EFFECT_COUNT];
    void *ctx; /* the world, for the calls below */
    void (*evidence)(void *ctx, uint32_t node, uint64_t time_us, const struct evidence *evidence);
    /* A trigger with a delay has fired: strike at time_us. */
    void (*strike)(void *ctx, uint32_t entry, uint64_t time_us);
    /* A program or an erase has begun, and may have been cut; breaches: of the part's rules. */
    void (*flash_write)(void *ctx, uint32_t node, struct flash_range range, uint64_t breaches);
    /* A node has opened a link to `peer`. */
    void (*linked)(void *ctx, uint32_t node, uint32_t peer);
    int32_t (*sensor)(void *ctx, uint32_t node, uint64_t time_us, uint64_t ordinal);
    char check_text[256]; /* of the first CHECK that failed in a live node, or a spin */
};

enum node_fall {
    NODE_STANDS,
    NODE_POWER_LOST,
    NODE_DISK_LOST, /* and the power with it */
    NODE_PROCESS_DIED,
};

struct node_trigger {
    uint32_t entry;
    uint32_t left; /* matches until it fires */
};

struct node {
    uint32_t number;
    uint32_t role_mask; /* ROLE_MASK_* */
    const struct role *role;
    const void *config;
    size_t memory_bytes;
    void *memory; /* the role's RAM; NULL while it is off */
    struct port port;
    struct stage *stage;

    /* What outlives the RAM. */
    struct flash *flash; /* NULL: none */
    struct disk *disk;   /* NULL: none */
    char disk_path[32];
    uint64_t counters[COUNTER_COUNT];
    uint8_t retained[RETAINED_BYTES];
    enum reset_reason reset_reason;
    struct clock clock;
    uint32_t boots;
    uint32_t running; /* the slot that the boot loader jumped to; SLOT_NONE: it runs */
    struct flash_counts flash_seen; /* of its part, as far as figures and judge know them */

    /* Streams of this node's own. */
    struct random_stream entropy, sqlite, early;
    uint64_t flash_key, poison_key;
    uint64_t flash_fault_key;
    uint64_t tear_key; /* of what a cut leaves of counters and retained RAM */
    uint64_t sensor_ordinal, flash_ordinal, tear_ordinal;

    /* The step under way, and what it leaves. */
    uint64_t start_us;   /* true time at which it began */
    uint64_t elapsed_us; /* what its operations took so far */
    uint64_t busy_until_us, stalled_until_us;
    bool stepping, in_disk;
    enum node_fall fall; /* set inside the step: the port is dead */
    uint32_t fall_entry; /* plan entry that struck; PLAN_ANY: none */
    uint32_t calls, dead_calls;
    bool reset_asked;
    bool said_boot;   /* in the step under way */
    bool told_outbox; /* since its boot */
    uint64_t told_answers;
    bool image_owed; /* its process died: what it left is judged when it has booted */
    jmp_buf escape;

    /* Timers: an event in the queue is good only if its generation is the current one. */
    uint64_t timer_at_us;
    bool timer_early; /* the timer set is one of those that come before their time */
    uint32_t timer_generation, watchdog_generation, boot_generation;
    uint64_t watchdog_at_us; /* UINT64_MAX: disarmed */

    uint64_t cut_at_us; /* next power cut or crash at a time; UINT64_MAX: none */
    uint32_t cut_entry;
    uint32_t trigger_count;
    struct node_trigger triggers[NODE_TRIGGERS_MAX];
    uint32_t brown_out_ppm;        /* chance that a program of flash writes garbage */
    uint64_t aged_us;              /* until when its flash has aged */
    uint32_t attack[EFFECT_COUNT]; /* rogues: what the plan has switched on: ppm, or how many */
};

/* Fill node->port; the other fields are the world's to fill. */
void node_port(struct node *node);
/* Boot: fresh poisoned RAM, init. Returns how the node is afterwards. */
enum node_fall node_boot(struct node *node, uint64_t now_us);
/* One event. The node stands, or fell inside the step. */
enum node_fall node_step(struct node *node, uint64_t now_us, const struct event *event);
/* Drop the RAM and do to the media what the fall does. */
void node_fall(struct node *node, enum node_fall fall, uint64_t key);
bool node_up(const struct node *node);
/* True time inside the step under way: its start and what its operations took so far. */
uint64_t node_instant(const struct node *node);
/* Arm a trigger. False: NODE_TRIGGERS_MAX are armed. */
bool node_arm(struct node *node, uint32_t entry);

/* A CHECK failed, in any code of this process. Leaves the step of the node that is stepping;
 * returns only if none is. */
void node_check_failed(const char *file, int line, const char *what);

#endif
