"""The gallery: every degradation that needs no training, on the same image."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realdeg.apis.create import create_degradation
from realdeg.apis.degrader import Degrader
from realdeg.apis.previewing import PreviewSample, as_8_bit, cut, open_image, sample_previews
from realdeg.config.find import config_root
from realdeg.errors import RealdegError
from realdeg.registry import DEGRADATIONS, load_plugins
from realdeg.utils.files import atomic_path, ensure_writable_dir
from realdeg.utils.image import write_image

# The image of the page and its crop in HR pixels: cloth, skin, letters, edges and smooth regions.
IMAGE, CROP = "sample/astronaut", (8, 40, 192, 192)
_SAMPLES = 4
_GAP = 6  # white pixels between images


@dataclass(frozen=True)
class Exhibit:
    """One degradation of the gallery.

    Args:
        name: The preset's or the type's name.
        note: The comment at the head of the preset.
        description: The degradation in words.
        samples: Its LR images.
    """

    name: str
    note: str
    description: str
    samples: Sequence[PreviewSample]


def make_gallery(
    folder: str | os.PathLike[str],
    *,
    scale: int = 4,
    seed: int = 0,
    learned: Mapping[str, Any] | None = None,
) -> tuple[Path, list[str]]:
    """Write the gallery's images and its page.

    It shows every preset of ``configs/_base_/degradations`` and every registered type that no
    preset names, if it can be built from its scale alone.

    Args:
        folder: Folder for ``gallery.md`` and ``assets/degradations/*.jpg``.
        scale: The scale factor.
        seed: The random seed.
        learned: Degradations that need weights, by name.

    Returns:
        The page, and lines that explain what is not shown.

    Raises:
        OutputError: If the folder cannot be written.
    """
    root = ensure_writable_dir(folder)
    assets = ensure_writable_dir(root / "assets" / "degradations")
    _, image = open_image(IMAGE)
    hr = cut(image, CROP)
    exhibits, absent = [], []
    for name, source, note in _sources(learned or {}):
        try:
            degradation = create_degradation(source, scale, False, trained=True)
            samples = sample_previews(Degrader(degradation), hr, IMAGE, count=_SAMPLES, seed=seed)
        except RealdegError as error:
            absent.append(f"`{name}`: {str(error).split(': give ')[0].rstrip('.')}.")
            continue
        exhibits.append(Exhibit(name, note, degradation.describe(), samples))
        write_image(assets / f"{name}.jpg", strip(hr, [sample.lr for sample in samples]))
    page = root / "gallery.md"
    with atomic_path(page) as temporary:
        temporary.write_text(_page(exhibits, absent, scale, seed), encoding="utf-8")
    return page, absent


def strip(hr: NDArray[Any], images: Sequence[NDArray[Any]]) -> NDArray[np.uint8]:
    """Put HR and LR images side by side, LR pixels enlarged to squares.

    Returns:
        ``uint8`` of shape (H, W', 3); equal LR images are shown once.
    """
    first = as_8_bit(hr)
    shown = [first]
    for image in images:
        small = as_8_bit(image)
        rows = np.arange(first.shape[0]) * small.shape[0] // first.shape[0]
        columns = np.arange(first.shape[1]) * small.shape[1] // first.shape[1]
        large = small[rows[:, None], columns[None, :]]
        if not any(np.array_equal(large, other) for other in shown[1:]):
            shown.append(large)
    gap = np.full((first.shape[0], _GAP, 3), 255, np.uint8)
    parts = [part for image in shown for part in (image, gap)]
    return np.concatenate(parts[:-1], axis=1)


def _sources(learned: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    load_plugins()
    from realdeg.config import load_config

    folder = config_root() / "_base_" / "degradations"
    found: list[tuple[str, Any, str]] = []
    named = set()
    for file in sorted(folder.glob("*.py")):
        degradation = load_config(file, check=False).get("degradation") or {}
        named.add(str(degradation.get("type")))
        found.append((file.stem, str(file), _comment(file)))
    for name in DEGRADATIONS.names():
        # Containers need their parts as arguments.
        if name not in named and not _needs_arguments(DEGRADATIONS.require(name)):
            found.append((name, name, ""))
    return [*found, *((name, source, "") for name, source in learned.items())]


def _needs_arguments(kind: type) -> bool:
    parameters = inspect.signature(kind).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return any(p.default is inspect.Parameter.empty and p.kind in named for p in parameters)


def _comment(file: Path) -> str:
    """Return the comment at the head of a preset, which names the source of its settings."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").rstrip())
    return " ".join(lines)


def _page(exhibits: Sequence[Exhibit], absent: Sequence[str], scale: int, seed: int) -> str:
    top, left, height, width = CROP
    lines = [
        "# Gallery: what each degradation does",
        "",
        f"The same {height} x {width} pixels of `{IMAGE}` (public domain), x{scale}, LR enlarged"
        " to squares: HR first, then up to four samples, or one if nothing is random. Below each"
        " figure is the trace of its first sample. The figures are JPEG files, which smooth the"
        " finest noise a little. This command makes the page and its figures:",
        "",
        "```",
        f"realdeg preview --gallery --scale {scale} --seed {seed}",
        "```",
        "",
        "This one makes a sheet of your own, with every trace in words:",
        "",
        "```",
        f"realdeg preview BSRGAN photo.png --scale {scale} -n 6 --out sheet.png",
        "```",
    ]
    for exhibit in exhibits:
        lines += ["", f"## {exhibit.name}", "", exhibit.description + "."]
        if exhibit.note:
            lines += ["", exhibit.note]
        path = f"assets/degradations/{exhibit.name}.jpg"
        lines += ["", f"![HR and LR images of {exhibit.name}]({path})", "", "```"]
        lines += [line[:160] for line in exhibit.samples[0].in_words()[1:]]
        lines.append("```")
    if absent:
        lines += ["", "## Not shown", "", *(f"- {_without_folder(text)}" for text in absent)]
    return "\n".join(lines) + "\n"


def _without_folder(text: str) -> str:
    return text.replace(f"{config_root()}{os.sep}", "configs/")
