# shellcheck shell=bash
# What the scripts share. Jobs run in the folder that sbatch was called in, the
# repository's, as Slurm copies a script elsewhere before it starts it.

. scripts/slurm/site.sh

# give_up WORDS…: ends the script with a sentence.
give_up() {
  echo "$(basename "$0"): $*" >&2
  exit 2
}

# Checks that Slurm is there.
need_sbatch() {
  command -v sbatch >/dev/null ||
    give_up "there is no sbatch on $(hostname): submit jobs on a login node of the" \
      "cluster; without Slurm use python main.py (docs/commands.md)"
}

# Checks that Python is there, with what the project needs.
need_python() {
  if ! "${PYTHON[@]}" -c "import absl.flags, jaxlib.version" >/dev/null 2>&1; then
    give_up "'${PYTHON[*]}' on $(hostname) is not a Python with JAX. Make .venv in $PWD:" \
      "python3.11 -m venv .venv && . .venv/bin/activate &&" \
      "pip install -r requirements/cuda13.lock (docs/cluster.md says which file); or" \
      "say in scripts/slurm/site.local.sh how Python is started"
  fi
}

# train ARGUMENTS…: main, for jobs that train.
train() {
  case "$*" in *-config.resume[=\ ][Ff0Nn]* | *-noconfig.resume*)
    give_up "--config.resume=False: a job that is put back into the queue would begin" \
      "again, in another folder; leave it out, and name a new --workdir to begin anew" ;;
  esac
  # Ours are added only where the user gave none: no flag may be given twice.
  is_given platform "$@" || set -- --platform="$PLATFORM" "$@"
  is_given data_dir "$@" || set -- --data_dir="$DATA_DIR" "$@"
  # Keys of the configuration have to follow --config.
  if ! is_given config.compilation_cache_dir "$@"; then
    set -- "$@" --config.compilation_cache_dir="$(programs_dir /proc/cpuinfo)"
  fi
  if [ -n "$LOCAL_DIR" ] && ! is_given config.input.local_dir "$@"; then
    set -- "$@" --config.input.local_dir="$LOCAL_DIR"
  fi
  main "$@"
}

# is_given FLAG WORD…: whether the words set a flag.
is_given() {
  local flag="$1" word
  shift
  for word in "$@"; do
    case "${word%%=*}" in "-$flag" | "--$flag") return 0 ;; esac
  done
  return 1
}

# programs_dir CPUINFO: a folder for this kind of processor, which Linux describes in a
# file. A program that was compiled for another kind may crash.
programs_dir() {
  echo "$PROGRAMS/$(processor "$1" | cksum | cut -d' ' -f1)"
}

# x86 has a line of flags. ARM has Features, which are equal on many kinds, and numbers
# of the kinds ("CPU part") for each core.
processor() {
  grep -m1 '^flags' "$1" 2>/dev/null ||
    grep -E '^(Features|CPU )' "$1" 2>/dev/null | sort -u ||
    uname -m
}

# main ARGUMENTS…: main.py in every task of the job, and then the end of the script, with
# its status. A run that was interrupted with time to spare is put back into the queue.
#
# Only SIGUSR1 may be passed on to srun, which forwards it: at SIGTERM srun kills its
# tasks at once. Nor need SIGTERM be passed on, as Slurm sends it to the tasks itself.
main() {
  local child='' status=0
  need_python
  # The warning may come when the run has ended; that must not end the script.
  trap 'echo "about to be stopped: saving"; kill -USR1 "$child" || true' USR1
  trap 'echo "stopped: waiting for what still saves"' TERM
  # Since Slurm 22.05 srun does not know the job's --cpus-per-task by itself.
  srun --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" "${PYTHON[@]}" main.py "$@" &
  child=$!
  # A signal ends `wait` early.
  while kill -0 "$child" 2>/dev/null; do wait "$child" || true; done
  wait "$child" || status=$?
  # 138 follows our warning, 143 a SIGTERM: Slurm's pre-emption or somebody's scancel.
  if [ "$status" -eq 138 ] || { [ "$status" -eq 143 ] && is_preempted; }; then
    requeue
  fi
  exit "$status"
}

is_preempted() {
  [[ "$(scontrol show job "$(job_name)")" =~ PreemptTime=[0-9] ]]
}

requeue() {
  echo "back into the queue; goes on from the last checkpoint"
  scontrol requeue "$(job_name)"
}

# The number alone may stand for a whole array.
job_name() {
  if [ -n "${SLURM_ARRAY_JOB_ID:-}" ]; then
    echo "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
  else
    echo "$SLURM_JOB_ID"
  fi
}
