"""Optimiser wrappers: mixed precision on any device, several optimisers, and none at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmengine.registry import MODEL_WRAPPERS, OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS
from torch import Tensor, nn

from realdeg.engine.state import unwrapped
from realdeg.errors import ConfigError, TrainingError
from realdeg.utils.deprecation import renamed_class

SUFFIX = "_step"


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Computes the losses under ``torch.autocast``.

    mmengine's ``AmpOptimWrapper`` requires an accelerator; this one works on any device with
    autocast. bfloat16 has the range of float32, so no gradient scaling is needed.

    Args:
        dtype: ``"bfloat16"``. For float16, which needs a gradient scaler, use mmengine's
            ``AmpOptimWrapper``.
        **kwargs: Arguments of mmengine's ``OptimWrapper``.

    Raises:
        ConfigError: If another dtype is asked for.
    """

    def __init__(self, *, dtype: str = "bfloat16", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if dtype != "bfloat16":
            raise ConfigError(
                f"AutocastOptimWrapper takes dtype='bfloat16', got '{dtype}': float16 needs a"
                " gradient scaler, which mmengine's AmpOptimWrapper has."
            )
        self.dtype = torch.bfloat16

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter autocast, and block gradient synchronisation while gradients accumulate."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, dtype=self.dtype):
            yield


@OPTIM_WRAPPERS.register_module()
class NoOptimWrapper(OptimWrapper):
    """A placeholder where mmengine requires an optimiser and nothing is optimised."""

    def __init__(self) -> None:
        super().__init__(torch.optim.SGD([torch.zeros(1)], lr=0.0))

    def update_params(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Raise a TrainingError."""
        raise TrainingError("this run is fitted in closed form: there is nothing to step.")


class NamedOptimWrappers(OptimWrapperDict):
    """mmengine's OptimWrapperDict; it refuses the state of other optimisers."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load the state of every optimiser, by name.

        Raises:
            ValueError: If the names differ.
        """
        if set(state_dict) != set(self.optim_wrappers):
            raise ValueError(
                f"it is of {', '.join(sorted(map(str, state_dict)))}, wanted"
                f" {', '.join(sorted(self.optim_wrappers))}"
            )
        super().load_state_dict(dict(state_dict))


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MultiOptimizerConstructor:
    """Builds an optimiser wrapper for each named part of a task.

    In the config::

        optim_wrapper = dict(
            constructor="MultiOptimizerConstructor",
            degradation_step=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4)),
            discriminator_step=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4)),
        )

    ``<part>_step`` steps the parameters of the task's attribute ``<part>``. A list of schedulers
    applies to all of them, a dict gives each its own by the same names.

    Args:
        optim_wrapper_cfg: The wrappers by name.
        paramwise_cfg: Refused here; it belongs in the wrappers.

    Raises:
        ConfigError: If a name or a wrapper is not valid.
    """

    def __init__(
        self, optim_wrapper_cfg: Mapping[str, Any], paramwise_cfg: Mapping[str, Any] | None = None
    ) -> None:
        if paramwise_cfg:
            raise ConfigError(
                "'optim_wrapper.paramwise_cfg' is beside several optimisers: move it into the one"
                " it is meant for."
            )
        for name, cfg in optim_wrapper_cfg.items():
            place = f"optim_wrapper.{name}"
            if not name.endswith(SUFFIX) or not isinstance(cfg, Mapping):
                raise ConfigError(
                    f"'{place}': with constructor='MultiOptimizerConstructor' the keys are"
                    f" '<part of the task>{SUFFIX}' and hold dict(type='OptimWrapper',"
                    " optimizer=...)."
                )
            if cfg.get("accumulative_counts", 1) != 1:
                raise ConfigError(
                    f"'{place}.accumulative_counts': gradients are not accumulated where several"
                    " optimisers take turns; raise the batch size instead."
                )
        if not optim_wrapper_cfg:
            raise ConfigError("'optim_wrapper' names no optimiser.")
        self.cfg = optim_wrapper_cfg

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        """Build the wrappers of a task, which may be wrapped itself.

        Raises:
            ConfigError: If the task has no such part.
        """
        model = unwrapped(model)
        wrappers: dict[str, OptimWrapper] = {}
        for name, cfg in self.cfg.items():
            part = getattr(model, name.removesuffix(SUFFIX), None)
            if not isinstance(part, nn.Module):
                raise ConfigError(
                    f"'optim_wrapper.{name}': the task {type(model).__name__} has no part"
                    f" '{name.removesuffix(SUFFIX)}'."
                )
            wrappers[name] = build_optim_wrapper(part, cfg)
        return NamedOptimWrappers(**wrappers)


@MODEL_WRAPPERS.register_module()
class ManualGradientSync(nn.Module):
    """Replaces DistributedDataParallel for a task that averages its gradients itself.

    DistributedDataParallel supports one backward pass per forward pass, and one optimiser. A task
    with its own ``train_step`` calls mmengine's ``all_reduce_params`` on its gradients before each
    step instead. All processes start from the weights of the first, which mmengine's runner
    broadcasts.

    Args:
        module: The task.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the task."""
        return self.module(*args, **kwargs)

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> Any:
        """Train on one batch; the task averages its gradients."""
        return self.module.train_step(data, optim_wrapper)  # type: ignore[operator]

    def val_step(self, data: Any) -> Any:
        """Predict."""
        return self.module.val_step(data)  # type: ignore[operator]

    def test_step(self, data: Any) -> Any:
        """Predict."""
        return self.module.test_step(data)  # type: ignore[operator]


# Names in configs of version 0.1.
SeveralOptimisers = OPTIM_WRAPPER_CONSTRUCTORS.register_module(
    module=renamed_class("SeveralOptimisers", MultiOptimizerConstructor)
)
StepsForItself = MODEL_WRAPPERS.register_module(
    module=renamed_class("StepsForItself", ManualGradientSync)
)
