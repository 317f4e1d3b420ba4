"""The engine: what mmengine lacks for long, safe and reproducible runs.

Importing this package registers its hooks, loops and optimiser wrappers.
"""

from realdeg.engine.checkpoint import newest_readable, read_checkpoint, write_checkpoint
from realdeg.engine.closed_form import ClosedFormLoop
from realdeg.engine.hooks import FiniteLossHook, ProgressHook, RunInfoHook, SaveCheckpointHook
from realdeg.engine.loops import EvalLoop, IterTrainLoop
from realdeg.engine.optimisers import (
    AutocastOptimWrapper,
    ManualGradientSync,
    MultiOptimizerConstructor,
    NoOptimWrapper,
)
from realdeg.engine.runner import RealdegRunner
from realdeg.engine.wrappers import OptimWrapper
from realdeg.utils.deprecation import renamed_attributes

__all__ = [
    "AutocastOptimWrapper",
    "ClosedFormLoop",
    "EvalLoop",
    "FiniteLossHook",
    "IterTrainLoop",
    "ManualGradientSync",
    "MultiOptimizerConstructor",
    "NoOptimWrapper",
    "OptimWrapper",
    "ProgressHook",
    "RealdegRunner",
    "RunInfoHook",
    "SaveCheckpointHook",
    "newest_readable",
    "read_checkpoint",
    "write_checkpoint",
]

_OLD_NAMES = {
    "SeveralOptimisers": "realdeg.engine.optimisers:MultiOptimizerConstructor",
    "StepsForItself": "realdeg.engine.optimisers:ManualGradientSync",
}
__getattr__ = renamed_attributes(__name__, _OLD_NAMES)
