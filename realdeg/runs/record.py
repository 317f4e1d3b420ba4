"""The record of a run, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Curve:
    """One number over the training.

    Attributes:
        iterations: Rising; 1 is the first iteration.
        values: One finite value per entry of ``iterations``.
    """

    iterations: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.values[-1]


@dataclass(frozen=True)
class Session:
    """One start of a training, or its continuation.

    Attributes:
        name: Its folder, ``20260131_235959``, in local time.
        started: When the folder was made; None if its name is no time.
        ended: The time of the last line of its log; None if the log has none.
        environment: Software and hardware, by the head of its log.
        ended_well: Whether the log says at its end that the weights were written.
    """

    name: str
    started: datetime | None = None
    ended: datetime | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    ended_well: bool = False

    @property
    def seconds(self) -> float:
        """How long it took, by its log; 0 if the log has no times."""
        if self.started is None or self.ended is None:
            return 0.0
        return max(0.0, (self.ended - self.started).total_seconds())


@dataclass(frozen=True)
class TestedImage:
    """The scores of one image.

    Attributes:
        key: The image's name in its data set.
        samples: How many tiles it counts as in the mean over the data set.
        values: The mean over its tiles, by label (``"psnr[rgb]"``); may be infinite.
    """

    key: str
    samples: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class TestReport:
    """A ``report.json`` of ``realdeg test``.

    Attributes:
        file: Where it was read.
        title: The recipe, with what was done beyond one pass.
        dataset: The test images in words.
        sample: Whether they are the built-in sample: no result to report.
        complete: False while images are still to be measured, or if the test ended early.
        unfinished: Why it is not complete; empty if it is.
        checkpoint: The weights as they were named, or None.
        checkpoint_hash: Their hash, or None.
        facts: More lines of the head, such as ``"Seed"`` and ``"Device"``.
        mean: Means over the data set by label; may be infinite.
        missing: Why a label could not be measured.
        protocols: The settings of each protocol by its name.
        images: The scores of each image.
    """

    __test__ = False  # for pytest: not a class of tests

    file: Path
    title: str
    dataset: str
    sample: bool
    complete: bool
    unfinished: str
    checkpoint: str | None
    checkpoint_hash: str | None
    facts: Mapping[str, Any]
    mean: Mapping[str, float]
    missing: Mapping[str, str]
    protocols: Mapping[str, Mapping[str, Any]]
    images: tuple[TestedImage, ...]


@dataclass(frozen=True)
class RunRecord:
    """Everything that a run's folder states.

    Attributes:
        folder: The folder.
        label: Its name, for tables and legends.
        config: The config as it was stated, before it was filled in; plain data.
        recipe: The recipe that it came from, such as ``"dml/dml_n8_realsr_x4"``; None if the config
            does not say.
        seed: The seed of every random stream; None if the config does not say.
        sample: Whether it ran on the built-in sample images: no result to report.
        curves: By label: ``"train/loss"``, ``"train/lr"``, ``"train/time"`` (seconds per
            iteration), ``"train/data_time"`` (seconds of it that waited for data),
            ``"val/psnr[rgb]"``, ... Where the run was continued, what the later session logged
            replaces what came before it from that iteration on.
        reports: The tests of the run, the one in ``test/`` first. Incomplete ones are included.
        sessions: Each start of the training, oldest first; none for a folder with tests alone.
        environment: Software and hardware as the newest log states them: ``"torch"``,
            ``"device"``, ``"python"``, ``"processors"``, ...
        iterations: The newest iteration that was logged or saved; 0 if there is none.
        planned: How many iterations the config asks for; None if it does not say, as for a fit in
            closed form.
        finished: Whether the training reached its end.
        weights: The self-describing files of weights in the folder.
        pictures: The ``.png`` files of the folder and its tests.
    """

    folder: Path
    label: str
    config: Mapping[str, Any]
    recipe: str | None
    seed: int | None
    sample: bool
    curves: Mapping[str, Curve]
    reports: tuple[TestReport, ...]
    sessions: tuple[Session, ...]
    environment: Mapping[str, str]
    iterations: int
    planned: int | None
    finished: bool
    weights: tuple[Path, ...]
    pictures: tuple[Path, ...]

    @property
    def training(self) -> dict[str, Curve]:
        """The curves of the training without ``train/``: loss, lr, time, data_time, ..."""
        return self._below("train/")

    @property
    def validation(self) -> dict[str, Curve]:
        """The curves of the validation without ``val/``: ``psnr[rgb]``, ..."""
        return self._below("val/")

    @property
    def seconds(self) -> float:
        """How long all sessions took together, by their logs."""
        return sum(session.seconds for session in self.sessions)

    def _below(self, prefix: str) -> dict[str, Curve]:
        return {
            name.removeprefix(prefix): curve
            for name, curve in self.curves.items()
            if name.startswith(prefix)
        }
