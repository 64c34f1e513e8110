#!/usr/bin/env bash
# What the agent weighs: resident memory, CPU, time to the first metrics and to the page, with N containers (default 50) of a real
# Docker engine, over SECONDS_MEASURED (default 120), scraped every 15 s as Prometheus would.
#
#   benches/weight.sh [path to a release binary]
#
# Needs docker and a static /bin/busybox. Removes its containers at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
binary="${1:-${CARGO_TARGET_DIR:-target}/release/plumbline}"
count="${N:-50}"
span="${SECONDS_MEASURED:-120}"
work="$(mktemp -d)"
cleanup() {
  [ -n "${pid:-}" ] && kill "$pid" 2>/dev/null || true
  docker ps -aq --filter label=plumbline.weight | xargs -r docker rm -f >/dev/null
  rm -rf "$work"
}
trap cleanup EXIT

mkdir -p "$work/tree/bin"
cp /bin/busybox "$work/tree/bin/"
for applet in sh sleep; do ln -s busybox "$work/tree/bin/$applet"; done
tar -C "$work/tree" -c . | docker import - plumbline-weight:1 >/dev/null
for i in $(seq "$count"); do
  docker run -d --label plumbline.weight --name "plumbline-weight-$i" --cpus 0.1 -m 32m plumbline-weight:1 \
    sh -c 'while :; do sleep 1; done' >/dev/null
done

begun=$(date +%s%N)
"$binary" agent --listen 127.0.0.1:9499 --data "$work/data" >"$work/log" 2>&1 &
pid=$!
until curl -fs 127.0.0.1:9499/readyz >/dev/null 2>&1; do sleep 0.01; done
curl -fs 127.0.0.1:9499/metrics >"$work/metrics"
first=$((($(date +%s%N) - begun) / 1000000))

ticks() { awk '{print $14 + $15}' "/proc/$pid/stat"; }
sleep 10 # past the start
before=$(ticks)
peak=0
for ((s = 0; s < span; s++)); do
  sleep 1
  ((s % 15)) || curl -fs 127.0.0.1:9499/metrics >"$work/metrics"
  now=$(awk '/VmRSS/ {print $2}' "/proc/$pid/status")
  ((now > peak)) && peak=$now
done
used=$(($(ticks) - before))
series=$(grep -vc '^#' "$work/metrics")

echo "binary              $(stat -c %s "$binary") bytes"
echo "containers          $count ($series series)"
echo "first metrics       $first ms after start"
echo "resident            $(awk '/VmRSS/ {print $2}' "/proc/$pid/status") KiB at the end, $peak KiB at most"
awk -v t="$used" -v s="$span" 'BEGIN { printf "CPU                 %.2f %% of a core (%d ticks of 10 ms in %d s)\n", t / s, t, s }'
curl -fs -o "$work/page" -w 'page                %{size_download} bytes, first byte after %{time_starttransfer} s\n' 127.0.0.1:9499/
du -sk "$work/data" | awk '{print "history             " $1 " KiB"}'
