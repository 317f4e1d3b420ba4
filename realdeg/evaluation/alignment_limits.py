"""Judge whether pairs are aligned as well as those of published data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from realdeg.errors import DataError
from realdeg.evaluation.alignment import PairAlignment, measure_alignment
from realdeg.utils.argument_types import NonNegative
from realdeg.utils.arguments import check_constructor
from realdeg.utils.image import to_tensor

# A value counts if it is this many times its standard error.
_CERTAIN = 3.0
# This fraction of the measured pairs must be off: one bad pair does not condemn a data set.
_SHARE = 0.5


@check_constructor
@dataclass(frozen=True)
class AlignmentLimits:
    """The tolerated misalignment; docs/alignment.md has values of published data sets.

    Args:
        shift: Median displacement in LR pixels, if LR is smaller than HR.
        shift_same_size: The same if LR lies on the HR grid, as a fraction of the scale: 0.3 is 1.2
            pixels at scale 4.
        rotation: Degrees.
        enlargement: Fraction by which LR is too large or too small.
        gain: Deviation of the ratio of brightness from 1.
    """

    shift: NonNegative = 0.5
    shift_same_size: NonNegative = 0.3
    rotation: NonNegative = 0.15
    enlargement: NonNegative = 0.004
    gain: NonNegative = 0.05

    def shift_for(self, scale: float, same_size: bool) -> float:
        """Return the largest displacement, in LR pixels, that is accepted."""
        return max(self.shift, self.shift_same_size * scale) if same_size else self.shift


@dataclass(frozen=True)
class AlignmentVerdict:
    """The result for some pairs of a data set.

    Args:
        summary: One line of medians over the pairs.
        fault: What is off, with values; empty if nothing is.
    """

    summary: str
    fault: str


def judge_alignment(
    pairs: Mapping[str, PairAlignment],
    scale: float,
    same_size: bool,
    limits: AlignmentLimits | None = None,
) -> AlignmentVerdict:
    """Judge whether pairs are aligned.

    A value is off if at least half of the pairs exceed its limit and three standard errors.

    Args:
        pairs: Measurements by the name of the pair.
        scale: HR pixels per LR pixel, or the resolution that a same-size LR lost.
        same_size: Whether LR lies on the HR grid.
        limits: The tolerances; None: the defaults of :class:`AlignmentLimits`.
    """
    limits = limits or AlignmentLimits()
    measured = {name: pair for name, pair in pairs.items() if pair.measurable}
    unrelated = [name for name, pair in pairs.items() if pair.unrelated]
    if unrelated and len(unrelated) >= _SHARE * len(pairs):
        return AlignmentVerdict(
            f"{len(unrelated)} of {len(pairs)} pairs do not match",
            f"HR and LR of {len(unrelated)} of {len(pairs)} pairs ({', '.join(unrelated)}) do not"
            " show the same thing, or lie many pixels apart",
        )
    if not measured:
        return AlignmentVerdict(
            f"cannot be measured: {len(pairs)} pairs without texture in common, or too small", ""
        )
    shifts = {name: float(pair.shift or 0.0) for name, pair in measured.items()}
    most = limits.shift_for(scale, same_size)
    parts = [f"median shift {np.median(list(shifts.values())):.2f} px"]
    off = [_share(value > most for value in shifts.values())]
    for name, unit, limit in (
        ("rotation", "rotation {:+.2f} degrees", limits.rotation),
        ("enlargement", "scale {:+.2%}", limits.enlargement),
    ):
        values = [
            (getattr(pair, name), getattr(pair, f"{name}_error"))
            for pair in measured.values()
            if getattr(pair, name) is not None
        ]
        if values:
            parts.append(unit.format(float(np.median([value for value, _ in values]))))
            off.append(_share(abs(v) > max(limit, _CERTAIN * error) for v, error in values))
    gains = [sum(pair.gain) / len(pair.gain) for pair in measured.values() if pair.gain]
    if gains:
        parts.append(f"gain {np.median(gains):.2f}")
        off.append(_share(abs(gain - 1) > limits.gain for gain in gains))
    numbers = ", ".join(parts).replace("%", " %")
    counted = f"{len(measured)} of {len(pairs)} pairs measured"
    if max(off) < _SHARE:
        return AlignmentVerdict(f"{numbers} ({counted})", "")
    worst = max(shifts, key=lambda name: shifts[name])
    return AlignmentVerdict(
        f"{numbers} ({counted})",
        f"{numbers} (medians, {counted}; most in '{worst}', {shifts[worst]:.2f} px)",
    )


def measure_pairs(
    load: Callable[[int], Mapping[str, object]],
    count: int,
    scale: float,
    same_size: bool,
    pairs: int = 4,
    side: int = 512,
) -> dict[str, PairAlignment]:
    """Measure a few pairs, spread evenly over a data set, at the centre of each image.

    Args:
        load: A data set's ``load``: reads a dict with ``key``, ``hr`` and ``lr`` (H x W x C).
            Items without ``lr`` are skipped.
        count: The number of items.
        scale: HR pixels per LR pixel, or the resolution that a same-size LR lost.
        same_size: Whether LR lies on the HR grid.
        pairs: How many to measure.
        side: Side of the measured centre, in LR pixels.

    Returns:
        Measurements by key.
    """
    found: dict[str, PairAlignment] = {}
    stride = 1 if same_size else round(scale)
    if stride != scale and not same_size:  # no part of HR lies on whole LR pixels
        return found
    for index in sorted({round(i) for i in np.linspace(0, count - 1, min(pairs, count))}):
        sample = load(int(index))
        hr, lr = sample["hr"], sample.get("lr")
        if lr is None:
            continue
        if not isinstance(hr, np.ndarray) or not isinstance(lr, np.ndarray):
            raise DataError(f"'{sample.get('key')}' is not a pair of H x W x C arrays.")
        size = [min(a, b // stride) for a, b in zip(lr.shape[:2], hr.shape[:2], strict=True)]
        cut = [min(length, side) for length in size]
        top, left = ((length - part) // 2 for length, part in zip(size, cut, strict=True))
        rows, columns = slice(top, top + cut[0]), slice(left, left + cut[1])
        wide = [slice(s.start * stride, s.stop * stride) for s in (rows, columns)]
        images = [to_tensor(hr[wide[0], wide[1]]), to_tensor(lr[rows, columns])]
        found[str(sample["key"])] = measure_alignment(images[0], images[1], scale, same_size)
    return found


def _share(flags: Iterable[bool]) -> float:
    values = list(flags)
    return sum(values) / max(len(values), 1)
