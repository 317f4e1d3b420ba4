"""Train one scale after another, for a network that grows during training."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook

from realdeg.engine.state import unwrapped
from realdeg.errors import ConfigError
from realdeg.registry import HOOKS


@HOOKS.register_module()
class CurriculumHook(Hook):
    """Gives a network the progress of its training, and the sampler the scales to draw from.

    Both follow from the iteration alone, so resuming needs no state. The network's
    ``set_progress(share)`` sets its state and returns the scales to draw from; later shares return
    more of them.

    Raises:
        ConfigError: If the network has no curriculum, or the sampler draws no scales.

    Source:
        Wang, Perazzi, McWilliams, Sorkine-Hornung, Sorkine-Hornung, Schroers, A Fully Progressive
        Approach to Single-Image Super-Resolution, CVPRW 2018.
    """

    def before_train(self, runner: Any) -> None:
        """Find the iteration from which each scale is drawn."""
        backbone = self._backbone(runner)
        if not hasattr(backbone, "set_progress"):
            raise ConfigError(
                f"CurriculumHook: {type(backbone).__name__} has no curriculum (set_progress), ProSR"
                " has one: remove the hook or change the backbone."
            )
        sampler = runner.train_dataloader.sampler
        if not getattr(sampler, "scales", None):
            raise ConfigError(
                "CurriculumHook: the sampler draws no scales: set model.scales, for instance"
                " [2, 4, 8]."
            )
        total = runner.max_iters

        def opens(scale: float) -> int:
            found = (scale in backbone.set_progress(done / total) for done in range(total))
            return next((done for done, is_open in enumerate(found) if is_open), total)

        sampler.starts = {scale: opens(scale) for scale in sampler.scales}
        if min(sampler.starts.values()):
            first = ", ".join(map(str, backbone.set_progress(0.0)))
            raise ConfigError(
                f"CurriculumHook: {type(backbone).__name__} starts with scale {first}, which is not"
                f" in model.scales ({', '.join(map(str, sampler.scales))}): add it."
            )
        # The calls above changed it, and a resumed run may validate before its first iteration.
        backbone.set_progress(runner.iter / total)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: object = None) -> None:
        """Set the network's progress."""
        self._backbone(runner).set_progress(runner.iter / runner.max_iters)

    def after_train(self, runner: Any) -> None:
        """Set the network to its final state, without blending."""
        self._backbone(runner).set_progress(1.0)

    def _backbone(self, runner: Any) -> Any:
        return getattr(unwrapped(runner.model), "backbone", None)
