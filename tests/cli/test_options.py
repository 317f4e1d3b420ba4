import pytest

from realdeg.cli.options import parse_value
from realdeg.errors import argument_name, as_given, flags_in_messages


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-1", -1),
        ("1e-4", 1e-4),
        ("010", 10),
        ("true", True),
        ("none", None),
        ("DML", "DML"),
        ("", ""),
        ("'3'", "3"),
        ("a,b", ["a", "b"]),
        ("1,2", [1, 2]),
        ("[a/b.png, c-d]", ["a/b.png", "c-d"]),
        ("(0.9,0.999)", (0.9, 0.999)),
        ("[]", []),
        ("dict(type=AWGN,sigma=5)", {"type": "AWGN", "sigma": 5}),
        ("[dict(type='A',x=[1,2]),dict(y=-1)]", [{"type": "A", "x": [1, 2]}, {"y": -1}]),
        ("{'a': 'b/c'}", {"a": "b/c"}),
        # File names stay as they are.
        ("RealSR (ICCV2019)", "RealSR (ICCV2019)"),
        ("work dirs/x=1.pth", "work dirs/x=1.pth"),
        ("__import__('os').system('true')", "__import__('os').system('true')"),
    ],
)
def test_values(text, value):
    read = parse_value(text)
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize("text", ["[1,2", "dict(", "dict(a=b/c)", "{1"])
def test_what_cannot_be_read(text):
    with pytest.raises(ValueError, match=r"dict|list"):
        parse_value(text)


def test_messages_name_what_the_user_can_change():
    assert as_given(overwrite=True) == "overwrite=True"
    assert as_given(work_dir="out", card=False) == "work_dir='out', card=False"
    assert as_given(size=("H", "W")) == "size=(H, W)"
    with flags_in_messages():
        assert as_given(overwrite=True) == "--overwrite"
        assert as_given(work_dir="out", card=False) == "--work-dir out --no-card"
        assert as_given(size=("H", "W")) == "--size H W"
        assert argument_name("options") == "--cfg-options"
    assert argument_name("options") == "options"
