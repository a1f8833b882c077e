# shellcheck shell=bash disable=SC2034
# What differs between clusters; every job script reads it. Partition, account, time and
# GPUs are the #SBATCH lines of the scripts, or options and variables of sbatch.

# Whatever brings Python, such as `module load python/3.11`.
if [ -f .venv/bin/activate ]; then
  # shellcheck source=/dev/null
  . .venv/bin/activate
fi

# In a container: PYTHON=(apptainer exec --nv msd-tagger.sif python)
PYTHON=(python)

# Seen by all nodes. Corpora and shards; read by every job.
DATA_DIR="${DATA_DIR:-data}"
# Compiled programs, in a folder for each kind of processor.
PROGRAMS="${PROGRAMS:-$DATA_DIR/programs}"

# Of a study: jobs that prepare it (1 for the synthetic corpus), and points at once.
PREPARE_JOBS="${PREPARE_JOBS:-1}"
POINTS_AT_ONCE="${POINTS_AT_ONCE:-8}"
