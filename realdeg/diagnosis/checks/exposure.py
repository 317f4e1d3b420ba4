"""Over- and underexposed frames."""

from __future__ import annotations

from realdeg.diagnosis.checks.common import by_name, count, finding, ranked
from realdeg.diagnosis.facts import Examined
from realdeg.diagnosis.findings import Finding
from realdeg.diagnosis.limits import CLIPPED


def check_exposure(seen: Examined) -> list[Finding]:
    """Find images of which a large part is black or white."""
    found = []
    for side in ("hr", "lr"):
        facts = dict(seen.side(side))
        for name, word in (("white", "overexposed"), ("black", "underexposed")):
            shares = {path: float(getattr(one, name)) for path, one in facts.items()}
            clipped = {path: share for path, share in shares.items() if share > CLIPPED}
            if not clipped:
                continue
            worst = ranked(clipped)
            found.append(
                finding(
                    "exposure",
                    "warning",
                    seen,
                    f"{count(len(clipped), len(facts), f'{side.upper()} image')} {word}:"
                    f" {clipped[worst[0]]:.0%} of {worst[0].name} is pure {name}",
                    "nothing can be learned there: crop or remove them, unless the scene is so",
                    worst,
                    by_name(clipped),
                )
            )
    return found
