from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.apis import Degrader
from realdeg.degradations import AWGN, DML, Bicubic, Compose
from realdeg.errors import CheckpointError, ConfigError, DataError, GeometryError


def picture(height, width, channels=3, dtype=np.uint8, seed=0):
    values = np.random.default_rng(seed).random((height, width, channels))
    if np.issubdtype(dtype, np.floating):
        return values.astype(dtype)
    return np.round(values * np.iinfo(dtype).max).astype(dtype)


def noisy(scale=2, same_size=False):
    parts = [dict(type="Bicubic"), dict(type="AWGN", sigma=5)]
    return Degrader(dict(type="Compose", parts=parts), scale=scale, same_size=same_size)


def tiny_dml(**arguments):
    dml = DML(scale=2, num_kernels=2, kernel_size=5, width=4, levels=1, **arguments)
    dml.mark_trained()
    return dml


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("same_size", [False, True])
def test_number_type_and_channels_stay(dtype, channels, same_size):
    image = picture(8, 12, channels, dtype)
    lr, trace = noisy(same_size=same_size).degrade(image, seed=3)
    assert lr.dtype == dtype
    assert lr.shape == ((8, 12) if same_size else (4, 6)) + (channels,)
    assert trace.type == "Compose"


def test_array_without_channel_axis_stays_so():
    lr, _ = noisy().degrade(picture(8, 12, 1)[..., 0])
    assert lr.shape == (4, 6)


def test_sixteen_bit_is_not_cut_to_eight():
    image = picture(32, 32, 3, np.uint16)
    lr, _ = Degrader("Bicubic", scale=2).degrade(image)
    assert len(np.unique(lr)) > 256
    # Dark 16-bit content is where tools that guess the depth from the values go wrong.
    dark, _ = Degrader("Bicubic", scale=2).degrade(np.full((8, 8, 3), 200, np.uint16))
    assert dark.dtype == np.uint16 and (dark == 200).all()


def test_grey_equals_the_degraded_rgb_of_it():
    grey = picture(16, 16, 1)
    lr, _ = Degrader("Bicubic", scale=2).degrade(grey)
    rgb, _ = Degrader("Bicubic", scale=2).degrade(np.repeat(grey, 3, axis=2))
    np.testing.assert_array_equal(lr, rgb[..., :1])


def test_alpha_is_resized_and_not_degraded():
    image = picture(8, 8, 4)
    image[..., 3] = 255
    lr, _ = noisy().degrade(image)
    assert (lr[..., 3] == 255).all()
    kept, _ = noisy(same_size=True).degrade(picture(8, 8, 4))
    np.testing.assert_array_equal(kept[..., 3], picture(8, 8, 4)[..., 3])


def test_colour_does_not_depend_on_alpha():
    image = picture(8, 8, 4)
    with_alpha, _ = noisy().degrade(image, seed=1)
    without, _ = noisy().degrade(np.ascontiguousarray(image[..., :3]), seed=1)
    np.testing.assert_array_equal(with_alpha[..., :3], without)


def test_seed_decides():
    image = picture(16, 16)
    degrader = noisy()
    first, trace = degrader.degrade(image, seed=1)
    again, _ = degrader.degrade(image, seed=1)
    other, _ = degrader.degrade(image, seed=2)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(degrader.replay(image, trace), first)


def test_remainder_is_refused_or_cropped_never_ignored():
    image = picture(9, 11)
    degrader = noisy()
    with pytest.raises(GeometryError, match="9 x 11.*is not divisible"):
        degrader.degrade(image)
    lr, trace = degrader.degrade(image, remainder="crop")
    assert lr.shape == (4, 5, 3) and trace.size[1:] == (8, 10)
    np.testing.assert_array_equal(degrader.replay(image, trace), lr)
    with pytest.raises(GeometryError, match="smaller than the scale"):
        degrader.degrade(picture(1, 9), remainder="crop")
    with pytest.raises(ConfigError, match="'crop' or 'refuse'"):
        degrader.degrade(image, remainder="pad")
    same, _ = noisy(same_size=True).degrade(image)
    assert same.shape == image.shape


def test_luma_alone():
    grey = np.full((64, 64, 3), 120, np.float32) / 255
    noise = {}
    for colour in ("rgb", "y"):
        degrader = Degrader(dict(type="AWGN", sigma=5), scale=2, colour=colour)
        lr, trace = degrader.degrade(grey)
        assert lr.shape == (32, 32, 3) and trace.size == ((3 if colour == "rgb" else 1), 64, 64)
        np.testing.assert_array_equal(degrader.replay(grey, trace), lr)
        noise[colour] = (lr @ np.array([65.481, 128.553, 24.966])).std()
    assert noise["y"] == pytest.approx(5, rel=0.1)
    assert noise["rgb"] == pytest.approx(2.87, rel=0.1)
    image = picture(8, 8)
    same = Degrader(dict(type="AWGN", sigma=0), scale=2, same_size=False, colour="y")
    np.testing.assert_array_equal(
        same.degrade(image)[0], Degrader("Bicubic", scale=2).degrade(image)[0]
    )
    with pytest.raises(ConfigError, match="'rgb' or 'y'"):
        Degrader("Bicubic", colour="lab")


def test_replay_refuses_another_size_or_degradation():
    degrader = noisy()
    _, trace = degrader.degrade(picture(8, 8))
    with pytest.raises(DataError):
        degrader.replay(picture(12, 8), trace)
    with pytest.raises(DataError):
        Degrader("Bicubic", scale=2).replay(picture(8, 8), trace)


@pytest.mark.parametrize(
    "image, message",
    [
        (np.zeros((4, 4, 5), np.uint8), "channels"),
        (np.zeros((0, 4, 3), np.uint8), "channels"),
        (np.zeros((4, 4, 3), np.int32), "int32"),
        (np.full((4, 4, 3), 255.0), "255"),
        (np.full((4, 4, 3), np.nan), "NaN"),
        ([[1, 2], [3, 4]], "numpy array"),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(DataError, match=message):
        Degrader("Bicubic", scale=2).degrade(image)


def test_learned_weights_from_a_file(tmp_path):
    dml = tiny_dml()
    dml.save(tmp_path / "camera.safetensors")
    image = picture(16, 16)
    expected, trace = Degrader(dml).degrade(image)
    for source in (
        tmp_path / "camera.safetensors",
        dict(checkpoint=f"{tmp_path}/camera.safetensors"),
    ):
        lr, again = Degrader(source).degrade(image)
        np.testing.assert_array_equal(lr, expected)
        assert again.to_json() == trace.to_json()
    with pytest.raises(GeometryError):
        Degrader(tmp_path / "camera.safetensors", scale=3)


def test_sources_are_resolved_or_refused_by_name(tmp_path):
    config = tmp_path / "mine.py"
    config.write_text("degradation = dict(type='AWGN', sigma=3)\nscale = 2\nsame_size = True\n")
    found = Degrader(config).degradation
    assert isinstance(found, AWGN) and (found.scale, found.same_size, found.sigma) == (2, True, 3)
    assert Degrader(Bicubic(scale=3)).degradation.scale == 3
    with pytest.raises(ConfigError, match="Bicubic"):
        Degrader("Bicubik")
    with pytest.raises(CheckpointError, match="nowhere"):
        Degrader(tmp_path / "nowhere.safetensors")
    with pytest.raises(ConfigError, match="is untrained"):
        Degrader("DML")
    with pytest.raises(ConfigError, match="is untrained"):
        Degrader(dict(type="Compose", parts=[dict(type="DML"), dict(type="AWGN")]), scale=2)
    with pytest.raises(GeometryError, match="scale=3"):
        Degrader(Bicubic(scale=3), scale=2)


def test_no_gradient_and_evaluation_mode():
    dml = tiny_dml().train()
    degrader = Degrader(dml)
    assert not dml.training
    degrader.degrade(picture(8, 8))
    assert all(p.grad is None for p in dml.parameters())
    assert torch.is_grad_enabled()


def test_settings_describe_objects_inside_containers():
    made = Compose([Bicubic(scale=2), AWGN(scale=1, sigma=5)], scale=2)
    settings = Degrader(made).settings()
    assert settings["degradation"]["arguments"]["parts"][1]["type"] == "AWGN"
    other = Compose([Bicubic(scale=2), AWGN(scale=1, sigma=6)], scale=2)
    assert Degrader(other).settings() != settings
