"""The contract of every metric: records per image, means, missing values, several processes."""

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
from realdeg.evaluation.iqa_protocol import IqaProtocol
from realdeg.evaluation.protocols import Protocol
from realdeg.utils.samples import Prediction


@dataclass
class ImageScores:
    """The scores of one image.

    Args:
        key: The image's name in its data set.
        samples: By label, one value per sample: the image, or each tile.
        missing: By label, why a score could not be measured.
        data: Intermediate data for scores of the whole set.
    """

    key: str
    samples: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict, repr=False)

    def mean(self) -> dict[str, float]:
        """Return each score's mean over the samples of this image."""
        return {name: sum(values) / len(values) for name, values in self.samples.items()}


class ImageMetric(BaseMetric):
    """Compares predictions with their targets under one protocol.

    Subclasses define :attr:`labels` (each ``name[protocol]``) and :meth:`measure_image`; scores
    that are not means over images are computed by :meth:`gather`. A score that some image lacks
    has no mean: it is omitted with one warning, :attr:`missing` says why, and the run continues.

    Evaluation is exact with several processes: every image gives one record, records are gathered
    in the data set's order, and duplicates that a sampler adds to fill the last batch are dropped.

    Args:
        prefix: Put before the names as ``prefix/``, to distinguish data sets.
        collect_device: ``"cpu"`` or ``"gpu"``: how processes exchange results.
        collect_dir: A shared folder for the exchange on the CPU.

    Attributes:
        protocol: Defines the scores; its name is part of their labels.
        per_image: After an evaluation, on the main process, the scores of each image.
        averages: The scores that the evaluation returned, without the prefix.
        missing: By label, why a score could not be measured.
    """

    default_prefix = ""
    nothing_found: ClassVar[str] = "no image is suited to measure it."
    """Why a score is missing although no image was refused."""

    protocol: Protocol | LrProtocol | IqaProtocol

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
        """The labels of the scores, without the prefix."""

    @abstractmethod
    def measure_image(self, sample: Prediction) -> ImageScores:
        """Measure one image, which has a prediction and a target.

        Returns:
            Its scores, and the data that :meth:`gather` needs.

        Raises:
            DataError: If prediction and target do not match.
        """

    def gather(self, records: Sequence[ImageScores]) -> dict[str, float]:
        """Compute the scores of the set: means over all samples, with equal weight for each tile.

        Args:
            records: The scores of every image with at least one score.

        Returns:
            Scores by label, without those that cannot be measured.
        """
        found = {}
        for label in self.labels:
            values = [value for one in records for value in one.samples.get(label, ())]
            if values:
                found[label] = float(torch.tensor(values, dtype=torch.float64).mean())
        return found

    def process(self, data_batch: object, data_samples: Sequence[Prediction]) -> None:
        """Measure a batch of predictions; ``data_batch`` is not used.

        Raises:
            DataError: If an image has no target or does not match it.
        """
        for sample in data_samples:
            for name in ("prediction", "target"):
                if sample.get(name) is None:
                    key = sample.get("key", "?")
                    raise DataError(f"image '{key}' has no {name}: nothing can be measured.")
            self.results.append(self.measure_image(sample))

    def compute_metrics(self, results: list[ImageScores]) -> dict[str, float]:
        """Compute the scores of the set and note which are missing."""
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
        """Log once why a score is missing."""
        if label not in self._warned:
            self._warned.add(label)
            print_log(f"{label} is n/a: {reason}", logger="current", level=logging.WARNING)
