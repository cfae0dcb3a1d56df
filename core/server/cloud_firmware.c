/* What runs on the devices, as they say, and what they are to get. */
#include "core/server/cloud_inside.h"

#include <stddef.h>
#include <string.h>

#include "core/boot.h"
#include "core/check.h"
#include "core/topic.h"

/* A device that was told of a release unasked and says nothing is told again after the first of
 * these, then after twice as long, and so on up to the second. */
#define PUSH_FIRST_US UINT64_C(60000000)
#define PUSH_LAST_US  UINT64_C(3600000000)

/* A look at all devices, at most so often; and so many are told in one, for each costs a
 * signature. */
#define PUSH_LOOK_US UINT64_C(1000000)
enum { PUSHES_MAX = 64 };

static enum err load_row(struct cloud *cloud);
static bool is_later(const struct cloud_firmware *told, const struct status *status);
static bool says_more(const struct cloud_firmware *told, const struct status *status);
static struct cloud_firmware learn(const struct cloud_firmware *told, const struct status *status);
static enum err write_row(struct cloud *cloud, const struct cloud_image *image);
static const struct release_entry *choose(const struct cloud *cloud,
                                          const struct cloud_image *image);
static void answer(struct cloud *cloud, const struct port *port, struct mqtt_session *session,
                   struct cloud_image *image);
static enum err put_offer(struct cloud *cloud, const struct port *port,
                          const struct release_entry *release, const struct offer *to,
                          struct parcel *out);
static enum err put_chunk(struct cloud *cloud, const struct port *port,
                          const struct release_entry *release, const struct status *status,
                          struct parcel *out);
static enum err put_answer(struct cloud *cloud, const struct port *port,
                           const struct status *status, struct parcel *out);
static void publish(const struct port *port, struct mqtt_session *session, uint32_t device,
                    const struct parcel *parcel);
static bool push(struct cloud *cloud, const struct port *port, struct cloud_image *image);
static void wake(struct cloud *cloud, uint64_t at_us);
static uint32_t round_up_8(size_t size_bytes);

void cloud_firmware(const struct cloud *cloud, uint32_t device, struct cloud_firmware *out)
{
    uint32_t index = 0;
    *out = (struct cloud_firmware){0};
    if (cloud->config.firmware.managed &&
        registry_find(&cloud->config.devices, device, &index) != NULL) {
        *out = cloud->images.all[index].told;
    }
}

uint32_t cloud_firmware_size_bytes(const struct cloud_config *config)
{
    const uint32_t count = config->firmware.managed ? config->devices.count : 0;
    return round_up_8(count * sizeof(struct cloud_image)) + round_up_8(count * sizeof(uint32_t));
}

enum err cloud_firmware_init(struct cloud *cloud, uint8_t *memory, const struct port *port)
{
    struct cloud_images *images = &cloud->images;
    images->all = (struct cloud_image *)(void *)memory;
    memory += round_up_8(cloud->config.devices.count * sizeof(struct cloud_image));
    images->due = (uint32_t *)(void *)memory;
    images->wake_us = cloud->now_us;
    return releases_init(&images->releases, &cloud->config.firmware, port);
}

enum err cloud_firmware_prepare(struct cloud *cloud)
{
    struct cloud_images *images = &cloud->images;
    const enum err err = database_prepare(
        &cloud->database, "REPLACE INTO firmware VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)",
        &images->replace);
    return err == ERR_OK
               ? database_prepare(&cloud->database, "SELECT * FROM firmware", &images->load)
               : err;
}

enum err cloud_firmware_load(struct cloud *cloud)
{
    struct cloud_images *images = &cloud->images;
    memset(images->all, 0, cloud->config.devices.count * sizeof images->all[0]);
    enum err err = ERR_OK;
    while (err == ERR_OK) { /* one row a device */
        err = database_row(images->load);
        if (err == ERR_OK) {
            err = load_row(cloud);
        }
    }
    (void)sqlite3_reset(images->load);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err cloud_firmware_judge(struct cloud *cloud, const struct port *port,
                              const struct cloud_copy *copy, enum refusal *why)
{
    struct cloud_image *image = &cloud->images.all[copy->index];
    const struct status *status = &copy->status;
    if (!is_later(&image->told, status)) {
        *why = REFUSAL_OLD; /* or the same again: each is answered once */
        return ERR_OK;
    }
    cloud->counts.statuses++;
    const bool more = says_more(&image->told, status);
    image->told = learn(&image->told, status);
    image->status = *status;
    /* All of them, or those that it does not take would be offered in turn, for ever. */
    image->declined = status->declined_sequence.number == 0 ? 0 : image->declined;
    image->declined |= releases_bit(&cloud->images.releases, status->declined_sequence);
    image->push_delay_us = PUSH_FIRST_US;
    if (!image->due) {
        image->due = true;
        CHECK(cloud->images.due_count < cloud->config.devices.count);
        cloud->images.due[cloud->images.due_count++] = copy->index;
    }
    if (!more) {
        return ERR_OK;
    }
    cloud->counts.learnt++;
    port->evidence(port->ctx, &(struct evidence){.kind = EVIDENCE_LEARN,
                                                 .device = status->device,
                                                 .epoch = status->epoch,
                                                 .counter = status->sequence.number,
                                                 .value = status->outcome,
                                                 .body = copy->forward.envelope,
                                                 .body_bytes = copy->forward.envelope_bytes});
    return write_row(cloud, image);
}

void cloud_firmware_seen(struct cloud *cloud, const struct cloud_copy *copy, uint32_t gateway)
{
    struct cloud_image *image = &cloud->images.all[copy->index];
    /* A reading may be an old copy, sent again by who knows whom: better than nothing, no more. */
    if (copy->inner.content_type == MESSAGE_STATUS || image->gateway == 0) {
        if (image->gateway == 0 && copy->inner.content_type != MESSAGE_STATUS) {
            wake(cloud, cloud->now_us); /* the cloud has restarted, this device has not */
        }
        image->gateway = gateway + 1;
    }
}

void cloud_firmware_answer(struct cloud *cloud, const struct port *port,
                           struct mqtt_session *session)
{
    struct cloud_images *images = &cloud->images;
    for (uint32_t at = 0; at < images->due_count; at++) {
        if (session->state == MQTT_SESSION_READY) {
            answer(cloud, port, session, &images->all[images->due[at]]);
        }
    }
}

void cloud_firmware_forget_step(struct cloud *cloud)
{
    struct cloud_images *images = &cloud->images;
    for (uint32_t at = 0; at < images->due_count; at++) {
        images->all[images->due[at]].due = false;
    }
    images->due_count = 0;
}

void cloud_firmware_push(struct cloud *cloud, const struct port *port)
{
    struct cloud_images *images = &cloud->images;
    if (cloud->now_us < images->wake_us) {
        return;
    }
    const uint64_t wait_us = releases_wait_us(&images->releases, cloud->wall_us);
    images->wake_us = UINT64_MAX;
    if (wait_us != UINT64_MAX) { /* look earlier, too: a clock may be set meanwhile */
        wake(cloud, cloud->now_us + (wait_us < PUSH_LAST_US ? wait_us : PUSH_LAST_US));
    }
    uint32_t pushes = 0;
    for (uint32_t index = 0; index < cloud->config.devices.count; index++) {
        struct cloud_image *image = &images->all[index];
        if (image->gateway == 0 || choose(cloud, image) == NULL) {
            continue;
        }
        if (cloud->now_us >= image->push_at_us && pushes < PUSHES_MAX && push(cloud, port, image)) {
            pushes++;
        }
        wake(cloud, image->push_at_us);
    }
}

/* ---- What is known -------------------------------------------------------------------------- */

static enum err load_row(struct cloud *cloud)
{
    sqlite3_stmt *load = cloud->images.load;
    uint32_t index = 0;
    const uint32_t number = (uint32_t)sqlite3_column_int64(load, 0);
    if (registry_find(&cloud->config.devices, number, &index) == NULL) {
        return ERR_OK; /* it has left the fleet; its row stays */
    }
    const uint64_t revert_reason = (uint64_t)sqlite3_column_int64(load, 8);
    const uint64_t declined_reason = (uint64_t)sqlite3_column_int64(load, 11);
    if (revert_reason >= IMAGE_FAULT_COUNT || declined_reason >= IMAGE_FAULT_COUNT) {
        return ERR_CORRUPT;
    }
    struct cloud_image *image = &cloud->images.all[index];
    image->told = (struct cloud_firmware){
        .known = true,
        .epoch = (uint32_t)sqlite3_column_int64(load, 1),
        .boot = (uint64_t)sqlite3_column_int64(load, 2),
        .tick = (uint32_t)sqlite3_column_int64(load, 3),
        .sequence = {(uint64_t)sqlite3_column_int64(load, 4)},
        .outcome = (uint32_t)sqlite3_column_int64(load, 5),
        .floor = {(uint64_t)sqlite3_column_int64(load, 6)},
        .revert_sequence = {(uint64_t)sqlite3_column_int64(load, 7)},
        .revert_reason = (enum image_fault)revert_reason,
        .revert_count = (uint32_t)sqlite3_column_int64(load, 9),
        .declined_sequence = {(uint64_t)sqlite3_column_int64(load, 10)},
        .declined_reason = (enum image_fault)declined_reason,
    };
    image->status = (struct status){
        .device = number,
        .sequence = image->told.sequence,
        .outcome = image->told.outcome,
        .revert_sequence = image->told.revert_sequence,
        .revert_count = image->told.revert_count,
    };
    return ERR_OK;
}

/* In the order in which they were signed. */
static bool is_later(const struct cloud_firmware *told, const struct status *status)
{
    if (!told->known) {
        return true;
    }
    if (status->epoch != told->epoch) {
        return status->epoch > told->epoch;
    }
    if (status->boot != told->boot) {
        return status->boot > told->boot;
    }
    return status->name.tick > told->tick;
}

/* Anything that a restart must not forget? Within one boot what a device says of itself never comes
 * back once it has changed, so the tick alone need not be durable: an older status that is replayed
 * after a restart says what is known already, or is older than the last change. */
static bool says_more(const struct cloud_firmware *told, const struct status *status)
{
    struct cloud_firmware now = learn(told, status);
    now.tick = told->tick;
    return !told->known || now.epoch != told->epoch || now.boot != told->boot ||
           now.sequence.number != told->sequence.number || now.outcome != told->outcome ||
           now.floor.level != told->floor.level ||
           now.revert_sequence.number != told->revert_sequence.number ||
           now.revert_reason != told->revert_reason || now.revert_count != told->revert_count ||
           now.declined_sequence.number != told->declined_sequence.number ||
           now.declined_reason != told->declined_reason;
}

static struct cloud_firmware learn(const struct cloud_firmware *told, const struct status *status)
{
    struct cloud_firmware now = {
        .known = true,
        .epoch = status->epoch,
        .boot = status->boot,
        .tick = status->name.tick,
        .sequence = status->sequence,
        .outcome = status->outcome,
        .floor = status->floor,
        .revert_sequence = status->revert_sequence,
        .revert_reason = status->revert_reason,
        .revert_count = status->revert_count,
        .declined_sequence = status->declined_sequence,
        .declined_reason = status->declined_reason,
    };
    /* Each connection begins without a declined offer: that is no news. */
    if (now.declined_sequence.number == 0 && told->sequence.number == now.sequence.number) {
        now.declined_sequence = told->declined_sequence;
        now.declined_reason = told->declined_reason;
    }
    return now;
}

static enum err write_row(struct cloud *cloud, const struct cloud_image *image)
{
    const struct cloud_firmware *told = &image->told;
    const uint64_t columns[] = {
        image->status.device,
        told->epoch,
        told->boot,
        told->tick,
        told->sequence.number,
        told->outcome,
        told->floor.level,
        told->revert_sequence.number,
        (uint64_t)told->revert_reason,
        told->revert_count,
        told->declined_sequence.number,
        (uint64_t)told->declined_reason,
    };
    for (uint32_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        (void)sqlite3_bind_int64(cloud->images.replace, (int)i + 1, (sqlite3_int64)columns[i]);
    }
    return database_write(&cloud->database, cloud->images.replace);
}

/* ---- What they get -------------------------------------------------------------------------- */

static const struct release_entry *choose(const struct cloud *cloud,
                                          const struct cloud_image *image)
{
    return releases_choose(&cloud->images.releases, image->declined, &image->status,
                           cloud->wall_us);
}

/* One message, whatever it is: the device's next status asks for the next one. Lost when there is
 * no room: the device asks again, over another gateway. */
static void answer(struct cloud *cloud, const struct port *port, struct mqtt_session *session,
                   struct cloud_image *image)
{
    const struct status *status = &image->status;
    const struct release_entry *release = choose(cloud, image);
    const bool wanted = release != NULL && status->wants &&
                        memcmp(status->wanted, release->name, MANIFEST_NAME_BYTES) == 0;
    struct parcel parcel;
    enum err err = ERR_OK;
    if (release == NULL || (wanted && status->offset >= release->source->image_bytes)) {
        err = put_answer(cloud, port, status, &parcel);
        cloud->counts.answers++;
    } else if (wanted) {
        err = put_chunk(cloud, port, release, status, &parcel);
        cloud->counts.chunks++;
    } else {
        const struct offer to = {.device = status->device, .name = status->name};
        err = put_offer(cloud, port, release, &to, &parcel);
        cloud->counts.offers++;
    }
    /* What is not being fetched may be told at once when it becomes due. */
    image->push_at_us = release == NULL ? cloud->now_us : cloud->now_us + PUSH_FIRST_US;
    if (release != NULL) {
        wake(cloud, image->push_at_us);
    }
    if (err == ERR_OK) {
        publish(port, session, status->device, &parcel);
    }
}

static enum err put_offer(struct cloud *cloud, const struct port *port,
                          const struct release_entry *release, const struct offer *to,
                          struct parcel *out)
{
    const struct manifest_envelopes *envelopes = &release->source->envelopes;
    struct offer offer = *to;
    offer.sequence = release->sequence;
    offer.author = envelopes->author;
    offer.author_bytes = envelopes->author_bytes;
    offer.operator= envelopes->operator;
    offer.operator_bytes = envelopes->operator_bytes;
    return message_offer(port, &cloud->config.keys, cloud->config.id, &offer, out);
}

static enum err put_chunk(struct cloud *cloud, const struct port *port,
                          const struct release_entry *release, const struct status *status,
                          struct parcel *out)
{
    const uint32_t left = release->source->image_bytes - status->offset;
    struct chunk chunk = {
        .device = status->device,
        .name = status->name,
        .offset = status->offset,
        .bytes = release->source->image + status->offset,
        .size_bytes = left < CHUNK_BYTES_MAX ? left : CHUNK_BYTES_MAX,
    };
    memcpy(chunk.manifest, release->name, MANIFEST_NAME_BYTES);
    return message_chunk(port, &cloud->config.keys, cloud->config.id, &chunk, out);
}

static enum err put_answer(struct cloud *cloud, const struct port *port,
                           const struct status *status, struct parcel *out)
{
    struct envelope envelope;
    const struct answer answer = {.device = status->device, .name = status->name};
    const enum err err =
        message_answer(port, &cloud->config.keys, cloud->config.id, &answer, &envelope);
    if (err == ERR_OK) {
        out->size_bytes = envelope.size_bytes;
        memcpy(out->bytes, envelope.bytes, envelope.size_bytes);
    }
    return err;
}

static void publish(const struct port *port, struct mqtt_session *session, uint32_t device,
                    const struct parcel *parcel)
{
    char topic[TOPIC_BYTES];
    topic_write(topic, 'd', device);
    const enum err err =
        mqtt_session_publish(session, port, topic, parcel->bytes, parcel->size_bytes);
    CHECK(err != ERR_IO);
}

/* Tell a device unasked, by the way that it was last heard. False if nothing was signed. */
static bool push(struct cloud *cloud, const struct port *port, struct cloud_image *image)
{
    const struct release_entry *release = choose(cloud, image);
    CHECK(release != NULL);
    if (image->push_delay_us == 0) {
        image->push_delay_us = PUSH_FIRST_US;
    }
    image->push_at_us = cloud->now_us + image->push_delay_us;
    image->push_delay_us =
        image->push_delay_us < PUSH_LAST_US / 2 ? image->push_delay_us * 2 : PUSH_LAST_US;
    struct mqtt_session *session = sessions_of(&cloud->sessions, image->gateway - 1);
    if (session == NULL) {
        return false;
    }
    const struct offer to = {.device = image->status.device};
    struct parcel parcel;
    if (put_offer(cloud, port, release, &to, &parcel) == ERR_OK) {
        cloud->counts.offers++;
        publish(port, session, image->status.device, &parcel);
        sessions_settle(&cloud->sessions, session);
    }
    return true;
}

/* Look at this time whom to tell, or earlier; not sooner than PUSH_LOOK_US from now. */
static void wake(struct cloud *cloud, uint64_t at_us)
{
    const uint64_t soon_us = cloud->now_us + PUSH_LOOK_US;
    const uint64_t then_us = at_us > soon_us ? at_us : soon_us;
    if (then_us < cloud->images.wake_us) {
        cloud->images.wake_us = then_us;
    }
}

static uint32_t round_up_8(size_t size_bytes)
{
    return (uint32_t)((size_bytes + 7u) / 8u * 8u);
}
