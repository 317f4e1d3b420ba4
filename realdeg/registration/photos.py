"""Photos: pixels of ordinary and raw files, and what their EXIF data say about the camera."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from realdeg.errors import ConfigError, DataError
from realdeg.utils.image import IMAGE_SUFFIXES, Reading, as_rgb

RawDevelopment: TypeAlias = Literal["developed", "linear"]
"""Raw files become sRGB with the camera's white balance, or the same colours without a curve."""

RAW_SUFFIXES = (
    *(".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".sr2", ".raf", ".orf"),
    *(".rw2", ".pef", ".srw", ".raw", ".3fr", ".fff", ".iiq", ".x3f", ".kdc", ".dcr", ".mrw"),
)
"""The suffixes of raw files."""

_EXIF, _TIME, _FRACTION, _FOCAL, _FOCAL_35 = 0x8769, 0x9003, 0x9291, 0x920A, 0xA405
_MAKE, _MODEL = 0x010F, 0x0110


@dataclass(frozen=True)
class Photo:
    """A photo in memory.

    Args:
        pixels: H x W x 3, ``uint8`` or ``uint16``, upright.
        icc: The ICC profile of its colours; None means sRGB.
        notes: What was changed during reading.
    """

    pixels: np.ndarray
    icc: bytes | None = None
    notes: tuple[str, ...] = ()

    @property
    def levels(self) -> np.ndarray:
        """The pixels in 8-bit levels, float32."""
        return in_levels(self.pixels)


@dataclass(frozen=True)
class Shot:
    """A file and what its EXIF data say.

    Args:
        path: The file.
        time: Seconds since 1970 by the camera's clock, or None.
        focal: Focal length in mm, or None.
        camera: Maker and model, or nothing.
    """

    path: Path
    time: float | None = None
    focal: float | None = None
    camera: str = ""

    @property
    def name(self) -> str:
        """The file's name without suffix."""
        return self.path.stem


def in_levels(pixels: np.ndarray) -> np.ndarray:
    """Return 8- or 16-bit pixels in 8-bit levels, float32."""
    levels = pixels.astype(np.float32)
    if pixels.dtype == np.uint16:
        levels /= 257
    return levels


def luma_of_levels(pixels: np.ndarray) -> np.ndarray:
    """Return the mean of the channels in 8-bit levels, as RealSR does: float32, (H, W)."""
    luma = pixels.mean(2, dtype=np.float32)
    if pixels.dtype == np.uint16:
        luma /= 257
    return luma


def is_raw(path: str | os.PathLike[str]) -> bool:
    """Return whether a file has the suffix of a raw file."""
    return Path(path).suffix.lower() in RAW_SUFFIXES


def list_photos(place: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    """List the photos of a folder (not of its sub-folders), or named files.

    Raises:
        DataError: If there is no such place, no photo in it, or it holds two of one name.
    """
    places = [place] if isinstance(place, str | os.PathLike) else list(place)
    found: list[Path] = []
    for one in map(Path, places):
        if one.is_dir():
            inside = sorted(
                file
                for file in one.iterdir()
                if file.suffix.lower() in (*IMAGE_SUFFIXES, *RAW_SUFFIXES)
                and not file.name.startswith(".")
            )
            if not inside:
                raise DataError(
                    f"the folder {one} contains no photos (JPEG, PNG, TIFF or raw files)."
                )
            found += inside
        elif one.exists():
            found.append(one)
        else:
            raise DataError(f"there is no photo or folder {one}.")
    names: dict[str, Path] = {}
    for file in found:
        # A camera writes a JPEG beside each raw file.
        if file.stem in names:
            raise DataError(
                f"{names[file.stem]} and {file} have the same name: move one of them away."
            )
        names[file.stem] = file
    if not found:
        raise DataError("there is no photo: name photos or a folder of them.")
    return found


def read_shot(path: Path) -> Shot:
    """Read what a file says about its exposure; nothing if it has no readable EXIF data."""
    from PIL import Image

    try:
        exif = Image.Exif()
        if is_raw(path):
            with open(path, "rb") as stream:  # most raw files are TIFF files inside
                exif.load_from_fp(stream)
                return _shot(path, exif)
        with Image.open(path) as image:
            return _shot(path, image.getexif())
    except Exception:  # noqa: BLE001 - whatever a damaged file causes, it only lacks EXIF data
        return Shot(path)


def _shot(path: Path, exif: Any) -> Shot:
    detail = exif.get_ifd(_EXIF)
    text, fraction = str(detail.get(_TIME, "")), str(detail.get(_FRACTION, "")).strip()
    time: float | None
    try:
        stamp = datetime.datetime.strptime(text.strip("\0 "), "%Y:%m:%d %H:%M:%S")
        time = stamp.replace(tzinfo=datetime.timezone.utc).timestamp()
        time += float(f"0.{fraction}") if fraction.isdigit() else 0.0
    except ValueError:
        time = None
    focal: float | None
    try:
        focal = float(detail.get(_FOCAL_35) or detail.get(_FOCAL) or 0) or None
    except (TypeError, ValueError, ZeroDivisionError):
        focal = None
    camera = " ".join(str(exif.get(tag, "")).strip("\0 ") for tag in (_MAKE, _MODEL)).strip()
    return Shot(path, time, focal, camera)


def read_photo(path: Path, raw: RawDevelopment = "developed", *, srgb: bool = False) -> Photo:
    """Read a photo upright: JPEG, PNG, TIFF, WebP, BMP, or raw.

    Args:
        path: The file.
        raw: How a raw file is developed.
        srgb: Convert colours with a profile to sRGB.

    Raises:
        DataError: If it cannot be read.
        ConfigError: If it is a raw file and rawpy is not installed.
    """
    if is_raw(path):
        return Photo(_develop(path, raw), None, (f"raw, {raw}",))
    loaded = Reading(srgb=srgb).load(path)
    notes = list(loaded.notes)
    if loaded.pixels.shape[2] in (2, 4):
        notes.append("its alpha was dropped")
    return Photo(np.ascontiguousarray(as_rgb(loaded.pixels)), loaded.icc, tuple(notes))


def check_raw(paths: Sequence[Path]) -> None:
    """Refuse raw files where rawpy is missing, before anything is read.

    Raises:
        ConfigError: If it is.
    """
    first = next((path for path in paths if is_raw(path)), None)
    if first is None:
        return
    try:
        import rawpy  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"{first} is a raw file, which needs rawpy: pip install realdeg[raw], or convert it to"
            " a 16-bit TIFF."
        ) from error


def _develop(path: Path, raw: RawDevelopment) -> np.ndarray:
    check_raw([path])
    import rawpy

    # No brightening: it depends on the picture, so it would differ between the two photos.
    settings: dict[str, Any] = {"use_camera_wb": True, "no_auto_bright": True, "output_bps": 16}
    if raw == "linear":
        settings["gamma"] = (1, 1)
    try:
        with rawpy.imread(str(path)) as file:
            developed: np.ndarray = file.postprocess(**settings)
    except (rawpy.LibRawError, OSError) as error:
        raise DataError(f"the raw file {path} cannot be developed: {error}.") from error
    return np.ascontiguousarray(developed)
