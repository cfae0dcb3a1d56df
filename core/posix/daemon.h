/* What the three daemons share: command line, signals, life after life.
 *
 *   brownout-device [--check] CONFIG        also brownout-gateway, brownout-cloud
 *
 * Exit codes: 0 stopped in order (SIGTERM, SIGINT), or --check found nothing wrong; 2 the call, the
 * configuration or the state is wrong: the message says what to do, and starting it again without
 * that is of no use; 4 this program failed; by SIGABRT where a CHECK failed.
 */
#ifndef BROWNOUT_CORE_POSIX_DAEMON_H
#define BROWNOUT_CORE_POSIX_DAEMON_H

#include "core/posix/evidence_line.h"

enum { DAEMON_STOPPED = 0, DAEMON_REFUSED = 2, DAEMON_FAILED = 4 };

int daemon_main(enum evidence_role role, int argc, char **argv);

#endif
