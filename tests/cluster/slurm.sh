#!/usr/bin/env bash
# A Slurm of one node for tests, on loopback, all of it in one folder but a link from /etc/slurm/slurm.conf, which steps
# of jobs need: the plugin gives them no SLURM_CONF.
#   slurm.sh install         install Debian's packages where they are missing (as root)
#   slurm.sh up FOLDER       start munge, slurmctld and slurmd in it; a Slurm that is configured here is left alone
#   slurm.sh down FOLDER     stop them
# Exit code 75: there is no Slurm to be had here, and the last line says why.
set -euo pipefail

give_up() { echo "$1" >&2; exit 75; }

conf=/etc/slurm/slurm.conf

install_packages() {
    [ ! -e $conf ] || give_up "this machine has a Slurm of its own ($conf)"
    if command -v slurmctld slurmd srun munged >/dev/null; then return; fi
    [ "$(id -u)" = 0 ] || give_up "Slurm is not installed, and installing it takes root"
    command -v apt-get >/dev/null || give_up "Slurm is not installed, and this system has no apt-get to install it with"
    # No service of the packages is to start by itself.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
        trap 'rm -f $policy' EXIT
    fi
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends slurm-wlm munge; } >/dev/null ||
        give_up "apt-get could not install slurm-wlm and munge"
}

write_conf() {
    folder=$1 host=$(hostname -s)
    cat >"$folder/slurm.conf" <<CONF
ClusterName=phaseflow
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0
MinJobAge=86400
ReturnToService=2
MpiDefault=none
InactiveLimit=0
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(awk '/MemTotal/{print int($2/1024*0.9)}' /proc/meminfo) State=UNKNOWN
PartitionName=debug Nodes=$host Default=YES MaxTime=INFINITE DefMemPerCPU=500 State=UP OverSubscribe=NO
PartitionName=long Nodes=$host MaxTime=INFINITE DefMemPerCPU=500 State=UP OverSubscribe=NO
CONF
}

start() {
    folder=$1
    mkdir -p "$folder/munge" "$folder/state" "$folder/spool"
    chmod 755 "$folder" "$folder/munge"
    (umask 077 && head -c 1024 /dev/urandom >"$folder/munge/key")
    getent hosts "$(hostname -s)" >/dev/null || give_up "the name of this machine, $(hostname -s), does not resolve: add it to /etc/hosts"
    [ ! -e $conf ] || give_up "this machine has a Slurm of its own ($conf)"
    write_conf "$folder"
    mkdir -p /etc/slurm
    ln -sfn "$folder/slurm.conf" $conf
    munged --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"
    slurmctld
    slurmd
    for _ in $(seq 60); do
        timeout 5 sinfo -h -o %T 2>/dev/null | grep -qx idle && return
        sleep 0.5
    done
    tail -n 20 "$folder"/slurm*.log >&2
    give_up "Slurm was started and its node did not become idle"
}

# A zombie, which nobody reaps in a container, counts as gone.
is_gone() { state=$(ps -o stat= -p "$1" 2>/dev/null) || true; [ -z "$state" ] || [ "${state#Z}" != "$state" ]; }

stop() {
    [ "$(readlink $conf)" != "$1/slurm.conf" ] || rm $conf
    for name in slurmd slurmctld munged; do
        [ -s "$1/$name.pid" ] || continue
        pid=$(cat "$1/$name.pid")
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 60); do is_gone "$pid" && break; sleep 0.5; done
        is_gone "$pid" || { echo "$name, process $pid, does not end" >&2; exit 1; }
    done
}

case ${1:-} in
    install) install_packages ;;
    up) start "$(realpath -m "$2")" ;;
    down) stop "$(realpath -m "$2")" ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
