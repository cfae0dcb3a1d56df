/* A CHECK that fails under an input is a finding. (A scenario's world has an answer of its own.) */
#include "core/check.h"
#include "fuzz/fuzz.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fuzz_failed(file, line, what);
}
