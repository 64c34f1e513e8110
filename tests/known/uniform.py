"""Numbers that both languages draw alike, so that rows need not be stored: peers.rs has the same."""

import numpy as np


def uniform(seed: int, count: int) -> np.ndarray:
    """splitmix64 of a counter, as 53 bits of [0, 1)."""
    with np.errstate(over="ignore"):
        counter = np.arange(1, count + 1, dtype="uint64") * np.uint64(0x9E3779B97F4A7C15)
        z = np.uint64(seed) * np.uint64(0xBF58476D1CE4E5B9) + counter
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype("float64") / 9007199254740992.0
