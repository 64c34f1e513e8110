"""Writes attribution.json beside this script: what statsmodels, scipy and scikit-learn make of a change that attribution.rs splits.

    python attribution.py

Made with scikit-learn 1.9.1, statsmodels 0.15.0, scipy 1.17.1, numpy 2.4.6, pandas 3.1.1 and Python 3.11. Reads Parquet files of `tests/known/data`.

`split`: errors of California housing, of some rows of either side, with density ratios by a logistic regression and expectations by a linear
one, both cross-fitted; statsmodels' weighted least squares with White's covariance gives the weighted mean and its variance, scipy the tails,
statsmodels the test of homogeneity (Cochran's Q) and Holm's correction.

`inputs`: errors of employment, each column of names alone.

`chosen`: current rows are drawn from the reference itself by age, so that the truth is known: the draw's chances are the ratios, and the relation
is the same. scikit-learn's gradient boosting, cross-fitted, must come near it, and so must ours.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
import sklearn
import statsmodels
import statsmodels.api as sm
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

from uniform import uniform

HERE = Path(__file__).parent
DATA = HERE / "data"
MOST_RATIO = 20.0


def read(name: str) -> pd.DataFrame:
    data = pd.read_parquet(DATA / f"{name}.parquet")
    data["error"] = (data.prediction != data.label).astype(float)
    return data


def split(before: pd.DataFrame, now: pd.DataFrame) -> dict:
    """Of frames with value, expected and ratio."""
    like, weighted = now[now.ratio <= MOST_RATIO], before[before.ratio <= MOST_RATIO]
    of_reference = sm.WLS(weighted.value - weighted.expected, np.ones(len(weighted)), weights=weighted.ratio).fit(cov_type="HC0")
    out, variance_out = of_reference.params.iloc[0], of_reference.cov_params().iloc[0, 0]
    worth = weighted.ratio.sum() ** 2 / (weighted.ratio**2).sum()
    freedom = min(len(like), worth) - 1
    bias = 0.5 * max(abs(out) - 2 * np.sqrt(variance_out), 0)
    of_mean = lambda values: values.var(ddof=1) / len(values)
    influence = (before.ratio * (before.value - before.expected - out) / weighted.ratio.sum()).where(before.ratio <= MOST_RATIO, 0)
    influence = influence - (before.value - before.value.mean()) / len(before)
    parts = {
        "other_inputs": (like.expected.mean() + out - before.value.mean(), of_mean(like.expected) + (influence**2).sum()),
        "another_relation": ((like.value - like.expected).mean() - out, of_mean(like.value - like.expected) + variance_out),
    }
    found = {
        "unseen": now.value.mean() - like.value.mean(), "unseen_share": 1 - len(like) / len(now),
        "effective_rows": worth, "trimmed": int((before.ratio > MOST_RATIO).sum()),
    }
    for name, (change, variance) in parts.items():
        half = stats.t.ppf(0.975, freedom) * np.sqrt(variance) + bias
        p = 2 * stats.t.sf(max(abs(change) - bias, 0) / np.sqrt(variance), freedom)
        found[name] = {"value": change, "low": change - half, "high": change + half, "p_value": p}
    return found


def homogeneity(before: pd.DataFrame, now: pd.DataFrame, column: str) -> tuple[float, float]:
    """The p-value that the relation changed alike over a column's values, and how much it differs."""
    effects, variances, counts = [], [], []
    for value in sorted(set(before[column]) | set(now[column])):
        one = before[(before[column] == value) & (before.ratio <= MOST_RATIO)]
        other = now[(now[column] == value) & (now.ratio <= MOST_RATIO)]
        worth = one.ratio.sum() ** 2 / (one.ratio**2).sum() if len(one) else 0
        if min(worth, len(other)) < 20:
            continue
        was, now_is = one.value - one.expected, other.value - other.expected
        mean = np.average(was, weights=one.ratio)
        gap, spread = now_is.mean() - mean, np.average((was - mean) ** 2, weights=one.ratio)
        shares = np.array([worth, len(other)]) / (worth + len(other))
        alike = shares[0] * spread + shares[1] * now_is.var(ddof=0) + shares[0] * shares[1] * gap**2
        apart = (one.ratio**2 * (was - mean) ** 2).sum() / one.ratio.sum() ** 2 + now_is.var(ddof=0) / len(other)
        effects.append(gap)
        variances.append(max(apart, alike * (1 / worth + 1 / len(other))))
        counts.append(len(other))
    effects, variances, shares = np.array(effects), np.array(variances), np.array(counts) / sum(counts)
    found = combine_effects(effects, variances)
    excess = (shares * ((effects - shares @ effects) ** 2 - variances * (1 - shares))).sum()
    return stats.chi2.sf(found.q, len(effects) - 1), float(np.sqrt(max(excess, 0)))


def some_of_housing() -> dict:
    before, now = read("housing_reference").iloc[::8].copy(), read("housing_later").iloc[::10].copy()
    inputs = ["MedInc", "HouseAge", "AveRooms", "Population", "AveOccup"]
    # All rows have a like but those of the largest incomes.
    folds = KFold(5, shuffle=True, random_state=1)
    both = pd.concat([before, now])
    side = np.r_[np.zeros(len(before)), np.ones(len(now))]
    logistic = make_pipeline(StandardScaler(), LogisticRegression(C=1.0))
    chance = cross_val_predict(logistic, both[inputs] ** 0.5, side, cv=folds, method="predict_proba")[:, 1]
    ratio = chance / (1 - chance) * len(before) / len(now)
    before["expected"] = cross_val_predict(LinearRegression(), before[inputs], before.error, cv=folds)
    now["expected"] = LinearRegression().fit(before[inputs], before.error).predict(now[inputs])
    before["ratio"], now["ratio"] = ratio[: len(before)], ratio[len(before) :]
    now.loc[now.index[::40], "ratio"] = 21.0
    before.loc[before.index[::100], "ratio"] = 20.5
    for data in (before, now):
        data["value"], data["expected"], data["ratio"] = data.error, data.expected.round(6), data.ratio.round(6)
        data["income"] = np.minimum(np.floor(data.MedInc), 8).astype(int).astype(str)
        data["north"] = np.floor(data.Latitude).astype(int).astype(str)
    columns = ["income", "north"]
    homogeneous = [homogeneity(before, now, column) for column in columns]
    corrected = multipletests([p for p, _ in homogeneous], method="holm")[1]
    listed = lambda data: {name: data[name].tolist() for name in ["value", "expected", "ratio", *columns]}
    return {
        "reference": listed(before), "current": listed(now), "found": split(before, now),
        "relation": [{"column": name, "p_value": p, "spread": spread} for name, p, (_, spread) in zip(columns, corrected, homogeneous)],
    }


def one_by_one() -> list:
    before, now = read("employment_reference").iloc[:20000], read("employment_later").iloc[-15000:]
    columns = ["SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG", "MIL", "NATIVITY", "DEAR", "SEX", "RAC1P"]
    found = []
    for name in columns:
        groups = before.groupby(before[name].fillna("missing")).error
        count, mean, variance = groups.size(), groups.mean(), groups.var(ddof=1)
        shares = pd.DataFrame({"p": count / len(before), "q": now[name].fillna("missing").value_counts() / len(now)}).fillna(0)
        shares = shares.join(pd.DataFrame({"n": count, "mean": mean, "variance": variance}))
        shares = shares[shares.n >= 5]
        above = shares["mean"] - before.error.mean()
        gap = shares.q - shares.p
        variance = (gap**2 * np.maximum(shares.variance, before.error.var(ddof=1)) / shares.n).sum()
        variance += (shares.p * above**2).sum() / len(before) + (shares.q * above**2).sum() / len(now)
        found.append({"column": name, "explains": (gap * above).sum(), "error": float(np.sqrt(variance))})
    p = multipletests([2 * stats.norm.sf(abs(of["explains"]) / of["error"]) for of in found], method="holm")[1]
    return [{**of, "p_value": p} for of, p in zip(found, p)]


def chosen() -> dict:
    data = read("employment_reference")
    names = ["SCHL", "MAR", "RELP", "DIS", "CIT", "MIG", "SEX"]
    inputs = data[["AGEP", *names]].copy()
    for name in names:
        inputs[name] = inputs[name].astype("category").cat.codes
    at = np.arange(len(data))
    chance = np.clip((data.AGEP - 10) / 60, 0.05, 1.0)
    before, now = np.flatnonzero(at % 14 == 0), np.flatnonzero((at % 14 == 7) & (uniform(7, len(data)) < chance))
    error = data.error.to_numpy()
    ratio, expected = np.empty(len(data)), np.empty(len(data))
    how = dict(max_iter=80, learning_rate=0.1, max_depth=3, min_samples_leaf=30, max_bins=63, early_stopping=False)
    fold = np.random.default_rng(0).integers(0, 3, len(data))
    for held in range(3):
        one, other = before[fold[before] != held], now[fold[now] != held]
        side = np.r_[np.zeros(len(one)), np.ones(len(other))]
        told = HistGradientBoostingClassifier(**how).fit(inputs.iloc[np.r_[one, other]], side)
        loss = HistGradientBoostingRegressor(**how).fit(inputs.iloc[one], error[one])
        p = told.predict_proba(inputs)[:, 1]
        ratio[fold == held] = (p / (1 - p) * len(one) / len(other))[fold == held]
        expected[fold == held] = loss.predict(inputs)[fold == held]
    frame = pd.DataFrame({"value": error, "expected": expected, "ratio": ratio})
    found = split(frame.iloc[before], frame.iloc[now])
    truth = np.average(error, weights=chance) - error.mean()
    return {"rows": [len(before), len(now)], "truth": truth, "scikit_learn": found}


found = {
    "made_with": {of.__name__: of.__version__ for of in (sklearn, statsmodels, scipy, np, pd)},
    "split": some_of_housing(), "inputs": one_by_one(), "chosen": chosen(),
}
(HERE / "attribution.json").write_text(json.dumps(found, default=float) + "\n")
