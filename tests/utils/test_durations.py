"""Durations as people write them."""

import pytest

from realdeg.errors import ConfigError
from realdeg.utils.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5", 1.5), ("2 min", 120), ("1h 30m 5s", 5405), (" 10M ", 600), (7, 7)],
)
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1h30", "1m30", "-5", "0", "1.2.3", "nan", "5x", True])
def test_what_is_no_duration_or_means_two_is_refused(text):
    with pytest.raises(ConfigError, match="write 90, 90s, 10m, 1h or 1h30m"):
        parse_duration(text)
