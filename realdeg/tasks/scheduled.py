"""A frozen degradation whose numbers change over the run."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from realdeg.degradations import Degradation
from realdeg.errors import ConfigError, DataError
from realdeg.utils.samples import Batch
from realdeg.utils.schedules import Schedule


class DegradationSchedule:
    """Gives each training batch the degradation of the iteration that it belongs to.

    A batch that is made ahead, in a data-loading worker or by the prefetch thread, states its
    position in the run, from which its iteration follows. So the LR is the same wherever it is
    made. A batch without an iteration, as in validation, gets the degradation as it was configured.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, Schedule] = {}
        self.batch_size: int | None = None
        """Samples per iteration over all processes, if the sampler counts positions."""
        self.iteration: int | None = None
        """The iteration that runs, counted from 0; None outside training iterations."""
        self._made: dict[float, tuple[dict[str, Any], Degradation]] = {}

    def check(self, degradations: Iterable[Degradation]) -> None:
        """Build degradations with the values of all points.

        Args:
            degradations: Those of all scales.

        Raises:
            ConfigError: If one lacks a number, or cannot have one of the values.
        """
        iterations = sorted({at for one in self.numbers.values() for at, _ in one.points})
        for degradation in degradations:
            if degradation.changed({}).hash() != degradation.hash():
                raise ConfigError(
                    f"{type(degradation).__name__} cannot follow a schedule: built anew from its"
                    " arguments, it is another degradation."
                )
            for iteration in iterations:
                degradation.changed(self.values(iteration))

    def values(self, iteration: int) -> dict[str, Any]:
        """Return the numbers in an iteration, by path."""
        return {path: schedule.at(iteration) for path, schedule in self.numbers.items()}

    def apply(self, degradation: Degradation, batch: Batch, ahead: bool = False) -> Degradation:
        """Return the degradation for a batch.

        Args:
            degradation: As it was configured, at the batch's scale.
            batch: The batch.
            ahead: Whether the batch is made before its iteration.

        Raises:
            DataError: If it is made ahead, and does not state its position.
        """
        iteration = self.iteration
        position = batch.get("position")
        if position is not None and self.batch_size:
            iteration = position // self.batch_size
        elif ahead:
            raise DataError(
                "a schedule changes the degradation over the run, and the training batches do not"
                " state their position in it: their data set or collate function drops 'position',"
                " or the sampler gives none. Degrade on the device (model.degrade_in='device')."
            )
        if iteration is None:
            return degradation
        values = self.values(iteration)
        kept = self._made.get(degradation.scale)
        if kept is None or kept[0] != values:
            made = degradation.changed(values)
            tensor = next(chain(degradation.parameters(), degradation.buffers()), None)
            kept = values, made if tensor is None else made.to(tensor.device)
            self._made[degradation.scale] = kept
        return kept[1]

    def describe(self) -> dict[str, Any]:
        """Return every schedule by path, as plain data."""
        return {
            path: {"points": [list(point) for point in schedule.points], "shape": schedule.shape}
            for path, schedule in self.numbers.items()
        }
