"""Writes stream.json beside this script: where the detectors of river fire, for those of `drift::stream` to fire, too.

    python stream.py

Made with river 0.26.1, scipy 1.17.1 and Python 3.11. The streams are made by the formulas of `made`, which stream.rs has
too: they are of whole numbers and the four operations, so that both make the same bits.
"""

import json
import math
from pathlib import Path

import river
import scipy
from river import drift

HERE = Path(__file__).parent
MASK = (1 << 64) - 1
# So often the state is written down, and where something is found.
EVERY = 211

# Each a list of segments: how many values, how they are made, from which mean (or rate) to which, how far apart.
BELL, BITS = "bell", "bits"
STREAMS = {
    "none": [(3000, BELL, 0.0, 0.0, 1.0)],
    "abrupt": [(1000, BELL, 0.0, 0.0, 1.0), (1000, BELL, 3.0, 3.0, 1.0), (700, BELL, -1.0, -1.0, 2.0)],
    "gradual": [(800, BELL, 0.2, 0.2, 0.1), (1500, BELL, 0.2, 0.8, 0.1), (500, BELL, 0.8, 0.8, 0.1)],
    "small": [(2000, BELL, 0.0, 0.0, 1.0), (2000, BELL, 0.3, 0.3, 1.0)],
    "wider": [(1000, BELL, 0.0, 0.0, 1.0), (1000, BELL, 0.0, 0.0, 4.0)],
    "constant": [(1500, BELL, 0.7, 0.7, 0.0)],
    "step": [(500, BELL, 1.0, 1.0, 0.0), (500, BELL, 2.0, 2.0, 0.0)],
    "huge": [(600, BELL, 1e12, 1e12, 1e9), (600, BELL, 4e12, 4e12, 1e9)],
    "too_huge": [(300, BELL, 1e160, 1e160, 1e158), (300, BELL, -1e160, -1e160, 1e158)],
    "tiny": [(600, BELL, 1e-9, 1e-9, 1e-10), (600, BELL, 3e-9, 3e-9, 1e-10)],
    "right": [(3000, BITS, 0.1, 0.1, 1.0)],
    "errors": [(1000, BITS, 0.1, 0.1, 1.0), (1000, BITS, 0.3, 0.3, 1.0), (1000, BITS, 0.05, 0.05, 1.0)],
    "more_errors": [(1000, BITS, 0.05, 0.05, 1.0), (2000, BITS, 0.05, 0.5, 1.0)],
    "never_wrong": [(500, BITS, 0.0, 0.0, 1.0)],
    "always_wrong": [(300, BITS, 0.0, 0.0, 1.0), (300, BITS, 1.0, 1.0, 1.0)],
}
DETECTORS = [
    ("adwin", {}),
    ("adwin", {"delta": 0.1, "clock": 1, "max_buckets": 3, "min_window_length": 10, "grace_period": 50}),
    ("adwin", {"delta": 0.00001, "clock": 7, "max_buckets": 9, "min_window_length": 1, "grace_period": 0}),
    ("page_hinkley", {}),
    ("page_hinkley", {"min_instances": 10, "delta": 0.05, "threshold": 8.0, "alpha": 0.99, "mode": "up"}),
    ("page_hinkley", {"min_instances": 100, "delta": 0.0, "threshold": 20.0, "alpha": 1.0, "mode": "down"}),
    ("kswin", {"seed": 0}),
    ("kswin", {"alpha": 0.0001, "seed": 42}),
    ("kswin", {"alpha": 0.01, "window_size": 400, "stat_size": 20, "seed": 1099511627781}),
    ("ddm", {}),
    ("ddm", {"warm_start": 100, "warning_threshold": 1.5, "drift_threshold": 4.0}),
]
CLASSES = {
    "adwin": drift.ADWIN,
    "page_hinkley": drift.PageHinkley,
    "kswin": drift.KSWIN,
    "ddm": drift.binary.DDM,
}


def uniform(seed: int, at: int) -> float:
    """splitmix64 of a counter, as 53 bits of [0, 1)."""
    z = (seed * 0xBF58476D1CE4E5B9 + (at + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return ((z ^ (z >> 31)) >> 11) / (1 << 53)


def made(segments: list, seed: int) -> list:
    values = []
    for rows, how, start, end, scale in segments:
        for row in range(rows):
            at = len(values)
            mean = start + (end - start) * (row / rows)
            if how == BITS:
                values.append(1.0 if uniform(seed, at) < mean else 0.0)
            else:
                # One after another: `sum` adds floats in a more exact way from Python 3.12 on.
                bell = 0.0
                for i in range(12):
                    bell += uniform(seed, at * 12 + i)
                values.append((bell - 6.0) * scale + mean)
    return values


def state(name: str, detector: object) -> list:
    found = {
        "adwin": lambda: [detector.width, detector.estimation, detector.variance],
        "page_hinkley": lambda: [detector._x_mean.get()],
        "kswin": lambda: [detector.p_value],
        "ddm": lambda: [detector._p.get()],
    }[name]()
    return [value if math.isfinite(value) else None for value in found]


def runs(places: list) -> list:
    """Places in a row, as the first and how many."""
    found = []
    for place in places:
        if found and sum(found[-1]) == place:
            found[-1][1] += 1
        else:
            found.append([place, 1])
    return found


def fired(name: str, parameters: dict, values: list) -> dict:
    detector = CLASSES[name](**parameters)
    drifts, warnings, states = [], [], []
    for at, value in enumerate(values):
        detector.update(bool(value) if name == "ddm" else value)
        if detector.drift_detected:
            drifts.append(at)
        if getattr(detector, "warning_detected", False):
            warnings.append(at)
        if at % EVERY == EVERY - 1 or (drifts and drifts[-1] == at and len(drifts) <= 5):
            states.append([at, *state(name, detector)])
    return {"detector": name, "parameters": parameters, "drift": runs(drifts), "warning": runs(warnings), "state": states}


def main() -> None:
    streams = []
    for seed, (name, segments) in enumerate(STREAMS.items(), start=1):
        values = made(segments, seed)
        bits = segments[0][1] == BITS
        found = [fired(*one, values) for one in DETECTORS if bits or one[0] != "ddm"]
        print(name, [(one["detector"], sum(count for _, count in one["drift"])) for one in found])
        streams.append({"name": name, "seed": seed, "segments": segments, "found": found})
    lines = [
        json.dumps({key: stream[key] for key in ("name", "seed", "segments")})[:-1]
        + ', "found": [\n'
        + ",\n".join(json.dumps(one, separators=(",", ":")) for one in stream["found"])
        + "\n]}"
        for stream in streams
    ]
    made_with = json.dumps({"river": river.__version__, "scipy": scipy.__version__})
    path = HERE / "stream.json"
    path.write_text(f'{{"made_with": {made_with}, "streams": [\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
