#!/usr/bin/env bash
# What agents weigh beside one another over N real cgroups (default 100), each with a sleeping process: CPU and resident memory over
# SECONDS_MEASURED (default 120), scraped every 15 s as Prometheus would. All binaries run at the same time over the same cgroups, so
# that a noisy machine is as noisy for each.
#
#   N=1000 benches/cgroups.sh BINARY [BINARY ...]
#
# Needs root. Removes its cgroups and processes at the end.
set -euo pipefail
count="${N:-100}"
span="${SECONDS_MEASURED:-120}"
work="$(mktemp -d)"
mapfile -t roots < <(awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts)
pids=()
cleanup() {
  kill "${pids[@]}" 2>/dev/null || true
  [ -f "$work/sleepers" ] && xargs -r kill <"$work/sleepers" 2>/dev/null || true
  sleep 1
  for root in "${roots[@]}"; do
    find "$root/docker" -mindepth 1 -maxdepth 1 -name 'be4c*' -exec rmdir {} + 2>/dev/null || true
  done
  rm -rf "$work"
}
trap cleanup EXIT

for i in $(seq "$count"); do
  id=$(printf 'be4c%060x' "$i")
  sleep 100000 &
  pid=$!
  echo "$pid" >>"$work/sleepers"
  for root in "${roots[@]}"; do
    mkdir -p "$root/docker/$id" 2>/dev/null && echo "$pid" >"$root/docker/$id/cgroup.procs" 2>/dev/null || true
  done
done
disown -a

printf '[collect]\nmax_containers = 2000\ndisabled = ["docker", "podman", "nvml"]\n' >"$work/config.toml"
port=9600
for binary in "$@"; do
  port=$((port + 1))
  "$binary" agent --config "$work/config.toml" --listen "127.0.0.1:$port" --data "$work/data-$port" >"$work/log-$port" 2>&1 &
  pids+=("$!")
done
ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
sleep 15 # past the start
before=()
for pid in "${pids[@]}"; do before+=("$(ticks "$pid")"); done
for ((s = 0; s < span; s++)); do
  sleep 1
  if ! ((s % 15)); then
    for ((i = 1; i <= ${#pids[@]}; i++)); do curl -fs "127.0.0.1:$((9600 + i))/metrics" >"$work/metrics-$i"; done
  fi
done
for i in "${!pids[@]}"; do
  pid="${pids[$i]}"
  shown=$(grep -c '^container_cpu_usage' "$work/metrics-$((i + 1))" || true)
  awk -v b="${@:$((i + 1)):1}" -v n="$shown" -v t="$(($(ticks "$pid") - ${before[$i]}))" -v s="$span" \
    -v r="$(awk '/VmRSS/ {print $2}' "/proc/$pid/status")" -v a="$(awk '/RssAnon/ {print $2}' "/proc/$pid/status")" \
    'BEGIN { printf "%-40s %5d containers  %.2f %% of a core  %d KiB resident, %d KiB of it its own\n", b, n, t / s, r, a }'
done
