"""Writes estimate.json beside this script: what NannyML's CBPE estimates, and scikit-learn's isotonic regression, for
`estimate` to say too.

    python estimate.py

Made with nannyml 0.13.1, numpy 2.4.6, pandas 3.1.1 and scikit-learn 1.9.1. Reads the four Parquet files of `tests/known/data`.
All other rows are made by the formulas of `binary` and `many`, which estimate.rs has too: they are of whole numbers and the
four operations, so that both make the same bits. The sampling error of the average precision is random; each fit begins with
`numpy.random.seed(0)`.
"""

import json
import logging
import math
import os
import warnings
from pathlib import Path

# NannyML would tell its makers of the run.
os.environ |= {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}

import nannyml
import numpy as np
import pandas as pd
import sklearn
from nannyml import CBPE
from nannyml.exceptions import CalculatorException
from sklearn.isotonic import IsotonicRegression

HERE = Path(__file__).parent
DATA = HERE / "data"
BINARY = ["roc_auc", "average_precision", "f1", "precision", "recall", "specificity", "accuracy", "confusion_matrix"]
COLUMNS = ["value", "sampling_error", "lower_confidence_boundary", "upper_confidence_boundary", "alert"]
# `how` a score becomes the chance of a positive; `steps`: scores in so many steps; `cut`: from where on a positive is
# predicted; `missing`: one score of so many; `moved`: by so much nearer to 1 the current scores lie.
SETS = [
    {"name": "right", "how": "right", "rows": [2003, 1507]},
    {"name": "squared", "how": "squared", "rows": [3000, 1000], "moved": 0.3, "normalise": "all",
     "value": [[1, -2], [-5, 10]]},
    {"name": "ties", "how": "squared", "rows": [1001, 999], "steps": 20, "normalise": "true",
     "value": [[0.5, -2], [-5, 7]], "per_prediction": True},
    {"name": "rare", "how": "rare", "rows": [2500, 900], "cut": 0.2, "normalise": "pred"},
    {"name": "frequent", "how": "frequent", "rows": [1500, 500], "value": [[0, -1], [-1, 0]]},
    {"name": "negative", "how": "never", "rows": [400, 300]},
    {"name": "positive", "how": "always", "rows": [400, 300]},
    {"name": "unpredicted", "how": "right", "rows": [600, 300], "cut": 2.0, "normalise": "pred"},
    {"name": "constant", "how": "right", "rows": [500, 300], "steps": 1},
    {"name": "missing", "how": "never", "rows": [500, 300], "missing": 7},
    {"name": "perfect", "how": "perfect", "rows": [500, 300], "normalise": "true"},
    {"name": "few", "how": "right", "rows": [37, 12]},
    {"name": "too few", "how": "right", "rows": [10, 12]},
    {"name": "scores alone", "how": "squared", "rows": [700, 700], "alone": True},
]
MANY = [
    {"name": "three", "classes": 3, "rows": [2000, 1000], "moved": 0.0, "value": [[1, -1, -2], [-3, 4, -5], [0, 0, 7]]},
    {"name": "four", "classes": 4, "rows": [1501, 703], "moved": 0.5, "normalise": "true"},
    {"name": "of the predicted", "classes": 3, "rows": [900, 400], "moved": 0.2, "normalise": "pred",
     "value": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "per_prediction": True},
    {"name": "of all", "classes": 5, "rows": [1200, 333], "moved": 0.0, "normalise": "all"},
]


def uniform(seed: int, at: int) -> float:
    """splitmix64 of a counter, as 53 bits of [0, 1)."""
    mask = (1 << 64) - 1
    z = (seed * 0xBF58476D1CE4E5B9 + (at + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    z ^= z >> 31
    return (z >> 11) / 9007199254740992.0


def score(described: dict, seed: int, at: int, side: int) -> float:
    moved = described.get("moved", 0.0) * side
    value = uniform(seed, at)
    value = value + moved * (1.0 - value)
    steps = described.get("steps")
    return math.floor(value * steps) / steps + 0.5 / steps if steps else value


def chance(how: str, score: float) -> float:
    return {
        "right": score,
        "squared": score * score,
        "rare": score * score * score * 0.2,
        "frequent": 1.0 - (1.0 - score) * 0.3,
        "never": 0.0,
        "always": 1.0,
        "perfect": 1.0 if score > 0.4 else 0.0,
    }[how]


def binary(described: dict, seed: int, side: int) -> pd.DataFrame:
    rows = range(described["rows"][side])
    scores = [score(described, seed, at, side) for at in rows]
    label = [int(uniform(seed + 1, at) < chance(described["how"], scores[at])) for at in rows]
    predicted = [int(score >= described.get("cut", 0.5)) for score in scores]
    missing = described.get("missing", 0) * side
    kept = [float("nan") if missing and at % missing == 0 else score for at, score in enumerate(scores)]
    return pd.DataFrame({"score": kept, "prediction": predicted, "label": label})


def many(described: dict, seed: int, side: int) -> pd.DataFrame:
    classes, moved, found = described["classes"], described["moved"] * side, []
    for at in range(described["rows"][side]):
        parts = [uniform(seed + k, at) * uniform(seed + 50 + k, at) + 0.01 for k in range(classes)]
        parts[0] += moved
        whole = 0.0
        for part in parts:
            whole += part
        scores = [part / whole for part in parts]
        squares = [score * score for score in scores]
        whole = 0.0
        for square in squares:
            whole += square
        drawn, sum, label = uniform(seed + 99, at) * whole, 0.0, classes - 1
        for k in reversed(range(classes)):
            sum += squares[k]
            if drawn < sum:
                label = k
                break
        predicted = 0
        for k in range(classes):
            if scores[k] > scores[predicted]:
                predicted = k
        found.append(scores + [f"c{predicted}", f"c{label}"])
    return pd.DataFrame(found, columns=[f"s{k}" for k in range(classes)] + ["prediction", "label"])


def number(value) -> float | None:
    value = float(value) if value is not None else math.nan
    return value if math.isfinite(value) else None


def estimated(reference: pd.DataFrame, current: pd.DataFrame, described: dict, classes: int = 0, **chunking) -> dict | None:
    metrics = BINARY[:2] if described.get("alone") else list(BINARY)
    if "value" in described:
        metrics.append("business_value")
    names = [f"c{k}" for k in range(classes)]
    np.random.seed(0)
    estimator = CBPE(
        y_pred_proba=dict(zip(names, [f"s{k}" for k in range(classes)])) if classes else "score",
        y_pred=None if described.get("alone") else "prediction",
        y_true="label",
        problem_type="classification_multiclass" if classes else "classification_binary",
        metrics=metrics,
        normalize_confusion_matrix=described.get("normalise"),
        business_value_matrix=described.get("value"),
        normalize_business_value="per_prediction" if described.get("per_prediction") else None,
        **chunking,
    )
    try:
        frame = estimator.fit(reference.copy()).estimate(current.drop(columns="label")).to_df()
    except CalculatorException as error:
        print(f"{described['name']}: {error}")
        return None
    frame = frame[frame[("chunk", "period")] == "analysis"]
    measures = [name for name in frame.columns.get_level_values(0).unique() if name != "chunk"]
    if classes:
        needs = [type(found).__name__ == "IsotonicCalibrator" for found in estimator._calibrators.values()]
    else:
        needs = [bool(estimator.needs_calibration)]
    return {
        "calibrated": any(needs),
        "rows": [int(end) - int(start) + 1 for start, end in zip(frame[("chunk", "start_index")], frame[("chunk", "end_index")])],
        "measures": {
            name: {
                "thresholds": [number(frame[(name, f"{end}_threshold")].iloc[0]) for end in ("lower", "upper")],
                "chunks": [
                    [bool(value) if column == "alert" else number(value) for column, value in zip(COLUMNS, row)]
                    for row in frame[[(name, column) for column in COLUMNS]].itertuples(index=False)
                ],
            }
            for name in measures
        },
    }


def real(name: str, described: dict, **chunking) -> dict:
    sides = [pd.read_parquet(DATA / f"{name}_{side}.parquet").astype({"score": "float64"}) for side in ("reference", "later")]
    return {"set": name} | described | {"found": estimated(*sides, described, **chunking)}


def isotonic(seed: int, rows: int, steps: int) -> dict:
    places = [math.floor(uniform(seed, at) * steps) / steps for at in range(rows)]
    values = [uniform(seed + 1, at) + places[at] for at in range(rows)]
    weights = [math.floor(uniform(seed + 2, at) * 4.0) for at in range(rows)]
    fitted = IsotonicRegression(out_of_bounds="clip").fit(places, values, weights)
    asked = [-0.5 + at / 50 for at in range(101)]
    return {"seed": seed, "rows": rows, "steps": steps, "heights": [float(height) for height in fitted.predict(asked)]}


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    sets = []
    for at, described in enumerate(SETS):
        seed = 100 * (at + 1)
        sets.append(described | {"seed": seed, "found": estimated(*(binary(described, seed + 10 * side, side) for side in (0, 1)), described)})
    several = []
    for at, described in enumerate(MANY):
        seed = 10_000 * (at + 1)
        sides = (many(described, seed + 1000 * side, side) for side in (0, 1))
        several.append(described | {"seed": seed, "found": estimated(*sides, described, described["classes"])})
    values = {
        "made_with": {module.__name__: module.__version__ for module in (nannyml, np, pd, sklearn)},
        "isotonic": [isotonic(1, 40, 10), isotonic(5, 500, 1_000_000), isotonic(9, 1, 1), isotonic(13, 300, 3)],
        "sets": sets,
        "many": several,
        "real": [
            real("housing", {"name": "housing", "value": [[1, -2], [-3, 4]]}),
            real("housing", {"name": "housing, normalised", "normalise": "true", "value": [[1, -2], [-3, 4]], "per_prediction": True}),
            real("housing", {"name": "housing, whole", "chunk": 8232}, chunk_size=8232),
            real("employment", {"name": "employment", "normalise": "all", "value": [[0, -1], [-10, 3]]}),
        ],
    }
    path = HERE / "estimate.json"
    path.write_text(json.dumps(values, separators=(",", ":")).replace('},{"name"', '},\n{"name"') + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
