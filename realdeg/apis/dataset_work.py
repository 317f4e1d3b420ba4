"""What a data set holds of one image: a function without state, for any scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from realdeg.apis.degrader import Degrader, Remainder
from realdeg.apis.saving import Saving
from realdeg.errors import ConfigError, as_given
from realdeg.synthesis.crops import CropGrid
from realdeg.synthesis.entries import key_of
from realdeg.synthesis.samples import Made, Row, Sample, sha256
from realdeg.utils.image import LoadedImage, Reading, encode_image, is_plain_png
from realdeg.utils.place import Place
from realdeg.utils.streams import stream_seed


@dataclass(frozen=True)
class ImageWork:
    """Turns the bytes of one image into its samples.

    The samples depend on these settings, the name and the bytes alone, so any number of processes
    on any machines may call it, in any order. It can be pickled.

    Args:
        degrader: What degrades.
        seed: The random seed.
        remainder: What is done with sizes that the scale does not divide.
        variants: LR images per HR image, 1 to 1000.
        crop: The grid of patches; None: whole images.
        hr: Whether samples hold the HR image.
        reading: How several pages and colour profiles are handled.
        saving: Format of the LR images; HR images are PNG.

    Raises:
        ConfigError: If the number of variants is out of range, or patches do not fit the scale.

    Examples:
        >>> from realdeg import Degrader
        >>> work = ImageWork(Degrader("Bicubic", scale=2))
        >>> image = encode_image("a.png", np.zeros((8, 12, 3), np.uint8))
        >>> [sample.key for sample in work("trip/a.png", image).samples]
        ['trip/a']
    """

    degrader: Degrader
    seed: int = 0
    remainder: Remainder = "crop"
    variants: int = 1
    crop: CropGrid | None = None
    hr: bool = True
    reading: Reading = field(default_factory=Reading)
    saving: Saving = field(default_factory=Saving)

    def __post_init__(self) -> None:
        number = self.variants
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 1000:
            raise ConfigError(
                f"{as_given(variants=number)}: give a number of LR images per HR image, 1 to 1000."
            )
        if self.crop is not None:
            self.crop.check_scale(self.degrader.degradation.stride)

    def __call__(self, name: str, content: bytes) -> Made:
        """Make the samples of one image.

        Args:
            name: Its relative name; seeds and keys follow from it.
            content: The bytes of its file.

        Raises:
            DataError: If it cannot be read.
            GeometryError: If its size is refused.
        """
        digest = sha256(content)
        image = self.reading.decode(content, name)
        base = {"name": name, "source_sha256": digest, "source_size": list(image.pixels.shape[:2])}
        if self.crop is None:
            whole = _whole(content, image, name)
            return Made(tuple(self._variants(image, base, None, key_of(name), whole)))
        return self._patches(image, base, self.crop)

    def _patches(self, image: LoadedImage, base: Row, grid: CropGrid) -> Made:
        samples: list[Sample] = []
        height, width = image.pixels.shape[:2]
        corners, flat = grid.corners(height, width), []
        for number, (top, left) in enumerate(corners, start=1):
            patch = image.pixels[top : top + grid.size, left : left + grid.size]
            if grid.is_flat(patch):
                flat.append(number)
                continue
            cut = LoadedImage(np.ascontiguousarray(patch), image.icc, image.notes)
            key = f"{key_of(base['name'])}_s{number:03d}"
            samples += self._variants(cut, base, (top, left, grid.size, grid.size), key, None)
        if corners and not flat:
            return Made(tuple(samples))
        row = {"record": "dropped", **base, "patches": len(corners), "flat": flat}
        return Made(tuple(samples), row)

    def _variants(
        self,
        image: LoadedImage,
        base: Row,
        crop: tuple[int, int, int, int] | None,
        key: str,
        whole: bytes | None,
    ) -> Iterator[Sample]:
        """Yield the samples of an image or patch; ``whole`` is the image's own PNG file."""
        hr = None
        place = Place.whole(*base["source_size"])
        for variant in range(self.variants):
            seed = self._seed(base["name"], crop, variant)
            at = None if crop is None else place.cropped(*crop)
            result, notes = self.degrader.degrade_recorded(
                image.pixels, seed, remainder=self.remainder, place=at
            )
            kind = "png" if self.saving.format == "keep" else self.saving.format
            lr = encode_image(f"{key}.{kind}", result, icc=image.icc, quality=self.saving.quality)
            if self.hr and hr is None:
                hr = self._hr(image, notes, key, whole)
            several = self.variants > 1
            yield Sample(
                f"{key}_v{variant}" if several else key,
                lr,
                hr,
                self._row(image, base, lr, hr, crop, f"{key}_v{variant}" if several else key)
                | ({"variant": variant} if several else {})
                | notes,
            )

    def _row(
        self,
        image: LoadedImage,
        base: Row,
        lr: bytes,
        hr: bytes | None,
        crop: tuple[int, int, int, int] | None,
        key: str,
    ) -> Row:
        row: dict[str, Any] = {
            "record": "image",
            "name": base["name"],
            "output": "",  # the sink's
            "source_sha256": base["source_sha256"],
            "output_sha256": sha256(lr),
            "source_size": base["source_size"],
            "channels": int(image.pixels.shape[2]),
            "bits": image.pixels.dtype.itemsize * 8,
        }
        if image.notes:
            row["notes"] = list(image.notes)
        if hr is not None or crop is not None or self.variants > 1:
            row["key"] = key
        if hr is not None:
            row["hr_sha256"] = sha256(hr)
        if crop is not None:
            row["crop"] = list(crop)
        return row

    def _seed(self, name: str, crop: tuple[int, int, int, int] | None, variant: int) -> int:
        """Return a sample's seed: that of ``degrade`` for the first variant of a whole image."""
        parts: list[int | str] = [self.seed, name]
        if crop is not None:
            parts += ["crop", *crop]
        if variant:
            parts += ["variant", variant]
        return stream_seed(*parts)

    def _hr(self, image: LoadedImage, notes: Row, key: str, whole: bytes | None) -> bytes:
        """Return the PNG file of what was degraded: the image's own where that is the same."""
        height, width = notes["used_size"]
        if whole is not None and not notes["cropped"]:
            return whole
        return encode_image(f"{key}.png", image.pixels[:height, :width], icc=image.icc)


def _whole(content: bytes, image: LoadedImage, name: str) -> bytes | None:
    return content if not image.notes and is_plain_png(content, name) else None
