"""Train a network that estimates a kernel for each pixel of a degraded image."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from typing_extensions import Self

from realdeg.degradations import Degradation, kernels_of, widened
from realdeg.degradations.base import DegradationLike
from realdeg.degradations.build import degradation_from_config
from realdeg.degradations.estimation.base import KernelEstimator, estimator_from_config
from realdeg.degradations.estimation.field_estimator import FieldEstimator
from realdeg.errors import ConfigError, DataError, GeometryError, RealdegError
from realdeg.ops import kernel_apply
from realdeg.registry import TASKS
from realdeg.tasks.base import ImageTask, predictions_of
from realdeg.tasks.low_resolution import LowResolution
from realdeg.utils.argument_types import Component, Count, NonNegative, Scale
from realdeg.utils.geometry import check_geometry
from realdeg.utils.place import Place, places_in
from realdeg.utils.precision import full_precision
from realdeg.utils.samples import Batch, Prediction
from realdeg.utils.streams import stream_seed

# Draws of a degradation that are looked at before training: a container may choose its parts.
_DRAWS = 8
_NONE: dict[str, Any] = {"type": "AdaptiveKernelBasis"}


@TASKS.register_module()
class KernelFieldLearning(ImageTask):
    """Trains an estimator of kernel fields on HR images, degraded by what knows its kernels.

    Two losses: ``loss_kernel`` is the error of the estimated kernels, summed over the taps and
    averaged over pixels; ``loss_reblur`` the mean squared difference of LR and of HR degraded by
    the estimate. In training the kernels are compared at the crossings of some rows and columns,
    which each batch draws anew.

    In validation LR is made from HR, too; real LR, of which no kernel is known, is not looked at.
    ``KernelFieldError`` measures the kernels, and image metrics HR degraded by the estimate.

    Args:
        estimator: Config or object of a ``FieldEstimator``: ``AdaptiveKernelBasis``.
        degradation: Config, path or object that knows its kernels: SampleCamera, DML, BlurDown.
        norm: Error of a tap: ``"l1"`` or ``"l2"``. The authors' file was trained with ``"l2"``
            first, then with ``"l1"``.
        kernel_weight: Weight of ``loss_kernel``.
        reblur_weight: Weight of ``loss_reblur``.
        points: Largest number of rows, and of columns, at whose crossings kernels are compared;
            128 in the authors' code.
        scale: HR pixels per LR pixel.
        same_size: Whether LR lies on the HR grid.
        quantise: Whether LR is clipped and rounded to 8 bit, as in files.

    Raises:
        ConfigError: If the degradation does not know its kernels, or is untrained; if the estimator
            is of another kind.
        GeometryError: If estimator and degradation differ in geometry, or the degradation's kernels
            are larger.

    Source:
        Carbajal et al., arXiv 2102.01026; utils/reblur.py of
        GuillermoCarbajal/NonUniformBlurKernelEstimation, commit 2f91308. Ours: both weights are 1,
        each pixel of a smooth field counts alike, and images are degraded as they are stored,
        without the authors' power of 2.2 and model of saturation.
    """

    component: ClassVar[str] = "estimator"
    own_losses: ClassVar[tuple[str, ...]] = ("loss_kernel", "loss_reblur")
    scheduled: ClassVar[tuple[str, ...]] = ("kernel_weight", "reblur_weight")
    least_patch: ClassVar[int] = 132  # 33 LR pixels, which kernels of 33 x 33 need, at scale 4

    def __init__(
        self,
        estimator: Annotated[KernelEstimator | Mapping[str, Any], Component("estimator")] = _NONE,
        degradation: DegradationLike = "SampleCamera",
        norm: Literal["l1", "l2"] = "l1",
        kernel_weight: NonNegative = 1.0,
        reblur_weight: NonNegative = 1.0,
        points: Count = 128,
        scale: Scale | None = None,
        same_size: bool | None = None,
        quantise: bool = True,
    ) -> None:
        super().__init__(None)
        geometry = {"scale": scale, "same_size": same_size}
        stated = {name: value for name, value in geometry.items() if value is not None}
        built = estimator_from_config(estimator, **stated)
        if not isinstance(built, FieldEstimator):
            raise _not_a_field(type(built).__name__)
        check_geometry(built, scale, same_size, f"the estimator {type(built).__name__}")
        self.estimator = built.requires_grad_(True).train()
        self.norm, self.points = norm, points
        self.kernel_weight, self.reblur_weight = float(kernel_weight), float(reblur_weight)
        camera = degradation_from_config(degradation, built.scale, built.same_size)
        if not camera.is_trained:
            raise ConfigError(
                f"the degradation {type(camera).__name__} has not been learned: give its checkpoint"
                " (degradation=dict(checkpoint='.../degradation.safetensors'))."
            )
        _check_kernels(built, camera)
        # Not a part of the task: it is fixed, and what it was is in the config.
        self._fixed = (LowResolution(camera.requires_grad_(False), "rgb", quantise),)

    @classmethod
    def check_recipe(cls, cfg: Mapping[str, Any]) -> None:
        """Refuse an estimator of another kind, and a degradation without kernels of its size.

        Args:
            cfg: The whole config.

        Raises:
            ConfigError: If the degradation does not know its kernels.
            GeometryError: If its kernels are larger than the estimator's.
        """
        model, degradation = cfg["model"], cfg.get("degradation", cfg["model"].get("degradation"))
        geometry = {name: cfg[name] for name in ("scale", "same_size") if cfg.get(name) is not None}
        given = {key: value for key, value in model.get("estimator", _NONE).items()}
        given.pop("weights", None)
        if "checkpoint" in given:
            return  # a file decides, and is checked when the estimator is built
        try:
            with torch.device("meta"):
                built = estimator_from_config(given, **geometry)
            camera = degradation_from_config(degradation or "SampleCamera", **geometry)
        except RealdegError:
            return  # said with its place where the component is built
        if not isinstance(built, FieldEstimator):
            raise _not_a_field(type(built).__name__)
        _check_kernels(built, camera)

    @property
    def camera(self) -> Degradation:
        """The degradation."""
        degradation = self._fixed[0].degradation
        assert degradation is not None
        return degradation

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Compare the estimate with the true kernels, and HR degraded by it with LR.

        Raises:
            DataError: If the patches are smaller than the estimator takes.
        """
        lr = self._lr(batch)
        basis, weights = self.estimator(lr)
        height, width = (int(side) for side in lr.shape[2:])
        rng = np.random.default_rng(stream_seed(batch["seeds"][0], "points"))
        rows, columns = (
            sorted(int(n) for n in rng.permutation(side)[: self.points]) for side in (height, width)
        )
        found, truth = self._kernels(batch, basis, weights, rows, columns)
        error = found - truth
        taps = error.abs() if self.norm == "l1" else error.square()
        losses = {"loss_kernel": self.kernel_weight * taps.sum((2, 3)).mean()}
        border = -(-(self.estimator.size - 1) // (2 * self.estimator.stride))
        inner = (..., slice(border, height - border), slice(border, width - border))
        again = self._degraded(batch["hr"], basis, weights)
        losses["loss_reblur"] = self.reblur_weight * (again - lr)[inner].square().mean()
        return losses

    @torch.no_grad()
    def predict(self, batch: Batch) -> list[Prediction]:
        """Return HR degraded by the estimate beside LR, with kernels at evenly spaced pixels."""
        lr = self._lr(batch)
        basis, weights = self.estimator(lr)
        rows, columns = (_evenly(int(side), self.points) for side in lr.shape[2:])
        found, truth = self._kernels(batch, basis, weights, rows, columns)
        hr = batch["hr"]
        again = self._degraded(hr, basis, weights)
        predictions = predictions_of(batch, again, lr, hr, self.estimator.scale)
        for index, one in enumerate(predictions):
            one["kernels"], one["true_kernels"] = found[index].cpu(), truth[index].cpu()
        return predictions

    def output(self, batch: Batch) -> Tensor:
        """Return the weights of the batch, shape (B, N, h, w)."""
        weights: Tensor = self.estimator(self._lr(batch))[1]
        return weights

    def export(self, path: str | os.PathLike[str], meta: Mapping[str, Any]) -> str:
        """Write the estimator."""
        return self.estimator.save(path, meta)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # The degradation still follows the model to its device.
        self.camera._apply(fn, recurse)  # type: ignore[no-untyped-call]
        made: Self = super()._apply(fn, recurse)
        return made

    def _lr(self, batch: Batch) -> Tensor:
        count = batch["hr"].shape[0]
        unpaired = torch.zeros(count, dtype=torch.bool)
        lr = self._fixed[0]({**batch, "lr": None, "paired": unpaired})
        least = self.estimator.smallest
        if min(lr.shape[2:]) < least:
            raise DataError(
                f"images of {lr.shape[2]} x {lr.shape[3]} LR pixels are too small for"
                f" {type(self.estimator).__name__}, which needs {least} x {least}: raise patch_size"
                f" to {least * self.estimator.stride} or more, or take smaller kernels"
                " (model.estimator.size)."
            )
        return lr

    def _degraded(self, hr: Tensor, basis: Tensor, weights: Tensor) -> Tensor:
        with full_precision(hr):
            return kernel_apply(hr, weights.float(), basis.float(), self.estimator.stride)

    def _kernels(
        self, batch: Batch, basis: Tensor, weights: Tensor, rows: list[int], columns: list[int]
    ) -> tuple[Tensor, Tensor]:
        """Return estimated and true kernels at all crossings, (B, P, k, k) each."""
        hr = batch["hr"]
        points = [(row, column) for row in rows for column in columns]
        with full_precision(hr):
            traces = self.camera.sample(hr, batch["seeds"], places_in(batch))
            truth = kernels_of(self.camera, hr, traces, points)
            shares = weights[:, :, rows][..., columns].flatten(2).float()
            found = torch.einsum("bnp,bnij->bpij", shares, basis.float())
            return found, widened(truth, self.estimator.size, self.estimator.stride)


def _check_kernels(estimator: FieldEstimator, camera: Degradation) -> None:
    side = max(4 * camera.stride, 16) // camera.stride * camera.stride
    hr = torch.full((1, 3, side, side), 0.5)
    for seed in range(_DRAWS):
        traces = camera.sample(hr, [seed], [Place.whole(side, side)])
        found = kernels_of(camera, hr, traces, [(1, 1)]).shape[-1]
        if found > estimator.size:
            raise GeometryError(
                f"the degradation's kernels are {found} x {found}, and the estimator's"
                f" {estimator.size} x {estimator.size}: set model.estimator.size to {found} or more"
                " (9, 17, 33 or 65), or take smaller kernels."
            )


def _evenly(length: int, most: int) -> list[int]:
    if length <= most:
        return list(range(length))
    return sorted({round((i + 0.5) * length / most - 0.5) for i in range(most)})


def _not_a_field(name: str) -> ConfigError:
    return ConfigError(
        f"'model.estimator' is {name}, which has no network of kernel fields: KernelFieldLearning"
        " trains AdaptiveKernelBasis."
    )
