/* The daemon brownout-device. */
#include "core/posix/daemon.h"

int main(int argc, char **argv)
{
    return daemon_main(EVIDENCE_OF_DEVICE, argc, argv);
}
