"""Stop before a loss that is not finite reaches the weights, or leave out a batch of excess."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Gt
from mmengine.hooks import Hook
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from realdeg.engine.devices import agree
from realdeg.engine.setup import named_wrappers
from realdeg.engine.state import unwrapped
from realdeg.errors import CheckpointError, TrainingError
from realdeg.registry import HOOKS
from realdeg.utils.argument_types import Count
from realdeg.utils.mmengine_internals import is_resuming

Losses = dict[str, Tensor]
_KEY = "skipped_batches"
"""The checkpoint's key of what has been skipped, and of the losses to compare with."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Ends the run when a loss, or a weight about to be saved, is NaN or infinite.

    The losses are summed on the device as the forward pass returns them. Whether the sum is finite
    is checked once, before the optimiser's step, so that it does not delay the backward pass. The
    terms are checked only if it is not.

    With ``skip_threshold``, a batch whose loss is not finite, or is more than so many times the
    mean of the last ``window`` losses, is left out: its step is not taken, and neither weights nor
    moments change. With several optimisers this holds for each and its own losses, with accumulated
    gradients for the whole iteration.

    Args:
        skip_threshold: The ratio above which a batch is left out. None leaves out none, and ends
            the run when a loss is not finite.
        window: The number of losses to compare with. Until there are as many, no batch is left out
            for its size.
        skip_limit: The number of batches after which the run ends instead.

    Raises:
        TrainingError: As described.

    Source:
        ``skip_threshold`` of EDSR-PyTorch (trainer.py, which compares with the mean loss of the
        epoch before, 1000 batches; its default of 1e8 leaves out none).
    """

    priority = "HIGH"

    def __init__(
        self,
        skip_threshold: Annotated[float, Gt(1)] | None = None,
        window: Count = 1000,
        skip_limit: Count = 100,
    ) -> None:
        self.skip_threshold, self.window, self.skip_limit = skip_threshold, window, skip_limit
        self.skipped = 0
        self._recent: dict[str, deque[float]] = {}
        self._losses: list[Losses] = []
        self._total: Tensor | None = None
        self._skipping = False
        self._handles: list[RemovableHandle] = []

    def before_train(self, runner: Any) -> None:
        """Watch the model's losses and the optimiser's steps."""
        self.after_train(runner)
        self._handles.append(unwrapped(runner.model).register_forward_hook(self._note))
        for name, wrapper in named_wrappers(runner.optim_wrapper):

            def check(optimizer: torch.optim.Optimizer, *_: Any, name: str = name) -> None:
                if self._is_skipped(runner, name):
                    # Without gradients a step changes nothing.
                    optimizer.zero_grad(set_to_none=True)

            self._handles.append(wrapper.optimizer.register_step_pre_hook(check))

    def after_train(self, runner: Any) -> None:
        """Stop watching."""
        for handle in self._handles:
            handle.remove()
        self._handles, self._losses, self._total, self._skipping = [], [], None, False

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Restore what has been skipped."""
        saved = checkpoint.get(_KEY)
        if self.skip_threshold is None or saved is None or not is_resuming(runner):
            return
        try:
            self.skipped = int(saved["count"])
            self._recent = {
                str(name): deque(values.tolist(), maxlen=self.window)
                for name, values in saved["recent"].items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"'{_KEY}' of the checkpoint is damaged: take another checkpoint."
            ) from error

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Refuse to save weights that are not finite.

        Raises:
            TrainingError: Naming the first such tensor.
        """
        if self.skip_threshold is not None and "optimizer" in checkpoint:
            recent = {
                name: torch.tensor(list(values), dtype=torch.float64)
                for name, values in self._recent.items()
            }
            checkpoint[_KEY] = {"count": self.skipped, "recent": recent}
        floats = {
            name: value
            for name, value in checkpoint["state_dict"].items()
            if isinstance(value, Tensor) and value.is_floating_point()
        }
        if not floats:
            return
        flags = torch.stack([torch.isfinite(value).all() for value in floats.values()]).cpu()
        if not bool(flags.all()):
            name = next(key for key, flag in zip(floats, flags.tolist(), strict=True) if not flag)
            raise TrainingError(
                f"the weights '{name}' hold NaN or infinity after iteration"
                f" {checkpoint['meta']['iter']}: nothing was saved, the last good checkpoint in"
                f" {runner.work_dir} is kept. A smaller learning rate or gradient clipping"
                " (optim_wrapper.clip_grad) may help."
            )

    def _note(self, module: nn.Module, args: Any, output: Any) -> None:
        if not (module.training and isinstance(output, Mapping)):
            return
        losses = {
            name: value.detach().float().mean()
            for name, value in output.items()
            if "loss" in name and isinstance(value, Tensor)
        }
        if not losses:
            return
        total = torch.stack(list(losses.values())).sum()
        self._losses.append(losses)
        self._total = total if self._total is None else self._total + total

    def _is_skipped(self, runner: Any, optimiser: str) -> bool:
        """Check the losses since the last step; return whether this step is left out."""
        if self._total is None:
            return self._skipping  # a further optimiser steps on the same losses
        self._skipping = False
        total = float(self._total) / len(self._losses)
        losses, self._losses, self._total = self._losses, [], None
        finite = math.isfinite(total)
        broken = agree(not finite, runner.device)
        if self.skip_threshold is None:
            if broken:
                raise TrainingError(self._report(runner, losses))
            return False
        recent = self._recent.setdefault(optimiser, deque(maxlen=self.window))
        usual = sum(recent) / len(recent) if len(recent) == self.window else float("inf")
        excess = agree(finite and abs(total) > self.skip_threshold * abs(usual), runner.device)
        if not (broken or excess):
            recent.append(total)
            return False
        self.skipped += 1
        if broken:
            what = f"the loss {_broken_terms(losses)}"
        else:
            named = ", ".join(f"'{name}' {value:.4g}" for name, value in _means(losses).items())
            what = (
                f"the loss is {total:.4g} ({named}), more than {self.skip_threshold:g} times the"
                f" mean of the last {self.window}, {usual:.4g}"
            )
        if self.skipped > self.skip_limit:
            raise TrainingError(
                f"iteration {runner.iter + 1}: {what}. {self.skip_limit} batches have been left out"
                f" before (skip_limit), so the run ends; the last good checkpoint in"
                f" {runner.work_dir} is kept. A smaller learning rate or gradient clipping"
                " (optim_wrapper.clip_grad) may help; so may a look at the data."
            )
        runner.logger.warning(
            "iteration %d: %s; the batch is left out (%d of at most %d)",
            runner.iter + 1,
            what,
            self.skipped,
            self.skip_limit,
        )
        self._skipping = True
        return True

    def _report(self, runner: Any, losses: list[Losses]) -> str:
        return (
            f"iteration {runner.iter + 1}: the loss {_broken_terms(losses)}."
            f" The step was not taken and nothing was saved; the last good checkpoint in"
            f" {runner.work_dir} is kept. A smaller learning rate or gradient clipping"
            " (optim_wrapper.clip_grad) may help; so may a look at the data of that iteration."
        )


def _broken_terms(losses: list[Losses]) -> str:
    terms = {
        name: float(value)
        for group in losses
        for name, value in group.items()
        if not bool(torch.isfinite(value))
    }
    named = ", ".join(f"'{name}' is {value}" for name, value in terms.items())
    return named or "of another process is not finite"


def _means(losses: list[Losses]) -> dict[str, float]:
    names = dict.fromkeys(name for group in losses for name in group)
    return {
        name: sum(float(group[name]) for group in losses if name in group)
        / sum(name in group for group in losses)
        for name in names
    }
