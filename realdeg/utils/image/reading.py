"""Reading images and their sizes."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np

from realdeg.errors import DataError, as_given
from realdeg.utils.files import open_regular
from realdeg.utils.image import containers
from realdeg.utils.image.decoding import decode
from realdeg.utils.image.header import MAX_PIXELS_VARIABLE, Header, pixel_limit
from realdeg.utils.image.pillow import to_srgb
from realdeg.utils.image.png import SIGNATURE
from realdeg.utils.image.source import BrokenFileError, Source
from realdeg.utils.image.stored import StoredImage
from realdeg.utils.image.tiff import tiff_header

ImageLocation: TypeAlias = str | os.PathLike[str] | StoredImage
"""Where an image is: a path, or what stands for one."""

# Bytes that a file may have beside its pixels: metadata, the video of a motion photo.
_BESIDE = 1 << 28
_FOREIGN = (
    (b"\0\0\0\x0cjP  ", 0, "JPEG 2000"),
    (b"\xff\x4f\xff\x51", 0, "JPEG 2000"),
    (b"\x76\x2f\x31\x01", 0, "OpenEXR"),
    (b"#?", 0, "Radiance HDR"),
    (b"8BPS", 0, "Photoshop"),
    (b"ftyp", 4, "HEIF, AVIF or film"),
    (b"\xff\x0a", 0, "JPEG XL"),
    (b"\0\0\0\x0cJXL ", 0, "JPEG XL"),
    (b"PF", 0, "PFM"),
    (b"Pf", 0, "PFM"),
    (b"P7", 0, "PAM"),
    (b"%PDF", 0, "PDF"),
    (b"FUJIFILM", 0, "raw"),
)


@dataclass(frozen=True)
class LoadedImage:
    """An image, its colour profile and notes.

    Args:
        pixels: H x W x C, ``uint8`` or ``uint16``, upright.
        icc: The ICC profile of its colours; None means sRGB.
        notes: Changes during reading that the user should know about.
    """

    pixels: np.ndarray
    icc: bytes | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """How to read images.

    Args:
        first_frame: Read the first frame or page of several, which are refused otherwise.
        srgb: Convert colours with a profile to sRGB; otherwise they and the profile are kept.
    """

    first_frame: bool = False
    srgb: bool = False

    def load(self, path: ImageLocation) -> LoadedImage:
        """Call :func:`load_image` with these settings."""
        return load_image(path, first_frame=self.first_frame, srgb=self.srgb)

    def decode(self, content: bytes, name: str) -> LoadedImage:
        """Call :func:`decode_image` with these settings."""
        return decode_image(content, name, first_frame=self.first_frame, srgb=self.srgb)

    def settings(self) -> dict[str, bool]:
        """Return the settings that differ from the default, for a manifest."""
        return {name: value for name, value in asdict(self).items() if value}


def read_image(path: ImageLocation) -> np.ndarray:
    """Read an image with its own depth and channels.

    Returns:
        H x W x C, ``uint8`` or ``uint16``: grey, grey and alpha, RGB, or RGB and alpha; upright,
        whatever orientation the file states. Alpha is straight.

    Raises:
        DataError: If the file is missing, empty, damaged, not a regular file, above the limit of
            pixels, has several frames or pages, or is of a kind that is not supported.
    """
    return _load(path, verify=False).pixels


def load_image(
    path: ImageLocation, *, first_frame: bool = False, srgb: bool = False
) -> LoadedImage:
    """Read an image with its colour profile; slower and stricter than :func:`read_image`.

    Args:
        path: An image of any supported format.
        first_frame: Read the first frame or page of several, which are refused otherwise.
        srgb: Convert colours with a profile to sRGB; otherwise they and the profile are kept.

    Raises:
        DataError: As for :func:`read_image`; or if the colours cannot be converted.
    """
    return _load(path, verify=True, first_frame=first_frame, srgb=srgb)


def decode_image(
    content: bytes, name: str, *, first_frame: bool = False, srgb: bool = False
) -> LoadedImage:
    """Decode the bytes of an image file, as :func:`load_image` does.

    Args:
        content: All bytes of the file.
        name: What errors call it.
        first_frame: As for :func:`load_image`.
        srgb: As for :func:`load_image`.

    Raises:
        DataError: As for :func:`load_image`.
    """
    with _naming(name):
        return _decoded(content, verify=True, first_frame=first_frame, srgb=srgb)


def largest_image_file() -> int:
    """Return how many bytes an image file within the limit of pixels may have."""
    return pixel_limit() * 8 + _BESIDE


def is_plain_png(content: bytes, name: str) -> bool:
    """Return whether bytes are a PNG of one upright picture, which any reader shows alike.

    Args:
        content: All bytes of a file that :func:`decode_image` accepted.
        name: What errors call it.
    """
    with _naming(name):
        header = _header(Source(io.BytesIO(content)), whole=False)
    return (header.format, header.frames, header.orientation) == ("PNG", 1, 1)


def read_header(path: ImageLocation, *, whole: bool = False) -> Header:
    """Read the header of an image file without decoding the file.

    Args:
        path: An image of any supported format.
        whole: Also look for the end of a JPEG, which finds truncated files; the headers of other
            formats state where that is.

    Raises:
        DataError: As for :func:`read_image`, but several frames are accepted.
    """
    with _naming(path), open_image(path) as stream:
        return _header(Source(stream), whole)


def check_image(path: ImageLocation) -> Header:
    """Read a header and refuse every fault that can be found without decoding.

    Raises:
        DataError: As for :func:`read_image`, except for damaged pixels.
    """
    header = read_header(path, whole=True)
    with _naming(path):
        _refuse_frames(header)
    return header


def image_size(path: ImageLocation) -> tuple[int, int]:
    """Return (height, width) of the upright image from the header; errors as in `read_header`."""
    return read_header(path).size


@contextmanager
def open_image(path: ImageLocation) -> Iterator[IO[bytes]]:
    """Open the file of an image for reading at any position.

    Raises:
        DataError: If an image in something else cannot be read, or is too large.
        OSError: If a file of its own cannot be opened.
    """
    if isinstance(path, StoredImage):
        yield io.BytesIO(path.content())
        return
    with open_regular(path) as stream:
        yield stream


def _load(
    path: ImageLocation, *, verify: bool, first_frame: bool = False, srgb: bool = False
) -> LoadedImage:
    with _naming(path):
        with open_image(path) as stream:
            # Check the header before memory is allocated for the file or its pixels.
            if stream.seek(0, 2) > largest_image_file():
                raise BrokenFileError("is larger than any image within the limit of pixels")
            stream.seek(0)
            _header(Source(stream), whole=False)
            stream.seek(0)
            content = stream.read()
        return _decoded(content, verify=verify, first_frame=first_frame, srgb=srgb)


def _decoded(content: bytes, *, verify: bool, first_frame: bool, srgb: bool) -> LoadedImage:
    header = _header(Source(io.BytesIO(content)), whole=True, checksums=True)
    notes = []
    if header.frames > 1:
        if not first_frame:
            _refuse_frames(header)
        notes.append(f"the first of {header.frames} pictures")
    pixels = decode(content, header, verify)
    icc = header.icc or None
    if header.ink:
        notes.append("CMYK made RGB")
        icc = None
    elif icc is not None and not _is_profile(icc, pixels.shape[2]):
        notes.append("its colour profile is damaged and was left out")
        icc = None
    if icc is not None and srgb:
        pixels, icc = to_srgb(pixels, icc), None
        notes.append("converted to sRGB")
    return LoadedImage(upright(pixels, header.orientation), icc, tuple(notes))


@contextmanager
def _naming(path: ImageLocation) -> Iterator[None]:
    """Name the file in errors."""
    try:
        yield
    except BrokenFileError as error:
        raise DataError(f"the image {_named(path)} {error}.") from error
    except struct.error as error:
        raise DataError(f"the image {_named(path)} cannot be decoded: it is damaged.") from error
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"cannot read the image {_named(path)}: {reason}.") from error


def _named(path: ImageLocation) -> str:
    return str(path if isinstance(path, StoredImage) else Path(path))


def _refuse_frames(header: Header) -> None:
    if header.frames > 1:
        raise BrokenFileError(
            f"holds {header.frames} pictures (an animation or several pages): split it, or ask for"
            f" the first one ({as_given(first_frame=True)}) where that is offered"
        )


def _header(source: Source, whole: bool, checksums: bool = False) -> Header:
    if source.size == 0:
        raise BrokenFileError("is empty (0 bytes)")
    limit = pixel_limit()
    header = _header_of(source, source.peek(0, 16), whole, checksums, limit)
    if header.height * header.width > limit:
        raise BrokenFileError(
            f"has {header.height} x {header.width} pixels, more than the limit of {limit}: if it"
            f" is what it says, raise the limit with the environment variable"
            f" {MAX_PIXELS_VARIABLE}"
        )
    if 0 in header.size:
        raise BrokenFileError(f"has no pixels: {header.height} x {header.width}")
    return header


def _header_of(source: Source, head: bytes, whole: bool, checksums: bool, limit: int) -> Header:
    if head[:8] == SIGNATURE:
        return containers.png_header(source, checksums)
    if head[:2] == b"\xff\xd8":
        return containers.jpeg_header(source, whole)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return tiff_header(source, limit)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return containers.webp_header(source)
    if head[:2] == b"BM":
        return containers.bmp_header(source)
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return containers.gif_header(source)
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in b" \t\r\n#":
        return containers.pnm_header(source)
    for signature, place, name in _FOREIGN:
        if head[place : place + len(signature)] == signature:
            raise BrokenFileError(
                f"is a file of {name}, which is not read: convert it to PNG or TIFF first"
            )
    raise BrokenFileError("cannot be decoded: it is damaged or not an image")


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate and flip a stored image by its orientation, 1 to 8 (EXIF 2.32, tag 274)."""
    if orientation >= 5:
        array = array.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


def _is_profile(icc: bytes, channels: int) -> bool:
    """Return whether data are an ICC profile (ICC.1:2022, 7.2) for grey or RGB, as needed."""
    colours = b"GRAY" if channels <= 2 else b"RGB "
    return (
        len(icc) >= 132
        and int.from_bytes(icc[:4], "big") <= len(icc)
        and icc[36:40] == b"acsp"
        and icc[16:20] == colours
    )
