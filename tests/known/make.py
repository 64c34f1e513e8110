"""Writes values.json beside this script: values of scipy, statsmodels and scikit-learn that the crate's own are held against.

    python make.py

Reads nothing but the four Parquet files of `tests/known/data`; needs numpy, pandas, pyarrow, scipy 1.17.1, statsmodels 0.15.0,
scikit-learn and mpmath. Nothing is drawn at random; it takes some minutes. An entry for which scipy gave a warning has a key
"warning" and is printed: leave such ones out.

Where scipy's own value has too few digits, mpmath computes scipy's formula with enough of them; "by" then says so: the limit
of Cramér and von Mises, which scipy takes from 1 and cuts off; Fisher's test of larger tables; the statistic of the G-test.
"""

import json
import math
import warnings
from pathlib import Path

import mpmath
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import scipy
import sklearn
import statsmodels
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn import metrics
from statsmodels.stats.proportion import proportions_ztest

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
PARTS = 9
ZERO_SHARE = 1e-4


def load(name: str) -> pd.DataFrame:
    frame = pq.read_table(DATA / f"{name}.parquet").to_pandas()
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
    """Distances of two histograms over the same bins."""
    r, c = reference / reference.sum(), current / current.sum()
    js = jensenshannon(r, c, base=2)
    shares = {
        # The same as sqrt(1 - sum(sqrt(r c))), which loses half its digits where the two are close.
        "hellinger": float(np.sqrt(np.sum((np.sqrt(r) - np.sqrt(c)) ** 2) / 2)),
        "tvd": float(np.abs(r - c).sum() / 2),
        "l_infinity": float(np.abs(r - c).max()),
    }
    r, c = np.where(r == 0, ZERO_SHARE, r), np.where(c == 0, ZERO_SHARE, c)
    psi = float(np.sum((r - c) * np.log(r / c)))
    return {"psi": psi, "jensen_shannon": float(js), "kl": float(np.sum(r * np.log(r / c)))} | shares


def entry_of(result) -> dict | None:
    """A statistic and its p-value; what is not finite is undefined for us."""
    statistic, p = float(result[0]), float(result[1])
    if math.isnan(p):
        return None
    return {"statistic": statistic if math.isfinite(statistic) else None, "p_value": p}


def cramer_limit(x) -> float:
    """P(W >= x) of the limit of Cramér and von Mises: 1 - `_cdf_cvm_inf(x)` with as many digits as it takes."""
    if x < 0.003 or x > 152:
        return 1.0 if x < 1 else 0.0
    with mpmath.workdps(int(2.2 * x) + 40):
        x, total, k = mpmath.mpf(x), mpmath.mpf(0), 0
        while True:
            y = 4 * k + 1
            q = mpmath.mpf(y * y) / (16 * x)
            u = mpmath.gamma(k + mpmath.mpf(1) / 2) / mpmath.factorial(k) / (mpmath.pi ** 1.5 * mpmath.sqrt(x))
            term = u * mpmath.sqrt(y) * mpmath.exp(-q) * mpmath.besselk(0.25, q)
            total += term
            k += 1
            if abs(term) < mpmath.mpf(10) ** (-mpmath.mp.dps):
                return float(1 - total)


def cramer_von_mises(r: np.ndarray, c: np.ndarray) -> dict | None:
    """scipy's; but of large samples the difference in T, and the tail beyond 1e-8, with all digits."""
    if min(len(r), len(c)) < 2 or len(np.unique(np.concatenate([r, c]))) < 2:
        return None
    found = stats.cramervonmises_2samp(r, c)
    n, m = len(r), len(c)
    ranks = stats.rankdata(np.concatenate([r, c])) * 2
    # Twice the ranks are whole: with Python's integers nothing is rounded.
    rank = lambda half, size: sum((int(h) - 2 * i) ** 2 for h, i in zip(half, range(1, size + 1)))
    four_u = n * rank(np.sort(ranks[:n]), n) + m * rank(np.sort(ranks[n:]), m)
    t = (3 * four_u - 2 * n * m * (4 * n * m - 1)) / (12 * n * m * (n + m))
    assert abs(t - found.statistic) <= 1e-6 * abs(t) + 1e-9, (t, found)
    entry = {"statistic": t, "p_value": float(found.pvalue)}
    if max(n, m) > 20:
        k, both = n * m, n + m
        variance = (both + 1) * (4 * k * both - 3 * (n**2 + m**2) - 2 * k) / (45 * both**2 * 4 * k)
        p = cramer_limit(1 / 6 + (t - (1 + 1 / both) / 6) / math.sqrt(45 * variance))
        # scipy leaves off with the first term of its series below 1e-7, and is that far off, or more where T is large.
        assert abs(p - found.pvalue) < 1e-5, (p, found)
        entry |= {"p_value": p, "by": "mpmath"}
    return entry


def anderson_darling(r: np.ndarray, c: np.ndarray) -> dict | None:
    if len(r) + len(c) < 4 or len(np.unique(np.concatenate([r, c]))) < 2:
        return None
    with warnings.catch_warnings():
        # It warns wherever the p-value ends at its table's ends, which is what we take over.
        warnings.filterwarnings("ignore", message="p-value (capped|floored)")
        found = stats.anderson_ksamp([r, c], variant="midrank")
    return entry_of((found.statistic, found.pvalue))


def welch(r: np.ndarray, c: np.ndarray) -> dict | None:
    if min(len(r), len(c)) < 2 or len(np.unique(r)) + len(np.unique(c)) == 2:
        return None
    found = stats.ttest_ind(r, c, equal_var=False)
    return entry_of(found)


def energy(r: np.ndarray, c: np.ndarray) -> float:
    return float(stats.energy_distance(r, c))


def ranked(r: np.ndarray, c: np.ndarray) -> dict:
    """The tests of numbers that have no bins."""
    return {
        "wasserstein_normed": float(stats.wasserstein_distance(r, c) / max(np.std(r), 0.001)),
        "energy": energy(r, c),
        "cramer_von_mises": cramer_von_mises(r, c),
        "anderson_darling": anderson_darling(r, c),
        "mann_whitney": entry_of(stats.mannwhitneyu(r, c)),
        "welch_t": welch(r, c),
    }


def fisher_p(a: int, b: int, c: int, d: int) -> tuple[float, str]:
    """scipy's; beyond small tables the sum itself, as scipy's tail has other digits than its single probabilities."""
    if a + b + c + d <= 200:
        return float(stats.fisher_exact([[a, b], [c, d]]).pvalue), "scipy"
    row, other, column = a + b, c + d, a + c
    with mpmath.workdps(40):
        log = lambda x: (
            mpmath.loggamma(row + 1) - mpmath.loggamma(x + 1) - mpmath.loggamma(row - x + 1)
            + mpmath.loggamma(other + 1) - mpmath.loggamma(column - x + 1) - mpmath.loggamma(other - column + x + 1)
            - mpmath.loggamma(row + other + 1) + mpmath.loggamma(column + 1) + mpmath.loggamma(row + other - column + 1)
        )
        here, total = log(a), mpmath.mpf(0)
        low, high = max(0, column - other), min(row, column)
        mode = min(max((column + 1) * (row + 1) // (row + other + 2), low), high)
        for step, end in ((1, high), (-1, low)):
            # The first on this side that is no likelier, by halves; then all beyond it.
            near, far = mode if step == 1 else mode - 1, end
            if not low <= near <= high or log(far) > here + mpmath.mpf(10) ** -20:
                continue
            while (far - near) * step > 1:
                middle = (near + far) // 2
                near, far = (near, middle) if log(middle) <= here + mpmath.mpf(10) ** -20 else (middle, far)
            x = near if log(near) <= here + mpmath.mpf(10) ** -20 else far
            term = mpmath.exp(log(x))
            while low <= x <= high and term > total * mpmath.mpf(10) ** -25:
                total += term
                over = (row - x) * (column - x), (x + 1) * (other - column + x + 1)
                under = x * (other - column + x), (row - x + 1) * (column - x + 1)
                up, down = over if step == 1 else under
                term = term * up / down
                x += step
        return float(min(total, 1)), "mpmath"


def two_by_two(reference: dict, current: dict) -> dict:
    """The tests of columns that have two categories in all, by how often each comes on either side."""
    names = sorted(set(reference) | set(current))
    if len(names) != 2 or not reference or not current:
        return {"z_test": None, "fisher": None}
    (a, b), (c, d) = ([side.get(name, 0) for name in reversed(names)] for side in (reference, current))
    p, by = fisher_p(a, b, c, d)
    odds = stats.fisher_exact([[a, b], [c, d]]).statistic if max(a, b, c, d) < 10**8 else a * d / (b * c)
    return {
        "z_test": entry_of(proportions_ztest([a, c], [a + b, c + d])),
        "fisher": entry_of((odds, p)) | {"by": by},
    }


def contingency(counts: np.ndarray) -> dict:
    """The tests of homogeneity. Bins that neither side has are no bins."""
    table = np.array(counts)[:, np.sum(counts, axis=0) > 0]
    chi = stats.chi2_contingency(table, correction=False)
    g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
    entry = lambda found: {"statistic": float(found.statistic), "p_value": float(found.pvalue), "df": int(found.dof)}
    found = {"chi_squared": entry(chi), "g_test": entry(g)}
    # scipy's sum of large terms of either sign loses digits where many rows hardly differ; a sum with more digits does not.
    rows, columns = [[int(sum(line)) for line in side] for side in (table, table.T)]
    with mpmath.workdps(40):
        cells = [(int(o), mpmath.mpf(r) * c / sum(rows)) for r, side in zip(rows, table) for o, c in zip(side, columns)]
        exact = float(2 * mpmath.fsum(o * mpmath.log(o / e) for o, e in cells if o > 0))
    assert abs(exact - g.statistic) <= 1e-15 * sum(rows) + 1e-9 * exact, (exact, g)
    p = float(stats.chi2.sf(exact, g.dof)) if g.dof else 1.0
    found["g_test"] |= {"statistic": exact, "p_value": p, "by": "mpmath"}
    return found


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
                **ranked(rv, cv),
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
        present = [side.dropna().value_counts().to_dict() for side in sides]
        return {
            "tests": {
                **contingency(np.array(counts)),
                **two_by_two(*({name: int(n) for name, n in side.items()} for side in present)),
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
        column("pair", numeric, "reference: 1, 2; current: 1.5, 3", [1.0, 2.0], [1.5, 3.0]),
        column("alone", numeric, "reference: 0.5, 1, 4, 9; current: 2", [0.5, 1.0, 4.0, 9.0], [2.0]),
        column(
            "few",
            numeric,
            "reference: (i*i) / 7 for i in 0..6; current: 0.4 + i / 3 for i in 0..17, null at 3",
            [i * i / 7 for i in range(6)],
            [None if i == 3 else 0.4 + i / 3 for i in range(17)],
        ),
        column(
            "twenty",
            numeric,
            "reference: (i*7) % 20 for i in 0..20; current: 3.5 + ((i*7) % 19) for i in 0..19",
            [float((i * 7) % 20) for i in range(20)],
            [3.5 + (i * 7) % 19 for i in range(19)],
        ),
        column(
            "truth",
            categorical,
            'reference: "true" where i % 3 == 0, else "false", for i in 0..90; '
            'current: "true" where i % 2 == 0, else "false", for i in 0..70, null where i % 9 == 0',
            ["true" if i % 3 == 0 else "false" for i in range(90)],
            [None if i % 9 == 0 else "true" if i % 2 == 0 else "false" for i in range(70)],
        ),
        column("other_class", categorical, 'reference: "c", 9 times; current: "d", 6 times', ["c"] * 9, ["d"] * 6),
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


def shifted() -> list:
    """Two evenly spread samples, one moved and stretched, in steps where "step" is given: how far p-values reach."""
    entries = []
    for n, m, shift, stretch, step in [
        (2, 2, 5.0, 1.0, 0),
        (3, 9, 0.2, 1.0, 0),
        (8, 300, 0.4, 1.3, 0),
        (5, 2000, 2.0, 1.0, 0),
        (8, 8, 1.0, 1.0, 0),
        (9, 9, 0.3, 0.7, 0),
        (15, 20, 0.3, 1.0, 0),
        (19, 20, 0.05, 1.0, 0),
        (20, 20, 1.5, 1.0, 0),
        (20, 21, 0.4, 1.0, 0),
        (50, 50, 0.0, 1.0, 0),
        (60, 40, 0.3, 0.5, 0.125),
        (400, 300, 0.1, 1.0, 0),
        (400, 700, 0.6, 1.0, 0.0625),
        (700, 900, 2.0, 1.0, 0),
        (2000, 1500, 0.02, 1.05, 0.015625),
        (2000, 2500, 0.6, 1.0, 0),
        (3000, 3000, 0.45, 1.0, 0.03125),
        (5000, 4000, 0.3, 1.2, 0),
        (5000, 5000, 0.26, 1.0, 0),
    ]:
        r = np.arange(n) / n + 0.5 / n
        c = (np.arange(m) / m + 0.25 / m) * stretch + shift
        if step:
            r, c = np.floor(r / step) * step, np.floor(c / step) * step
        entry = {"n": n, "m": m, "shift": shift, "stretch": stretch, "step": step}
        guarded(entry, f"shifted {entry}", lambda: {"tests": ranked(r, c)})
        entries.append(entry)
    return entries


def tables() -> list:
    """Tables of two by two; rows are the reference's and the current counts of "b", then of "a"."""
    entries = []
    for a, b, c, d in [
        (3, 1, 1, 3),
        (0, 5, 5, 0),
        (10, 0, 3, 9),
        (1, 1, 1, 1),
        (7, 12, 0, 5),
        (2, 90, 11, 60),
        (30, 70, 30, 70),
        (100, 900, 150, 850),
        (800, 200, 300, 700),
        (990, 10, 400, 600),
        (1500, 500, 300, 1700),
        (5, 99_995, 40, 99_960),
        (501_000, 499_000, 499_000, 501_000),
        (510_000, 490_000, 485_000, 515_000),
        (700_000, 300_000, 6_900, 3_100),
        (123_456_789, 87_654_321, 123_450_000, 87_654_000),
    ]:
        entry = {"rows": [[a, b], [c, d]]}

        def work():
            found = {"b": a, "a": b}, {"b": c, "a": d}
            return {"tests": contingency(np.array([[b, a], [d, c]])) | two_by_two(*found)}

        guarded(entry, f"tables {entry}", work)
        entries.append(entry)
    return entries


def student_sf() -> list:
    entries = []
    for freedom in (1, 2.5, 7, 30, 61.5, 1000, 123_456.7, 2e6):
        for p in (0.9, 0.3, 0.05, 1e-6, 1e-30, 1e-150, 1e-300):
            t = float(f"{stats.t.isf(p / 2, freedom):.6g}")
            if math.isfinite(t) and t < 1e100:
                entry = {"t": t, "df": freedom}
                entries.append(entry | {"p": float(2 * stats.t.sf(t, freedom))})
    return entries


def cramer_sf() -> list:
    return [{"x": x, "p": cramer_limit(x)} for x in (0.01, 0.03, 0.1, 0.3, 0.74346, 1.5, 4.0, 12.5, 40.0, 100.0, 139.0)]


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
        "made_with": {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__, "sklearn": sklearn.__version__, "numpy": np.__version__},
        "drift": {name: drift(*pair, f"drift.{name}") for name, pair in sets.items()},
        "drift_missing": drift_missing(),
        "ks_exact": ks_exact(),
        "kstwo_sf": kstwo_sf(),
        "shifted": shifted(),
        "tables": tables(),
        "student_sf": student_sf(),
        "cramer_sf": cramer_sf(),
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
