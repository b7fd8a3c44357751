# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What deploy/up and deploy/down share: the folder of a running mesh and the
# processes recorded in it. Sourced, after `program` is set.
#
# A mesh on base port P has the folder expertmesh-UID-P:
#   options        what it was started with, for people
#   starting       pid of the deploy/up that is starting it
#   NAME.process   "PID START EXE" of a node: START is the kernel's start time,
#                  so that a pid that was used again is never mistaken for it
#   NAME.log       its log
#   router/        the router's own state

# shellcheck disable=SC2034 # used where this is sourced
readonly last_base_port=63900  # the metrics of the last node stay below 65536

# fail CODE MESSAGE...: one line, and the end.
fail() {
  echo "deploy/${0##*/}: ${*:2}" >&2
  exit "$1"
}

# check_number FLAG VALUE LEAST MOST
check_number() {
  if ! [[ $2 =~ ^[0-9]{1,5}$ ]] || ((10#$2 < $3 || 10#$2 > $4)); then
    fail 78 "$1 '$2': expected a number from $3 to $4"
  fi
}

run_folder() {  # PORT
  local parent=${XDG_RUNTIME_DIR:-/tmp}
  [ -w "$parent" ] || parent=/tmp
  echo "$parent/expertmesh-$UID-$1"
}

# Whether a folder is there, and is ours and nobody else's to write.
have_run_folder() {  # FOLDER
  [ -e "$1" ] || return 1
  if [ -L "$1" ] || ! [ -d "$1" ] || ! [ -O "$1" ]; then
    fail 77 "$1 belongs to somebody else; remove it, or choose another --port"
  fi
}

# "STATE START" of a process; fails if there is none.
process_stat() {  # PID
  local line fields
  # The second field is a name in parentheses that may hold anything.
  { line=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  read -r -a fields <<<"${line##*) }"
  echo "${fields[0]} ${fields[19]}"
}

record_process() {  # FOLDER NAME PID EXE
  local state start
  read -r state start < <(process_stat "$3") || return 1
  echo "$3 $start $4" >"$1/$2.process"
}

# The pid of a recorded node that still runs; fails if it does not.
node_pid() {  # FOLDER NAME
  local pid start exe state start_now exe_now
  read -r pid start exe <"$1/$2.process" 2>/dev/null || return 1
  read -r state start_now < <(process_stat "$pid") || return 1
  exe_now=$(readlink "/proc/$pid/exe" 2>/dev/null) || return 1
  [ "$state" != Z ] && [ "$start_now" = "$start" ] || return 1
  [ "${exe_now% (deleted)}" = "$exe" ] || return 1
  echo "$pid"
}

# Names of all recorded nodes whose name begins with PREFIX, in order.
node_names() {  # FOLDER [PREFIX]
  local file
  for file in "$1/${2:-}"*.process; do
    [ -e "$file" ] || continue
    basename "$file" .process
  done
}

# Waits until none of the nodes runs, at most so many tenths of a second.
await_end() {  # FOLDER TENTHS NAME...
  local folder=$1 tenths=$2 name running i
  shift 2
  for ((i = 0; i <= tenths; ++i)); do
    running=''
    for name in "$@"; do
      ! node_pid "$folder" "$name" >/dev/null || running=1
    done
    [ -n "$running" ] || return 0
    sleep 0.1
  done
  return 1
}

signal_nodes() {  # FOLDER SIGNAL NAME...
  local folder=$1 signal=$2 name pid
  shift 2
  for name in "$@"; do
    pid=$(node_pid "$folder" "$name") || continue
    kill "-$signal" "$pid" 2>/dev/null || true
  done
}

# Asks nodes to drain and end, which may take so many tenths of a second, then
# tells them, then makes them.
stop_nodes() {  # FOLDER TENTHS NAME...
  local folder=$1 tenths=$2
  shift 2
  [ $# -gt 0 ] || return 0
  signal_nodes "$folder" TERM "$@"
  await_end "$folder" "$tenths" "$@" && return 0
  signal_nodes "$folder" TERM "$@"
  await_end "$folder" 20 "$@" && return 0
  signal_nodes "$folder" KILL "$@"
  await_end "$folder" 50 "$@" ||
    fail 70 "a process does not end even when killed; see ps for $*"
}

# Shared-memory files that the nodes have mapped.
shared_memory_files() {  # FOLDER
  local name pid
  for name in $(node_names "$1"); do
    pid=$(node_pid "$1" "$name") || continue
    grep -o '/dev/shm/[^ ]*' "/proc/$pid/maps" 2>/dev/null || true
  done | sort -u
}

# Ends a whole mesh, those who take work first, and removes every trace.
stop_mesh() {  # FOLDER
  local folder=$1 prefix names files file tenths
  mapfile -t files < <(shared_memory_files "$folder")
  for prefix in gateway attention expert router; do
    mapfile -t names < <(node_names "$folder" "$prefix")
    tenths=150
    # They would wait for others to take their experts, and all go together.
    [ "$prefix" != expert ] || tenths=5
    stop_nodes "$folder" "$tenths" "${names[@]}"
  done
  for file in "${files[@]}"; do
    if [ -O "$file" ]; then rm -f "$file"; fi
  done
  rm -rf "$folder"
}
