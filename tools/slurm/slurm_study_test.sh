#!/usr/bin/env bash
# A study on a real Slurm: one controller and two nodes on loopback, a node killed midway, its cells run again, and the
# merged result compared byte by byte with one machine's.
#
#   slurm_study_test.sh REHEAP SUBMIT_STUDY
#
# Needs root (munge's and Slurm's daemons), and Debian's slurm-wlm and munge; without them it is skipped with a message.
# Everything lies in a scratch folder; what was started is ended by its number.
set -uo pipefail

reheap=$(realpath "$1") submit=$(realpath "$2")
skip() { echo "SKIPPED: $1"; exit 0; }
[ "$(id -u)" = 0 ] || skip "needs root"
PATH=$PATH:/usr/sbin:/sbin  # where Debian has the daemons
for tool in munged mungekey slurmctld slurmd sbatch squeue scontrol; do
  command -v "$tool" >/dev/null || skip "$tool is not installed (Debian: slurm-wlm munge)"
done
work=$(mktemp -d /tmp/reheap-slurm.XXXXXX)
chmod 755 "$work"
cp "$reheap" "$work/reheap"
pids=()

# The process and all that it started.
kill_tree() {
  local child
  for child in $(pgrep -P "$1" 2>/dev/null); do kill_tree "$child"; done
  kill -9 "$1" 2>/dev/null
}
cleanup() {
  scancel --quiet --state=PENDING,RUNNING --user=root 2>/dev/null
  local pid
  for pid in "${pids[@]}"; do kill_tree "$pid"; done
  # Steps are nobody's children once their slurmd is gone: known by the spool folder in their arguments.
  for pid in $(pgrep -f "$work/"); do [ "$pid" = $$ ] || kill_tree "$pid"; done
  rm -rf "$work"
}
trap cleanup EXIT
fail() {
  echo "FAILED: $1"
  squeue 2>&1
  tail -n 20 "$work"/*.log "$work"/whole.result.parts/*.log 2>/dev/null
  exit 1
}
# until SECONDS COMMAND...: true when COMMAND succeeds in that time.
until_true() {
  local left=$1
  shift
  for ((; left > 0; --left)); do
    "$@" && return 0
    sleep 1
  done
  return 1
}

# Ports that nobody else on the machine is likely to have.
base=$((20000 + RANDOM % 20000))
host=$(hostname -s)
mkdir "$work/munge" "$work/state" "$work/n1" "$work/n2"
chown munge: "$work/munge"
mungekey --create --keyfile="$work/munge/key" && chown munge: "$work/munge/key" || fail "mungekey"
runuser -u munge -- munged --foreground --key-file="$work/munge/key" --socket="$work/munge/socket" \
  --pid-file="$work/munge/pid" --log-file="$work/munge/log" --seed-file="$work/munge/seed" >/dev/null 2>&1 &
pids+=($!)
cat >"$work/slurm.conf" <<CONF
ClusterName=reheap
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
SlurmctldPort=$base
SlurmctldPidFile=$work/ctld.pid
SlurmdPidFile=$work/%n.pid
SlurmctldLogFile=$work/ctld.log
SlurmdLogFile=$work/%n.log
SlurmdSpoolDir=$work/%n
StateSaveLocation=$work/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmUser=root
SelectType=select/cons_tres
SlurmdTimeout=10
ReturnToService=2
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((base + 1)) CPUs=2
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((base + 2)) CPUs=2
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$work/slurm.conf
until_true 20 test -S "$work/munge/socket" || fail "munged did not start"
slurmctld -D >/dev/null 2>&1 &
pids+=($!)
slurmd -D -N n1 >/dev/null 2>&1 &
pids+=($!)
slurmd -D -N n2 >/dev/null 2>&1 &
node2=$!
pids+=($node2)
both_idle() { [ "$(sinfo --noheader --Node --format=%t 2>/dev/null | grep -c idle)" = 2 ]; }
until_true 60 both_idle || fail "two idle nodes"

cat >"$work/study.textproto" <<STUDY
name: "on-slurm"
summary: "enough cells for a node to die among them"
source: "tools/slurm/slurm_study_test.sh"
trace { synthetic { seed: 7 events: 1000000 } }
strategy: "go-2010-radix" strategy: "go-2011-02-pretend" strategy: "go-2011-02-reserve17g"
platform: "linux-amd64" platform: "freebsd-amd64" platform: "windows-amd64"
limits { address: "unlimited" address: "4GiB" ram: "4GiB" ram: "8GiB" ram: "16GiB" ram: "32GiB" }
image: "platform"
question { grid {} }
question { minimal_limit { limit: "address" from: "8MiB" to: "32GiB" resolution: "1MiB" } platform: "linux-amd64" limits {} }
STUDY
"$work/reheap" study "$work/study.textproto" --output "$work/alone.result" --format none --quiet ||
  fail "the study on one machine"

job=$(REHEAP=$work/reheap "$submit" "$work/study.textproto" "$work/whole.result" 6) || fail "submitting"
# Node 2 dies while it has a task of which cells are finished.
task_on_node2() { [ -n "$(squeue --noheader --nodelist=n2 --states=RUNNING --format=%i 2>/dev/null)" ]; }
until_true 60 task_on_node2 || fail "a task on node 2"
killed=$(squeue --noheader --nodelist=n2 --states=RUNNING --format=%K | tr '\n' ' ')
cells_kept() {
  local index
  for index in $killed; do [ "$(stat -c %s "$work/whole.result.parts/part-$index.result.partial" 2>/dev/null || echo 0)" -gt 300 ] && return 0; done
  return 1
}
until_true 60 cells_kept || fail "finished cells on node 2 (tasks $killed)"
# slurmd, its steps and their tasks, at once: a dead node says no goodbye.
tasks=$(for index in $killed; do pgrep -f "$work/reheap study .*--output part-$index.result"; done | tr '\n' ' ')
kill -9 "$node2" 2>/dev/null
for pid in $tasks; do
  parent=$(ps -o ppid= -p "$pid" | tr -d ' ')
  kill -9 "$parent" "$pid" 2>/dev/null
done
echo "killed node n2 with tasks $killed(processes $tasks)"
for index in $killed; do
  echo "task $index had $(stat -c %s "$work/whole.result.parts/part-$index.result.partial" 2>/dev/null || echo 0) bytes of finished cells"
done
node2_is_down() { grep -q "Nodes n2 not responding, setting DOWN" "$work/ctld.log"; }
until_true 60 node2_is_down || fail "node 2 noticed as down"

merged() { [ -f "$work/whole.result" ] || [ "$(squeue --noheader --jobs="${job%%;*}" 2>/dev/null | wc -l)" = 0 ]; }
until_true 400 merged || fail "the merged result in time"
until_true 10 test -f "$work/whole.result" || fail "the merged result"
grep -i "requeu" "$work/ctld.log" | head -n 3
grep -qi "requeu" "$work/ctld.log" || fail "the controller requeued nothing"
cmp "$work/alone.result" "$work/whole.result" || fail "the merged result is not one machine's"
echo "PASSED: $(stat -c %s "$work/whole.result") bytes, the same from 6 shards on 2 nodes, one of them killed, as from one machine"
