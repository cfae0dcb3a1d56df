/* Inside of the gateway: what its parts share. For core/server/gateway*.c only.
 *
 *   gateway.c        life, devices and what they say, the commit, what becomes visible behind it
 *   gateway_cloud.c  the link to the cloud: the queue goes up, what is for devices comes down
 */
#ifndef BROWNOUT_CORE_SERVER_GATEWAY_INSIDE_H
#define BROWNOUT_CORE_SERVER_GATEWAY_INSIDE_H

#include "core/backoff.h"
#include "core/evidence.h"
#include "core/message.h"
#include "core/mqtt/client.h"
#include "core/server/database.h"
#include "core/server/gateway.h"
#include "core/server/sessions.h"

/* A discharged row is deleted with the next commit that happens anyway: a delete that power loses
 * only causes a resend, which the cloud refuses as a duplicate. None waits longer than this. */
#define DELETE_WITHIN_US 1000000u

enum {
    DELETES_BATCH = 64, /* so many are worth a commit of their own */
    DELETES_MAX = 128,  /* discharged rows not yet deleted, those in flight included */
};

/* A QoS 1 message of this step: its PUBACK waits for the commit. */
struct gateway_reply {
    uint16_t packet_id;
    uint8_t reason;  /* MQTT_SUCCESS: taken into custody, and the fields below hold */
    uint32_t device; /* index in the registry */
    uint32_t epoch;
    uint64_t counter;
    uint32_t queue_count; /* with this message */
    struct envelope envelope;
};

/* A row that is with the cloud. */
struct gateway_forwarded {
    uint64_t row; /* 0 = free */
    uint32_t device;
    uint32_t epoch;
    uint64_t counter;
};

struct gateway {
    struct gateway_config config;
    uint64_t now_us;
    bool failed;          /* waits for a reset, and does nothing until then */
    uint64_t reset_at_us; /* failed: when to ask for it; UINT64_MAX = asked */

    struct database database;
    sqlite3_stmt *insert, *delete, *select;
    uint64_t row_next;    /* given out in RAM: an empty table must not begin at 1 again */
    uint32_t queue_count; /* without discharged rows */
    uint32_t *shares;     /* of each device: messages in the queue */

    bool disk_full; /* in this step */
    uint32_t reply_count;
    struct gateway_reply replies[MQTT_INFLIGHT_MAX];

    uint32_t delete_count;
    uint64_t deletes[DELETES_MAX]; /* discharged rows */
    uint64_t delete_at_us;         /* UINT64_MAX: none */

    struct mqtt_client upstream;
    struct backoff backoff;
    uint64_t connect_at_us; /* UINT64_MAX while connecting or connected */
    uint64_t forwarded_row; /* highest row sent on this connection */
    bool upstream_refused;  /* the cloud said no: drain, then come back later */
    struct gateway_forwarded forwarded[MQTT_INFLIGHT_MAX];

    struct gateway_view counts; /* its counters only */
    struct sessions sessions;
};

/* --- gateway.c */
/* The database failed: nothing more until the reset. */
void gateway_fail(struct gateway *gateway, const struct port *port);
void gateway_say(const struct port *port, enum evidence_kind kind, uint32_t device, uint32_t epoch,
                 uint64_t counter, uint64_t value);

/* --- gateway_cloud.c */
void gateway_plan_connect(struct gateway *gateway, const struct port *port);
void gateway_hear_cloud(struct gateway *gateway, const struct port *port,
                        const struct event *event);
void gateway_leave_cloud(struct gateway *gateway, const struct port *port);
void gateway_forward(struct gateway *gateway, const struct port *port);
enum err gateway_publish(struct gateway *gateway, const struct port *port, const uint8_t *envelope,
                         uint32_t envelope_bytes, uint64_t tag);

static inline uint64_t gateway_min(uint64_t left, uint64_t right)
{
    return left < right ? left : right;
}

#endif
