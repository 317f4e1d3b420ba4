"""One pair of photos after the other: locate, register, cut, write, draw."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from realdeg.apis.registration_file import RegisteredPair, RegisteredPairs
from realdeg.errors import DataError, GeometryError, as_given
from realdeg.evaluation.alignment import PairAlignment, measure_alignment
from realdeg.registration.coarse import (
    TELE_SIDE,
    WIDE_SIDE,
    CoarseMatch,
    Features,
    find_features,
    match_features,
    seek,
)
from realdeg.registration.cutting import SAME_RATIO, Cut, CutPair, cut_pair
from realdeg.registration.pair import Registration, register_pair
from realdeg.registration.photos import Photo, Shot, in_levels, luma_of_levels, read_photo
from realdeg.registration.transform import Transform
from realdeg.registration.warp import grid, prepare, sample
from realdeg.utils.files import atomic_path, sha256_file
from realdeg.utils.image import as_rgb, read_image, to_tensor, write_image
from realdeg.version import __version__
from realdeg.visualization.registration import RegistrationRow, registration_picture
from realdeg.visualization.sheets import busiest_crop

PICTURE_NAME = "registration.png"
_SIDES = ("HR", "LR")
_MOST_ROWS = 6
# Sides of the pictures' crops in LR pixels.
_CROP = 128


@dataclass
class PairPlan:
    """A pair that is being registered.

    Args:
        name: The name of its files.
        wide: One photo.
        tele: The other.
        coarse: Where one lies in the other.
        ratio: Pixels of the tele photo per pixel of the wide photo.
        key: A hash of the files and the options.
        kept: Whether an earlier run finished it.
        reason: Why it is rejected.
    """

    name: str
    wide: Shot
    tele: Shot
    coarse: CoarseMatch | None = None
    ratio: float | None = None
    key: str = ""
    kept: bool = False
    reason: str = ""


@dataclass(frozen=True)
class MadePair:
    """The pixels and measurements of a pair, before anything is written."""

    pair: CutPair
    values: dict[str, Any]
    icc: bytes | None


class PairMaker:
    """Makes the pairs of a folder.

    Args:
        folder: Where they are written.
        options: What they depend on, as plain data.
        earlier: What an earlier run made, or None.
        overwrite: Make every pair again.
    """

    def __init__(
        self,
        folder: Path,
        options: Mapping[str, Any],
        earlier: RegisteredPairs | None,
        overwrite: bool,
    ) -> None:
        self.folder, self.options, self.overwrite = folder, options, overwrite
        self.earlier = {} if earlier is None else dict(earlier.pairs)
        self._features: dict[Path, Features] = {}
        self._photos: dict[str, tuple[Shot, Shot]] = {}

    def features(self, shot: Shot, side: str) -> Features:
        """Return the features of a photo; none if it cannot be read."""
        if shot.path not in self._features:
            longest = WIDE_SIDE if side == "wide" else TELE_SIDE
            try:
                luma = luma_of_levels(self._read(shot).pixels)
                self._features[shot.path] = find_features(luma, longest)
            except DataError:
                self._features[shot.path] = Features(np.zeros((0, 2)), None)
        return self._features[shot.path]

    def locate(self, plan: PairPlan) -> None:
        """Find where one photo lies in the other, or that an earlier run did, or a reason."""
        self._photos[plan.name] = (plan.wide, plan.tele)
        try:
            plan.key = self._key(plan)
            old = self.earlier.get(plan.name)
            if old is not None and not self.overwrite and self._is_done(old, plan.key):
                plan.kept, plan.reason = True, old.reason
                plan.ratio = old.values.get("ratio")
                return
            wide, tele = (self._read(shot) for shot in (plan.wide, plan.tele))
        except DataError as error:
            plan.reason = str(error).rstrip(".")
            return
        lumas = [luma_of_levels(photo.pixels) for photo in (wide, tele)]
        sides = zip((plan.wide, plan.tele), lumas, (WIDE_SIDE, TELE_SIDE), strict=True)
        for shot, luma, longest in sides:
            if shot.path not in self._features:
                self._features[shot.path] = find_features(luma, longest)
        plan.coarse = match_features(
            *(self._features.pop(shot.path) for shot in (plan.wide, plan.tele))
        )
        if plan.coarse is None:
            plan.coarse = seek(lumas[0], lumas[1], _ratio_by_focal(plan, lumas))
        if plan.coarse is None:
            plan.reason = (
                f"{plan.wide.path.name} and {plan.tele.path.name} do not overlap: no features agree"
                " and nothing correlates"
            )
        else:
            plan.ratio = plan.coarse.ratio

    def make(self, plan: PairPlan, same_size: bool, scale: float) -> MadePair | None:
        """Register and cut a pair; None if it is rejected or was made earlier."""
        if plan.reason or plan.kept or plan.coarse is None:
            return None
        try:
            photos = [self._read(shot) for shot in (plan.wide, plan.tele)]
            if photos[0].icc != photos[1].icc:
                photos = [self._read(shot, srgb=True) for shot in (plan.wide, plan.tele)]
            lumas = [luma_of_levels(photo.pixels) for photo in photos]
            found = register_pair(lumas[0], lumas[1], plan.coarse, self.options["model"])
            pair = cut_pair(
                photos[0].pixels,
                photos[1].pixels,
                found,
                scale=int(scale),
                same_size=same_size,
                resample=self.options["resample"],
                colour=self.options["colour"],
                crop=self.options["crop"],
            )
        except (DataError, GeometryError) as error:
            plan.reason = str(error).rstrip(".")
            if plan.coarse.method == "correlation":
                names = f"{plan.wide.path.name} and {plan.tele.path.name}"
                plan.reason = f"{names} do not overlap, or too little: {plan.reason}"
            return None
        shift = measure_alignment(_luma_tensor(pair.hr), _luma_tensor(pair.lr), scale, same_size)
        values = {
            "key": plan.key,
            "wide": plan.wide.path.name,
            "tele": plan.tele.path.name,
            **_measured(plan.coarse, found, pair, shift),
            "notes": [note for photo in photos for note in photo.notes],
        }
        return MadePair(pair, values, photos[0].icc)

    def write(self, plan: PairPlan, made: MadePair | None) -> RegisteredPair:
        """Write the files of a pair, and return its record.

        Raises:
            DataError: If other files are in their place.
        """
        if plan.kept:
            return self.earlier[plan.name]
        if made is None:
            names = {"wide": plan.wide.path.name, "tele": plan.tele.path.name}
            return RegisteredPair(plan.name, plan.reason, {"key": plan.key, **names})
        old = self.earlier.get(plan.name)
        hashes = {}
        for side, pixels in (("HR", made.pair.hr), ("LR", made.pair.lr)):
            file = self.folder / side / f"{plan.name}.png"
            with atomic_path(file) as temporary:
                write_image(temporary, pixels, icc=made.icc)
                hashes[side] = sha256_file(temporary)
                if not self.overwrite:
                    _refuse_other(file, {hashes[side], *_hashes(old)})
        return RegisteredPair(plan.name, "", {**made.values, "files": hashes})

    def discard(self, plans: Sequence[PairPlan], found: RegisteredPairs) -> None:
        """Remove what earlier runs made of photos that are rejected now, or are gone.

        A folder of pairs is read by its files: those of a rejected pair would be trained on.

        Args:
            plans: All pairs of this run.
            found: The pairs so far.

        Raises:
            DataError: If other files are in their place.
        """
        gone = self.earlier.keys() - {plan.name for plan in plans} - found.pairs.keys()
        for name in sorted({*gone, *(pair.name for pair in found.rejected)}):
            for side in _SIDES:
                file = self.folder / side / f"{name}.png"
                if not self.overwrite:
                    _refuse_other(file, _hashes(self.earlier.get(name)))
                elif name in gone:
                    _refuse_other(file, _hashes(self.earlier[name]), replace=False)
                file.unlink(missing_ok=True)

    def draw(self, found: RegisteredPairs) -> None:
        """Write ``registration.png``: the pairs with the largest residual first."""

        def off(pair: RegisteredPair) -> float:
            return -float(pair.values["residual"]["median"] or 0)

        # Pairs of earlier runs whose photos are gone cannot be drawn.
        drawn = [pair for pair in found.accepted if pair.name in self._photos]
        chosen = sorted(drawn, key=off)[:_MOST_ROWS]
        rows = [self._row(pair, found) for pair in chosen]
        registration_picture(rows, self.folder / PICTURE_NAME, len(found.accepted), found.residual)

    def _row(self, pair: RegisteredPair, found: RegisteredPairs) -> RegistrationRow:
        stride = 1 if found.same_size else int(found.scale)
        hr, lr = (
            in_levels(as_rgb(read_image(self.folder / side / f"{pair.name}.png")))
            for side in _SIDES
        )
        size = (lr.shape[1], lr.shape[0])
        small = cv2.resize(hr, size, interpolation=cv2.INTER_AREA) if stride > 1 else hr
        side = min(_CROP, *lr.shape[:2])
        top, left = busiest_crop(small, side)
        window = np.s_[top : top + side, left : left + side]
        transform = Transform.from_record(pair.values["transform"])
        cut = Cut.from_record(pair.values["cut"], stride)
        at = cut.in_tele(grid((side, side), (top, left)), transform)
        wide, tele = self._photos[pair.name]
        pixels = self._read(wide).pixels
        # Both photos show the same in their middle, and the nominal ratio: what one would assume.
        middles = [(np.array(size) - 1) / 2 for size in (pixels.shape[:2], self._size(tele))]
        ratio = found.scale if not found.same_size or pair.values["ratio"] > SAME_RATIO else 1.0
        guess = (at - middles[1]) / ratio + middles[0]
        true = transform.inverse(at)
        zoom = pair.values["ratio"] / stride
        before = sample(prepare(in_levels(pixels), "bicubic"), guess)
        residual = pair.values["residual"]
        return RegistrationRow(
            pair.name,
            small[window],
            before,
            lr[window],
            float(np.median(np.hypot(*(guess - true).reshape(-1, 2).T))) * zoom,
            residual["median"],
            residual["worst"],
        )

    def _size(self, shot: Shot) -> tuple[int, int]:
        height, width = self._read(shot).pixels.shape[:2]
        return height, width

    def _read(self, shot: Shot, srgb: bool = False) -> Photo:
        return read_photo(shot.path, self.options["raw"], srgb=srgb)

    def _key(self, plan: PairPlan) -> str:
        files = []
        for shot in (plan.wide, plan.tele):
            try:
                files.append(sha256_file(shot.path))
            except OSError as error:
                raise DataError(f"cannot read {shot.path}: {error.strerror or error}.") from error
        text = json.dumps([files, dict(self.options), __version__], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _is_done(self, old: RegisteredPair, key: str) -> bool:
        if old.values.get("key") != key:
            return False
        if old.rejected:
            return True
        for side in _SIDES:
            file = self.folder / side / f"{old.name}.png"
            digest = old.values["files"][side]
            if file.is_symlink() or not file.is_file() or sha256_file(file) != digest:
                return False
        return True


def _hashes(old: RegisteredPair | None) -> tuple[str, ...]:
    """Return the hashes of the files that an earlier run made."""
    return () if old is None or old.rejected else tuple(old.values["files"].values())


def _refuse_other(file: Path, made: Collection[str], *, replace: bool = True) -> None:
    """Refuse a file that is in the way and has none of the hashes."""
    if os.path.lexists(file) and (file.is_symlink() or sha256_file(file) not in made):
        other = f", or replace it with {as_given(overwrite=True)}" if replace else ""
        raise DataError(
            f"{file} is already there and was not made by this run: move it away{other}."
        )


def _ratio_by_focal(plan: PairPlan, lumas: list[np.ndarray]) -> float | None:
    """Return the ratio that the focal lengths of one camera say, or None."""
    first, second = plan.wide, plan.tele
    if first.focal is None or second.focal is None or first.camera != second.camera:
        return None
    return second.focal / first.focal * max(lumas[1].shape) / max(lumas[0].shape)


def _luma_tensor(pixels: np.ndarray) -> Any:
    luma = luma_of_levels(pixels) / np.float32(255)
    return to_tensor(luma[..., None])


def _measured(
    coarse: CoarseMatch, found: Registration, pair: CutPair, shift: PairAlignment
) -> dict[str, Any]:
    distances = [region.distance for region in shift.regions]
    return {
        "size": list(pair.lr.shape[:2]),
        "ratio": found.ratio,
        "rotation": found.rotation,
        "start": coarse.method,
        "model": found.model,
        "transform": found.transform.record(),
        "cut": pair.cut.record(),
        "residual": {
            "median": shift.shift,
            "worst": max(distances, default=None),
            "rotation": shift.rotation,
            "enlargement": shift.enlargement,
            "regions": [
                {
                    name: round(float(getattr(region, name)), 4)
                    for name in ("row", "column", "down", "right", "agreement")
                }
                for region in shift.regions
            ],
        },
        "fit": {
            "median": found.residual,
            "worst": found.worst,
            "regions": found.regions,
            "textured": found.textured,
        },
        "correlation": found.correlation,
        "gain": list(pair.transfer.gain),
        "colour": {
            "matrix": pair.transfer.matrix.tolist(),
            "offset": pair.transfer.offset.tolist(),
        },
        "sharpness": found.sharpness,
        "blur": found.blur,
        "share": pair.share,
    }
