from __future__ import annotations

from collections.abc import Callable

import pytest

from realdeg.backbones import Backbone
from realdeg.testing import backbones


@pytest.fixture
def reach() -> Callable[[Backbone], int]:
    """A function that measures how far a network sees."""
    return backbones.reach
