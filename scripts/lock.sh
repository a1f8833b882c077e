#!/bin/bash
# Writes the lock files anew from pyproject.toml: exact versions for Python 3.11 on
# Linux, x86-64. Needs uv (`pip install uv`; 0.13.9 wrote what is there):
#   bash scripts/lock.sh
# Versions in a lock file stay unless pyproject.toml forbids them. Delete the file first
# to have the newest.
set -euo pipefail
cd "$(dirname "$0")/.."

# lock DEVICE PLATFORM [EXTRA]
lock() {
  uv pip compile pyproject.toml --quiet \
    --extra train ${3:+--extra "$3"} \
    --python-version 3.11 --python-platform "$2" --annotation-style line \
    --custom-compile-command "bash scripts/lock.sh" \
    --output-file "requirements/$1.lock"
}

lock cpu x86_64-manylinux_2_28
lock cuda12 x86_64-manylinux_2_28 cuda12
lock cuda13 x86_64-manylinux_2_28 cuda13
lock tpu x86_64-manylinux_2_31 tpu # What libtpu is built for.
