"""The road of a config: find it, read and merge it, resolve what it names, check it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from mmengine.config import Config

from realdeg.config.check import check_keys, validate
from realdeg.config.find import config_name, find, is_folder
from realdeg.config.merge import Dropped, apply_options, collecting_dropped, log_dropped
from realdeg.config.read import read_config
from realdeg.config.shape import look_up
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

    A changed ``type`` replaces its dict, in ``_base_`` and in ``options``; the log names what was
    dropped. Nothing is built and no data is read.

    Args:
        path_or_name: A file, the folder of a run, or the name of a recipe such as
            ``dml/dml_n8_realsr_x4``. ``@x2`` behind a file or a name asks for another scale of a
            recipe that comes in several. A ``.py`` file is a program and is run; ``.yaml``,
            ``.json`` and what a folder holds are read as data.
        options: Dotted keys and values laid over the file, as ``--cfg-options`` gives them.
        sample: Put the built-in sample in place of all data and shorten the schedule; options
            still win.
        check: Also look up every type and argument, which imports torch.

    Returns:
        The merged config; ``filename`` is the file's path, with the scale in its name where the
        recipe comes in several.

    Raises:
        ConfigError: If the file is not found or broken, or names something unknown.
    """
    options = dict(options or {})
    with collecting_dropped() as dropped:
        file = find(path_or_name)
        imports_given = any(key.split(".")[0] == "custom_imports" for key in options)
        cfg = read_config(file, of_run=is_folder(Path(path_or_name)), imports_given=imports_given)
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
        logger.warning("SAMPLE RUN of %s, as its folder has it.", cfg.recipe)
    elif sample or cfg.get("sample"):
        from realdeg.config.sample import use_sample

        # The recipe itself is checked first, so that a typing error in it does not go unseen.
        validate(cfg)
        name = config_name(cfg.filename)
        use_sample(cfg, name, options, iterations if isinstance(iterations, int) else 0)
        with collecting_dropped():  # the same once more
            apply_options(cfg, options)
        _resolve(cfg)
    if check:
        _fill_evaluators(cfg)
        validate(cfg)
    log_dropped([_that_matters(one) for one in dropped])
    return cfg


def _that_matters(dropped: Dropped) -> Dropped:
    """Leave out what a former data set alone could take: its folders mean nothing to the next."""
    if "_dataloader.dataset" not in dropped.place:
        return dropped
    takes = arguments_of(look_up(DATASETS, dropped.new, dropped.place))
    return replace(dropped, keys=tuple(key for key in dropped.keys if key in takes))


def _resolve(cfg: Config) -> None:
    """Write out what a config says in short, in place: components by name or path, loops."""
    for key in ("degradation", "backbone"):
        value = cfg.get(key)
        if value is not None and not isinstance(value, Mapping):
            if not isinstance(value, str | os.PathLike):
                raise ConfigError(
                    f"'{key}' is {value!r:.200}, wanted dict(type=...), the path of a file of"
                    " weights or a dict(checkpoint=...) of it, or a registered name."
                )
            text = os.fspath(value)
            cfg[key] = {"checkpoint": text} if names_a_file(text) else {"type": text}
        _name_scale(cfg.get(key), cfg.get("scale"))
    for stage in ("val", "test"):
        if cfg.get(f"{stage}_dataloader") is not None:
            cfg.setdefault(f"{stage}_cfg", dict(type="EvalLoop"))


def _fill_evaluators(cfg: Config) -> None:
    """Measure by the protocol of the task or of the data, where a config names no metrics."""
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
    """Fill the config's scale into the names of weights, ``work_dirs/dml_x{scale}/...``."""
    for item in value if isinstance(value, list | tuple) else ():
        _name_scale(item, scale)
    if isinstance(value, dict):
        file = value.get("checkpoint")
        if isinstance(file, str) and isinstance(scale, int | float):
            value["checkpoint"] = file.replace("{scale}", f"{scale:g}")
        for item in value.values():
            _name_scale(item, scale)


def _import_custom(cfg: Config) -> None:
    """Import what ``custom_imports`` names, so that its components are registered."""
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


def import_modules(names: Sequence[str], said: str, *, allow_failed: bool = False) -> None:
    """Import modules of the user's own, so that their components are registered.

    Args:
        names: The modules, which the user has named: nothing that a file says belongs here.
        said: Where they were named, for messages.
        allow_failed: Warn of what cannot be imported, and go on.

    Raises:
        ConfigError: If one cannot be imported.
    """
    for name in names:
        try:
            import_module(name)
        # A stranger's module may raise anything, SystemExit included.
        except (Exception, SystemExit) as error:
            if allow_failed:
                logger.warning("%s: %s is left out (%s)", said, name, error)
                continue
            absent = isinstance(error, ModuleNotFoundError) and error.name == name.split(".")[0]
            hint = " Is its folder on PYTHONPATH?" if absent else ""
            raise ConfigError(
                f"{said} names '{name}', which cannot be imported:"
                f" {type(error).__name__}: {error}.{hint}"
            ) from error
