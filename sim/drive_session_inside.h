/* Inside of the Session driver: what its parts share. For sim/drive_session*.c only.
 *
 *   drive_session.c         the driver: begin, act, look, key, end
 *   drive_session_device.c  what each action that is a device's makes it do
 *   drive_session_server.c  the same for gateway and cloud
 *   drive_session_wire.c    what the cores send: packets that are held until an action takes them
 *   drive_session_node.c    the cores as machines: made, booted, stepped, cut off
 *   drive_session_port.c    their ports: media, time, evidence
 *   drive_session_word.c    how its walks show in runs of the simulated world
 *
 * All three cores are real. What lies between them is packets in lists, one list for each place at
 * which the spec says that something is on its way. A core goes on as far as it can in one step;
 * the spec does so in several. The difference lies in four lists:
 *
 *   staged      a device has sent it, and the spec has not yet (Send)
 *   at_gateway  the gateway has it in its socket. It takes all of that in one step, which ends
 *               with the commit: Insert is one packet more, GatewayCommit is the step
 *   handed      the gateway has sent it, and the spec has not yet (Forward)
 *   at_cloud    as at_gateway: Accept and Window are one packet more, CloudCommit the step
 *
 * A loss of power between Insert and GatewayCommit, or Accept and CloudCommit, falls into that
 * step, before its commit is durable.
 */
#ifndef BROWNOUT_SIM_DRIVE_SESSION_INSIDE_H
#define BROWNOUT_SIM_DRIVE_SESSION_INSIDE_H

#include <setjmp.h>

#include "core/check.h"
#include "core/device.h"
#include "core/evidence.h"
#include "core/server/cloud.h"
#include "core/server/gateway.h"
#include "models/session.def"
#include "sim/disk.h"
#include "sim/drive.h"
#include "sim/flash.h"
#include "sim/ideal.h"
#include "sim/random.h"

enum {
    SESSION_READINGS = 6, /* as in models/session.def */
    SESSION_DEVICES = 4,
    SESSION_CLOUD = 1, /* numbers of nodes; device d is SESSION_DEVICE + d */
    SESSION_GATEWAY = 2,
    SESSION_OTHER = 3,
    SESSION_DEVICE = 10,
    SESSION_PACKETS_MAX = 32, /* in one list */
    SESSION_ACKS_MAX = 64,
    SESSION_SAID_MAX = 64,
    SESSION_WINDOW = 256, /* bits: no counter falls out of it within a walk */
    SESSION_RESERVE = 64,
    SESSION_OTHERS = 4, /* room in an outbox for readings that are none of the spec's */
};

_Static_assert(SESSION_READINGS + 1 == READING_KEYS, "keys of maps");

#define SESSION_SAMPLE_US      UINT64_C(1001) /* odd: see entropy in drive_session_port.c */
#define SESSION_ACK_TIMEOUT_US UINT64_C(1000000000000) /* no number of samples takes so long */
#define SESSION_DELETE_US      UINT64_C(1000001)       /* the gateway's deletions wait no longer */

struct session_rig;

struct session_node {
    struct session_rig *rig;
    uint32_t number;
    struct port port;
    uint64_t now_us;
    struct random_stream entropy;
    void *memory; /* of a server: its RAM */
    uint32_t memory_bytes;
    struct disk disk;              /* of a server */
    uint64_t disk_writes, read_at; /* changes of it, and how many there were when it was read */
    char disk_path[32];
    enum disk_operation cut_at; /* while cut_armed: power goes at the first such operation */
    bool cut_armed, cut_inside; /* inside: half of it took place */
    bool dead;                  /* its power is gone, until it boots */
    bool mute; /* nobody hears what it says and sends: a copy that is only tried out */
};

/* A link to the gateway, or to the cloud, as the one that opened it has it. */
struct session_link {
    uint32_t link;    /* 0: none */
    uint32_t opening; /* asked for, and not up; 0: none */
};

struct session_device {
    struct session_node node; /* first: a port's context leads to the whole */
    struct device *device;    /* its RAM */
    struct device_config config;
    struct flash *flash;
    struct session_link wire;
    bool dead;          /* the link is half open: the device does not know */
    bool sensing;       /* the sensor answers */
    bool writable;      /* the link takes bytes */
    uint32_t told_down; /* link of which the gateway learns that it is down once it has taken what
                           is in the socket; 0: none */
    struct envelope answer; /* to a challenge, under way; no bytes: none */
    bool carried;           /* and the gateway has wrapped it: `forwarded` */
    uint32_t forwarded_bytes;
    uint8_t forwarded[MQTT_PACKET_BYTES_MAX];
    struct envelope challenge; /* the last one that the cloud sent */
    uint64_t stored_at;        /* flash operations when `stored` was looked up */
    int32_t stored;
    uint64_t writes; /* programs and erases so far */
};

struct session_packet {
    uint32_t link;
    int32_t reading; /* or, where it is about a device, 0 */
    int32_t device;
    uint32_t to;      /* node; in `passing` */
    bool refused;     /* at_gateway: the answer that is due refuses it, */
    bool due_refusal; /* though nobody may be there to hear it */
    uint32_t size_bytes;
    uint8_t bytes[MQTT_PACKET_BYTES_MAX];
};

struct session_packets {
    uint32_t count;
    struct session_packet list[SESSION_PACKETS_MAX];
};

struct session_ack {
    int32_t readings; /* that it covers */
    int32_t device;
    struct envelope envelope;
};

/* A packet identifier of a link, and the reading that it stands for. */
struct session_id {
    uint32_t link;
    uint16_t packet_id;
    int32_t reading;
};

struct session_said {
    uint32_t node, device;
    enum evidence_kind kind;
    uint64_t counter, value;
};

struct session_rig {
    const struct spec_instance *instance;
    int32_t devices, readings, queue_max;
    struct ideal ideal;
    struct port_crypto crypto;
    struct registry_entry device_entries[SESSION_DEVICES];
    struct registry_entry gateway_entries[2];
    struct gateway_config gateway_config;
    struct cloud_config cloud_config;
    struct key_pair other_keys;

    struct session_device all[SESSION_DEVICES + 1]; /* by number, from 1 */
    struct session_node gateway, cloud, other;
    struct session_link uplink;
    struct session_link other_link; /* of a second gateway, which carries what the first cannot */
    struct mqtt_client other_client;
    uint32_t cloud_down; /* the cloud learns so behind what it has in its sockets; 0: none */
    uint32_t link_count;

    struct session_packets passing;
    struct session_packets staged, wire, pubacks, refusals, at_gateway;
    struct session_packets handed, flying, at_cloud, confirms;
    uint32_t id_count;
    struct session_id ids[2 * SESSION_PACKETS_MAX];
    uint32_t ack_count;
    struct session_ack acks[SESSION_ACKS_MAX];

    /* What was said, and what follows from it. */
    uint64_t counter_of[SESSION_READINGS + 1]; /* 0: not signed */
    int32_t signing; /* the reading that the next STORE is; 0: none of the spec's */
    uint32_t slot_of[SESSION_READINGS + 1]; /* of the outbox: where it was put */
    int32_t made;
    int32_t rows_at_boot[SESSION_READINGS + 1];
    int32_t custodies[SESSION_READINGS + 1], discharges[SESSION_READINGS + 1]; /* since boot */
    int32_t owed[SESSION_READINGS + 1], accepts[SESSION_READINGS + 1];
    int32_t accepted; /* in the cloud's open transaction */
    int32_t seen, windows, asked;
    int32_t breaks, restarts;

    /* The databases, as a boot would find them. */
    struct disk scratch;
    int32_t rows[SESSION_READINGS + 1];
    int32_t known, kept;

    uint32_t said_count;
    struct session_said said[SESSION_SAID_MAX]; /* since the action began */
    jmp_buf escape;                             /* of the step under way */
    char fault[128];                            /* the first thing that no core may do; "": none */
};

/* The device that a node is; in a copy of it as well. */
static inline struct session_device *session_device_of(struct session_node *node)
{
    CHECK(node->number > SESSION_DEVICE);
    return (struct session_device *)(void *)node;
}

/* ---- drive_session_port.c ---- */

/* Make the node, off, and its port. */
void session_port(struct session_rig *rig, struct session_node *node, uint32_t number);
struct disk_hooks session_disk_hooks(struct session_node *node);
void session_fault(struct session_rig *rig, const char *what);

/* ---- drive_session_node.c ---- */

/* Ports, keys, configurations, blank media. */
void session_make(struct session_rig *rig);
void session_free(struct session_rig *rig);
void session_boot_device(struct session_rig *rig, int32_t d);
void session_boot_gateway(struct session_rig *rig);
void session_boot_cloud(struct session_rig *rig);
/* One step; event NULL: the time has come. */
void session_step(struct session_node *node, const struct event *event);
void session_event(struct session_node *node, enum event_kind kind, uint32_t link, bool inbound);
void session_data(struct session_node *node, uint32_t link, const uint8_t *bytes,
                  uint32_t size_bytes);
/* The power of a server went, within a step or between two: of the ways in which the disk may come
 * back the first that leaves these rows as they are. */
void session_power_loss(struct session_node *node);
/* What a boot of the device would find in its outbox. */
int32_t session_stored(struct session_rig *rig, int32_t d);
/* What boots of gateway and cloud would find. */
void session_read_disks(struct session_rig *rig);
/* A copy of the device, flash included, that nobody hears. Ends with session_copy_free. */
struct session_device *session_copy(const struct session_device *of);
void session_copy_free(struct session_device *copy);
/* Readings in the outbox. */
int32_t session_held(const struct session_rig *rig, const struct session_device *device);
/* Those that it has sent on this link, as the spec counts: not what is staged. */
int32_t session_sent_set(const struct session_rig *rig, const struct session_device *device);

/* ---- drive_session_wire.c ---- */

int32_t session_owner(const struct session_rig *rig, int32_t reading);
/* Readings of this device, as a set. */
int32_t session_of(const struct session_rig *rig, int32_t d);
int32_t session_reading(const struct session_rig *rig, uint32_t node, uint64_t counter);
/* A node has handed bytes to a link: whole packets, each to its list. */
void session_sent(struct session_node *node, uint32_t link, const uint8_t *bytes,
                  uint32_t size_bytes);
/* Bring what is `passing` to where it goes, and what that causes, until there is nothing left. */
void session_pass(struct session_rig *rig);
bool session_has(const struct session_packets *packets, int32_t reading);
int32_t session_count(const struct session_packets *packets, int32_t reading);
int32_t session_set(const struct session_packets *packets);
/* Take out the first one of this reading, or of this device where reading is 0. */
bool session_take(struct session_packets *packets, int32_t reading, int32_t device,
                  struct session_packet *out);
void session_add(struct session_packets *packets, const struct session_packet *packet);
/* All of this device; 0: of all. */
void session_drop(struct session_packets *packets, int32_t device);
/* A message of the cloud to the device: by way of the gateway where it can, else as it would come
 * from any that has kept it. */
void session_downlink(struct session_rig *rig, int32_t d, const struct envelope *envelope);
/* To the node's end of this link, as its peer would: topic letter/device, QoS 0. */
void session_publish(struct session_node *node, uint32_t link, char letter, int32_t d,
                     const struct envelope *envelope);
/* The device's answer to a challenge goes up by way of the gateway, where that can be. */
void session_carry_answer(struct session_rig *rig, int32_t d);
/* It is there, `at_cloud`: from the gateway, or else from the second one. */
void session_bring_answer(struct session_rig *rig, int32_t d);
/* The cloud is gone: no session of the second gateway. */
void session_other_leave(struct session_rig *rig);
/* A device's envelope by way of the second gateway, to `at_cloud`; custody: QoS 1, as a reading. */
void session_other_forward(struct session_rig *rig, const struct envelope *envelope, bool custody);

/* ---- drive_session_device.c, drive_session_server.c ---- */

/* What is on the link of this device, either way, is lost. */
void session_lose_flight(struct session_rig *rig, int32_t d);

/* One function an action: session_do_sign and so on. The parameter is that of the action, if it has
 * one; what they return, and *why, are those of driver.act. */
#define SESSION_DO0(name, Name, actor) SESSION_DO1(name, Name, actor, a, da)
#define SESSION_DO1(name, Name, actor, a, da)                                                      \
    enum drive_outcome session_do_##name(struct session_rig *rig, int32_t parameter,               \
                                         const char **why);
#define SESSION_DO_NONE(...)
LAW_ACTIONS(SESSION_DO0, SESSION_DO1, SESSION_DO_NONE, SESSION_DO_NONE)

static inline enum drive_outcome session_undriven(const char **why, const char *reason)
{
    *why = reason;
    return DRIVE_UNDRIVEN;
}

static inline enum drive_outcome session_failed(const char **why, const char *reason)
{
    *why = reason;
    return DRIVE_FAILED;
}

/* drive_session_word.c: see struct driver. */
void session_word(const struct spec_instance *instance, const struct spec_move *move,
                  const int32_t *pre, const int32_t *post, struct drive_word *word);
void session_fleet(const struct spec_instance *instance, uint32_t devices, FILE *file);
const char *session_warm(const struct spec_instance *instance);

#endif
