"""Hooks: what happens around an iteration.

The runner calls the methods that a hook has, such as ``before_train(runner)``. Around an iteration
they also get the index of the batch, the batch as the loader returned it and, afterwards,
``outputs``: the losses by name in training, the predictions in validation and test. After a
validation they get the metrics by name, or none if it was interrupted.
"""

from realdeg.engine.hooks.alignment import AlignmentHook
from realdeg.engine.hooks.baseline import BaselineHook
from realdeg.engine.hooks.component_ema import ComponentEMAHook
from realdeg.engine.hooks.curriculum import CurriculumHook
from realdeg.engine.hooks.data_list import DataListHook
from realdeg.engine.hooks.early_stop import EarlyStopHook
from realdeg.engine.hooks.finite_loss import FiniteLossHook
from realdeg.engine.hooks.freeze import FreezeHook
from realdeg.engine.hooks.outputs import OutputsHook
from realdeg.engine.hooks.progress import ProgressHook
from realdeg.engine.hooks.run_info import RunInfoHook
from realdeg.engine.hooks.save_checkpoint import SaveCheckpointHook
from realdeg.engine.hooks.schedule import ScheduleHook
from realdeg.engine.hooks.standstill import StandstillHook
from realdeg.engine.hooks.time_limit import TimeLimitHook

__all__ = [
    "AlignmentHook",
    "BaselineHook",
    "ComponentEMAHook",
    "CurriculumHook",
    "DataListHook",
    "EarlyStopHook",
    "FiniteLossHook",
    "FreezeHook",
    "OutputsHook",
    "ProgressHook",
    "RunInfoHook",
    "SaveCheckpointHook",
    "ScheduleHook",
    "StandstillHook",
    "TimeLimitHook",
]
