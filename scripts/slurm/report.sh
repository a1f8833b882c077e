#!/bin/bash
# The report of a run or a study, from its files alone; study.sh submits it:
#   sbatch scripts/slurm/report.sh --workdir=runs/paper
#SBATCH --job-name=report
#SBATCH --nodes=1 --ntasks=1 --cpus-per-task=1 --mem=4G
#SBATCH --time=00:30:00
#SBATCH --requeue --open-mode=append --output=%x-%j.out
set -euo pipefail
cd "$SLURM_SUBMIT_DIR"
. scripts/slurm/jobs.sh
main --mode=report "$@"
