"""The data and the schedule of a fine-tuning."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realdeg.apis.fit_plan import schedule
from realdeg.apis.guided import whole_or_centre
from realdeg.apis.holding_out import hold_out
from realdeg.apis.photo_pairs import Pairs, PhotoPairs, Size, find_pairs
from realdeg.backbones.base import Backbone
from realdeg.datasets.records import list_images
from realdeg.errors import ConfigError, DataError, GeometryError, as_given
from realdeg.utils.component import plain
from realdeg.utils.image import image_size

PROTOCOL = "realsr-official"
LEAST_ITERATIONS = 20
MOST_ITERATIONS = 10_000
_PATCH, _LEAST_PATCH = 96, 48
_BATCH = 8
_HELD_OUT_SHARE, _MOST_HELD_OUT = 0.1, 8
# Sides in HR pixels of the held-out squares, from which one is chosen that is measured in time.
_SIDES = (768, 384, 192)
# Networks with fewer parameters than this learn faster.
_SMALL, _FAST, _SLOW = 300_000, 1e-3, 1e-4


@dataclass(frozen=True)
class Photos:
    """HR photos in a folder.

    Args:
        folder: The folder.
        names: The names of those that are large enough, sorted.
        sizes: Height and width, by name.
        patch: Side of the training patches in HR pixels.
    """

    folder: Path
    names: tuple[str, ...]
    sizes: dict[str, Size]
    patch: int

    def divide(self, seed: int, hold_out_any: bool) -> dict[str, list[str]]:
        """Return which photos are trained on and which are held out."""
        if not hold_out_any:
            return {"trained_on": list(self.names), "held_out_photos": []}
        learn, held = hold_out(self.names, seed, _HELD_OUT_SHARE, _MOST_HELD_OUT)
        return {"trained_on": learn, "held_out_photos": held}

    def without(
        self, names: Sequence[str], pairs: PhotoPairs, plan: Mapping[str, Any]
    ) -> list[str]:
        """Return the photos that are not HR of a held-out pair, which would not be unseen.

        Args:
            names: The photos.
            pairs: The pairs.
            plan: Which of them are held out.

        Raises:
            DataError: If none is left.
        """
        if plan["regions"]:
            seen = set(pairs.names)  # a region of each is held out
        else:
            seen = set(plan["held_out"])
        files = list_images(pairs.hr_dir, recursive=True)
        held = {files[name].resolve() for name in seen}
        own = list_images(self.folder, recursive=True)
        left = [name for name in names if own[name].resolve() not in held]
        if not left:
            raise DataError(
                f"all photos in {self.folder} are HR of pairs on which the network is tested: give"
                f" others to learn from, or leave {as_given(pairs='...')} out."
            )
        return left

    def config(
        self, names: Sequence[str], transforms: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Return the config of a data set of some photos; the folder is named absolutely."""
        return dict(
            type="HRFolderDataset",
            folder=str(self.folder),
            recursive=True,
            names=list(names),
            transforms=[dict(step) for step in transforms],
        )


def find_photos(folder: str | os.PathLike[str], network: Backbone) -> Photos:
    """Find the photos that are large enough to train a network on.

    Args:
        folder: Searched recursively.
        network: The network.

    Raises:
        DataError: If there are fewer than two.
    """
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise DataError(f"there is no folder {place}.")
    files = list_images(place, recursive=True)
    multiple = round(network.scale)
    sizes = {name: image_size(file) for name, file in files.items()}
    large = {name: size for name, size in sizes.items() if min(size) >= _LEAST_PATCH}
    if len(large) < 2:
        small = f"; {len(files)} are there, and a patch has {_LEAST_PATCH} pixels" if files else ""
        raise DataError(
            f"{place} holds {len(large) or 'no'} photo{'' if len(large) == 1 else 's'} to learn"
            f" from{small}: give a folder of at least two sharp photos."
        )
    # A few small photos do not make the patches of all others small.
    enough = {name: size for name, size in large.items() if min(size) >= _PATCH}
    chosen = enough if len(enough) >= max(2, len(large) // 2) else large
    side = min(_PATCH, *(min(size) for size in chosen.values()))
    return Photos(place.resolve(), tuple(sorted(chosen)), chosen, side // multiple * multiple)


def pairs_for(pairs: Pairs, network: Backbone) -> PhotoPairs:
    """Find real pairs, and refuse those that a network cannot be trained on.

    Args:
        pairs: A folder with the folders HR and LR, or the two folders.
        network: The network.

    Raises:
        ConfigError: If the network is told the degradation.
        GeometryError: If pairs and network differ in scale or grid.
        DataError: If pairs are missing or damaged.
    """
    name, scale = type(network).__name__, network.scale
    if network.needs:
        raise ConfigError(
            f"{name} is told how its image was degraded, which is not known of real pairs: leave"
            f" {as_given(pairs=('...',))} out."
        )
    found = find_pairs(pairs, assumed=round(scale))
    if (found.scale, found.same_size) != (scale, network.same_size):
        other = ""
        if found.same_size != network.same_size:
            other = f" ({as_given(same_size=found.same_size)}, where {name} takes both grids)"
        grids = {True: "LR on the HR grid", False: "LR smaller than HR"}
        raise GeometryError(
            f"the pairs are x{found.scale} with {grids[found.same_size]}, and {name} is x{scale}"
            f" with {grids[network.same_size]}: register the photos with that geometry"
            f" (`realdeg register --geometry`), or name another network{other}.",
            fits=(found.scale, found.same_size),
        )
    return found


class HeldOut:
    """The images that a fine-tuning is measured on.

    Args:
        photos: HR photos.
        pairs: Real pairs; None: HR photos are degraded.
        plan: Which of them are held out.
    """

    def __init__(self, photos: Photos, pairs: PhotoPairs | None, plan: Mapping[str, Any]) -> None:
        self.photos, self.pairs, self.plan = photos, pairs, plan
        self.side = int(plan.get("held_out_side", _SIDES[0]))
        self.kind = "synthetic pairs" if pairs is None else "real pairs"

    @property
    def names(self) -> list[str]:
        """The names of the held-out images."""
        if self.pairs is None:
            return list(self.plan["held_out_photos"])
        return list(self.plan["pairs"]["held_out"])

    def shrink(self) -> bool:
        """Measure smaller squares; return False if there are none."""
        smaller = [side for side in _SIDES if side < self.side]
        self.side = smaller[0] if smaller else self.side
        return bool(smaller)

    def config(self, multiple: int) -> dict[str, Any]:
        """Return the config of the data set; sizes are divisible by ``multiple``."""
        source = self.photos if self.pairs is None else self.pairs
        sizes = [source.sizes[name] for name in self.names]
        return source.config(self.names, whole_or_centre(sizes, multiple, self.side))


def super_resolution(
    network: Backbone,
    degradation: Mapping[str, Any],
    photos: Photos,
    held: HeldOut,
    start: str,
    *,
    iterations: int,
    interval: int,
    seconds: float,
) -> dict[str, Any]:
    """Return the config of the fine-tuning.

    Args:
        network: The network as it is given.
        degradation: The config of the camera.
        photos: HR photos.
        held: The held-out images.
        start: The file of the network as it is given.
        iterations: The planned number of iterations.
        interval: The number of iterations between validations.
        seconds: After which the run ends, even if fewer iterations are done.
    """
    multiple = round(network.scale)
    patch = photos.patch
    crop = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
    data = photos.config(held.plan["trained_on"], crop)
    if held.pairs is not None:
        learn = held.plan["pairs"]["learned_from"]
        least = min(min(size) for size in held.pairs.sizes_of(learn))
        patch = min(patch, least // multiple * multiple)
        data = dict(
            type="MixtureDataset", datasets=[held.pairs.config(learn, crop), data], ratios=[1, 1]
        )
    loader = dict(batch_size=1, num_workers=0, dataset=held.config(multiple))
    evaluator = dict(
        type="Evaluator",
        metrics=[dict(type="ImageQuality", protocol=PROTOCOL, metrics=["psnr", "ssim"])],
    )
    small = sum(parameter.numel() for parameter in network.parameters()) < _SMALL
    arguments = {
        key: value for key, value in network.arguments.items() if key not in ("scale", "same_size")
    }
    return {
        "default_scope": "realdeg",
        "scale": network.scale,
        "same_size": network.same_size,
        "patch_size": patch,
        "batch_size": _BATCH,
        "flip": dict(horizontal=True, vertical=True, transpose=True),
        "degradation": dict(degradation),
        "backbone": {
            "type": type(network).__name__,
            **plain(arguments),
            "start_from": dict(checkpoint=start),
        },
        "model": dict(type="SuperResolution", loss=dict(type="L1Loss")),
        "train_dataloader": dict(num_workers=0, dataset=data),
        "val_dataloader": loader,
        "val_evaluator": evaluator,
        "test_dataloader": loader,
        "test_evaluator": evaluator,
        **schedule(_FAST if small else _SLOW, iterations, interval, seconds),
    }
