"""Detail: enlarged HR, blurred frames, HR and LR the wrong way round."""

from __future__ import annotations

import numpy as np

from realdeg.diagnosis.checks.common import by_name, count, finding, ranked, severity_of
from realdeg.diagnosis.facts import Examined
from realdeg.diagnosis.findings import Finding
from realdeg.diagnosis.limits import (
    BLURRED_DB,
    BLURRED_DEVIATIONS,
    BLURRED_IMAGES,
    OF_THE_SET,
    SWAPPED_BAND,
    SWAPPED_DB,
)
from realdeg.diagnosis.spectrum import Detail
from realdeg.utils.image import ImageFile


def check_enlarged(seen: Examined) -> list[Finding]:
    """Find HR images without anything in their highest frequencies."""
    details = _details(seen, "hr")
    soft = _soft(seen, "hr")
    empty = {
        path: detail
        for path, detail in details.items()
        # A frame out of focus is another finding; interpolation leaves its period.
        if detail.factor is not None and (detail.periodic or path not in soft)
    }
    if not empty:
        return []
    factors = {path: float(detail.factor or 1) for path, detail in empty.items()}
    worst = ranked(factors)
    first = empty[worst[0]]
    certain = sum(detail.periodic for detail in empty.values())
    traces = f"; interpolation left its period in {certain}" if certain else ""
    return [
        finding(
            "enlarged",
            severity_of(len(empty), len(details)),
            seen,
            f"{count(len(empty), len(details), 'HR image')} without detail in the highest"
            f" frequencies: nothing above {first.cutoff:.2f} of Nyquist in {worst[0].name}, as"
            f" after an enlargement by {factors[worst[0]]:.2g}{traces}",
            "use the originals, or reduce these images by the factor; strong denoising looks the"
            " same",
            worst,
            by_name(factors, 2),
        )
    ]


def check_blurred(seen: Examined) -> list[Finding]:
    """Find images that are much less sharp than the others of their side."""
    found = []
    for side in ("hr", "lr"):
        details = _details(seen, side)
        soft = {
            path: below
            for path, below in _soft(seen, side).items()
            if side == "lr" or not details[path].periodic
        }
        if not soft:
            continue
        worst = ranked(soft)
        found.append(
            finding(
                "blurred",
                "warning",
                seen,
                f"{count(len(soft), len(details), f'{side.upper()} image')} much blurrier than the"
                f" others: fine detail of {worst[0].name} is {soft[worst[0]]:.0f} dB below the"
                " median",
                "look at them: out of focus or shaken frames do not belong to the camera's blur",
                worst,
                by_name(soft, 1),
            )
        )
    return found


def _details(seen: Examined, side: str) -> dict[ImageFile, Detail]:
    return {path: facts.detail for path, facts in seen.side(side) if facts.detail}


def _soft(seen: Examined, side: str) -> dict[ImageFile, float]:
    """Return how many dB the sharpness of outliers is below the median."""
    own: dict[ImageFile, float] = {}
    against: dict[ImageFile, float] = {}
    for item in seen.items:
        facts = {name: getattr(item, name) for name in ("hr", "lr")}
        details = {name: one.detail for name, one in facts.items() if one and one.detail}
        path = getattr(item.record, side)
        if path is None or side not in details:
            continue
        own[path] = details[side].sharpness
        if len(details) == 2:
            against[path] = 2 * own[path] - sum(one.sharpness for one in details.values())
    below = _below(own)
    relative = _below(against)
    return {path: value for path, value in below.items() if path not in against or path in relative}


def _below(sharpness: dict[ImageFile, float]) -> dict[ImageFile, float]:
    """Return how far values are below the median, of those that are outliers."""
    if len(sharpness) < BLURRED_IMAGES:
        return {}
    values = np.array(list(sharpness.values()))
    typical = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - typical)))
    limit = max(BLURRED_DB, BLURRED_DEVIATIONS * spread)
    return {p: typical - value for p, value in sharpness.items() if typical - value > limit}


def check_swapped(seen: Examined) -> list[Finding]:
    """Find pairs on one grid whose LR has more detail than HR."""
    if not seen.set.same_size or seen.set.scale == 1:
        return []
    # What LR of this scale has lost most of, and noise does not reach.
    band = (SWAPPED_BAND[0] / seen.set.scale, min(SWAPPED_BAND[1] / seen.set.scale, 0.45))
    excess = {}
    for item in seen.items:
        if item.hr and item.lr and item.hr.detail and item.lr.detail:
            path = item.record.lr or item.record.hr
            excess[path] = item.lr.detail.power(*band) - item.hr.detail.power(*band)
    wrong = {path: value for path, value in excess.items() if value > SWAPPED_DB}
    if not wrong:
        return []
    worst = ranked(wrong)
    whole = len(wrong) >= OF_THE_SET * len(excess)
    return [
        finding(
            "swapped",
            "error",
            seen,
            f"{count(len(wrong), len(excess), 'pair')} whose LR has more detail than HR:"
            f" {wrong[worst[0]]:.1f} dB more in {worst[0].name}",
            "exchange the HR and the LR folder" if whole else "exchange HR and LR of these pairs",
            worst,
            by_name(wrong, 1),
        )
    ]
