from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from realdeg.apis import MemoryShortageError, SuperResolver, super_resolver
from realdeg.backbones import RCAN, VDSR, running
from realdeg.backbones.base import Backbone, Outputs
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import CheckpointError, ConfigError, DataError, GeometryError
from realdeg.utils.colour import rgb_to_ycbcr, ycbcr_to_rgb
from realdeg.utils.component import save_component


def picture(height, width, channels=3, dtype=np.uint8, seed=0):
    values = np.random.default_rng(seed).random((height, width, channels))
    if np.issubdtype(dtype, np.floating):
        return values.astype(dtype)
    return np.round(values * np.iinfo(dtype).max).astype(dtype)


class Net(Backbone):
    """Convolutions with a finite receptive field; RGB, range 255, result at twice the size."""

    colour = "rgb"
    value_range = 255.0
    upsample = "post"
    same_size_form = "unshuffle"

    def __init__(self, scale=2, same_size=False, layers=2):
        super().__init__(scale, same_size)
        generator = torch.Generator().manual_seed(0)
        inner = 12 if same_size else 3
        self.size_multiple = 2 if same_size else 1
        self.body = nn.Sequential(*(nn.Conv2d(inner, inner, 3, padding=1) for _ in range(layers)))
        self.tail = nn.Conv2d(inner, 12 if same_size else 3 * scale**2, 3, padding=1)
        self.halo = (layers + 1) * self.size_multiple + self.size_multiple - 1
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2)

    @classmethod
    def example(cls):
        return cls()

    def forward(self, lr, *, scale=None, cond=None):
        height, width = lr.shape[-2:]
        x = lr
        if self.same_size:
            x = nn.functional.pad(x, (0, -width % 2, 0, -height % 2), mode="replicate")
            x = nn.functional.pixel_unshuffle(x, 2)
        for layer in self.body:
            x = torch.relu(layer(x))
        x = nn.functional.pixel_shuffle(self.tail(x), 2 if self.same_size else self.scale)
        x = x.tanh() * 20 + 128
        return Outputs(x[..., :height, :width] if self.same_size else x)


class Identity(Backbone):
    """Returns what it is given: shows what the caller did."""

    colour = "y"
    value_range = 1.0
    upsample = "pre"
    same_size_form = "native"
    halo = 0

    @classmethod
    def example(cls):
        return cls(2)

    def forward(self, lr, *, scale=None, cond=None):
        self.check_input(lr, scale, cond)
        return lr


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("net", [Net(), Identity(2), Identity(2, same_size=True)])
def test_number_type_and_channels_stay(net, dtype, channels):
    image = picture(7, 9, channels, dtype)
    result = SuperResolver(net).upscale(image)
    factor = 1 if net.same_size else 2
    assert result.dtype == dtype and result.shape == (7 * factor, 9 * factor, channels)
    if net.same_size:
        assert np.abs(result.astype(float) - image).max() <= 1e-5


def test_luma_by_the_network_and_colour_by_bicubic():
    image = picture(7, 9, 3, np.float64)
    lr = torch.from_numpy(image.transpose(2, 0, 1).copy()).float()[None]
    expected = ycbcr_to_rgb(imresize(rgb_to_ycbcr(lr), size=(14, 18)))[0]
    result = SuperResolver(Identity(2)).upscale(image)
    np.testing.assert_allclose(result, expected.numpy().transpose(1, 2, 0), atol=2e-6)


def test_grey_through_a_luma_network_keeps_its_range():
    image = np.array([[[0], [255]], [[0], [255]]], np.uint8)
    result = SuperResolver(Identity(2, same_size=True)).upscale(image)
    np.testing.assert_array_equal(result, image)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_luma_network_is_given_grey_as_it_is(channels):
    # As `test` gives it; squeezed to 16..235 it would be another input.
    image = picture(5, 6, channels, np.float32)
    seen = []
    network = Identity(2, same_size=True)
    network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    result = SuperResolver(network).upscale(image)
    np.testing.assert_array_equal(seen[-1][0, 0].numpy(), image[..., 0])
    np.testing.assert_array_equal(result, image)


def test_sixteen_bit_is_not_cut_to_eight():
    result = SuperResolver(Identity(2)).upscale(picture(32, 32, 3, np.uint16))
    assert len(np.unique(result)) > 256
    dark = SuperResolver(Identity(2)).upscale(np.full((8, 8, 3), 200, np.uint16))
    assert dark.dtype == np.uint16 and (dark == 200).all()


def test_alpha_is_enlarged():
    image = picture(6, 6, 4)
    image[..., 3] = 255
    assert (SuperResolver(Net()).upscale(image)[..., 3] == 255).all()


@pytest.mark.parametrize("tile", [5, 8, 1000])
@pytest.mark.parametrize(
    "net",
    [Net(), Net(scale=3), Net(same_size=True), VDSR.example(), VDSR(2, True, depth=3, width=4)],
)
def test_tiles_equal_the_whole(net, tile):
    image = picture(17, 22, 3, np.float32)
    whole = SuperResolver(net, tile=None).upscale(image)
    tiled = SuperResolver(net, tile=tile).upscale(image)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_tiles_of_a_network_that_sees_the_whole_image_are_near():
    torch.manual_seed(0)
    net = RCAN.example()
    image = picture(48, 64, 3, np.float32)
    whole = SuperResolver(net, tile=None).upscale(image)
    tiled = SuperResolver(net, tile=32).upscale(image)
    # No bound that holds for all weights; on these it is below one grey level.
    assert 0 < np.abs(tiled - whole).max() < 1 / 255


def test_large_images_are_tiled_by_themselves(monkeypatch):
    monkeypatch.setattr(super_resolver, "AUTO_WHOLE", 200)
    monkeypatch.setattr(super_resolver, "AUTO_TILE", 8)
    sizes = []
    net = Net()
    net.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape[-2:])))
    image = picture(20, 30, 3, np.float32)
    tiled = SuperResolver(net).upscale(image)
    assert len(sizes) == 12 and max(sizes) < (20, 30)
    np.testing.assert_allclose(tiled, SuperResolver(net, tile=None).upscale(image), atol=1e-5)


class Short(Net):
    """Has memory for so many pixels only."""

    limit = 0

    def forward(self, lr, *, scale=None, cond=None):
        if lr.shape[-1] * lr.shape[-2] > self.limit:
            raise torch.OutOfMemoryError("Tried to allocate 20 GiB")
        return super().forward(lr)


@pytest.mark.parametrize("tile", ["auto", 80])
def test_memory_shortage_begins_anew_with_smaller_tiles(tile, caplog):
    net = Short(layers=1)
    net.limit = 60 * 60
    image = picture(80, 100, 3, np.float32)
    result = SuperResolver(net, tile=tile).upscale(image)
    assert "starting again with tiles of" in caplog.text
    net.limit = 10**9
    np.testing.assert_allclose(result, SuperResolver(net, tile=None).upscale(image), atol=1e-5)


def test_memory_shortage_is_never_swallowed():
    net = Short(layers=1)
    with pytest.raises(MemoryShortageError, match="tiles of 32 pixels.*20 GiB"):
        SuperResolver(net).upscale(picture(64, 64))
    net.limit = 60 * 60
    with pytest.raises(MemoryShortageError, match="whole image"):
        SuperResolver(net, tile=None).upscale(picture(80, 100))


def test_shortage_in_a_later_tile_leaves_no_old_pixels(monkeypatch):
    calls = []
    call = running.predict_image

    def network(*args, **kwargs):
        calls.append(args[1].shape)
        if len(calls) == 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return call(*args, **kwargs)

    monkeypatch.setattr(running, "predict_image", network)
    image = picture(100, 100)
    result = SuperResolver(Identity(2, same_size=True), tile=64).upscale(image)
    assert max(calls[2:]) == (1, 1, 25, 25)
    np.testing.assert_array_equal(result, image)


def test_other_errors_are_not_taken_for_a_shortage(monkeypatch):
    def network(*args, **kwargs):
        raise RuntimeError("a bug")

    monkeypatch.setattr(running, "predict_image", network)
    with pytest.raises(RuntimeError, match="a bug"):
        SuperResolver(Identity(2), tile=4).upscale(picture(9, 9))


def test_wrong_size_and_nan_are_refused():
    class Wrong(Identity):
        def forward(self, lr, *, scale=None, cond=None):
            return lr[..., 1:, :]

    class Broken(Identity):
        def forward(self, lr, *, scale=None, cond=None):
            return lr * float("nan")

    with pytest.raises(GeometryError, match="its scale is not the one it declares"):
        SuperResolver(Wrong(2)).upscale(picture(8, 8))
    with pytest.raises(DataError, match="NaN"):
        SuperResolver(Broken(2)).upscale(picture(8, 8))


def test_condition_reaches_the_network():
    class Told(Identity):
        needs = ("cond",)

        def forward(self, lr, *, scale=None, cond=None):
            self.check_input(lr, scale, cond)
            return lr * 0 + cond.reshape(-1)[0]

    resolver = SuperResolver(Told(2, same_size=True), tile=4)
    with pytest.raises(GeometryError, match="cond"):
        resolver.upscale(picture(8, 8, 1))
    result = resolver.upscale(picture(8, 8, 1, np.float32), cond=torch.tensor([[0.5]]))
    np.testing.assert_allclose(result, 0.5, atol=1e-5)  # grey goes through as it is


def test_weights_from_a_file_or_none(tmp_path):
    torch.manual_seed(0)
    net = VDSR.example()
    path = tmp_path / "backbone.safetensors"
    save_component(path, net, kind="backbone", type="VDSR", arguments=net.arguments)
    image = picture(8, 8)
    expected = SuperResolver(net, device="cpu").upscale(image)
    result = SuperResolver(path, device="cpu").upscale(image)
    np.testing.assert_array_equal(result, expected)
    with pytest.raises(ConfigError, match="has no weights"):
        SuperResolver("VDSR")
    with pytest.raises(CheckpointError):
        SuperResolver(tmp_path / "nowhere.safetensors")
    with pytest.raises(GeometryError):
        SuperResolver(path, scale=3)
    with pytest.raises(ConfigError, match="tile"):
        SuperResolver(path, tile=0)


def test_folder(hr_folder, tmp_path):
    resolver = SuperResolver(VDSR.example(), device="cpu")
    (hr_folder / "bad.png").write_bytes(b"bad")
    summary = resolver.upscale_folder(hr_folder, tmp_path / "sr", progress=False)
    assert len(summary.made) == 6 and [f.name for f in summary.failed] == ["bad.png"]
    (tmp_path / "sr" / "b_rgb.png").unlink()
    again = resolver.upscale_folder(hr_folder, tmp_path / "sr", progress=False)
    assert again.made == ("b_rgb.png",) and len(again.kept) == 5
    with pytest.raises(ConfigError, match="tile was 'auto' and is None"):
        SuperResolver(resolver.backbone, tile=None).upscale_folder(
            hr_folder, tmp_path / "sr", progress=False
        )
