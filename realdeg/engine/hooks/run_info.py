"""Keep losses, rates and the iteration of a run in the message hub."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import RuntimeInfoHook
from mmengine.logging import HistoryBuffer

from realdeg.engine.state import HISTORY
from realdeg.registry import HOOKS


@HOOKS.register_module()
class RunInfoHook(RuntimeInfoHook):
    """mmengine's RuntimeInfoHook, with short histories.

    mmengine keeps a million values of each scalar and copies all of them at every iteration.
    """

    def before_run(self, runner: Any) -> None:
        """Store the seed and the name of the run."""
        runner.message_hub.update_info_dict(
            {"seed": runner.seed, "experiment_name": runner.experiment_name}
        )
        self.last_loop_stage = None
        self._capped: set[str] = set()

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: object = None) -> None:
        """Store the iteration."""
        runner.message_hub.update_info("iter", runner.iter)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        """Record the losses."""
        # Not before the iteration, which may fail. The schedulers step later.
        rates: Any = runner.optim_wrapper.get_lr()
        for name, values in rates.items():
            runner.message_hub.update_scalar(f"train/{name}", values[0])
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        scalars = runner.message_hub.log_scalars
        if len(scalars) != len(self._capped):
            for name, buffer in scalars.items():
                if buffer.max_length > HISTORY:
                    values, counts = buffer.data
                    scalars[name] = HistoryBuffer(
                        values[-HISTORY:], counts[-HISTORY:], max_length=HISTORY
                    )
            self._capped = set(scalars)
