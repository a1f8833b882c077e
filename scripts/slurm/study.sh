#!/bin/bash
# Submits a study: its preparation, its points and its report, each after the one before.
#   bash scripts/slurm/study.sh runs/paper --config=configs/paper.py
# Given again, it goes on with what is missing.
set -euo pipefail
if [ $# -lt 2 ] || [ "${1#-}" != "$1" ]; then
  echo "usage: bash scripts/slurm/study.sh WORKDIR --config=… [--config.KEY=VALUE …]" >&2
  exit 2
fi
workdir="$1"
shift
cd "$(dirname "$0")/../.."
. scripts/slurm/site.sh

# A wrong key is told here, before anything waits in the queue.
points="$("${PYTHON[@]}" -m scripts.slurm.points --mode=prepare "$@" \
  --config.prepare.num_workers="$PREPARE_JOBS")"

# With several clusters sbatch adds the name of one after a semicolon.
submit() {
  local job
  job="$(sbatch --parsable --kill-on-invalid-dep=yes "$@")"
  echo "${job%%;*}"
}

prepare="$(submit --array="0-$((PREPARE_JOBS - 1))" scripts/slurm/prepare.sh "$@")"
study="$(submit --dependency="afterok:$prepare" \
  --array="0-$((points - 1))%$POINTS_AT_ONCE" \
  scripts/slurm/point.sh --workdir="$workdir" "$@")"
report="$(submit --dependency="afterany:$study" \
  scripts/slurm/report.sh --workdir="$workdir")"
echo "preparation: job $prepare; $points points: job $study; report: job $report"
