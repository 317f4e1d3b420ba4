"""Training with several optimisers, each for a part of the task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmengine.registry import MODEL_WRAPPERS, OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from realdeg.engine.state import unwrapped
from realdeg.errors import ConfigError

SUFFIX = "_step"


class NamedOptimWrappers(OptimWrapperDict):
    """mmengine's OptimWrapperDict, which refuses the state of other optimisers."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Give every optimiser its state back.

        Args:
            state_dict: By name.

        Raises:
            ValueError: If the names are others.
        """
        if set(state_dict) != set(self.optim_wrappers):
            raise ValueError(
                f"it is of {', '.join(sorted(map(str, state_dict)))}, wanted"
                f" {', '.join(sorted(self.optim_wrappers))}"
            )
        super().load_state_dict(dict(state_dict))


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class SeveralOptimisers:
    """Builds an optimiser wrapper for each named part of a task.

    In the config::

        optim_wrapper = dict(
            constructor="SeveralOptimisers",
            degradation_step=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4)),
            discriminator_step=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4)),
        )

    ``<part>_step`` steps the parameters of the task's attribute ``<part>``. Schedulers count for
    all of them, or are named likewise.

    Args:
        optim_wrapper_cfg: The wrappers by name.
        paramwise_cfg: mmengine's; belongs into the single wrappers.

    Raises:
        ConfigError: If a name or a wrapper makes no sense.
    """

    def __init__(
        self, optim_wrapper_cfg: Mapping[str, Any], paramwise_cfg: Mapping[str, Any] | None = None
    ) -> None:
        if paramwise_cfg:
            raise ConfigError(
                "'optim_wrapper.paramwise_cfg' stands beside several optimisers: put it into the"
                " one it is meant for."
            )
        for name, cfg in optim_wrapper_cfg.items():
            place = f"optim_wrapper.{name}"
            if not name.endswith(SUFFIX) or not isinstance(cfg, Mapping):
                raise ConfigError(
                    f"'{place}': with constructor='SeveralOptimisers' the keys are"
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
        """Build the wrappers.

        Args:
            model: The task, wrapped or not.

        Returns:
            The wrappers by name.

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
class StepsForItself(nn.Module):
    """Stands where DistributedDataParallel would, for a task that averages gradients itself.

    DistributedDataParallel knows one backward pass for each forward pass and one optimiser. A
    task with a ``train_step`` of its own calls mmengine's ``all_reduce_params`` on its gradients
    before each step instead. All processes begin with the weights of the first, as mmengine's
    runner hands them round.

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
