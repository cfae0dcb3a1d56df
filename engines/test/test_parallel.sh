#!/bin/sh
# Goal: shards that GNU parallel runs, here and over ssh, are merged to the rows of one sweep; what is lost
# is said, and done by the same call again. Method: an sshd of this test's own, with keys of its own, on a
# port of the loopback address.
# shellcheck source=engines/test/common.sh
. engines/test/common.sh

sshd_pid='' made=''
tear_down()
{
    if [ -n "$sshd_pid" ]; then
        kill "$sshd_pid" 2>/dev/null || true
        wait "$sshd_pid" 2>/dev/null || true
    fi
    if [ -n "$made" ]; then
        rmdir "$made" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap tear_down EXIT
trap 'exit 1' INT TERM

need parallel parallel
need sqlite3 sqlite3
sweep_whole

on_this_host()
{
    # shellcheck disable=SC2086 # words
    expect_code 1 engines/parallel.sh 2 "$work/here.db" $sweep
    expect_shards "$work/here.db" 2 24
    expect_same "$work/here.db"
    # What it tells to type is about the file that stays.
    test "$(grep -c "^ *brownout replay [0-9]* --db $work/here.db$" "$work/said")" -gt 0 ||
        fail "no way to see a failure again: $(cat "$work/said")"
    ! grep -q 'brownout-[a-z]*-[A-Za-z0-9]*/' "$work/said" || fail "it names files that are gone"
}

a_lost_shard_is_said_and_made_again()
{
    rm "$work/here.db" "$work/here.db.shards/2-of-2-"*.db
    # shellcheck disable=SC2086 # words
    expect_code 4 engines/merge.sh 2 "$work/here.db" $sweep
    grep -q '/2-of-2-[0-9]*.db: start its shard again' "$work/said" || fail "it does not say which"
    # shellcheck disable=SC2086 # words
    expect_code 1 engines/parallel.sh 2 "$work/here.db" $sweep
    grep -q 'shard 1 of 2 was done' "$work/said" || fail "shard 1 was run again"
    expect_same "$work/here.db"
}

# Ended in the middle of many runs; then it goes on from its part.
a_shard_that_is_ended_keeps_its_part()
{
    engines/shard.sh 1 1 "$work/ended.db" engines/test/short.lua --runs 24 --crypto ideal \
        --jobs 1 >"$work/said" 2>&1 &
    pid=$!
    wait_until 200 recorded_something || fail "it records nothing: $(cat "$work/said")"
    kill "$pid"
    code=0
    wait "$pid" || code=$?
    test "$code" -eq 143 || fail "exit code $code, not 143: $(cat "$work/said")"
    test -z "$(find "$work/ended.db.shards" -name '*.db')" || fail "it counts as done"
    part=$(sqlite3 "$work/ended.db.shards/1-of-1-"*.part 'SELECT count(*) FROM run')
    test "$part" -gt 0 || fail "no run was kept"
    test "$part" -lt 24 || fail "it was not ended"
    expect_code 0 engines/shard.sh 1 1 "$work/ended.db" engines/test/short.lua --runs 24 --crypto ideal \
        --jobs 1
    test -z "$(find "$work/ended.db.shards" -name '*.part')" || fail "the part is still there"
    expect_same "$work/ended.db.shards/1-of-1-"*.db
}

# A wrong call is not tried again, and leaves nothing that looks done.
a_wrong_call_is_refused()
{
    expect_code 2 engines/shard.sh 1 2 "$work/wrong.db" no/such/scenario.lua
    expect_code 2 engines/shard.sh 3 2 "$work/wrong.db" engines/test/short.lua
    for shards in 0 x -1 '' 100001 1234567; do
        expect_code 2 engines/merge.sh "$shards" "$work/wrong.db" engines/test/short.lua
        expect_code 2 engines/parallel.sh "$shards" "$work/wrong.db" engines/test/short.lua
    done
    expect_code 2 engines/merge.sh 2 "$work/wrong.db"
    expect_code 4 engines/parallel.sh 2 "$work/wrong.db" engines/test/short.lua --no-such-option
    echo : >"$work/hosts"
    expect_code 2 env HOSTS="$work/hosts" engines/parallel.sh 2 "$work/wrong.db" engines/test/short.lua
    echo localhost >"$work/hosts"
    expect_code 2 env HOSTS="$work/hosts" engines/parallel.sh 2 "$work/wrong.db" /tmp/short.lua
    expect_code 2 env HOSTS="$work/no-hosts" engines/parallel.sh 2 "$work/wrong.db" engines/test/short.lua
    test -z "$(find "$work/wrong.db.shards" -name '*.db')" || fail "a shard counts as done"
}

start_sshd()
{
    sshd=$(command -v sshd || echo /usr/sbin/sshd)
    if [ "$(id -u)" -eq 0 ] && [ ! -d /run/sshd ]; then
        mkdir -m 755 /run/sshd # where sshd shuts itself in, as root
        made=/run/sshd
    fi
    ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
    ssh-keygen -q -t ed25519 -N '' -f "$work/user_key"
    for port in $(seq 24100 24140); do
        cat >"$work/sshd_config" <<END
ListenAddress 127.0.0.1
Port $port
HostKey $work/host_key
AuthorizedKeysFile $work/user_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
END
        setpriv --pdeathsig TERM "$sshd" -D -e -f "$work/sshd_config" 2>"$work/sshd.log" &
        sshd_pid=$!
        printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d ' ' -f 1,2 "$work/host_key.pub")" >"$work/known"
        tries=0
        while kill -0 "$sshd_pid" 2>/dev/null && [ "$tries" -lt 50 ]; do
            if on_host "$port" true 2>"$work/ssh.log"; then
                return 0
            fi
            tries=$((tries + 1))
            sleep 0.1
        done
        kill "$sshd_pid" 2>/dev/null || true
        wait "$sshd_pid" 2>/dev/null || true
        sshd_pid=
        grep -q 'Address already in use' "$work/sshd.log" || break
    done
    cat "$work/sshd.log" "$work/ssh.log" >&2
    fail "no sshd on the loopback address"
}

# on_host PORT COMMAND...
on_host()
{
    port=$1
    shift
    cat >"$work/ssh_config" <<END
Host *
    Port $port
    IdentityFile $work/user_key
    IdentitiesOnly yes
    UserKnownHostsFile $work/known
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    BatchMode yes
    ConnectTimeout 5
END
    ssh -F "$work/ssh_config" 127.0.0.1 "$@"
}

over_ssh()
{
    # All that is called ssh from here, by parallel and by rsync, is with this configuration.
    mkdir "$work/bin"
    printf '#!/bin/sh\nexec %s -F %s "$@"\n' "$(command -v ssh)" "$work/ssh_config" >"$work/bin/ssh"
    chmod +x "$work/bin/ssh"
    # Nobody listens at the second address: its shards go to the first.
    printf '127.0.0.1\n127.0.0.2\n' >"$work/hosts"
    # A folder, which holds that one scenario.
    expect_code 1 env PATH="$work/bin:$PATH" HOSTS="$work/hosts" \
        engines/parallel.sh 2 "$work/there.db" engines/test --runs 24 --crypto ideal
    grep -q '^shard 2.*engines/test/short.lua' "$work/said" || fail "no word of shard 2"
    expect_shards "$work/there.db" 2 24
    expect_same "$work/there.db"
    # Without its host nothing is done, and nothing looks done.
    kill "$sshd_pid"
    wait "$sshd_pid" 2>/dev/null || true
    sshd_pid=
    # shellcheck disable=SC2086 # words
    expect_code 4 env PATH="$work/bin:$PATH" HOSTS="$work/hosts" \
        engines/parallel.sh 2 "$work/nowhere.db" $sweep
    test -z "$(find "$work/nowhere.db.shards" -name '*.db')" || fail "a shard counts as done"
}

on_this_host
a_lost_shard_is_said_and_made_again
a_shard_that_is_ended_keeps_its_part
a_wrong_call_is_refused
if [ ! -x /usr/sbin/sshd ] && ! command -v sshd >/dev/null 2>&1; then
    skip "there is no sshd, so nothing went over ssh: apt-get install openssh-server"
fi
need openssh-client ssh ssh-keygen
need rsync rsync
need util-linux setpriv
start_sshd
over_ssh
