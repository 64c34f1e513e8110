#!/usr/bin/env python3
"""How long `plumbline report` takes, and what it holds, over 14 days of 50 containers by the minute.

    python3 benches/review.py [BINARY]

Needs `pip install pyarrow`. Writes about a million rows in the agent's own layout into a temporary folder.
"""
import datetime as dt
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import pyarrow as pa
import pyarrow.parquet as pq

DAYS, CONTAINERS = 14, 50
binary = sys.argv[1] if len(sys.argv) > 1 else "target/release/plumbline"


def hour(begin, folder):
    """One hour's file."""
    minutes = [begin + dt.timedelta(minutes=m) for m in range(60) for _ in range(CONTAINERS)]
    ids = [f"{c:064x}" for _ in range(60) for c in range(CONTAINERS)]
    rows = len(ids)
    wave = [((i * 7919) % 1009) / 1009 for i in range(rows)]
    table = pa.table({
        "minute": pa.array(minutes, pa.timestamp("ms", "UTC")),
        "node": ["node-1"] * rows,
        "container_id": ids,
        "container_name": [f"web-{int(i, 16)}" for i in ids],
        "runtime": ["docker"] * rows,
        "workload_namespace": ["docker"] * rows,
        "workload_kind": ["Container"] * rows,
        "workload": [f"web-{int(i, 16)}" for i in ids],
        "cpu_usage_mean": [v * 0.4 for v in wave],
        "cpu_usage_p95": wave,
        "cpu_usage_max": [v * 1.2 for v in wave],
        "memory_working_set_mean": [2e8 + v * 1e8 for v in wave],
        "memory_working_set_max": [2e8 + v * 2e8 for v in wave],
        "cpu_limit": [2.0] * rows,
        "memory_limit": pa.array([1 << 30] * rows, pa.uint64()),
        "cpu_periods": pa.array([600] * rows, pa.uint64()),
        "cpu_throttled_periods": pa.array([3] * rows, pa.uint64()),
        "oom_kills": pa.array([0] * rows, pa.uint64()),
    })
    path = folder / begin.strftime("container_minute/version=2/node=node-1/date=%Y-%m-%d/hour=%H/minutes.parquet")
    path.parent.mkdir(parents=True)
    pq.write_table(table, path, compression="zstd")


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    end = dt.datetime.now(dt.timezone.utc).replace(minute=0, second=0, microsecond=0)
    for back in range(DAYS * 24, 0, -1):
        hour(end - dt.timedelta(hours=back), folder)
    begun = time.monotonic()
    out = subprocess.run(
        [binary, "report", "--data", name, "--since", f"{DAYS}d", "--format", "html"], check=True, stdout=subprocess.PIPE
    ).stdout
    took = time.monotonic() - begun
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    rows = DAYS * 24 * 60 * CONTAINERS
    print(f"{rows} rows in {took:.2f} s ({used.ru_utime + used.ru_stime:.2f} s of CPU), {used.ru_maxrss // 1024} MiB, "
          f"a page of {len(out) // 1024} KiB")
