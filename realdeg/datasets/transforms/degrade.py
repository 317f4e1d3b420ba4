"""A degradation in the data loader's workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from realdeg.datasets.transforms.base import Transform, place_in
from realdeg.degradations.base import DegradationLike
from realdeg.errors import ConfigError
from realdeg.registry import TRANSFORMS
from realdeg.utils.image import as_rgb, round_to_8_bit, to_tensor
from realdeg.utils.samples import Sample
from realdeg.utils.scales import as_scale

if TYPE_CHECKING:
    from realdeg.degradations import Degradation


@TRANSFORMS.register_module()
class Degrade(Transform):
    """Make LR from HR by a degradation, on the worker's CPU.

    The degradation uses the sample's seed, so LR equals that made from the same patch on the
    training device. Crop first, so that only the patch is degraded.

    Args:
        degradation: A degradation's config, or the file of a learned one.
        quantise: Whether LR is clipped and rounded to 8 bit, as in camera files.
        record: Whether the trace is stored as JSON in ``meta['trace']``.

    Raises:
        ConfigError: If the sample already has LR, or the degradation is not trained.
    """

    makes_lr = True

    def __init__(
        self,
        degradation: DegradationLike,
        quantise: bool = False,
        record: bool = False,
    ) -> None:
        self.degradation = degradation
        self.quantise = quantise
        self.record = record
        self._built: dict[tuple[float, bool], Degradation] = {}

    def __call__(self, results: Sample) -> Sample:
        """Return the sample with ``lr`` added."""
        if results.get("lr") is not None:
            raise ConfigError(
                f"Degrade: '{results['key']}' has a real LR already; use it for HR images alone."
            )
        degradation = self._build(as_scale(results["scale"]), bool(results["same_size"]))
        hr = to_tensor(as_rgb(results["hr"]))[None]
        with torch.no_grad():
            traces = degradation.sample(hr, [results["seed"]], [place_in(results)])
            lr = degradation.replay(hr, traces)[0]
        if self.quantise:
            lr = round_to_8_bit(lr)
        results["lr"] = np.ascontiguousarray(lr.numpy().transpose(1, 2, 0))
        if self.record:
            results["meta"]["trace"] = traces[0].to_json()
        return results

    def _build(self, scale: float, same_size: bool) -> Degradation:
        # Built in the worker that uses it: no module is sent to a spawned process.
        if (scale, same_size) not in self._built:
            from realdeg.degradations.build import degradation_from_config

            built = degradation_from_config(
                self.degradation, scale=scale, same_size=same_size
            ).eval()
            if not built.is_trained:
                raise ConfigError(
                    f"Degrade: {built.describe()} has not been trained; name its file with"
                    " dict(checkpoint='...')."
                )
            self._built[scale, same_size] = built.requires_grad_(False)
        return self._built[scale, same_size]

    def __getstate__(self) -> dict[str, Any]:
        """Drop the built module when a worker process is spawned."""
        return {**self.__dict__, "_built": {}}

    def __repr__(self) -> str:
        return f"Degrade(degradation={self.degradation!r})"
