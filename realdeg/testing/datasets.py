"""The contracts of data sets and of their transforms."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from mmengine.registry import FUNCTIONS

from realdeg.datasets import ImageDataset, Transform
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.registry import DATASETS, TRANSFORMS
from realdeg.testing.contract import Contract
from realdeg.utils.image import write_image
from realdeg.utils.streams import Stream


def write_picture(
    path: Path,
    height: int = 24,
    width: int = 32,
    *,
    channels: int = 3,
    dtype: Any = np.uint8,
    seed: int = 0,
) -> np.ndarray:
    """Write an image of noise and return its pixels, shape (height, width, channels).

    Args:
        path: The file; its folders are created.
        height: In pixels.
        width: In pixels.
        channels: 1 to 4.
        dtype: ``np.uint8`` or ``np.uint16``.
        seed: The random seed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    greatest = int(np.iinfo(dtype).max)
    array = np.random.default_rng(seed).integers(0, greatest, (height, width, channels), dtype)
    write_image(path, array)
    return array


class DatasetContract(Contract, page="docs/your_own_dataset.md"):
    """What every data set of image files promises to loaders, checks and reports.

    ``arguments`` state the geometry of the files, ``scale`` and ``same_size``. Most data sets need
    files: override :meth:`write`.
    """

    component: type[ImageDataset]
    registry = DATASETS

    def write(self, folder: Path) -> Mapping[str, Any]:
        """Write at least two images of at least 24 pixels per side (see :func:`write_picture`).

        Args:
            folder: An empty folder, which is also the ``data_root``.

        Returns:
            Constructor arguments that name the files, if the layout does not.
        """
        return {}

    @pytest.fixture
    def settings(self, tmp_path: Path) -> dict[str, Any]:
        """The config of the data set under test, whose files have been written."""
        found = {**self.config, "data_root": str(tmp_path)}
        return {**found, **self.write(tmp_path)}

    def build(self, settings: Mapping[str, Any], **changes: Any) -> ImageDataset:
        """Build the component as a config does.

        Args:
            settings: Its config.
            **changes: Arguments that differ.
        """
        data = DATASETS.build({**settings, **changes})
        assert isinstance(data, ImageDataset)
        return data

    def patches(self, settings: Mapping[str, Any], seed: int = 0) -> ImageDataset:
        """Build the component with random crops and flips.

        Args:
            settings: Its config.
            seed: The random seed.
        """
        size = 4 * self.build(settings).scale
        steps = [
            {"type": "PairedCrop", "patch_size": size},
            {"type": "Flip", "transpose": True},
            {"type": "PackSample"},
        ]
        return self.build(settings, transforms=steps, seed=seed)

    def test_files_are_listed_in_a_fixed_order(self, settings: dict[str, Any]) -> None:
        """Keys, which name images in reports, are unique and always in the same order."""
        data, again = self.build(settings), self.build(settings)
        assert len(data) == len(data.keys) == len(set(data.keys)) >= 2
        assert data.keys == again.keys

    def test_images_are_read_as_they_are(self, settings: dict[str, Any]) -> None:
        """`load` gives read-only H x W x 3 arrays of 8 or 16 bit, the key, and plain notes."""
        data = self.build(settings)
        stride = 1 if data.same_size else data.scale
        for index, key in enumerate(data.keys):
            sample: Any = data.load(index)
            assert sample["key"] == key
            json.dumps(sample["meta"])
            for name in ("hr", "lr"):
                image = sample.get(name, sample["hr"])
                assert image.ndim == 3 and image.shape[2] == 3 and not image.flags.writeable
                assert image.dtype in (np.uint8, np.uint16)
            if "lr" in sample:
                assert [side // stride for side in sample["hr"].shape[:2]] == [
                    *sample["lr"].shape[:2]
                ]

    def test_an_item_is_the_same_in_every_process(self, settings: dict[str, Any]) -> None:
        """Randomness depends only on seed and position, in any order and any worker."""
        data = self.patches(settings)
        worker = pickle.loads(pickle.dumps(data))
        items = [(position, position % len(data)) for position in range(6)]
        first = [data[item] for item in items]
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002 -- must have no effect
        for item, sample in reversed(list(zip(items, first, strict=True))):
            for other in (data[item], worker[item]):
                assert other["key"] == sample["key"] and other["seed"] == sample["seed"]
                assert torch.equal(other["hr"], sample["hr"])
                assert ("lr" in other) == ("lr" in sample)
                assert "lr" not in sample or torch.equal(other["lr"], sample["lr"])
        seeds = {sample["seed"] for sample in first}
        assert len(seeds) == len(items), "two positions of a run have the same seed"
        assert self.patches(settings, seed=1)[items[0]]["seed"] not in seeds

    def test_evaluation_depends_on_the_index_alone(self, settings: dict[str, Any]) -> None:
        """Indexed without a position, an image is the same at every call."""
        data = self.patches(settings)
        first, second = data[0], data[0]
        assert torch.equal(first["hr"], second["hr"]) and first["seed"] == second["seed"]

    def test_samples_make_a_batch(self, settings: dict[str, Any]) -> None:
        """Packed samples are tensors in [0, 1], and the function of `collated_by` batches them."""
        data = self.patches(settings)
        size, stride = 4 * data.scale, 1 if data.same_size else data.scale
        samples = [data[(0, 0)], data[(1, 1)]]
        batch = FUNCTIONS.get(data.collated_by)(samples)
        assert batch["hr"].shape == (2, 3, size, size)
        assert 0 <= batch["hr"].min() and batch["hr"].max() <= 1
        assert batch["key"] == [sample["key"] for sample in samples]
        if data.has_lr:
            assert batch["lr"].shape == (2, 3, size // stride, size // stride)
            assert batch["paired"].all()

    def test_good_files_pass_the_check(self, settings: dict[str, Any]) -> None:
        """`check` passes, and `summary` states the number of images in one line."""
        data = self.build(settings)
        data.check()
        data.check(thorough=True)
        assert "\n" not in data.summary() and str(len(data)) in data.summary()

    def test_a_damaged_file_is_named(self, settings: dict[str, Any], tmp_path: Path) -> None:
        """`check` names a truncated file before training starts."""
        file = self.build(settings).records[0].hr
        if not isinstance(file, Path) or tmp_path not in file.parents:
            pytest.skip("its files do not belong to the test, or hold several images")
        file.write_bytes(file.read_bytes()[:-40])
        with pytest.raises(DataError, match=file.name):
            self.build(settings).check(thorough=True)

    def test_small_images_are_named(self, settings: dict[str, Any]) -> None:
        """`check` names files that are smaller than the patches."""
        steps = [{"type": "PairedCrop", "patch_size": 512 * self.build(settings).scale}]
        with pytest.raises(DataError, match="smaller"):
            self.build(settings, transforms=steps).check()

    def test_missing_files_are_named(self, settings: dict[str, Any], tmp_path: Path) -> None:
        """If files are missing, the constructor states where it searched."""
        file = self.build(settings).records[0].hr
        if isinstance(file, Path) and tmp_path not in file.parents:
            pytest.skip("its files are built in")
        shutil.rmtree(tmp_path)
        with pytest.raises(DataError):
            self.build(settings)

    def test_another_geometry_is_refused(self, settings: dict[str, Any]) -> None:
        """Pairs that contradict ``scale`` and ``same_size`` are refused before training."""
        data = self.build(settings)
        if data.records[0].lr is None:
            pytest.skip("HR images fit any geometry")
        with pytest.raises((GeometryError, DataError)):
            self.build(settings, same_size=not data.same_size).check()

    def test_unknown_arguments_are_refused(self, settings: dict[str, Any]) -> None:
        """A misspelt argument is refused by name."""
        with pytest.raises(ConfigError, match="data_rot"):
            self.build(settings, data_rot=".")


class TransformContract(Contract, page="docs/your_own_dataset.md"):
    """What every transform promises to data sets and their workers."""

    component: type[Transform]
    registry = TRANSFORMS

    takes_pairs: ClassVar[bool] = True
    """Whether it accepts samples that already have an LR image."""

    moves_only: ClassVar[bool] = True
    """Whether it only moves or crops pixels, the same way in HR and LR."""

    def build(self) -> Any:
        """Build the component as a config does."""
        return TRANSFORMS.build(self.config)

    def sample(
        self, paired: bool, same_size: bool = False, dtype: Any = np.uint8, position: int = 0
    ) -> dict[str, Any]:
        """Return a sample of 48 x 36 HR pixels at x2, as a data set passes it on.

        Args:
            paired: Whether it has LR, which is every second pixel of HR, or all when ``same_size``.
            same_size: Whether LR lies on the HR grid.
            dtype: ``np.uint8`` or ``np.uint16``.
            position: Its index in the run, which determines its randomness.
        """
        greatest = int(np.iinfo(dtype).max)
        hr = np.random.default_rng(0).integers(0, greatest, (48, 36, 3), dtype)
        stream = Stream(0, position)
        images = {"hr": hr}
        if paired:
            step = 1 if same_size else 2
            images["lr"] = np.ascontiguousarray(hr[::step, ::step])
        for image in images.values():
            image.flags.writeable = False
        seed = stream.seed_for("degradation")
        notes: dict[str, Any] = {"key": "scene", "meta": {}, "scale": 2, "same_size": same_size}
        return {**images, **notes, "stream": stream, "seed": seed}

    def samples(self) -> list[dict[str, Any]]:
        """Return one sample of every kind that it accepts."""
        alone = [self.sample(False, dtype=dtype) for dtype in (np.uint8, np.uint16)]
        if not self.takes_pairs:
            return alone
        pairs = [
            self.sample(True, same_size, dtype)
            for same_size in (False, True)
            for dtype in (np.uint8, np.uint16)
        ]
        return alone + pairs

    def test_arrays_are_left_as_they_were(self) -> None:
        """Arrays are read-only, since they may be cached for the next epoch, and not changed."""
        for sample in self.samples():
            before = {name: sample[name].copy() for name in ("hr", "lr") if name in sample}
            given = dict(sample)
            self.build()(sample)
            assert all(np.array_equal(given[name], image) for name, image in before.items())

    def test_randomness_comes_from_the_stream(self) -> None:
        """Equal positions give equal results in every worker, independent of global generators."""
        transform = self.build()
        worker = pickle.loads(pickle.dumps(transform))
        for paired in {False, self.takes_pairs}:
            results: list[Any] = []
            for step in (transform, transform, worker):
                torch.manual_seed(len(results))
                np.random.seed(len(results))  # noqa: NPY002 -- must have no effect
                results.append(step(self.sample(paired, position=3)))
            for other in results[1:]:
                assert other["meta"] == results[0]["meta"]
                for name in ("hr", "lr"):
                    if name in results[0]:
                        assert np.array_equal(other[name], results[0][name])

    def test_its_declarations_are_true(self) -> None:
        """``packs``, ``makes_lr`` and ``keeps_size``, which data sets read, are true."""
        transform = self.build()
        for sample in self.samples():
            before = sample["hr"]
            had_lr = "lr" in sample
            after = transform(sample)
            assert after["key"] == "scene" and isinstance(after["meta"], dict)
            assert isinstance(after["hr"], torch.Tensor) == transform.packs
            if transform.packs:
                assert after["hr"].dtype == torch.float32 and 0 <= after["hr"].min()
                assert after["hr"].shape[0] == 3 and after["hr"].max() <= 1
            else:
                assert after["hr"].dtype == before.dtype and after["hr"].shape[2] == 3
            assert ("lr" in after) == (had_lr or transform.makes_lr)
            if transform.keeps_size:
                sides = after["hr"].shape[1:] if transform.packs else after["hr"].shape[:2]
                assert sorted(sides) == sorted(before.shape[:2])
            if "lr" in after:
                stride = 1 if sample["same_size"] else 2
                axes = slice(1, 3) if transform.packs else slice(0, 2)
                wanted = tuple(side // stride for side in after["hr"].shape[axes])
                assert tuple(after["lr"].shape[axes]) == wanted, "HR and LR are no longer a pair"

    def test_both_images_are_moved_alike(self) -> None:
        """HR and LR stay aligned: equal images stay equal."""
        if not (self.takes_pairs and self.moves_only):
            pytest.skip(f"{self.component.__name__} does not move pairs")
        for position in range(8):
            after = self.build()(self.sample(True, same_size=True, position=position))
            assert np.array_equal(after["hr"], after["lr"])

    def test_required_size_is_enough(self) -> None:
        """An image of `required_size(1)` pixels is large enough."""
        transform = self.build()
        least = transform.required_size(1)
        assert isinstance(least, int) and 1 <= least <= 36
        sample = self.sample(False)
        sample["hr"] = sample["hr"][: 2 * -(-least // 2), : 2 * -(-least // 2)]
        assert min(transform(sample)["hr"].shape) >= 1
