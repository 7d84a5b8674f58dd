#!/usr/bin/env bash
# Runs a study as a Slurm job array, one shard per task, and merges the parts when all are there.
#
#   submit_study.sh STUDY RESULT SHARDS [SBATCH-OPTION...]
#
# STUDY   a name of `reheap study list`, or a path; RESULT  where the whole result goes, on a file system that all nodes
# see, as STUDY, its traces and the command itself (REHEAP, default: reheap of the PATH). SBATCH-OPTIONs go to the array:
# --cpus-per-task, --partition, --time ... Prints the number of the merging job; with WAIT=1 it waits for that job and
# ends with its status.
#
# Parts lie in RESULT.parts/. Each task runs with --resume, and tasks are requeued: one whose node died starts again
# where its finished cells end. A task that failed for good is run again by submitting again: parts that stand are kept.
set -euo pipefail

if [ $# -lt 3 ]; then
  sed -n 's/^# \{0,1\}//; 2,13p' "$0" >&2
  exit 2
fi
study=$1 result=$(realpath -m "$2") shards=$3
shift 3
case $shards in '' | *[!0-9]* | 0) echo "submit_study.sh: SHARDS is '$shards', no number above 0" >&2; exit 2 ;; esac
reheap=$(command -v "${REHEAP:-reheap}") || {
  echo "submit_study.sh: no command ${REHEAP:-reheap}: set REHEAP to its path" >&2
  exit 2
}
reheap=$(realpath "$reheap")
case $study in */* | *.textproto) study=$(realpath "$study") ;; esac
"$reheap" study show "$study" >/dev/null  # a bad file is told here, not by each task

parts=$result.parts
mkdir -p "$parts"
# Another number of shards would make other parts; so would another study, which the merge refuses by name.
if [ -f "$parts/shards" ] && [ "$(cat "$parts/shards")" != "$shards" ]; then
  echo "submit_study.sh: $parts holds parts of $(cat "$parts/shards") shards: delete it, or submit as many" >&2
  exit 2
fi
echo "$shards" >"$parts/shards"

quoted() { printf '%q ' "$@"; }

array=$(sbatch --parsable --job-name="study" --array="0-$((shards - 1))" --requeue \
  --output="$parts/%a.log" --open-mode=append "$@" <<TASK
#!/usr/bin/env bash
cd $(quoted "$parts") || exit
part=part-\$SLURM_ARRAY_TASK_ID.result
[ -f "\$part" ] && exit 0
exec $(quoted "$reheap") study $(quoted "$study") --shard "\$SLURM_ARRAY_TASK_ID/$shards" \\
  --threads "\${SLURM_CPUS_PER_TASK:-1}" --output "\$part" --resume --format none
TASK
)
array=${array%%;*}  # "7;cluster" of a federation
echo "submit_study.sh: job array $array, $shards tasks, parts in $parts" >&2

wait_option=()
[ "${WAIT:-0}" = 1 ] && wait_option=(--wait)
sbatch --parsable "${wait_option[@]}" --job-name="study-merge" --dependency="afterok:$array" \
  --kill-on-invalid-dep=yes --output="$parts/merge.log" <<TASK
#!/usr/bin/env bash
cd $(quoted "$parts") && exec $(quoted "$reheap") study merge part-*.result --output $(quoted "$result") --format none
TASK
