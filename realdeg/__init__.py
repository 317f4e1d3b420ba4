"""realdeg: learn how a camera degrades images, and train super-resolution that holds up.

Names are imported when they are first used, so ``import realdeg`` costs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from realdeg.version import __version__

_LAZY = {
    "Degrader": "realdeg.apis",
    "SuperResolver": "realdeg.apis",
    "build_backbone": "realdeg.backbones",
    "build_degradation": "realdeg.degradations",
    "create_backbone": "realdeg.backbones",
    "load_config": "realdeg.config",
    "list_backbones": "realdeg.registry",
    "list_datasets": "realdeg.registry",
    "list_degradations": "realdeg.registry",
    "list_discriminators": "realdeg.registry",
    "list_hooks": "realdeg.registry",
    "list_losses": "realdeg.registry",
    "list_metrics": "realdeg.registry",
    "list_tasks": "realdeg.registry",
    "list_transforms": "realdeg.registry",
}

__all__ = ["__version__", *sorted(_LAZY)]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'realdeg' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
