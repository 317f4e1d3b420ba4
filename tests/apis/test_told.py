"""``realdeg infer --kernel-width --noise``: what a user tells a network of the degradation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg import super_resolve
from realdeg.apis import SuperResolver
from realdeg.backbones import SRMD, VDSR
from realdeg.cli.main import main
from realdeg.degradations.primitives.kernels import gaussian_kernel
from realdeg.errors import ConfigError
from realdeg.utils.component import save_component
from realdeg.utils.image import read_image, write_image


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (12, 9, 3), np.uint8)
    (tmp_path / "lr").mkdir()
    write_image(tmp_path / "lr" / "a.png", pixels)
    return tmp_path / "lr" / "a.png"


def saved(folder, **settings):
    torch.manual_seed(0)
    network = SRMD(2, num_features=6, num_layers=2, **settings)
    path = folder / "srmd.safetensors"
    arguments = network.arguments
    save_component(path, network, kind="backbone", type="SRMD", arguments=arguments)
    return path, network.eval()


def test_image_folder_and_command_are_told_the_same(tmp_path, photo):
    path, network = saved(tmp_path)
    code = network.encode(gaussian_kernel(15, 1.2), 20 / 255)[None]
    wanted = SuperResolver(network).upscale(read_image(photo), cond=code)
    untold = SuperResolver(network).upscale(read_image(photo))
    assert not np.array_equal(wanted, untold)
    super_resolve(path, photo, tmp_path / "one.png", kernel_width=1.2, noise=20, progress=False)
    super_resolve(path, photo.parent, tmp_path / "sr", kernel_width=1.2, noise=20, progress=False)
    words = ["infer", str(path), str(photo), str(tmp_path / "two.png"), "--kernel-width", "1.2"]
    assert main([*words, "--noise", "20", "--quiet"]) == 0
    for made in ("one.png", "sr/a.png", "two.png"):
        assert np.array_equal(read_image(tmp_path / made), wanted), made


def test_no_blur_and_no_noise_are_what_it_expects(tmp_path, photo):
    path, network = saved(tmp_path)
    super_resolve(path, photo, tmp_path / "a.png", kernel_width=0, noise=0, progress=False)
    wanted = SuperResolver(network).upscale(read_image(photo))
    assert np.array_equal(read_image(tmp_path / "a.png"), wanted)


@pytest.mark.parametrize(
    ("told", "match"),
    [
        ({"kernel_width": -1.0}, r"kernel_width=-1\.0: it lies between 0 and 10\."),
        ({"kernel_width": float("nan")}, "it lies between 0 and 10"),
        ({"noise": 300.0}, r"noise=300\.0: it lies between 0 and 255"),
    ],
)
def test_numbers_out_of_range(tmp_path, photo, told, match):
    path, _ = saved(tmp_path)
    with pytest.raises(ConfigError, match=match):
        super_resolve(path, photo, tmp_path / "a.png", progress=False, **told)
    assert not (tmp_path / "a.png").exists()


def test_networks_that_are_not_told_it(tmp_path, photo, capsys):
    path, _ = saved(tmp_path, noise=False)
    with pytest.raises(ConfigError, match=r"noise-free LR and are not told noise: leave out noise"):
        super_resolve(path, photo, tmp_path / "a.png", noise=10, progress=False)
    with pytest.raises(ConfigError, match="VDSR is not told the degradation"):
        super_resolve(VDSR.example(), photo, tmp_path / "a.png", noise=10, progress=False)
    words = ["infer", "VDSR", str(photo), str(tmp_path / "a.png"), "--kernel-width", "1"]
    options = ["--scale", "2", "--cfg-options", "backbone.checkpoint=x.pth"]
    state = VDSR.example()
    torch.save(state.state_dict(), tmp_path / "x.pth")
    options[-1] = f"backbone.checkpoint={tmp_path / 'x.pth'}"
    assert main([*words, *options]) != 0
    assert "leave out --kernel-width 1.0" in capsys.readouterr().err
