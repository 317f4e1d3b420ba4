"""Check the outputs of a model during validation: kernels that vary with the scene, and images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import Tensor

from realdeg.engine.hooks.early_stop import stop
from realdeg.engine.state import unwrapped
from realdeg.errors import TrainingError
from realdeg.registry import HOOKS
from realdeg.utils.colour import to_colour
from realdeg.utils.place import Place
from realdeg.utils.samples import Predictions

COLLAPSED = "collapsed"
_NOTE = "outputs_watched"
# The number of images whose kernels are checked, the side of their centre crop in HR pixels, and
# the number of points in each.
_PICTURES, _SIDE, _POINTS = 2, 256, 64
# Kernels that differ from their mean by less than this share of it count as one kernel.
_LEAST_SPREAD = 0.01
# A network whose kernels differ by less than this has died; an untrained one differs by more.
_DEAD = 1e-4
# How far the sum of a kernel may be from 1.
_MOST_GAIN = 0.1
# Images with less than this share of the targets' brightness or contrast are black or constant.
_LEAST_SHARE = 0.1


@HOOKS.register_module()
class OutputsHook(Hook):
    """Checks the outputs of the model while it is validated.

    - For a degradation with a field of kernels (``kernels_at``), every validation logs how far the
      kernels, and the mixing weights if any, vary over the image, and the sum of the kernels. A
      field that has collapsed to one kernel, and kernels whose sum is far from 1, get a warning.
    - Predictions that are black or constant get a warning. NaN or infinity ends the run.

    Each warning is given once per run. The first validation of a long run warns only of black or
    constant images.

    Args:
        stop_when_collapsed: Whether a field that does not vary at all any more, because its network
            has died, also ends the run.
    """

    priority = "LOW"  # after the metrics have been logged

    def __init__(self, stop_when_collapsed: bool = False) -> None:
        self.stop_when_collapsed = stop_when_collapsed
        self._kernels: list[Tensor] = []
        self._weights: list[Tensor] = []
        self._spread = 0.0
        self._moments = torch.zeros(2, 3, dtype=torch.float64)

    def before_val_epoch(self, runner: Any) -> None:
        """Forget the previous validation."""
        self._kernels, self._weights = [], []
        self._moments = torch.zeros(2, 3, dtype=torch.float64)

    def before_measuring(self, runner: Any, outputs: Predictions = ()) -> None:
        """Refuse predictions that are not finite, before they are measured.

        Raises:
            TrainingError: Naming the image, and the share of its values that are not finite.
        """
        if not runner.training:
            return
        for sample in outputs:
            image = sample.get("prediction") if isinstance(sample, Mapping) else None
            if not isinstance(image, Tensor) or not image.is_floating_point():
                continue
            broken = 1 - float(torch.isfinite(image).double().mean())
            if broken:
                raise TrainingError(
                    f"validation at iteration {runner.iter}: {broken:.1%} of the prediction for"
                    f" '{sample.get('key')}' is NaN or infinite. The checkpoint of this"
                    f" iteration is in {runner.work_dir}; a smaller learning rate or gradient"
                    " clipping (optim_wrapper.clip_grad) from an earlier one may help."
                )

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: object = None, outputs: Predictions = ()
    ) -> None:
        """Collect statistics of the predictions, and kernels of the first images."""
        if not runner.training:
            return
        task = unwrapped(runner.model)
        degradation, component = (getattr(task, n, None) for n in ("degradation", "component"))
        for sample in outputs:
            if not (isinstance(sample, Mapping) and "input" in sample):
                return
            prediction = sample["prediction"].double()
            colour = "y" if prediction.shape[0] == 1 else "rgb"
            target = to_colour(sample["target"], colour).double()
            for row, image in enumerate((prediction, target)):
                self._moments[row] += torch.stack(
                    [image.mean(), image.std(), torch.ones((), dtype=torch.float64)]
                )
            if degradation is not None and len(self._kernels) < _PICTURES:
                # HR is the input of a degradation, and the target of a network.
                hr = sample["input"] if component == "degradation" else sample["target"]
                self._collect_kernels(degradation, hr, (sample.get("meta") or {}).get("place"))

    @torch.no_grad()
    def _collect_kernels(self, degradation: Any, hr: Tensor, place: Any) -> None:
        if getattr(degradation, "one_kernel", False):
            return  # nothing that could collapse
        stride = degradation.stride
        size = [min(side, _SIDE) // stride * stride for side in hr.shape[-2:]]
        first = [(side - part) // 2 for side, part in zip(hr.shape[-2:], size, strict=True)]
        part = hr[:, first[0] : first[0] + size[0], first[1] : first[1] + size[1]][None]
        parameter = next(degradation.parameters(), None)
        part = part if parameter is None else part.to(parameter)
        rows, columns = (side // stride for side in size)
        across = round(_POINTS**0.5)
        points = [
            (rows * (2 * i + 1) // (2 * across), columns * (2 * j + 1) // (2 * across))
            for i in range(across)
            for j in range(across)
        ]
        at = {}
        if getattr(degradation, "uses_place", False) and place is not None:
            at["place"] = Place(*place).cropped(*first, *size)
        try:
            kernels = degradation.kernels_at(part, points, **at)
        except NotImplementedError:
            return
        self._kernels.append(kernels.detach().double().cpu())
        mixing = getattr(degradation, "weights", None)
        if callable(mixing):
            down, along = (list(places) for places in zip(*points, strict=True))
            chosen = mixing(part)[0][:, down, along]
            self._weights.append(chosen.T.detach().double().cpu())

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, Any] | None = None) -> None:
        """Log the spread of the kernels, and warn of what is wrong."""
        if not metrics or not runner.training:
            return
        hub = runner.message_hub
        # Not a count: a validation that is repeated after a resume must not change it.
        state = dict(hub.get_info(_NOTE) or {"first": runner.iter, "told": []})
        faults = self._dark()
        if self._kernels:
            faults += self._field(
                runner, late=state["first"] < runner.iter or runner.iter >= runner.max_iters
            )
        for name, message in faults:
            if name not in state["told"]:
                state["told"] = [*state["told"], name]
                runner.logger.warning("%s", message)
            dead = name == COLLAPSED and self._spread < _DEAD
            if dead and self.stop_when_collapsed and runner.iter < runner.max_iters:
                stop(runner, f"{COLLAPSED} to one kernel")
        hub.update_info(_NOTE, state)

    def _dark(self) -> list[tuple[str, str]]:
        made, wanted = self._moments
        if not float(made[2]):
            return []
        (mean, deviation), (light, contrast) = (m[:2] / m[2] for m in (made, wanted))
        if mean >= _LEAST_SHARE * light and deviation >= _LEAST_SHARE * contrast:
            return []
        what = "black" if mean < _LEAST_SHARE * light else "constant"
        return [
            (
                "dark",
                f"the predictions are {what}: mean {mean:.3f} and deviation {deviation:.3f}, the"
                f" targets have {light:.3f} and {contrast:.3f}. Unless that changes soon, restart"
                " with another seed or initialisation, or a smaller learning rate.",
            )
        ]

    def _field(self, runner: Any, late: bool) -> list[tuple[str, str]]:
        degradation: Any = unwrapped(runner.model).degradation
        kernels = torch.cat(self._kernels)
        sums = kernels.sum((1, 2))
        numbers = {"kernel_sum": float(sums.mean())}
        text = f"kernels sum to {float(sums.min()):.3f} .. {float(sums.max()):.3f}"
        varies = degradation.fitting == "gradient"
        if varies:
            numbers["kernel_spread"] = self._spread = spread(kernels)
            text += f", differ from place to place by {numbers['kernel_spread']:.2%}"
        if self._weights:
            numbers["weight_spread"] = spread(torch.cat(self._weights))
            text += f" (mixing weights by {numbers['weight_spread']:.2%})"
        runner.logger.info("%s", text.replace("%", " %"))
        runner.visualizer.add_scalars(
            {f"val/{key}": value for key, value in numbers.items()}, step=runner.iter
        )
        faults: list[tuple[str, str]] = []
        name = type(degradation).__name__
        if late and varies and numbers["kernel_spread"] < _LEAST_SPREAD:
            faults.append(
                (
                    COLLAPSED,
                    f"{name} has collapsed to one kernel for every content: its kernels differ from"
                    f" place to place by {numbers['kernel_spread']:.2%}".replace("%", " %")
                    + ". GlobalKernel finds the best single kernel in minutes; restart with a"
                    " smaller learning rate or another seed.",
                )
            )
        if late and abs(numbers["kernel_sum"] - 1) > _MOST_GAIN:
            faults.append(
                (
                    "sum",
                    f"the kernels of {name} sum to {numbers['kernel_sum']:.3f} on average"
                    f" ({float(sums.min()):.3f} .. {float(sums.max()):.3f}): LR becomes"
                    f" {'brighter' if numbers['kernel_sum'] > 1 else 'darker'} than HR. Either the"
                    " pairs differ in brightness, or the kernels have not been learned yet.",
                )
            )
        return faults


def spread(values: Tensor) -> float:
    """Return how far vectors differ from their mean, as a share of the mean's length.

    Args:
        values: One vector or kernel per row, shape (P, ...).

    Returns:
        The root mean square distance from the mean over the norm of the mean; infinite where the
        mean is zero and the vectors are not.
    """
    vectors = values.flatten(1)
    mean = vectors.mean(0)
    distance = float((vectors - mean).square().sum(1).mean().sqrt())
    length = float(mean.norm())
    if length == 0:
        return 0.0 if distance == 0 else float("inf")
    return distance / length
