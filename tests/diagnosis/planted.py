"""Clean pairs, and the faults that are planted into them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageCms

from realdeg.degradations.primitives.resize import imresize
from realdeg.utils.image import read_image, write_image

SAMPLE = Path(__file__).parents[2] / "realdeg" / "datasets" / "sample_images"
# Frames of one kind: colour, with detail up to the end of the spectrum.
NAMES = (
    "astronaut",
    "chelsea",
    "edges",
    "grass",
    "gravel",
    "hubble",
    "leaves",
    "rocket",
    "strokes",
)
ONE = "chelsea.png"


def clean(folder: Path, same_size: bool = False) -> Path:
    """Write HR and LR, by half, with noise as of a camera."""
    for name in NAMES:
        hr = read_image(SAMPLE / "train" / f"{name}.png")[:240, :240]
        write_image(folder / "HR" / f"{name}.png", hr)
        write_image(folder / "LR" / f"{name}.png", reduced(hr, name, same_size))
    return folder


def reduced(hr: np.ndarray, name: str, same_size: bool = False) -> np.ndarray:
    image = torch.from_numpy(hr.astype(np.float32)).permute(2, 0, 1)[None]
    small = imresize(image, 0.5)
    small = imresize(small, 2.0) if same_size else small
    pixels = small[0].permute(1, 2, 0).numpy()
    noise = np.random.default_rng(len(name)).normal(0, 1.5, pixels.shape)
    return np.round(pixels + noise).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Fault:
    """A fault, and what must be found: checks with severities, and one of the files."""

    plant: Callable[[Path], object]
    found: set[tuple[str, str]]
    file: str
    same_size: bool = False


def edit(
    side: str, change: Callable[[np.ndarray], np.ndarray], *names: str
) -> Callable[[Path], None]:
    """Change some images of a side, or all."""

    def plant(folder: Path) -> None:
        for file in sorted((folder / side).iterdir()):
            if not names or file.name in names:
                write_image(file, change(read_image(file)))

    return plant


def both(change: Callable[[np.ndarray], np.ndarray], *names: str) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        for side in ("HR", "LR"):
            edit(side, change, *names)(folder)

    return plant


def moved(
    down: float = 0.0, right: float = 0.0, turn: float = 0.0, grow: float = 1.0
) -> Callable[[np.ndarray], np.ndarray]:
    def change(image: np.ndarray) -> np.ndarray:
        centre = ((image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2)
        matrix = cv2.getRotationMatrix2D(centre, turn, grow)
        matrix[:, 2] += (right, down)
        return cv2.warpAffine(
            image, matrix, image.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )

    return change


def waved(image: np.ndarray) -> np.ndarray:
    """Move regions by up to 2.5 pixels on their own, as parallax does."""
    rows, columns = np.mgrid[0 : image.shape[0], 0 : image.shape[1]].astype(np.float32)
    wave = 2.5 * np.sin(rows / 19) * np.sin(columns / 19)
    return cv2.remap(image, columns + wave, rows - wave, cv2.INTER_CUBIC)


def scaled(*gains: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda image: np.round(image * np.array(gains)).clip(0, 255).astype(np.uint8)


def enlarged(factor: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(image: np.ndarray) -> np.ndarray:
        small = [round(side / factor) for side in image.shape[1::-1]]
        kept = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        return cv2.resize(kept, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)

    return change


def compressed(quality: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(image: np.ndarray) -> np.ndarray:
        coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1]

    return change


def as_jpeg(folder: Path) -> None:
    file = folder / "HR" / ONE
    Image.fromarray(read_image(file)).save(file.with_suffix(".jpg"), quality=70)
    file.unlink()


def blurred(image: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 1.0, image.shape)
    soft = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 3)
    return np.round(soft + noise).clip(0, 255).astype(np.uint8)


def filled(level: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(image: np.ndarray) -> np.ndarray:
        image = image.copy()
        image[: image.shape[0] // 2] = level
        return image

    return change


def another_profile(folder: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    named = profile.replace("sRGB".encode("utf-16-be"), "PPP3".encode("utf-16-be"))
    assert named != profile
    file = folder / "HR" / ONE
    Image.fromarray(read_image(file)).save(file, icc_profile=named)


def transparent(image: np.ndarray) -> np.ndarray:
    alpha = np.full(image.shape[:2], 255, np.uint8)
    alpha[:40] = 0
    return np.dstack([image, alpha])


def truncated(folder: Path) -> None:
    file = folder / "HR" / ONE
    file.write_bytes(file.read_bytes()[:-500])


def damaged(folder: Path) -> None:
    file = folder / "LR" / ONE
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x55
    file.write_bytes(content)


def exchanged(folder: Path) -> None:
    for side, other in (("HR", "old"), ("LR", "HR"), ("old", "LR")):
        (folder / side).rename(folder / other)


def mixed_up(folder: Path) -> None:
    first, second = (folder / "LR" / name for name in (ONE, "hubble.png"))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def mirrored_copy(folder: Path) -> None:
    hr = np.ascontiguousarray(read_image(folder / "HR" / ONE)[:, ::-1])
    write_image(folder / "HR" / "zebra.png", hr)
    write_image(folder / "LR" / "zebra.png", reduced(hr, "zebra"))


def same_file(folder: Path) -> None:
    (folder / "LR" / ONE).write_bytes((folder / "HR" / ONE).read_bytes())


FAULTS = {
    "LR of another size": Fault(
        edit("LR", lambda a: a[:-1], ONE), {("sizes", "error")}, f"LR/{ONE}"
    ),
    "no partner": Fault(
        lambda folder: (folder / "LR" / ONE).unlink(), {("names", "error")}, f"HR/{ONE}"
    ),
    "one pair shifted": Fault(
        edit("LR", moved(down=1.3), ONE), {("alignment", "warning")}, f"LR/{ONE}"
    ),
    "all pairs shifted": Fault(edit("LR", moved(0.4, 0.7)), {("alignment", "error")}, f"LR/{ONE}"),
    "all pairs turned": Fault(edit("LR", moved(turn=0.8)), {("alignment", "error")}, f"LR/{ONE}"),
    "one pair of another scale": Fault(
        edit("LR", moved(grow=1.03), ONE), {("alignment", "warning")}, f"LR/{ONE}"
    ),
    "parallax": Fault(
        edit("LR", waved, ONE), {("regions", "warning"), ("alignment", "warning")}, f"LR/{ONE}"
    ),
    "names mixed up": Fault(mixed_up, {("different", "warning")}, f"LR/{ONE}"),
    "one pair darker": Fault(edit("LR", scaled(0.85), ONE), {("gain", "warning")}, f"LR/{ONE}"),
    "all pairs brighter": Fault(edit("LR", scaled(1.12)), {("gain", "error")}, f"LR/{ONE}"),
    "another white balance": Fault(
        edit("LR", scaled(1.08, 1, 0.92), ONE), {("colour", "warning")}, f"LR/{ONE}"
    ),
    "folders exchanged": Fault(exchanged, {("swapped", "error")}, f"LR/{ONE}"),
    "sides exchanged on one grid": Fault(
        exchanged, {("swapped", "error"), ("enlarged", "warning")}, f"LR/{ONE}", same_size=True
    ),
    "HR enlarged by 2": Fault(edit("HR", enlarged(2), ONE), {("enlarged", "warning")}, f"HR/{ONE}"),
    "HR enlarged by 3": Fault(edit("HR", enlarged(3), ONE), {("enlarged", "warning")}, f"HR/{ONE}"),
    "all HR enlarged": Fault(edit("HR", enlarged(2)), {("enlarged", "error")}, f"HR/{ONE}"),
    "PNG that was a JPEG": Fault(
        edit("HR", compressed(60), ONE), {("jpeg", "warning")}, f"HR/{ONE}"
    ),
    "crop of a JPEG": Fault(
        edit(
            "HR", lambda a: np.pad(compressed(60)(a)[3:, 5:], ((0, 3), (0, 5), (0, 0)), "edge"), ONE
        ),
        {("jpeg", "warning"), ("alignment", "warning")},
        f"HR/{ONE}",
    ),
    "JPEG file": Fault(as_jpeg, {("jpeg", "warning")}, "HR/chelsea.jpg"),
    "LR was a JPEG": Fault(edit("LR", compressed(60), ONE), {("jpeg", "note")}, f"LR/{ONE}"),
    "overexposed": Fault(both(filled(255), ONE), {("exposure", "warning")}, f"HR/{ONE}"),
    "underexposed": Fault(both(filled(0), ONE), {("exposure", "warning")}, f"LR/{ONE}"),
    "out of focus": Fault(edit("HR", blurred, ONE), {("blurred", "warning")}, f"HR/{ONE}"),
    "16 bit of 8": Fault(
        edit("HR", lambda a: a.astype(np.uint16) * 257, ONE), {("depth", "warning")}, f"HR/{ONE}"
    ),
    "another profile": Fault(another_profile, {("profiles", "warning")}, f"HR/{ONE}"),
    "grey among colour": Fault(
        both(lambda a: a[..., 1:2], ONE), {("grey", "warning")}, f"HR/{ONE}"
    ),
    "alpha": Fault(edit("HR", transparent, ONE), {("alpha", "warning")}, f"HR/{ONE}"),
    "truncated": Fault(truncated, {("unreadable", "error")}, f"HR/{ONE}"),
    "damaged": Fault(damaged, {("unreadable", "error")}, f"LR/{ONE}"),
    "mirrored copy": Fault(mirrored_copy, {("duplicates", "warning")}, "HR/zebra.png"),
    "LR is HR": Fault(same_file, {("duplicates", "error")}, f"LR/{ONE}", same_size=True),
}
