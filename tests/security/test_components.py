"""What a file of weights says of itself is judged before anything is built, allocated or read."""

from __future__ import annotations

import itertools
import json
import logging
import time
import tracemalloc

import pytest
import torch

from realdeg import create_backbone, create_degradation
from realdeg.cli.main import main
from realdeg.errors import CheckpointError, ConfigError, RealdegError
from realdeg.registry import BACKBONES, DEGRADATIONS
from realdeg.utils.component import load_state, read_component, refuse_non_finite
from realdeg.utils.construction import within_budget
from tests.fuzz.components import described, originals
from tests.fuzz.values import png

SOURCES = {type_: (kind, arguments, state) for kind, type_, arguments, state in originals()}


def write(folder, type_, changes=None, **more):
    """Write a small component of a type with some arguments changed; return its path."""
    kind, arguments, state = SOURCES[type_]
    settings = {
        "type": type_,
        "arguments": {**arguments, **(changes or {})},
        "state": state,
        **more,
    }
    path = folder / "x.safetensors"
    path.write_bytes(described(kind, **settings))
    return str(path)


def build(path, type_):
    return (create_backbone if SOURCES[type_][0] == "backbone" else create_degradation)(path)


@pytest.mark.parametrize("type_", SOURCES)
def test_every_component_is_rebuilt_as_before_under_its_budget(type_, tmp_path):
    path = write(tmp_path, type_)
    state = build(path, type_).state_dict()
    for name, tensor in SOURCES[type_][2].items():
        assert torch.equal(state[name], tensor), name


def test_a_budget_changes_no_random_number():
    for name in ("SwinIR", "DFSA", "DML", "GlobalKernel"):
        kind, arguments, state = SOURCES[name]
        cls = (BACKBONES if kind == "backbone" else DEGRADATIONS).require(name)
        torch.manual_seed(5)
        free = cls(**arguments)
        after = torch.rand(3)
        torch.manual_seed(5)
        with within_budget(state, "here", name):
            held = cls(**arguments)
        assert torch.equal(after, torch.rand(3))
        for one, other in zip(free.state_dict().values(), held.state_dict().values(), strict=True):
            assert torch.equal(one, other)


ENORMOUS = [
    ("FSRCNN", {"mapping": 2147483648}),
    ("FSRCNN", {"features": 10**6, "shrunk": 10**6}),
    ("VDSR", {"depth": 10**9}),
    ("VDSR", {"width": 10**6}),
    ("EDSR", {"num_blocks": 10**9}),
    ("SwinIR", {"groups": 10**9}),
    ("SwinIR", {"window": 10**5}),
    ("HAT", {"window": 10**5}),
    ("MetaSR", {"hidden": 10**9}),
    ("LapSRN", {"feature_kernel": 10**6 + 1}),
    ("IPT", {"layers": 10**9}),
    ("PixelRecursiveSR", {"layers": 10**9}),
    ("DML", {"num_kernels": 10**9}),
    ("DML", {"width": 10**6}),
    ("DML", {"levels": 40}),
    ("GlobalKernel", {"kernel_size": 10**6 + 1}),
    ("DirectKPN", {"kernel_size": 10**5 + 1}),
    (
        "KernelPool",
        {"pool": {"shape": [2**40, 25, 25], "scale": 2, "same_size": False, "source": ""}},
    ),
    ("SRMD", {"kernel_size": 10**9 + 1}),
    ("SampleCamera", {"kernel_size": 10**9 + 1}),
]


@pytest.mark.parametrize(("type_", "changes"), ENORMOUS, ids=lambda value: str(value)[:40])
def test_arguments_cannot_ask_for_more_than_the_file_holds(type_, changes, tmp_path):
    path = write(tmp_path, type_, changes)
    started = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(RealdegError) as refused:
            build(path, type_)
        assert tracemalloc.get_traced_memory()[1] < 3e8  # NumPy's memory is traced, too
    finally:
        tracemalloc.stop()
    assert "\n" not in str(refused.value)
    assert time.monotonic() - started < 20


def test_parts_inside_each_other_end_somewhere(tmp_path):
    part = {"type": "AWGN"}
    for _ in range(11):  # two to the power of 11
        part = {"type": "Compose", "parts": [part, part], "scale": 1}
    with pytest.raises(CheckpointError, match="ask for more than"):
        build(write(tmp_path, "Compose", {"parts": [part]}), "Compose")
    part = {"type": "AWGN"}
    for _ in range(50):  # in one line
        part = {"type": "Compose", "parts": [part], "scale": 1}
    with pytest.raises(CheckpointError, match="nested more than"):
        build(write(tmp_path, "Compose", {"parts": [part]}), "Compose")


@pytest.mark.parametrize(
    ("type_", "changes", "said"),
    [
        ("FSRCNN", {"preset": 2.5}, "FSRCNN: preset is 2.5, wanted 'fsrcnn' or 'fsrcnn_s'"),
        (
            "FSRCNN",
            {"mapping": "4"},
            "FSRCNN: mapping is '4', wanted a whole number, 0 or more, or None",
        ),
        ("FSRCNN", {"mapping": -1}, ""),
        ("FSRCNN", {"nothing": 4}, "no argument 'nothing'"),
        ("FSRCNN", {"self": 4}, "no argument 'self'"),
        ("FSRCNN", {"type": "VDSR"}, ""),
        ("FSRCNN", {"scale": [4]}, "FSRCNN: scale"),
        ("WaveletSRNet", {"widths": [4, "x"]}, "a list of whole numbers"),
        ("BSRGAN", {"noise_levels": {"a": 1}}, "a list"),
        ("BSRGAN", {"isp_probability": 10**400}, "64 bits"),
        ("KernelPool", {"pool": {"shape": ["a", [], {}]}}, ""),
    ],
)
def test_wrong_arguments_are_one_sentence_that_names_the_file(type_, changes, said, tmp_path):
    path = write(tmp_path, type_, changes)
    with pytest.raises(RealdegError) as refused:
        build(path, type_)
    assert said in str(refused.value) and "x.safetensors" in str(refused.value)


@pytest.mark.parametrize(
    ("type_", "changes"),
    [
        ("Compose", {"parts": [{"checkpoint": "other.safetensors"}]}),
        ("Compose", {"parts": ["other.safetensors"]}),
        ("BSRGAN", {"isp": "./other.safetensors"}),
        ("KernelPool", {"pool": "other.safetensors"}),
        ("NoisePool", {"pool": "/etc/passwd"}),
    ],
)
def test_a_file_names_no_other_file(type_, changes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open(write(tmp_path, "GlobalKernel"), "rb") as stream:
        (tmp_path / "other.safetensors").write_bytes(stream.read())
    with pytest.raises(CheckpointError, match=r"x\.safetensors names another file"):
        build(write(tmp_path, type_, changes), type_)


@pytest.mark.parametrize("key", ["checkpoint", "pretrained", "start_from", "__init__", "type"])
def test_arguments_of_a_file_are_no_words_of_a_config(key, tmp_path):
    path = write(tmp_path, "FSRCNN", {key: str(tmp_path / "x.safetensors")})
    for load in (create_backbone, lambda file: create_backbone("FSRCNN", weights=file)):
        with pytest.raises(CheckpointError, match=r"x\.safetensors") as refused:
            load(path)
        assert key in str(refused.value)


@pytest.mark.parametrize("text", ["NaN", '{"scale": NaN}', "[]", "{", "[" * 99_999, '{"a":1e999}'])
def test_a_description_that_is_no_plain_object(text, tmp_path):
    path = write(tmp_path, "FSRCNN", arguments=text)
    with pytest.raises(CheckpointError, match="'arguments' inside"):
        read_component(path)


def test_notes_may_hold_numbers_that_json_has_not(tmp_path):
    path = write(tmp_path, "FSRCNN", meta='{"psnr": Infinity}')
    path = write(tmp_path, "FSRCNN", meta='{"psnr": Infinity}', hash=read_component(path).hash)
    assert read_component(path).meta == {"psnr": None}


@pytest.mark.parametrize("length", [0, 1, 2**25 + 1, 2**63, 2**64 - 1])
def test_a_header_of_a_wrong_length(length, tmp_path):
    path = write(tmp_path, "FSRCNN")
    content = (tmp_path / "x.safetensors").read_bytes()
    (tmp_path / "x.safetensors").write_bytes(length.to_bytes(8, "little") + content[8:])
    with pytest.raises(CheckpointError, match="cannot be read as safetensors"):
        read_component(path)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("type_", ["DML", "FSRCNN"])
def test_weights_that_are_not_finite_are_refused_by_every_load(type_, bad, tmp_path, capsys):
    state = {name: tensor.clone() for name, tensor in SOURCES[type_][2].items()}
    name = next(name for name, tensor in state.items() if tensor.is_floating_point())
    state[name].view(-1)[0] = bad
    path = write(tmp_path, type_, state=state)
    with pytest.raises(CheckpointError, match=f"NaN or infinity.*{name}"):
        build(path, type_)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(png(32, 48, 1))
    command = "infer" if type_ == "FSRCNN" else "degrade"
    out = tmp_path / "out"
    assert main([command, path, str(tmp_path / "in"), str(out), "--device", "cpu"]) == 2
    assert "NaN or infinity" in capsys.readouterr().err
    assert not list(tmp_path.glob("out/**/*.png"))
    if type_ == "FSRCNN":
        torch.save(state, tmp_path / "x.pth")
        with pytest.raises(CheckpointError, match="NaN or infinity"):
            create_backbone("FSRCNN", weights=tmp_path / "x.pth", **SOURCES[type_][1])


def test_whole_numbers_and_empty_tensors_are_finite():
    refuse_non_finite({"a": torch.zeros(0), "b": torch.tensor(3), "c": torch.ones(2).bool()}, "x")
    with pytest.raises(CheckpointError, match=r"\(b, c, d and 1 more\)"):
        refuse_non_finite(
            {"a": torch.ones(1), **dict.fromkeys("bcde", torch.tensor(float("nan")))}, "x"
        )
    module = torch.nn.Linear(2, 2)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(CheckpointError):
        load_state(module, {**before, "bias": torch.full((2,), torch.inf)}, "x")
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


COMMANDS = {
    "degrade": ("degrade", "{}", "in", "out"),
    "infer": ("infer", "{}", "in", "out"),
    "export": ("export", "{}", "out.safetensors", "--to", "safetensors"),
    "interpolate": ("interpolate", "{}", "{}"),
    "preview": ("preview", "{}", "in/a.png"),
    "test": ("test", "{}"),
    "train": ("train", "{}"),
    "browse": ("browse", "{}"),
}
PLACES = ("./nowhere.py", "../nowhere.py", ".", "..", "", "../../etc", "os.system", "a/b", "./in")


@pytest.mark.parametrize(("command", "place"), list(itertools.product(COMMANDS, PLACES)))
def test_odd_paths_are_one_sentence(command, place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(png(32, 48, 1))
    assert main([place if word == "{}" else word for word in COMMANDS[command]]) == 2
    said = capsys.readouterr().err
    assert said.count("error: ") == 1 and "Traceback" not in said


@pytest.mark.parametrize("place", ["my_cam.py", "./my_cam.py", "sub/../my_cam.py"])
def test_a_config_beside_is_found_with_and_without_a_dot(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("in", "sub"):
        (tmp_path / folder).mkdir()
    (tmp_path / "in" / "a.png").write_bytes(png(32, 48, 1))
    (tmp_path / "my_cam.py").write_text("degradation = dict(type='Bicubic')\nscale = 2\n")
    assert main(["degrade", place, "in", "out", "--quiet"]) == 0


@pytest.mark.parametrize("type_", ["subprocess.getoutput", "os.system", "builtins.eval", "../x"])
@pytest.mark.parametrize("kind", ["degradation", "backbone"])
def test_a_type_that_is_registered_nowhere_runs_nothing(type_, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "x.safetensors"
    arguments = {"cmd": "touch PWNED", "command": "touch PWNED"}
    file.write_bytes(described(kind, type_, arguments, {"w": torch.zeros(1)}))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(png(32, 48, 1))
    for command in ("degrade", "infer", "export", "preview"):
        words = [str(file) if word == "{}" else word for word in COMMANDS[command]]
        assert main(words) == 2
    for build_one in (create_backbone, create_degradation):
        with pytest.raises((CheckpointError, ConfigError)):
            build_one({"checkpoint": str(file)})
    with pytest.raises(RealdegError):
        create_backbone("VDSR", weights=file)
    assert not (tmp_path / "PWNED").exists()


@pytest.fixture(autouse=True)
def _quiet():
    yield
    logging.getLogger("realdeg").handlers.clear()


def test_the_description_says_what_it_holds(tmp_path):
    found = read_component(write(tmp_path, "DML"))
    assert (found.kind, found.type) == ("degradation", "DML")
    assert json.dumps(found.arguments, sort_keys=True) == json.dumps(
        SOURCES["DML"][1], sort_keys=True
    )


@pytest.mark.parametrize("scale", [65, 2000, 10**9])
def test_a_scale_that_no_picture_survives(scale, tmp_path):
    with pytest.raises(RealdegError, match="from 1 to 64"):
        create_backbone(write(tmp_path, "SRCNN", {"scale": scale}))
