"""Build a config's data sets once: check them before a run, then pass them to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mmengine.config import Config

from realdeg.config.fill import recipe_hint
from realdeg.errors import DataError
from realdeg.registry import DATASETS
from realdeg.utils.mmengine_internals import set_data_set

if TYPE_CHECKING:
    from mmengine.runner import Runner


def build_data_sets(cfg: Config, keys: Iterable[str]) -> dict[str, Any]:
    """Build data sets and look at every file of theirs, before anything else is built.

    Args:
        cfg: The injected config.
        keys: The data loaders, such as ``"train_dataloader"``.

    Returns:
        The data sets by data loader, of those that the config has. :func:`use_data_sets` gives
        them to the runner, so that nothing is built twice.

    Raises:
        DataError: If files are missing or damaged.
        GeometryError: If they have another geometry, naming the recipe that fits.
    """
    built = {}
    for key in keys:
        if cfg.get(key) is None:
            continue
        with recipe_hint(cfg):
            built[key] = DATASETS.build(cfg[key]["dataset"])
            if callable(getattr(built[key], "check", None)):
                built[key].check()
            if cfg.get("degradation") is not None:
                _check_remainders(key, built[key])
    return built


def use_data_sets(runner: Runner, built: Mapping[str, Any]) -> None:
    """Have a runner that has not started use data sets that are built; its config is unchanged."""
    for key, dataset in built.items():
        set_data_set(runner, key, dataset)


def _check_remainders(key: str, dataset: Any) -> None:
    remainders = getattr(dataset, "remainders", None)
    found = remainders() if callable(remainders) else []
    if found:
        more = f"\n  and {len(found) - 1} more" if len(found) > 1 else ""
        raise DataError(
            f"'{key}' holds HR images that the degradation cannot shrink: add"
            " dict(type='ModCrop') as the first transform, which cuts the last rows and columns,"
            f" or remove these files.\n  {found[0]}{more}"
        )
