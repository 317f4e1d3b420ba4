"""The baseline as a network: nothing to learn, and the same numbers as the baseline's."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from realdeg import create_backbone
from realdeg.apis import SuperResolver
from realdeg.backbones import Bicubic
from realdeg.backbones.running import network_input, predict_image
from realdeg.cli.main import main
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import ConfigError
from realdeg.utils.image import write_image


@pytest.mark.parametrize(("scale", "size"), [(2, (18, 22)), (3, (27, 33)), (2.5, (22, 27))])
def test_it_is_the_interpolated_image(scale, size):
    network = create_backbone("Bicubic", scale=scale)
    lr = torch.rand(2, 3, 9, 11)
    assert torch.equal(predict_image(network, network_input(network, lr)), imresize(lr, size=size))


def test_unsharp_mask():
    lr = torch.rand(1, 3, 7, 8, dtype=torch.float64)
    line = torch.exp(-(torch.arange(-2.0, 3.0).double() ** 2) / 2)
    weights = torch.outer(line, line) / line.sum() ** 2
    padded = F.pad(lr, (2, 2, 2, 2), mode="replicate")
    blurred = torch.zeros_like(lr)
    for row in range(5):
        for column in range(5):
            blurred += weights[row, column] * padded[..., row : row + 7, column : column + 8]
    found = Bicubic(same_size=True, sharpen=1.5)(lr)
    torch.testing.assert_close(found, lr + 1.5 * (lr - blurred), rtol=1e-6, atol=1e-7)
    assert torch.allclose(
        Bicubic(same_size=True, sharpen=2.0)(torch.full_like(lr, 0.25)), 0.25 + 0 * lr
    )
    for wrong in (-0.1, 5.1, "much"):
        with pytest.raises(ConfigError, match="sharpen is .*, wanted a number from 0 to 5"):
            Bicubic(sharpen=wrong)


def test_halo_is_tight(reach):
    for scale in (2, 3, 4):
        network = Bicubic(scale, sharpen=1.0)
        assert reach(network) == network.halo, scale
    assert Bicubic(2.5, sharpen=1.0).halo == 3
    assert Bicubic(1.5, sharpen=1.0).halo in (3, 4)


def test_commands_need_no_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = np.random.default_rng(0).integers(0, 255, (12, 10, 3), dtype=np.uint8)
    write_image(tmp_path / "lr.png", image)
    assert main(["infer", "Bicubic", "lr.png", "sr.png", "--scale", "3"]) == 0
    resolver = SuperResolver("Bicubic", scale=3)
    assert resolver.upscale(image).shape == (36, 30, 3)
    arguments = ["export", "Bicubic", "x.safetensors", "--to", "safetensors", "--no-card"]
    assert main([*arguments, "--cfg-options", "backbone.sharpen=0.5"]) == 0
    again = create_backbone("x.safetensors")
    assert isinstance(again, Bicubic) and (again.scale, again.sharpen) == (4, 0.5)
    assert main(["infer", "x.safetensors", "lr.png", "sharp.png"]) == 0
    assert (tmp_path / "sr.png").stat().st_size > 0 < (tmp_path / "sharp.png").stat().st_size


def test_a_test_needs_no_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["test", "vdsr/vdsr_realsrv3_x2", "--sample", "--device", "cpu", "--no-pictures"]
    assert main([*words, "--cfg-options", "backbone.type=Bicubic"]) == 0
    (report,) = tmp_path.rglob("report.json")
    found = json.loads(report.read_text())
    assert any(name.startswith("psnr") and value > 10 for name, value in found["mean"].items())
