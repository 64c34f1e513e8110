"""Writes multi.json beside this script: what NannyML says of many columns together, what scikit-learn's logistic
regression tells apart, and the maximum mean discrepancy by numpy, for `drift::multi` to say too.

    python multi.py

Made with nannyml 0.13.1, numpy 2.4.6, pandas 2.3.3 and scikit-learn 1.9.1. Reads the four Parquet files of `tests/known/data`.
All other columns are made by the formulas of `made`, which multi.rs has too: they are of whole numbers and the four
operations, so that both make the same bits.
"""

import json
import logging
import random
import warnings
from pathlib import Path

import nannyml
import numpy as np
import pandas as pd
import sklearn
from nannyml import DataReconstructionDriftCalculator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from stream import uniform

HERE = Path(__file__).parent
DATA = HERE / "data"
# A column of numbers: what it has of the first common cause, of the second, and of its own; its mean; each so many is
# missing. A column of names: how many there are.
JOINED = [(1.0, 0.0, 0.5, 0.0, 0), (0.8, 0.2, 0.3, 100.0, 7), (0.0, 1.0, 0.4, -5.0, 0), (-0.5, 0.9, 0.1, 1e6, 11)]
FLIPPED = [*JOINED[:1], (-0.8, 0.2, 0.3, 100.0, 7), *JOINED[2:]]
WIDE = [((at % 5) / 4.0, (at % 3) / 2.0, 1.0, float(at), 0) for at in range(24)]
SETS = [
    {"name": "same", "rows": [2000, 1500], "reference": JOINED, "current": JOINED, "names": [0, 0]},
    {"name": "flipped", "rows": [2000, 1500], "reference": JOINED, "current": FLIPPED, "names": [0, 0]},
    {"name": "constant", "rows": [300, 200], "reference": [*JOINED, (0.0, 0.0, 0.0, 0.1, 0)],
     "current": [*JOINED, (0.0, 0.0, 0.0, 0.4, 0)], "names": [0, 0]},
    {"name": "named", "rows": [1003, 507], "reference": JOINED, "current": JOINED, "names": [6, 9]},
    {"name": "few", "rows": [14, 12], "reference": WIDE, "current": WIDE, "names": [0, 0]},
    {"name": "wide", "rows": [1000, 1000], "reference": WIDE, "current": [*WIDE[:23], (-1.0, 1.0, 3.0, 20.0, 0)],
     "names": [0, 0]},
]


def bell(seed: int, at: int) -> float:
    found = 0.0
    for i in range(12):
        found += uniform(seed, at * 12 + i)
    return found - 6.0


def made(columns: list, names: int, rows: int, seed: int) -> pd.DataFrame:
    frame = {}
    for which, (first, second, own, mean, missing) in enumerate(columns):
        frame[f"c{which}"] = [
            float("nan") if missing and at % missing == 0
            else first * bell(seed, at) + second * bell(seed + 1, at) + own * bell(seed + 2 + which, at) + mean
            for at in range(rows)
        ]
    if names:
        # Of two drawn the smaller: the first are more frequent. What is missing is NaN: NannyML's imputer does not see None.
        frame["name"] = [
            float("nan") if at % 9 == 0 else f"n{int(min(uniform(seed, at), uniform(seed + 1, at)) * names)}" for at in range(rows)
        ]
    return pd.DataFrame(frame)


def reconstruction(reference: pd.DataFrame, current: pd.DataFrame) -> dict:
    calculator = DataReconstructionDriftCalculator(column_names=list(reference.columns))
    # NannyML writes into what it is given.
    frame = calculator.fit(reference.copy()).calculate(current.copy()).to_df()
    error = frame["reconstruction_error"]
    of = {period: error[frame[("chunk", "period")] == period] for period in ("reference", "analysis")}
    lower = error["lower_threshold"].iloc[0]
    return {
        "components": int(calculator._pca.n_components_),
        "reference": [float(value) for value in of["reference"]["value"]],
        "current": [float(value) for value in of["analysis"]["value"]],
        "drift": [bool(value) for value in of["analysis"]["alert"]],
        "lower": None if lower is None or np.isnan(lower) else float(lower),
        "upper": float(error["upper_threshold"].iloc[0]),
    }


def features(reference: pd.DataFrame, current: pd.DataFrame, most: int) -> tuple:
    """Standardised over both sides, with so many rows of each at most; which are current."""
    sides = []
    for side in (reference, current):
        taken = min(len(side), most)
        sides.append(side.iloc[[at * len(side) // taken for at in range(taken)]])
    both = pd.concat(sides, ignore_index=True)
    if "name" in both:
        both = pd.get_dummies(both, columns=["name"], dummy_na=True, dtype=float)
    both = both.fillna(both.mean())
    values = both.to_numpy()
    values = values[:, values.std(axis=0) > 0]
    numbers = [at for at, name in enumerate(both.columns[both.std(ddof=0) > 0]) if name.startswith("c")]
    return (values - values.mean(axis=0)) / values.std(axis=0), numbers, np.arange(len(both)) >= len(sides[0])


def classified(reference: pd.DataFrame, current: pd.DataFrame) -> dict:
    values, numbers, labels = features(reference, current, 2000)
    if len(numbers) <= 16:
        products = [values[:, a] * values[:, b] for i, a in enumerate(numbers) for b in numbers[i:]]
        products = np.column_stack(products)
        values = np.hstack([values, (products - products.mean(axis=0)) / products.std(axis=0)])
    folds = np.where(labels, np.arange(len(labels)) - np.sum(~labels), np.arange(len(labels))) % 5
    areas, variances = [], []
    for fold in range(5):
        model = LogisticRegression(C=1.0, tol=1e-12, solver="newton-cholesky", max_iter=1000)
        model.fit(values[folds != fold], labels[folds != fold])
        scores, held = model.decision_function(values[folds == fold]), labels[folds == fold]
        areas.append(roc_auc_score(held, scores))
        # DeLong, by the definition: every positive with every negative.
        pairs = np.sign(scores[held][:, None] - scores[~held][None, :]) / 2 + 0.5
        variances.append(pairs.mean(axis=1).var(ddof=1) / held.sum() + pairs.mean(axis=0).var(ddof=1) / (~held).sum())
    half = 1.959963984540054 * np.sqrt(np.mean(variances) * (1 / 5 + 1 / 4))
    return {"auc": float(np.mean(areas)), "lower": max(float(np.mean(areas) - half), 0.0)}


def discrepancy(reference: pd.DataFrame, current: pd.DataFrame) -> dict:
    values, _, labels = features(reference, current, 500)
    squared = ((values[:, None, :] - values[None, :, :]) ** 2).sum(axis=2)
    width = np.median(np.sqrt(squared[np.triu_indices(len(values), 1)]))
    kernel = np.exp(-squared / (2 * width**2))
    np.fill_diagonal(kernel, 0.0)
    m = int(labels.sum())
    n = len(labels) - m

    def statistic(current: np.ndarray) -> float:
        one, other = (~current).astype(float), current.astype(float)
        within = one @ kernel @ one / (n * (n - 1)) + other @ kernel @ other / (m * (m - 1))
        return within - 2 * (one @ kernel @ other) / (n * m)

    found, rng, as_large = statistic(labels), random.Random(0), 1
    for _ in range(499):
        drawn = np.ones(len(labels), dtype=bool)
        drawn[rng.sample(range(len(labels)), n)] = False
        as_large += statistic(drawn) >= found
    return {"squared": float(found), "width": float(width), "p_value": as_large / 500}


def real(name: str) -> dict:
    sides = [
        pd.read_parquet(DATA / f"{name}_{side}.parquet").drop(columns=["id", "timestamp", "label"])
        for side in ("reference", "later")
    ]
    sides = [side.astype({"score": "float64", "prediction": "float64"}) for side in sides]
    return {"name": name, "columns": list(sides[0].columns)} | reconstruction(*sides)


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    sets = []
    for at, described in enumerate(SETS):
        seed = 100 * (at + 1)
        sides = [
            made(described[side], described["names"][i], described["rows"][i], seed + 50 * i)
            for i, side in enumerate(("reference", "current"))
        ]
        found = reconstruction(*sides)
        classifier, mmd = classified(*sides), discrepancy(*sides)
        print(classifier, mmd)
        print(described["name"], found["components"], sum(found["drift"]), "of", len(found["drift"]))
        sets.append(described | {"seed": seed, "found": found, "classifier": classifier, "mmd": mmd})
    values = {
        "made_with": {module.__name__: module.__version__ for module in (nannyml, np, pd, sklearn)},
        "sets": sets,
        "real": [real(name) for name in ("housing", "employment")],
    }
    path = HERE / "multi.json"
    path.write_text(json.dumps(values, separators=(",", ":")).replace('},{"name"', '},\n{"name"') + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
