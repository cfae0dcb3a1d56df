/* A daemon stops where a CHECK fails, with its image for a debugger. */
#include <stdlib.h>

#include "core/check.h"
#include "core/posix/host.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    host_check_failed(file, line, what);
    abort();
}
