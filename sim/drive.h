/* The real core, driven along walks of its spec: each action becomes the calls, messages and faults
 * that it stands for, and behind each step all that can be observed must be what the spec says.
 *
 * The grain differs: what the spec does in several actions the core may do in one call. A driver
 * may hold actions back until the call is whole, and shows meanwhile only the cells that do not
 * depend on them.
 */
#ifndef BROWNOUT_SIM_DRIVE_H
#define BROWNOUT_SIM_DRIVE_H

#include "core/evidence.h"
#include "sim/effect.h"
#include "sim/port_operation.h"
#include "sim/spec_instance.h"

enum drive_outcome {
    DRIVE_DONE,
    DRIVE_UNDRIVEN, /* a correct core cannot show it here: *why, which specs/<Law>/UNDRIVEN has to
                       list for this action. Nothing has changed, and other moves may follow */
    DRIVE_FAILED,   /* the core did something else: *why. Only end() may follow */
};

/* How an action shows in a run of the simulated world, and so where a strike finds it done. */
enum drive_shows {
    DRIVE_SILENT,   /* not at all: the fleet does it by itself, and a strike behind it falls where
                       one before it does */
    DRIVE_SAYS,     /* `node` says `evidence` */
    DRIVE_DOES,     /* `node` does `operation`, and says nothing */
    DRIVE_PRECEDES, /* it is done when `node` comes to `operation` next, and not before */
    DRIVE_HIDES,    /* not at all, and no strike falls right behind it: why */
    DRIVE_STRIKES,  /* it is `effect` on `node` */
    DRIVE_NEVER,    /* neither does the fleet do it, nor a strike: why */
};

struct drive_word {
    enum drive_shows shows;
    char node[16]; /* "dev1"; where the law is about one device, "device": whichever there are */
    enum evidence_kind evidence;
    /* DOES, PRECEDES; SAYS: what it does before the word. OPERATION_COUNT: nothing that is counted.
     */
    enum port_operation operation;
    /* Which of them is meant: counted in the boot, where nothing else does any; or else from the
     * node's last word on, the step of which is over by then. */
    bool in_boot;
    enum effect effect;
    const char *lasts; /* of the effect: "30s"; NULL: it strikes in an instant */
    bool restarts;     /* `node` boots behind it */
    const char *why;   /* static text */
};

struct driver {
    const char *law; /* as in models/specs.def */
    /* A core in the spec's initial state, configured with the instance's constants. The driver owns
     * it until end(). NULL: error says what the core cannot be configured to. */
    void *(*begin)(const struct spec_instance *instance, char *error, size_t error_bytes);
    /* why: static text, or NULL with DRIVE_DONE. */
    enum drive_outcome (*act)(void *rig, const struct spec_move *move, const char **why);
    /* The observable cells of the instance: values in cells[i] where seen[i]. */
    void (*look)(void *rig, int32_t *cells, bool *seen);
    /* At the end of a walk: do what is held back, so that it was done at all. As act(). NULL:
     * nothing ever is. */
    enum drive_outcome (*finish)(void *rig, const char **why);
    void (*end)(void *rig);
    /* What decides, beside the spec's state, which moves can be driven and where they lead: which
     * slot a record is in, what is held back. Two rigs of equal state and key have equal futures.
     * NULL: nothing does. */
    uint64_t (*key)(void *rig);
    /* Print what the last act() made the core do, one line each, behind `indent`. NULL: it cannot
     * tell. */
    void (*tell)(void *rig, const char *indent, FILE *file);
    /* For scenarios; NULL: none are made. pre, post: cells of the state before the step and behind
     * it. word: of nobody, SILENT. */
    void (*word)(const struct spec_instance *instance, const struct spec_move *move,
                 const int32_t *pre, const int32_t *post, struct drive_word *word);
    /* The lines of a scenario that give a fleet the instance's constants. devices: how many of the
     * one device that the law is about; others take theirs from the instance. */
    void (*fleet)(const struct spec_instance *instance, uint32_t devices, FILE *file);
    /* "5m": what the walk is about does not begin before; until then the nodes boot. NULL: no word
     * of the law is an operation. */
    const char *calm;
    /* "5m": the fleet takes so long to come to the spec's initial state, and words are counted from
     * then on. NULL: it begins there. */
    const char *(*warm)(const struct spec_instance *instance);
};

extern const struct driver drive_session, drive_telemetry;

/* A CHECK failed, in any code of this process. Leaves the step of the core that drive_session
 * drives; returns if there is none, or if it was the simulator's own. */
void session_check_failed(const char *file, int line, const char *what);

/* All laws that have one (sim/drive_<law>.c); NULL: none for this law. */
const struct driver *driver_of(const char *law);

#endif
