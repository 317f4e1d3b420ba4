import json

import pytest

from realdeg.errors import DataError
from realdeg.utils.plain_json import DEEPEST, read_json


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"a":',
        '{"a": NaN}',
        "[-Infinity]",
        "1e999",
        "1" * 5000,
        "[" * 200_000,
        "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
        '{"a":' * (DEEPEST + 1) + "1" + "}" * (DEEPEST + 1),
        '"\\ud800"',
        '{"\\uDC00": 1}',
        " " * 2000,
    ],
    ids=lambda text: text[:12] or "empty",
)
def test_what_is_no_plain_json_is_refused_in_one_sentence(text):
    with pytest.raises(DataError, match=r"^the note inside x\.bin is .*\.$") as refused:
        read_json(
            text, "the note inside x.bin", DataError, largest=1_000_000 if text.strip() else 9
        )
    assert len(str(refused.value)) < 300


def test_what_is_plain_comes_back():
    value = {"a": [1, 2.5, -0.0, None, True, "ü \U0001f600"], "b": {"c": []}}
    assert read_json(json.dumps(value), "x", DataError) == value
    deep = "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)
    assert read_json(deep, "x", DataError) == json.loads(deep)
    assert read_json("[NaN, 1e999, 1]", "x", DataError, finite=False) == [None, None, 1]
