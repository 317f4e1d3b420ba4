"""Build a config's data sets once: looked at before a run, and handed to it."""

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

    :func:`use_data_sets` hands them to the runner, so that nothing is built twice.

    Args:
        cfg: The injected config.
        keys: Which data loaders, such as ``"train_dataloader"``.

    Returns:
        The data sets by data loader, of those that the config has.

    Raises:
        DataError: If files are missing or damaged.
        GeometryError: If they are of another geometry, naming the recipe that fits.
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
    """Have a runner take data sets that are already built; its config keeps what it says of them.

    Args:
        runner: A runner that has not begun.
        built: What :func:`build_data_sets` returned.
    """
    for key, dataset in built.items():
        set_data_set(runner, key, dataset)


def _check_remainders(key: str, dataset: Any) -> None:
    """Refuse HR images that no degradation can shrink, before the first one meets it."""
    remainders = getattr(dataset, "remainders", None)
    found = remainders() if callable(remainders) else []
    if found:
        more = f"\n  and {len(found) - 1} more" if len(found) > 1 else ""
        raise DataError(
            f"'{key}' holds HR images that the degradation cannot shrink: add"
            " dict(type='ModCrop') as the first transform, which cuts the last rows and columns,"
            f" or remove these files.\n  {found[0]}{more}"
        )
