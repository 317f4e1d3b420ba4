"""Packages that only some parts need."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal

from realdeg.errors import ConfigError


def needed(
    module: Literal["pyarrow", "pyarrow.parquet", "lmdb", "fsspec", "av", "ray", "ray.data"],
    extra: str,
    what: str,
) -> Any:
    """Import an optional package.

    Args:
        module: The package.
        extra: The extra of realdeg that installs it.
        what: What needs it.

    Raises:
        ConfigError: If it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name != package:
            raise
        raise ConfigError(
            f"{what} needs the package {package}, which is not installed:"
            f" pip install 'realdeg[{extra}]'."
        ) from error
