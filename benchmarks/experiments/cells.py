"""How the tables of the experiments print a value."""

from __future__ import annotations

from realdeg.evaluation.report import MeanSpread, mean_and_spread


def digits(name: str) -> int:
    """Return how many decimals a value is printed with."""
    return 2 if name.startswith("psnr") else 4


def spread(values: list[float], places: int) -> str:
    """Return the mean of seeds, with the standard deviation if there are several."""
    text = MeanSpread.text(mean_and_spread(values), places)
    return f"{values[0]:.{places}f}" if len(values) == 1 else text
