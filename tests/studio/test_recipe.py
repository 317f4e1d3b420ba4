"""The text behind the forms: steps, their order, and files that were loaded."""

from pathlib import Path

import pytest

from realdeg import create_degradation
from realdeg.errors import ConfigError
from realdeg.studio.recipe import (
    Recipe,
    kinds_of_step,
    read_recipe,
    recipe_from_config,
    recipe_of,
    with_files,
)

CHAIN = """
degradation:
  type: Compose
  parts:
  - {type: BlurDown, kind: DAN}
  - {type: AWGN, sigma: 3}
  - JPEG
scale: 2
same_size: false
"""


def test_steps_are_read_and_written():
    recipe = read_recipe(CHAIN)
    assert [step["type"] for step in recipe.steps] == ["BlurDown", "AWGN", "JPEG"]
    assert read_recipe(recipe.text) == recipe
    assert recipe.config["scale"] == 2


def test_one_step_is_written_alone():
    recipe = read_recipe("degradation: Bicubic\nscale: 3")
    assert recipe.config == {"degradation": {"type": "Bicubic"}, "scale": 3}
    assert recipe.with_steps([{"type": "AWGN"}]).config["degradation"] == {"type": "AWGN"}


def test_steps_move_leave_and_change():
    recipe = read_recipe(CHAIN)
    names = lambda one: [step["type"] for step in one.steps]  # noqa: E731
    assert names(recipe.moved(2, -1)) == ["BlurDown", "JPEG", "AWGN"]
    assert names(recipe.moved(0, -1)) == names(recipe)
    assert names(recipe.without(1)) == ["BlurDown", "JPEG"]
    assert recipe.changed(1, {"sigma": 7}).steps[1] == {"type": "AWGN", "sigma": 7}
    with pytest.raises(ConfigError, match="1 to 16 steps"):
        read_recipe("degradation: AWGN").without(0)


def test_a_step_keeps_its_own_scale():
    recipe = recipe_of(
        {"degradation": {"type": "Compose", "parts": [{"type": "AWGN", "scale": 1}]}, "scale": 2}
    )
    assert recipe.changed(0, {"sigma": 1.0}).steps[0]["scale"] == 1


def test_other_orders_keep_their_arguments():
    text = "degradation: {type: OneOf, parts: [AWGN, JPEG], probabilities: [1, 3]}\nscale: 2"
    recipe = read_recipe(text)
    assert (recipe.order, recipe.rest) == ("OneOf", {"probabilities": [1, 3]})
    assert read_recipe(recipe.text) == recipe
    assert "probabilities" not in recipe.without(0).text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sigma: 5", "needs a 'degradation'"),
        ("degradation: AWGN\nbackbone: VDSR", "holds 'backbone'"),
        ("degradation: {sigma: 5}", "step 1 needs a 'type'"),
        ("degradation: NoSuch", "no degradation named 'NoSuch'"),
        ("degradation: {type: Compose}", "needs 'parts'"),
        ("degradation: [", "not YAML"),
        ("degradation: !!python/name:os.system ''", "tag"),
    ],
)
def test_a_wrong_text_is_refused_in_one_sentence(text, message):
    with pytest.raises(ConfigError, match=message):
        read_recipe(text)


def test_recipes_are_known_by_name_alone(tmp_path):
    assert recipe_from_config("hat/hat_real_dfo_x4").steps == ({"type": "RealESRGAN"},)
    own = tmp_path / "own.yaml"
    own.write_text("degradation: AWGN")
    with pytest.raises(ConfigError, match="no recipe"):
        recipe_from_config(str(own))


def test_learned_kinds_are_last_and_say_so():
    words = [words for words, _ in kinds_of_step()]
    learned = [word.endswith("needs a camera file)") for word in words]
    assert learned == sorted(learned) and any(learned) and "Compose" not in words


@pytest.mark.parametrize(
    "config",
    [
        {"checkpoint": "/etc/passwd"},
        {"checkpoint": "secret.safetensors"},
        {"checkpoint": "secret"},
        {"type": "KernelPool", "pool": "secret.npz"},
        {"type": "KernelPool", "pool": "secret"},
        {"type": "KernelPool", "pool": "../secret"},
        {"type": "Compose", "parts": [{"type": "AWGN"}, "./camera.safetensors"]},
        {"type": "Maybe", "part": {"type": "NoisePool", "pool": {"file": "/etc/passwd"}}},
        {"type": "BSRGAN", "isp": "~/camera.safetensors"},
    ],
)
def test_no_file_but_a_loaded_one_is_named(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(ConfigError, match="reads only files that were loaded"):
        with_files(config, {"my.safetensors": tmp_path / "my.safetensors"})


def test_a_loaded_file_becomes_its_path():
    files = {"my.safetensors": Path("/up/load/my.safetensors")}
    made = with_files({"type": "Compose", "parts": [{"checkpoint": "my.safetensors"}]}, files)
    assert made["parts"] == [{"checkpoint": "/up/load/my.safetensors"}]
    assert with_files({"type": "BlurDown", "kind": "s-fold"}, {})["kind"] == "s-fold"


@pytest.mark.parametrize(
    "config", [{"type": "DML", "width": 10**6}, {"type": "Maybe", "part": {"type": "DML"}}]
)
def test_learned_types_are_refused_before_they_are_built(config):
    with pytest.raises(ConfigError, match="DML is learned"):
        with_files(config, {})


def test_the_config_is_one_that_realdeg_takes(tmp_path):
    file = tmp_path / "degradation.yaml"
    file.write_text(read_recipe(CHAIN).text)
    assert (
        create_degradation(file).describe()
        == create_degradation(read_recipe(CHAIN).config["degradation"], 2, False).describe()
    )
    assert Recipe(({"type": "AWGN"},)).config["scale"] == 4
