#!/bin/bash
# Points of a study, each a job of an array; study.sh submits it. Points 3 and 7 again:
#   bash scripts/slurm/submit.sh --array=3,7 point.sh --workdir=runs/paper --config=configs/paper.py
#SBATCH --job-name=point
#SBATCH --nodes=1 --ntasks=1 --cpus-per-task=8 --mem=16G
#SBATCH --gpus-per-node=1
#SBATCH --time=04:00:00
#SBATCH --array=0
#SBATCH --signal=B:USR1@120 --requeue --open-mode=append --output=%x-%A_%a.out
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?start this with submit.sh (docs/cluster.md)}"
. scripts/slurm/jobs.sh
train "$@" --point="$SLURM_ARRAY_TASK_ID"
