"""What every registered metric promises."""

from __future__ import annotations

import pytest

from realdeg.evaluation import ImageQuality
from realdeg.registry import METRICS
from realdeg.testing import MetricContract
from tests.evaluation.test_degradation_metrics import reduced, scene


class TestEveryMetric(MetricContract):
    @pytest.fixture(
        params=[n for n in METRICS.names() if METRICS.get(n).__module__.startswith("realdeg.")],
        autouse=True,
    )
    def each(self, request):
        self.component = METRICS.get(request.param)

    def samples(self):
        if self.component is ImageQuality:
            return super().samples()
        made = []
        for seed, key in enumerate("abc"):
            hr = scene(seed, side=256, flat=False)
            images = {"prediction": reduced(hr), "target": reduced(hr.roll(1, -1)), "input": hr}
            made.append({"key": key, "scale": 4, "meta": {}, **images})
        return made
