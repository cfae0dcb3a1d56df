/* The daemon brownout-gateway. */
#include "core/posix/daemon.h"

int main(int argc, char **argv)
{
    return daemon_main(EVIDENCE_OF_GATEWAY, argc, argv);
}
