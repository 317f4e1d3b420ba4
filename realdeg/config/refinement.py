"""Check what a loop does at test time beyond one pass of a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realdeg.config.check import check_degradation
from realdeg.config.shape import look_up
from realdeg.errors import ConfigError
from realdeg.registry import TASKS


def check_refinement(cfg: Mapping[str, Any], key: str) -> None:
    """Refuse, before data are opened, a self-ensemble or back-projection that cannot be.

    Args:
        cfg: The config, with its geometry.
        key: ``"val_cfg"`` or ``"test_cfg"``.

    Raises:
        ConfigError: If the task trains no network; if the degradation is untrained, draws at
            random, or has wrong arguments.
        GeometryError: If it has another scale or grid.
        CheckpointError: If its file is missing or damaged.
    """
    loop = cfg.get(key) or {}
    projection = loop.get("back_projection")
    if projection is None and not loop.get("self_ensemble"):
        return
    task = look_up(TASKS, cfg["model"]["type"], "model")
    if getattr(task, "component", None) != "backbone":
        name = "self_ensemble" if projection is None else "back_projection"
        raise ConfigError(
            f"'{key}.{name}' refines the images of a network, and the task"
            f" {cfg['model']['type']} has none: remove it."
        )
    if projection is None:
        return
    from realdeg.degradations.back_projection import BackProjection  # imports torch

    place = f"{key}.back_projection"
    source = projection.get("degradation")
    if source is not None:
        check_degradation(cfg, source, f"{place}.degradation", jointly=False)
    BackProjection.from_config(projection, place, cfg["scale"], cfg["same_size"])
