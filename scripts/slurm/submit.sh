#!/bin/bash
# Submits a job with the options of this cluster (site.sh), its log in the run's folder:
#   bash scripts/slurm/submit.sh [OPTIONS OF SBATCH] train.sh --workdir=runs/first --config=…
# The command line and the corpus are checked first; CHECKED=1 leaves that out.
# Without --workdir the log is in runs/logs. Options are single words: --time=04:00:00.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/slurm/jobs.sh

given=()
while [ $# -gt 0 ] && [ "${1#-}" != "$1" ]; do
  given+=("$1")
  shift
done
case "${1:-}" in
  train.sh | train_nodes.sh | point.sh)
    own=("${TRAIN_OPTIONS[@]}")
    # Slurm then ignores the line of the script that asks for some.
    if [ "$PLATFORM" != gpu ]; then own+=(--gpus-per-node=0); fi
    ;;
  prepare.sh | report.sh) own=("${CPU_OPTIONS[@]}") ;;
  *)
    give_up "'${1:-}' is none of train.sh, train_nodes.sh, prepare.sh, point.sh and" \
      "report.sh; options of sbatch come before it, each in one word (--time=04:00:00)"
    ;;
esac
script="$1"
shift
folder=runs
for word in "$@"; do
  case "$word" in
    -workdir=* | --workdir=*) folder="${word#*=}" ;;
    -workdir | --workdir) give_up "write --workdir=… in one word" ;;
  esac
done
need_sbatch

# What is wrong is told here, before anything waits in the queue.
if [ "$script" != report.sh ] && [ -z "${CHECKED:-}" ]; then
  need_python
  "${PYTHON[@]}" -m scripts.slurm.check "$script" "$@"
fi

job="scripts/slurm/$script"
# Slurm opens the log before the job starts, and makes no folder for it.
mkdir -p "$folder/logs"
name="$(sed -n 's/^#SBATCH.* --output=//p' "$job")"
exec sbatch "${own[@]}" --output="$folder/logs/$name" "${given[@]}" "$job" "$@"
