#!/bin/sh
# Installs what the build needs and what is missing of it; says nothing when nothing is.
#   scripts/setup.sh [--daemons]
# --daemons: also what starts daemons where it is installed (sshd, munged, slurmctld, slurmd, mosquitto),
# for the tests of engines/ and of interoperability. Without it they are installed with CI=true, and
# where no init would start them, as in a container; elsewhere these tests are skipped.
# Exit code 2: something is missing and cannot be installed from here.
set -eu

packages='gcc libc6-dev clang clang-format clang-tidy libclang-rt-dev cmake ninja-build make
pkg-config patch git gdb libsqlite3-dev sqlite3 libssl-dev liblua5.4-dev libxxhash-dev libcjson-dev
zlib1g-dev libcbor-dev gcc-arm-none-eabi libnewlib-arm-none-eabi maven parallel rsync openssh-client shellcheck
python3 python3-jsonschema python3-yaml tshark mosquitto-clients python3-paho-mqtt'
if [ "${1:-}" = --daemons ] || [ "${CI:-}" = true ] || [ ! -d /run/systemd/system ]; then
    packages="$packages openssh-server munge slurm-wlm mosquitto"
fi
# Any Java that is there will do; which one a Debian has differs.
if ! command -v java >/dev/null 2>&1; then
    packages="$packages default-jre-headless"
fi
# Where node comes with its own npm, Debian's would take its place.
if ! command -v npm >/dev/null 2>&1; then
    packages="$packages nodejs npm"
fi
# Where there is no Go, or an old one, scripts/fetch.sh has one from PyPI.
if ! command -v pip3 >/dev/null 2>&1; then
    packages="$packages python3-pip"
fi
# Some systems have it under another name, and only a test wants it.
if ! command -v chromium >/dev/null 2>&1 && apt-cache show chromium >/dev/null 2>&1; then
    packages="$packages chromium"
fi
commands='cc clang clang-format cmake ninja make pkg-config patch git'
modules='sqlite3 libcrypto libssl lua5.4 libxxhash libcjson zlib'

# Not Debian: other names, other package manager. Go on if what they hold is there.
without_dpkg()
{
    missing=
    for command in $commands; do
        command -v "$command" >/dev/null 2>&1 || missing="$missing $command"
    done
    for module in $modules; do
        pkg-config --exists "$module" 2>/dev/null || missing="$missing $module"
    done
    if [ -n "$missing" ]; then
        echo "setup: missing:$missing" >&2
        echo "setup: install what your system calls these Debian packages:" >&2
        echo "$packages" >&2
        exit 2
    fi
}

# The packages that dpkg does not know as installed, on one line.
missing_packages()
{
    # shellcheck disable=SC2086 # a list of words
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' $packages 2>/dev/null |
        awk -v wanted="$packages" '
            $1 == "installed" { have[$2] = 1 }
            END {
                count = split(wanted, names)
                for (i = 1; i <= count; i++) {
                    if (!(names[i] in have)) {
                        printf " %s", names[i]
                    }
                }
            }'
}

# TLC for the laws: without it the specs are held to their golden hashes alone. What the page of the
# report is made with: without it the command has no report. MQTT.js and mochi-mqtt: without them the
# broker meets one client less, and the client one broker. In CI none may be missing.
fetch()
{
    for script in tlc.sh 'fetch.sh report' 'fetch.sh mqttjs' 'fetch.sh mochi'; do
        # shellcheck disable=SC2086 # a script and its argument
        if ! "$(dirname "$0")"/$script && [ "${CI:-}" = true ]; then
            exit 2
        fi
    done
    exit 0
}

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    without_dpkg
    fetch
fi
missing=$(missing_packages)
if [ -z "$missing" ]; then
    fetch
fi
if [ "$(id -u)" -eq 0 ]; then
    sudo=
elif command -v sudo >/dev/null 2>&1; then
    sudo=sudo
else
    echo "setup: missing packages:$missing" >&2
    echo "setup: there is no sudo here; run as root: apt-get install$missing" >&2
    exit 2
fi
echo "setup: installing$missing"
install="$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y $missing"
# An update that fails may leave lists that are good enough: the install decides.
if ! said=$({ $sudo apt-get update -q || true; $install; } 2>&1); then
    echo "$said" >&2
    echo "setup: could not install$missing" >&2
    exit 2
fi
fetch
