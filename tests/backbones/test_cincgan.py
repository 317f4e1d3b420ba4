"""CinCGAN's generators, as the re-implementation computes and names them; networks in a row."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from realdeg import create_backbone, create_degradation
from realdeg.backbones import CinCGANTranslator, CleanThenEnlarge
from realdeg.backbones.running import run_backbone
from realdeg.degradations import CinCGANDegradation
from realdeg.degradations.primitives import imresize
from realdeg.errors import ConfigError, GeometryError
from realdeg.utils.component import save_component

SMALL = {"type": "CinCGANTranslator", "width": 4, "num_blocks": 1}
EDSR = {"type": "EDSR", "num_blocks": 1, "num_features": 4}


def layers(width, blocks, strides):
    """The re-implementation's network, from its description, as one list of layers."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            own = (nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
            two = (nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
            self.all = nn.Sequential(*own, nn.LeakyReLU(0.2), *two, nn.LeakyReLU(0.2))

        def forward(self, x):
            return self.all(x) + x

    def step(a, b, side, stride=1):
        return [nn.Conv2d(a, b, side, stride, side // 2, bias=False), nn.LeakyReLU(0.2)]

    first = step(3, width, 7) + [m for s in strides for m in step(width, width, 3, s)]
    last = step(width, width, 3) + step(width, width, 3) + step(width, 3, 7)
    return nn.Sequential(*first, *(Block() for _ in range(blocks)), *last)


def taken_over(theirs, ours):
    """Give ours the numbers of theirs, in order."""
    pairs = zip(ours.state_dict(), theirs.state_dict().values(), strict=True)
    ours.load_state_dict(dict(pairs))


@pytest.mark.parametrize("centred", [False, True])
def test_the_translator_is_that_of_the_re_implementation(centred):
    torch.manual_seed(0)
    ours = CinCGANTranslator(width=5, num_blocks=2, last_activation=True, centred=centred).double()
    theirs = layers(5, 2, (1, 1)).double()
    taken_over(theirs, ours.network)
    x = torch.rand(2, 3, 9, 11, dtype=torch.float64)
    wanted = (theirs(2 * x - 1) + 1) / 2 if centred else theirs(x)
    torch.testing.assert_close(ours(x), wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("scale", "strides"), [(2, (1, 2)), (4, (2, 2))])
def test_the_degradation_is_that_of_the_re_implementation(scale, strides):
    torch.manual_seed(0)
    ours = CinCGANDegradation(scale, width=5, num_blocks=2, last_activation=True).double()
    theirs = layers(5, 2, strides).double()
    taken_over(theirs, ours.network)
    hr = torch.rand(2, 3, 16, 24, dtype=torch.float64)
    torch.testing.assert_close(ours(hr, [0, 0]), theirs(hr), rtol=1e-10, atol=1e-12)


def test_sizes_and_names():
    network = CinCGANTranslator()
    assert sum(p.numel() for p in network.parameters()) == 610_176
    names = {name.removeprefix("network.") for name, _ in network.named_parameters()}
    blocks = [f"ResnetBlocks.{n}.conv_block.{k}" for n in range(6) for k in (0, 1, 3, 4)]
    norms = {f"{name}.bias" for name in blocks if name[-1] in "14"}
    ends = [f"{part}.{n}" for part in ("InBlock", "OutBlock") for n in (0, 2, 4)]
    assert names == norms | {f"{name}.weight" for name in (*blocks, *ends)}
    assert CinCGANDegradation(4).network.reach == 3 + 1 + 2 + 4 * (12 + 5)


def test_files_of_the_re_implementation_are_read(tmp_path):
    torch.manual_seed(0)
    known = CinCGANTranslator(width=4, num_blocks=2, last_activation=True, centred=True).eval()
    state = {k.removeprefix("network."): v for k, v in known.state_dict().items()}
    other = {"InBlock.0.weight": torch.zeros(4, 3, 7, 7)}
    torch.save({"G1_forward": state, "D1_forward": other}, tmp_path / "400000.pt")
    found = create_backbone(dict(type="CinCGANTranslator", checkpoint=tmp_path / "400000.pt"))
    assert found.arguments == known.arguments
    x = torch.rand(1, 3, 8, 8)
    assert torch.equal(found.eval()(x), known(x))


@pytest.mark.parametrize("centred", [False, True])
def test_untrained_residual_forms_change_nothing(centred):
    x = torch.rand(1, 3, 18, 20)
    translator = CinCGANTranslator(width=4, use_bn=False, residual=True, centred=centred)
    torch.testing.assert_close(translator(x), x, atol=1e-6, rtol=0)
    degradation = CinCGANDegradation(2, width=4, use_bn=False, residual=True)
    torch.testing.assert_close(degradation(x, [0]), imresize(x, 0.5))
    # Without normalisation convolutions have biases.
    assert "network.OutBlock.4.bias" in translator.state_dict()
    assert "network.OutBlock.4.bias" not in CinCGANTranslator(width=4).state_dict()


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_sides_that_are_no_multiple_of_the_scale(scale):
    hr = torch.rand(2, 3, 8 * scale, 9 * scale)
    degradation = CinCGANDegradation.example(scale).eval()
    assert degradation(hr, [0, 0]).shape == (2, 3, 8, 9)
    with pytest.raises(GeometryError, match="scale is 5, wanted 1, 2, 3, 4 or 8"):
        create_degradation("CinCGANDegradation", 5, False)


@pytest.mark.parametrize("enlarger", [EDSR, {"type": "VDSR", "depth": 3, "width": 4}, "Bicubic"])
def test_two_networks_in_a_row(enlarger, tmp_path):
    """The second enlarges by itself, expects interpolated images, or has no weights."""
    torch.manual_seed(0)
    colour = "y" if "VDSR" in str(enlarger) else "rgb"
    cleaner = {**SMALL, "colour": colour}
    network = create_backbone(
        dict(type="CleanThenEnlarge", cleaner=cleaner, enlarger=enlarger), scale=3
    ).eval()
    lr = torch.rand(1, 1 if colour == "y" else 3, 7, 8)
    clean = run_backbone(network.cleaner, lr).sr
    if network.enlarger.upsample == "pre":
        wanted = network.enlarger(imresize(clean, 3))
    else:
        wanted = run_backbone(network.enlarger, clean).sr
    torch.testing.assert_close(network(lr), wanted)
    assert network.halo >= network.cleaner.halo + 1
    file = tmp_path / "net.safetensors"
    arguments = network.arguments
    save_component(file, network, kind="backbone", type="CleanThenEnlarge", arguments=arguments)
    assert torch.equal(create_backbone(file).eval()(lr), network(lr))


def test_a_file_needs_no_other_file(tmp_path, monkeypatch):
    """Weights that training started from are no part of it."""
    monkeypatch.chdir(tmp_path)
    start = create_backbone(EDSR, scale=2)
    torch.save(start.state_dict(), "start.pth")
    enlarger = {**EDSR, "start_from": {"checkpoint": "start.pth"}}
    network = CleanThenEnlarge(2, cleaner=SMALL, enlarger=enlarger)
    for one, two in zip(network.enlarger.parameters(), start.parameters(), strict=True):
        assert torch.equal(one, two)
    assert "start.pth" not in str(network.arguments)


def test_refusals():
    with pytest.raises(ConfigError, match=r"set backbone\.cleaner\.colour='rgb'"):
        CleanThenEnlarge(2, cleaner={**SMALL, "colour": "y"}, enlarger=EDSR)
    with pytest.raises(GeometryError, match="EDSR does not exist at scale 5"):
        CleanThenEnlarge(5, cleaner=SMALL, enlarger=EDSR)
    with pytest.raises(ConfigError, match="ZSSR as 'enlarger' works on more than the image"):
        CleanThenEnlarge(2, cleaner=SMALL, enlarger={"type": "ZSSR"})
    with pytest.raises(ConfigError, match="width"):
        create_backbone({**SMALL, "width": 0})
