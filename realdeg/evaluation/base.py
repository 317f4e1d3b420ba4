"""What all metrics share: one record per image, means, missing numbers, several processes."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from realdeg.errors import DataError
from realdeg.evaluation.degradation.protocol import LrProtocol
from realdeg.evaluation.protocols import Protocol
from realdeg.utils.samples import Prediction


@dataclass
class ImageScores:
    """The numbers of one image.

    Args:
        key: The image's name in its data set.
        samples: Per number, one value for each sample: one, or one per tile.
        missing: Per number that could not be measured, the reason.
        data: What numbers of the whole set are made of.
    """

    key: str
    samples: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict, repr=False)

    def mean(self) -> dict[str, float]:
        """Return each number's mean over the samples of this image."""
        return {name: sum(values) / len(values) for name, values in self.samples.items()}


class ImageMetric(BaseMetric):
    """Compares predictions with their targets under one protocol.

    Subclasses name their numbers (:attr:`labels`, each ``number[protocol]``) and measure one image
    (:meth:`measure_image`); numbers that are no means over images are made by :meth:`gather`. A
    number that cannot be told of some image has no mean: it is left out, :attr:`missing` says why,
    one warning is given, and the run goes on.

    Evaluation is exact with several processes: every image gives one record, gathered in the data
    set's order, and the doubles that a sampler adds to fill the last batch are dropped.

    Args:
        prefix: Put before the names as ``prefix/``, to tell two data sets apart.
        collect_device: ``"cpu"`` or ``"gpu"``: through what processes exchange results.
        collect_dir: A shared folder for the exchange on the CPU.

    Attributes:
        protocol: What the numbers mean; its name is part of theirs.
        per_image: After an evaluation, on the main process, the scores of each image.
        averages: The numbers that the evaluation returned, without the prefix.
        missing: Per number that could not be measured, the reason.
    """

    default_prefix = ""
    nothing_found: ClassVar[str] = "no image has what it takes to tell it."
    """Why a number is missing although no image was refused."""

    protocol: Protocol | LrProtocol

    def __init__(
        self,
        prefix: str | None = None,
        collect_device: str = "cpu",
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.per_image: list[ImageScores] = []
        self.averages: dict[str, float] = {}
        self.missing: dict[str, str] = {}
        self._warned: set[str] = set()

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """The names of the numbers, without the prefix."""

    @abstractmethod
    def measure_image(self, sample: Prediction) -> ImageScores:
        """Measure one image.

        Args:
            sample: What a task predicted; it has a prediction and a target.

        Returns:
            Its numbers, labelled, and what :meth:`gather` needs.

        Raises:
            DataError: If the image does not fit its target.
        """

    def gather(self, records: Sequence[ImageScores]) -> dict[str, float]:
        """Make the numbers of the set: means over all samples, a tile as much as a whole image.

        Args:
            records: The scores of every image of which something was measured.

        Returns:
            The numbers, labelled; one that cannot be told is left out.
        """
        found = {}
        for label in self.labels:
            values = [value for one in records for value in one.samples.get(label, ())]
            if values:
                found[label] = float(torch.tensor(values, dtype=torch.float64).mean())
        return found

    def process(self, data_batch: object, data_samples: Sequence[Prediction]) -> None:
        """Measure a batch of predictions.

        Args:
            data_batch: Not used.
            data_samples: What a task predicted.

        Raises:
            DataError: If an image has no target or does not fit it.
        """
        for sample in data_samples:
            for name in ("prediction", "target"):
                if sample.get(name) is None:
                    key = sample.get("key", "?")
                    raise DataError(f"image '{key}' has no {name}: nothing can be measured.")
            self.results.append(self.measure_image(sample))

    def compute_metrics(self, results: list[ImageScores]) -> dict[str, float]:
        """Make the numbers of the set and note which are missing.

        Args:
            results: The scores of every image.

        Returns:
            The numbers.
        """
        self.missing = {}
        for record in results:
            for label, reason in record.missing.items():
                self.missing.setdefault(label, reason)
        measured = [one for one in results if not set(self.labels) <= set(one.missing)]
        found = self.gather(measured) if measured else {}
        self.averages = {name: value for name, value in found.items() if name not in self.missing}
        for label in self.labels:
            if label not in self.averages:
                self.missing.setdefault(label, self.nothing_found)
        for label, reason in self.missing.items():
            self.warn_missing(label, reason)
        self.per_image = [replace(record, data={}) for record in results]
        return dict(self.averages)

    def warn_missing(self, label: str, reason: str) -> None:
        """Say once why a number cannot be told."""
        if label not in self._warned:
            self._warned.add(label)
            print_log(f"{label} is n/a: {reason}", logger="current", level=logging.WARNING)
