"""Brightness and colour of LR against HR."""

from __future__ import annotations

import numpy as np

from realdeg.diagnosis.checks.common import by_name, count, finding, ranked, severity_of
from realdeg.diagnosis.facts import Examined
from realdeg.diagnosis.findings import Finding
from realdeg.diagnosis.limits import CAST, GAIN
from realdeg.utils.image import ImageFile


def check_gain(seen: Examined) -> list[Finding]:
    """Find pairs of different brightness."""
    gains = {path: float(np.mean(gain)) for path, gain in _gains(seen).items()}
    off = {path: gain for path, gain in gains.items() if abs(gain - 1) > GAIN}
    if not off:
        return []
    worst = ranked({path: abs(gain - 1) for path, gain in off.items()})
    low, high = min(gains.values()), max(gains.values())
    return [
        finding(
            "gain",
            severity_of(len(off), len(gains)),
            seen,
            f"{count(len(off), len(gains), 'pair')} whose LR is brighter or darker than HR: gain"
            f" {off[worst[0]]:.2f} in {worst[0].name}; {low:.2f} to {high:.2f} over the set",
            "match the exposure (`realdeg register` does), or leave them out",
            worst,
            by_name(off),
        )
    ]


def check_cast(seen: Examined) -> list[Finding]:
    """Find pairs of different colour."""
    gains = _gains(seen)
    casts = {path: gain / gain.mean() for path, gain in gains.items() if len(gain) == 3}
    off = {
        path: float(np.abs(cast - 1).max())
        for path, cast in casts.items()
        if np.abs(cast - 1).max() > CAST
    }
    if not off:
        return []
    worst = ranked(off)
    numbers = " ".join(f"{value:.2f}" for value in casts[worst[0]])
    return [
        finding(
            "colour",
            severity_of(len(off), len(casts)),
            seen,
            f"{count(len(off), len(casts), 'pair')} whose LR has another colour than HR: R G B"
            f" {numbers} of the mean in {worst[0].name}",
            "use one white balance for both sides, or match colours (`realdeg register` does)",
            worst,
            {str(path): [round(float(v), 3) for v in casts[path]] for path in worst},
        )
    ]


def _gains(seen: Examined) -> dict[ImageFile, np.ndarray]:
    return {
        item.record.lr or item.record.hr: np.array(item.alignment.gain)
        for item in seen.items
        if item.alignment is not None and item.alignment.gain and not item.alignment.unrelated
    }
