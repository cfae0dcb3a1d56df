/* Metrics as Prometheus text, in a file that is replaced as a whole: whoever reads it (the textfile
 * collector of node_exporter, `brownout up`, a person) sees one moment of it.
 */
#ifndef BROWNOUT_CORE_POSIX_METRICS_H
#define BROWNOUT_CORE_POSIX_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/evidence.h"
#include "core/posix/links.h"

enum { METRICS_BYTES_MAX = 65536 };

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE };

struct metrics {
    const char *path;
    const char *role; /* labels of each sample */
    uint32_t node;
    const char *last; /* name that HELP and TYPE were written of */
    size_t used;
    bool over; /* it did not fit: the file is left as it was */
    char text[METRICS_BYTES_MAX];
};

/* path and role are borrowed. */
void metrics_begin(struct metrics *metrics, const char *path, const char *role, uint32_t node);
/* Samples of one name come behind each other. name without its prefix "brownout_"; label NULL:
 * none beside role and node. */
void metrics_add(struct metrics *metrics, enum metrics_kind kind, const char *name,
                 const char *help, const char *label, const char *label_value, uint64_t value);
/* A counter for each reason to refuse or to drop (counts[0] is of none), and for each reason why a
 * link was sent away. */
void metrics_add_refusals(struct metrics *metrics, const char *name, const char *help,
                          const uint64_t counts[REFUSAL_COUNT]);
void metrics_add_away(struct metrics *metrics, const char *name, const char *help,
                      const uint64_t counts[LINKS_AWAY_COUNT]);
/* False: errno. */
bool metrics_end(struct metrics *metrics);

#endif
