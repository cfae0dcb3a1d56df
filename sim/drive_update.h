/* The driver of specs/Update. */
#ifndef BROWNOUT_SIM_DRIVE_UPDATE_H
#define BROWNOUT_SIM_DRIVE_UPDATE_H

#include "sim/drive.h"

#define DRIVE_UPDATE_CALM "5m"

extern const struct driver drive_update;

/* struct driver's: how its actions show in a run, and a fleet with its constants. */
void drive_update_word(const struct spec_instance *instance, const struct spec_move *move,
                       const int32_t *pre, const int32_t *post, struct drive_word *word);
void drive_update_fleet(const struct spec_instance *instance, uint32_t devices, FILE *file);

#endif
