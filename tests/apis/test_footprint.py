"""What a network takes is measured, and the tiles are chosen by it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import realdeg
from realdeg.apis import SuperResolver, super_resolver
from realdeg.apis.footprint import Footprint, largest_tile, measure_footprint
from realdeg.apis.tiling import Tiling
from realdeg.cli.main import main
from realdeg.errors import DataError
from realdeg.utils.component import save_component
from realdeg.utils.image import read_image, write_image
from tests.apis.test_super_resolver import Net, picture

CPU = torch.device("cpu")


def test_tensors_are_counted_as_long_as_they_live():
    def network(x):
        wide = x.expand(1, 16, -1, -1).contiguous()  # 64 bytes per pixel
        again = wide * 2  # 64 more
        del wide
        return (again * 2)[:, :1] * 1  # 64 more, while one of the first two is gone

    found = measure_footprint(network, 1, CPU)
    assert found.per_pair == 0
    assert found.per_pixel == pytest.approx(128 * 1.15, rel=0.1)
    assert found.bytes(1000_000) == pytest.approx(128e6 * 1.15, rel=0.1)


def test_attention_over_the_whole_grows_with_the_square():
    def network(x):
        flat = x.flatten()
        return (flat[:, None] * flat).sum(1).view_as(x)  # 4 bytes for each pair of pixels

    found = measure_footprint(network, 1, CPU)
    assert found.per_pair == pytest.approx(4 * 1.15, rel=0.05)
    assert found.bytes(10_000) == pytest.approx(4.6e8, rel=0.05)


def test_a_convolution_s_copies_are_counted():
    layer = nn.Conv2d(3, 64, 3, padding=1)
    found = measure_footprint(layer, 3, CPU, multiple=5)
    assert 256 < found.per_pixel < 2.5 * 256 * 1.15


@pytest.mark.parametrize(
    ("size", "wanted", "most", "expected"),
    [
        ((100, 100), None, math.inf, None),
        ((100, 100), None, 100 * 10_000, None),
        ((1000, 1000), None, 100 * 500 * 500, 480),  # with the rim of 10: 500
        ((3000, 4000), 512, math.inf, 512),
        ((3000, 4000), 512, 100 * 276**2, 256),
        ((3000, 4000), 512, 0, 32),
        ((64, 4000), 512, 100 * 64 * 532, 512),  # no more than there is
    ],
)
def test_the_largest_tile_that_fits(size, wanted, most, expected):
    found = largest_tile(Footprint(0, 100), Tiling(None, halo=10), size, wanted, most)
    assert found == expected if expected is None else abs(found - expected) <= 16
    if found is not None and found > 32:
        seen = [min(side, found + 20) for side in size]
        assert 100 * seen[0] * seen[1] <= most


@pytest.fixture
def counted(monkeypatch):
    """A network and the sizes of what it was given for an image of 200 x 300."""
    monkeypatch.setattr(super_resolver, "UNMEASURED", 100)
    net, sizes = Net(), []
    net.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape[-2:])))
    return net, sizes


def test_tiles_follow_the_memory(counted, monkeypatch):
    net, sizes = counted
    image = picture(200, 300, 3, np.float32)
    whole = SuperResolver(net).upscale(image)
    assert sizes == [(32, 32), (64, 64), (200, 300)]  # measured, and taken whole
    sizes.clear()
    resolver = SuperResolver(net)
    monkeypatch.setattr(super_resolver, "AUTO_MEMORY", 2_000_000)
    tiled = resolver.upscale(image)
    assert len(sizes) > 4 and max(sizes[2:]) < (200, 300)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    # A machine with less memory than that.
    sizes.clear()
    monkeypatch.setattr(super_resolver, "available_memory", lambda: 1_000_000)
    resolver.upscale(image)
    assert len(sizes) > 9 and (64, 64) not in sizes  # measured once
    # The side that the user says is taken.
    sizes.clear()
    SuperResolver(net, tile=100).upscale(image)
    assert len(sizes) == 6


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_file_holds_what_the_array_does(tmp_path, dtype, channels):
    image = picture(40, 50, channels, dtype)
    resolver = SuperResolver(Net(), tile=16)
    told = []
    made = resolver.upscale_into(image, tmp_path / "a.png", progress=lambda *of: told.append(of))
    assert made == {"output_size": [80, 100], "tile": 16}
    assert told == [(number, 12) for number in range(1, 13)]
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), resolver.upscale(image))


def test_a_shortage_begins_the_file_anew(tmp_path, monkeypatch):
    net = Net()
    calls = []

    def short(_, inputs):
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("could not create a primitive")

    image = picture(100, 100)
    expected = SuperResolver(net, tile=32).upscale(image)
    net.register_forward_pre_hook(short)
    made = SuperResolver(net, tile=64).upscale_into(image, tmp_path / "a.png")
    assert made["tile"] == 32
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)


def test_too_little_memory_for_the_smallest_tile_leaves_nothing(tmp_path, monkeypatch, capsys):
    net = realdeg.create_backbone("SRCNN", 2)
    weights = tmp_path / "net.safetensors"
    save_component(weights, net, kind="backbone", type="SRCNN", arguments=net.arguments)
    write_image(tmp_path / "a.png", picture(100, 100))

    def short(*_):
        raise RuntimeError("could not create a primitive")

    monkeypatch.setattr(type(net), "forward", short)
    words = ["infer", str(weights), str(tmp_path / "a.png"), str(tmp_path / "out.png"), "--quiet"]
    assert main([*words, "--device", "cpu", "--tile", "64"]) == 2
    said = capsys.readouterr().err
    assert "tiles of 32 pixels" in said and "Smaller tiles would save nothing" in said
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.png", "net.safetensors"]


def test_a_format_that_cannot_hold_it_is_refused_before_the_work(tmp_path, capsys):
    net = Net()
    net.register_forward_pre_hook(lambda *_: pytest.fail("the network was run"))
    with pytest.raises(DataError, match="16 bit"):
        SuperResolver(net).upscale_into(picture(8, 8, 3, np.uint16), tmp_path / "a.jpg")
    with pytest.raises(DataError, match="alpha"):
        SuperResolver(net).upscale_into(picture(8, 8, 4), tmp_path / "a.jpg")


def test_the_command_shows_the_tiles_of_one_image(tmp_path, capsys):
    from realdeg.backbones import VDSR

    net = VDSR.example()
    save_component(
        tmp_path / "net.safetensors", net, kind="backbone", type="VDSR", arguments=net.arguments
    )
    write_image(tmp_path / "a.png", picture(20, 20))
    words = ["infer", str(tmp_path / "net.safetensors"), str(tmp_path / "a.png")]
    assert main([*words, str(tmp_path / "b.png"), "--tile", "16"]) == 0
    captured = capsys.readouterr()
    assert "upscaling" in captured.err and "100%" in captured.err
    assert "20 x 20 -> 40 x 40" in captured.out
    assert main([*words, str(tmp_path / "c.png"), "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    for name, said in (("d.gif", "not supported"), ("d", "give it the suffix .png")):
        assert main([*words, str(tmp_path / name), "--quiet"]) == 2
        assert said in capsys.readouterr().err and not (tmp_path / name).exists()
