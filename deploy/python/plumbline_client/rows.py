"""Values and tables as the agent takes them: one JSON object a line. What JSON cannot say is null."""

import datetime
import decimal
import json
import math


def value(given):
    """A value as JSON has it: of numpy and the like its plain one, of what is no number and of bytes null."""
    if given is None or isinstance(given, (bool, int, str)):
        return given
    if isinstance(given, float):
        return given if math.isfinite(given) else None
    if isinstance(given, decimal.Decimal):
        return value(float(given))
    if isinstance(given, (datetime.datetime, datetime.date)):
        return None if given != given else given.isoformat()  # pandas' NaT is not itself
    if isinstance(given, dict):
        return {str(key): value(one) for key, one in given.items()}
    if isinstance(given, (list, tuple, set, frozenset)):
        return [value(one) for one in given]
    if isinstance(given, (bytes, bytearray, memoryview)):
        return None
    for plain in ("tolist", "item", "as_py"):  # numpy's arrays and scalars, pyarrow's scalars
        if hasattr(given, plain):
            return value(getattr(given, plain)())
    return None if given != given else str(given)


def line(row):
    """A row as one line of NDJSON, in bytes."""
    return json.dumps({str(key): value(one) for key, one in row.items()}, separators=(",", ":"), allow_nan=False).encode()


def size_of(table):
    """About how many bytes a table takes while it waits."""
    if hasattr(table, "memory_usage"):  # pandas
        return int(table.memory_usage(index=False).sum())
    return int(getattr(table, "nbytes", 1024))


def columns(table, names=None):
    """A table's columns by name: of pandas, pyarrow, numpy (with `names`), or a dict of lists."""
    if isinstance(table, dict):
        found = {str(name): list(column) for name, column in table.items()}
    elif hasattr(table, "to_pydict"):  # pyarrow's Table and RecordBatch
        found = table.to_pydict()
    elif hasattr(table, "to_dict") and hasattr(table, "columns"):  # pandas
        found = {str(name): table[name].tolist() for name in table.columns}
    elif getattr(table, "ndim", None) == 2:  # numpy
        names = names or [f"f{at}" for at in range(table.shape[1])]
        if len(names) != table.shape[1]:
            raise ValueError(f"{len(names)} names for {table.shape[1]} columns")
        found = {str(name): table[:, at].tolist() for at, name in enumerate(names)}
    else:
        raise TypeError(f"a table of {type(table).__name__} is not known; give pandas, pyarrow, numpy, or a dict of lists")
    lengths = {len(column) for column in found.values()}
    if len(lengths) > 1:
        raise ValueError(f"columns of {sorted(lengths)} rows")
    return found


def lines(table, names, beside):
    """The lines of a table with columns beside it; of one that stands for all rows each has it."""
    found = columns(table, names)
    rows = len(next(iter(found.values()), []))
    for name, column in beside.items():
        if column is None:
            continue
        plain = column.tolist() if hasattr(column, "tolist") else column
        if isinstance(plain, (list, tuple)):
            if len(plain) != rows:
                raise ValueError(f"{len(plain)} values of {name} for {rows} rows")
            found[name] = list(plain)
        else:
            found[name] = [plain] * rows
    names = list(found)
    return [line(dict(zip(names, row))) for row in zip(*found.values())]
