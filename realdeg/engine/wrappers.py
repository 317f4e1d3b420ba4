"""Wrappers of an optimiser: clipping, accumulation, mixed precision, and none at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from mmengine import optim
from mmengine.logging import MMLogger
from torch import Tensor, nn

from realdeg.engine.console import say
from realdeg.engine.devices import bfloat16_fault
from realdeg.errors import ConfigError, TrainingError
from realdeg.registry import OPTIM_WRAPPERS
from realdeg.utils.argument_types import Count
from realdeg.utils.clipping import BY_RATE, LIMITS, check_clipping


@OPTIM_WRAPPERS.register_module()
class OptimWrapper(optim.OptimWrapper):
    """mmengine's OptimWrapper, whose iterations are steps and whose limits may follow the rate.

    With ``accumulative_counts=k`` an iteration has k backward passes, each over a k-th of the
    batch, and one step: gradients are those of the mean over all samples. (mmengine counts every
    backward pass as an iteration.)

    The norm of the gradient before clipping is logged as ``grad_norm``.

    Args:
        optimizer: The optimiser.
        accumulative_counts: The number of backward passes before a step.
        clip_grad: ``dict(max_norm=0.4)`` limits the norm over all parameters,
            ``dict(type="value", clip_value=0.1)`` each element. With ``theta`` in place of
            ``max_norm`` or ``clip_value`` the limit is theta / learning rate, so that it grows as
            the rate falls (adjustable clipping). For parts with their own rate it is that of the
            others. None does not clip.

    Raises:
        ConfigError: If ``clip_grad`` has no limit, or unknown keys.

    Source:
        Kim, Lee, Lee, Accurate Image Super-Resolution Using Very Deep Convolutional Networks, CVPR
        2016, section 3.2 (elements are limited to theta / rate). What DRRN and MemNet were trained
        with limits the norm to 0.01 / rate: github.com/tyshiwo/DRRN_CVPR17 at 0261848.
    """

    name = ""
    """The name of this optimiser where there are several, for the log."""

    def __init__(
        self,
        optimizer: Any,
        accumulative_counts: Count = 1,
        clip_grad: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, accumulative_counts)
        self.accumulative_counts = accumulative_counts
        if clip_grad is not None:
            check_clipping(clip_grad, "optim_wrapper.clip_grad")
        self.clipping = None if clip_grad is None else dict(clip_grad)

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Start to count backward passes.

        Args:
            model: The task.
            init_counts: The number of completed iterations.
            max_counts: The number of iterations of the run.
        """
        passes = self.accumulative_counts
        super().initialize_count_status(model, init_counts * passes, max_counts * passes)

    def step(self, **kwargs: Any) -> None:
        """Clip the accumulated gradient, then step."""
        if self.clipping is not None:
            self._limit(self.clipping)
        self.optimizer.step(**kwargs)

    def base_rate(self) -> float:
        """Return the current learning rate, without the factors of single parts."""
        rates: dict[str, list[float]] = self.get_lr()
        return float(rates.get("base_lr", rates["lr"])[0])

    def _limit(self, clipping: Mapping[str, Any]) -> None:
        groups = self.optimizer.param_groups
        tensors = [p for group in groups for p in group["params"] if p.grad is not None]
        if not tensors:
            return
        kind = clipping.get("type", "norm")
        limit, others = LIMITS[kind]
        options = {key: clipping[key] for key in others if key in clipping}
        if BY_RATE in clipping:
            rate = self.base_rate()
            value = clipping[BY_RATE] / rate if rate else float("inf")
        else:
            value = clipping[limit]
        if kind == "norm":
            norm = nn.utils.clip_grad_norm_(tensors, value, **options)
        else:
            norm = nn.utils.get_total_norm([p.grad for p in tensors], **options)
            nn.utils.clip_grad_value_(tensors, value, **options)
        prefix = f"{self.name}." if self.name else ""
        self.message_hub.update_scalar(f"train/{prefix}grad_norm", float(norm))


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Computes the losses under ``torch.autocast``.

    mmengine's ``AmpOptimWrapper`` requires an accelerator; this one works on any device with
    autocast. bfloat16 has the range of float32, so no gradient scaling is needed. On a device that
    has no instructions for bfloat16, training continues in float32, and a message says so.

    Args:
        dtype: ``"bfloat16"``. For float16, which needs a gradient scaler, use mmengine's
            ``AmpOptimWrapper``.
        **kwargs: Arguments of :class:`OptimWrapper`.

    Raises:
        ConfigError: If another dtype is given.
    """

    def __init__(self, *, dtype: str = "bfloat16", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if dtype != "bfloat16":
            raise ConfigError(
                f"AutocastOptimWrapper takes dtype='bfloat16', got '{dtype}': float16 needs a"
                " gradient scaler, which mmengine's AmpOptimWrapper has."
            )
        self.dtype = torch.bfloat16
        self._usable: bool | None = None

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter autocast, and block gradient synchronisation while gradients accumulate."""
        device = next(model.parameters()).device
        if self._usable is None:
            fault = bfloat16_fault(device)
            self._usable = not fault
            if fault:
                logger = MMLogger.get_current_instance()
                say(logger, "bfloat16 is not used, training is in float32: %s", fault)
        autocast = torch.autocast(device.type, dtype=self.dtype) if self._usable else nullcontext()
        with super().optim_context(model), autocast:
            yield


@OPTIM_WRAPPERS.register_module()
class NoOptimWrapper(OptimWrapper):
    """A placeholder where mmengine requires an optimiser and nothing is optimised."""

    def __init__(self) -> None:
        super().__init__(torch.optim.SGD([torch.zeros(1)], lr=0.0))

    def update_params(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Raise a TrainingError."""
        raise TrainingError("this run is fitted in closed form: there is nothing to step.")
