"""Change a number over the run."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from numbers import Real
from typing import Any, ClassVar

from mmengine.hooks import Hook

from realdeg.engine.state import unwrapped
from realdeg.errors import ConfigError
from realdeg.registry import HOOKS
from realdeg.utils.schedules import Points, Schedule, Shape


@HOOKS.register_module()
class ScheduleHook(Hook):
    """Moves one number of the degradation or of the task through given points.

    For instance, noise that grows for 5000 iterations, and a term that fades::

        custom_hooks = [
            dict(type="ScheduleHook", number="degradation.sigma", points=[(0, 0), (5000, 15)]),
            dict(
                type="ScheduleHook",
                number="model.loss.outputs.recursion_*",
                points=[(0, 0.06), (20000, 0)],
                shape="cosine",
            ),
        ]

    The value follows from the iteration alone, so resuming needs no state. A degraded batch has the
    value of its own iteration, wherever it is made (``model.degrade_in``). The schedule concerns
    training only: validation, test and the exported files use the value in the config. The log
    shows the number under its own name.

    Args:
        number: Its place in the config. ``degradation.`` and any number of the degradation, also
            of a part (``degradation.parts.1.sigma``) or at one end of a range
            (``degradation.sigma.0``); or ``model.`` and a number of the task, the ``weight`` of a
            loss, of one of its terms by index or name (``model.loss.terms.l1.weight``), or of
            outputs (``model.loss.outputs.sr``).
        points: Pairs of an iteration, counted from 0, and the value there: a number, or a list
            where the config has one. Before the first and after the last point the value stays.
        shape: ``"linear"``, ``"cosine"`` (half a period between two points) or ``"step"`` (the
            value of the earlier point). Whole numbers are rounded.

    Raises:
        ConfigError: If the number does not exist or cannot change, or the iterations of the points
            do not ascend.
    """

    schedules_a_number: ClassVar[bool] = True
    """Whether the config's check reads ``number`` and ``points``."""

    def __init__(self, number: str, points: Points, shape: Shape = "linear") -> None:
        self.number = number
        self.schedule = Schedule(points, shape)
        self._degradation: Any = None
        self._slot: tuple[Any, str] | None = None
        self._configured: Any = None

    def before_train(self, runner: Any) -> None:
        """Find the number.

        Raises:
            ConfigError: If it does not exist or cannot change.
        """
        sampler = getattr(runner.train_dataloader, "sampler", None)
        self.attach(unwrapped(runner.model), sampler, runner.max_iters)
        last = self.schedule.points[-1][0]
        if last > runner.max_iters:
            runner.say(
                "the schedule of %s ends at iteration %d, the run ends before it, at %d",
                *(self.number, last, runner.max_iters),
            )

    def attach(self, task: Any, sampler: Any, max_iters: int) -> None:
        """Find the number; batches that state their position then have their iteration's value.

        Args:
            task: The task.
            sampler: The sampler of the training data.
            max_iters: The number of iterations of the run.

        Raises:
            ConfigError: If it does not exist or cannot change.
        """
        root, _, path = self.number.partition(".")
        if root == "degradation":
            if not hasattr(task, "schedule_degradation"):
                raise ConfigError(
                    f"ScheduleHook: the task {type(task).__name__} has no degradation whose numbers"
                    f" can change over the run; remove the schedule of '{self.number}'."
                )
            self._degradation = task.schedule_degradation(path, self.schedule)
            self._degradation.batch_size = getattr(sampler, "batch_size", None)
        else:
            self._slot = _find(task, path.split("."), self.number)
            self._configured = _get(*self._slot)

    def before_train_epoch(self, runner: Any) -> None:
        """Check the values of all schedules together."""
        if self._degradation is not None:
            task: Any = unwrapped(runner.model)
            task.check_schedule()

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: object = None) -> None:
        """Set the number to the iteration's value, and log it."""
        value = self.schedule.at(runner.iter)
        if self._slot is not None:
            _set(*self._slot, value)
        elif self._degradation is not None:
            self._degradation.iteration = runner.iter
        several = isinstance(value, list)
        for index, item in enumerate(value if several else [value]):
            name = f"{self.number}.{index}" if several else self.number
            runner.message_hub.update_scalar(f"train/{name}", float(item))

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        """Set the number to the value in the config, which validation uses."""
        if self._slot is not None:
            _set(*self._slot, self._configured)
        elif self._degradation is not None:
            self._degradation.iteration = None


def _find(task: Any, keys: list[str], number: str) -> tuple[Any, str]:
    """Return the object or dict that holds a number of a task, and its name there."""
    holder = task
    while len(keys) > 1 and not isinstance(holder, Mapping):
        first, *keys = keys
        term = getattr(holder, "term", None)
        if first == "terms" and callable(term) and len(keys) > 1:
            first, *keys = keys
            holder = term(first)
        else:
            holder = getattr(holder, first, None)
    slot = holder, ".".join(keys)
    value = _get(*slot)
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ConfigError(
            f"ScheduleHook: the task {type(task).__name__} has no '{number}' that can change over"
            f" the run: found {type(value).__name__}, wanted a number."
        )
    return slot


def _get(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def _set(holder: Any, name: str, value: Any) -> None:
    if isinstance(holder, MutableMapping):
        holder[name] = value
    else:
        setattr(holder, name, value)
