# Checks what the objects of an archive call and keep: only names on a list, and no mutable data.
# cmake -DNM=<nm> -DARCHIVE=<lib.a> -DALLOW=<regex> [-DBELOW=<lib.a;…>] [-DEXPECT=<names>]
#       -P check_symbols.cmake
# BELOW are the archives whose names it may call as well. With EXPECT the check passes when exactly
# these names break a rule: that is its own test. With SKIP it says why it cannot be made.

cmake_minimum_required(VERSION 3.25)

if(SKIP)
    message("skipped: ${SKIP}")
    return()
endif()

# What compilers put in by themselves: a comparison for equality, hardened copies, position
# independence.
set(toolchain "bcmp|__(memcpy|memmove|memset)_chk|__stack_chk_(fail|guard)|_GLOBAL_OFFSET_TABLE_")

function(list_symbols archive out)
    execute_process(COMMAND ${NM} --format=sysv ${ARGN} ${archive}
        OUTPUT_VARIABLE text RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "${NM} cannot read ${archive}")
    endif()
    string(REGEX MATCHALL "[^\n]+" lines "${text}")
    set(${out} ${lines} PARENT_SCOPE)
endfunction()

# A line is: name | value | class | type | size | line | section
macro(split_line line)
    string(REGEX REPLACE "[ \t]*\\|[ \t]*" "|" columns "${line}")
    string(REGEX MATCH "^([^|]+)\\|[^|]*\\|([^|]*)\\|[^|]*\\|[^|]*\\|[^|]*\\|(.*)$" matched
        "${columns}")
    set(name "${CMAKE_MATCH_1}")
    set(class "${CMAKE_MATCH_2}")
    set(section "${CMAKE_MATCH_3}")
endmacro()

set(defined)
foreach(archive IN LISTS ARCHIVE BELOW)
    list_symbols(${archive} lines --defined-only --extern-only)
    foreach(line IN LISTS lines)
        split_line("${line}")
        if(matched)
            list(APPEND defined ${name})
        endif()
    endforeach()
endforeach()

set(broken)
set(count 0)
list_symbols(${ARCHIVE} lines)
foreach(line IN LISTS lines)
    split_line("${line}")
    if(NOT matched OR name STREQUAL "Name")
        continue()
    endif()
    math(EXPR count "${count} + 1")
    if(class MATCHES "^[UwVv]$" AND section MATCHES "UND")
        if(NOT name IN_LIST defined AND NOT name MATCHES "^(${ALLOW}|${toolchain})$")
            message(STATUS "${ARCHIVE}: calls ${name}")
            list(APPEND broken ${name})
        endif()
    elseif(class MATCHES "^[BbDdCGgSs]$" AND NOT section MATCHES "^\\.data\\.rel\\.ro")
        message(STATUS "${ARCHIVE}: keeps ${name} in ${section}")
        list(APPEND broken ${name})
    endif()
endforeach()

list(REMOVE_DUPLICATES broken)
list(SORT broken)
if(count EQUAL 0)
    message(FATAL_ERROR "no symbol in ${ARCHIVE}")
elseif(NOT "${broken}" STREQUAL "${EXPECT}")
    message(FATAL_ERROR "symbols: broken by [${broken}], expected [${EXPECT}]. "
        "What the world does goes through the port; state belongs to the caller.")
endif()
message(STATUS "symbols: ${count} looked at, as expected")
