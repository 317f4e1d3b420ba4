"""What the metrics of LR images share: preparing pairs, gathering records, names."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from realdeg.errors import DataError
from realdeg.evaluation.degradation.protocol import (
    LrPair,
    LrProtocol,
    get_lr_protocol,
    prepare_lr,
)
from realdeg.utils.samples import Prediction


@dataclass
class LrScores:
    """What was found in one image.

    Args:
        key: The image's name in its data set.
        values: Numbers of this image.
        missing: Per number that could not be measured, the reason.
        data: What numbers of the whole set are made of.
    """

    key: str
    values: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)

    def mean(self) -> dict[str, float]:
        """Return the numbers of this image."""
        return dict(self.values)


class LrMetric(BaseMetric):
    """Compares generated LR images with real ones under one protocol.

    Subclasses name their numbers and implement :meth:`look` (one image) and :meth:`gather` (the
    set). Every number is called ``number[protocol]``. A number that some image cannot give for
    want of size or of HR is left out, and ``missing`` says why.

    Args:
        protocol: A name of ``LR_PROTOCOLS``, or a dict with ``base`` and changed fields.
        prefix: Put before the names as ``prefix/``, to tell two data sets apart.
        collect_device: ``"cpu"`` or ``"gpu"``: through what processes exchange results.
        collect_dir: A shared folder for the exchange on the CPU.

    Attributes:
        per_image: After an evaluation, on the main process, the numbers of each image.
        averages: The numbers of the set, without the prefix.
        missing: Per number that could not be measured, the reason.

    Raises:
        ConfigError: If the protocol is unknown.
    """

    default_prefix = ""
    numbers: ClassVar[tuple[str, ...]] = ()
    """The names of the numbers, without the protocol."""
    needs_hr: ClassVar[bool] = False
    """Whether the HR image must be known."""

    def __init__(
        self,
        protocol: str | Mapping[str, Any] | LrProtocol = "lr-statistics",
        prefix: str | None = None,
        collect_device: str = "cpu",
        collect_dir: str | None = None,
    ) -> None:
        """Find the protocol; see the class."""
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.protocol = get_lr_protocol(protocol)
        self.per_image: list[LrScores] = []
        self.averages: dict[str, float] = {}
        self.missing: dict[str, str] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the numbers, without the prefix."""
        return tuple(self.protocol.label(name) for name in self.numbers)

    def process(self, data_batch: Any, data_samples: Sequence[Prediction]) -> None:
        """Look at a batch of generated LR images.

        Args:
            data_batch: Not used.
            data_samples: Dicts with ``key``, ``prediction`` (the generated LR, (3 or 1, h, w) in
                [0, 1]), ``target`` (the real LR) and, for numbers that need it, ``input`` (HR).

        Raises:
            DataError: If an image has no target or does not fit it.
        """
        for sample in data_samples:
            self.results.append(self._record(sample))

    def _record(self, sample: Prediction) -> LrScores:
        key = str(sample.get("key", "?"))
        for name in ("prediction", "target"):
            if sample.get(name) is None:
                raise DataError(f"image '{key}' has no {name}: nothing can be measured.")
        hr = sample.get("input")
        pair = prepare_lr(sample["prediction"], sample["target"], self.protocol, hr=hr, key=key)
        if self.needs_hr and pair.hr is None:
            return self._unmeasured(key, f"image '{key}' comes without its HR image")
        try:
            return self.look(pair)
        except DataError as error:
            return self._unmeasured(key, f"image '{key}': {error}")

    def _unmeasured(self, key: str, reason: str) -> LrScores:
        return LrScores(key, missing=dict.fromkeys(self.labels, reason))

    def look(self, pair: LrPair) -> LrScores:
        """Find what one image says.

        Args:
            pair: The generated and the real LR image.

        Returns:
            Its numbers, labelled, and what :meth:`gather` needs.

        Raises:
            DataError: If the image is too small.
        """
        raise NotImplementedError

    def gather(self, records: Sequence[LrScores]) -> dict[str, float]:
        """Make the numbers of the set.

        Args:
            records: What :meth:`look` returned for every image.

        Returns:
            The numbers, labelled. One that cannot be told is left out and put into ``missing``.
        """
        averages = {}
        for label in self.labels:
            values = [record.values[label] for record in records if label in record.values]
            if values:
                averages[label] = float(torch.tensor(values, dtype=torch.float64).mean())
        return averages

    def compute_metrics(self, results: list[LrScores]) -> dict[str, float]:
        """Make the numbers of the set and note which are missing.

        Args:
            results: The records of every image.

        Returns:
            The numbers.
        """
        self.missing = {}
        for record in results:
            for label, reason in record.missing.items():
                self.missing.setdefault(label, reason)
        whole = [record for record in results if not record.missing]
        found = self.gather(whole) if whole else {}
        self.averages = {
            label: value for label, value in found.items() if label not in self.missing
        }
        for label in self.labels:
            if label not in self.averages and label not in self.missing:
                self.missing[label] = self.nothing_found
        for label, reason in self.missing.items():
            print_log(f"{label} is n/a: {reason}", logger="current", level=logging.WARNING)
        self.per_image = [LrScores(r.key, r.values, r.missing) for r in results]
        return dict(self.averages)

    nothing_found: ClassVar[str] = "no image has what it takes to tell it."
    """Why a number is missing although no image was refused."""
