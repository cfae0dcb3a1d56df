# Writes build_id.h: which source, which compiler, which build. Runs in every build, and leaves the
# file alone while it says the same, so that nothing is compiled again.
# cmake -DSOURCE_DIR=… -DCOMPILER=… -DBUILD_TYPE=… -DOUTPUT=… -P build_id.cmake

cmake_minimum_required(VERSION 3.25)

set(ENV{GIT_OPTIONAL_LOCKS} 0) # looking must not disturb a git command that runs beside the build
execute_process(
    COMMAND git -C ${SOURCE_DIR} describe --always --dirty --abbrev=12 --exclude=*
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE result ERROR_QUIET)
if(NOT result EQUAL 0)
    set(commit unknown) # an unpacked archive, or a tree without a commit
endif()

set(content "/* Which build this is. Written by scripts/build_id.cmake. */
#ifndef BROWNOUT_BUILD_ID_H
#define BROWNOUT_BUILD_ID_H

#define BUILD_COMMIT   \"${commit}\"
#define BUILD_COMPILER \"${COMPILER}\"
#define BUILD_TYPE     \"${BUILD_TYPE}\"

#endif
")
set(before)
if(EXISTS ${OUTPUT})
    file(READ ${OUTPUT} before)
endif()
if(NOT "${content}" STREQUAL "${before}")
    file(WRITE ${OUTPUT} "${content}")
endif()
