/* The driver of specs/Update. */
#ifndef BROWNOUT_SIM_DRIVE_UPDATE_H
#define BROWNOUT_SIM_DRIVE_UPDATE_H

#include "sim/drive.h"

extern const struct driver drive_update;

#endif
