"""Load a config: find it, read and merge it, resolve what it names, check it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from mmengine.config import Config

from realdeg.config.check import check_keys, validate
from realdeg.config.find import config_name, find
from realdeg.config.merge import Dropped, apply_options, collecting_dropped, log_dropped
from realdeg.config.read import read_config
from realdeg.config.shape import look_up
from realdeg.config.told import check_told
from realdeg.errors import ConfigError
from realdeg.registry import DATASETS, TASKS, load_plugins
from realdeg.utils.arguments import arguments_of
from realdeg.utils.files import names_a_file

logger = logging.getLogger(__name__)


def load_config(
    path_or_name: str | os.PathLike[str],
    options: Mapping[str, Any] | None = None,
    sample: bool = False,
    *,
    check: bool = True,
) -> Config:
    """Load a config, ready for ``inject``.

    A changed ``type`` replaces its dict, in ``_base_`` and in ``options``; the log names the
    dropped keys. Nothing is built and no data is read.

    Args:
        path_or_name: A file, the folder of a run, or the name of a recipe such as
            ``dml/dml_n8_realsr_x4``. ``@x2`` after a file or a name asks for another scale of a
            recipe that comes in several. A ``.py`` file is a program and is run; ``.yaml``,
            ``.json`` and the configs of run folders are read as data.
        options: Dotted keys and values that override the file, as ``--cfg-options`` gives them.
            ``scale`` is the same as ``@x2`` for a recipe that comes in that scale.
        sample: Replace all data by the built-in sample and shorten the schedule. Options override
            that, too.
        check: Also look up every type and argument, which imports torch.

    Returns:
        The merged config. ``filename`` is the file's path, with the scale in its name where the
        recipe comes in several.

    Raises:
        ConfigError: If the file is not found or broken, or names something unknown.
    """
    options = dict(options or {})
    with collecting_dropped() as dropped:
        imports_given = any(key.split(".")[0] == "custom_imports" for key in options)
        scale = options.get("scale")
        cfg = read_config(find(path_or_name), scale, imports_given=imports_given)
        schedule = cfg.get("train_cfg")
        iterations = schedule.get("max_iters") if isinstance(schedule, Mapping) else None
        apply_options(cfg, options)
    check_keys(cfg)
    _resolve(cfg)
    _import_custom(cfg)
    if not check and not sample:
        log_dropped(dropped)
        return cfg
    load_plugins()
    if cfg.get("recipe") and cfg.get("sample"):
        logger.warning("SAMPLE RUN of %s, as the config in its folder says.", cfg.recipe)
    elif sample or cfg.get("sample"):
        from realdeg.config.sample import use_sample

        cfg["sample"] = True
        validate(cfg)  # the recipe itself, so that its own mistakes are reported
        name = config_name(cfg.filename)
        use_sample(cfg, name, options, iterations if isinstance(iterations, int) else 0)
        with collecting_dropped():  # the same keys again
            apply_options(cfg, options)
        _resolve(cfg)
    if check:
        _fill_evaluators(cfg)
        validate(cfg)
        check_told(cfg)
    log_dropped([_relevant(one) for one in dropped])
    return cfg


def _relevant(dropped: Dropped) -> Dropped:
    """Leave out keys that only the former data set takes: they mean nothing for the new one."""
    key = dropped.place.rpartition(".")[2]
    # Not parts of a data set, such as the degradation of kernels.
    if "_dataloader.dataset" not in dropped.place or not (key == "dataset" or key.isdigit()):
        return dropped
    takes = arguments_of(look_up(DATASETS, dropped.new, dropped.place))
    return replace(dropped, keys=tuple(key for key in dropped.keys if key in takes))


def _resolve(cfg: Config) -> None:
    """Write out the short forms, in place: components by name or path, loops by default."""
    for key in ("degradation", "backbone"):
        value = cfg.get(key)
        if isinstance(value, str | os.PathLike):
            text = os.fspath(value)
            cfg[key] = {"checkpoint": text} if names_a_file(text) else {"type": text}
        _name_scale(cfg.get(key), cfg.get("scale"))
    for stage in ("val", "test"):
        if cfg.get(f"{stage}_dataloader") is not None:
            cfg.setdefault(f"{stage}_cfg", dict(type="EvalLoop"))
            if isinstance(cfg[f"{stage}_cfg"], dict) and cfg[f"{stage}_cfg"]:
                cfg[f"{stage}_cfg"].setdefault("type", "EvalLoop")


def _fill_evaluators(cfg: Config) -> None:
    """Use the protocol of the task or of the data where a config names no metrics."""
    model = cfg.get("model")
    for stage in ("val", "test"):
        loader = cfg.get(f"{stage}_dataloader")
        if loader is None or f"{stage}_evaluator" in cfg or not model:
            continue
        task = look_up(TASKS, model.get("type"), "model")
        dataset = (loader.get("dataset") or {}).get("type")
        data = look_up(DATASETS, dataset, f"{stage}_dataloader.dataset") if dataset else None
        learning = getattr(task, "component", None) == "degradation"
        protocol = "lr-fidelity" if learning else getattr(data, "protocol", None)
        if protocol is not None:
            metric = dict(type="ImageQuality", protocol=protocol, metrics=["psnr", "ssim"])
            cfg[f"{stage}_evaluator"] = dict(type="Evaluator", metrics=[metric])


def _name_scale(value: Any, scale: Any) -> None:
    """Insert the scale into paths of weights such as ``work_dirs/dml_x{scale}/...``."""
    for item in value if isinstance(value, list | tuple) else ():
        _name_scale(item, scale)
    if isinstance(value, dict):
        file = value.get("checkpoint")
        if isinstance(file, str) and isinstance(scale, int | float):
            value["checkpoint"] = file.replace("{scale}", f"{scale:g}")
        for item in value.values():
            _name_scale(item, scale)


def _import_custom(cfg: Config) -> None:
    custom = cfg.get("custom_imports")
    if not custom:
        return
    if "imports" not in custom:
        raise ConfigError(
            f"'custom_imports' is {custom!r}, wanted dict(imports=['your_package.module'])."
        )
    imports = custom["imports"]
    import_modules(
        [imports] if isinstance(imports, str) else imports,
        "custom_imports",
        allow_failed=bool(custom.get("allow_failed_imports")),
    )


def import_modules(names: Sequence[str], source: str, *, allow_failed: bool = False) -> None:
    """Import the user's modules, so that their components are registered.

    Args:
        names: Modules that the user has named. A name out of a file must never get here.
        source: Where they were named, for messages.
        allow_failed: Only warn about what cannot be imported.

    Raises:
        ConfigError: If one cannot be imported.
    """
    for name in names:
        try:
            import_module(name)
        except (Exception, SystemExit) as error:  # a third-party module may raise anything
            if allow_failed:
                logger.warning("%s: %s is left out (%s)", source, name, error)
                continue
            absent = isinstance(error, ModuleNotFoundError) and error.name == name.split(".")[0]
            hint = " Is its folder on PYTHONPATH?" if absent else ""
            raise ConfigError(
                f"{source} names '{name}', which cannot be imported:"
                f" {type(error).__name__}: {error}.{hint}"
            ) from error
