#!/usr/bin/env python3
"""How long `plumbline drift` takes, and what it holds: 1,000,000 against 1,000,000 rows of 16 numbers and 4 categories, with the default tests,
with all of them and against a profile; 10 times the rows and 50 times the columns; the same statistics by scipy; and a window of an agent.
Files are Parquet as pyarrow writes it, read from the page cache.

    python3 benches/drift.py [release binary] [share of the rows, for a quick look]

Needs pip install pyarrow numpy scipy. The window is timed by `cargo bench --bench window`, which builds; without cargo it is left out.
"""
import os, shutil, statistics, subprocess, sys, tempfile, time

BINARY = sys.argv[1] if len(sys.argv) > 1 else "target/release/plumbline"
SHARE = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0

# In processes of their own: a child's peak begins with what its parent held.
MAKE = """
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
path, side, rows, numbers, names = sys.argv[1], *map(int, sys.argv[2:])
random = np.random.default_rng(side)
columns = {f"n{i}": random.normal(loc=0.02 * i % 0.4 * side, size=rows) for i in range(numbers)}
for i in range(names):
    categories = pa.array(random.integers(0, 5 + 10 * (i % 4), size=rows)).cast(pa.string())
    columns[f"c{i}"] = categories.dictionary_encode() if i % 2 else categories
pq.write_table(pa.table(columns), path)
"""

SCIPY = """
import sys, time
import numpy as np, pyarrow.parquet as pq
from scipy import stats
from scipy.spatial.distance import jensenshannon
begun = time.process_time()
one, other = (pq.read_table(path) for path in sys.argv[1:3])
def shares(counts):
    return np.where(counts == 0, 1e-4, counts / counts.sum())
def default(name):
    a, b = one[name], other[name]
    if name.startswith("n"):
        a, b = a.to_numpy(), b.to_numpy()
        found = [stats.ks_2samp(a, b, method="asymp"), stats.wasserstein_distance(a, b)]
        edges = np.quantile(a, np.linspace(0, 1, 11)[1:-1])
        r, c = (np.bincount(np.searchsorted(edges, side), minlength=10) for side in (a, b))
    else:
        r, c = ({x["values"]: x["counts"] for x in side.combine_chunks().value_counts().to_pylist()} for side in (a, b))
        r, c = (np.array([side.get(key, 0) for key in sorted(r | c)]) for side in (r, c))
        found = [stats.chi2_contingency([r, c], correction=False)]
    p, q = shares(r), shares(c)
    return found + [((p - q) * np.log(p / q)).sum(), jensenshannon(r / r.sum(), c / c.sum(), base=2)]
for name in one.column_names:
    default(name)
print(f"{time.process_time() - begun:.1f} s of CPU for the default statistics of all columns, read with pyarrow")
begun = time.process_time()
a, b = one["n0"].to_numpy(), other["n0"].to_numpy()
default("n0")
stats.energy_distance(a, b), stats.cramervonmises_2samp(a, b, method="asymptotic"), stats.mannwhitneyu(a, b, method="asymptotic")
stats.ttest_ind(a, b, equal_var=False)
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    stats.anderson_ksamp([a, b])
print(f"{time.process_time() - begun:.1f} s of CPU for all of one column of numbers")
"""


def run(arguments):
    """Seconds, those of CPU, and the peak in MiB."""
    begun = time.monotonic()
    child = subprocess.Popen([BINARY, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, f"{arguments}: {status}"
    return time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measure(what, arguments, aim="", times=5):
    seconds, cpu, peaks = zip(*(run(arguments) for _ in range(times)))
    # Neighbours on the same cores make the first larger and leave the second nearly as it is.
    print(f"{what}: median {statistics.median(seconds):.2f} s, best {min(seconds):.2f} s, {statistics.median(cpu):.2f} s of CPU,"
          f" peak {max(peaks):.0f} MiB" + (f" (aim: {aim})" if aim else ""), flush=True)


def make(folder, rows, numbers, names):
    rows = round(rows * SHARE)
    paths = [f"{folder}/{rows}x{numbers + names}-{side}.parquet" for side in (0, 1)]
    for side, path in enumerate(paths):
        subprocess.run([sys.executable, "-c", MAKE, path, *map(str, (side, rows, numbers, names))], check=True)
    return paths, f"{rows:,} x {numbers + names}"


def drift(reference, current, *more):
    return ["drift", "--reference", reference, "--current", current, "--format", "json", *more]


print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
with tempfile.TemporaryDirectory() as folder:
    (reference, current), size = make(folder, 1_000_000, 16, 4)
    profile = f"{folder}/reference.profile.json"
    subprocess.run([BINARY, "profile", "build", reference, "--output", profile], check=True, capture_output=True)
    measure(f"{size} against as many, default", drift(reference, current), "1.0 s, 100 MiB")
    measure(f"{size} against a profile of as many", drift(profile, current), "0.6 s")
    measure(f"{size} against as many, --tests all", drift(reference, current, "--tests", "all"), "3 s")
    print("scipy:", subprocess.run([sys.executable, "-c", SCIPY, reference, current], check=True, capture_output=True, text=True)
          .stdout.strip().replace("\n", "; "), flush=True)
    # Linear in rows and in columns: the second of each pair is ten times the first. Up to 10,000 rows the p-value of Kolmogorov and
    # Smirnov is exact and takes up to 0.1 s a column; a few more are quicker.
    for rows, numbers, names in ((1_000_000, 4, 1), (10_000_000, 4, 1), (20_000, 80, 20), (20_000, 800, 200)):
        paths, size = make(folder, rows, numbers, names)
        measure(f"{size} against as many, default", drift(*paths), times=3)
        for path in paths:
            os.remove(path)
if shutil.which("cargo"):
    found = subprocess.run(["cargo", "bench", "--locked", "--bench", "window"], capture_output=True, text=True)
    print(found.stdout.strip() or found.stderr.strip(), "(aim: 25 ms)")
