"""Writes fairness.json beside this script: what fairlearn says of groups, and statsmodels of shares, for ours to say too.

    python fairness.py

Made with fairlearn 0.15.0, scikit-learn 1.9.1, statsmodels 0.15.0, numpy 2.4.6, pandas 3.1.1 and Python 3.11. Reads two
Parquet files of `tests/known/data`. All other rows are made by the formulas of `made`, which fairness.rs has too: they are of
whole numbers and the four operations, so that both make the same bits.
"""

import json
import math
import warnings
from pathlib import Path

import fairlearn
import fairlearn.metrics as fair
import numpy as np
import pandas as pd
import sklearn
import sklearn.metrics as sk
import statsmodels
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from uniform import uniform

HERE = Path(__file__).parent
DATA = HERE / "data"

# Of each group how likely a row is selected and how likely positive; `skew` makes the later groups small.
MADE = {
    "two": {"rows": 500, "selected": [0.6, 0.4], "positive": [0.5, 0.5]},
    "three": {"rows": 900, "selected": [0.6, 0.4, 0.45], "positive": [0.5, 0.3, 0.2]},
    "twelve_small": {"rows": 400, "skew": 4, "selected": [0.3] * 12, "positive": [0.4] * 12},
    "sixty": {"rows": 5000, "skew": 2, "selected": [0.2, 0.25, 0.3] * 20, "positive": [0.3] * 60},
    "without_positives": {"rows": 300, "selected": [0.5, 0.5, 0.2], "positive": [0.5, 0.0, 0.3]},
    "without_negatives": {"rows": 300, "selected": [0.5, 0.5, 0.2], "positive": [0.5, 1.0, 0.3]},
    "one_never_selected": {"rows": 300, "selected": [0.5, 0.0], "positive": [0.5, 0.5]},
    "nobody_selected": {"rows": 200, "selected": [0.0, 0.0], "positive": [0.5, 0.4]},
    "all_selected": {"rows": 200, "selected": [1.0, 1.0], "positive": [0.5, 0.4]},
    "single_class": {"rows": 200, "selected": [0.3, 0.4], "positive": [0.0, 0.0]},
    "single_class_positive": {"rows": 200, "selected": [0.3, 0.4], "positive": [1.0, 1.0]},
    "no_false_positive": {"rows": 200, "selected": [0.0, 1.0], "positive": [0.4, 1.0]},
    "one_group": {"rows": 100, "selected": [0.3], "positive": [0.5]},
    "two_rows": {"rows": 2, "selected": [0.5, 0.5], "positive": [0.5, 0.5]},
    "missing": {"rows": 600, "missing": 5, "selected": [0.6, 0.4, 0.5], "positive": [0.5, 0.3, 0.2]},
    "unlabelled": {"rows": 600, "unlabelled": 2, "selected": [0.6, 0.4, 0.5], "positive": [0.5, 0.3, 0.2]},
    "ties": {"rows": 400, "even": True, "selected": [0.5, 0.5, 0.5], "positive": [0.5, 0.5, 0.5]},
}
# Of each real set the attributes, alone and crossed.
REAL = {
    "employment_reference": [["SEX"], ["RAC1P"], ["DIS"], ["AGEP"], ["SEX", "RAC1P"], ["AGEP", "SEX"], ["RAC1P", "MAR"]],
    "employment_later": [["SEX"], ["RAC1P"], ["SEX", "DIS"]],
    "housing_later": [["HouseAge"]],
}
# Part and whole, twice; the error of the interval.
SHARES = [
    (0, 10, 3, 10, 0.05),
    (7, 10, 3, 10, 0.05),
    (10, 10, 9, 30, 0.05),
    (1, 1, 0, 1, 0.05),
    (56, 70, 48, 80, 0.05),
    (56, 70, 48, 80, 0.001),
    (1, 1000, 3, 5000, 0.05),
    (999, 1000, 400, 500, 0.01),
    (123456, 1000000, 99000, 800000, 0.05),
    (500, 800000, 90, 100000, 0.000001),
]


def made(how: dict, seed: int) -> pd.DataFrame:
    """What is missing is so in each so-many-th row; with `even` all groups have the same rows."""
    rows, groups, at = how["rows"], len(how["selected"]), np.arange(how["rows"])
    u = uniform(seed, rows)
    spread = u.copy()
    for _ in range(how.get("skew", 1) - 1):
        spread = spread * u
    group = at % groups if how.get("even") else np.floor(spread * groups).astype(int)
    first, second = uniform(seed + 1, rows), uniform(seed + 2, rows)
    if how.get("even"):
        first, second = (first[at // groups], second[at // groups])
    positive = (second < np.array(how["positive"])[group]).astype(float)
    positive[(at % how.get("unlabelled", rows + 1)) == 1] = math.nan
    names = np.array([f"g{k:02}" for k in group], dtype=object)
    names[(at % how.get("missing", rows + 1)) == 1] = None
    return pd.DataFrame(
        {"group": names, "selected": (first < np.array(how["selected"])[group]).astype(int), "positive": positive}
    )


def number(value) -> float | None:
    return float(value) if math.isfinite(value) else None


def figures(frame: pd.DataFrame, attributes: list) -> dict:
    """fairlearn has no missing values: rows without an attribute are left out, and where labels are needed those without."""
    frame = frame.dropna(subset=attributes)
    labelled = frame.dropna(subset=["positive"])

    def over(metric, rows: pd.DataFrame):
        # What selection rates do with labels is nothing.
        return metric(rows["positive"].fillna(0), rows["selected"], sensitive_features=rows[attributes])

    def difference(metric):
        frame = fair.MetricFrame(
            metrics=metric,
            y_true=labelled["positive"],
            y_pred=labelled["selected"],
            sensitive_features=labelled[attributes],
        )
        return frame.difference()

    def precision(truth, predicted):
        return sk.precision_score(truth, predicted, zero_division=0)

    return {
        "demographic_parity_difference": number(over(fair.demographic_parity_difference, frame)),
        "demographic_parity_ratio": number(over(fair.demographic_parity_ratio, frame)),
        "equalized_odds_difference": number(over(fair.equalized_odds_difference, labelled)),
        "equalized_odds_ratio": number(over(fair.equalized_odds_ratio, labelled)),
        "equal_opportunity_difference": number(over(fair.equal_opportunity_difference, labelled)),
        "equal_opportunity_ratio": number(over(fair.equal_opportunity_ratio, labelled)),
        "predictive_parity_difference": number(difference(precision)),
        "false_positive_rate_difference": number(difference(fair.false_positive_rate)),
        "accuracy_difference": number(difference(sk.accuracy_score)),
    }


def groups(frame: pd.DataFrame, attributes: list) -> dict:
    """By group; without a row that a rate is over fairlearn has 0 and we have none: left out."""
    frame = frame.dropna(subset=attributes)
    by = {}
    for name, rows in frame.groupby(attributes, observed=True):
        truth, predicted = rows["positive"].to_numpy(), rows["selected"].to_numpy()
        one = {"rows": len(rows), "selection_rate": fair.selection_rate(truth, predicted)}
        known = ~np.isnan(truth)
        truth, predicted = truth[known], predicted[known]
        one["labelled"] = len(truth)
        if len(truth) > 0:
            one["accuracy"] = sk.accuracy_score(truth, predicted)
        if truth.sum() > 0:
            one["true_positive_rate"] = fair.true_positive_rate(truth, predicted)
            one["false_negative_rate"] = fair.false_negative_rate(truth, predicted)
        if truth.sum() < len(truth):
            one["false_positive_rate"] = fair.false_positive_rate(truth, predicted)
            one["true_negative_rate"] = fair.true_negative_rate(truth, predicted)
        if predicted.sum() > 0:
            one["precision"] = sk.precision_score(truth, predicted)
        if "score" in rows:
            one["mean_score"] = rows["score"].mean()
        parts = name if isinstance(name, tuple) else (name,)
        by[" and ".join(f"{part:g}" if isinstance(part, float) else str(part) for part in parts)] = one
    return by


def against(frame: pd.DataFrame, privileged: str) -> dict:
    """TrustyAI's definitions of both."""
    frame = frame.dropna(subset=["group"])
    rate = frame[frame["group"] == privileged]["selected"].mean()
    others = frame[frame["group"] != privileged]["selected"].mean()
    return {"group": privileged, "spd": number(others - rate), "dir": number(others / rate) if rate > 0 else None}


def share(x1: int, n1: int, x2: int, n2: int, alpha: float) -> dict:
    return {
        "counts": [x1, n1, x2, n2],
        "alpha": alpha,
        "wilson": [float(v) for v in proportion_confint(x1, n1, alpha=alpha, method="wilson")],
        "exact": [float(v) for v in proportion_confint(x1, n1, alpha=alpha, method="beta")],
        "difference": [
            float(v)
            for v in confint_proportions_2indep(x1, n1, x2, n2, method="newcomb", compare="diff", alpha=alpha)
        ],
    }


def main() -> None:
    warnings.simplefilter("ignore")
    by_formula = []
    for at, (name, how) in enumerate(MADE.items()):
        seed = 100 * (at + 1)
        frame = made(how, seed)
        found = {"name": name, "seed": seed, "how": how, "figures": figures(frame, ["group"])}
        found["groups"] = groups(frame, ["group"])
        found["privileged"] = against(frame, "g00")
        by_formula.append(found)
    real = []
    for name, attributes in REAL.items():
        frame = pd.read_parquet(DATA / f"{name}.parquet")
        for column in frame.columns:
            if isinstance(frame[column].dtype, pd.CategoricalDtype):
                frame[column] = frame[column].astype(object)
        frame = frame.rename(columns={"prediction": "selected", "label": "positive"})
        frame["positive"] = frame["positive"].astype(float)
        for columns in attributes:
            found = {"set": name, "attributes": columns, "figures": figures(frame, columns)}
            # Each group's figures once are enough.
            if name == "employment_reference" and len(columns) == 1 and columns != ["AGEP"]:
                found["groups"] = groups(frame, columns)
            real.append(found)
            print(name, columns, found["figures"]["demographic_parity_difference"])
    values = {
        "made_with": {module.__name__: module.__version__ for module in (fairlearn, sklearn, statsmodels, np, pd)},
        "made": by_formula,
        "real": real,
        "shares": [share(*counts) for counts in SHARES],
    }
    path = HERE / "fairness.json"
    path.write_text(json.dumps(values, indent=1, default=float) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
