#!/usr/bin/env python3
"""How long `plumbline drift` takes, and what it holds: ROWS against ROWS rows (default 1,000,000) of 16 numbers and
4 categories each, from Parquet as pyarrow writes it, both files read from the page cache.

    python3 benches/drift.py [release binary] [rows]

Needs pyarrow and numpy (pip install pyarrow numpy).
"""
import os, statistics, subprocess, sys, tempfile, time

MAKE = """
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
path, side, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random = np.random.default_rng(side)
columns = {f"n{i}": random.normal(loc=0.02 * i * side, size=rows) for i in range(16)}
for i in range(4):
    categories = pa.array(random.integers(0, 5 + 10 * i, size=rows)).cast(pa.string())
    columns[f"c{i}"] = categories.dictionary_encode() if i % 2 else categories
pq.write_table(pa.table(columns), path)
"""

binary = sys.argv[1] if len(sys.argv) > 1 else "target/release/plumbline"
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000

with tempfile.TemporaryDirectory() as folder:
    paths = []
    for side in (0, 1):
        paths.append(f"{folder}/{side}.parquet")
        # In a process of its own: a child's peak begins with what its parent held.
        subprocess.run([sys.executable, "-c", MAKE, paths[-1], str(side), str(rows)], check=True)
    print(f"{rows} x 20 against {rows} x 20, {sum(map(os.path.getsize, paths)) / 1e6:.0f} MB of Parquet, {os.cpu_count()} cores")
    seconds, peaks = [], []
    for _ in range(5):
        begun = time.monotonic()
        child = subprocess.Popen([binary, "drift", "--reference", paths[0], "--current", paths[1], "--format", "json"],
                                 stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        seconds.append(time.monotonic() - begun)
        peaks.append(usage.ru_maxrss / 1024)
        assert status == 0, status
    print(f"median {statistics.median(seconds):.2f} s, best {min(seconds):.2f} s, peak {max(peaks):.0f} MiB")
