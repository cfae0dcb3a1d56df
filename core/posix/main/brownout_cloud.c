/* The daemon brownout-cloud. */
#include "core/posix/daemon.h"

int main(int argc, char **argv)
{
    return daemon_main(EVIDENCE_OF_CLOUD, argc, argv);
}
