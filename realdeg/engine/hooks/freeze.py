"""Leave parts of a task as they are, for the whole run or for its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from annotated_types import MinLen
from mmengine.dist import is_distributed
from mmengine.hooks import Hook
from torch.utils.hooks import RemovableHandle

from realdeg.engine.freezing import Frozen
from realdeg.engine.setup import named_wrappers
from realdeg.errors import ConfigError
from realdeg.registry import HOOKS
from realdeg.utils.argument_types import Count


@HOOKS.register_module()
class FreezeHook(Hook):
    """Keeps parameters, and the statistics of normalisation layers, as they are.

    The config's top-level ``freeze`` adds this hook: ``freeze = ["head", "body.0.*"]``, or
    ``freeze = dict(patterns=["body"], until=5000)``. What is frozen follows from the iteration
    alone, so resuming needs no state.

    Args:
        patterns: Names of parameters or modules, with or without the component's name before them;
            ``*`` stands for any characters.
        until: The number of iterations after which they are trained as well; None for never.

    Raises:
        ConfigError: If a pattern matches nothing, nothing is left to train, or several processes
            are to unfreeze.
    """

    def __init__(
        self, patterns: Annotated[Sequence[str], MinLen(1)], until: Count | None = None
    ) -> None:
        self.patterns, self.until = list(patterns), until
        self._frozen: Frozen | None = None
        self._handles: list[RemovableHandle] = []

    def before_train(self, runner: Any) -> None:
        """Freeze, once the optimisers have got all parameters."""
        self.after_train(runner)
        frozen = Frozen(runner.model, self.patterns, "freeze")
        if is_distributed() and any(p.requires_grad for p in frozen.parameters):
            raise ConfigError(
                "FreezeHook: with several processes parts are frozen for the whole run, by the"
                " top-level key freeze=[...]: DistributedDataParallel has to know them from the"
                " start. Remove 'until', or train in one process."
            )
        if not self._is_over(runner):
            self._frozen = frozen
            for _, wrapper in named_wrappers(runner.optim_wrapper):
                # A task that switches gradients on and off would thaw its parts.
                step = wrapper.optimizer.register_step_pre_hook(self._drop_gradients)
                self._handles.append(step)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: object = None) -> None:
        """Keep it frozen; a validation in between sets all layers to training."""
        if self._frozen is None:
            return
        if self._is_over(runner):
            self._frozen.set_trained(True)
            for module in self._frozen.norms:
                module.train()
            self.after_train(runner)
            runner.say("iteration %d: all parts are trained from here on", runner.iter + 1)
            return
        self._frozen.set_trained(False)
        self._frozen.keep_statistics()

    def after_train(self, runner: Any) -> None:
        """Stop."""
        for handle in self._handles:
            handle.remove()
        self._handles, self._frozen = [], None

    def _is_over(self, runner: Any) -> bool:
        return self.until is not None and runner.iter >= self.until

    def _drop_gradients(self, *_: Any) -> None:
        if self._frozen is not None:
            self._frozen.drop_gradients()
