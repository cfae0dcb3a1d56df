/* The world from inside: what its source files share. Everybody else uses world.h.
 *   world.c        the loop: one event at a time, and what can be asked
 *   world_make.c   a fleet, its media and streams from a plan
 *   world_reseed.c its streams, and other ones from the middle of a run on
 *   observe.c      evidence and truths: to figures, probes, the judge, and whoever looks on
 *   strike.c       what befalls nodes and links, and how it ends
 */
#ifndef BROWNOUT_SIM_WORLD_INSIDE_H
#define BROWNOUT_SIM_WORLD_INSIDE_H

#include "core/crypto/openssl.h"
#include "sim/capture.h"
#include "sim/fleet.h"
#include "sim/ideal.h"
#include "sim/node.h"
#include "sim/recovery.h"
#include "sim/profile.h"
#include "sim/queue.h"
#include "sim/readings.h"
#include "sim/world.h"

struct world {
    struct plan plan;
    struct world_options options;
    struct stage stage;
    struct queue queue;
    struct fleet *fleet;
    struct capture *capture;
    struct crypto_openssl *openssl;
    struct ideal *ideal;
    struct profile device_profile, gateway_profile;
    struct flash_profile flash; /* of the devices' parts */
    struct readings *readings;  /* NULL: drawn */
    struct disk *scratch;       /* where crash images are judged */
    uint64_t sensor_key, fall_key;

    uint32_t node_count;
    struct node *nodes; /* [node_count + 1]; nodes[0] is nobody */

    uint64_t now_us;
    uint64_t told_us; /* the instant inside a step at which its node fell; else 0 */
    uint64_t event_count;
    uint32_t filed_count; /* entries of the plan that were filed */
    /* Of the first so many entries, those later than this never strike (world_reseed). */
    uint32_t withdrawn_count;
    uint64_t withdrawn_us;
    bool healed, ending;
    uint8_t *left; /* [node_count + 1], WORLD_LEFT_*; NULL: all is healed, or heal is to come */
    enum world_state state;
    char error[256];
    uint64_t filed[EFFECT_COUNT];

    struct judge *judge;
    bool canary; /* the first acceptance is still to be told twice */
    enum model_role *model_roles;
    struct recovery recovery;
    uint64_t *periods_us;       /* [nodes + 1], of devices: between two samples */
    struct workload_seen *seen; /* [nodes + 1], of devices */
    bool violated;
    struct violation violation;
    int expectation_failed;
    uint32_t image_node; /* whose image is being read */
};

enum { WORLD_LEFT_DARK = 1, WORLD_LEFT_UNASKED = 2 /* sim/heal_core.h */ };

/* Schedule an event, now at the earliest. */
void world_schedule(struct world *world, uint64_t time_us, enum world_event_kind kind, uint32_t a,
                    uint32_t b);

/* Come to the first real event of a world just made. */
void world_settle(struct world *world);

/* The instant that is now: in a step that a node fell in, the one at which it fell. */
uint64_t world_instant_us(const struct world *world);

/* world_reseed.c */
void world_seed(struct world *world, uint64_t seed);
void world_seed_node(const struct world *world, struct node *node, uint64_t seed);
bool world_is_withdrawn(const struct world *world, uint32_t entry);

/* observe.c */
void observe_event(struct world *world, const struct queue_event *event, uint32_t node);
void observe_effect(struct world *world, uint32_t entry, uint32_t phase);
void observe_truth(struct world *world, enum truth truth, uint32_t node, uint64_t value);
/* Judge what the node's media really hold, on a copy: never on a live database, where a SELECT
 * would move its operations. */
void observe_image(struct world *world, struct node *node);
/* Firmware: a release exists; what a device's slots and floor really are; and at the end, after
 * heal, what it runs. */
void observe_release(struct world *world, const struct manifest *manifest);
void observe_slots(struct world *world, const struct node *node);
/* Has the device answered a challenge since the last look? To be asked before anything is told that
 * comes behind it, and behind each step. */
void observe_answer(struct world *world, struct node *node);
void observe_settled(struct world *world, const struct node *node);
/* A law that no model judges was broken. */
void observe_violation(struct world *world, const struct violation *violation);
/* Did whoever runs write where it may, and as the part has to be written? */
void observe_flash_write(void *ctx, uint32_t node, struct flash_range range, uint64_t breaches);
void observe_link(void *ctx, uint32_t node, uint32_t peer);
void observe_evidence(void *ctx, uint32_t node, uint64_t time_us, const struct evidence *evidence);

/* A step of a law that has a spec, as judge_config.heard. */
void observe_step(void *ctx, const char *law, const int32_t *k, const struct follow_step *step,
                  uint32_t shape);

/* strike.c */
/* An entry of the plan strikes now. */
void strike(struct world *world, uint32_t entry);
/* An effect that lasted is over. */
void strike_over(struct world *world, uint32_t entry);
/* File an entry of the plan: what that does depends on its `when` (plan.h). */
void strike_file(struct world *world, uint32_t entry);
/* Arm the trigger of an entry whose time has come. */
void strike_arm(struct world *world, uint32_t entry);
/* After a step or a boot: set the timers it asked for, or bring down what fell in it. */
void strike_settle(struct world *world, struct node *node, enum node_fall fall);
void strike_reset(struct world *world, struct node *node, enum reset_reason reason);
/* Look again for the next power cut or crash at a time. */
void strike_update_cut(struct world *world, struct node *node);
void strike_boot(struct world *world, struct node *node);
void strike_schedule_boot(struct world *world, struct node *node, uint64_t time_us);
/* End all faults and bring everybody up, but what the plan leaves out (sim/heal_core.h). */
void strike_heal(struct world *world);

#endif
