# Checks who may include whom, and that core and models have no conditional code.
# cmake -DROOT=<tree> [-DEXPECT=<files>] -P check_includes.cmake
# With EXPECT the check passes when exactly these files break a rule: that is its own test.

cmake_minimum_required(VERSION 3.25)

# The rules of a folder: which "…" and which <…> its files may include.
set(freestanding "stdint|stdbool|stddef|string")
set(any ".*")

set(rule_core_quotes "core/(mqtt/)?[a-z0-9_]+\\.h")
set(rule_core_angles "(${freestanding})\\.h")

set(rule_server_quotes "core/(mqtt/|server/)?[a-z0-9_]+\\.h")
set(rule_server_angles "(${freestanding}|stdlib|sqlite3)\\.h")

set(rule_crypto_quotes "core/(crypto/)?[a-z0-9_]+\\.h")
set(rule_crypto_angles "(${freestanding}|limits)\\.h|openssl/[a-z0-9_]+\\.h")

set(rule_posix_quotes "core/([a-z]+/)?[a-z0-9_]+\\.h")
set(rule_posix_angles "${any}")

set(rule_core_test_quotes "core/.*")
set(rule_core_test_angles "${any}")

# The code of a law is compiled once more in its wide form (models/spec_wide.h).
set(rule_models_quotes "models/([a-z0-9_]+\\.(h|def)|spec_[a-z]+\\.c)|core/evidence\\.h")
set(rule_models_angles "(${freestanding})\\.h")

set(rule_models_test_quotes "models/.*|core/evidence\\.h|core/test/test\\.h")
set(rule_models_test_angles "${any}")

# Lua and SQLite each have their door into sim: the other files do not know of them.
set(rule_sim_quotes
    "build_id\\.h|core/posix/(evidence_line|tls_make)\\.h|(sim|models|core|core/(mqtt|server|crypto))/[a-z0-9_]+\\.(h|def)")
set(rule_sim_angles "${any}")
set(lua_headers "<(lua|lauxlib|lualib)\\.h>")
set(lua_files "^sim/script[a-z0-9_]*\\.c$")
set(sqlite_headers "<sqlite3(ext)?\\.h>")
set(sqlite_files "^sim/(record[a-z0-9_]*|disk_vfs|image)\\.c$")

# Fuzz targets drive roles and readers through their public headers alone.
set(rule_fuzz_quotes "fuzz/[a-z0-9_]+\\.h|(core|core/(mqtt|server|posix|test)|sim)/[a-z0-9_]+\\.h")
set(rule_fuzz_angles "(${freestanding}|dirent|errno|fcntl|stdio|stdlib|unistd|sys/stat)\\.h")
set(inside_headers "_inside\\.h\"$")

set(conditional_free "^(core|models)/([a-z]+/)?[a-z0-9_]+\\.[ch]$")

function(check_folder folder rule)
    file(GLOB files RELATIVE ${ROOT} ${ROOT}/${folder}/*.c ${ROOT}/${folder}/*.h)
    foreach(file IN LISTS files)
        file(STRINGS ${ROOT}/${file} lines REGEX "^[ \t]*#[ \t]*(include|if|elif|else)")
        foreach(line IN LISTS lines)
            check_line(${file} ${rule} "${line}")
        endforeach()
    endforeach()
    list(LENGTH files count)
    math(EXPR checked "${checked} + ${count}")
    set(checked ${checked} PARENT_SCOPE)
endfunction()

function(check_line file rule line)
    set(allowed FALSE)
    if(line MATCHES "#[ \t]*include[ \t]*(\"([^\"]*)\"|<([^>]*)>)")
        set(header "${CMAKE_MATCH_1}")
        if(header MATCHES "^\"(${rule_${rule}_quotes})\"$" OR
           header MATCHES "^<(${rule_${rule}_angles})>$")
            set(allowed TRUE)
        endif()
        if(file MATCHES "^sim/[^/]+$" AND
           ((header MATCHES "${lua_headers}" AND NOT file MATCHES "${lua_files}") OR
            (header MATCHES "${sqlite_headers}" AND NOT file MATCHES "${sqlite_files}")))
            set(allowed FALSE)
        endif()
        if(file MATCHES "^fuzz/" AND header MATCHES "${inside_headers}")
            set(allowed FALSE)
        endif()
    elseif(NOT line MATCHES "#[ \t]*include")
        if(NOT file MATCHES "${conditional_free}" OR file MATCHES "^core/posix/" OR
           (file MATCHES "\\.h$" AND line MATCHES "#ifndef BROWNOUT_[A-Z0-9_]+_H$"))
            set(allowed TRUE)
        endif()
    endif()
    if(NOT allowed)
        message(STATUS "${file}: not allowed here: ${line}")
        set_property(GLOBAL APPEND PROPERTY broken ${file})
    endif()
endfunction()

set(checked 0)
check_folder(core core)
check_folder(core/mqtt core)
check_folder(core/server server)
check_folder(core/crypto crypto)
check_folder(core/posix posix)
check_folder(core/posix/main posix)
check_folder(core/test core_test)
check_folder(models models)
check_folder(models/test models_test)
check_folder(sim sim)
check_folder(fuzz fuzz)

get_property(broken GLOBAL PROPERTY broken)
list(REMOVE_DUPLICATES broken)
list(SORT broken)
if(checked EQUAL 0)
    message(FATAL_ERROR "no source file under ${ROOT}")
elseif(NOT "${broken}" STREQUAL "${EXPECT}")
    message(FATAL_ERROR "includes: broken by [${broken}], expected [${EXPECT}]. "
        "Move the code to the folder that may do this, or put it behind the port.")
endif()
message(STATUS "includes: ${checked} files, as expected")
