"""Writes values.json beside this script: values of scipy and scikit-learn that the crate's own are held against.

    python make.py

Reads nothing but the four Parquet files of `src/demo`; needs numpy, pandas, pyarrow, scipy and scikit-learn. Nothing is
drawn at random. An entry for which scipy gave a warning has a key "warning" and is printed: leave such ones out.
"""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import scipy
import sklearn
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn import metrics

HERE = Path(__file__).resolve().parent
DEMO = HERE / ".." / ".." / "src" / "demo"
PARTS = 9
ZERO_SHARE = 1e-4


def load(name: str) -> pd.DataFrame:
    frame = pq.read_table(DEMO / f"{name}.parquet").to_pandas()
    for column in frame.select_dtypes("float32"):
        frame[column] = frame[column].astype("float64")
    return frame


def guarded(entry: dict, where: str, work) -> None:
    """Fills an entry; what was warned of stands in it, and is printed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        entry.update(work())
    if caught:
        entry["warning"] = "; ".join(sorted({str(w.message) for w in caught}))
        print(f"warning at {where}: {entry['warning']}")


# ---- drift -----------------------------------------------------------------------------------------------------------


def distances(reference: np.ndarray, current: np.ndarray) -> dict:
    """PSI and Jensen-Shannon distance (to the base 2) of two histograms over the same bins."""
    r, c = reference / reference.sum(), current / current.sum()
    js = jensenshannon(r, c, base=2)
    r, c = np.where(r == 0, ZERO_SHARE, r), np.where(c == 0, ZERO_SHARE, c)
    return {"psi": float(np.sum((r - c) * np.log(r / c))), "jensen_shannon": float(js)}


def numeric(name: str, reference, current, where: str) -> dict:
    r = np.array([math.nan if x is None else x for x in reference], dtype="float64")
    c = np.array([math.nan if x is None else x for x in current], dtype="float64")
    rv, cv = r[~np.isnan(r)], c[~np.isnan(c)]
    edges = np.unique(np.quantile(rv, np.arange(1, PARTS + 1) / (PARTS + 1)))
    near = [np.abs(v - e)[v != e].min(initial=math.inf) / max(abs(e), 1e-300) for e in edges for v in (rv, cv)]
    if min(near) < 1e-9:
        print(f"close call at {where}.{name}: a value lies within {min(near):.1e} of an edge, but not on it")
    counts = [np.bincount(np.searchsorted(edges, v, side="left"), minlength=len(edges) + 1) for v in (rv, cv)]
    missing = [len(r) - len(rv), len(c) - len(cv)]
    if any(missing):
        counts = [np.append(k, m) for k, m in zip(counts, missing)]
    entry = {
        "name": name,
        "kind": "numeric",
        "edges": edges.tolist(),
        "reference_counts": counts[0].tolist(),
        "current_counts": counts[1].tolist(),
        "missing_bin": any(missing),
    }

    def tests():
        ks = stats.ks_2samp(rv, cv)
        return {
            "tests": {
                "ks": {
                    "statistic": float(ks.statistic),
                    "p_value": float(ks.pvalue),
                    "method": "exact" if max(len(rv), len(cv)) <= 10_000 else "asymptotic",
                },
                "wasserstein": float(stats.wasserstein_distance(rv, cv)),
                **distances(*counts),
            }
        }

    guarded(entry, f"{where}.{name}", tests)
    return entry


def categorical(name: str, reference, current, where: str) -> dict:
    sides = [pd.Series(list(side), dtype=object) for side in (reference, current)]
    categories = sorted(set(sides[0].dropna()) | set(sides[1].dropna()))
    counts = [np.array([(s == k).sum() for k in categories]) for s in sides]
    missing = [int(s.isna().sum()) for s in sides]
    if any(missing):
        counts = [np.append(k, m) for k, m in zip(counts, missing)]
    entry = {
        "name": name,
        "kind": "categorical",
        "categories": categories,
        "reference_counts": counts[0].tolist(),
        "current_counts": counts[1].tolist(),
        "missing_bin": any(missing),
    }

    def tests():
        chi = stats.chi2_contingency(np.array(counts), correction=False)
        return {
            "tests": {
                "chi_squared": {"statistic": float(chi.statistic), "p_value": float(chi.pvalue), "df": int(chi.dof)},
                **distances(*counts),
            }
        }

    guarded(entry, f"{where}.{name}", tests)
    return entry


def drift(reference: pd.DataFrame, later: pd.DataFrame, where: str) -> list:
    entries = []
    for column in reference.columns:
        if column in ("id", "timestamp", "label"):
            continue
        work = numeric if pd.api.types.is_numeric_dtype(reference[column]) else categorical
        entries.append(work(column, reference[column], later[column], where))
    return entries


def drift_missing() -> list:
    """Columns that a formula makes, for what the data sets do not have: missing values, ties, one value alone."""

    def column(name, work, formula, reference, current):
        entry = work(name, reference, current, "drift_missing")
        return {"name": name, "formula": formula} | entry | {"reference": reference, "current": current}

    return [
        column(
            "spread",
            numeric,
            "reference: ((i*7919) % 1009) / 10.0 for i in 0..700, null where i % 13 == 0; "
            "current: ((i*104729) % 1013) / 9.5 for i in 0..450, null where i % 50 == 0",
            [None if i % 13 == 0 else ((i * 7919) % 1009) / 10.0 for i in range(700)],
            [None if i % 50 == 0 else ((i * 104729) % 1013) / 9.5 for i in range(450)],
        ),
        column(
            "ties",
            numeric,
            "reference: (i*i) % 5 for i in 0..300; current: (i*i + i) % 5 for i in 0..200, null where i % 40 == 0",
            [float((i * i) % 5) for i in range(300)],
            [None if i % 40 == 0 else float((i * i + i) % 5) for i in range(200)],
        ),
        column("constant", numeric, "reference: 2.5, 120 times; current: 2.5, 80 times", [2.5] * 120, [2.5] * 80),
        column("moved", numeric, "reference: 2.5, 120 times; current: 3.0, 80 times", [2.5] * 120, [3.0] * 80),
        column(
            "classes",
            categorical,
            'reference: "c{(i*i) % 7}" for i in 0..500; '
            'current: "c{(i*i) % 9}" for i in 0..400, null where i % 17 == 0',
            [f"c{(i * i) % 7}" for i in range(500)],
            [None if i % 17 == 0 else f"c{(i * i) % 9}" for i in range(400)],
        ),
        column("one_class", categorical, 'reference: "c", 90 times; current: "c", 60 times', ["c"] * 90, ["c"] * 60),
    ]


# ---- distributions ---------------------------------------------------------------------------------------------------


def ks_exact() -> list:
    """Two evenly spread samples, one moved or folded: the statistic is attainable, as it is that of two samples."""
    entries = []
    seen = set()

    def case(n1, n2, shift, fold=False):
        x, y = (np.arange(n1) + 0.5) / n1, (np.arange(n2) + 0.5) / n2
        y = np.where(y > 0.5, y + shift, y - shift) if fold else y + shift
        lcm = n1 // math.gcd(n1, n2) * n2
        entry = {"n1": n1, "n2": n2}

        def work():
            ks = stats.ks_2samp(x, y, method="exact")
            # The statistic as a fraction: numerator / least common multiple.
            return {"numerator": round(float(ks.statistic) * lcm), "lcm": lcm, "d": float(ks.statistic),
                    "p": float(ks.pvalue)}

        guarded(entry, f"ks_exact n1={n1} n2={n2} shift={shift}", work)
        if (n1, n2, entry["numerator"]) not in seen:
            seen.add((n1, n2, entry["numerator"]))
            entries.append(entry)

    for n1, n2, shifts in [
        (1, 7, [0.3, 1.0]),
        (2, 2, [0.4, 1.0]),
        (2, 3, [0.0, 0.4, 1.0]),
        (3, 5, [0.3, 0.6]),
        (4, 6, [0.3, 1.0]),
        (5, 5, [0.3, 0.7]),
        (7, 7, [0.3, 1.0]),
        (10, 15, [0.2, 0.5]),
        (13, 17, [0.1, 0.35, 1.0]),
        (20, 30, [0.25, 0.6]),
        (50, 50, [0.03, 0.2, 1.0]),
        (64, 48, [0.1, 0.3, 0.8]),
        (101, 103, [0.03, 0.15, 0.5, 1.0]),
        (200, 300, [0.05, 0.12, 0.4, 1.0]),
        (2, 3000, [0.3, 0.6]),
        (2999, 3, [0.4, 0.9]),
        (500, 500, [0.05, 0.1, 0.5, 0.9, 1.0]),
        (500, 501, [0.02, 0.08, 0.3, 0.99]),
        (997, 1009, [0.02, 0.06, 0.25, 0.6]),
        (1500, 1000, [0.01, 0.05, 0.2, 0.6]),
        (2000, 2000, [0.012, 0.03, 0.1, 0.55]),
        (2999, 3000, [0.01, 0.03, 0.1, 0.47]),
        (3000, 3000, [0.01, 0.04, 0.15, 0.48]),
        (1000, 1000, [1.0]),
        (1000, 999, [1.0]),
        (5832, 8232, [0.005, 0.012, 0.02, 0.03, 0.06, 0.15, 0.31]),
        (10000, 10000, [0.004, 0.012, 0.018, 0.03, 0.06, 0.15, 0.26]),
    ]:
        for shift in shifts:
            case(n1, n2, shift)
    case(997, 1009, 0.05, fold=True)
    case(64, 48, 0.1, fold=True)
    return entries


def kstwo_by(n: int, d: float) -> str:
    """The formula that scipy 1.17's `_kolmogn(n, d, cdf=False)` takes: two of them are approximations."""
    steps, square = n * d, n * d * d
    if steps <= 1 or steps >= n - 1:
        return "closed"
    if d >= 0.5:
        return "twice_smirnov_exact"
    if n <= 140:
        return "durbin" if square <= 0.754693 else "pomeranz" if square <= 4 else "twice_smirnov"
    if square >= 370:
        return "zero"
    if square >= 2.2:
        return "twice_smirnov"
    return "durbin" if n <= 100_000 and n * d**1.5 <= 1.4 else "pelz_good"


def kstwo_sf() -> list:
    entries = []
    for n in (5, 20, 100, 141, 1000, 10_000, 51_746, 500_000, 5_000_000):
        for square in (0.01, 0.05, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 17.0, 40.0, 100.0, 200.0, 340.0):
            d = float(f"{math.sqrt(square / n):.6g}")
            if d < 1:
                entry = {"n": n, "d": d}
                guarded(entry, f"kstwo_sf n={n} d={d}", lambda: {"p": float(stats.kstwo.sf(d, n))})
                entry["by"] = kstwo_by(n, d)
                entries.append(entry)
    return entries


def chi2_sf() -> list:
    entries = []
    for df in (1, 2, 3, 9, 17, 100, 1000):
        for p in (0.999, 0.9, 0.5, 0.1, 0.05, 1e-3, 1e-8, 1e-16, 1e-50, 1e-120, 1e-300):
            x = float(f"{stats.chi2.isf(p, df):.6g}")
            entry = {"x": x, "df": df}
            guarded(entry, f"chi2_sf x={x} df={df}", lambda: {"p": float(stats.chi2.sf(x, df))})
            entries.append(entry)
    return entries


def benjamini_hochberg() -> list:
    lists = [
        [0.03],
        [0.01, 0.04, 0.03, 0.005, 0.8, 0.2],
        [0.05, 0.05, 0.05, 0.01, 0.01, 1.0],
        [0.0, 1e-300, 1e-12, 0.02, 0.5, 0.999, 1.0, 0.0],
        [((i * 37) % 101 + 1) / 102 for i in range(40)],
    ]
    return [{"p": ps, "adjusted": stats.false_discovery_control(ps, method="bh").tolist()} for ps in lists]


# ---- quality ---------------------------------------------------------------------------------------------------------


def binary(frame: pd.DataFrame, where: str) -> dict:
    """Precision is scikit-learn's 0.0 where nothing was predicted positive; "undefined" then names it."""
    label, prediction, score = frame["label"], frame["prediction"], frame["score"]
    entry = {"rows": len(frame), "positives": int(label.sum())}

    def work():
        return {
            "accuracy": float(metrics.accuracy_score(label, prediction)),
            "precision": float(metrics.precision_score(label, prediction, pos_label=1, zero_division=0)),
            "recall": float(metrics.recall_score(label, prediction, pos_label=1)),
            "f1": float(metrics.f1_score(label, prediction, pos_label=1)),
            "roc_auc": float(metrics.roc_auc_score(label, score)),
            "brier": float(metrics.brier_score_loss(label, score)),
            "log_loss": float(metrics.log_loss(label, score)),
        }

    guarded(entry, where, work)
    if not (prediction == 1).any():
        entry["undefined"] = ["precision"]
        print(f"undefined at {where}: precision, as nothing was predicted positive")
    return entry


def by(frame: pd.DataFrame, pattern: str, where: str) -> dict:
    groups = frame.groupby(frame["timestamp"].dt.strftime(pattern), sort=True)
    return {key: binary(rows, f"{where} {key}") for key, rows in groups}


def multi_class() -> list:
    def case(label, prediction):
        return {
            "accuracy": float(metrics.accuracy_score(label, prediction)),
            "macro_precision": float(metrics.precision_score(label, prediction, average="macro", zero_division=0)),
            "macro_recall": float(metrics.recall_score(label, prediction, average="macro", zero_division=0)),
            "macro_f1": float(metrics.f1_score(label, prediction, average="macro", zero_division=0)),
            "label": label,
            "prediction": prediction,
        }

    names = ["green", "red", "blue"]
    label = [names[(i * 7 + i // 5) % 3] for i in range(60)]
    prediction = [names[(i + 1) % 3] if i % 4 == 0 else k for i, k in enumerate(label)]
    # "blue" is never predicted, and "white", which is predicted, is nobody's label.
    odd = ["white" if i % 11 == 0 else "red" if k == "blue" else k for i, k in enumerate(prediction)]
    return [{"name": "three"} | case(label, prediction), {"name": "unpredicted"} | case(label, odd)]


def regression(label, prediction) -> dict:
    return {
        "rows": len(label),
        "mean_absolute_error": float(metrics.mean_absolute_error(label, prediction)),
        "root_mean_squared_error": float(metrics.root_mean_squared_error(label, prediction)),
        "r2_score": float(metrics.r2_score(label, prediction)),
    }


# ---- the file --------------------------------------------------------------------------------------------------------


def text(value, depth: int = 0) -> str:
    """JSON with one entry a line: the outer two layers are broken, and objects of objects under them."""
    if isinstance(value, dict) and (depth < 2 or any(isinstance(v, dict) for v in value.values()) and depth < 3):
        inner = [f"{' ' * (depth + 1)}{json.dumps(k)}: {text(v, depth + 1)}" for k, v in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        inner = [f"{' ' * (depth + 1)}{json.dumps(v, allow_nan=False)}" for v in value]
    else:
        return json.dumps(value, allow_nan=False)
    left, right = "{}" if isinstance(value, dict) else "[]"
    return left + "\n" + ",\n".join(inner) + "\n" + " " * depth + right


def main() -> None:
    sets = {name: (load(f"{name}_reference"), load(f"{name}_later")) for name in ("housing", "employment")}
    housing, employment = sets["housing"], sets["employment"]
    label = [3.0, -0.5, 2.0, 7.0, 4.25, 0.0, 1e3, 12.5]
    prediction = [2.5, 0.0, 2.0, 8.0, 4.0, -0.125, 990.0, 14.0]
    values = {
        "made_with": {"scipy": scipy.__version__, "sklearn": sklearn.__version__, "numpy": np.__version__},
        "drift": {name: drift(*pair, f"drift.{name}") for name, pair in sets.items()},
        "drift_missing": drift_missing(),
        "ks_exact": ks_exact(),
        "kstwo_sf": kstwo_sf(),
        "chi2_sf": chi2_sf(),
        "benjamini_hochberg": benjamini_hochberg(),
        "classification": {
            "housing_reference": {"all": binary(housing[0], "housing_reference")},
            "housing_later": {"all": binary(housing[1], "housing_later")} | by(housing[1], "%Y-%m", "housing_later"),
            "employment_reference": {"all": binary(employment[0], "employment_reference")},
            "employment_later": {"all": binary(employment[1], "employment_later")}
            | by(employment[1], "%Y", "employment_later"),
        },
        "multi_class": multi_class(),
        "regression": {
            "housing_later": regression(housing[1]["MedInc"], housing[1]["AveRooms"]),
            "given": regression(label, prediction) | {"label": label, "prediction": prediction},
        },
    }
    path = HERE / "values.json"
    path.write_text(text(values) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size:,} bytes")
    for key, value in values.items():
        sizes = {k: len(v) for k, v in value.items()} if isinstance(value, dict) else len(value)
        print(f"  {key}: {sizes}")


if __name__ == "__main__":
    main()
