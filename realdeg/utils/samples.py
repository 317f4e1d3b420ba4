"""The records that carry images from a file to a measured prediction.

``LoadedSample`` is what a data set's ``load`` returns, ``Sample`` what transforms change,
``PackedSample`` an item of a data set, ``Batch`` what a task receives and ``Prediction`` what it
returns for one image. They are plain dicts, so another package needs no import to make them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypedDict

import numpy as np
from torch import Tensor
from typing_extensions import NotRequired

from realdeg.utils.streams import Stream

Meta: TypeAlias = dict[str, Any]
"""What else is known of an image, plain data: ``grey`` (its files have one channel), ``crop``,
``flip``, ``place`` (where it lies in its photo, a :class:`~realdeg.utils.place.Place` or its six
numbers), ``trace``, and what its data set adds (camera, scene)."""


class LoadedSample(TypedDict):
    """The decoded files of one item; arrays are read-only."""

    key: str
    """Its name, unique in the data set."""
    meta: Meta
    hr: np.ndarray
    """Shape (H, W, C), uint8 or uint16."""
    lr: NotRequired[np.ndarray]
    """Shape (h, w, C); absent for HR alone."""


class Sample(LoadedSample):
    """What a transform receives and returns."""

    scale: float
    """HR pixels per LR pixel, unless ``same_size``."""
    same_size: bool
    """Whether LR lies on the HR grid."""
    seed: int
    """The seed of its degradation."""
    stream: Stream
    """The source of every random decision of a transform."""


class PackedSample(TypedDict):
    """A sample as tensors: what a data set returns and a collate function receives."""

    key: str
    meta: Meta
    seed: int
    hr: Tensor
    """RGB in [0, 1], shape (3, H, W)."""
    lr: NotRequired[Tensor]
    """RGB in [0, 1], shape (3, h, w)."""
    scale: NotRequired[float]
    """Present if a scale was drawn for the batch."""
    position: NotRequired[int]
    """How many samples of the run precede it; present in training."""
    real_lr: NotRequired[Tensor]
    """A real LR image of another scene, shape (3, h, w)."""
    lr_scales: NotRequired[Tensor]
    """LR at each of ``scales``, on the HR grid, shape (K, 3, H, W)."""
    scales: NotRequired[tuple[float, ...]]
    """The scales of ``lr_scales``, ascending."""


class Batch(TypedDict):
    """What a task receives: B images, P of them with an LR image."""

    hr: Tensor
    """Shape (B, 3, H, W)."""
    lr: Tensor | None
    """Shape (P, 3, h, w), in order; (B, C, h, w) once the others were degraded from HR."""
    paired: Tensor
    """Which images have an LR image, boolean, shape (B,)."""
    key: list[str]
    meta: list[Meta]
    seeds: list[int]
    """One per image, for its degradation."""
    scale: NotRequired[float]
    """The scale that was drawn for this batch."""
    position: NotRequired[int]
    """How many samples of the run precede its first one; present in training."""
    real_lr: NotRequired[Tensor]
    """Real LR images of other scenes, shape (B, 3, h, w)."""
    lr_scales: NotRequired[Tensor]
    """LR at each of ``scales``, on the HR grid, shape (B, K, 3, H, W)."""
    scales: NotRequired[tuple[float, ...]]
    """The scales of ``lr_scales``, ascending."""
    kernel: NotRequired[Tensor]
    """Blur kernels of sum 1, shape (B, 1, k, k), from ``KernelSet``; such a batch has no images."""
    generated: NotRequired[Tensor]
    """LR that an adversarial task generated in this step, shape (B, C, h, w)."""
    generated_terms: NotRequired[dict[str, Tensor]]
    """Losses by which a degradation judges what it generated, by name."""


class Prediction(TypedDict):
    """What a task predicts for one image; tensors on the CPU, float32 in [0, 1]."""

    key: str
    prediction: Tensor
    """Shape (3, H, W), or (1, H, W) for Y alone."""
    prediction_rgb: NotRequired[Tensor]
    """The same in RGB, if chroma was added to Y."""
    target: Tensor
    """Shape (3, H, W)."""
    input: Tensor
    """The component's input, RGB."""
    scale: float
    meta: Meta
    kernels: NotRequired[Tensor]
    """Kernels that were estimated at some LR pixels, shape (P, k, k)."""
    true_kernels: NotRequired[Tensor]
    """Those that made the same pixels, shape (P, k, k)."""


Losses: TypeAlias = dict[str, Tensor]

Predictions: TypeAlias = Sequence[Prediction]

Collate: TypeAlias = Callable[[Sequence[PackedSample]], Batch]
