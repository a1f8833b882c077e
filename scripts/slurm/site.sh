# shellcheck shell=bash disable=SC2034
# What differs between clusters; every script here reads it. Write what you want otherwise
# into site.local.sh beside this file, which git leaves alone (docs/cluster.md).

if [ -f scripts/slurm/site.local.sh ]; then
  # shellcheck source=/dev/null
  . scripts/slurm/site.local.sh
fi

# How Python is started; a container's is PYTHON=(apptainer exec --nv msd-tagger.sif python)
if [ -z "${PYTHON+set}" ]; then
  PYTHON=(python)
  if [ -f .venv/bin/activate ]; then
    # shellcheck source=/dev/null
    . .venv/bin/activate
  fi
fi

# What training computes on. Without GPUs: cpu; submit.sh then asks for none.
PLATFORM="${PLATFORM:-gpu}"

# Options of sbatch, for jobs that prepare and report, and for jobs that train:
# TRAIN_OPTIONS=(--partition=gpu --gpus-per-node=a100:1 --time=12:00:00)
[ -n "${CPU_OPTIONS+set}" ] || CPU_OPTIONS=()
[ -n "${TRAIN_OPTIONS+set}" ] || TRAIN_OPTIONS=()

# Seen by all nodes. Corpora and shards; read by every job.
DATA_DIR="${DATA_DIR:-data}"
# Compiled programs, in a folder for each kind of processor; never at an address.
case "$DATA_DIR" in
  *://*) PROGRAMS="${PROGRAMS:-data/programs}" ;;
  *) PROGRAMS="${PROGRAMS:-$DATA_DIR/programs}" ;;
esac
# On a disk of each node: where jobs that train copy the prepared set to, and read it.
# Such as LOCAL_DIR="${SLURM_TMPDIR:-}"; without one they read DATA_DIR.
LOCAL_DIR="${LOCAL_DIR:-}"

# Of a study: jobs that prepare it (1 for the synthetic corpus), and points at once.
PREPARE_JOBS="${PREPARE_JOBS:-1}"
POINTS_AT_ONCE="${POINTS_AT_ONCE:-8}"
