/* One machine on the bench of a driver: the port that a role of core calls, and what stands behind
 * it. Links are two buffers that the driver carries from one machine to the other; time stands
 * still until the driver moves it; power goes where the driver says. What the role says is kept
 * until the next call of it.
 */
#ifndef BROWNOUT_SIM_DRIVE_NODE_H
#define BROWNOUT_SIM_DRIVE_NODE_H

#include <setjmp.h>
#include <stdio.h>

#include "core/evidence.h"
#include "core/event.h"
#include "core/port.h"
#include "sim/disk.h"
#include "sim/flash.h"
#include "sim/random.h"

enum {
    DRIVE_SAID_MAX = 256,
    DRIVE_LINK_BYTES = 32768,
    DRIVE_WHAT_BYTES = 160,
};

/* Where power goes during the next call. */
enum drive_cut {
    DRIVE_NO_CUT,
    DRIVE_CUT_SAID,    /* behind the first evidence of cut_kind */
    DRIVE_CUT_PROGRAM, /* behind it, before the next program of flash */
    DRIVE_CUT_TORN,    /* behind it, inside the next program of flash */
    DRIVE_CUT_WRITE,   /* before the n-th write to the disk (cut_left) */
    DRIVE_CUT_WRITE_TORN,
    DRIVE_PROGRAMS_FAIL, /* no cut: the flash refuses all programs, of cut_kind those behind it */
};

struct drive_said {
    enum evidence_kind kind;
    uint32_t device, epoch;
    uint64_t counter, value;
};

struct drive_node {
    struct port
        port; /* for the role; its ctx is this node, which may not move while it is called */
    uint64_t now_us;
    struct flash *flash; /* borrowed; NULL: none */
    struct disk *disk;   /* borrowed; NULL: none */
    char disk_path[32];
    struct random_stream entropy, sqlite, reads;
    int32_t sensor;
    bool sensor_fails;
    uint32_t garbled_from, garbled_to; /* what reads of these bytes answer is not what is there */
    uint32_t entropy_fails;            /* bit i: the i-th call of entropy from now has none */

    bool link_asked, link_open; /* the newest link, the only one; asked: not yet up */
    uint32_t link, link_peer;
    uint32_t out_bytes; /* what the role sent and nobody has carried on */
    uint8_t out[DRIVE_LINK_BYTES];

    enum drive_cut cut;
    enum evidence_kind cut_kind;
    uint32_t cut_left;
    uint16_t cut_fraction;
    bool cut_armed; /* cut_kind was said */
    bool dead;      /* the power is gone: the port has no effect */
    bool reset_asked;
    bool flash_changed, disk_changed; /* for who looks at them; he clears them */

    uint32_t said_count, said_first; /* first: of the call that is looked at */
    struct drive_said said[DRIVE_SAID_MAX];
    /* Hears each piece of evidence as it is said; NULL: nobody. */
    void (*hear)(void *ctx, const struct evidence *evidence);
    void *hear_ctx;
    char fault[DRIVE_WHAT_BYTES]; /* a CHECK that failed while the power was there; "": none */
    bool running;
    jmp_buf escape;
};

/* What the role has sent and nobody has carried on, as what the other end of `link` gets; bytes has
 * room for it. False: nothing. */
bool drive_node_take(struct drive_node *node, uint32_t link, uint8_t bytes[DRIVE_LINK_BYTES],
                     struct event *event);

/* A blank machine with this port; draws of its own by `name`. crypto is copied. */
void drive_node_init(struct drive_node *node, const char *name, const struct port_crypto *crypto);
/* Forget what was said, and set the power back: before each call of the role. */
void drive_node_begin(struct drive_node *node);
/* Call the role: run(role, port, argument). A CHECK that fails ends the call: node->fault, unless
 * the power is gone, where it is none. */
void drive_node_call(struct drive_node *node,
                     void (*run)(void *role, const struct port *port, const void *argument),
                     void *role, const void *argument);
/* No links, and time since boot is 0: the power comes back. */
void drive_node_boot(struct drive_node *node);
/* A peer opened a link to this node: its handle. */
uint32_t drive_node_accept(struct drive_node *node, uint32_t peer);

/* How often `kind` was said since drive_node_begin; and in the call that is looked at. */
uint32_t drive_node_count(const struct drive_node *node, enum evidence_kind kind);
uint32_t drive_node_count_new(const struct drive_node *node, enum evidence_kind kind);
/* All that was said, one line each. */
void drive_node_tell(const struct drive_node *node, const char *who, const char *indent,
                     FILE *file);

/* A CHECK failed, in any code of this process: ends the call under way; returns if there is none.
 */
void drive_check_failed(const char *file, int line, const char *what);

#endif
