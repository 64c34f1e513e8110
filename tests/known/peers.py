"""Writes peers.json beside this script: what Evidently and NannyML say of columns, for the modes to say too.

    PYTHONHASHSEED=0 python peers.py

Made with evidently 0.7.23, nannyml 0.13.1, numpy 2.4.6, pandas 2.3.3 and scipy 1.17.1; Evidently 0.7.23 cannot be
imported with pandas 3, and adds up in the order of a set, which is another in each run unless it is fixed. Reads the
four Parquet files of `tests/known/data`. All other columns are made by the formulas of `made`, which peers.rs has too: they are
of whole numbers and the four operations, so that both make the same bits.
"""

import json
import logging
import math
import os
import warnings

# Both would tell their makers of the run.
os.environ |= {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}

import evidently
import nannyml
import numpy as np
import pandas as pd
import scipy
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from nannyml.chunk import CountBasedChunker
from nannyml.drift.univariate import UnivariateDriftCalculator
from nannyml.thresholds import ConstantThreshold

from make import HERE, load, text
from uniform import uniform

METHOD = "jensen_shannon"


# ---- columns by formula ----------------------------------------------------------------------------------------------


def made(side: dict, seed: int, rows: int) -> pd.Series:
    """`missing` and `infinite` say which rows are so: each so-many-th."""
    how, tilt = side["how"], side.get("tilt", 0.0)
    shift, scale = side.get("shift", 0.0), side.get("scale", 1.0)
    u = uniform(seed, rows)
    tilted = u * (1.0 - tilt + tilt * u)
    if how == "bell" or how == "ties":
        twelve = uniform(seed, rows * 12).reshape(rows, 12)
        values = np.zeros(rows)
        for i in range(12):
            values = values + twelve[:, i]
        values = (values - 6.0) * scale + shift
        values = np.floor(values * 2.0) if how == "ties" else values
    elif how == "skewed":
        values = scale / (0.02 + u) + shift
    elif how == "levels":
        values = np.floor(tilted * side["levels"]) * scale + shift
    elif how == "zipf":
        cumulative = np.cumsum(1.0 / np.arange(1, side["levels"] + 1))
        picked = np.searchsorted(cumulative, tilted * cumulative[-1], side="right")
        values = np.array([f"c{k:04}" for k in picked], dtype=object)
        values[uniform(seed + 1, rows) < side.get("new", 0.0)] = "new"
    every = np.arange(rows)
    if "infinite" in side:
        values[every % side["infinite"] == 1] = math.inf
        values[every % side["infinite"] == 2] = -math.inf
    if "missing" in side:
        values[every % side["missing"] == 0] = None if how == "zipf" else math.nan
    return pd.Series(values)


BELL, ZIPF = {"how": "bell"}, {"how": "zipf"}
COLUMNS = {
    "bell": (BELL, BELL),
    "bell_moved": (BELL, BELL | {"shift": 0.15}),
    "bell_wider": (BELL, BELL | {"scale": 3.0}),
    "bell_missing": (BELL | {"missing": 13}, BELL | {"missing": 3, "shift": 0.08}),
    "bell_beside_large": (BELL | {"shift": 1e6}, BELL | {"shift": 1e6}),
    "bell_small": (BELL | {"scale": 1e-5}, BELL | {"scale": 1e-5, "shift": 1e-6}),
    "ties": ({"how": "ties"}, {"how": "ties", "scale": 1.2}),
    "skewed": ({"how": "skewed"}, {"how": "skewed", "scale": 1.3}),
    "wholes": ({"how": "levels", "levels": 17}, {"how": "levels", "levels": 18}),
    "two": ({"how": "levels", "levels": 2}, {"how": "levels", "levels": 2}),
    "two_tilted": ({"how": "levels", "levels": 2}, {"how": "levels", "levels": 2, "tilt": 0.15}),
    "two_missing": ({"how": "levels", "levels": 2, "missing": 4}, {"how": "levels", "levels": 2, "missing": 5}),
    "three_tilted": ({"how": "levels", "levels": 3}, {"how": "levels", "levels": 3, "tilt": 0.3}),
    "five": ({"how": "levels", "levels": 5}, {"how": "levels", "levels": 5}),
    "five_of_six": ({"how": "levels", "levels": 5}, {"how": "levels", "levels": 6}),
    "two_of_three": ({"how": "levels", "levels": 2}, {"how": "levels", "levels": 3}),
    "one_of_two": ({"how": "levels", "levels": 1}, {"how": "levels", "levels": 2, "tilt": 0.5}),
    "constant": ({"how": "levels", "levels": 1, "shift": 0.1}, {"how": "levels", "levels": 1, "shift": 0.1}),
    "constant_moved": ({"how": "levels", "levels": 1}, {"how": "levels", "levels": 1, "shift": 0.7}),
    "zipf_1": (ZIPF | {"levels": 1}, ZIPF | {"levels": 1}),
    "zipf_2": (ZIPF | {"levels": 2}, ZIPF | {"levels": 2}),
    "zipf_2_tilted": (ZIPF | {"levels": 2}, ZIPF | {"levels": 2, "tilt": 0.3}),
    "zipf_2_missing": (ZIPF | {"levels": 2, "missing": 10}, ZIPF | {"levels": 2, "missing": 2}),
    "zipf_7": (ZIPF | {"levels": 7}, ZIPF | {"levels": 7}),
    "zipf_20_tilted": (ZIPF | {"levels": 20}, ZIPF | {"levels": 20, "tilt": 0.1}),
    "zipf_100_missing": (ZIPF | {"levels": 100, "missing": 11}, ZIPF | {"levels": 100, "missing": 6}),
    "zipf_1000": (ZIPF | {"levels": 1000}, ZIPF | {"levels": 1000}),
    "zipf_5_new": (ZIPF | {"levels": 5}, ZIPF | {"levels": 5, "new": 0.02}),
    "zipf_20_new": (ZIPF | {"levels": 20}, ZIPF | {"levels": 20, "new": 0.2}),
}
# Of these one of the two stops with an error, which would stop a whole report: each is asked for alone.
ALONE = {
    "infinite_current": (BELL, BELL | {"infinite": 50}),
    "infinite_reference": (BELL | {"infinite": 50}, BELL),
    "current_missing": (BELL, BELL | {"missing": 1}),
    "reference_missing": (BELL | {"missing": 1}, BELL),
    "zipf_current_missing": (ZIPF | {"levels": 4}, ZIPF | {"levels": 4, "missing": 1}),
    "zipf_reference_missing": (ZIPF | {"levels": 4, "missing": 1}, ZIPF | {"levels": 4}),
    "too_near": (BELL | {"scale": 1e-10, "shift": 1e6}, BELL | {"scale": 1e-10, "shift": 1e6}),
}
ROWS = [(200, 150), (900, 1200), (1000, 10001), (1001, 700), (20000, 15000)]


# ---- the two --------------------------------------------------------------------------------------------------------


def number(value) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def by_evidently(reference: pd.DataFrame, current: pd.DataFrame, categorical: list) -> tuple:
    """What it says of each column, and of all."""
    numeric = [name for name in reference.columns if name not in categorical]
    definition = DataDefinition(numerical_columns=numeric, categorical_columns=categorical)
    sides = [Dataset.from_pandas(side, data_definition=definition) for side in (current, reference)]
    found = Report([DataDriftPreset()], include_tests=True).run(*sides).dict()
    status = {test["metric_config"]["metric_id"]: str(test["status"]).endswith("FAIL") for test in found["tests"]}
    whole, *columns = found["metrics"]
    assert all("SUCCESS" in str(t["status"]) or "FAIL" in str(t["status"]) for t in found["tests"]), found["tests"]
    return (
        {
            metric["config"]["column"]: {
                "method": metric["config"]["method"],
                "value": number(metric["value"]),
                "threshold": metric["config"]["threshold"],
                "drift": status[metric["id"]],
            }
            for metric in columns
        },
        {"drifted": int(whole["value"]["count"]), "drift": status[whole["id"]]},
    )


def by_nannyml(reference: pd.DataFrame, current: pd.DataFrame, categorical: list, constant: bool) -> dict:
    """The current rows as one chunk. With the constant threshold, or as it is unless told otherwise."""
    numeric = [name for name in reference.columns if name not in categorical]
    thresholds = {METHOD: ConstantThreshold(upper=0.1)} if constant else None
    calculator = UnivariateDriftCalculator(
        list(reference.columns), treat_as_numerical=numeric, treat_as_categorical=categorical, thresholds=thresholds
    )
    calculator.fit(reference)
    calculator.chunker = CountBasedChunker(1)
    frame = calculator.calculate(current).filter(period="analysis").to_df()
    assert len(frame) == 1

    def cell(name: str, key: str):
        return frame[(name, METHOD, key)].iloc[0]

    return {
        name: {
            "value": number(cell(name, "value")),
            "threshold": number(cell(name, "upper_threshold")),
            "drift": None if pd.isna(cell(name, "alert")) else bool(cell(name, "alert")),
        }
        for name in reference.columns
    }


def both(reference: pd.DataFrame, current: pd.DataFrame, where: str) -> dict:
    categorical = [name for name in reference.columns if not pd.api.types.is_numeric_dtype(reference[name])]
    columns, whole = by_evidently(reference, current, categorical)
    constant = by_nannyml(reference, current, categorical, True)
    default = by_nannyml(reference, current, categorical, False)
    print(f"{where}: {whole} of {len(columns)}")
    return {
        "evidently": whole,
        "columns": [
            {"name": name, "evidently": columns[name], "nannyml": constant[name], "nannyml_chunks": default[name]}
            for name in reference.columns
        ],
    }


def alone(name: str, reference: pd.DataFrame, current: pd.DataFrame) -> dict:
    """What stops with an error is null."""
    categorical = [] if pd.api.types.is_float_dtype(reference[name]) else [name]
    entry = {"name": name}
    for key, work in {
        "evidently": lambda: by_evidently(reference, current, categorical)[0][name],
        "nannyml": lambda: by_nannyml(reference, current, categorical, True)[name],
        "nannyml_chunks": lambda: by_nannyml(reference, current, categorical, False)[name],
    }.items():
        try:
            entry[key] = work()
        except Exception as error:  # whatever it is, there is no decision
            print(f"{name}, {key}: {type(error).__name__}: {str(error)[:120]}")
            entry[key] = None
    return entry


def real(name: str) -> dict:
    sides = []
    for side in ("reference", "later"):
        frame = load(f"{name}_{side}").drop(columns=["id", "timestamp", "label"], errors="ignore")
        for column in frame.columns:
            if not pd.api.types.is_numeric_dtype(frame[column]):
                frame[column] = frame[column].astype(object)
        sides.append(frame)
    return {"name": name} | both(*sides, name)


def sides(columns: dict, rows: tuple, seed: int) -> list:
    frames = ({}, {})
    for at, (name, pair) in enumerate(columns.items()):
        for side in range(2):
            frames[side][name] = made(pair[side], seed + 4 * at + 2 * side, rows[side])
    return [pd.DataFrame(frame) for frame in frames]


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    described = [
        {"name": name, "reference": pair[0], "current": pair[1]} for name, pair in (COLUMNS | ALONE).items()
    ]
    made_sets = []
    for at, rows in enumerate(ROWS):
        seed = 1000 * (at + 1)
        found = both(*sides(COLUMNS, rows, seed), f"{rows}")
        made_sets.append({"rows": rows, "seed": seed} | found)
    rows, seed = (500, 400), 9000
    frames = sides(ALONE, rows, seed)
    lonely = [alone(name, *(frame[[name]] for frame in frames)) for name in ALONE]
    # Evidently's test has a value; what stops is the picture beside it.
    lonely[list(ALONE).index("too_near")].pop("evidently")
    values = {
        "made_with": {
            module.__name__: module.__version__ for module in (evidently, nannyml, np, pd, scipy)
        },
        "described": described,
        "made": made_sets,
        "alone": {"rows": rows, "seed": seed, "columns": lonely},
        "real": [real(name) for name in ("housing", "employment")],
    }
    path = HERE / "peers.json"
    path.write_text(text(values) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
