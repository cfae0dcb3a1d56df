/* Inside of the follower: what its parts share.
 *
 *   follow_session.c           memory, the table of readings, what a device says and does
 *   follow_session_gateway.c   what gateways say, and what their images show
 *   follow_session_cloud.c     what the cloud says, and what its images show
 */
#ifndef BROWNOUT_MODELS_FOLLOW_SESSION_INSIDE_H
#define BROWNOUT_MODELS_FOLLOW_SESSION_INSIDE_H

#include "models/follow_session.h"

#include "models/session.def"
#include "models/spec_single.h"

struct single_session {
    struct state now;
    int32_t windows; /* the spec's constant */
};

/* The copies of a reading in one queue. */
struct session_place {
    uint32_t gateway;       /* node; 0: free */
    uint32_t rows;          /* on its disk */
    uint32_t done;          /* of these, the cloud has dealt with them */
    uint32_t sent;          /* handed to the cloud's link, and not done */
    uint32_t uplink;        /* its number of that link */
    uint32_t late;          /* sent, and the cloud fell: it may come, or its answer, all the same */
    uint32_t early;         /* told as deleted though the gateway may not have done so yet */
    uint32_t image;         /* its number of the image that `listed` counts */
    uint32_t listed;        /* rows in that image */
    uint32_t deleting_next; /* 1 + place in all readings; 0 ends the list */
    bool deleting;          /* something was done since its last commit */
};

struct session_reading {
    struct single_session spec;
    uint64_t counter;
    uint64_t part;                      /* of its steps */
    uint32_t link, gateway;             /* the spec's link: its device's number of it; node */
    uint32_t later_link, later_gateway; /* sent on this one, too, and not told; 0: not */
    uint32_t via;                       /* gateway of what is in the cloud's transaction */
    uint32_t pending_next;              /* 1 + place in all readings; 0 ends the list */
    uint32_t strays;     /* copies on links that were given up: each may come late, or never */
    uint32_t ghosts;     /* the same, on links to the cloud */
    uint32_t duplicates; /* in the cloud's transaction, behind the first copy */
    uint32_t cloud_life; /* the cloud's, as told */
    bool in_use;
    bool gone;      /* followed no further; its room is free once no list has it */
    bool looked;    /* the cloud has looked at it */
    bool pending;   /* the cloud's transaction touches it */
    uint32_t lists; /* that have it */
    bool shown;     /* in the listing or the image under way */
    struct session_place places[FOLLOW_SESSION_PLACES];
};

enum { SESSION_FINISHED = 8 };

struct session_device {
    uint32_t number; /* of its node */
    bool left;
    bool down; /* and no boot has told what is left */
    uint32_t epoch;
    uint64_t fresh;         /* signed, and not yet stored; 0: nothing is */
    uint32_t links, link;   /* that it opened; the present one, 0: none */
    uint32_t gateway;       /* at its other end */
    uint32_t awaited;       /* readings to come of the listing under way */
    bool responded;         /* to a challenge, in this life of the cloud */
    uint32_t said, durable; /* epoch that the cloud has a window for; 0: none */
    uint32_t image;         /* the same, as an image shows it */
    uint32_t pending_next;  /* 1 + index: said is not durable */
    bool pending;
    uint32_t count, free; /* readings in use; 1 + index of the first that was given back */
    uint32_t fresh_index; /* from here on none was ever used */
    uint32_t finished_at;
    uint64_t finished[SESSION_FINISHED]; /* counters: kept for a boot that brings them back */
};

struct session_gateway {
    uint32_t number;
    uint32_t uplink;      /* links to the cloud that it opened */
    uint32_t uplink_life; /* of the cloud, when it opened the last one */
    uint32_t image;       /* its images so far */
    bool down;            /* and no image has told what is left */
    bool is_void;         /* what its disk holds proves nothing */
    bool committed;       /* in the event commit_event */
    uint64_t commit_event;
    uint32_t deleting; /* list of readings: done since its last commit */
};

struct follow_session {
    const struct judge_config *config;
    follow_session_listener *listener;
    void *ctx;
    int32_t k[SPEC_CONSTANTS_MAX];
    const struct observation *observation; /* being heard */
    struct session_device *devices;
    struct session_reading *readings; /* [device][capacity] */
    uint16_t *index;                  /* [device][index_size]: 1 + index of a reading */
    struct session_gateway *gateways;
    uint32_t *places; /* [node_count]: 1 + index of the device or the gateway; 0: neither */
    uint32_t device_count, gateway_count, capacity, index_size;
    uint32_t left;
    uint64_t left_readings;
    uint64_t parts;                            /* so far */
    bool rogues;                               /* there are nodes whose word nobody trusts */
    uint32_t cloud_life;                       /* how often it fell */
    bool cloud_down;                           /* and no image has told what is left */
    uint32_t pending_readings, pending_device; /* the cloud's transaction: lists */
};

/* ---- follow_session.c ---- */

static inline bool session_has(int32_t set)
{
    return set_has(set, 1);
}

/* All copies on links to the cloud. */
static inline uint32_t session_flying(const struct session_reading *reading)
{
    return (uint32_t)reading->spec.now.flying[1];
}

/* NULL: not one, or no longer followed. */
struct session_device *follow_session_device_of(struct follow_session *follow, uint32_t node);
struct session_gateway *follow_session_gateway_of(struct follow_session *follow, uint32_t node);
/* The reading that the observation is about; NULL: it is not followed. */
struct session_reading *follow_session_find(struct follow_session *follow,
                                            struct session_device *device);
/* All readings of a device that are followed, `reading` NULL at first; NULL: there are no more. */
struct session_reading *follow_session_next(struct follow_session *follow,
                                            const struct session_device *device,
                                            struct session_reading *reading);
struct session_device *follow_session_owner(struct follow_session *follow,
                                            const struct session_reading *reading);
void follow_session_tell(struct follow_session *follow, struct session_device *device,
                         struct session_reading *reading, enum law_action action);
/* Nothing took place; the run shows this, and it is not what the steps before came to. */
void follow_session_look(struct follow_session *follow, struct session_device *device,
                         struct session_reading *reading, enum law_variable variable, int32_t key,
                         int32_t value);
/* Follow this reading no further, and count it. */
void follow_session_abandon(struct follow_session *follow, struct session_device *device,
                            struct session_reading *reading);
void follow_session_leave_device(struct follow_session *follow, struct session_device *device);
/* What was sent on a later link is told. */
void follow_session_bring_later(struct follow_session *follow, struct session_device *device,
                                struct session_reading *reading);
/* Keep it only as long as there is room, if nobody has it any more. */
void follow_session_settle(struct follow_session *follow, struct session_device *device,
                           struct session_reading *reading);
/* Off a list: a reading that is followed no further gives its room back. */
void follow_session_unlist(struct follow_session *follow, struct session_device *device,
                           struct session_reading *reading);

/* ---- follow_session_gateway.c ---- */

void follow_session_hear_gateway(struct follow_session *follow, struct session_gateway *gateway);
/* The cloud hears a copy, and none is under way: one that was forwarded on a link that had been
 * opened before the cloud fell, and led to it when it was up again. gateway 0: any. False: there is
 * none. */
bool follow_session_show_late(struct follow_session *follow, struct session_device *device,
                              struct session_reading *reading, uint32_t gateway);
/* A compromised gateway, to which the reading was sent, has handed it to the cloud. False: it was
 * not sent to it, and is followed no further. */
bool follow_session_show_rogue(struct follow_session *follow, struct session_device *device,
                               struct session_reading *reading, uint32_t gateway);
/* ... and will not again. */
void follow_session_end_rogue(struct follow_session *follow, struct session_device *device,
                              struct session_reading *reading, uint32_t gateway);

/* ---- follow_session_cloud.c ---- */

void follow_session_hear_cloud(struct follow_session *follow);
/* The cloud has fallen since something was told of the reading. What it said on its last links may
 * have come to gateways after that; now they are over. */
void follow_session_catch_up(struct follow_session *follow, struct session_device *device,
                             struct session_reading *reading);

#endif
