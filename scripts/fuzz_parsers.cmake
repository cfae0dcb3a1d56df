# The targets of fuzz/: fuzz_<noun>.c is one. Preset fuzz (clang) links libFuzzer and instruments all
# libraries; every other build links a main that replays files. In both, fuzz.<noun> replays the
# corpus and the findings of the past.
set(fuzz_searches FALSE)
if(BROWNOUT_SANITIZE MATCHES "fuzzer-no-link")
    set(fuzz_searches TRUE)
endif()

file(GLOB fuzz_targets CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/fuzz/fuzz_*.c)
set(fuzz_programs)
foreach(source IN LISTS fuzz_targets)
    cmake_path(GET source STEM stem)
    string(REGEX REPLACE "^fuzz_" "" noun ${stem})
    set(program ${stem})
    brownout_program(${program} ${source} fuzzers sim core_test)
    target_sources(${program} PRIVATE fuzz/fuzz.c)
    if(NOT noun STREQUAL "scenario") # there a CHECK inside a node is a verdict
        target_sources(${program} PRIVATE fuzz/check_failed.c)
    endif()
    file(GLOB parts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/fuzz/${noun}_*.c)
    target_sources(${program} PRIVATE ${parts})
    if(fuzz_searches)
        target_link_options(${program} PRIVATE -fsanitize=fuzzer)
    else()
        target_sources(${program} PRIVATE fuzz/replay.c)
    endif()
    list(APPEND fuzz_programs ${program})

    set(folders)
    foreach(folder corpus regress)
        if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/fuzz/${folder}/${noun})
            list(APPEND folders fuzz/${folder}/${noun})
        endif()
    endforeach()
    add_test(NAME fuzz.${noun} COMMAND ${program} -runs=0 ${folders}
        WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(fuzz.${noun} PROPERTIES TIMEOUT 120 LABELS fuzz)
endforeach()
add_custom_target(fuzzers DEPENDS ${fuzz_programs})

# The corpora that are bytes: fuzz_seeds fuzz/corpus.
brownout_program(fuzz_seeds fuzz/seeds.c fuzzers core_test core)
target_sources(fuzz_seeds PRIVATE fuzz/fuzz.c fuzz/check_failed.c)
