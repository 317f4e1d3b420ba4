"""What every registered zero-shot method must fulfil: registering one is enough to test it."""

from __future__ import annotations

import pytest

from realdeg.registry import ZERO_SHOT
from realdeg.testing import ZeroShotContract


def types() -> list[str]:
    ours = [n for n in ZERO_SHOT.names() if ZERO_SHOT.get(n).__module__.startswith("realdeg.")]
    assert {"ZSSR", "DIP"} <= set(ours)
    return ours


class TestEveryMethod(ZeroShotContract):
    @pytest.fixture(params=types(), autouse=True)
    def each(self, request):
        self.component = ZERO_SHOT.get(request.param)
