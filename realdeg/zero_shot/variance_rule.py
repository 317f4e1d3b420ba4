"""When to stop a deep image prior without ground truth: when its outputs move again."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class VarianceRule:
    """Averages outputs exponentially and keeps the average at the smallest variance.

    With the average ``m`` and the weight ``a`` of the previous one, an output ``x`` gives the
    variance ``v = a * (v + (1 - a) * |x - m|**2)`` and then ``m = a * m + (1 - a) * x``. Variances
    count from iteration ``1 / (1 - a)`` on, because the first outputs are hardly averaged. Both are
    divided by ``1 - a**t`` (t iterations), so that early values are not too small.

    Args:
        average: The weight a of the previous average; 0 keeps the last output.
        patience: Iterations without a smaller variance after which the rule ends; None: it never
            ends, and the last average is the result.

    Attributes:
        error: The error given with the kept average.

    Source:
        Wang et al., Early Stopping for Deep Image Prior, TMLR 2023 (ES-EMV), whose average starts
        from the first output instead of being divided.
    """

    def __init__(self, average: float, patience: int | None) -> None:
        self._weight, self._patience = average, patience
        self._mean: Tensor | None = None
        self._result: Tensor | None = None
        self._spread, self._best = 0.0, math.inf
        self._count = self._since = 0
        self.error = math.nan

    @property
    def result(self) -> Tensor:
        """The kept average, of the outputs' shape."""
        assert self._result is not None, "no output was added"
        return self._result

    @property
    def finished(self) -> bool:
        """Whether the smallest variance is ``patience`` iterations ago."""
        return self._patience is not None and self._since >= self._patience

    def add(self, output: Tensor, error: float) -> None:
        """Take the output of an iteration, and its error.

        Args:
            output: Any shape, the same at each call.
            error: What :attr:`error` shall be if this output completes the result.
        """
        weight = self._weight
        self._count += 1
        if self._mean is None:
            self._mean = torch.zeros_like(output)
        settled = 1 - weight ** (self._count - 1)
        mean = self._mean / settled if settled else output
        moved = float((output - mean).square().mean())
        self._spread = weight * (self._spread + (1 - weight) * moved)
        self._mean = torch.lerp(output, self._mean, weight)
        variance = self._spread / (1 - weight**self._count)
        averaged = self._count * (1 - weight) >= 1
        better = not averaged or variance < self._best
        if better or self._patience is None:
            self._result = self._mean / (1 - weight**self._count)
            self.error, self._since = error, 0
            self._best = variance if averaged else math.inf
        else:
            self._since += 1
