/* Inside of the cloud: what its parts share. For core/server/cloud*.c only.
 *
 *   cloud.c           life, one step, its commit, and what becomes visible behind it
 *   cloud_window.c    replay windows and readings
 *   cloud_firmware.c  what runs on the devices, and what they are to get
 */
#ifndef BROWNOUT_CORE_SERVER_CLOUD_INSIDE_H
#define BROWNOUT_CORE_SERVER_CLOUD_INSIDE_H

#include "core/evidence.h"
#include "core/message.h"
#include "core/server/cloud.h"
#include "core/server/database.h"
#include "core/server/sessions.h"
#include "core/window.h"

struct cloud_device {
    bool windowed;   /* epoch and window hold */
    bool keyed;      /* reading_key is that of key_epoch */
    bool challenged; /* nonce is out, and no answer has come */
    bool touched;    /* in this step a verified copy came: an answer is due */
    bool dirty;      /* in this step the window moved: row and ack are due */
    bool ask;        /* in this step: the answer is the challenge, not the ack */
    uint32_t epoch;
    uint32_t key_epoch;
    uint32_t asked_epoch; /* of the copy that is answered by the challenge */
    uint64_t asked_counter;
    struct window window;
    uint8_t reading_key[AEAD_KEY_BYTES];
    uint8_t nonce[CHALLENGE_BYTES];
    struct envelope ack; /* signed; no bytes: none yet */
    struct envelope challenge;
};

/* What runs on one device, and how to tell it of a release. */
struct cloud_image {
    struct cloud_firmware told; /* durable, but for the tick while nothing else changes */
    struct status status;       /* the last one; after a restart: what it would have said */
    bool due;                   /* in this step: its answer is */
    uint32_t gateway;    /* index + 1 of the one that it was last heard through; 0: unheard */
    uint32_t declined;   /* releases_bit of each that it did not take since it last connected */
    uint64_t push_at_us; /* not before this is it told of a release unasked */
    uint64_t push_delay_us;
};

struct cloud_images {
    struct releases releases;
    sqlite3_stmt *replace, *load;
    uint64_t wake_us; /* when to look whom to tell; UINT64_MAX: nobody */
    uint32_t due_count;
    uint32_t *due;           /* devices of this step whose answer is due, in order */
    struct cloud_image *all; /* by index in the registry */
};

/* One message of a gateway on its way through the checks. */
struct cloud_copy {
    struct forward forward;
    struct cose_sign1 inner;
    struct telemetry telemetry; /* one of these, by inner.content_type */
    struct response response;
    struct status status;
    uint32_t index; /* of the device */
    const struct registry_entry *entry;
};

struct cloud {
    struct cloud_config config;
    uint64_t now_us, wall_us; /* of this step */
    bool failed;              /* waits for a reset, and does nothing until then */
    uint64_t reset_at_us;     /* failed: when to ask for it; UINT64_MAX = asked */

    struct database database;
    sqlite3_stmt *insert_reading, *replace_window, *load_windows;

    uint32_t reply_count;
    uint16_t replies[MQTT_INFLIGHT_MAX]; /* packets of this step: PUBACK waits for the commit */
    uint32_t touched_count;
    uint32_t *touched;            /* devices of this step, in the order of their first copy */
    struct cloud_device *devices; /* by index in the registry */
    struct cloud_images images;   /* where firmware is managed */

    struct cloud_view counts; /* its counters only */
    struct sessions sessions;
};

/* ---- cloud.c ---- */

void cloud_say(const struct port *port, enum evidence_kind kind, uint32_t device, uint32_t epoch,
               uint64_t counter, uint64_t value);

/* ---- cloud_window.c. All: ERR_OK | ERR_FULL | ERR_IO ---- */

/* All windows, as the last commit left them; devices are zero before. */
enum err cloud_window_load(struct cloud *cloud) MUST_USE;
/* A verified reading. */
enum err cloud_window_judge(struct cloud *cloud, const struct port *port,
                            const struct cloud_copy *copy) MUST_USE;
/* A verified answer to a challenge. */
void cloud_window_respond(struct cloud *cloud, const struct port *port,
                          const struct cloud_copy *copy);
/* The window moved: into the step's transaction, with its new ack. */
enum err cloud_window_write(struct cloud *cloud, const struct port *port, uint32_t index) MUST_USE;

/* ---- cloud_firmware.c; only where firmware is managed ---- */

/* What its table is made by; a part of the schema. */
#define CLOUD_FIRMWARE_SCHEMA                                                                      \
    "CREATE TABLE IF NOT EXISTS firmware("                                                         \
    "device INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, boot INTEGER NOT NULL,"                   \
    "tick INTEGER NOT NULL, sequence INTEGER NOT NULL, outcome INTEGER NOT NULL,"                  \
    "floor INTEGER NOT NULL, revert_sequence INTEGER NOT NULL, revert_reason INTEGER NOT NULL,"    \
    "revert_count INTEGER NOT NULL, declined_sequence INTEGER NOT NULL,"                           \
    "declined_reason INTEGER NOT NULL)"

/* memory: cloud_firmware_size_bytes of it, zero, aligned to 8. ERR_OK | ERR_IO. */
uint32_t cloud_firmware_size_bytes(const struct cloud_config *config);
enum err cloud_firmware_init(struct cloud *cloud, uint8_t *memory,
                             const struct port *port) MUST_USE;
enum err cloud_firmware_prepare(struct cloud *cloud) MUST_USE;
/* As the last commit left it. */
enum err cloud_firmware_load(struct cloud *cloud) MUST_USE;
/* A verified status: learnt in the step's transaction, where it says anything new, and to be
 * answered. *why: an older one than is known already. ERR_OK | ERR_FULL | ERR_IO. */
enum err cloud_firmware_judge(struct cloud *cloud, const struct port *port,
                              const struct cloud_copy *copy, enum refusal *why) MUST_USE;
/* A verified copy of a device came through this gateway, by its index in the registry. */
void cloud_firmware_seen(struct cloud *cloud, const struct cloud_copy *copy, uint32_t gateway);
/* Behind the commit: what the statuses of this step ask for. */
void cloud_firmware_answer(struct cloud *cloud, const struct port *port,
                           struct mqtt_session *session);
void cloud_firmware_forget_step(struct cloud *cloud);
/* Tell devices of releases that have become due; does nothing before wake_us. */
void cloud_firmware_push(struct cloud *cloud, const struct port *port);

#endif
