/* The three roles, as a host runs them. */
#ifndef BROWNOUT_CORE_POSIX_ROLES_H
#define BROWNOUT_CORE_POSIX_ROLES_H

#include "core/posix/host.h"

const struct host_role *roles_of(enum evidence_role role);

#endif
