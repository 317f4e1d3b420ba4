"""The built-in sample set: a few free pictures, seen through a simulated camera."""

from __future__ import annotations

import inspect
import json
import platform
from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from realdeg.datasets.base import ImageDataset, TransformLike
from realdeg.datasets.records import Record, list_images
from realdeg.degradations.base import Degradation
from realdeg.registry import DATASETS, DEGRADATIONS
from realdeg.utils.argument_types import NonNegative, RealScale
from realdeg.utils.cache import kept
from realdeg.utils.image import to_array, to_tensor
from realdeg.utils.samples import LoadedSample
from realdeg.utils.scales import as_scale
from realdeg.utils.streams import stream_seed
from realdeg.version import __version__

_FOLDER = Path(__file__).parent / "sample_images"


@DATASETS.register_module()
class SampleDataset(ImageDataset):
    """Pictures that come with the package; pairs are made by ``SampleCamera`` when first read.

    What was made is kept in the user's cache (``REALDEG_HOME``, ``~/.cache/realdeg/sample``).

    The noise of each picture is fixed: it depends neither on the run's seed nor on the order, so
    the pairs are the same in every run. ``simulated_camera`` tells the true kernels
    (``kernels_at``). The
    test pictures are no crops of the training ones.

    Args:
        mode: ``pairs`` (HR and LR) or ``hr`` (HR alone, for degradations in the run).
        camera: Arguments of ``SampleCamera`` that differ, for instance ``dict(noise=False)``.
        split: ``train`` or ``test``.
        scale: How much resolution the camera loses, 1 to 4.
        same_size: Whether LR lies on the HR grid.
        data_root: Not used: the pictures are inside the package.
        seed: The run's seed, for crops and flips.
        transforms: Transforms or their configs, in order.
        cache_mb: Megabytes of decoded HR images kept, per worker process.

    Raises:
        ConfigError: If mode or split does not exist.
        GeometryError: If the scale is not 1 to 4.
    """

    def __init__(
        self,
        mode: Literal["pairs", "hr"] = "pairs",
        camera: Mapping[str, Any] | None = None,
        *,
        split: Literal["train", "test"] = "train",
        scale: RealScale = 4,
        same_size: bool = False,
        data_root: str | Path | None = None,
        seed: int = 0,
        transforms: Sequence[TransformLike] | None = None,
        cache_mb: NonNegative = 256,
    ) -> None:
        self.mode = mode
        # Pictures alone are not photographed, and come at any scale.
        nominal = as_scale(scale) if mode == "pairs" else min(as_scale(scale), 4)
        options = {**(camera or {}), "scale": nominal, "same_size": bool(same_size)}
        self.camera = DEGRADATIONS.build(dict(type="SampleCamera", **options))
        self._lr: dict[int, np.ndarray] = {}
        super().__init__(
            scale=scale,
            same_size=same_size,
            data_root=data_root,
            seed=seed,
            split=split,
            transforms=transforms,
            cache_mb=cache_mb,
        )

    def find(self) -> list[Record]:
        """List the pictures of the split."""
        files = list_images(_FOLDER / self.split)
        return [Record(f"sample/{name}", file) for name, file in files.items()]

    @property
    def has_lr(self) -> bool:
        """Whether every sample comes with an LR image."""
        return self.mode == "pairs" or super().has_lr

    @property
    def simulated_camera(self) -> Degradation | None:
        """The camera whose true kernels are known."""
        return self.camera if self.mode == "pairs" else None

    def load(self, index: int) -> LoadedSample:
        """Read one picture and, in mode ``pairs``, what the camera made of it.

        Args:
            index: Which.

        Returns:
            As :meth:`ImageDataset.load`.
        """
        sample = super().load(index)
        if self.mode == "pairs":
            sample["lr"] = self._photograph(index, sample)
        return sample

    def summary(self) -> str:
        """Return one line that says what the set holds."""
        line = super().summary()
        return f"{line}; LR made by {self.camera.describe()}" if self.mode == "pairs" else line

    def _photograph(self, index: int, sample: LoadedSample) -> np.ndarray:
        if index not in self._lr:
            height, width, channels = sample["hr"].shape
            shape = (height // self.camera.stride, width // self.camera.stride, channels)
            seed = stream_seed("sample set", sample["key"])

            def expose() -> bytes:
                return to_array(self.camera(to_tensor(sample["hr"])[None], [seed])[0]).tobytes()

            content = kept("sample", self._circumstances(sample["hr"], seed), prod(shape), expose)
            # Arrays of bytes are read-only.
            self._lr[index] = np.frombuffer(content, np.uint8).reshape(shape)
        return self._lr[index]

    def _circumstances(self, hr: np.ndarray, seed: int) -> bytes:
        """Return everything that the last bit of a photograph may depend on."""
        camera = type(self.camera)
        source = Path(inspect.getfile(camera)).read_bytes()
        said = dict(
            camera=self.camera.arguments,
            code=sha256(source).hexdigest(),
            hr=sha256(hr.tobytes()).hexdigest(),
            seed=seed,
            # Rounding differs between builds, processors and numbers of threads.
            machine=[__version__, torch.__version__, np.__version__, platform.machine()],
            processor=torch.backends.cpu.get_cpu_capability(),
            threads=torch.get_num_threads(),
        )
        return json.dumps(said, sort_keys=True, default=str).encode()
