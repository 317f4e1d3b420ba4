"""How results are named and encoded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from realdeg.errors import ConfigError, as_given

ResultFormat = Literal["png", "jpg", "tiff", "webp", "keep"]
FORMATS: tuple[str, ...] = get_args(ResultFormat)
_LOSSY = ("jpg", "jpeg", "webp", "keep")
# File names have 255 bytes at most, most of which belong to the image's own name.
_LONGEST_SUFFIX = 64


@dataclass(frozen=True)
class Saving:
    """How the results of a folder are named and encoded.

    Args:
        suffix: Put between the name of an image and the suffix of its format, such as ``"_x4"``.
        format: ``"png"``, ``"jpg"``, ``"tiff"``, ``"webp"``, or ``"keep"``: that of the image.
        quality: Of JPEG and WebP, 1 to 100. None: 95 for JPEG, lossless for WebP.

    Raises:
        ConfigError: If the suffix cannot be part of a file name, the format is unknown, or the
            quality is out of range.

    Examples:
        >>> Saving(suffix="_x4", format="jpg").possible("trip/a.png")
        ('trip/a_x4.jpg', 'trip/a.png_x4.jpg')
    """

    suffix: str = ""
    format: ResultFormat = "png"
    quality: int | None = None

    def __post_init__(self) -> None:
        suffix = self.suffix
        if not isinstance(suffix, str) or len(suffix) > _LONGEST_SUFFIX:
            raise ConfigError(f"suffix is a text of at most {_LONGEST_SUFFIX} characters.")
        if not suffix.isprintable() or any(sign in suffix for sign in "/\\"):
            raise ConfigError(
                f"suffix {suffix!r} cannot be part of a file name: use letters, digits and"
                " underscores, as in _x4."
            )
        if self.format not in FORMATS:
            raise ConfigError(f"format is {', '.join(FORMATS)}, got {self.format!r:.40}.")
        if self.quality is None:
            return
        number = isinstance(self.quality, int) and not isinstance(self.quality, bool)
        if not number or not 1 <= self.quality <= 100:
            raise ConfigError(f"quality is a number from 1 to 100, got {self.quality!r:.40}.")

    def check_quality(self, kind: str) -> None:
        """Refuse a quality for a format that has none.

        Args:
            kind: The format, or the suffix of a file without its dot.

        Raises:
            ConfigError: If a quality is stated and the format is lossless.
        """
        if self.quality is not None and kind not in _LOSSY:
            raise ConfigError(
                f"{kind} is lossless and has no quality: leave out"
                f" {as_given(quality=self.quality)}, or choose {as_given(format='jpg')}."
            )

    def possible(self, name: str) -> tuple[str, str]:
        """Return the output names that :meth:`plan` may choose for an image."""
        stem, own = os.path.splitext(name)
        ending = self.suffix + (own if self.format == "keep" else f".{self.format}")
        return stem + ending, name + ending

    def plan(self, names: Sequence[str], fixed: Mapping[str, str]) -> dict[str, str]:
        """Choose the name of each image's output.

        ``a.jpg`` becomes ``a.png``. If two images would get the same output (``a.png`` and
        ``a.jpg``), the one that has the format already keeps the name and the other one becomes
        ``a.jpg.png``. Outputs of earlier runs stay, so an image that is added later renames
        nothing.

        Args:
            names: Relative names of the images.
            fixed: Outputs of earlier runs, by image.

        Returns:
            The output by image; an image without a free name is missing.
        """
        outputs = {name: fixed[name] for name in names if name in fixed}
        taken = set(fixed.values())
        wanted: dict[str, list[str]] = {}
        for name in names:
            if name not in outputs:
                wanted.setdefault(self.possible(name)[0], []).append(name)
        for output, rivals in wanted.items():
            same = [name for name in rivals if name == _in_format_of(name, output)]
            first = same or (rivals if len(rivals) == 1 else [])
            if first and output not in taken:
                outputs[first[0]] = output
                taken.add(output)
        for rivals in wanted.values():
            for name in rivals:
                longer = self.possible(name)[1]
                if name not in outputs and longer not in taken:
                    outputs[name] = longer
                    taken.add(longer)
        return outputs

    def settings(self) -> dict[str, Any]:
        """Return what differs from the default, for a manifest; folders of old continue."""
        values = asdict(self)
        changed = {key: value for key, value in values.items() if value != getattr(_USUAL, key)}
        return {"saving": changed} if changed else {}

    @staticmethod
    def of(settings: Mapping[str, Any]) -> Saving:
        """Return what :meth:`settings` stored.

        Args:
            settings: The header of a manifest, which may come from anywhere.

        Raises:
            ConfigError: If it states no way of saving.
        """
        stored = settings.get("saving", {})
        if not isinstance(stored, Mapping) or not stored.keys() <= asdict(_USUAL).keys():
            raise ConfigError(f"saving is {stored!r:.80}, which states no names and formats.")
        return Saving(**stored)


_USUAL = Saving()


def _in_format_of(name: str, output: str) -> str:
    """Return the name with the suffix of the output's format."""
    return os.path.splitext(name)[0] + os.path.splitext(output)[1]
