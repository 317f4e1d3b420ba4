"""Stop before a loss that is not finite reaches the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from realdeg.engine.devices import agree
from realdeg.engine.setup import named_wrappers
from realdeg.engine.state import unwrapped
from realdeg.errors import TrainingError
from realdeg.registry import HOOKS

Losses = dict[str, Tensor]


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Ends the run when a loss, or a weight about to be saved, is NaN or infinite.

    The losses are summed on the device as the forward pass returns them. Whether the sum is finite
    is checked once, before the optimiser's step, so that it does not delay the backward pass. The
    terms are checked only if it is not.
    """

    priority = "HIGH"

    def __init__(self) -> None:
        self._losses: list[Losses] = []
        self._total: Tensor | None = None
        self._handles: list[RemovableHandle] = []

    def before_train(self, runner: Any) -> None:
        """Watch the model's losses and the optimiser's steps."""
        self.after_train(runner)
        self._handles.append(unwrapped(runner.model).register_forward_hook(self._note))

        def check(*_: Any) -> None:
            self._check(runner)

        for _, wrapper in named_wrappers(runner.optim_wrapper):
            self._handles.append(wrapper.optimizer.register_step_pre_hook(check))

    def after_train(self, runner: Any) -> None:
        """Stop watching."""
        for handle in self._handles:
            handle.remove()
        self._handles, self._losses, self._total = [], [], None

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Refuse to save weights that are not finite.

        Raises:
            TrainingError: Naming the first such tensor.
        """
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

    def _check(self, runner: Any) -> None:
        if self._total is None:
            return
        broken = agree(not bool(torch.isfinite(self._total)), runner.device)
        losses, self._losses, self._total = self._losses, [], None
        if not broken:
            return
        terms = {
            name: float(value)
            for group in losses
            for name, value in group.items()
            if not bool(torch.isfinite(value))
        }
        named = ", ".join(f"'{name}' is {value}" for name, value in terms.items())
        raise TrainingError(
            f"iteration {runner.iter + 1}: the loss {named or 'of another process is not finite'}."
            f" The step was not taken and nothing was saved; the last good checkpoint in"
            f" {runner.work_dir} is kept. A smaller learning rate or gradient clipping"
            " (optim_wrapper.clip_grad) may help; so may a look at the data of that iteration."
        )
