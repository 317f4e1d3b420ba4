"""Shift, rotation and scale of pairs, and regions that lie elsewhere."""

from __future__ import annotations

import math

import numpy as np

from realdeg.diagnosis.checks.common import by_name, count, finding, ranked, severity_of
from realdeg.diagnosis.facts import Examined
from realdeg.diagnosis.findings import Finding
from realdeg.diagnosis.limits import ASTRAY
from realdeg.evaluation.alignment import PairAlignment, RegionShift
from realdeg.evaluation.alignment_limits import AlignmentLimits, judge_alignment
from realdeg.utils.image import ImageFile

_LIMITS = AlignmentLimits(gain=1e9)  # brightness is another check


def check_alignment(seen: Examined) -> list[Finding]:
    """Find pairs that are shifted, turned or of another scale, or show different things."""
    pairs = _pairs(seen)
    scale, same_size = seen.set.scale, seen.set.same_size
    strange = {path: 0.0 for path, pair in pairs.items() if pair.unrelated}
    found = []
    if strange:
        found.append(
            finding(
                "different",
                severity_of(len(strange), len(pairs)),
                seen,
                f"{count(len(strange), len(pairs), 'pair')} without a common scene, or many pixels"
                " apart",
                "check that names pair the right files; `realdeg register` matches photos by"
                " content",
                tuple(strange),
            )
        )
    off = {
        path: float(pair.shift or 0)
        for path, pair in pairs.items()
        if path not in strange
        and judge_alignment({path.name: pair}, scale, same_size, _LIMITS).fault
    }
    if off:
        worst = ranked(off)
        verdict = judge_alignment(
            {path.name: pairs[path] for path in off}, scale, same_size, _LIMITS
        )
        found.append(
            finding(
                "alignment",
                severity_of(len(off), len(pairs)),
                seen,
                f"{count(len(off), len(pairs), 'pair')} misaligned:"
                f" {verdict.summary.partition(' (')[0]}; most in {worst[0].name},"
                f" {off[worst[0]]:.2f} px",
                "register them (`realdeg register`), or leave them out",
                worst,
                {str(path): _numbers(pairs[path]) for path in worst},
            )
        )
    return found


def check_regions(seen: Examined) -> list[Finding]:
    """Find pairs in which regions lie elsewhere than rotation and scale of the whole explain."""
    limit = AlignmentLimits().shift_for(seen.set.scale, seen.set.same_size)
    pairs = _pairs(seen)
    astray: dict[ImageFile, float] = {}
    for path, pair in pairs.items():
        deviations = [deviation(pair, region) for region in pair.regions]
        if pair.rotation is None or pair.unrelated:
            continue
        if float(np.mean([value > limit for value in deviations])) > ASTRAY:
            astray[path] = float(np.quantile(deviations, 0.9))
    if not astray:
        return []
    worst = ranked(astray)
    return [
        finding(
            "regions",
            severity_of(len(astray), len(pairs)),
            seen,
            f"{count(len(astray), len(pairs), 'pair')} with regions that moved on their own: up to"
            f" {astray[worst[0]]:.1f} px in {worst[0].name}",
            "this is parallax, lens distortion or movement: crop to what fits, register with a"
            " distortion model, or leave them out",
            worst,
            by_name(astray, 2),
        )
    ]


def deviation(pair: PairAlignment, region: RegionShift) -> float:
    """Return how far a region lies from where the fit of its pair puts it, in LR pixels."""
    turn = math.radians(pair.rotation or 0.0)
    grow = pair.enlargement or 0.0
    row, column = (
        place - (side - 1) / 2
        for place, side in zip((region.row, region.column), pair.size, strict=True)
    )
    down = (pair.down or 0.0) + grow * row + turn * column
    right = (pair.right or 0.0) + grow * column - turn * row
    return math.hypot(region.down - down, region.right - right)


def _pairs(seen: Examined) -> dict[ImageFile, PairAlignment]:
    return {
        item.record.lr or item.record.hr: item.alignment
        for item in seen.items
        if item.alignment is not None
    }


def _numbers(pair: PairAlignment) -> dict[str, float]:
    names = ("shift", "down", "right", "rotation", "enlargement")
    return {
        name: round(float(value), 4) for name in names if (value := getattr(pair, name)) is not None
    }
