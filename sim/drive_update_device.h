/* The device that is driven along specs/Update: the real boot loader and agent over simulated
 * flash, a call at a time. A call can be made again from the ground, which is where the last whole
 * one ended, and power can go, or a slot be spoilt, behind any of its writes.
 */
#ifndef BROWNOUT_SIM_DRIVE_UPDATE_DEVICE_H
#define BROWNOUT_SIM_DRIVE_UPDATE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UPDATE_DEVICE_SLOTS = 2, UPDATE_DEVICE_WHOLE = -1 };

struct update_device_spec {
    uint32_t releases;   /* 1..FIRMWARE_RELEASES_MAX */
    uint32_t high_level; /* of even ones; that of the others is 1 */
    uint32_t sectors;    /* of each image */
    uint32_t trials, reverts_max;
};

enum update_device_place {
    UPDATE_DEVICE_OFF,
    UPDATE_DEVICE_RUN,
    UPDATE_DEVICE_TRIAL,
    UPDATE_DEVICE_FALLBACK,
    UPDATE_DEVICE_ARMED,
    UPDATE_DEVICE_FILL,
    UPDATE_DEVICE_ERASED, /* part of a sector is there */
    UPDATE_DEVICE_FULL,
    UPDATE_DEVICE_FAILED,
};

enum update_device_call {
    UPDATE_DEVICE_BOOT,
    UPDATE_DEVICE_OFFER,
    UPDATE_DEVICE_HALF, /* of what the sector lacks */
    UPDATE_DEVICE_REST,
    UPDATE_DEVICE_FINISH,
    UPDATE_DEVICE_CONFIRM,
};

/* What is in flash, by the variables of the spec. */
struct update_device_face {
    int32_t header[UPDATE_DEVICE_SLOTS];
    int32_t content[UPDATE_DEVICE_SLOTS], whole[UPDATE_DEVICE_SLOTS]; /* where `certain`, else 0 */
    bool certain[UPDATE_DEVICE_SLOTS]; /* its header is over a whole image: else flash does not say
                                          whose bytes count */
    bool lost;                         /* then the record's other fields are 0 */
    int32_t confirmed, highest, trial, left, reverted, reverts;
    int32_t taken, filled, floor;
};

struct update_device;

/* Release 1 in slot A, nothing else; it has booted once and is off. NULL: error. */
struct update_device *update_device_make(const struct update_device_spec *spec, char *error,
                                         size_t error_bytes);
void update_device_free(struct update_device *device);

/* It is where it is now from here on. */
void update_device_ground(struct update_device *device);
/* Back to the ground; no spoiling is planned. */
void update_device_back(struct update_device *device);
/* In the call that is made next: spoil that slot behind so many writes. */
void update_device_plan_spoil(struct update_device *device, uint32_t slot, uint32_t writes);
/* Make a call; power goes behind `writes` of its writes, or, UPDATE_DEVICE_WHOLE, stays. release:
 * of OFFER. False: it answered that it could not, or power went. */
bool update_device_call(struct update_device *device, enum update_device_call call,
                        uint32_t release, int32_t writes);
/* How many it made. */
uint32_t update_device_writes(const struct update_device *device);
void update_device_off(struct update_device *device);
/* What befalls its flash, now. */
void update_device_spoil(struct update_device *device, uint32_t slot);
void update_device_lose_record(struct update_device *device);

/* Where the last whole call left it. */
enum update_device_place update_device_place(const struct update_device *device);
/* To look leaves no trace. */
void update_device_look(const struct update_device *device, struct update_device_face *face);
/* Are the bytes of that slot what the spec says: so many sectors of that release, 0: no whole
 * image? What an earlier download left behind those the spec forgets. */
bool update_device_holds(const struct update_device *device, uint32_t slot, int32_t content,
                         int32_t whole);

#endif
