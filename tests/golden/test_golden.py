"""What realdeg 0.1 computed and wrote, and what this code makes of it.

On the build that the values were made with (torch, NumPy, OpenCV, processor) every bit is compared;
on others numbers within 1e-5, and after quantisation by a share of the pixels.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from realdeg.degradations import Trace
from realdeg.registry import BACKBONES, DEGRADATIONS
from tests.golden import compute
from tests.golden.make import HERE, ITERATIONS, PUBLISHED, RUNS, read

GOLDEN_BUILD = read("build")
SAME_BUILD = compute.build() == GOLDEN_BUILD
DEGRADATION_VALUES = read("degradations")
PRESET_VALUES = read("presets")
BACKBONE_VALUES = read("backbones")
RECIPE_VALUES = read("recipes")
# Names that recipes give the engine, and what they were.
RENAMED = {
    "MultiOptimizerConstructor": "SeveralOptimisers",
    "ManualGradientSync": "StepsForItself",
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def close(found: list[float], wanted: list[float]) -> bool:
    """Say whether two corners agree: rounding to 8 bit and JPEG may move a few pixels."""
    difference = (torch.tensor(found) - torch.tensor(wanted)).abs()
    return bool((difference <= 1e-5).double().mean() >= 0.9 and difference.max() <= 0.05)


def compare_images(found: dict, wanted: dict) -> None:
    for mine, before in zip(found["images"], wanted["images"], strict=True):
        if SAME_BUILD:
            assert mine["trace"] == before["trace"]
            assert mine["sha"] == before["sha"]
        assert mine["words"] == before["words"]
        assert mine["shape"] == before["shape"]
        assert close(mine["corner"], before["corner"])


def compare_degradation(found: dict, wanted: dict) -> None:
    # A new argument may have come; those that were there mean the same.
    arguments = {key: found["arguments"].get(key) for key in wanted["arguments"]}
    assert arguments == wanted["arguments"]
    assert (found["offset"], found["border"]) == (wanted["offset"], wanted["border"])
    if SAME_BUILD:
        assert found["state"] == wanted["state"]
        assert found["hash"] == wanted["hash"]
    compare_images(found, wanted)


@pytest.mark.parametrize("key", DEGRADATION_VALUES)
def test_degradations_draw_and_compute_as_before(key):
    name, grid = key.split(" same_size=")
    made = compute.make_degradation(name, grid == "True")
    found = compute.degradation_record(made, compute.image(3, 48, 48))
    compare_degradation(found, DEGRADATION_VALUES[key])


@pytest.mark.parametrize("key", DEGRADATION_VALUES)
def test_traces_written_before_replay_to_the_same_image(key):
    name, grid = key.split(" same_size=")
    made = compute.make_degradation(name, grid == "True")
    if made.fitting is not None and not SAME_BUILD:
        pytest.skip("traces name the weights' hash, and another build draws other weights")
    hr = compute.image(3, 48, 48)
    for before in DEGRADATION_VALUES[key]["images"]:
        trace = Trace.from_json(before["trace"])
        lr = compute.replay(made, hr, [trace])
        assert close(compute.corner(lr), before["corner"])
        assert not SAME_BUILD or compute.digest(lr) == before["sha"]


@pytest.mark.parametrize("name", PRESET_VALUES)
def test_presets_of_the_recipes_degrade_as_before(name):
    wanted = PRESET_VALUES[name]
    torch.manual_seed(0)
    made = DEGRADATIONS.build(wanted["said"] | {"scale": 4, "same_size": False}).eval()
    compare_degradation(compute.degradation_record(made, compute.image(3, 72, 72)), wanted)


@pytest.mark.parametrize("name", BACKBONE_VALUES)
def test_networks_are_drawn_and_compute_as_before(name):
    wanted = BACKBONE_VALUES[name]
    found = compute.backbone_record(compute.make_backbone(name))
    arguments = {
        key: found["arguments"].get(key, wanted["arguments"][key]) for key in wanted["arguments"]
    }
    assert arguments == wanted["arguments"]
    for key in ("keys", "facts", "scales", "needs", "shape", "aux"):
        assert found[key] == wanted[key], key
    if SAME_BUILD:
        assert found["state"] == wanted["state"]
        assert found["sha"] == wanted["sha"]
        assert close(found["corner"], wanted["corner"])


@pytest.mark.parametrize("name", BACKBONE_VALUES)
def test_arguments_that_files_hold_still_build_the_network(name):
    """A component file stores every argument, those that a class no longer lists among them."""
    wanted = BACKBONE_VALUES[name]
    network = BACKBONES.build({"type": name, **wanted["arguments"]})
    keys = {key: list(value.shape) for key, value in network.state_dict().items()}
    assert keys == wanted["keys"]


@pytest.mark.parametrize("name", RECIPE_VALUES)
def test_recipes_give_the_engine_what_they_gave_before(name):
    text = json.dumps(compute.resolved_recipe(name))
    for new, old in RENAMED.items():
        text = text.replace(f'"{new}"', f'"{old}"')
    found = json.loads(text)
    wanted = RECIPE_VALUES[name]
    if "refused" in wanted:
        assert found.get("refused") == wanted["refused"]
        return
    assert "refused" not in found
    for key in wanted:
        assert found[key] == wanted[key], key


@pytest.mark.parametrize("short", RUNS)
class TestFilesOfARun:
    def test_a_checkpoint_goes_on_to_the_same_weights(self, short, tmp_path):
        from realdeg.utils.component import read_component

        run = shutil.copytree(HERE / short, tmp_path / short)
        (component,) = run.glob("*.safetensors")
        before = read_component(component).state
        component.unlink()
        name, options = RUNS[short]
        compute.train(run, name, {**options, **ITERATIONS}, resume=True)
        after = read_component(component).state
        assert after.keys() == before.keys()
        for key, value in before.items():
            # Not to the bit: these files were written on another kind of processor.
            torch.testing.assert_close(after[key], value, rtol=1e-4, atol=1e-5)

    def test_the_config_of_its_folder_loads(self, short):
        from realdeg.config import load_config

        cfg = load_config(HERE / short)
        assert cfg.recipe == RUNS[short][0]

    def test_its_component_loads(self, short):
        from realdeg.utils.component import read_component

        (path,) = (HERE / short).glob("*.safetensors")
        file = read_component(path)
        registry = DEGRADATIONS if file.kind == "degradation" else BACKBONES
        made = build_from(registry, path)
        assert made.arguments == {**made.arguments, **file.arguments}
        for key, value in made.state_dict().items():
            assert torch.equal(value, file.state[key])


def build_from(registry, path: Path):
    if registry is DEGRADATIONS:
        from realdeg import create_degradation

        return create_degradation(path)
    from realdeg import create_backbone

    return create_backbone(path)


@pytest.mark.parametrize(("kind", "file", "scale"), PUBLISHED)
def test_published_weights_give_the_same_set5_rows(real_data, kind, file, scale):
    wanted = read("published")[f"{kind} {file} x{scale}"]
    found = compute.published_record(real_data, kind, file, scale)
    assert found["state"] == wanted["state"]
    for mine, before in zip(found["psnr"], wanted["psnr"], strict=True):
        assert mine == pytest.approx(before, abs=0 if SAME_BUILD else 0.001)
