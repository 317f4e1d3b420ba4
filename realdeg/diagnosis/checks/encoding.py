"""Depth, colour profiles, grey among colour, and alpha."""

from __future__ import annotations

from collections import Counter

from realdeg.diagnosis.checks.common import by_name, count, finding
from realdeg.diagnosis.facts import Examined
from realdeg.diagnosis.findings import Finding
from realdeg.utils.image import ImageFile

_SRGB = "sRGB or none"


def check_depth(seen: Examined) -> list[Finding]:
    """Find 16-bit files that hold 8 bit, and depths that differ."""
    found = []
    shallow = [p for side in ("hr", "lr") for p, facts in seen.side(side) if facts.shallow]
    if shallow:
        found.append(
            finding(
                "depth",
                "warning",
                seen,
                f"{count(len(shallow), len(seen.files), 'file')} of 16 bit that hold 8 bit only:"
                f" {shallow[0].name}",
                "develop them again with 16 bit, or store 8 bit, which takes half the space",
                shallow,
            )
        )
    bits = {path: facts.header.bits for path, facts in seen.files.items() if facts.header}
    rare = _minority(bits)
    if rare:
        usual = Counter(bits.values()).most_common(1)[0][0]
        found.append(
            finding(
                "depth",
                "warning",
                seen,
                f"{count(len(rare), len(bits), 'file')} of {bits[rare[0]]} bit where the others"
                f" have {usual}: {rare[0].name}",
                "use one depth for all; rounding to 8 bit is a degradation of its own",
                rare,
                {str(path): bits[path] for path in rare},
            )
        )
    return found


def check_profiles(seen: Examined) -> list[Finding]:
    """Find colour profiles that differ, or are not sRGB; training reads pixels as they are."""
    names = {
        path: _SRGB if "srgb" in facts.profile.lower() or not facts.profile else facts.profile
        for path, facts in seen.files.items()
        if facts.header
    }
    advice = "convert all images to sRGB: training takes their numbers as they are"
    rare = _minority(names)
    if rare:
        kinds = ", ".join(f"{n} {kind}" for kind, n in Counter(names.values()).most_common())
        message = f"colour profiles are mixed: {kinds}; {rare[0].name} has {names[rare[0]]}"
        values = {str(path): names[path] for path in rare}
        return [finding("profiles", "warning", seen, message, advice, rare, values)]
    kind = next(iter(names.values()), _SRGB)
    if kind == _SRGB:
        return []
    message = f"all {len(names)} files have the colour profile {kind}"
    return [finding("profiles", "note", seen, message, advice, tuple(names)[:1])]


def check_grey(seen: Examined) -> list[Finding]:
    """Find grey images among colour ones."""
    found = []
    for side in ("hr", "lr"):
        grey = {path: facts.grey or _channels(seen, path) < 3 for path, facts in seen.side(side)}
        some = [path for path, is_grey in grey.items() if is_grey]
        if not some or len(some) == len(grey):
            continue
        found.append(
            finding(
                "grey",
                "warning",
                seen,
                f"{count(len(some), len(grey), f'{side.upper()} image')} grey among colour:"
                f" {some[0].name}",
                "remove them where colour is learned; they teach that R, G and B are equal",
                some,
            )
        )
    return found


def check_alpha(seen: Examined) -> list[Finding]:
    """Find images with transparent parts, whose alpha training leaves out."""
    clear: dict[ImageFile, float] = {}
    for side in ("hr", "lr"):
        clear |= {p: f.transparent for p, f in seen.side(side) if f.transparent}
    if not clear:
        return []
    first = max(clear, key=lambda path: clear[path])
    return [
        finding(
            "alpha",
            "warning",
            seen,
            f"{count(len(clear), len(seen.files), 'file')} with transparent parts:"
            f" {clear[first]:.0%} of {first.name}",
            "training leaves alpha out and takes the colours behind it: flatten or remove them",
            tuple(clear),
            by_name(clear),
        )
    ]


def _channels(seen: Examined, path: ImageFile) -> int:
    header = seen.files[path].header if path in seen.files else None
    return 3 if header is None else header.channels


def _minority(
    kinds: dict[ImageFile, object] | dict[ImageFile, int] | dict[ImageFile, str],
) -> list[ImageFile]:
    """Return the files that are of another kind than most; none if all are alike."""
    usual = Counter(kinds.values()).most_common(1)
    return [path for path, kind in kinds.items() if kind != usual[0][0]]
