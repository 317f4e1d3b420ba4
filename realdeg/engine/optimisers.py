"""Several optimisers in one run, and the parameters that an optimiser gets."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmengine.registry import MODEL_WRAPPERS, OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from realdeg.engine.state import unwrapped
from realdeg.engine.wrappers import AutocastOptimWrapper, NoOptimWrapper
from realdeg.errors import ConfigError, nearest
from realdeg.utils.deprecation import renamed_class

__all__ = [
    "AutocastOptimWrapper",
    "ManualGradientSync",
    "MultiOptimizerConstructor",
    "NamedOptimWrappers",
    "NoOptimWrapper",
    "check_parts",
]

SUFFIX = "_step"


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
                    " optimisers take turns, because each is to see what the other's step has"
                    " changed; take a smaller batch_size or patch_size."
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
        # Schedules follow the iterations, and a player may rest in the first of them.
        warnings.filterwarnings("ignore", r"Detected call of `scheduler\.step", UserWarning)
        wrappers: dict[str, OptimWrapper] = {}
        for name, cfg in self.cfg.items():
            part = getattr(model, name.removesuffix(SUFFIX), None)
            if not isinstance(part, nn.Module):
                raise ConfigError(
                    f"'optim_wrapper.{name}': the task {type(model).__name__} has no part"
                    f" '{name.removesuffix(SUFFIX)}'."
                )
            wrappers[name] = build_optim_wrapper(part, cfg)
            wrappers[name].name = name
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


def check_parts(model: nn.Module, wrapper: Any) -> None:
    """Refuse rates for parts that a task does not have.

    Args:
        model: The task, which may be wrapped.
        wrapper: The config's ``optim_wrapper``; wrappers that are built pass.

    Raises:
        ConfigError: If a key of ``paramwise_cfg.custom_keys`` is in no parameter's name, naming
            the nearest.
    """
    model = unwrapped(model)
    for place, name, cfg in _configs_of(wrapper):
        part = getattr(model, name, None) if name else model
        paramwise = cfg.get("paramwise_cfg")
        keys = paramwise.get("custom_keys") if isinstance(paramwise, Mapping) else None
        if not (isinstance(part, nn.Module) and isinstance(keys, Mapping)):
            continue
        names = [name for name, _ in part.named_parameters()]
        for key in keys:
            if not any(str(key) in name for name in names):
                known = {part for name in names for part in (*name.split("."), name)}
                raise ConfigError(
                    f"'{place}.paramwise_cfg.custom_keys' has {key!r}, which is in the name of no"
                    f" parameter of {type(part).__name__}.{nearest(str(key), sorted(known))}"
                )


def _configs_of(wrapper: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield place, part of the task (empty for all of it) and config of each optimiser."""
    if not isinstance(wrapper, Mapping):
        return
    if "optimizer" in wrapper:
        yield "optim_wrapper", "", wrapper
        return
    for name, cfg in wrapper.items():
        if isinstance(cfg, Mapping):
            yield f"optim_wrapper.{name}", str(name).removesuffix(SUFFIX), cfg
