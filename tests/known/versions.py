"""Writes versions.json beside this script: what statsmodels, scipy and DeLong's own formula say of two versions of a model.

    python versions.py

Made with statsmodels 0.15.0, scipy 1.17.1, scikit-learn 1.9.1, numpy 2.4.6 and Python 3.11. Rows are made by `uniform`, which versions.rs
has too: whole numbers and the four operations, so that both make the same bits.
"""

import json
from pathlib import Path

import numpy as np
import scipy
import sklearn
import statsmodels
from scipy.optimize import brentq
from scipy.stats import norm, ttest_rel
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep

from uniform import uniform

HERE = Path(__file__).parent

# Of the one alone, of the other alone, rows.
DISCORDANT = [
    (0, 0, 100), (3, 0, 60), (0, 12, 400), (25, 11, 1000), (5, 8, 20), (40, 0, 40), (1, 0, 1), (300, 260, 5000),
    (1200, 1100, 1000000), (9, 9, 18),
]
# Rows, the share of positives, how far scores lie apart by class, how much noise both versions share, steps that scores are rounded to.
CLASSES = [(300, 0.5, 0.3, 0.6, 0), (800, 0.1, 0.5, 0.9, 50), (500, 0.4, 0.1, 0.0, 20), (1000, 0.3, 0.2, 1.0, 0)]
AMOUNTS = [(300, 1.0, 1.2, 0.5), (700, 0.5, 0.5, 0.9)]


def tango(b: int, c: int, n: int, alpha: float) -> list:
    """The interval of (b - c) / n, by the likelihood itself: for each difference the likeliest shares are searched for."""
    z, value = norm.isf(alpha / 2), (b - c) / n

    def score(difference: float) -> float:
        # Shares of the first alone and the second alone, q + difference and q, all others being of one kind.
        low, high = max(0.0, -difference), (1.0 - difference) / 2.0

        def minus_likelihood(q: float) -> float:
            parts = ((b, q + difference), (c, q), (n - b - c, 1.0 - 2.0 * q - difference))
            return -sum(count * np.log(max(share, 1e-300)) for count, share in parts if count > 0)

        def slope(q: float) -> float:
            return b / (q + difference) + c / q - 2.0 * (n - b - c) / (1.0 - 2.0 * q - difference)

        inner, outer = low + 1e-15, high - 1e-15
        if inner < outer and slope(inner) > 0.0 > slope(outer):
            q = brentq(slope, inner, outer, xtol=1e-18, rtol=8.9e-16)
        else:
            q = min((low, high), key=minus_likelihood)
        if difference == value:
            return 0.0
        variance = n * (2.0 * q + difference - difference * difference)
        return (b - c - n * difference) / np.sqrt(variance) if variance > 0 else np.sign(b - c - n * difference) * np.inf

    near = 1.0 - 1e-12

    def limit(wanted: float, low: float, high: float) -> float:
        return brentq(lambda d: score(d) - wanted, low, high, xtol=1e-15, rtol=8.9e-16)

    return [limit(z, -near, value) if value > -near else -1.0, limit(-z, value, near) if value < near else 1.0]


def delong(label: np.ndarray, scores: list) -> np.ndarray:
    """The covariance of areas, from all pairs of a positive and a negative, as the paper has it."""
    tens, ones = [], []
    for score in scores:
        positives, negatives = score[label == 1], score[label == 0]
        psi = (positives[:, None] > negatives[None, :]) + 0.5 * (positives[:, None] == negatives[None, :])
        tens.append(psi.mean(axis=1))
        ones.append(psi.mean(axis=0))
    return np.cov(tens) / len(tens[0]) + np.cov(ones) / len(ones[0])


def classes(seed: int, how: tuple) -> dict:
    rows, positives, apart, shared, steps = how
    label = (uniform(seed, rows) < positives).astype(int)
    common = uniform(seed + 1, rows)
    scores = []
    for side in range(2):
        noise = shared * common + (1.0 - shared) * uniform(seed + 2 + side, rows)
        score = (noise + apart * (1.0 + side) * label) / (1.0 + 2.0 * apart)
        scores.append(np.floor(score * steps) / steps if steps else score)
    said = [(score >= 0.5).astype(int) for score in scores]
    right = [said[0] == label, said[1] == label]
    b, c = int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum())
    table = [[int((right[0] & right[1]).sum()), c], [b, int((~right[0] & ~right[1]).sum())]]
    covariance = delong(label, scores)
    brier = [(score - label) ** 2 for score in scores]
    paired = ttest_rel(brier[1], brier[0]).confidence_interval(0.95)
    counts = [int(right[1].sum()), rows, int(right[0].sum()), rows]
    return {
        "seed": seed,
        "how": list(how),
        "accuracy": [accuracy_score(label, one) for one in said],
        "f1": [f1_score(label, one) for one in said],
        "roc_auc": [roc_auc_score(label, score) for score in scores],
        "discordant": [b, c],
        "mcnemar": float(mcnemar(table, exact=True).pvalue),
        "tango": tango(b, c, rows, 0.05),
        "delong": float(np.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2.0 * covariance[0, 1], 0.0))),
        "brier": [float(paired.low), float(paired.high)],
        "newcombe": [float(v) for v in confint_proportions_2indep(*counts, method="newcomb", compare="diff", alpha=0.05)],
        "agreement": float((said[0] == said[1]).mean()),
    }


def amounts(seed: int, how: tuple) -> dict:
    rows, one, other, shared = how
    label = 10.0 * uniform(seed, rows)
    common = uniform(seed + 1, rows)
    said = [
        label + size * (shared * common + (1.0 - shared) * uniform(seed + 2 + side, rows) - 0.5)
        for side, size in enumerate((one, other))
    ]
    errors = [np.abs(prediction - label) for prediction in said]
    interval = ttest_rel(errors[1], errors[0]).confidence_interval(0.95)
    means = ttest_rel(said[1], said[0]).confidence_interval(0.95)
    return {
        "seed": seed,
        "how": list(how),
        "mae": [mean_absolute_error(label, prediction) for prediction in said],
        "difference": [float(interval.low), float(interval.high)],
        "means": [float(means.low), float(means.high)],
        "apart": float(np.abs(said[1] - said[0]).mean()),
    }


def main() -> None:
    counts = []
    for b, c, n in DISCORDANT:
        table = [[n - b - c, c], [b, 0]]
        found = {"counts": [b, c, n], "mcnemar": float(mcnemar(table, exact=True).pvalue)}
        found["tango"] = {str(alpha): tango(b, c, n, alpha) for alpha in (0.05, 0.001)}
        if b + c > 0:
            # McNemar's test without correction is the score at 0: the interval that is wrong so often ends there.
            found["p"] = float(mcnemar(table, exact=False, correction=False).pvalue)
        counts.append(found)
        print(found)
    values = {
        "made_with": {module.__name__: module.__version__ for module in (statsmodels, scipy, sklearn, np)},
        "counts": counts,
        "classes": [classes(100 * (at + 1), how) for at, how in enumerate(CLASSES)],
        "amounts": [amounts(1000 * (at + 1), how) for at, how in enumerate(AMOUNTS)],
    }
    path = HERE / "versions.json"
    path.write_text(json.dumps(values, indent=1, default=float) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
