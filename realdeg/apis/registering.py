"""Make aligned pairs from photos at two focal lengths."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from realdeg.apis.registration_file import (
    REGISTRATION_NAME,
    RegisteredPairs,
    read_registration,
    write_registration,
)
from realdeg.apis.registration_pairs import PICTURE_NAME, PairMaker, PairPlan
from realdeg.errors import ConfigError, DataError, OutputError, as_given, nearest
from realdeg.registration.colour import Colour
from realdeg.registration.cutting import SAME_RATIO, Resampled, choose_moved
from realdeg.registration.matching import Matching, match_shots
from realdeg.registration.photos import RawDevelopment, check_raw, list_photos, read_shot
from realdeg.registration.transform import Model
from realdeg.utils.files import remove_left_overs
from realdeg.utils.locks import exclusive
from realdeg.utils.progress import progress_bar

PairGeometry: TypeAlias = Literal["auto", "same-size", "scaled"]
"""LR on the HR grid, or smaller by the scale."""

Photos: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

_CHOICES: dict[str, tuple[str, ...]] = {
    "geometry": get_args(PairGeometry),
    "match": get_args(Matching),
    "model": ("auto", *get_args(Model)),
    "colour": get_args(Colour),
    "resample": get_args(Resampled),
    "raw": get_args(RawDevelopment),
}
_LARGEST_SCALE = 4
# Below this ratio no scale of 2 is possible.
_LEAST_RATIO = 1.6
# Focal lengths of one zoom setting differ by less than this from photo to photo.
_SAME_FOCAL = 0.02


def register_photos(
    wide: Photos,
    tele: Photos,
    out: str | os.PathLike[str],
    *,
    geometry: PairGeometry = "auto",
    scale: float | Literal["auto"] = "auto",
    match: Matching = "auto",
    model: Model | Literal["auto"] = "auto",
    colour: Colour = "match",
    resample: Resampled = "auto",
    crop: float = 1.0,
    raw: RawDevelopment = "developed",
    overwrite: bool = False,
    progress: bool = True,
) -> RegisteredPairs:
    """Register photos of the same scenes, as ``realdeg register`` does.

    The folder receives ``HR/NAME.png`` and ``LR/NAME.png``, as
    :class:`~realdeg.datasets.PairedFolderDataset` reads them, ``registration.json`` with what was
    measured of every pair, and ``registration.png``. Pairs that cannot be used are rejected with a
    reason. The same call continues an interrupted run and gives the same bytes.

    Each photo is resampled at most once, from its own pixels. Where LR is smaller than HR, it is a
    part of the wide photo and HR is moved onto its grid (LR pixel i lies at HR coordinate
    ``s i + (s - 1) / 2``); where it lies on the HR grid, LR is enlarged and moved.

    Args:
        wide: Folder, file or files of the photos that become LR: short focal length, or the camera
            that is to be learned.
        tele: The same for HR: long focal length, or the better camera.
        out: The folder to make.
        geometry: ``"scaled"``: LR = HR / scale, as RealSR V3; ``"same-size"``: LR on the HR grid,
            as RealSR V1 and V2; ``"auto"``: scaled, unless both show the scenes equally large.
        scale: A whole number from 2 to 8 (same-size: any number from 1 to 64, which is only
            recorded); ``"auto"``: the median ratio of the pairs, rounded, at most 4.
        match: How partners are found: equal names, EXIF time, features, or the first that works.
        model: The transform: ``"affine"``, ``"homography"``, ``"distortion"`` (and two numbers of
            radial distortion), or the simplest that is as good.
        colour: ``"match"``: LR gets the colours of HR by a 3 x 3 matrix and offset, fitted to
            aligned pixels; ``"statistics"``: by mean and covariance, as RealSR; ``"keep"``.
        resample: Which of the two is moved: ``"lr"`` as RealSR, ``"hr"`` to keep the pixels of LR.
        crop: The central fraction of each side that is kept of what both photos show.
        raw: How raw files are developed (needs rawpy).
        overwrite: Start again and replace existing files.
        progress: Show a progress bar on stderr.

    Returns:
        The pairs, with measurements and reasons.

    Raises:
        ConfigError: If an option is unknown, options contradict each other or ``out`` was made
            with others.
        DataError: If there are no photos, no partners, or every pair is rejected.
        OutputError: If ``out`` contains other files or cannot be written.

    Source:
        Cai et al., Toward Real-World Single Image Super-Resolution, ICCV 2019, section 3, and the
        ``Alignment`` folder of csjcai/RealSR. RealSR resamples LR twice; here it is done once, and
        the phase of regions corrects what the refinement leaves.

    Example:
        >>> import realdeg
        >>> realdeg.register_photos("28mm", "105mm", "pairs", scale=4)  # doctest: +SKIP
    """
    options: dict[str, Any] = {
        "geometry": geometry,
        "scale": scale,
        "match": match,
        "model": model,
        "colour": colour,
        "resample": resample,
        "crop": crop,
        "raw": raw,
    }
    _check(options)
    folder = Path(out)
    photos = [list_photos(side) for side in (wide, tele)]
    _check_places(photos, folder)
    check_raw([*photos[0], *photos[1]])
    earlier = _earlier(folder, options, overwrite)
    shots = [[read_shot(path) for path in side] for side in photos]
    maker = PairMaker(folder, options, earlier, overwrite)
    with progress_bar("matching photos", shown=progress):
        matched = match_shots(shots[0], shots[1], match, maker.features)
    plans = [PairPlan(name, *pair) for name, pair in matched.pairs.items()]
    _check_files(folder, {*(plan.name for plan in plans), *(earlier.pairs if earlier else ())})
    alone = tuple(shot.path.name for shot in matched.alone)
    # Nothing is written, and nothing locked, before the first pair is known to be good.
    with ExitStack() as stack, progress_bar("registering", shown=progress) as advance:
        locked = False

        def save(found: RegisteredPairs) -> None:
            maker.discard(plans, found)
            write_registration(found, options)

        for number, plan in enumerate(plans, start=1):
            advance(number - 1, 2 * len(plans), plan.name)
            maker.locate(plan)
        same_size, factor = _geometry(options, plans, earlier)
        for plan in plans:
            if plan.coarse is not None:
                choose_moved(plan.coarse.ratio, same_size, resample)
        pairs = {} if earlier is None or overwrite else dict(earlier.pairs)
        kept: list[str] = []
        found = RegisteredPairs(folder, factor, same_size, {}, (), alone, matched.how)
        for number, plan in enumerate(plans, start=1):
            advance(len(plans) + number - 1, 2 * len(plans), plan.name)
            made = maker.make(plan, same_size, factor)
            if made is not None and not locked:
                stack.enter_context(exclusive(folder))
                remove_left_overs(folder, below=True)
                locked = True
            pairs[plan.name] = maker.write(plan, made)
            if plan.kept:
                kept.append(plan.name)
            found = RegisteredPairs(
                folder, factor, same_size, dict(pairs), tuple(kept), alone, matched.how
            )
            if made is not None:
                save(found)
        advance(2 * len(plans), 2 * len(plans))
        if not found.accepted:
            raise DataError(_nothing(found))
        if len(kept) < len(plans) or not (folder / PICTURE_NAME).exists():
            if not locked:
                stack.enter_context(exclusive(folder))
            save(found)
            maker.draw(found)
    return found


def _check(options: Mapping[str, Any]) -> None:
    for name, known in _CHOICES.items():
        if options[name] not in known:
            hint = nearest(str(options[name]), known)
            raise ConfigError(f"{name} is {options[name]!r}, not one of {', '.join(known)}.{hint}")
    if not 0 < options["crop"] <= 1:
        raise ConfigError(f"crop is a fraction above 0 and at most 1, got {options['crop']}.")
    scale, geometry = options["scale"], options["geometry"]
    if scale == "auto":
        return
    if isinstance(scale, str) or not 1 <= scale <= 64:
        raise ConfigError(f"scale is 'auto' or a number from 1 to 64, got {scale!r}.")
    if geometry != "same-size" and scale not in range(2, 9):
        raise ConfigError(
            f"a scale of {scale:g} makes no LR smaller than HR: give a whole number from 2 to 8, or"
            f" {as_given(geometry='same-size')}."
        )


def _check_places(photos: Sequence[Sequence[Path]], folder: Path) -> None:
    real = [{path.resolve() for path in side} for side in photos]
    both = real[0] & real[1]
    if both:
        raise DataError(
            f"{sorted(both)[0]} is given as wide and as tele photo: put the photos of the two focal"
            " lengths into two folders."
        )
    out = folder.resolve()
    if any(
        path.parent == out or out / side in path.parents
        for side in ("HR", "LR")
        for path in (*real[0], *real[1])
    ):
        raise DataError(
            f"the photos are inside {folder}, where the pairs would be written: choose another"
            " folder."
        )


def _earlier(folder: Path, options: Mapping[str, Any], overwrite: bool) -> RegisteredPairs | None:
    if not (folder / REGISTRATION_NAME).exists():
        return None
    try:
        found, before = read_registration(folder)
    except DataError:
        if overwrite:
            return None
        raise
    changed = [name for name, value in options.items() if before.get(name) != value]
    if changed and not overwrite:
        raise ConfigError(
            f"{folder} was made with {changed[0]} {before.get(changed[0])!r}, not"
            f" {options[changed[0]]!r}: choose another folder, or start again with"
            f" {as_given(overwrite=True)}."
        )
    return found


def _check_files(folder: Path, names: set[str]) -> None:
    """Refuse files that would be taken for pairs of these photos."""
    for side in ("HR", "LR"):
        place = folder / side
        if not place.is_dir():
            continue
        for file in sorted(place.iterdir()):
            if not file.name.startswith(".") and file.stem not in names:
                raise OutputError(
                    f"{file} is not of these photos and would mix with the pairs: move it away, or"
                    " choose another folder."
                )


def _geometry(
    options: Mapping[str, Any], plans: Sequence[PairPlan], earlier: RegisteredPairs | None
) -> tuple[bool, float]:
    """Return whether LR lies on the HR grid, and the scale."""
    ratios = [plan.ratio for plan in plans if plan.ratio is not None]
    if earlier is not None and any(plan.kept for plan in plans):
        return earlier.same_size, earlier.scale
    ratio = float(np.median(ratios)) if ratios else 1.0
    geometry, scale = options["geometry"], options["scale"]
    if geometry == "auto":
        same = ratio < _LEAST_RATIO and scale == "auto"
        # Two cameras may differ without a zoom; one camera at one focal length does not.
        geometry = "same-size" if same and not all(map(_same_lens, plans)) else "scaled"
    if ratios and ratio < 1 / SAME_RATIO:
        raise DataError(
            f"the wide photos show the scenes {1 / ratio:.2f} times larger than the tele photos:"
            " swap the two."
        )
    if geometry == "same-size":
        return True, float(max(1, round(ratio))) if scale == "auto" else float(scale)
    if ratios and ratio < SAME_RATIO:
        raise DataError(
            f"both sides show the scenes equally large (median ratio {ratio:.2f}), as photos of"
            " equal focal lengths do: take the tele photos at a longer one, or choose"
            f" {as_given(geometry='same-size')}."
        )
    if scale != "auto":
        return False, float(scale)
    return False, float(min(max(round(ratio), 2), _LARGEST_SCALE))


def _same_lens(plan: PairPlan) -> bool:
    """Whether EXIF says that one camera took both photos at one focal length."""
    wide, tele = plan.wide, plan.tele
    if wide.focal is None or tele.focal is None or wide.camera != tele.camera:
        return False
    return abs(tele.focal / wide.focal - 1) < _SAME_FOCAL


def _nothing(found: RegisteredPairs) -> str:
    rejected = [pair.describe() for pair in found.rejected]
    more = f"; and {len(rejected) - 3} more" if len(rejected) > 3 else ""
    return f"no pair can be used: {'; '.join(rejected[:3])}{more}."
