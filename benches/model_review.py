"""A review of 1,000,000 labelled samples of two classes with two protected columns, beside scikit-learn and fairlearn in the same run.

    cargo build --release
    pip install fairlearn pandas pyarrow scikit-learn
    python3 benches/model_review.py [path to a release binary]

The review's time is that of the whole command: reading Parquet, joining nothing, every figure with its interval, the estimate without labels, groups
and both crossed, the search for segments, drift against 200,000 rows, ten parts one by one. The peers' is without reading.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fairlearn.metrics as fair
import numpy as np
import pandas as pd
from sklearn import metrics

binary = sys.argv[1] if len(sys.argv) > 1 else "target/release/plumbline"
random = np.random.default_rng(0)


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
    command = [binary, "review", "--model", "model.toml", "--reference", "reference.parquet", "--samples", "samples.parquet", "--format", "json", "-o", "out"]
    command[0] = str(Path(binary).resolve())
    for _ in range(3):
        begun = time.monotonic()
        subprocess.run(["/usr/bin/time", "-f", "%M KiB, %U s of CPU", *command], cwd=folder, check=True)
        print(f"plumbline review        {time.monotonic() - begun:6.2f} s", flush=True)

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
