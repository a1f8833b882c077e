#!/bin/bash
# One run on one node, with all its devices:
#   bash scripts/slurm/submit.sh train.sh --config=configs/db_mel.py
#SBATCH --job-name=train
#SBATCH --nodes=1 --ntasks=1 --cpus-per-task=8 --mem=16G
#SBATCH --gpus-per-node=1
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120 --requeue --open-mode=append --output=%x-%j.out
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?start this with submit.sh (docs/cluster.md)}"
. scripts/slurm/jobs.sh
train "$@"
