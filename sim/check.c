/* check_failed() of the simulator: a CHECK in a stepping node, in the device of a search or in
 * a core that is driven, is that one's, any other one ours.
 */
#include "core/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/drive.h"
#include "sim/drive_node.h"
#include "sim/explore.h"
#include "sim/node.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    node_check_failed(file, line, what);
    explore_check_failed(file, line, what);
    drive_check_failed(file, line, what);
    session_check_failed(file, line, what);
    fprintf(stderr, "brownout: %s:%d: the harness itself failed: %s\n", file, line, what);
    exit(4);
}
