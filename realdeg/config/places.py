"""Which registry answers for a ``type``, by the place where it stands in a config."""

from __future__ import annotations

from typing import Any

from mmengine.registry import (
    EVALUATOR,
    FUNCTIONS,
    LOG_PROCESSORS,
    MODEL_WRAPPERS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    RUNNERS,
    VISBACKENDS,
    VISUALIZERS,
)

from realdeg.errors import ConfigError, nearest
from realdeg.registry import (
    BACKBONES,
    DATA_SAMPLERS,
    DATASETS,
    DEGRADATIONS,
    DISCRIMINATORS,
    HOOKS,
    LOOPS,
    LOSSES,
    METRICS,
    TASKS,
    TRANSFORMS,
)
from realdeg.utils.mmengine_internals import find_registered

# The top-level keys of a config, and for those that hold components, the registry.
TOP_LEVEL: dict[str, Any] = {
    "degradation": DEGRADATIONS,
    "backbone": BACKBONES,
    "scale": None,
    "same_size": None,
    "seed": None,
    "data_root": None,
    "sample": None,
    "recipe": None,
    "model": TASKS,
    "train_dataloader": None,
    "val_dataloader": None,
    "test_dataloader": None,
    "train_cfg": LOOPS,
    "val_cfg": LOOPS,
    "test_cfg": LOOPS,
    "val_evaluator": EVALUATOR,
    "test_evaluator": EVALUATOR,
    "optim_wrapper": OPTIM_WRAPPERS,
    "param_scheduler": PARAM_SCHEDULERS,
    "auto_scale_lr": None,
    "default_hooks": HOOKS,
    "custom_hooks": HOOKS,
    "custom_imports": None,
    "data_preprocessor": TASKS,
    "model_wrapper_cfg": MODEL_WRAPPERS,
    "env_cfg": None,
    "visualizer": VISUALIZERS,
    "vis_backends": VISBACKENDS,
    "log_processor": LOG_PROCESSORS,
    "log_level": None,
    "load_from": None,
    "resume": None,
    "randomness": None,
    "work_dir": None,
    "default_scope": None,
    "launcher": None,
    "experiment_name": None,
    "runner_type": RUNNERS,
    "device": None,
    "compile_model": None,
}

# Further down the key itself says what stands there; where it does not, the registry of the
# enclosing component goes on.
BY_KEY: dict[str, Any] = {
    "degradation": DEGRADATIONS,
    "degradations": DEGRADATIONS,
    "parts": DEGRADATIONS,
    "part": DEGRADATIONS,
    "otherwise": DEGRADATIONS,
    "again": DEGRADATIONS,
    "backbone": BACKBONES,
    "discriminator": DISCRIMINATORS,
    "loss": LOSSES,
    "losses": LOSSES,
    "dataset": DATASETS,
    "datasets": DATASETS,
    "transform": TRANSFORMS,
    "transforms": TRANSFORMS,
    "pipeline": TRANSFORMS,
    "sampler": DATA_SAMPLERS,
    "metric": METRICS,
    "metrics": METRICS,
    "optimizer": OPTIMIZERS,
    "constructor": OPTIM_WRAPPER_CONSTRUCTORS,
    "collate_fn": FUNCTIONS,
    "worker_init_fn": FUNCTIONS,
    "data_preprocessor": TASKS,
    "vis_backends": VISBACKENDS,
}


def registry_at(key: str, enclosing: Any) -> Any:
    """Return the registry for what stands under ``key``.

    Args:
        key: The key, such as ``dataset`` or ``pixel_loss`` (its last word counts).
        enclosing: The registry of the component around it, or None.

    Returns:
        A registry, or None where types mean nothing.
    """
    for word in (key, key.rsplit("_", 1)[-1]):
        if word in BY_KEY:  # a registry is falsy until something is looked up in it
            return BY_KEY[word]
    return enclosing


def look_up(registry: Any, name: Any, place: str) -> Any:
    """Return what ``name`` stands for in a registry of realdeg or of mmengine.

    Args:
        registry: The registry.
        name: The value of ``type``.
        place: Where it stands, for the message.

    Returns:
        A class or a function.

    Raises:
        ConfigError: If it is unknown, saying what was searched and what comes nearest.
    """
    if not isinstance(name, str):
        if callable(name):
            return name
        raise ConfigError(f"'{place}.type' is {name!r}, wanted the name of a {registry.name}.")
    found = find_registered(registry, name)
    if found is None:
        # mmengine's registries are filled when their modules are imported; its runner needs all.
        import mmengine.runner
        import mmengine.visualization  # noqa: F401

        found = find_registered(registry, name)
    if found is None:
        parent = registry.parent
        known = set(registry.module_dict) | set(parent.module_dict if parent else ())
        own = ", ".join(sorted(registry.module_dict)) or "nothing"
        of = f" and mmengine's {parent.name}s" if parent is not None else ""
        raise ConfigError(
            f"no {registry.name} named '{name}' at '{place}.type': searched {own}{of}."
            f"{nearest(name, known)} Components of your own are brought in by custom_imports or"
            " the 'realdeg.plugins' entry point."
        )
    return found
