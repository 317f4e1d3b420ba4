import math
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realdeg.errors import ConfigError
from realdeg.utils import data_file
from realdeg.utils.data_file import check_size, data_text, read_assignments, read_data

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["no", "1e-4", "0x1F", "0o7", "~", "<<", "=", "2020-01-01", "1:30", ".inf"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(data=st.dictionaries(st.text(), VALUES, max_size=5))
def test_what_is_written_reads_back(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "round_trip.yaml"
    file.write_bytes(data_text(data).encode("utf-8", "surrogatepass"))
    found = read_data(file)
    assert repr(found) == repr(data)


def read(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    return read_data(tmp_path / name)


def test_yaml_is_read_as_version_1_2(tmp_path):
    text = (
        "a: 1e-4\nb: [no, 1:30, 0x10, 0o17, -.inf, ~, null, '1']\nc: &c {x: 1}\nd: {<<: *c, y: 2}"
    )
    assert read(tmp_path, "a.yaml", text) == {
        "a": 1e-4,
        "b": ["no", "1:30", 16, 15, -math.inf, None, None, "1"],
        "c": {"x": 1},
        "d": {"x": 1, "y": 2},
    }
    assert read(tmp_path, "a.json", '{"a": [1, 2.5, null, "x"]}') == {"a": [1, 2.5, None, "x"]}


LAUGHS = "a0: &a0 [1,2,3,4,5,6,7,8,9]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [{','.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "!!python/object/apply:os.system ['touch ran']", "tag !!python/object/apply"),
        ("a.yaml", "a: !!python/name:os.system", "line 1 has the tag !!python/name"),
        ("a.yaml", "a: !!binary aGVsbG8=", "tag !!binary"),
        ("a.yaml", "a: !!set {1, 2}", "tag !!set"),
        ("a.yaml", "a: !mine 1", "tag !mine"),
        ("a.yaml", LAUGHS, "aliases expanded"),
        ("a.yaml", MERGES, "aliases expanded"),
        ("a.yaml", "a: &a [*a]", "aliases that contain each other"),
        ("a.yaml", "[" * 100_000, "nesting|deep"),
        ("a.yaml", "- " * 100_000, "nested more than"),
        ("a.yaml", "a: " + "{b: " * 300 + "1" + "}" * 300, "nested more than"),
        ("a.yaml", "a: 1\na: 2", "line 2 has the key 'a' twice"),
        ("a.yaml", "? [1]\n: 2", "key that is not a string"),
        ("a.yaml", "a: 1\n---\nb: 2", "another document"),
        ("a.yaml", "a: [1", "is not YAML: line"),
        ("a.yaml", "a: " + "9" * 5000, "cannot be read as YAML"),
        ("a.yaml", "", "holds nothing"),
        ("a.yaml", "- 1", "holds a list"),
        ("a.yml", "[" + "1," * 150_000 + "]", "more than 100000 values"),
        ("a.json", "[" * 100_000 + "]" * 100_000, "brackets nested more"),
        ("a.json", '{"a": ' * 60 + "1" + "}" * 60, "nested more than"),
        ("a.json", '{"a": 1, "a": 2}', "has the key 'a' twice"),
        ("a.json", '{"a": ' + "9" * 5000 + "}", "is not JSON"),
        ("a.json", "{'a': 1}", "is not JSON"),
        ("a.json", "3", "holds a number"),
        ("a.json", '"' + "x" * (1 << 20) + '"', "larger than"),
    ],
)
def test_refused_in_a_sentence_and_at_once(tmp_path, monkeypatch, name, text, said):
    monkeypatch.chdir(tmp_path)
    began = time.process_time()
    with pytest.raises(ConfigError, match=said) as caught:
        read(tmp_path, name, text)
    assert time.process_time() - began < 5 and len(str(caught.value)) < 500
    assert not (tmp_path / "ran").exists()


def test_what_is_no_file_of_text(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match="byte 3 is not UTF-8"):
        read_data(tmp_path / "a.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")  # reading one waits for ever
    for name in ("pipe.yaml", "absent.yaml"):
        with pytest.raises(ConfigError, match="there is no file"):
            read_data(tmp_path / name)


def test_assignments_are_read_and_not_run(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("# saved\na = {'b': (1, -2.5), 'c': dict(d=None, e=[True])}\nf = inf\n")
    assert read_assignments(file) == {
        "a": {"b": (1, -2.5), "c": {"d": None, "e": [True]}},
        "f": math.inf,
    }
    for text in (
        "import os",
        "a = open('ran', 'w')",
        "a = [x for x in (1, 2)]",
        "a = dict(**{'b': 1})",
        "a = b'bytes'",
        "a = -'x'",
        "a = " + "(" * 150,
        "a = " + "-" * 200_000 + "1",
        "a = ",
    ):
        file.write_text(text)
        with pytest.raises(ConfigError):
            read_assignments(file)


def test_one_object_at_many_places_is_counted_at_each(monkeypatch):
    value = [1] * 10
    for _ in range(8):
        value = [value] * 10
    with pytest.raises(ConfigError, match="more than 100000 values"):
        check_size(value, "it")
    value = []
    value.append(value)
    with pytest.raises(ConfigError, match="deep"):
        check_size(value, "it")
    check_size({"a": [{"b": ()}] * 100}, "it")
    assert data_file.MAX_DEPTH >= 20
