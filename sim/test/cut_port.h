/* A port over a part of sim/flash whose power goes at a chosen operation that changes something:
 * program, erase, or increment of a counter. For tests that cut everywhere. Rules of the part are
 * enforced: what breaks one fails the test. */
#ifndef BROWNOUT_TEST_CUT_PORT_H
#define BROWNOUT_TEST_CUT_PORT_H

#include "core/port.h"
#include "sim/flash.h"
#include "sim/random.h"

enum cut_kind { CUT_NONE, CUT_BEFORE, CUT_TORN, CUT_AFTER };

struct cut {
    enum cut_kind kind;
    uint16_t fraction; /* of CUT_TORN */
    uint64_t key;      /* of CUT_TORN */
};

struct cut_port {
    struct flash *flash; /* counters too */
    struct cut cut;
    uint32_t cut_at;     /* operation, counted from 1 */
    uint32_t operations; /* since the cut was set */
    bool dead;
    struct random_stream reads;   /* what uncertain bits answer */
    struct random_stream entropy; /* goes on where it was */
};

/* One cut for the next run, and other answers of uncertain bits; the power is there. */
void cut_port_set(struct cut_port *self, struct cut cut, uint32_t cut_at, uint64_t read_seed);

/* A port that borrows self; crypto is the caller's to add. */
struct port cut_port_of(struct cut_port *self);

#endif
