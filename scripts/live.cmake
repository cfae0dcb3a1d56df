# Live: broker and client of core over loopback, against those that nobody here wrote. What is not
# installed is skipped (exit code 77), but not with CI=true. With tiny limits there is not enough room
# for them.
if(BROWNOUT_TINY)
    return()
endif()

foreach(live broker certificates client cutter)
    brownout_program(live_${live} core/test/live/${live}.c tests core_posix)
    set(${live} $<TARGET_FILE:live_${live}>)
endforeach()
brownout_program(live_hostile core/test/live/hostile.c tests core) # sim.hostile has it
foreach(live broker client)
    target_sources(live_${live} PRIVATE core/test/live/sockets.c)
endforeach()
foreach(what mqttjs mochi)
    execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/fetch.sh ${what} --where
        OUTPUT_VARIABLE ${what}_folder OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endforeach()

# live_test(NAME [ENVIRONMENT NAME=VALUE...] COMMAND WORD...)
function(live_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ENVIRONMENT;COMMAND")
    add_test(NAME live.${name} COMMAND ${arg_COMMAND} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(live.${name} PROPERTIES
        LABELS interop SKIP_RETURN_CODE 77 TIMEOUT 180
        ENVIRONMENT "MQTT_MODULES=${mqttjs_folder};MOCHI=${mochi_folder}/mochi;${arg_ENVIRONMENT}")
endfunction()

# once.sh BROKER CUTTER SEED CUTS KILLS CLIENT...
set(live core/test/live)
set(once ${live}/once.sh)

# The client and a broker; connections that the client breaks itself.
live_test(self COMMAND ${once} ${broker} ${cutter} 1 0 0 ${client} -1 -n 600 -b 5)
live_test(mosquitto COMMAND ${once} mosquitto ${cutter} 1 0 0 ${client} -1 -n 600 -b 5)
live_test(mochi COMMAND ${once} mochi ${cutter} 1 0 0 ${client} -n 300 -b 0 -w 1)
# Others' clients and the broker.
live_test(mosquitto_clients COMMAND ${live}/mosquitto.sh ${broker})
live_test(paho COMMAND ${live}/paho.sh paho_client.py ${broker})
live_test(mqttjs COMMAND ${live}/mqttjs.sh mqttjs.mjs ${broker})
# TLS 1.3, and who is refused, both ways.
live_test(tls COMMAND ${live}/tls.sh ${broker} ${client} ${certificates})

# The gateway's broker in the place of that program.
set(gateway ${live}/gateway_broker.sh)
set(gateway_daemon GATEWAY=$<TARGET_FILE:brownout-gateway>)
live_test(gateway.mosquitto_clients ENVIRONMENT ${gateway_daemon}
    COMMAND ${live}/mosquitto.sh ${gateway})
live_test(gateway.paho ENVIRONMENT ${gateway_daemon}
    COMMAND ${live}/paho.sh paho_client.py ${gateway})

if(CMAKE_C_COMPILER_ID MATCHES "Clang")
    return()
endif()

# The gateway killed, too.
live_test(gateway.once
    ENVIRONMENT ${gateway_daemon} BYTES_MAX=1500
    COMMAND ${once} ${gateway} ${cutter} 2 20 5 ${client} -n 10000 -b 0 -w 8)

# Exactly once over connections that are cut, and a broker that is killed.
live_test(once.self COMMAND ${once} ${broker} ${cutter} 1 40 0 ${client} -1 -n 3000 -b 0)
live_test(once.self_killed
    ENVIRONMENT BYTES_MAX=1500
    COMMAND ${once} ${broker} ${cutter} 2 20 5 ${client} -n 5000 -b 0 -w 8)
live_test(once.paho
    ENVIRONMENT BYTES_MAX=1000
    COMMAND ${once} ${broker} ${cutter} 3 15 5 ${live}/paho.sh paho_once.py 1000)
live_test(once.mqttjs
    ENVIRONMENT BYTES_MAX=1000
    COMMAND ${once} ${broker} ${cutter} 4 15 5 ${live}/mqttjs.sh mqttjs_once.mjs 1000)
live_test(once.gateway
    ENVIRONMENT GATEWAY=$<TARGET_FILE:brownout-gateway> BYTES_MAX=1000
    COMMAND ${once} ${live}/gateway_broker.sh ${cutter} 7 15 3 ${live}/paho.sh paho_once.py 1500)
# Mosquitto 2.0.11 has two faults as a sender. A message whose PUBREL is to go again it publishes anew
# when that connection ends before it went [MQTT-4.3.3-6]: the subscriber's last for so long. And what
# it has for a session that is back it sends at once, whatever the Receive Maximum [MQTT-3.3.4-9]: no
# more is under way than that.
live_test(once.mosquitto
    ENVIRONMENT SUBSCRIBER_MIN=800 BYTES_MAX=1200
    COMMAND ${once} mosquitto ${cutter} 5 15 0 ${client} -n 3600 -b 0 -w 16)
# Mochi-mqtt 2.7.9 loses what it could not acknowledge to a publisher whose connection ended: the
# publisher's are left whole. To a subscriber it sends with an alias of an earlier connection (none is
# offered), loses what comes while it moves the session to a new one, or moves it to the one before (a
# pause, and connections that are up before they are cut), counts in one what is under way each way (two
# sessions), and stands still when two threads meet in what a session is owed (one message at a time).
live_test(once.mochi
    ENVIRONMENT PUBLISHER_CUTS=0 SUBSCRIBER_MIN=300 BYTES_MAX=1500
    COMMAND ${once} mochi ${cutter} 6 10 0 ${client} -n 1000 -q 2 -b 0 -w 1 -l 0 -p)
