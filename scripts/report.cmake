# The page of `brownout report`, made from report/ when something in it has changed, as a C file of sim.
# scripts/fetch.sh (part of the set-up) fetches what that takes; where it is missing the command is
# built all the same, and the verb says so.

execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/fetch.sh report --where
    OUTPUT_VARIABLE report_modules OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(APPEND report_modules "/node_modules")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/report/package.json ${PROJECT_SOURCE_DIR}/report/package-lock.json)
find_program(NODE node)
set(report_page ${CMAKE_BINARY_DIR}/report_page.c)
if(NODE AND EXISTS ${report_modules}/.package-lock.json)
    set(REPORT_MODULES ${report_modules})
    file(GLOB report_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/report/src/*)
    add_custom_command(OUTPUT ${report_page}
        COMMAND ${NODE} ${PROJECT_SOURCE_DIR}/report/build.mjs ${report_modules} ${report_page}
        DEPENDS ${report_sources} ${PROJECT_SOURCE_DIR}/report/build.mjs
            ${PROJECT_SOURCE_DIR}/report/package-lock.json
        COMMENT "report_page.c" VERBATIM)
elseif("$ENV{CI}" STREQUAL "true")
    message(FATAL_ERROR "node, or what scripts/fetch.sh fetches, is missing")
else()
    set(REPORT_MODULES)
    message(STATUS "brownout report has no page: node, or what scripts/fetch.sh fetches, is missing")
    set(report_page ${CMAKE_BINARY_DIR}/report_none.c)
    file(CONFIGURE OUTPUT ${report_page} CONTENT "/* Without npm there is no page. */
#include \"sim/report_page.h\"

const unsigned char report_page[] = {0};
const size_t report_page_bytes = 0;
")
endif()
target_sources(sim PRIVATE ${report_page})
