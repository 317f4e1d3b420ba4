"""The contract of metrics."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from mmengine.evaluator import BaseMetric

from realdeg.errors import ConfigError, DataError
from realdeg.registry import METRICS
from realdeg.testing.contract import Contract


class MetricContract(Contract, page="docs/your_own_loss.md"):
    """What every metric promises to evaluation loops, reports and several processes."""

    component: type[BaseMetric]
    registry = METRICS

    def build(self, **changes: object) -> Any:
        """Build the component as a config does.

        Args:
            **changes: Arguments that differ.
        """
        return METRICS.build({**self.config, **changes})

    def samples(self) -> list[dict[str, Any]]:
        """Return what a task predicts for three images of different sizes.

        Each is a dict of ``key``, ``prediction`` and ``target`` (3 x H x W in [0, 1]), ``scale``
        and ``meta``. Override it for a metric that needs other inputs.
        """
        found = []
        for number, key in enumerate("abc"):
            generator = torch.Generator().manual_seed(number)
            target = torch.rand(3, 24, 28 + 2 * number, generator=generator)
            wrong = 0.05 * torch.randn(target.shape, generator=generator)
            images = {"prediction": (target + wrong).clamp(0, 1), "target": target}
            found.append({"key": key, "scale": 2, "meta": {}, **images})
        return found

    def evaluated(self, metric: Any, samples: list[dict[str, Any]]) -> dict[str, float]:
        """Measure samples as an evaluation loop does.

        Args:
            metric: The metric.
            samples: What a task predicts.

        Returns:
            Values by label.
        """
        metric.process(None, samples[:2])
        metric.process(None, samples[2:])
        numbers: dict[str, float] = metric.evaluate(len(samples))
        return numbers

    def test_every_value_is_reported_or_missing_with_a_reason(self) -> None:
        """Values are labelled with their protocol (``labels``); a missing one has a reason."""
        metric = self.build()
        found = self.evaluated(metric, self.samples())
        assert set(found) | set(metric.missing) == set(metric.labels)
        assert not set(found) & set(metric.missing)
        assert all(isinstance(value, float) for value in found.values())
        assert all(isinstance(reason, str) and reason for reason in metric.missing.values())
        assert metric.averages == found, "reports read `averages`"

    def test_images_are_reported_separately(self) -> None:
        """``per_image`` has one entry per image, in order, with its key and values."""
        metric, samples = self.build(), self.samples()
        self.evaluated(metric, samples)
        assert [scores.key for scores in metric.per_image] == [one["key"] for one in samples]
        for scores in metric.per_image:
            assert set(scores.mean()) <= set(metric.labels)

    def test_an_evaluation_starts_afresh(self) -> None:
        """A second evaluation is independent of the first, and samples are not changed."""
        metric, samples = self.build(), self.samples()
        kept = copy.deepcopy(samples)
        first = self.evaluated(metric, samples)
        assert metric.results == []
        assert self.evaluated(metric, kept) == first

    def test_several_processes_give_what_one_gives(self) -> None:
        """Results are gathered from processes without the duplicates that fill the last batch."""
        metric, samples = self.build(), self.samples()
        alone = self.evaluated(metric, samples)
        ranks = [self.build(), self.build()]
        ranks[0].process(None, [samples[0], samples[2]])
        ranks[1].process(None, [samples[1], samples[0]])
        travelled = [pickle.loads(pickle.dumps(rank.results)) for rank in ranks]
        gathered = [result for pair in zip(*travelled, strict=True) for result in pair]
        assert self.build().compute_metrics(gathered[: len(samples)]) == alone

    def test_prefixes_distinguish_data_sets(self) -> None:
        """With a ``prefix`` each label is ``prefix/label``."""
        found = self.evaluated(self.build(prefix="canon"), self.samples())
        plain = self.evaluated(self.build(), self.samples())
        assert found == {f"canon/{name}": value for name, value in plain.items()}

    def test_a_missing_target_is_named(self) -> None:
        """An image without prediction or target is refused by its key."""
        for absent in ("prediction", "target"):
            sample = {name: item for name, item in self.samples()[0].items() if name != absent}
            with pytest.raises(DataError, match=f"'a' has no {absent}"):
                self.build().process(None, [sample])

    def test_an_unknown_protocol_is_refused(self) -> None:
        """An unknown protocol is refused when the metric is built."""
        with pytest.raises(ConfigError, match="no-such-protocol"):
            self.build(protocol="no-such-protocol")
