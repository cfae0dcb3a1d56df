/* Inside of the driver of Telemetry: the bench that it works at. For sim/drive_telemetry*.c only.
 *
 *   drive_telemetry.c         the driver: a rig, and what can be seen of it
 *   drive_telemetry_act.c     which calls, messages and faults each action of the spec stands for;
 *                             those of the cloud in drive_telemetry_cloud_act.c
 *   drive_telemetry_device.c  a real device on simulated flash, and the gateway that it talks to
 *   drive_telemetry_cloud.c   the real cloud on a simulated disk, and the gateway before it
 *
 * The gateways are the driver: they speak MQTT, keep every envelope, and hand it on when the spec
 * says so. Epochs and counters of the core are those of the spec: a new part begins with 1 and 1.
 */
#ifndef BROWNOUT_SIM_DRIVE_TELEMETRY_H
#define BROWNOUT_SIM_DRIVE_TELEMETRY_H

#include "core/crypto/openssl.h"
#include "core/device.h"
#include "core/message.h"
#include "core/mqtt/session.h"
#include "core/server/cloud.h"
#include "sim/drive.h"
#include "sim/drive_node.h"
#include "sim/ideal.h"

#include "models/telemetry.def"

enum {
#define INDEX_INT(name, low, high) CONSTANT_##name,
#define INDEX_BOOL(name)           CONSTANT_##name,
    LAW_CONSTANTS(INDEX_INT, INDEX_BOOL)
};
enum {
#define INDEX_VAR(name, ...) VARIABLE_##name,
    LAW_VARIABLES(INDEX_VAR, INDEX_VAR, INDEX_VAR)
};
enum {
#define INDEX_ACTION(name, ...) ACTION_##name,
    LAW_ACTIONS(INDEX_ACTION, INDEX_ACTION, INDEX_ACTION, INDEX_ACTION)
};

enum {
    BENCH_DEVICES = 2, /* the most that models/telemetry.def has room for; so below */
    BENCH_EPOCHS = 3,
    BENCH_COUNTERS = 8,
    BENCH_CLOUD = 1, /* node numbers */
    BENCH_GATEWAY = 2,
    BENCH_FIRST_DEVICE = 3,
    BENCH_COPIES_MAX = 24, /* in one step of the cloud */
    BENCH_ACKS_MAX = 16,
    BENCH_SLOTS = 8,
};

/* The constants that mean something to a core. */
struct bench_constants {
    int32_t devices, epochs, counters, window_bits, reserve_by, outbox_max;
    /* The spec has a bug that allows it: then the core is not found guilty of it here, so that a
     * core with the bug can follow to the end. */
    bool send_beyond_window, ack_before_commit;
};

/* ---- Device ---- */

struct bench_device {
    const struct bench_constants *k;
    struct device_config config;
    struct device device;
    struct drive_node node;
    struct drive_node gateway; /* the other end of its link */
    struct mqtt_session session;
    struct envelope envelopes[BENCH_EPOCHS + 1]
                             [BENCH_COUNTERS + 1]; /* as signed; no bytes: never */
    int32_t used, shed;                            /* of this epoch */
    int32_t sent;                                  /* in the last call: what came to the gateway */
    bool responded;                                /* in the last call */
    struct envelope response;

    /* What a boot would find; read when the flash has changed. */
    int32_t stored, reserved;
    int32_t slots[BENCH_SLOTS]; /* counter in each; 0: none */
    bool readable;
};

void bench_device_init(struct bench_device *bench, const struct bench_constants *k,
                       const struct device_config *config, const struct port_crypto *crypto);
void bench_device_free(struct bench_device *bench);
/* After any loss of power: from flash. */
void bench_device_boot(struct bench_device *bench);
/* The store is lost. */
void bench_device_erase(struct bench_device *bench);
/* A reading is due. The cut is that of node.cut, set behind drive_node_begin. */
void bench_device_sample(struct bench_device *bench);
/* The record of the oldest reading does not read back while it is to be sent. False: it does not
 * connect. */
bool bench_device_garble(struct bench_device *bench);
/* A number is drawn for something else. The cut is that of node.cut. */
void bench_device_number(struct bench_device *bench);
/* Others write to its store, until the records have moved. False: the store does not take it. */
bool bench_device_compact(struct bench_device *bench);
/* End the link, if there is one, and begin a new one: what is unacked is sent again. False: the
 * device does not connect. */
bool bench_device_connect(struct bench_device *bench);
/* Hand it an envelope of the cloud's, over the link that is there. */
void bench_device_downlink(struct bench_device *bench, const struct envelope *envelope);
/* Readings that it keeps, in RAM. */
int32_t bench_device_held(const struct bench_device *bench);
/* Bring stored, reserved and slots up to date. */
void bench_device_inspect(struct bench_device *bench);

/* ---- Cloud ---- */

enum bench_copy_kind { COPY_READING, COPY_RESPONSE };

/* What a step of the cloud is to be given, and what it must say of it. */
struct bench_copy {
    enum bench_copy_kind kind;
    uint32_t device; /* node number */
    struct envelope envelope;
    enum evidence_kind expected; /* ACCEPT, REJECT or WINDOW */
    bool is_challenged;          /* REJECT: for want of a window */
    uint32_t epoch;
    uint64_t counter;
    bool draws, in_vain; /* it makes the cloud draw a nonce, and there is no entropy for one */
};

/* The ack that the cloud gave last, as a device would read it. */
struct bench_ack {
    bool known;
    struct envelope envelope;
    int32_t epoch, top, covered, seen; /* covered: all of it; seen: inside the window alone */
};

/* A row of the cloud's tables. */
struct bench_row {
    int32_t epoch, top, seen, readings;
};

struct bench_cloud {
    const struct bench_constants *k;
    struct cloud_config config;
    struct cloud *cloud; /* NULL: off */
    struct drive_node node;
    struct drive_node gateway;
    struct mqtt_client client;
    struct key_pair gateway_keys;
    struct disk disk, scratch;
    uint64_t tag;
    uint32_t downlinks;                                   /* of the last step */
    struct bench_ack acks[BENCH_DEVICES];                 /* the newest of each device */
    struct envelope challenges[BENCH_DEVICES];            /* the newest of each; no bytes: none */
    bool acked[BENCH_DEVICES], challenged[BENCH_DEVICES]; /* in the last step */
    struct bench_row rows[BENCH_DEVICES]; /* durable; read when the disk has changed */
    bool readable;
};

void bench_cloud_init(struct bench_cloud *bench, const struct bench_constants *k,
                      const struct cloud_config *config, const struct key_pair *gateway_keys,
                      const struct port_crypto *crypto);
void bench_cloud_free(struct bench_cloud *bench);
void bench_cloud_boot(struct bench_cloud *bench);
/* The power is gone, in the last step or between two. */
void bench_cloud_off(struct bench_cloud *bench, uint64_t key);
/* One step with all these copies. The cut is that of node.cut. */
void bench_cloud_step(struct bench_cloud *bench, const struct bench_copy *copies, uint32_t count);
/* The link to the gateway is there, or is made anew. */
bool bench_cloud_connect(struct bench_cloud *bench);
/* Bring rows up to date, from a copy of the disk. */
void bench_cloud_inspect(struct bench_cloud *bench);

/* ---- The rig --------------------------------------------------------------------------------- */

/* One device, and what the network has of it. */
struct telemetry_half {
    struct bench_device bench;
    bool shed, reserve, sign; /* held back */
    bool broken;              /* its store has failed, and is read-only until the next boot */
    int32_t releasing, done;  /* what an ack releases, and what of it the spec has released */
    int32_t compacted;        /* forgotten readings that the spec has left behind so far */
    uint32_t release_by;      /* this ack */
    int32_t sent[BENCH_EPOCHS + 1];
    uint32_t
        ack_count; /* of this epoch: what the network has; each covers more than those before */
    struct bench_ack acks[BENCH_ACKS_MAX];
    bool asked, nonce_known; /* known: the challenge has left the cloud */
    /* Answers to that nonce, by epoch and floor. */
    int32_t floors[BENCH_EPOCHS + 1];
    struct envelope answers[BENCH_EPOCHS + 1][BENCH_COUNTERS + 1];
    struct envelope spent; /* an answer to a nonce that is over: the cloud refuses it and acks */
    int32_t window_epoch;  /* as the cloud works, copies held back included */
    bool window_held, challenge_held; /* among the copies */
    int32_t changed;                  /* copies held back that change the cloud */
};

struct telemetry_rig {
    const struct spec_instance *instance;
    struct bench_constants k;
    struct key_pair gateway_keys;
    struct registry_entry devices[BENCH_DEVICES], gateways[1];
    struct telemetry_half halves[BENCH_DEVICES];
    struct bench_cloud cloud;
    uint32_t copy_count;
    struct bench_copy copies[BENCH_COPIES_MAX];
    struct random_stream draws; /* which of several equal ways */
    const char *why;            /* of the last act */
    bool is_over; /* the power went to see what had left by then: nothing may follow */
};

/* As the driver's; rig->why says why. */
enum drive_outcome telemetry_act(struct telemetry_rig *rig, const struct spec_move *move);
enum drive_outcome telemetry_finish(struct telemetry_rig *rig);

/* The cloud's (drive_telemetry_cloud_act.c). */
enum drive_outcome telemetry_challenge(struct telemetry_rig *rig, struct telemetry_half *half,
                                       int32_t epoch);
enum drive_outcome telemetry_window(struct telemetry_rig *rig, struct telemetry_half *half,
                                    int32_t epoch, int32_t floor);
enum drive_outcome telemetry_accept(struct telemetry_rig *rig, struct telemetry_half *half,
                                    int32_t epoch, int32_t counter);
enum drive_outcome telemetry_reject(struct telemetry_rig *rig, struct telemetry_half *half,
                                    int32_t epoch, int32_t counter);
enum drive_outcome telemetry_commit(struct telemetry_rig *rig);
enum drive_outcome telemetry_ack(struct telemetry_rig *rig, struct telemetry_half *half);
enum drive_outcome telemetry_cloud_loss(struct telemetry_rig *rig);

/* Set rig->why. */
enum drive_outcome telemetry_fail(struct telemetry_rig *rig, const char *why);
enum drive_outcome telemetry_undriven(struct telemetry_rig *rig, const char *why);

#endif
