"""Every named preset: it builds, replays in other processes and places, and refuses hostile traces.

A new preset is tested by lying in configs/_base_/degradations.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from realdeg.apis import Degrader
from realdeg.datasets.transforms import Degrade
from realdeg.degradations import Trace
from realdeg.errors import RealdegError
from realdeg.registry import DEGRADATIONS
from tests.degradations.conftest import all_names
from tests.degradations.presets import (
    EVERYTHING,
    FOLDER,
    GEOMETRIES,
    PRESETS,
    WITHOUT_PRESET,
    build_preset,
    digest,
    picture,
    preset_config,
)

REPOSITORY = Path(__file__).resolve().parents[2]


def _types(cfg: dict) -> set[str]:
    inner = [*cfg.get("parts", []), *[cfg[key] for key in ("part", "isp") if cfg.get(key)]]
    return {cfg["type"]}.union(*(_types(part) for part in inner))


def test_every_degradation_has_a_preset():
    covered = set().union(*(_types(preset_config(name)) for name in PRESETS))
    assert set(all_names()) - covered == set(WITHOUT_PRESET)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_builds_in_both_geometries_and_says_what_it_is(name):
    first = (FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(("# ", "degradation = "))
    for scale, same_size in GEOMETRIES:
        degradation = build_preset(name, scale, same_size)
        stride = 1 if same_size else scale
        lr = degradation(picture(1), [scale])
        assert lr.shape == (1, 3, 48 // stride, 36 // stride) and torch.isfinite(lr).all()
        assert degradation.describe()
        assert degradation.border >= 0 and abs(degradation.offset) <= 2 * scale


REPLAY = """
import hashlib, json, sys
import cv2, torch
from realdeg import create_degradation
from realdeg.degradations import Trace
from tests.degradations.presets import digest, picture

folder, threads, save = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "save"
torch.set_num_threads(threads)
cv2.setNumThreads(threads)
built, digests, images = {}, [], []
for line in open(folder + "/traces.jsonl", encoding="utf-8"):
    record = json.loads(line)
    if record["file"] not in built:
        built[record["file"]] = create_degradation(folder + "/" + record["file"])
    trace = Trace.from_json(record["trace"])
    lr = built[record["file"]].replay(picture(record["picture"]), [trace])
    digests.append(digest(lr))
    images.append(lr)
print(json.dumps(digests))
if save:
    torch.save(images, folder + "/lr.pt")
"""


def _write_traces(folder: Path, number: int) -> list[torch.Tensor]:
    """Write random traces over all presets and geometries; return what they give here."""
    lines, results = [], []
    cases = [(name, *geometry) for geometry in GEOMETRIES for name in EVERYTHING]
    order = np.random.default_rng(0).permutation(len(cases))
    for index in range(number):
        case = cases[order[index % len(cases)]]
        if index < len(EVERYTHING):  # everything once at least, in one of its geometries
            case = (EVERYTHING[index], *GEOMETRIES[index % len(GEOMETRIES)])
        file = "{}_{}_{}.safetensors".format(*case)
        degradation = build_preset(*case)
        if not (folder / file).exists():
            degradation.save(folder / file)
        hr = picture(index)
        (trace,) = degradation.sample(hr, [1000 + index])
        results.append(degradation.replay(hr, [trace]))
        lines.append(json.dumps({"file": file, "picture": index, "trace": trace.to_json()}))
    (folder / "traces.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return results


def _replay_elsewhere(folder: Path, threads: int, save: bool = False) -> list[str]:
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", REPLAY, str(folder), str(threads), "save" if save else ""],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _check_replay(folder: Path, number: int) -> None:
    results = _write_traces(folder, number)
    found = _replay_elsewhere(folder, torch.get_num_threads())
    wrong = [
        json.loads(line)["file"]
        for line, image, other in zip(
            (folder / "traces.jsonl").read_text(encoding="utf-8").splitlines(),
            results,
            found,
            strict=True,
        )
        if digest(image) != other
    ]
    assert not wrong, f"{len(wrong)} of {number} replays differ: {sorted(set(wrong))}"


def test_traces_of_all_presets_replay_in_a_new_process_to_the_bit(tmp_path):
    _check_replay(tmp_path, max(60, len(EVERYTHING)))


@pytest.mark.slow
def test_a_thousand_traces_replay_in_a_new_process_to_the_bit(tmp_path):
    _check_replay(tmp_path, 1000)


@pytest.mark.slow
def test_one_and_two_threads_agree_within_the_stated_bounds(tmp_path):
    """1e-5, but for values that rounding or JPEG moves by a level: at most one in a thousand."""
    _write_traces(tmp_path, 300)
    images = []
    for threads in (1, 2):
        _replay_elsewhere(tmp_path, threads, save=True)
        images.append(torch.load(tmp_path / "lr.pt", weights_only=True))
    differing = torch.cat([((a - b).abs() > 1e-5).flatten() for a, b in zip(*images, strict=True)])
    print(f"one and two threads: {int(differing.sum())} of {len(differing)} values differ")
    assert differing.float().mean() < 1e-3


@pytest.mark.parametrize(
    "name", ["bd", "srmd", "bsrgan", "bsrgan_plus", "real_esrgan", "camera_isp", "realsr_pools"]
)
def test_one_trace_serves_worker_training_step_and_folder(name, tmp_path):
    """The three places where a degradation runs give the same LR for the same trace."""
    hr = picture(7)
    degradation = build_preset(name, 2)
    array = (hr[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    sample = {"hr": array, "lr": None, "key": "a", "scale": 2, "same_size": False, "seed": 11}
    made = Degrade(preset_config(name), record=True)({**sample, "meta": {}})
    recorded = made["meta"]["trace"]
    trace = Trace.from_json(recorded if isinstance(recorded, str) else json.dumps(recorded))
    in_step = degradation.replay(hr, [trace])
    in_worker = torch.from_numpy(made["lr"]).permute(2, 0, 1)[None]
    assert torch.equal(in_worker, in_step)
    assert torch.equal(degradation(hr, [11]), in_step)
    in_folder = Degrader(degradation).replay(array, trace)
    expected = in_step[0].permute(1, 2, 0).clamp(0, 1) * 255
    assert np.abs(in_folder - expected.numpy()).max() <= 0.5 + 1e-4


# Long or deep values are cut in messages: a sentence stays a sentence.
LONGEST = 500
HOSTILE = [
    None,
    True,
    -1,
    0,
    10**30,
    10**400,
    -1.5,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "__import__('os').abort()",
    [],
    [[]],
    [1e9, 1e9],
    [1_000_000_000, 1_000_000_000],
    {},
    {"shape": "gaussian", "size": 10**9, "sigma_x": 1.0},
    {"array": "float32", "shape": [2], "base64": "AACAPwAAgD8="},
]


def _places(value, path=()):
    """Yield the place of every value of a record of JSON's types."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, (*path, index))


def _changed(record: dict, path: tuple, value, remove: bool) -> str:
    record = json.loads(json.dumps(record))
    place = record
    for key in path[:-1]:
        place = place[key]
    if remove:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(record)


def _attack(name: str, number: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    degradation = build_preset(name, 2)
    hr = picture(3, (3, 24, 36))
    for _ in range(number):
        (trace,) = degradation.sample(hr, [int(rng.integers(2**31))])
        record = trace.to_dict()
        places = [path for path in _places(record) if path[0] in ("params", "parts", "size")]
        path = places[int(rng.integers(len(places)))]
        choice = int(rng.integers(len(HOSTILE) + 1))
        remove = choice == len(HOSTILE)
        text = _changed(record, path, None if remove else HOSTILE[choice], remove)
        what = f"{name}: {'no ' if remove else ''}{path}" + (
            "" if remove else f" = {HOSTILE[choice]!r:.60}"
        )
        try:
            read = Trace.from_json(text)
            lr = degradation.replay(hr, [read])
            read.in_words()
        except RealdegError as error:
            assert 0 < len(str(error)) < LONGEST, f"{what}: {error}"
            assert "\n" not in str(error), f"{what}: {error}"
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
        else:
            # What is let through is another decision of the same kind, no damage.
            assert lr.shape[2:] == (12, 18), what
            assert torch.isfinite(lr).all(), what


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_hostile_trace_meets_one_sentence(name):
    _attack(name, 100, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERYTHING)
def test_many_hostile_traces_meet_one_sentence(name):
    _attack(name, 1500, seed=1)


def test_a_trace_of_another_preset_is_refused():
    """Each preset refuses traces of other types, whatever they hold."""
    hr = picture(5)
    built = {name: build_preset(name) for name in EVERYTHING}
    traces = {name: degradation.sample(hr, [1])[0] for name, degradation in built.items()}
    for degradation in built.values():
        for trace in traces.values():
            if trace.type != type(degradation).__name__:
                with pytest.raises(RealdegError, match="cannot be replayed by"):
                    degradation.replay(hr, [trace])


def test_a_name_that_does_not_exist_gets_the_nearest_ones():
    with pytest.raises(RealdegError, match="Did you mean 'RealESRGAN'"):
        DEGRADATIONS.require("RealESRGan")
