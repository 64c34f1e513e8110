"""Makes the demonstration's four Parquet files, beside this script, and those of the tests, in `tests/known/data`, from the data sets
of NannyML 0.13.1. They differ in the scores of employment alone, which the demonstration has with three digits.

    python make.py SOURCE_FOLDER

SOURCE_FOLDER is the folder `nannyml/datasets/data` of the wheel `nannyml` 0.13.1 (or a copy of it); numpy, pandas and
pyarrow are needed.

Sources and licences:
- California housing: block groups of the 1990 US census, R. Kelley Pace and Ronald Barry, "Sparse Spatial
  Autoregressions", Statistics and Probability Letters 33 (1997); by way of scikit-learn and NannyML 0.13.1
  (Apache-2.0).
- Employment in Massachusetts: American Community Survey, Public Use Microdata Sample, 2015 to 2018, US Census Bureau
  (public domain); by way of folktables and NannyML 0.13.1 (Apache-2.0).
Predictions and scores are those of the models that NannyML trained for its examples.
"""

import sys
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent.parent / "tests" / "known" / "data"
TIME = pa.timestamp("ms", "UTC")
SEED = 20150101


# Columns of few values go by dictionary, as categories do; in the rest zstd finds the repetitions by itself.
FEW_VALUES = {"HouseAge", "AGEP", "prediction", "label"}


def write(folder: Path, name: str, columns: dict[str, pa.Array], few_values: set[str]) -> None:
    """One row group, no statistics, no schema of a library's own; each column in the encoding that was smallest."""
    table = pa.table(columns)
    encoding = {"id": "DELTA_BYTE_ARRAY", "timestamp": "DELTA_BINARY_PACKED"}
    dictionary = []
    for column in table.column_names:
        if column in few_values or (table[column].type == pa.string() and column not in encoding):
            dictionary.append(column)
        else:
            encoding.setdefault(column, "PLAIN")
    path = folder / f"{name}.parquet"
    pq.write_table(
        table,
        path,
        row_group_size=len(table),
        use_dictionary=dictionary,
        column_encoding=encoding,
        compression="zstd",
        compression_level=19,
        write_statistics=False,
        store_schema=False,
    )
    print(f"{path.parent.name}/{path.name}: {len(table):,} rows, {path.stat().st_size:,} bytes")


def housing(frame: pd.DataFrame, name: str) -> None:
    columns = {
        "id": pa.array([f"h-{i}" for i in frame["id"]]),
        "timestamp": pa.array(pd.to_datetime(frame["timestamp"]).to_numpy("datetime64[ms]")).cast(TIME),
    }
    for column in ("MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude"):
        columns[column] = pa.array(frame[column].to_numpy("float64"))
    columns["prediction"] = pa.array(frame["y_pred"].to_numpy("int64"))
    columns["score"] = pa.array(frame["y_pred_proba"].to_numpy("float64"))
    columns["label"] = pa.array(frame["clf_target"].to_numpy("int64"))
    for folder in (HERE, TESTS):
        write(folder, name, columns, FEW_VALUES | {"score"})


def employment(frame: pd.DataFrame, name: str) -> None:
    """The census has no time but the year, and its order is by kind of household: each year is shuffled by a fixed seed
    (numpy's frozen legacy generator) and spread evenly over its year; ids number the rows in the order of that time."""
    parts, times = [], []
    for year, rows in frame.groupby("year", sort=True):
        parts.append(rows.iloc[np.random.RandomState(SEED + year).permutation(len(rows))])
        start, end = (int(datetime(y, 1, 1, tzinfo=timezone.utc).timestamp()) * 1000 for y in (year, year + 1))
        times.append(start + np.arange(len(rows), dtype="int64") * ((end - start) // len(rows)))
    rows = pd.concat(parts)
    first = int(frame["id"].min())
    columns = {
        "id": pa.array([f"e-{first + i}" for i in range(len(rows))]),
        "timestamp": pa.array(np.concatenate(times)).cast(TIME),
        "AGEP": pa.array(rows["AGEP"].to_numpy("float64")),
    }
    for column in ("SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG", "MIL", "ANC", "NATIVITY", "DEAR", "DEYE", "DREM",
                   "SEX", "RAC1P"):
        columns[column] = pa.array(rows[column].astype(str).tolist(), pa.string())
    columns["prediction"] = pa.array(rows["prediction"].to_numpy("int64"))
    columns["score"] = pa.array(rows["predicted_probability"].to_numpy("float32"))
    columns["label"] = pa.array(rows["employed"].to_numpy("int64"))
    write(TESTS, name, columns, FEW_VALUES)
    # The agent carries these files in itself, and digits of a score do not pack: three say where a model stands.
    rounded = np.round(rows["predicted_probability"].to_numpy("float64"), 3).astype("float32")
    write(HERE, name, columns | {"score": pa.array(rounded)}, FEW_VALUES | {"score"})


def main(source: Path) -> None:
    later = pd.read_csv(source / "california_housing_analysis.csv")
    truth = pd.read_csv(source / "california_housing_analysis_gt.csv")
    housing(pd.read_csv(source / "california_housing_reference.csv"), "housing_reference")
    housing(later.merge(truth, on="id", how="left", validate="one_to_one"), "housing_later")

    later = pd.read_parquet(source / "employment_MA_analysis.pq")
    truth = pd.read_parquet(source / "employment_MA_analysis_target.pq")
    employment(pd.read_parquet(source / "employment_MA_reference.pq"), "employment_reference")
    employment(later.merge(truth, on="id", how="left", validate="one_to_one"), "employment_later")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make.py SOURCE_FOLDER")
    main(Path(sys.argv[1]))
