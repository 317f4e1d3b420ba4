"""Train one scale after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from annotated_types import MinLen
from mmengine.hooks import Hook

from realdeg.engine.state import unwrapped
from realdeg.errors import ConfigError
from realdeg.registry import HOOKS
from realdeg.utils.argument_types import Scales, Whole
from realdeg.utils.scales import as_scale

Stages = Annotated[Sequence[tuple[Whole, Scales]], MinLen(1)]
"""Pairs of an iteration, counted from 0, and the scales that are drawn from then on."""


@HOOKS.register_module()
class CurriculumHook(Hook):
    """Decides from which scales the sampler draws, iteration by iteration.

    For any network of several scales the stages are stated::

        model = dict(scales=[2, 4, 8])
        custom_hooks = [
            dict(type="CurriculumHook", stages=[(0, [2]), (2000, [2, 4]), (4000, [2, 4, 8])])
        ]

    A network that grows during training has stages of its own (ProSR): its ``set_progress(share)``
    receives the share of the run that is done, and returns the scales to draw from.

    Both follow from the iteration alone, so resuming needs no state.

    Args:
        stages: Pairs of an iteration, counted from 0, and the scales that are drawn from then on,
            of those in ``model.scales``. None asks the network.

    Raises:
        ConfigError: If there are neither stages nor a network with its own, or both; if the sampler
            draws no scales; if the stages do not fit ``model.scales``.

    Source:
        Wang, Perazzi, McWilliams, Sorkine-Hornung, Sorkine-Hornung, Schroers, A Fully Progressive
        Approach to Single-Image Super-Resolution, CVPRW 2018 (networks that grow).
    """

    works_once: ClassVar[bool] = True
    """A run has one such hook."""

    opens_scales: ClassVar[bool] = True
    """Whether the config's check compares ``stages`` with ``model.scales``."""

    def __init__(self, stages: Stages | None = None) -> None:
        self.check_config({"stages": stages})
        self.stages = [(at, [as_scale(s) for s in scales]) for at, scales in stages or ()]

    @classmethod
    def check_config(cls, settings: Mapping[str, Any], place: str = "") -> None:
        """Refuse stages whose iterations do not ascend from 0.

        Args:
            settings: The arguments.
            place: The hook's place in the config, for messages.

        Raises:
            ConfigError: Naming the iterations.
        """
        begin = [at for at, _ in settings.get("stages") or ()]
        if begin and (begin[0] != 0 or any(b <= a for a, b in zip(begin, begin[1:], strict=False))):
            raise ConfigError(
                f"'{place + '.' if place else ''}stages' begin at {', '.join(map(str, begin))},"
                " wanted iterations that ascend from 0."
            )

    def before_train(self, runner: Any) -> None:
        """Tell the sampler from which scales to draw."""
        task = unwrapped(runner.model)
        self.attach(task, runner.train_dataloader.sampler, runner.max_iters)
        if not self.stages:
            # It was asked for all iterations, and a resumed run may validate before its first.
            self._backbone(runner).set_progress(runner.iter / runner.max_iters)

    def attach(self, task: Any, sampler: Any, max_iters: int) -> None:
        """Tell a sampler from which scales to draw.

        Args:
            task: The task.
            sampler: The sampler of the training data.
            max_iters: The number of iterations of the run.

        Raises:
            ConfigError: If the network, the sampler and the stages do not fit each other.
        """
        backbone = getattr(task, "backbone", None)
        grows = hasattr(backbone, "set_progress")
        if not grows and not self.stages:
            raise ConfigError(
                f"CurriculumHook: {type(backbone).__name__} has no curriculum of its own"
                " (set_progress), as ProSR has: state which scales are drawn from which iteration,"
                " stages=[(0, [2]), (1000, [2, 4])]."
            )
        if grows and self.stages:
            raise ConfigError(
                f"CurriculumHook: {type(backbone).__name__} has a curriculum of its own: remove"
                " 'stages'."
            )
        if not getattr(sampler, "scales", None):
            raise ConfigError(
                "CurriculumHook: the sampler draws no scales: set model.scales, for instance"
                " [2, 4, 8]."
            )
        sampler.curriculum = self.stages or self._of_network(backbone, max_iters)
        for at, scales in sampler.curriculum:
            if not set(scales) & set(sampler.scales):
                named, listed = (", ".join(map(str, found)) for found in (scales, sampler.scales))
                raise ConfigError(
                    f"CurriculumHook: from iteration {at} on, scale {named} is drawn, which is not"
                    f" in model.scales ({listed}): add it."
                )

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: object = None) -> None:
        """Tell a network that grows how much of the run is done."""
        if not self.stages:
            self._backbone(runner).set_progress(runner.iter / runner.max_iters)

    def after_train(self, runner: Any) -> None:
        """Set a network that grows to its final state, without blending."""
        if not self.stages:
            self._backbone(runner).set_progress(1.0)

    def _of_network(self, backbone: Any, total: int) -> list[tuple[int, list[float]]]:
        """Return the stages of a network that grows, in a run of so many iterations."""
        found: list[tuple[int, list[float]]] = []
        for done in range(total):
            scales = list(backbone.set_progress(done / total))
            if not found or scales != found[-1][1]:
                found.append((done, scales))
        return found

    def _backbone(self, runner: Any) -> Any:
        return getattr(unwrapped(runner.model), "backbone", None)
