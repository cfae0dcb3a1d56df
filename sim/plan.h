/* A run as plain data: seed, settings, expectations, and everything that befalls the world.
 * A run is a pure function of (build, plan, seed). Lua and the drawn faults only ever write plans.
 *
 * An entry is filed before the event with index `event` is taken from the queue; what filing does
 * depends on `when`. An unchanged plan replays by `event`; a plan that was cut down (`by_time`)
 * files each entry at its `filed_us`.
 */
#ifndef BROWNOUT_SIM_PLAN_H
#define BROWNOUT_SIM_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/effect.h"
#include "sim/figure.h"
#include "sim/port_operation.h"
#include "sim/setting.h"

enum plan_when {
    PLAN_NOW,       /* strikes when it is filed */
    PLAN_AT,        /* strikes at at_us; may fall inside an operation, which it then tears */
    PLAN_OPERATION, /* strikes inside the nth port operation of a kind, counted from at_us */
    PLAN_EVIDENCE,  /* strikes when the target has said the nth evidence of a name since at_us */
};

/* Where in an operation a cut falls. */
enum plan_phase { PLAN_BEFORE, PLAN_INSIDE, PLAN_AFTER };

#define PLAN_ANY 0xFFFFFFFFu /* PAIR effects: all links of target */

struct plan_entry {
    uint64_t event;    /* index of the event before which it was filed */
    uint64_t filed_us; /* simulated time at which it was filed */
    enum plan_when when;
    uint64_t at_us; /* AT; OPERATION and EVIDENCE: counting starts then */
    uint32_t boot;  /* OPERATION, EVIDENCE: only in this boot of the target (1 = first); 0 = any */
    uint32_t kind;  /* OPERATION: enum port_operation; EVIDENCE: enum evidence_kind */
    uint32_t nth;   /* 1 = the next one */
    enum plan_phase phase; /* OPERATION */
    uint32_t fraction;     /* INSIDE: how far, 0..65535 */
    uint64_t delay_us;     /* OPERATION, EVIDENCE: strike so long after the trigger */
    enum effect effect;
    uint32_t target; /* node */
    uint32_t other;  /* PAIR: the other node, or PLAN_ANY */
    uint64_t lasts_us;
    int64_t amount;
};

enum plan_comparison { PLAN_LESS, PLAN_AT_MOST, PLAN_EQUAL, PLAN_AT_LEAST, PLAN_MORE };

struct plan_expectation {
    enum figure figure;
    enum plan_comparison comparison;
    uint64_t number;
};

struct plan {
    uint64_t seed;
    struct settings settings;
    char scenario[256]; /* where it came from, for people */
    bool by_time;
    uint32_t entry_count, entry_capacity;
    struct plan_entry *entries; /* in the order of filing */
    uint32_t expectation_count;
    struct plan_expectation expectations[64];
};

void plan_init(struct plan *plan, uint64_t seed);
void plan_free(struct plan *plan);
void plan_copy(struct plan *target, const struct plan *source);
/* Append; PLAN_ENTRIES_MAX is a hard bound: false beyond it. */
bool plan_append(struct plan *plan, const struct plan_entry *entry);
/* Can this entry strike at all? False: error says why not. */
bool plan_entry_check(const struct plan *plan, const struct plan_entry *entry, char *error,
                      size_t error_bytes);
/* Draw the random faults of plan->settings for a fleet, as entries filed before event 0. Own stream
 * ("faults/<effect>/<node>") for every class and target: one class more moves no other. */
bool plan_draw_faults(struct plan *plan);
/* How many of its entries, from the first on, are those that its seed and settings draw: all that
 * they draw, or none. */
uint32_t plan_drawn_count(const struct plan *plan);
/* 128-bit hash of all that decides the run. */
void plan_hash(const struct plan *plan, uint64_t hash[2]);

/* Text form: one line a setting, expectation or entry; readable, diffable, ends with its hash. */
bool plan_write(const struct plan *plan, FILE *file);
/* False: `error` names line, what is wrong and the remedy. Any bytes may come. */
bool plan_read(struct plan *plan, FILE *file, char *error, size_t error_bytes);
/* The same from a text in memory. */
bool plan_read_text(struct plan *plan, const char *text, char *error, size_t error_bytes);

/* The nodes of a fleet: clouds first, then gateways, rogues and devices, numbered from 1. */
uint32_t fleet_node_count(const struct settings *settings);
uint32_t fleet_role(const struct settings *settings, uint32_t node); /* ROLE_MASK_*, 0 if none */
/* "cloud1", "gw2", "rogue1", "dev17". */
void fleet_node_name(const struct settings *settings, uint32_t node, char *name, size_t size_bytes);
/* Gateway or rogue number `index` (from 0) of those that a device roams between, neighbours of each
 * other; 0: it is no device, or has no more of them. */
uint32_t fleet_device_gateway(const struct settings *settings, uint32_t device, uint32_t index);
/* 0 if there is no such node. */
uint32_t fleet_node_find(const struct settings *settings, const char *name);

#endif
