#!/bin/sh
# Goal: sweeps as Slurm job arrays, on a cluster of two nodes, are merged to the rows of one sweep, and a
# shard that fails takes the merge with it. Method: a cluster of this test's own on the loopback address:
# munged, slurmctld and two slurmd, with key, sockets, ports, state and logs in a temporary folder.
# shellcheck source=engines/test/common.sh
. engines/test/common.sh

pids=''
tear_down()
{
    if [ -n "$pids" ]; then
        # Jobs first, for they outlive slurmd.
        timeout 5 scancel --state=PENDING --quiet --user="$(id -un)" 2>/dev/null || true
        timeout 5 scancel --full --signal=KILL --quiet --user="$(id -un)" 2>/dev/null || true
        wait_until 50 no_job_is_left || true
        # shellcheck disable=SC2086 # a list
        kill $pids 2>/dev/null || true
        wait_until 50 no_daemon_is_left || true
        # shellcheck disable=SC2086 # a list
        kill -KILL $pids 2>/dev/null || true
        wait
    fi
    rm -rf "$work"
}
trap tear_down EXIT
trap 'exit 1' INT TERM

no_job_is_left()
{
    jobs=$(timeout 5 squeue --noheader 2>/dev/null) && test -z "$jobs"
}

no_daemon_is_left()
{
    for daemon in $pids; do
        if kill -0 "$daemon" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$daemon/status" 2>/dev/null; then
            return 1
        fi
    done
}

nodes_are_idle()
{
    test "$(timeout 5 sinfo --noheader --Node --format='%N %T' 2>/dev/null)" = 'n1 idle
n2 idle'
}

# daemon NAME COMMAND...: it ends with this shell, even if that is killed.
daemon()
{
    log=$work/$1.log
    shift
    setpriv --pdeathsig TERM "$@" >"$log" 2>&1 &
    pids="$pids $!"
}

# ports_are_free FIRST: that one and the next two.
ports_are_free()
{
    for port in $1 $(($1 + 1)) $(($1 + 2)); do
        ! grep -q "^ *[0-9]*: [0-9A-F]*:$(printf '%04X' "$port") [0-9A-F:]* 0A" /proc/net/tcp || return 1
    done
}

next_ports()
{
    base=$((base + 3))
    ports_are_free "$base"
}

start_cluster()
{
    mkdir "$work/state" "$work/n1" "$work/n2"
    chmod 755 "$work" # munged wants clients to get to its socket
    (umask 077 && head -c 1024 /dev/urandom >"$work/munge.key")
    daemon munged munged --foreground --force --key-file="$work/munge.key" \
        --socket="$work/munge.socket" --pid-file="$work/munge.pid" --log-file="$work/munge.log" \
        --seed-file="$work/munge.seed" --num-threads=2
    wait_until 100 test -S "$work/munge.socket" || fail "munged does not start: $(cat "$work"/munge*.log)"
    base=$((25000 + $$ % 1000 * 3)) # below the ports that clients get
    wait_until 100 next_ports || fail "no free ports"
    cat >"$work/slurm.conf" <<END
ClusterName=loopback
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$base
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$work/munge.socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
KillWait=5
MailProg=/bin/true
NodeName=n1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$((base + 1)) CPUs=1
NodeName=n2 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$((base + 2)) CPUs=1
PartitionName=all Nodes=n[1-2] Default=YES State=UP MaxTime=5
END
    SLURM_CONF=$work/slurm.conf
    export SLURM_CONF
    daemon slurmctld slurmctld -D -c -f "$SLURM_CONF"
    daemon slurmd.n1 slurmd -D -N n1 -f "$SLURM_CONF"
    daemon slurmd.n2 slurmd -D -N n2 -f "$SLURM_CONF"
    if ! wait_until 200 nodes_are_idle; then
        tail -n 20 "$work"/*.log >&2
        fail "the cluster has not two idle nodes: $(timeout 5 sinfo 2>&1)"
    fi
}

# submit CODE DATABASE WORDS...
submit()
{
    wanted=$1 database=$2
    shift 2
    code=0
    timeout 120 engines/slurm.sh --wait 2 "$database" "$@" >"$work/said" 2>&1 || code=$?
    if [ "$code" -ne "$wanted" ]; then
        tail -n 20 "$work/said" "$work"/*.log "$database".shards/*.out >&2
        fail "exit code $code, not $wanted: engines/slurm.sh $database $*"
    fi
}

# The first and the second half of the seeds.
two_sweeps_are_the_one_without_shards()
{
    for half in 1 13; do
        submit 1 "$work/$half.db" engines/test/short.lua --seed-start "$half" --runs 12 --crypto ideal
        expect_shards "$work/$half.db" 2 12
    done
    expect_code 0 "$BROWNOUT" merge "$work/all.db" "$work/13.db" "$work/1.db"
    expect_same "$work/all.db"
}

both_nodes_had_work()
{
    for node in n1 n2; do
        grep -q 'Launching batch job' "$work/slurmd.$node.log" || fail "$node had no job"
    done
}

a_shard_that_fails_takes_the_merge_with_it()
{
    submit 4 "$work/wrong.db" engines/test/short.lua --no-such-option
    grep -q 'no-such-option' "$work/wrong.db.shards/1.out" || fail "no word of what is wrong"
    test ! -e "$work/wrong.db" || fail "something was merged"
}

# Of more runs than there is time for, one shard; its scenario is the short one, so that some are recorded.
a_cancelled_shard_keeps_its_part()
{
    submitted=$(engines/slurm.sh 1 "$work/long.db" engines/test/short.lua --runs 100000 --crypto ideal)
    array=$(echo "$submitted" | sed -n 's/^shards: job array \([0-9]*\),.*/\1/p')
    wait_until 200 recorded_something || fail "it records nothing: $submitted"
    scancel "$array"
    wait_until 200 no_job_is_left || fail "jobs are left: $(squeue)"
    test -z "$(find "$work/long.db.shards" -name '*.db')" || fail "it counts as done"
    test "$(sqlite3 "$work/long.db.shards/1-of-1-"*.part 'SELECT count(*) FROM run')" -gt 2 ||
        fail "its runs were not kept"
}

PATH=$PATH:/usr/sbin
need slurm-wlm slurmctld slurmd sbatch scontrol squeue scancel sinfo
need munge munged
need util-linux setpriv
need sqlite3 sqlite3
sweep_whole
start_cluster
two_sweeps_are_the_one_without_shards
both_nodes_had_work
a_shard_that_fails_takes_the_merge_with_it
a_cancelled_shard_keeps_its_part
