/* CHECK: the programmer's mistakes, on in every build.
 * Never for what a peer or the world can do. The linking program supplies check_failed: a daemon
 * stops, the simulator records a violation of the law core.check.
 */
#ifndef BROWNOUT_CORE_CHECK_H
#define BROWNOUT_CORE_CHECK_H

_Noreturn void check_failed(const char *file, int line, const char *what);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_failed(__FILE__, __LINE__, #condition);                                          \
        }                                                                                          \
    } while (0)

#endif
