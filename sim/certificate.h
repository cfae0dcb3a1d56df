/* A closure certificate: what was explored, of what, by which build, and what came of it; enough
 * for the same build to explore it again and compare. One JSON object in a file.
 */
#ifndef BROWNOUT_SIM_CERTIFICATE_H
#define BROWNOUT_SIM_CERTIFICATE_H

#include "sim/explore.h"

enum { CERTIFICATE_BYTES_MAX = 64 << 20 };

/* What a certificate is about. */
struct certificate {
    char life[LIFE_PATH_BYTES]; /* the file */
    char part[LIFE_PATH_BYTES]; /* for part_load */
    bool torn, demonic;
};

/* The result is of a search that closed. False: error says why it could not be written. */
bool certificate_write(const char *path, const struct certificate *about, struct explore *explore,
                       const struct explore_result *result, char *error, size_t error_bytes);

/* A certificate of this build, of a life and a part that are still the same. False: error says what
 * is wrong with it, and what to do. */
struct cJSON;
struct cJSON *certificate_read(const char *path, struct certificate *about, char *error,
                               size_t error_bytes);
/* Does a search that was made now come to the same? False: *difference says in what. The
 * certificate is to be deleted by cJSON_Delete. */
bool certificate_compare(const struct cJSON *certificate, struct explore *explore,
                         const struct explore_result *result, char *difference,
                         size_t difference_bytes);

/* All figures of a result, for certificates and for --json. */
void certificate_figures(struct cJSON *object, const struct explore_result *result);
/* Shares of the time in which the uncut life is busy with its flash, in millionths; false: none. */
bool certificate_shares(const struct explore_result *result,
                        uint32_t shares[EXPLORE_OPERATION_COUNT]);
const char *certificate_operation(enum explore_operation operation);

#endif
