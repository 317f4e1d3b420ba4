import math

import pytest
import torch

from realdeg.errors import ConfigError, DataError
from realdeg.evaluation import PROTOCOLS, Protocol, get_protocol, measure
from realdeg.evaluation.pairs import cut_tiles, prepare_pair, round_levels, tile_starts, to_levels


def rgb_levels(red, green, blue, size=(8, 8)):
    """A plain colour, as a data set would hand it on: uint8 / 255 in float32."""
    plain = torch.tensor([red, green, blue], dtype=torch.float32) / 255
    return plain.view(3, 1, 1).expand(3, *size).clone()


def luma(red, green, blue):
    return 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255


def test_names():
    assert set(PROTOCOLS) == {
        "realsr-official",
        "benchmark-y",
        "benchmark-y-uint8",
        "lapsrn",
        "stablesr-testsets",
        "dml-paper",
        "rgb",
        "lr-fidelity",
    }
    for name, protocol in PROTOCOLS.items():
        assert protocol.name == name
        assert protocol.description and protocol.source and protocol.summary()
        assert get_protocol(name) is protocol
        assert get_protocol(protocol) is protocol
        assert protocol.label("psnr") == f"psnr[{name}]"


def test_a_changed_protocol_does_not_bear_the_name_of_its_base():
    changed = get_protocol({"base": "realsr-official", "border": 4, "tile": None, "stride": None})
    assert changed.border == 4 and changed.tile is None and changed.mod_crop == 4
    assert changed.name == "realsr-official,border=4,tile=None,stride=None"
    assert get_protocol({"base": "rgb", "border": "scale", "name": "mine"}).name == "mine"
    assert get_protocol({"base": "rgb", "border": "scale"}).border_for(3) == 3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("realsr-offical", "Did you mean 'realsr-official'"),
        ({"base": "nothing"}, "there are realsr-official"),
        ({"base": "rgb", "boarder": 4}, "Did you mean 'border'"),
        ({"border": 4}, "'base'"),
        ({"base": "rgb", "border": -1}, "border is -1"),
        ({"base": "rgb", "border": True}, "border is True"),
        ({"base": "rgb", "colour": "yuv"}, "colour is 'yuv'"),
        ({"base": "rgb", "rounding": "uint8-y"}, "'rounding'"),
        ({"base": "rgb", "tile": 100}, "'stride'"),
        ({"base": "rgb", "tile": 100, "stride": 0}, "stride is 0"),
        ({"base": "rgb", "mod_crop": 0}, "mod_crop is 0"),
        ({"base": "rgb", "ssim_range": 0}, "ssim_range is 0"),
        ({"base": "rgb", "ssim_window": "uniform"}, "ssim_window is"),
        (7, "got 7"),
    ],
)
def test_wrong_protocols_are_refused(wrong, said):
    with pytest.raises(ConfigError, match="(?i)protocol") as caught:
        get_protocol(wrong)
    assert said in str(caught.value)


def test_luma_is_bt601_studio_range():
    for colour in [(0, 0, 0), (255, 255, 255), (255, 0, 0), (12, 200, 77)]:
        unrounded = to_levels(rgb_levels(*colour), PROTOCOLS["benchmark-y"])
        assert unrounded.dtype == torch.float64 and unrounded.shape == (1, 8, 8)
        assert abs(float(unrounded.mean()) - luma(*colour)) < 1e-9
        rounded = to_levels(rgb_levels(*colour), PROTOCOLS["benchmark-y-uint8"])
        assert float(rounded.mean()) == math.floor(luma(*colour) + 0.5)
    assert luma(0, 0, 0) == 16 and abs(luma(255, 255, 255) - 235) < 1e-9


def test_predictions_are_rounded_to_8_bit_half_up():
    image = torch.tensor([-0.2, 0.4 / 255, 0.5 / 255, 254.6 / 255, 1.3]).view(1, 1, 5)
    levels = to_levels(image.repeat(3, 1, 1), PROTOCOLS["rgb"])
    assert levels[0, 0].tolist() == [0, 0, 1, 255, 255]
    kept = to_levels(image, get_protocol({"base": "benchmark-y", "rounding": "none"}))
    assert kept[0, 0].tolist() == pytest.approx([0, 0.4, 0.5, 254.6, 255], abs=1e-4)
    assert round_levels(torch.tensor([0.5, 1.5, 2.4999], dtype=torch.float64)).tolist() == [1, 2, 2]


def test_a_luma_prediction_is_rounded_once_and_only_itself():
    target = rgb_levels(10, 20, 30)
    exact = luma(10, 20, 30)
    prediction = torch.full((1, 8, 8), exact / 255)
    # benchmark-y: the prediction as an 8-bit file holds it, the target's luma as it is.
    first, second = prepare_pair(prediction, target, PROTOCOLS["benchmark-y"], 1)[0]
    assert float(first.mean()) == math.floor(exact + 0.5)
    assert abs(float(second.mean()) - exact) < 1e-9
    # realsr-official: both are whole numbers.
    first, second = prepare_pair(prediction, target, PROTOCOLS["realsr-official"], 1)[0]
    assert torch.equal(first, second) and float(first.mean()) == math.floor(exact + 0.5)


@pytest.mark.parametrize(("level", "documented"), [(32, -0.02), (38, -0.07)])
def test_rounding_luma_adds_a_sixth_to_the_squared_error(level, documented):
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(30, 220, (3, 512, 512), generator=generator) / 255
    # Luma is a weighted sum of three independent errors.
    weights = torch.tensor([65.481, 128.553, 24.966]) / 255
    noise = (
        10 ** (-level / 20) / float(weights.norm()) * torch.randn(target.shape, generator=generator)
    )
    (plain,) = measure(target + noise, target, "benchmark-y", ["psnr"], scale=4).values()
    (rounded,) = measure(target + noise, target, "benchmark-y-uint8", ["psnr"], scale=4).values()
    # Two rounding errors, each of variance 1/12.
    squared_error = 255**2 / 10 ** (plain[0] / 10)
    expected = -10 * math.log10(1 + 1 / (6 * squared_error))
    assert expected == pytest.approx(documented, abs=0.005)
    assert rounded[0] - plain[0] == pytest.approx(expected, abs=0.01)


def test_border_is_shaved_after_the_crop_to_a_multiple():
    target = torch.rand(3, 27, 22)
    prediction = target.clone()
    prediction[:, :2] += 0.5
    prediction[:, 24:] += 0.5  # below the multiple of 4 and in the border
    (pair,) = prepare_pair(prediction, target, PROTOCOLS["benchmark-y"], 4)
    assert pair[0].shape == (1, 24 - 8, 20 - 8)
    assert torch.equal(*pair)
    (values,) = measure(prediction, target, "rgb", ["psnr"], scale=4).values()
    assert math.isfinite(values[0])
    (pair,) = prepare_pair(prediction, target, PROTOCOLS["lr-fidelity"], 4)
    assert pair[0].shape == (1, 27 - 14, 22 - 14)


def test_predictions_without_the_rest_of_the_crop_are_accepted():
    target = torch.rand(3, 27, 22)
    (pair,) = prepare_pair(target[:, :24, :20], target, PROTOCOLS["benchmark-y"], 4)
    assert torch.equal(*pair)


@pytest.mark.parametrize(
    ("length", "starts"),
    [(1204, [0, 4]), (1600, [0, 400]), (1999, [0, 799]), (2004, [0, 800, 804]), (3200, None)],
)
def test_tiles_lie_where_the_official_script_has_them(length, starts):
    # 1:800:(n - 1199) and once more the last place, also where it is the last of those.
    found = tile_starts(length, 1200, 800)
    assert found == (starts or [0, 800, 1600, 2000])
    assert tile_starts(2000, 1200, 800) == [0, 800, 800]


def test_only_images_large_both_ways_are_tiled():
    protocol = PROTOCOLS["realsr-official"]
    assert len(cut_tiles(torch.empty(1, 1200, 3000), protocol)) == 1
    assert len(cut_tiles(torch.empty(1, 3000, 1200), protocol)) == 1
    tiles = cut_tiles(torch.empty(1, 1204, 2400), protocol)
    assert len(tiles) == 2 * 3 and {tuple(tile.shape) for tile in tiles} == {(1, 1200, 1200)}
    assert len(cut_tiles(torch.empty(1, 3000, 3000), PROTOCOLS["lr-fidelity"])) == 1


def test_tiles_are_samples_of_their_own():
    protocol = Protocol(name="small", tile=16, stride=12)
    target = torch.zeros(3, 20, 20)
    prediction = target.clone()
    prediction[:, 18:, 18:] = 1.0
    (values,) = measure(prediction, target, protocol, ["psnr"]).values()
    assert len(values) == 4 and sum(math.isinf(value) for value in values) == 3


def test_misfits_are_refused_by_name():
    y, rgb = torch.rand(1, 16, 16), torch.rand(3, 16, 16)
    with pytest.raises(DataError, match="a.png: protocol 'rgb' needs RGB"):
        measure(y, rgb, "rgb", where="a.png")
    with pytest.raises(DataError, match="16 x 16 but the target 20 x 16"):
        measure(rgb, torch.rand(3, 20, 16), "rgb", where="a.png")
    with pytest.raises(DataError, match="nothing is left"):
        measure(rgb[:, :14], rgb[:, :14], "lr-fidelity")
    with pytest.raises(DataError, match="not finite"):
        measure(rgb * math.nan, rgb, "rgb")
    with pytest.raises(DataError, match="shape"):
        measure(rgb[None], rgb, "rgb")
    with pytest.raises(ConfigError, match="Did you mean 'psnr'"):
        measure(rgb, rgb, "rgb", ["pnsr"])
