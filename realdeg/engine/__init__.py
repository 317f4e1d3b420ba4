"""The engine: what mmengine lacks for long, safe, reproducible runs.

Importing this package registers its hooks, loops and optimiser wrappers.
"""

from realdeg.engine.amp import AutocastOptimWrapper
from realdeg.engine.checkpoint import newest_readable, read_checkpoint, write_checkpoint
from realdeg.engine.closed_form import ClosedFormLoop, NoOptimWrapper
from realdeg.engine.hooks import FiniteLossHook, ProgressHook, RunInfoHook, SaveCheckpointHook
from realdeg.engine.loops import EvalLoop, IterTrainLoop
from realdeg.engine.runner import RealdegRunner
from realdeg.engine.several_optimisers import SeveralOptimisers, StepsForItself

__all__ = [
    "AutocastOptimWrapper",
    "ClosedFormLoop",
    "EvalLoop",
    "FiniteLossHook",
    "IterTrainLoop",
    "NoOptimWrapper",
    "ProgressHook",
    "RealdegRunner",
    "RunInfoHook",
    "SaveCheckpointHook",
    "SeveralOptimisers",
    "StepsForItself",
    "newest_readable",
    "read_checkpoint",
    "write_checkpoint",
]
