"""One person's work on the page: what was loaded, drawn and kept. Plain values in and out."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from realdeg.apis.previewing import as_8_bit
from realdeg.apis.trace_files import Crop
from realdeg.errors import ConfigError, DataError
from realdeg.studio.recipe import Recipe, read_recipe, recipe_from_config, recipe_of
from realdeg.studio.session import (
    Photo,
    Place,
    Shot,
    build,
    compare,
    draw,
    enlarged,
    load_camera,
    look_at,
    open_photo,
    python_of,
    replay,
    shown_hr,
)
from realdeg.studio.upscale import (
    Upscaled,
    loaded_network,
    published_network,
    read_picture,
    store,
    upscale,
)

FROM_CONFIG = "recipe: "
"""What a menu's entry begins with, if it is one of the recipes that come with realdeg."""
CONFIG_NAME = "degradation.yaml"
PYTHON_NAME = "degradation.py"


@dataclass(frozen=True)
class Export:
    """A recipe for elsewhere.

    Attributes:
        config: The YAML config.
        python: The Python that makes the LR image.
        commands: Commands that take the config.
        files: Config and Python as files.
    """

    config: str
    python: str
    commands: str
    files: tuple[Path, ...]


@dataclass
class Desk:
    """What one browser window works on.

    Attributes:
        files: Loaded camera files by name.
        shot: The last LR image.
        kept: The recipe that others are compared with.
    """

    files: dict[str, Path] = field(default_factory=dict)
    shot: Shot | None = None
    kept: Recipe | None = None

    def start_from(self, entry: str, present: str) -> Recipe:
        """Return the recipe of a menu's entry.

        Args:
            entry: A registered degradation, or ``recipe: NAME``.
            present: The present recipe's text, whose scale and grid stay for a registered one.
        """
        if entry.startswith(FROM_CONFIG):
            return recipe_from_config(entry.removeprefix(FROM_CONFIG))
        try:
            before = read_recipe(present)
            scale, same_size = before.scale, before.same_size
        except ConfigError:
            scale, same_size = None, None
        geometry = {"scale": 4 if scale is None else scale, "same_size": bool(same_size)}
        return recipe_of({"degradation": {"type": entry}, **geometry})

    def load_camera(self, path: str | Path) -> Recipe:
        """Take a camera's file and return it as a recipe.

        Args:
            path: The uploaded file.
        """
        file = Path(path)
        recipe = load_camera(file)
        self.files[file.name] = file
        return recipe

    def draw(self, photo: str | None, side: int, text: str, seed: int) -> Shot:
        """Degrade a photo and remember the result.

        Args:
            photo: The uploaded file, or a built-in image's name.
            side: Pixels of the part to degrade.
            text: The recipe.
            seed: The random seed.
        """
        recipe = read_recipe(text)
        self.shot = draw(self._photo(photo, side, recipe), recipe, int(seed), self.files)
        return self.shot

    def replay(self, photo: str | None, side: int, text: str, trace: str) -> Shot:
        """Apply a trace to a photo and remember the result; arguments as for :meth:`draw`."""
        recipe = read_recipe(text)
        self.shot = replay(self._photo(photo, side, recipe), recipe, trace, self.files)
        return self.shot

    def look(self, row: int, column: int) -> Place:
        """Return kernel and noise at an LR pixel of the last image.

        Args:
            row: Its row.
            column: Its column.
        """
        return look_at(self._drawn(), int(row), int(column))

    def keep(self, text: str) -> Recipe:
        """Keep a recipe as A, to compare others with it.

        Args:
            text: The recipe.
        """
        self.kept = read_recipe(text)
        return self.kept

    def compare(
        self, photo: str | None, side: int, text: str, seed: int
    ) -> tuple[Shot, Shot, Mapping[str, tuple[str, str]]]:
        """Degrade a photo by the kept recipe (A) and by this one (B), with the same seed.

        Args:
            photo: As for :meth:`draw`.
            side: As for :meth:`draw`.
            text: The recipe B.
            seed: The random seed.

        Returns:
            A, B, and the table of their numbers.
        """
        if self.kept is None:
            raise ConfigError("there is no A to compare with: keep a degradation as A first.")
        other = read_recipe(text)
        opened = self._photo(photo, side, other, self.kept)
        first, second = (draw(opened, one, int(seed), self.files) for one in (self.kept, other))
        return first, second, compare(first, second)

    def upscale(
        self,
        source: str | None,
        network: str | None,
        weights: str | None,
        kind: str | None,
        folder: Path,
        *,
        scale: float | None = None,
        tile: str = "auto",
        self_ensemble: bool = False,
        kernel_width: float | None = None,
        noise: float | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Upscaled:
        """Upscale an uploaded image, or the last LR image.

        Args:
            source: The uploaded image; None: the last LR image.
            network: A published network's name.
            weights: An uploaded file of weights, which comes before ``network``.
            kind: The type of network that the file is for, if it does not say.
            folder: Where the result is written.
            scale: The scale of that file, if it does not tell.
            tile: ``"auto"``, ``"none"`` or a number of pixels.
            self_ensemble: As for :class:`~realdeg.SuperResolver`.
            kernel_width: As for :func:`~realdeg.super_resolve`.
            noise: As for :func:`~realdeg.super_resolve`.
            progress: Called with the number of finished tiles and their total.
        """
        image = self._drawn().lr if source is None else read_picture(Path(source))
        if weights is not None:
            built = loaded_network(Path(weights), kind, scale)
        elif network:
            built = published_network(network)
        else:
            raise ConfigError("choose a published network, or load a file of weights.")
        return upscale(
            image,
            built,
            folder / f"sr_{uuid4().hex[:12]}.png",
            tile=_tile(tile),
            self_ensemble=self_ensemble,
            kernel_width=kernel_width,
            noise=noise,
            progress=progress,
        )

    def export(self, text: str, seed: int, folder: Path) -> Export:
        """Write the config and the Python of a recipe, and name the commands that take it.

        Args:
            text: The recipe.
            seed: The random seed.
            folder: Where a folder for the files is made.
        """
        recipe = read_recipe(text)
        build(recipe, self.files)  # what cannot be built is not exported
        photo = None if self.shot is None else self.shot.photo
        name = "photo.png" if photo is None else photo.name
        commands = (
            f"realdeg preview {CONFIG_NAME} {shlex.quote(name)}\n"
            f"realdeg degrade {CONFIG_NAME} my_photos lr_photos\n"
        )
        python = python_of(photo, recipe, int(seed))
        place = folder / uuid4().hex[:12]
        place.mkdir(parents=True)
        files = (place / CONFIG_NAME, place / PYTHON_NAME)
        for file, content in zip(files, (recipe.text, python), strict=True):
            file.write_text(content, encoding="utf-8")
        return Export(recipe.text, python, commands, files)

    def save_lr(self, folder: Path) -> Path:
        """Write the last LR image with its own depth, as a PNG file.

        Args:
            folder: Where it is written.
        """
        return store(self._drawn().lr, folder / f"lr_{uuid4().hex[:12]}.png")

    def _drawn(self) -> Shot:
        if self.shot is None:
            raise DataError("there is no LR image yet: draw one first.")
        return self.shot

    def _photo(self, photo: str | None, side: int, *recipes: Recipe) -> Photo:
        if not photo:
            raise DataError("there is no photo yet: load one, or choose a built-in image.")
        strides = [1 if one.same_size else int(one.scale or 1) for one in recipes]
        stride = math.lcm(*strides)
        return open_photo(photo, int(side), stride)


def pair(shot: Shot) -> tuple[Any, Any]:
    """Return HR and LR of equal size, for a slider.

    Args:
        shot: The LR image.
    """
    return shown_hr(shot), enlarged(shot)


def place_of(shot: Shot, x: float, y: float) -> tuple[int, int]:
    """Return (row, column) of the LR pixel at a point of the enlarged LR image.

    Args:
        shot: The LR image.
        x: Pixels from the left.
        y: Pixels from the top.
    """
    height, width = as_8_bit(shot.lr).shape[:2]
    rows, columns = shot.record.trace.size[1:]
    row, column = int(y * height / rows), int(x * width / columns)
    return min(max(row, 0), height - 1), min(max(column, 0), width - 1)


def part_in_words(crop: Crop | None) -> str:
    """Say which part of a photo is shown.

    Args:
        crop: (top, left, height, width), or None.
    """
    if crop is None:
        return "the whole photo"
    top, left, height, width = crop
    return f"{height} x {width} pixels at row {top}, column {left}: the most detailed part"


def number_in(text: str, what: str) -> float | None:
    """Read a number that may be left out.

    Args:
        text: What was entered.
        what: Its name, for the message.

    Raises:
        ConfigError: If it is no number.
    """
    word = str(text or "").strip()
    try:
        return float(word) if word else None
    except ValueError:
        raise ConfigError(f"the {what} is a number or empty, not '{word:.40}'.") from None


def _tile(text: str) -> Any:
    word = str(text).strip().lower()
    if word in ("auto", "none", ""):
        return "auto" if word != "none" else None
    if not word.isdigit() or int(word) < 1:
        raise ConfigError(f"the tile size is auto, none or a number of pixels, not '{word:.40}'.")
    return int(word)
