"""Turn the arguments of a call into what is done at test time beyond one pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from realdeg.apis.create import create_degradation, source_config
from realdeg.backbones.base import Backbone
from realdeg.backbones.refinement import Refinement
from realdeg.degradations.back_projection import BackProjection
from realdeg.degradations.base import Degradation
from realdeg.errors import ConfigError, argument_name
from realdeg.registry import DEGRADATIONS
from realdeg.utils.annotations import mismatch
from realdeg.utils.geometry import check_geometry


def refinement_of(
    backbone: Backbone,
    self_ensemble: bool,
    back_projection: Mapping[str, Any] | BackProjection | None,
) -> Refinement:
    """Return what a network's images are refined by.

    Args:
        backbone: The network.
        self_ensemble: Whether eight passes are averaged.
        back_projection: ``dict(degradation=..., iterations=10)`` or an object; None: none.

    Raises:
        ConfigError: If a setting is unknown or out of range, or the network does not allow it.
        GeometryError: If the degradation has another scale or grid.
    """
    place = argument_name("back_projection")
    wrong = mismatch(self_ensemble, bool)
    if wrong:
        raise ConfigError(f"'{argument_name('self_ensemble')}' {wrong}.")
    if not isinstance(back_projection, Mapping | BackProjection | None):
        raise ConfigError(
            f"'{place}' is {back_projection!r:.80}, wanted dict(degradation='Bicubic',"
            " iterations=10)."
        )
    if isinstance(back_projection, Mapping):
        settings = dict(back_projection)
        source = settings.get("degradation")
        if isinstance(source, Mapping):  # its own scale would be replaced
            check_geometry(source, backbone.scale, backbone.same_size, f"'{place}.degradation'")
        if source is not None:
            settings["degradation"] = create_degradation(
                source, backbone.scale, backbone.same_size, trained=True
            )
        back_projection = BackProjection.from_config(
            settings, place, backbone.scale, backbone.same_size
        )
    refinement = Refinement(self_ensemble, back_projection)
    refinement.check(backbone)
    return refinement


def refine_test(
    cfg: Config, self_ensemble: bool | None, back_projection: Mapping[str, Any] | None
) -> None:
    """Write what a test does beyond one pass into its config.

    Args:
        cfg: The config, changed in place.
        self_ensemble: Whether eight passes are averaged; None: as the config states.
        back_projection: ``dict(degradation=..., iterations=10)``; None: as the config states.

    Raises:
        ConfigError: If the degradation is not found.
    """
    added: dict[str, Any] = {}
    if self_ensemble is not None:
        added["self_ensemble"] = self_ensemble
    if back_projection is not None:
        if not isinstance(back_projection, Mapping):
            raise ConfigError(
                f"'{argument_name('back_projection')}' is {back_projection!r:.80}, wanted"
                " dict(degradation='Bicubic', iterations=10)."
            )
        settings = dict(back_projection)
        source = settings.get("degradation")
        if isinstance(source, Degradation):
            raise ConfigError(
                "the back-projection of a test takes a degradation by name, dict, config or file:"
                f" save the {type(source).__name__} and give its path."
            )
        if source is not None:
            settings["degradation"] = source_config(source, "degradation", DEGRADATIONS, {})[0]
        added["back_projection"] = settings
    if added:
        cfg.test_cfg = {"type": "EvalLoop", **(cfg.get("test_cfg") or {}), **added}
