/* The world: one fleet, one queue, one plan, one seed. Each world_step takes one event.
 *
 *   the queue gives the next (time, sequence) event -> a node steps its role -> its port calls
 * become new events -> its evidence goes to the judge -> a broken law ends the run.
 *
 * Lua and the recorder stand outside: they look, and file effects between events.
 */
#ifndef BROWNOUT_SIM_WORLD_H
#define BROWNOUT_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/event.h"
#include "models/model.h"
#include "sim/figure.h"
#include "sim/plan.h"

enum world_event_kind {
    WORLD_TIMER,    /* a: node, b: generation */
    WORLD_NET,      /* a: link, b: what */
    WORLD_BOOT,     /* a: node, b: boot generation */
    WORLD_STRIKE,   /* a: plan entry */
    WORLD_RECOVER,  /* a: plan entry: its effect ends */
    WORLD_WATCHDOG, /* a: node, b: generation */
    WORLD_HEAL,     /* the liveness phase begins */
    WORLD_END,
    WORLD_KIND_COUNT
};
const char *world_event_name(unsigned kind);

/* What can be seen of a run while it runs; for traces, the ring of recent items, and hooks. */
enum world_item_kind { ITEM_EVENT, ITEM_OPERATION, ITEM_EVIDENCE, ITEM_EFFECT, ITEM_TRUTH };

struct world_item {
    enum world_item_kind kind;
    uint64_t event;   /* index of the event */
    uint64_t time_us; /* instant, inside the step */
    uint32_t node;    /* 0 = none */
    uint32_t what;    /* world_event_kind, port_operation, evidence_kind / truth, effect */
    uint32_t a, b;    /* EVENT: as in the queue; OPERATION: argument (link, offset, peer), size;
                         EVIDENCE: device, epoch; EFFECT: entry, phase (0 begins, 1 ends) */
    int64_t result;   /* OPERATION */
    uint64_t counter, value; /* EVIDENCE, TRUTH */
    uint64_t digest;         /* low half of the rolling hash, where world_options.digests */
};

struct net_tap;

struct world_options {
    bool hash;         /* rolling hash (default on) */
    bool history_only; /* the hash leaves payload bytes out */
    bool laws;         /* judge (default on); never changes the hash */
    bool digests;      /* put the rolling hash into each EVENT item (slow: for selfcheck) */
    uint64_t poison;   /* what fresh RAM is filled with is drawn from this; 0 = from the seed */
    /* Called for every item, if not NULL; must not touch the world. */
    void (*item)(void *ctx, const struct world_item *item);
    void *item_ctx;
    /* Called for every observation that a judge hears, judged or not, if not NULL; likewise. */
    void (*observed)(void *ctx, const struct observation *observation);
    void *observed_ctx;
    /* Called for every segment of every link, if not NULL (sim/net.h); likewise. */
    void (*tap)(void *ctx, const struct net_tap *tap);
    void *tap_ctx;
    /* Called for each step of a law with a spec, as judge_config.heard, if not NULL and there is a
     * judge; likewise. */
    void (*heard)(void *ctx, const char *law, const int32_t *k, const struct follow_step *step,
                  uint32_t shape);
    void *heard_ctx;
    /* Called for everything that the net hands to a node, before its step, if not NULL; likewise.
     * The event is borrowed. */
    void (*delivered)(void *ctx, uint32_t node, const struct event *event);
    void *delivered_ctx;
    struct coverage *coverage;   /* NULL: not counted */
    void (*violated)(void *ctx); /* stop here for a debugger; may be NULL */
};
void world_options_init(struct world_options *options);

enum world_state {
    WORLD_RUNNING,
    WORLD_ENDED,
    WORLD_VIOLATED,
    WORLD_FAILED /* harness: see error */
};

struct world;

/* Copies the plan. `draw`: live run, draw the random faults of the settings; else the plan's
 * entries are the whole of it. NULL: error says why (bad readings file, bad link profile, no
 * memory). */
struct world *world_create(const struct plan *plan, bool draw, const struct world_options *options,
                           char *error, size_t error_bytes);
void world_free(struct world *world);

enum world_state world_step(struct world *world);
enum world_state world_state(const struct world *world);
const char *world_error(const struct world *world);

uint64_t world_now_us(const struct world *world);
/* Time of the next event; UINT64_MAX if none. */
uint64_t world_next_us(const struct world *world);
/* Between events: let time pass to now_us (<= world_next_us), for a script that slept. */
void world_advance(struct world *world, uint64_t now_us);
uint64_t world_event_count(const struct world *world);

/* File an effect now; event and filed_us are set here. False: error says what is wrong with it. */
bool world_file(struct world *world, struct plan_entry entry, char *error, size_t error_bytes);
/* From here on chance is another one: all streams draw as in a run of `seed`, and of the faults
 * that were drawn, those that are not due yet are drawn anew. What was placed or filed stays, and
 * so do keys, images and sensors' ranges. Once in a world, between two events. For branches of a
 * run: the plan of such a world cannot be replayed. */
void world_reseed(struct world *world, uint64_t seed);
/* The plan as it was lived so far: settings, drawn faults, filed effects. */
const struct plan *world_plan(const struct world *world);

void world_digest(struct world *world, uint64_t digest[2]);
uint64_t world_figure(const struct world *world, enum figure figure);
const struct judge *world_judge(const struct world *world); /* NULL without laws */
/* NULL unless state is VIOLATED. */
const struct violation *world_violation(const struct world *world);
/* What a failed CHECK said, when that was the violation; else "". */
const char *world_check_text(const struct world *world);
/* Of an expectation that did not hold at the end: its index; -1 if all held. */
int world_expectation_failed(const struct world *world);

/* How often an effect really struck (its probe), and how often it was filed. */
uint64_t world_fired(const struct world *world, enum effect effect);
uint64_t world_filed(const struct world *world, enum effect effect);

/* Interesting states that a run came through; a sweep wants each to be reached. */
/* clang-format off */
#define PROBE_LIST(X) \
    X(cut_inside_program) X(cut_inside_erase) X(cut_inside_disk_write) X(cut_at_disk_sync) \
    X(cut_while_idle) X(cut_by_time_inside_operation) X(uncertain_read) X(disk_lie_told) \
    X(disk_full_hit) X(disk_error_hit) X(watchdog_bit) X(software_reset) X(retransmitted) \
    X(packet_id_wrapped) X(stream_timed_out) X(segment_cut) X(send_said_later) \
    X(duplicate_rejected) \
    X(old_rejected) X(challenged) X(window_set) X(shed) X(queue_refused) X(rogue_took_custody) \
    X(dead_port_called) X(counter_cut_old) X(counter_cut_new) X(cut_inside_retained) \
    X(cache_lost) X(cache_reordered) X(ecc_corrected) X(ecc_refused) X(ecc_fault) \
    X(send_was_short) X(timer_came_early) X(sampled_hot) X(sampled_cold) X(burst_idled) \
    X(counters_again) X(healed_in_part)
/* clang-format on */
enum probe {
#define PROBE_ENUM(name) PROBE_##name,
    PROBE_LIST(PROBE_ENUM)
#undef PROBE_ENUM
        PROBE_COUNT
};
const char *probe_name(enum probe probe);
uint64_t world_probe(const struct world *world, enum probe probe);

/* A node as its role sees itself, for scripts: named numbers. Returns how many; see
 * world_view_name. */
struct world_view {
    const char *name;
    uint64_t value;
};
size_t world_view(const struct world *world, uint32_t node, struct world_view *out,
                  size_t capacity);
bool world_node_up(const struct world *world, uint32_t node);

/* What stands in an item, by name; "?" if there is none of that number. Static text. */
const char *world_evidence_name(uint32_t evidence); /* "SEND" */
const char *world_refusal_name(uint64_t refusal);
const char *world_truth_name(uint32_t truth); /* what it says of its node: "is down" */
const char *world_said_name(uint32_t kind);   /* either, in their one numbering */
const char *world_item_kind_name(enum world_item_kind kind); /* "event", "operation"... */
const char *world_item_name(const struct world_item *item);
/* One line of text for people: "+00:01:02.003 dev3 SEND epoch 1 counter 7". */
void world_item_print(const struct settings *settings, const struct world_item *item, char *text,
                      size_t text_bytes);

#endif
