#!/bin/bash
# Points of a study, each a job of an array; study.sh submits it. Points 3 and 7 again:
#   sbatch --array=3,7 scripts/slurm/point.sh --workdir=runs/paper --config=configs/paper.py
#SBATCH --job-name=point
#SBATCH --nodes=1 --ntasks=1 --cpus-per-task=8 --mem=16G
##SBATCH --gpus-per-node=1
#SBATCH --time=04:00:00
#SBATCH --array=0
#SBATCH --signal=B:USR1@120 --requeue --open-mode=append --output=%x-%A_%a.out
set -euo pipefail
cd "$SLURM_SUBMIT_DIR"
. scripts/slurm/jobs.sh
main --point="$SLURM_ARRAY_TASK_ID" --data_dir="$DATA_DIR" "$@" \
  --config.compilation_cache_dir="$(programs_dir)"
