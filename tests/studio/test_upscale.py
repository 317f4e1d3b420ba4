"""Upscaling on the page: networks of files, limits, and what is shown."""

import numpy as np
import pytest
import torch

import realdeg
from realdeg.errors import CheckpointError, ConfigError, DataError
from realdeg.studio import upscale as module
from realdeg.studio.desk import Desk
from realdeg.utils.component import save_component


@pytest.fixture
def weights(tmp_path):
    network = realdeg.create_backbone("FSRCNN", scale=2)
    save_component(
        tmp_path / "network.safetensors",
        network,
        kind="backbone",
        type="FSRCNN",
        arguments=network.arguments,
    )
    torch.save(network.state_dict(), tmp_path / "other.pth")
    return tmp_path / "network.safetensors"


@pytest.fixture
def photo(tmp_path):
    rng = np.random.default_rng(0)
    realdeg.write_image(tmp_path / "in.png", rng.integers(0, 255, (30, 40, 3), dtype=np.uint8))
    return tmp_path / "in.png"


def test_a_loaded_network_upscales_an_image(weights, photo, tmp_path):
    steps = []
    made = Desk().upscale(
        str(photo),
        None,
        str(weights),
        None,
        tmp_path,
        tile="16",
        progress=lambda done, total: steps.append((done, total)),
    )
    want = realdeg.SuperResolver(weights, device="cpu").upscale(realdeg.read_image(photo))
    assert np.array_equal(made.made, want) and made.plain.shape == want.shape == (60, 80, 3)
    assert np.array_equal(realdeg.read_image(made.file), want)
    assert "30 x 40 to 60 x 80" in made.words and "tiles of 16" in made.words and steps


def test_the_last_lr_image_is_upscaled_where_none_is_given(weights, tmp_path):
    desk = Desk()
    with pytest.raises(DataError, match="draw one first"):
        desk.upscale(None, None, str(weights), None, tmp_path)
    desk.draw("sample/coffee", 64, "degradation: Bicubic\nscale: 2\nsame_size: false", 0)
    made = desk.upscale(None, None, str(weights), None, tmp_path)
    assert made.made.shape == desk.shot.photo.pixels.shape


def test_a_file_of_another_project_needs_a_type(weights, photo, tmp_path):
    other = weights.with_name("other.pth")
    with pytest.raises(ConfigError, match="choose the network's type"):
        Desk().upscale(str(photo), None, str(other), None, tmp_path)
    made = Desk().upscale(str(photo), None, str(other), "FSRCNN", tmp_path, scale=2)
    assert made.made.shape == (60, 80, 3)
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes(b"no weights")
    with pytest.raises(CheckpointError):
        Desk().upscale(str(photo), None, str(damaged), "FSRCNN", tmp_path)


def test_a_large_result_is_shown_in_part(weights, photo, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHOWN", 32)
    made = Desk().upscale(str(photo), None, str(weights), None, tmp_path)
    assert made.made.shape == made.plain.shape == (32, 32, 3)
    assert "shown are 32 x 32" in made.words
    assert realdeg.read_image(made.file).shape == (60, 80, 3)


def test_too_large_an_image_names_the_command(weights, photo, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_PIXELS", 1000)
    with pytest.raises(DataError, match="realdeg infer"):
        Desk().upscale(str(photo), None, str(weights), None, tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tile": "big"}, "auto, none or a number"),
        ({"kernel_width": 1.0}, "FSRCNN"),
    ],
)
def test_wrong_settings_are_refused(settings, message, weights, photo, tmp_path):
    with pytest.raises(ConfigError, match=message):
        Desk().upscale(str(photo), None, str(weights), None, tmp_path, **settings)


def test_published_networks_are_known_by_name(photo, tmp_path):
    assert "FSRCNN:yjn870 x2" in module.published()
    with pytest.raises(ConfigError, match="no published network '../x x2'"):
        Desk().upscale(str(photo), "../x x2", None, None, tmp_path)
    with pytest.raises(ConfigError, match="choose a published network"):
        Desk().upscale(str(photo), None, None, None, tmp_path)
