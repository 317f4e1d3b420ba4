"""Self-ensemble and back-projection in the loops of validation and test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from realdeg.backbones.refinement import Refinement
from realdeg.degradations.back_projection import BackProjection
from realdeg.engine.state import unwrapped
from realdeg.errors import ConfigError


def build_refinement(
    runner: Any, self_ensemble: bool, back_projection: Mapping[str, Any] | None
) -> Refinement:
    """Build what an evaluation loop does beyond one pass.

    Args:
        runner: Its model is built.
        self_ensemble: Whether eight passes are averaged.
        back_projection: Arguments of :class:`BackProjection`; None: none.

    Raises:
        ConfigError: If the task has no network, or the network allows no such refinement.
    """
    if not self_ensemble and back_projection is None:
        return Refinement()
    task: Any = unwrapped(runner.model)
    if not isinstance(getattr(task, "refinement", None), Refinement):
        raise ConfigError(
            f"self_ensemble and back_projection refine the images of a network, and the task"
            f" {type(task).__name__} has none: remove them from val_cfg and test_cfg."
        )
    network = task.backbone
    projection = None
    if back_projection is not None:
        projection = BackProjection.from_config(
            back_projection, "back_projection", network.scale, network.same_size
        )
    refinement = Refinement(self_ensemble, projection)
    refinement.check(network)
    return refinement


@contextmanager
def refining(runner: Any, refinement: Refinement) -> Iterator[None]:
    """Have the task refine its images while the block runs.

    Args:
        runner: The runner whose task refines; its device holds the degradation.
        refinement: What :func:`build_refinement` returned.
    """
    if not refinement:
        yield
        return
    task: Any = unwrapped(runner.model)
    before = task.refinement
    if refinement.back_projection is not None:
        refinement.back_projection.to(runner.device)
    task.refinement = refinement
    try:
        yield
    finally:
        task.refinement = before
