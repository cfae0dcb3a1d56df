# The tests of the architecture: who includes whom, and what the objects call. Each is also run on a
# small sample that breaks its rules, because a check that cannot fail is none.

set(check_includes ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR}
    -P ${PROJECT_SOURCE_DIR}/scripts/check_includes.cmake)
add_test(NAME layers.includes COMMAND ${check_includes})

set(sample ${CMAKE_BINARY_DIR}/layers_sample)
set(broken)
function(sample_file breaks path content)
    file(CONFIGURE OUTPUT ${sample}/${path} CONTENT "${content}\n" @ONLY)
    if(breaks)
        set(broken ${broken} ${path} PARENT_SCOPE)
    endif()
endfunction()
sample_file(TRUE core/above.c "#include \"core/server/cloud.h\"")
sample_file(TRUE core/clock.c "#include <time.h>")
sample_file(TRUE core/conditional.c "#ifdef SIM\n#endif")
sample_file(FALSE core/good.c "#include <stdint.h>\n#include \"core/good.h\"")
sample_file(FALSE core/good.h "#ifndef BROWNOUT_CORE_GOOD_H\n#define BROWNOUT_CORE_GOOD_H\n#endif")
sample_file(TRUE core/mqtt/sim.c "#include \"sim/net.h\"")
sample_file(TRUE core/server/print.c "#include <stdio.h>")
sample_file(FALSE core/server/rows.c "#include <sqlite3.h>\n#include \"core/mqtt/session.h\"")
sample_file(TRUE core/crypto/rows.c "#include <sqlite3.h>")
sample_file(TRUE core/posix/sim.c "#include \"sim/net.h\"")
sample_file(TRUE core/posix/law.c "#include \"models/model.h\"")
sample_file(FALSE core/posix/clock.c "#include <time.h>\n#include \"core/server/cloud.h\"")
sample_file(TRUE sim/host.c "#include \"core/posix/host.h\"")
sample_file(FALSE sim/log.c "#include \"core/posix/evidence_line.h\"")
sample_file(TRUE core/test/test_sim.c "#include \"sim/net.h\"")
sample_file(TRUE models/state.c "#include \"core/device.h\"")
sample_file(FALSE models/word.c "#include \"core/evidence.h\"")
sample_file(TRUE sim/lua.c "#include <lua.h>")
sample_file(FALSE sim/script.c "#include <lua.h>")
sample_file(TRUE sim/sqlite.c "#include <sqlite3.h>")
sample_file(FALSE sim/record.c "#include <sqlite3.h>\n#if 1\n#endif")
sample_file(TRUE fuzz/law.c "#include \"models/model.h\"")
sample_file(TRUE fuzz/rows.c "#include <sqlite3.h>")
sample_file(TRUE fuzz/tables.c "#include \"core/server/broker_inside.h\"")
sample_file(FALSE fuzz/fuzz_good.c "#include <stdio.h>\n#include \"core/server/broker.h\"")
list(SORT broken)
add_test(NAME layers.includes_sample COMMAND ${CMAKE_COMMAND}
    -DROOT=${sample} "-DEXPECT=${broken}"
    -P ${PROJECT_SOURCE_DIR}/scripts/check_includes.cmake)

set(memory "mem(cpy|move|set|cmp)")
set(skip)
if(BROWNOUT_SANITIZE)
    set(skip "a sanitizer adds calls of its own")
endif()

# The names that a library's objects may call beside its own and those of the libraries below it.
function(check_symbols library allow)
    if(TARGET ${library})
        set(below)
        foreach(name IN LISTS ARGN)
            list(APPEND below $<TARGET_FILE:${name}>)
        endforeach()
        add_test(NAME layers.symbols_${library} COMMAND ${CMAKE_COMMAND}
            -DNM=${CMAKE_NM} -DARCHIVE=$<TARGET_FILE:${library}> "-DALLOW=${allow}"
            "-DBELOW=${below}" "-DEXPECT=${EXPECT}" "-DSKIP=${skip}"
            -P ${PROJECT_SOURCE_DIR}/scripts/check_symbols.cmake)
        set_tests_properties(layers.symbols_${library} PROPERTIES
            SKIP_REGULAR_EXPRESSION "skipped: ")
    endif()
endfunction()
check_symbols(core "check_failed|${memory}")
check_symbols(core_server "check_failed|${memory}|sqlite3_[a-z0-9_]+|[mc]alloc|realloc|free" core)
check_symbols(core_crypto "check_failed|${memory}|(EVP|OSSL|CRYPTO|ERR|OPENSSL)_[A-Za-z0-9_]+" core)
check_symbols(models "${memory}")

sample_file(FALSE symbols.c "#include <string.h>
#include <time.h>
int sample_calls;
void sample(char *to, const char *from, unsigned long size);
void sample(char *to, const char *from, unsigned long size)
{
    sample_calls++;
    memcpy(to, from, size + (unsigned long)time(NULL));
}")
add_library(sample STATIC ${sample}/symbols.c)
target_link_libraries(sample PRIVATE brownout_flags)
set(EXPECT "sample_calls;time")
check_symbols(sample "${memory}")
