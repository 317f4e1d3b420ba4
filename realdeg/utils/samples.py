"""The records that images travel in, from a file to a measured prediction.

``LoadedSample`` is what a data set's ``load`` returns, ``Sample`` what transforms change,
``PackedSample`` an item of a data set, ``Batch`` what a task is given and ``Prediction`` what it
returns for one image. They are plain dicts: a data set, a transform or a task of another package
writes dicts with these keys and imports nothing.
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
``flip``, ``trace``, and what its data set says (camera, scene)."""


class LoadedSample(TypedDict):
    """The decoded files of one item; arrays are read-only."""

    key: str
    """Its name, unique in the data set."""
    meta: Meta
    hr: np.ndarray
    """Shape (H, W, C), uint8 or uint16."""
    lr: NotRequired[np.ndarray]
    """Shape (h, w, C); absent where there is HR alone."""


class Sample(LoadedSample):
    """What a transform takes and returns."""

    scale: float
    """HR pixels per LR pixel, unless ``same_size``."""
    same_size: bool
    """Whether LR lies on the HR grid."""
    seed: int
    """The seed of its degradation."""
    stream: Stream
    """Where every random decision of a transform comes from."""


class PackedSample(TypedDict):
    """A sample as tensors: what a data set returns and a collate function takes."""

    key: str
    meta: Meta
    seed: int
    hr: Tensor
    """RGB in [0, 1], shape (3, H, W)."""
    lr: NotRequired[Tensor]
    """RGB in [0, 1], shape (3, h, w)."""
    scale: NotRequired[float]
    """The scale, where one was drawn for the batch."""
    real_lr: NotRequired[Tensor]
    """A real LR image of another scene, shape (3, h, w)."""


class Batch(TypedDict):
    """What a task is given: B images, P of them with an LR image of their own."""

    hr: Tensor
    """Shape (B, 3, H, W)."""
    lr: Tensor | None
    """Shape (P, 3, h, w), in order; (B, C, h, w) once LR was made of the others' HR."""
    paired: Tensor
    """Which images have one, boolean, shape (B,)."""
    key: list[str]
    meta: list[Meta]
    seeds: list[int]
    """One for each image's degradation."""
    scale: NotRequired[float]
    """The scale that was drawn for this batch."""
    real_lr: NotRequired[Tensor]
    """Real LR images of other scenes, shape (B, 3, h, w)."""
    generated: NotRequired[Tensor]
    """LR that an adversarial task generated in this step, shape (B, C, h, w)."""


class Prediction(TypedDict):
    """What a task predicts for one image; tensors on the CPU, float32 in [0, 1]."""

    key: str
    prediction: Tensor
    """Shape (3, H, W), or (1, H, W) for Y alone."""
    prediction_rgb: NotRequired[Tensor]
    """The same in RGB, where a picture was made of Y."""
    target: Tensor
    """Shape (3, H, W)."""
    input: Tensor
    """What the component was given, RGB."""
    scale: float
    meta: Meta


Losses: TypeAlias = dict[str, Tensor]
"""Losses by name."""

Predictions: TypeAlias = Sequence[Prediction]
"""What a task returns for a batch: one prediction per image."""

Collate: TypeAlias = Callable[[Sequence[PackedSample]], Batch]
"""Makes a batch of samples."""
