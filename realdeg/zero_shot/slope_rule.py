"""ZSSR's rule for the learning rate: reduce it when the error stops falling."""

from __future__ import annotations

import numpy as np


class SlopeRule:
    """Divides a rate by 10 when the line through the last errors does not clearly fall.

    Every 60 iterations, if the last change was more than 256 iterations ago, a line is fitted to
    the last five errors. If 1.5 times its descent per iteration is below the standard error of the
    slope, the rate is divided by 10.

    Args:
        rate: The first rate.
        least: Below this rate the training is finished.
        spare: What is subtracted from the number of errors before the sum of squared residuals is
            divided by it: 2, or 4 as in NumPy's ``polyfit`` until version 1.15.

    Attributes:
        errors: The errors so far.
        rate: The present rate.

    Source:
        learning_rate_policy in ZSSR.py of assafshocher/ZSSR, commit 49fe199.
    """

    check_every = 60
    wait = 256
    window = 5
    ratio = 1.5

    def __init__(self, rate: float = 1e-3, least: float = 9e-6, spare: int = 4) -> None:
        self.rate, self.least, self.spare = rate, least, spare
        self.errors: list[float] = []
        self._places: list[int] = []
        self._changed = 0

    @property
    def finished(self) -> bool:
        """Whether the rate has fallen below the smallest one."""
        return self.rate < self.least

    def add(self, iteration: int, error: float) -> None:
        """Note the error after an iteration, counted from 0."""
        self._places.append(iteration)
        self.errors.append(error)

    def check(self, iteration: int) -> bool:
        """Return whether the rate falls after this iteration, counted from 0."""
        due = (iteration + 1) % self.check_every == 0 and iteration - self._changed > self.wait
        if not due or len(self.errors) < self.window:
            return False
        slope, deviation = self._fit()
        if -self.ratio * slope >= deviation:
            return False
        self.rate /= 10
        self._changed = iteration
        return True

    def _fit(self) -> tuple[float, float]:
        """Return the slope of the last errors, and its standard error."""
        x = np.asarray(self._places[-self.window :], np.float64)
        y = np.asarray(self.errors[-self.window :], np.float64)
        x = x - x.mean()
        spread = float(x @ x)
        slope = float(x @ y) / spread
        residual = y - y.mean() - slope * x
        return slope, float(np.sqrt(residual @ residual / (len(x) - self.spare) / spread))
