# fuzz_plan: libFuzzer looks for plans that break a law (sim/fuzz/fuzz_plan.c). Core and its servers are
# compiled once more for it, with the coverage that guides it; everything else is linked as it is.
# BROWNOUT_FUZZ asks for it, where the compiler is clang.
include(CheckCSourceCompiles)

set(CMAKE_REQUIRED_FLAGS -fsanitize=fuzzer)
check_c_source_compiles("
#include <stddef.h>
#include <stdint.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { (void)data; return (int)(0 * size); }
" BROWNOUT_HAS_FUZZER)
unset(CMAKE_REQUIRED_FLAGS)

set(BROWNOUT_FUZZ_FLAGS)
if(NOT BROWNOUT_HAS_FUZZER)
    if("$ENV{CI}" STREQUAL "true")
        message(FATAL_ERROR "this clang has no libFuzzer, which fuzz_plan is linked with")
    endif()
    message(STATUS "fuzz_plan and its test are skipped: this clang has no libFuzzer")
else()
    set(BROWNOUT_FUZZ_FLAGS -fsanitize=fuzzer-no-link)
    brownout_library(core_fuzz FOLDERS core core/mqtt core/server
        OPTIONS ${BROWNOUT_CORE_OPTIONS} ${BROWNOUT_FUZZ_FLAGS} LINK PkgConfig::SQLITE)
    brownout_program(fuzz_plan sim/fuzz/fuzz_plan.c fuzz)
    # As files, so that nobody asks for core itself.
    add_dependencies(fuzz_plan sim core_crypto models core_fuzz)
    target_link_libraries(fuzz_plan PRIVATE
        $<TARGET_FILE:sim> $<TARGET_FILE:core_crypto> $<TARGET_FILE:models>
        $<TARGET_FILE:core_fuzz> PkgConfig::SQLITE PkgConfig::TOOLS OpenSSL::Crypto)
    target_link_options(fuzz_plan PRIVATE -fsanitize=fuzzer LINKER:--undefined=check_failed)
    brownout_mutants(fuzz_plan ${CMAKE_BINARY_DIR}/fuzz
        ARCHIVES sim core_crypto models core_fuzz
        CORE_FLAGS ${BROWNOUT_FUZZ_FLAGS} LINK_FLAGS -fsanitize=fuzzer)

    # A few runs of a small fleet, half of them lived twice.
    add_test(NAME fuzz.plan
        COMMAND fuzz_plan --scenario=scenarios/crucible.lua --set=run.crypto=ideal
            --set=run.swarm=yes --set=run.duration=5m --set=run.heal=10m
            --repeat-every=2 --out=${CMAKE_BINARY_DIR}/fuzz -runs=16 -seed=1
        WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(fuzz.plan PROPERTIES TIMEOUT 300)
endif()
