# Writes mutants.json: what `brownout mutants` needs to compile one patched source file and to link
# the command with it. The patched object comes before the archives: it defines the same names as
# the member that it replaces, so the linker never asks for that member.
#
#   compile   compiler, flags, flags_of[folder of the file], -I of each of includes, and
#             -ffile-prefix-map=<folder of the patched tree>/= so that __FILE__ stays the same
#   link      compiler, link_flags, objects, the patched object, archives, libraries, in this order

function(json_list out)
    list(TRANSFORM ARGN REPLACE "([\"\\\\])" "\\\\\\1")
    list(JOIN ARGN "\", \"" joined)
    if(ARGN)
        set(joined "\"${joined}\"")
    endif()
    set(${out} "[${joined}]" PARENT_SCOPE)
endfunction()

string(TOUPPER ${CMAKE_BUILD_TYPE} type)
separate_arguments(mutants_flags UNIX_COMMAND "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${type}}")
separate_arguments(mutants_link_flags UNIX_COMMAND "${CMAKE_EXE_LINKER_FLAGS}")

# folder: where mutants.json goes, beside the program of `target`. archives: targets, in the order in
# which they are linked. core_flags, link_flags: over those of every file and program.
function(brownout_mutants target folder)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "ARCHIVES;CORE_FLAGS;LINK_FLAGS")
    set(archives)
    foreach(library IN LISTS arg_ARCHIVES)
        if(TARGET ${library})
            list(APPEND archives $<TARGET_FILE:${library}>)
        endif()
    endforeach()
    json_list(json_flags ${CMAKE_C11_STANDARD_COMPILE_OPTION} ${mutants_flags} ${BROWNOUT_OPTIONS}
        ${BROWNOUT_SANITIZE_OPTIONS})
    json_list(json_core ${BROWNOUT_CORE_OPTIONS} ${arg_CORE_FLAGS})
    json_list(json_models ${BROWNOUT_CORE_OPTIONS})
    json_list(json_posix -D${BROWNOUT_POSIX})
    json_list(json_includes ${BROWNOUT_INCLUDES} ${CMAKE_BINARY_DIR}/include
        ${SQLITE_INCLUDE_DIRS} ${TOOLS_INCLUDE_DIRS} ${OPENSSL_INCLUDE_DIR})
    json_list(json_link_flags ${mutants_flags} ${mutants_link_flags} ${BROWNOUT_SANITIZE_OPTIONS}
        -Wl,--undefined=check_failed ${arg_LINK_FLAGS})
    json_list(json_archives ${archives})
    json_list(json_libraries ${SQLITE_LINK_LIBRARIES} ${TOOLS_LINK_LIBRARIES}
        ${OPENSSL_SSL_LIBRARY} ${OPENSSL_CRYPTO_LIBRARY})
    file(GENERATE OUTPUT ${folder}/mutants.json CONTENT "{
  \"source_dir\": \"${PROJECT_SOURCE_DIR}\",
  \"program\": \"$<TARGET_FILE:${target}>\",
  \"compiler\": \"${CMAKE_C_COMPILER}\",
  \"flags\": ${json_flags},
  \"flags_of\": {
    \"core\": ${json_core},
    \"core/mqtt\": ${json_core},
    \"core/server\": ${json_core},
    \"core/crypto\": ${json_models},
    \"models\": ${json_models},
    \"sim\": ${json_posix}
  },
  \"includes\": ${json_includes},
  \"link_flags\": ${json_link_flags},
  \"objects\": [\"$<JOIN:$<TARGET_OBJECTS:${target}>,\", \">\"],
  \"archives\": ${json_archives},
  \"libraries\": ${json_libraries}
}
")
endfunction()

brownout_mutants(brownout ${CMAKE_BINARY_DIR}
    ARCHIVES sim core_posix core_server core_crypto models core)
