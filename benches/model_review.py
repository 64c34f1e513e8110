"""A review of 1,000,000 labelled samples of two classes with two protected columns, beside scikit-learn and fairlearn in the same run.

    cargo build --release
    pip install fairlearn pandas pyarrow scikit-learn
    python3 benches/model_review.py [path to a release binary] [path to the bench's]
    python3 benches/model_review.py join [path to a release binary]    # a day of labels to a week of samples

The review's time is that of the whole command: reading Parquet, joining nothing, every figure with its interval, the estimate without labels, groups
and both crossed, the search for segments, drift against 200,000 rows, ten parts one by one. That of the figures alone, without reading, is told by
`cargo bench --bench model_review`, in the same run. The peers' is without reading.

`join` brings 1,000,000 labels by their ids to 10,000,000 samples of eight columns in Parquet, and reviews them without a reference.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

words = [word for word in sys.argv[1:] if word != "join"]
binary = str(Path(words[0] if words else "target/release/plumbline").resolve())
bench = words[1:2] or ["cargo", "bench", "--bench", "model_review"]
random = np.random.default_rng(0)


def reviewed(folder, what, *more):
    command = [binary, "review", "--model", "model.toml", "--samples", "samples.parquet", *more, "--format", "json", "-o", "out"]
    for _ in range(3):
        begun = time.monotonic()
        subprocess.run(["/usr/bin/time", "-f", "%M KiB, %U s of CPU", *command], cwd=folder, check=True)
        print(f"{what:24}{time.monotonic() - begun:6.2f} s", flush=True)


def join(folder):
    parts, rows, week = 50, 200_000, 7 * 24 * 3600 * 1000
    labels = []
    with pq.ParquetWriter(folder / "samples.parquet", schema=pa.schema([
        ("id", pa.string()), ("timestamp", pa.timestamp("ms", "UTC")), ("prediction", pa.int64()), ("score", pa.float64()),
        ("amount", pa.float64()), ("age", pa.float32()), ("visits", pa.int64()), ("region", pa.string()),
    ])) as writer:
        for part in range(parts):
            place = np.arange(part * rows, (part + 1) * rows)
            score, at = random.random(rows), 1_790_000_000_000 + place * week // (parts * rows)
            # Ids in no order, as request ids are.
            ids = np.char.add("req-", (place * 2_654_435_761 % 2**40).astype(str))
            writer.write_table(pa.table({
                "id": ids, "timestamp": pa.array(at, pa.timestamp("ms", "UTC")), "prediction": (score > 0.5).astype(int), "score": score,
                "amount": random.normal(size=rows), "age": random.normal(size=rows).astype(np.float32), "visits": random.integers(0, 20, rows),
                "region": np.array(["n", "e", "s", "w"])[random.integers(0, 4, rows)],
            }, schema=writer.schema))
            if 20 <= part < 25:
                labels.append(pd.DataFrame({
                    "id": ids, "label": (random.random(rows) < score).astype(int), "timestamp": pd.to_datetime(at + 86_400_000, unit="ms", utc=True),
                }))
    pd.concat(labels).sample(frac=1, random_state=0).to_parquet(folder / "labels.parquet", index=False)
    (folder / "model.toml").write_text('[[model]]\nname = "m"\n')
    reviewed(folder, "labels joined, reviewed", "--labels", "labels.parquet")


if "join" in sys.argv:
    with tempfile.TemporaryDirectory() as folder:
        join(Path(folder))
    sys.exit()

import fairlearn.metrics as fair  # noqa: E402
from sklearn import metrics  # noqa: E402


def rows(count):
    score = random.random(count)
    return pd.DataFrame({
        "id": np.arange(count), "prediction": (score > 0.5).astype(int), "score": score,
        "label": (random.random(count) < score).astype(int), "sex": random.choice(["f", "m"], count), "race": random.choice(list("abcde"), count),
    })


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    reference, samples = rows(200_000), rows(1_000_000)
    reference.to_parquet(folder / "reference.parquet")
    samples.to_parquet(folder / "samples.parquet")
    (folder / "model.toml").write_text('[[model]]\nname = "m"\nprotected = ["sex", "race"]\n')
    reviewed(folder, "plumbline review", "--reference", "reference.parquet")

subprocess.run(bench, check=True)
label, prediction, score = (samples[name].to_numpy() for name in ("label", "prediction", "score"))
begun = time.monotonic()
for of in (metrics.accuracy_score, metrics.precision_score, metrics.recall_score, metrics.f1_score, metrics.confusion_matrix):
    of(label, prediction)
for of in (metrics.roc_auc_score, metrics.average_precision_score, metrics.brier_score_loss, metrics.log_loss):
    of(label, score)
print(f"scikit-learn's figures  {time.monotonic() - begun:6.2f} s", flush=True)
begun = time.monotonic()
for attribute in ("sex", "race"):
    rates = {"selected": fair.selection_rate, "tpr": fair.true_positive_rate, "fpr": fair.false_positive_rate}
    _ = fair.MetricFrame(metrics=rates, y_true=label, y_pred=prediction, sensitive_features=samples[attribute]).by_group
    for of in (fair.demographic_parity_difference, fair.demographic_parity_ratio, fair.equalized_odds_difference):
        of(label, prediction, sensitive_features=samples[attribute])
print(f"fairlearn's figures     {time.monotonic() - begun:6.2f} s", flush=True)
