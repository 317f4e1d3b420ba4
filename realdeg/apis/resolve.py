"""Former names of :mod:`realdeg.apis.create`."""

from __future__ import annotations

from typing import Any

from realdeg.apis.create import create_backbone, create_degradation
from realdeg.backbones.base import Backbone
from realdeg.degradations.base import Degradation
from realdeg.utils.deprecation import warn_renamed


def load_backbone(source: Any, **settings: Any) -> Backbone:
    """Make a trained network; deprecated."""
    warn_renamed("load_backbone", "realdeg.create_backbone(..., trained=True)")
    return create_backbone(source, trained=True, **settings)


def load_degradation(source: Any, **settings: Any) -> Degradation:
    """Make a trained degradation; deprecated."""
    warn_renamed("load_degradation", "realdeg.create_degradation(..., trained=True)")
    return create_degradation(source, trained=True, **settings)
