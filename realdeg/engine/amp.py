"""Mixed precision on any device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from realdeg.errors import ConfigError


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Computes the losses under ``torch.autocast``.

    mmengine's ``AmpOptimWrapper`` insists on an accelerator; this one works wherever autocast
    does. bfloat16 has the range of float32, so no gradient scaling is needed.

    Args:
        dtype: ``"bfloat16"``. float16 would need a gradient scaler: use mmengine's
            ``AmpOptimWrapper`` for it.
        **kwargs: Arguments of mmengine's ``OptimWrapper``.

    Raises:
        ConfigError: If another dtype is asked for.
    """

    def __init__(self, *, dtype: str = "bfloat16", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if dtype != "bfloat16":
            raise ConfigError(
                f"AutocastOptimWrapper takes dtype='bfloat16', got '{dtype}': float16 needs a"
                " gradient scaler, which mmengine's AmpOptimWrapper brings."
            )
        self.dtype = torch.bfloat16

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter autocast, and block gradient synchronisation while gradients accumulate.

        Args:
            model: The model in training, wrapped or not.

        Yields:
            Nothing.
        """
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, dtype=self.dtype):
            yield
