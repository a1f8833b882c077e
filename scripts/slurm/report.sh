#!/bin/bash
# The report of a run or a study, from its files alone; study.sh submits it:
#   bash scripts/slurm/submit.sh report.sh --workdir=runs/paper
#SBATCH --job-name=report
#SBATCH --nodes=1 --ntasks=1 --cpus-per-task=1 --mem=4G
#SBATCH --time=00:30:00
#SBATCH --requeue --open-mode=append --output=%x-%j.out
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?start this with submit.sh (docs/cluster.md)}"
. scripts/slurm/jobs.sh
main --mode=report "$@"
