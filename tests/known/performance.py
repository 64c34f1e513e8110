"""Writes performance.json beside this script: what scikit-learn says of predictions and labels, beyond what make.py asks.

    python performance.py

Made with scikit-learn and numpy of the versions in the file. All columns are made by the formulas below, which peers.rs and performance.rs have too:
they are of whole numbers and the four operations, so that both make the same bits.
"""

import json
import warnings

import numpy as np
import sklearn
from sklearn import metrics
from sklearn.calibration import calibration_curve

from make import HERE, load, text
from uniform import uniform


def ece(label, score) -> float:
    bins = np.searchsorted(np.linspace(0, 1, 11)[1:-1], score)
    return float(sum(abs(label[bins == b].mean() - score[bins == b].mean()) * (bins == b).mean() for b in range(10) if (bins == b).any()))


def binary(label, prediction, score) -> dict:
    true, predicted = calibration_curve(label, score, n_bins=10)
    return {
        "rows": len(label),
        "pr_auc": float(metrics.average_precision_score(label, score)),
        "specificity": float(metrics.recall_score(label, prediction, pos_label=0)),
        "ece": ece(label, score),
        "realised": true.tolist(),
        "score": predicted.tolist(),
        "confusion": metrics.confusion_matrix(label, prediction).tolist(),
    }


def real(name: str) -> dict:
    frame = load(name)
    return binary(*(frame[column].to_numpy() for column in ("label", "prediction", "score")))


def made(seed: int, rows: int, ties: int) -> dict:
    score = uniform(seed, rows)
    if ties:
        score = np.floor(score * ties) / ties
    label = (uniform(seed + 1, rows) < score * score).astype(int)
    return {"seed": seed, "ties": ties} | binary(label, (score >= 0.5).astype(int), score)


def classes(seed: int, rows: int, count: int) -> dict:
    parts = np.array([uniform(seed + k, rows) + 0.001 for k in range(count)]).T
    scores = parts / parts.sum(axis=1, keepdims=True)
    label = np.minimum((uniform(seed + 100, rows) * count).astype(int), count - 1)
    # Half of the rows are of the class that is likeliest.
    label = np.where(uniform(seed + 200, rows) < 0.5, scores.argmax(axis=1), label)
    prediction = scores.argmax(axis=1)
    one_hot = np.eye(count)[label]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        averages = {
            average: [
                float(of(label, prediction, average=average, zero_division=0))
                for of in (metrics.precision_score, metrics.recall_score, metrics.f1_score)
            ]
            for average in ("macro", "micro", "weighted")
        }
    return {
        "seed": seed,
        "rows": rows,
        "count": count,
        "roc_auc": float(metrics.roc_auc_score(label, scores, multi_class="ovr", average="macro")),
        "of_classes": [float(metrics.roc_auc_score(label == k, scores[:, k])) for k in range(count)],
        "log_loss": float(metrics.log_loss(label, scores, labels=list(range(count)))),
        "brier": float(((scores - one_hot) ** 2).sum(axis=1).mean() / 2),
        "averages": averages,
        "confusion": metrics.confusion_matrix(label, prediction).tolist(),
    }


def ranking(seed: int, groups: int, size: int, ties: int, top: int) -> dict:
    score, gain = uniform(seed, groups * size), np.floor(uniform(seed + 1, groups * size) * 4)
    if ties:
        score = np.floor(score * ties) / ties
    score, gain = score.reshape(groups, size), gain.reshape(groups, size)
    of = [float(metrics.ndcg_score([g], [s], k=top)) for g, s in zip(gain, score) if g.any()]
    return {"seed": seed, "groups": groups, "size": size, "ties": ties, "top": top, "ndcg": float(np.mean(of))}


def regression(seed: int, rows: int, level: float) -> dict:
    label = uniform(seed, rows) * 10 + 1
    prediction = label + uniform(seed + 1, rows) * 3 - 1
    return {
        "seed": seed,
        "rows": rows,
        "level": level,
        "mape": float(metrics.mean_absolute_percentage_error(label, prediction)),
        "quantile_loss": float(metrics.mean_pinball_loss(label, prediction, alpha=level)),
        "mae": float(metrics.mean_absolute_error(label, prediction)),
        "r2": float(metrics.r2_score(label, prediction)),
    }


def main() -> None:
    values = {
        "made_with": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
        "real": {name: real(name) for name in ("housing_reference", "housing_later", "employment_reference", "employment_later")},
        "binary": [made(1, 500, 0), made(2, 2000, 0), made(3, 400, 7), made(4, 40, 2)],
        "classes": [classes(10, 300, 3), classes(20, 1000, 8), classes(30, 60, 4)],
        "ranking": [ranking(40, 20, 12, 0, 10), ranking(50, 30, 9, 4, 5), ranking(60, 5, 3, 2, 1)],
        "regression": [regression(70, 400, 0.9), regression(80, 50, 0.25)],
    }
    path = HERE / "performance.json"
    path.write_text(text(values) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
