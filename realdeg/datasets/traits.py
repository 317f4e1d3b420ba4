"""What others may ask of any data set, ours or a stranger's."""

from __future__ import annotations

from typing import Any

from realdeg.degradations.base import Degradation


def has_lr(dataset: Any) -> bool:
    """Say whether every sample of a data set comes with an LR image.

    Args:
        dataset: Ours, which know, or any other, whose first sample is looked at.
    """
    known = getattr(dataset, "has_lr", None)
    if isinstance(known, bool):
        return known
    sample = dataset[0] if len(dataset) else {}
    return sample.get("lr") is not None


def simulated_camera(dataset: Any) -> Degradation | None:
    """Return the simulated camera that made a data set's LR, whose true kernels are known.

    Args:
        dataset: Any data set; one with such a camera has it as ``simulated_camera``. Real data
            have none: what they call their camera may be a name.
    """
    camera = getattr(dataset, "simulated_camera", None)
    return camera if isinstance(camera, Degradation) else None
