"""Collation of samples to a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.registry import FUNCTIONS
from torch import Tensor

from realdeg.errors import DataError
from realdeg.utils.samples import Batch, PackedSample


def collate_batch(samples: Sequence[PackedSample]) -> Batch:
    """Turn packed samples into a batch; pairs and samples of HR alone may be mixed.

    Args:
        samples: Each with ``hr``, ``key``, ``meta``, ``seed`` and, for a pair, ``lr``.

    Returns:
        ``hr``; ``lr`` of the paired samples only, in order, or None; ``paired``, a mask of these
        samples; the lists ``key``, ``meta`` and ``seeds``; ``scale``, if one was drawn;
        ``position`` of the first sample, in training.

    Shape:
        hr (B, 3, H, W), lr (P, 3, h, w), paired (B,).

    Raises:
        DataError: If the samples are not packed tensors, or of different sizes or scales.
    """
    drawn = {sample.get("scale") for sample in samples}
    if len(drawn) > 1:
        raise DataError(f"a batch has one scale, and its samples are of {_listed(drawn)}.")
    pairs = [sample for sample in samples if sample.get("lr") is not None]
    batch = Batch(
        hr=_stack([s["hr"] for s in samples], [s["key"] for s in samples], "HR"),
        lr=_stack([s["lr"] for s in pairs], [s["key"] for s in pairs], "LR") if pairs else None,
        paired=torch.tensor([s.get("lr") is not None for s in samples], dtype=torch.bool),
        key=[sample["key"] for sample in samples],
        meta=[sample["meta"] for sample in samples],
        seeds=[int(sample["seed"]) for sample in samples],
    )
    scale = drawn.pop() if drawn else None
    if scale is not None:
        batch["scale"] = scale
    if samples and samples[0].get("position") is not None:
        batch["position"] = samples[0]["position"]
    return batch


# mmengine's Runner looks collate functions up in its root registry.
FUNCTIONS.register_module(module=collate_batch)


def _listed(scales: set[float | None]) -> str:
    return " and ".join(sorted("none" if scale is None else f"{scale:g}" for scale in scales))


def _stack(images: Sequence[Tensor], keys: Sequence[str], what: str) -> Tensor:
    for image, key in zip(images, keys, strict=True):
        if not isinstance(image, Tensor):
            raise DataError(
                f"the {what} of '{key}' is {type(image).__name__}, not a tensor: end the data"
                " set's transforms with PackSample."
            )
        if image.shape != images[0].shape:
            raise DataError(
                f"the {what} of '{key}' is {tuple(image.shape)} where '{keys[0]}' in the same"
                f" batch is {tuple(images[0].shape)}: crop all to one size (PairedCrop) or use"
                " batch_size=1."
            )
    return torch.stack(list(images))
