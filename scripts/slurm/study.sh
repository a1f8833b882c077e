#!/bin/bash
# Submits a study: its preparation, its points and its report, each after the one before.
#   bash scripts/slurm/study.sh runs/paper --config=configs/paper.py
# Given again, it goes on with what is missing. --point='pre-db-*' does some of the points.
# Before WORKDIR, --cpu=OPTION and --train=OPTION give options of sbatch to jobs that
# prepare and report, and to those that train: --train=--time=12:00:00.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/slurm/jobs.sh

cpu=() train=()
while [ $# -gt 0 ]; do
  case "$1" in
    --cpu=*) cpu+=("${1#*=}") ;;
    --train=*) train+=("${1#*=}") ;;
    *) break ;;
  esac
  shift
done
if [ $# -lt 2 ] || [ "${1#-}" != "$1" ]; then
  give_up "usage: bash scripts/slurm/study.sh [--cpu=… --train=…] WORKDIR --config=…" \
    "[--point=…] [--config.KEY=VALUE …]"
fi
workdir="$1"
shift
need_sbatch

# Every job of the array has a point of its own.
own=()
for word in "$@"; do
  case "$word" in
    -point=* | --point=*) ;;
    -point | --point) give_up "write --point=… in one word" ;;
    *) own+=("$word") ;;
  esac
done

need_python
# What is wrong is told here, before anything waits in the queue.
points="$("${PYTHON[@]}" -m scripts.slurm.points "$@" \
  --config.prepare.num_workers="$PREPARE_JOBS")"
export CHECKED=1

# submit OPTION… SCRIPT ARGUMENTS…: the number of the job. With several clusters sbatch adds
# the name of one after a semicolon.
submit() {
  local job
  job="$(bash scripts/slurm/submit.sh --parsable --kill-on-invalid-dep=yes "$@")"
  echo "${job%%;*}"
}

prepare="$(submit "${cpu[@]}" --array="0-$((PREPARE_JOBS - 1))" \
  prepare.sh --workdir="$workdir" "$@")"
study="$(submit "${train[@]}" --dependency="afterok:$prepare" \
  --array="$points%$POINTS_AT_ONCE" point.sh --workdir="$workdir" "${own[@]}")"
report="$(submit "${cpu[@]}" --dependency="afterany:$study" \
  report.sh --workdir="$workdir")"
echo "preparation: job $prepare; points $points: job $study; report: job $report"
echo "logs: $workdir/logs"
