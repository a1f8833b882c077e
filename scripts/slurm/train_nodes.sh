#!/bin/bash
# One run on several nodes, a process per GPU (docs/processes.md):
#   bash scripts/slurm/submit.sh train_nodes.sh --config=configs/db_mel.py
# Prepare the corpus before, with prepare.sh: one process does it, while the others wait.
#SBATCH --job-name=train-nodes
#SBATCH --nodes=2 --ntasks-per-node=4 --cpus-per-task=8 --mem=64G
#SBATCH --gpus-per-node=4
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120 --requeue --open-mode=append --output=%x-%j.out
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?start this with submit.sh (docs/cluster.md)}"
. scripts/slurm/jobs.sh
if ! is_given config.distributed "$@"; then set -- "$@" --config.distributed=auto; fi
train "$@"
