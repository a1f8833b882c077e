#!/bin/bash
# Spectrograms of a corpus, by an array of jobs (docs/preparation.md):
#   bash scripts/slurm/submit.sh --array=0-15 prepare.sh --config=configs/db_mel.py …
# The array counts from 0. Give it again, of any size, for what is missing.
#SBATCH --job-name=prepare
#SBATCH --nodes=1 --ntasks=1 --cpus-per-task=4 --mem=2G
#SBATCH --time=02:00:00
#SBATCH --array=0
#SBATCH --signal=B:USR1@120 --requeue --open-mode=append --output=%x-%A_%a.out
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?start this with submit.sh (docs/cluster.md)}"
. scripts/slurm/jobs.sh
is_given data_dir "$@" || set -- --data_dir="$DATA_DIR" "$@"
main --mode=prepare "$@" \
  --config.prepare.worker="$SLURM_ARRAY_TASK_ID" \
  --config.prepare.num_workers="$SLURM_ARRAY_TASK_COUNT"
