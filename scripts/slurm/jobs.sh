# shellcheck shell=bash
# What the job scripts share. They run in the folder that sbatch was called in, the
# repository's, as Slurm copies a script elsewhere before it starts it.

. scripts/slurm/site.sh

# A program that was compiled for another kind of processor may crash.
programs_dir() {
  echo "$PROGRAMS/$(grep -m1 '^flags' /proc/cpuinfo | cksum | cut -d' ' -f1)"
}

# main ARGUMENTS…: main.py in every task of the job, and then the end of the script, with
# its status. A run that was interrupted with time to spare is put back into the queue.
# Keys of the configuration have to follow --config: ours come after the user's.
#
# Only SIGUSR1 may be passed on to srun, which forwards it: at SIGTERM srun kills its
# tasks at once. Nor need SIGTERM be passed on, as Slurm sends it to the tasks itself.
main() {
  local child='' status=0
  trap 'echo "about to be stopped: saving"; kill -USR1 "$child"' USR1
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
