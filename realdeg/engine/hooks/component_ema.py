"""Average the weights of the component that a task trains, and of nothing else."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from annotated_types import Interval
from mmengine.hooks import EMAHook
from mmengine.registry import MODELS
from torch import Tensor

from realdeg.engine.state import component_of, unwrapped
from realdeg.errors import ConfigError
from realdeg.registry import HOOKS
from realdeg.utils.argument_types import Whole
from realdeg.utils.mmengine_internals import is_resuming

_AVERAGE = "module."


@HOOKS.register_module()
class ComponentEMAHook(EMAHook):
    """Keeps an exponential moving average of a network or a degradation.

    It is validated and exported in place of the weights of the last iteration. mmengine's
    ``EMAHook`` averages the whole task, with discriminators; this hook averages the component
    alone. It starts as a copy. After each iteration a parameter becomes
    ``(1 - momentum) * average + momentum * parameter``; buffers, such as the running means of batch
    normalisation, are copied. (BasicSR leaves buffers as they were at the start.)

    Loss terms that compare with the average (LDL) find it in the task.

    Args:
        momentum: The share of the new weights in each iteration; 1e-3 is a decay of 0.999.
        begin_iter: The iteration at which averaging begins; before it the average is a copy.

    Raises:
        ConfigError: If an argument is out of range, or the task trains no component.
    """

    works_once: ClassVar[bool] = True
    """A run has one such hook."""

    def __init__(
        self,
        momentum: Annotated[float, Interval(gt=0, lt=1)] = 1e-3,
        begin_iter: Whole = 0,
    ) -> None:
        super().__init__(
            ema_type="ExponentialMovingAverage", begin_iter=begin_iter, momentum=float(momentum)
        )

    def before_run(self, runner: Any) -> None:
        """Copy the component, and show the copy to the task."""
        found = component_of(runner.model)
        if found is None:
            raise ConfigError(
                f"ComponentEMAHook: the task {type(unwrapped(runner.model)).__name__} trains no"
                " backbone or degradation of its own; take mmengine's EMAHook."
            )
        self.part, self.src_model = found
        self.ema_model = MODELS.build(self.ema_cfg, default_args={"model": self.src_model})
        self.ema_model.module.eval()
        use = getattr(unwrapped(runner.model), "use_average", None)
        if use is not None:
            use(self.ema_model.module)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Put the averages in the place of the component's weights, which move aside.

        ``ema_state_dict`` has the form that mmengine's hook gives it, for the component alone.
        """
        averages: dict[str, Tensor] = self.ema_model.state_dict()
        checkpoint["ema_state_dict"] = {
            self._in_task(name): value for name, value in averages.items()
        }
        _exchange(checkpoint)

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Resume the averages; of a checkpoint of mmengine's hook, those of the component."""
        if "ema_state_dict" in checkpoint and is_resuming(runner):
            # Of a whole task, if mmengine's hook wrote it.
            _exchange(checkpoint)
            saved = checkpoint["ema_state_dict"]
            wanted = {name: self._in_task(name) for name in self.ema_model.state_dict()}
            self.ema_model.load_state_dict({own: saved[name] for own, name in wanted.items()})
            return
        # The averages start from the loaded weights.
        state = checkpoint["state_dict"]
        own = {f"{self.part}.{name}": name for name in self.ema_model.module.state_dict()}
        fresh = {name: state[key] for key, name in own.items() if key in state}
        self.ema_model.module.load_state_dict(fresh, strict=False)

    def _in_task(self, name: str) -> str:
        """Return the name in a whole task's average of a tensor in the component's."""
        if not name.startswith(_AVERAGE):
            return name
        return f"{_AVERAGE}{self.part}.{name.removeprefix(_AVERAGE)}"


def _exchange(checkpoint: dict[str, Any]) -> None:
    """Exchange the averages of a checkpoint and the weights in its state dict."""
    state, averages = checkpoint["state_dict"], checkpoint["ema_state_dict"]
    for name in averages:
        if name.startswith(_AVERAGE):
            key = name.removeprefix(_AVERAGE)
            state[key], averages[name] = averages[name], state[key]
