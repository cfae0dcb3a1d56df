#!/bin/sh
# What boot loader and device weigh on a Cortex-M: code, data, worst stack. Also the check that core
# compiles and links there, for Thumb-1 and Thumb-2, with nothing but mem* and check_failed.
#   scripts/cortex.sh FOLDER    a folder for objects
# Exit code 0: all bounds hold; 1: one does not; 77: there is no compiler (but in CI: 1).
set -eu

# Bytes. A boot loader shares a small part with the images; the stack is a bare-metal main stack.
boot_code_max=16384 boot_stack_max=2048
device_code_max=49152 device_stack_max=4096

prefix=arm-none-eabi-
folder=${1:?usage: scripts/cortex.sh FOLDER}
if ! command -v ${prefix}gcc >/dev/null 2>&1 ||
    ! echo '#include <string.h>' | ${prefix}gcc -E -x c - >/dev/null 2>&1; then
    echo "skipped: ${prefix}gcc or its C headers are missing:" \
        "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi" >&2
    [ "${CI:-}" = true ] && exit 1
    exit 77
fi
mkdir -p "$folder"

# The longest path over the call graph. Calls through pointers are the port's, and leaves here.
worst_stack='
    /^node:/ {
        match($0, /title: "[^"]*"/); name = substr($0, RSTART + 8, RLENGTH - 9)
        if (match($0, /[0-9]+ bytes/)) { own[name] = substr($0, RSTART, RLENGTH) + 0 }
        if ($0 ~ /dynamic/ && $0 !~ /bounded/) { print "unbounded stack in " name; bad = 1 }
    }
    /^edge:/ {
        match($0, /sourcename: "[^"]*"/); from = substr($0, RSTART + 13, RLENGTH - 14)
        match($0, /targetname: "[^"]*"/); to = substr($0, RSTART + 13, RLENGTH - 14)
        if (!((from, to) in seen)) { seen[from, to] = 1; calls[from] = calls[from] " " to }
    }
    function deepest(name, list, count, i, most, below) {
        if (name in done) { return done[name] }
        if (name in open) { print "recursion through " name; bad = 1; return 0 }
        open[name] = 1
        count = split(calls[name], list, " ")
        most = 0
        for (i = 1; i <= count; i++) {
            below = deepest(list[i])
            if (below > most) { most = below }
        }
        delete open[name]
        done[name] = own[name] + most
        return done[name]
    }
    END {
        most = 0
        count = split(roots, list, " ")
        for (i = 1; i <= count; i++) {
            depth = deepest(list[i])
            if (depth > most) { most = depth }
        }
        if (bad) { exit 1 }
        print most
    }'

compile()
{
    for source in core/*.c core/mqtt/*.c; do
        name=$(echo "${source%.c}" | tr / _)
        ${prefix}gcc -std=c11 -mthumb -mcpu="$cpu" -Os -ffreestanding \
            -fno-tree-loop-distribute-patterns -ffunction-sections -fdata-sections \
            -fcallgraph-info=su -Wall -Wextra -Wpedantic -Wshadow -Werror -I. -c "$source" -o "$work/$name.o" &
        [ "$source" = core/outbox.c ] && wait
    done
    wait
}

# image NAME ROOTS CODE_MAX STACK_MAX
image()
{
    keep=
    for root in $2; do
        keep="$keep -Wl,-u,$root"
    done
    # shellcheck disable=SC2086 # lists of words
    ${prefix}gcc -mthumb -mcpu="$cpu" -nostdlib -r -Wl,--gc-sections $keep "$work"/*.o -o "$work/$1"
    strange=$(${prefix}nm -u "$work/$1" |
        grep -vE ' (mem(cpy|move|set|cmp)|check_failed|__aeabi_[a-z0-9]*|__gnu_[a-z0-9_]*)$' || true)
    if [ -n "$strange" ]; then
        echo "$cpu $1: calls what a device does not have:$strange" >&2
        exit 1
    fi
    set -- "$1" "$2" "$3" "$4" $(${prefix}size "$work/$1" | awk 'NR == 2 { print $1, $2, $3 }')
    stack=$(cat "$work"/*.ci | awk -v roots="$2" "$worst_stack") || {
        echo "$cpu $1: $stack" >&2
        exit 1
    }
    printf '%-11s %-7s %7d %6d %6d %7d\n' "$cpu" "$1" "$5" "$6" "$7" "$stack"
    if [ "$5" -gt "$3" ] || [ "$stack" -gt "$4" ]; then
        echo "$cpu $1: more than $3 bytes of code, or $4 of stack; a bound in $0" >&2
        exit 1
    fi
}

# The RAM that the caller of each provides.
memory()
{
    printf '#include "core/boot.h"\n#include "core/device.h"\nstruct boot boot;\nstruct device device;\n' |
        ${prefix}gcc -std=c11 -mthumb -mcpu="$cpu" -ffreestanding -I. -x c -c - -o "$work/memory"
    ${prefix}nm --print-size --radix=d "$work/memory" |
        awk -v cpu="$cpu" '{ printf "%-11s struct %s: %d bytes of RAM\n", cpu, $4, $2 }'
}

printf '%-11s %-7s %7s %6s %6s %7s\n' core image code data bss stack
for cpu in cortex-m3 cortex-m0; do
    work=$folder/$cpu
    rm -rf "$work"
    mkdir -p "$work"
    compile
    image boot 'boot_run handover_write' $boot_code_max $boot_stack_max
    image device 'device_init device_step device_deadline_us device_view vault_load vault_stage
        vault_switch vault_policy' $device_code_max $device_stack_max
    memory
done
