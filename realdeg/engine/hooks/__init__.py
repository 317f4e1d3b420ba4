"""Hooks: what happens around an iteration."""

from realdeg.engine.hooks.curriculum import CurriculumHook
from realdeg.engine.hooks.finite_loss import FiniteLossHook
from realdeg.engine.hooks.progress import ProgressHook
from realdeg.engine.hooks.run_info import RunInfoHook
from realdeg.engine.hooks.save_checkpoint import SaveCheckpointHook

__all__ = [
    "CurriculumHook",
    "FiniteLossHook",
    "ProgressHook",
    "RunInfoHook",
    "SaveCheckpointHook",
]
