"""JPEG compression, of the files and before."""

from __future__ import annotations

import numpy as np

from realdeg.diagnosis.checks.common import by_name, count, finding, ranked
from realdeg.diagnosis.facts import Examined
from realdeg.diagnosis.findings import Finding, Severity
from realdeg.diagnosis.limits import VISIBLE_QUALITY
from realdeg.utils.image import ImageFile


def check_compression(seen: Examined) -> list[Finding]:
    """Find JPEG files, and lossless files that were JPEGs; in LR this belongs to the camera."""
    found = []
    for side in ("hr", "lr"):
        paths = [getattr(record, side) for record in seen.set.records]
        stated = {
            path: float(quality)
            for path in paths
            if path is not None and (quality := seen.files[path].quality) is not None
        }
        before = {p: float(f.history.quality) for p, f in seen.side(side) if f.history}
        total = sum(path is not None for path in paths)
        examined = sum(1 for _ in seen.side(side))
        name = f"{side.upper()} image"
        if stated:
            what = f"{count(len(stated), total, name)} as JPEG files"
            found += _findings(seen, side, stated, total, what)
        if before:
            what = f"{count(len(before), examined, name)} were JPEGs before"
            found += _findings(seen, side, before, examined, what)
    return found


def _findings(
    seen: Examined, side: str, qualities: dict[ImageFile, float], total: int, what: str
) -> list[Finding]:
    worst = ranked(qualities, "smallest")
    least, typical = qualities[worst[0]], float(np.median(list(qualities.values())))
    rough = {path: value for path, value in qualities.items() if value < VISIBLE_QUALITY}
    severity: Severity = "note"
    if side == "hr" and rough:
        severity = "warning"
    advice = "no need to act: the compression belongs to what the camera does"
    if side == "hr":
        advice = "networks learn to draw what is left of the blocks: use files of higher quality"
        if not rough:
            advice = "good enough for most uses; reduce the images by 2 to remove what is left"
    range_ = f"quality {least:.0f} in {worst[0].name}"
    middle = "" if least == typical else f", {typical:.0f} in the median"
    return [
        finding(
            "jpeg",
            severity,
            seen,
            f"{what}, {range_}{middle}"
            + (f"; {len(rough)} below {VISIBLE_QUALITY}" if rough and side == "hr" else ""),
            advice,
            worst,
            by_name(qualities, 0),
        )
    ]
