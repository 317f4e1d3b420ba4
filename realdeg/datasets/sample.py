"""The built-in sample set: a few free images, seen through a simulated camera."""

from __future__ import annotations

import inspect
import json
import platform
from collections.abc import Mapping
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from typing_extensions import Unpack

from realdeg.datasets.base import CommonSettings, ImageDataset
from realdeg.datasets.records import Record, list_images
from realdeg.degradations.base import Degradation
from realdeg.registry import DATASETS, DEGRADATIONS
from realdeg.utils.argument_types import RealScale
from realdeg.utils.cache import kept
from realdeg.utils.image import to_array, to_tensor
from realdeg.utils.samples import LoadedSample
from realdeg.utils.scales import as_scale
from realdeg.utils.streams import stream_seed
from realdeg.version import __version__

_FOLDER = Path(__file__).parent / "sample_images"


@DATASETS.register_module()
class SampleDataset(ImageDataset):
    """Images that ship with the package; ``SampleCamera`` makes their LR when first read.

    LR is cached in the user's folder (``REALDEG_HOME``, ``~/.cache/realdeg/sample``). The noise of
    each image is fixed, so the pairs are the same in every run. ``simulated_camera`` has the true
    kernels (``kernels_at``). The test images are not crops of the training ones.

    Args:
        mode: ``pairs`` (HR and LR) or ``hr`` (HR alone, for a degradation in the run).
        camera: Arguments of ``SampleCamera``, such as ``dict(noise=False)``.
        split: ``train`` or ``test``.
        scale: The camera's scale, 1 to 4.
        same_size: Whether LR lies on the HR grid.
        **settings: ``data_root``, ``seed``, ``transforms``, ``cache_mb``, ``whole_photos``, as in
            :class:`ImageDataset`.

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
        **settings: Unpack[CommonSettings],
    ) -> None:
        self.mode = mode
        # HR alone needs no camera and is available at any scale.
        nominal = as_scale(scale) if mode == "pairs" else min(as_scale(scale), 4)
        options = {**(camera or {}), "scale": nominal, "same_size": bool(same_size)}
        self.camera = DEGRADATIONS.build(dict(type="SampleCamera", **options))
        self._lr: dict[int, np.ndarray] = {}
        settings.setdefault("whole_photos", True)
        super().__init__(scale=scale, same_size=same_size, split=split, **settings)

    def find(self) -> list[Record]:
        """List the images of the split."""
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
        """Read one image and, in mode ``pairs``, the camera's LR."""
        sample = super().load(index)
        if self.mode == "pairs":
            sample["lr"] = self._photograph(index, sample)
        return sample

    def summary(self) -> str:
        """Return one line on the contents."""
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
        """Return everything that an LR image may depend on, to the last bit."""
        camera = type(self.camera)
        source = Path(inspect.getfile(camera)).read_bytes()
        circumstances = dict(
            camera=self.camera.arguments,
            code=sha256(source).hexdigest(),
            hr=sha256(hr.tobytes()).hexdigest(),
            seed=seed,
            # Rounding depends on builds, processors and thread counts.
            machine=[__version__, torch.__version__, np.__version__, platform.machine()],
            processor=torch.backends.cpu.get_cpu_capability(),
            threads=torch.get_num_threads(),
        )
        return json.dumps(circumstances, sort_keys=True, default=str).encode()
