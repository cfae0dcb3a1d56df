#include "sim/command.h"
#include "sim/spec_call.h"
int command_spec_conform(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 4;
}
int command_spec_mutate(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 4;
}
