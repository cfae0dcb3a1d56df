/* A world of one device and one broker for test_device.c: RAM flash that can be cut at any
 * operation, links without delay that can be cut into small pieces, and a record of all evidence.
 */
#ifndef BROWNOUT_TEST_DEVICE_WORLD_H
#define BROWNOUT_TEST_DEVICE_WORLD_H

#include "core/device.h"
#include "core/evidence.h"
#include "core/mqtt/session.h"
#include "core/test/test.h"

enum {
    DEVICE = 7,
    CLOUD = 1,
    GATEWAY_A = 2,
    GATEWAY_B = 3,
    SECTOR_BYTES = 2048,
    SECTORS = 6,
    LOG_MAX = 20000,
    PIPE_BYTES = 65536,
    TAKEN_MAX = 4000,
};

#define SECOND UINT64_C(1000000)

enum cut { CUT_BEFORE, CUT_TORN, CUT_AFTER, CUT_KINDS };

struct said {
    uint64_t time_us;
    enum evidence_kind kind;
    uint32_t epoch;
    uint64_t counter, value, body;
};

struct taken { /* a PUBLISH that the broker took */
    uint64_t time_us;
    uint32_t connection; /* ordinal, from 1 */
    uint32_t type;       /* enum message_type */
    uint64_t counter;    /* telemetry: counter; response: floor */
    uint32_t epoch;
    uint64_t body;
    uint8_t nonce[CHALLENGE_BYTES]; /* response */
};

struct pipe {
    uint32_t size_bytes;
    uint8_t bytes[PIPE_BYTES];
};

struct world {
    struct device device;
    struct device_config config;
    struct port port, broker_port;
    uint64_t now_us, booted_us, wall_us;

    uint8_t flash[SECTOR_BYTES * SECTORS];
    uint64_t counters[COUNTER_COUNT];
    uint64_t operations; /* that change something durable */
    uint64_t cut_at;     /* the power goes at this one; 0 = never */
    enum cut cut;
    bool powered;
    bool flash_fails, entropy_fails, sensor_fails;
    uint64_t entropy;
    enum reset_reason reason;
    uint32_t resets, steps;
    uint64_t reset_us;
    uint64_t watchdog_us; /* when it would bite; 0 = disarmed */

    /* The broker's side. */
    bool refuses_links, silent, withholds_custody;
    uint8_t custody_reason;
    int32_t link_room;    /* bytes that link_send takes at once; 0 = all */
    uint32_t piece_bytes; /* of what the device is given at once; 0 = all */
    uint32_t link, peer, connections;
    bool link_asked, link_open, broker_closed;
    struct mqtt_session session;
    struct pipe to_device, to_broker;
    struct key_pair cloud_keys;
    uint32_t taken_count, said_count;
    struct taken taken[TAKEN_MAX];
    struct said said[LOG_MAX];
};

extern struct world world; /* the one world of a test program */

void world_init(struct world *self);
/* Boot, after a loss of power or for the first time: RAM is garbage, links are gone. */
void world_boot(struct world *self, enum reset_reason reason);
void world_step(struct world *self, const struct event *event);
/* Run to this time, or until the power goes. A device that wants to be stepped for ever at one
 * moment fails the test. */
void world_run(struct world *self, uint64_t until_us);
/* The link breaks: both ends learn of it, and what was under way is lost. */
void world_break_link(struct world *self);
/* Give the device this on its topic. */
void world_downlink(struct world *self, const struct envelope *envelope);

/* What was said of this kind; with counter 0, of any counter. */
uint32_t said_count(const struct world *self, enum evidence_kind kind, uint64_t counter);
/* The last of this kind; there must be one. */
const struct said *said_last(const struct world *self, enum evidence_kind kind);

/* What the n-th call for entropy since the world began makes of a bound. */
uint64_t drawn(uint64_t ordinal, uint64_t bound);

/* Of the one world: */

/* A new self, and its first boot. */
void begin(void);
/* When the first reading is due: the first boot drew for it first, then for the connection. */
uint64_t first_sample_us(void);
/* Run until `count` more readings were due. */
void run_samples(uint32_t count);
/* Acks of the cloud; bit i of bits: floor + 1 + i. */
struct envelope ack_of(uint32_t device, uint32_t epoch, uint64_t floor, uint32_t bits);
void ack(uint64_t floor, uint32_t bits);
struct envelope challenge_of(uint8_t first);
struct device_view view(void);

#endif
