"""Hooks: what happens around an iteration.

The runner calls the methods that a hook has, ``before_train(runner)`` for instance. Where there is
a batch they also get its number, the batch as the loader gave it and, afterwards, ``outputs``: the
losses by name in training, the predictions in validation and test. After a validation they get the
metrics by name; none, if it was broken off.
"""

from realdeg.engine.hooks.alignment import AlignmentHook
from realdeg.engine.hooks.baseline import BaselineHook
from realdeg.engine.hooks.curriculum import CurriculumHook
from realdeg.engine.hooks.finite_loss import FiniteLossHook
from realdeg.engine.hooks.outputs import OutputsHook
from realdeg.engine.hooks.progress import ProgressHook
from realdeg.engine.hooks.run_info import RunInfoHook
from realdeg.engine.hooks.save_checkpoint import SaveCheckpointHook
from realdeg.engine.hooks.standstill import StandstillHook

__all__ = [
    "AlignmentHook",
    "BaselineHook",
    "CurriculumHook",
    "FiniteLossHook",
    "OutputsHook",
    "ProgressHook",
    "RunInfoHook",
    "SaveCheckpointHook",
    "StandstillHook",
]
