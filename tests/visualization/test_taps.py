import numpy as np
import pytest
import torch

from realdeg.degradations.pool import Pool
from realdeg.utils.image import read_image
from realdeg.utils.tap_colours import tap_colours
from realdeg.visualization import basis_kernels, weight_maps
from realdeg.visualization.maps import region_colour, ruling_picture
from realdeg.visualization.pools import pool_picture
from realdeg.visualization.style import new_figure, save_figure
from realdeg.visualization.taps import draw_kernel, half_peak_outline


def test_zero_is_white_whatever_the_range_of_the_taps():
    for taps in ([0.0, 0.9], [0.0, -0.9], [0.0, 0.3, -0.001], [0.0, 0.0]):
        assert (tap_colours(np.array(taps))[0] == 255).all()


def test_taps_of_opposite_sign_have_opposite_colours_even_faint_ones():
    colours = tap_colours(np.array([1.0, 0.01, -0.01, -1.0])).astype(int)
    (red, _, blue), (faint_red, _, faint_blue) = colours[0], colours[1]
    assert red > blue + 100 and colours[3][2] > colours[3][0] + 100
    # A hundredth of the peak is a tenth of the way to full colour, and not mistaken for zero.
    assert faint_red > faint_blue + 10 and colours[2][2] > colours[2][0] + 10
    for first, second in (colours[[0, 3]], colours[[1, 2]]):
        away = np.abs(255 - first).sum(), np.abs(255 - second).sum()
        assert away[0] == pytest.approx(away[1], rel=0.25)


def test_the_outline_is_that_of_the_taps_of_half_the_peak():
    kernel = np.zeros((5, 5))
    kernel[2, 2], kernel[2, 3], kernel[0, 0], kernel[1, 2] = 1.0, 0.5, 0.49, -1.0
    outline = half_peak_outline(kernel)
    # Two taps side by side: six sides.
    assert outline.shape == (6, 2, 2)
    assert outline.min(axis=(0, 1)).tolist() == [2, 2]
    assert outline.max(axis=(0, 1)).tolist() == [4, 3]
    assert half_peak_outline(-np.eye(3)).shape == half_peak_outline(np.zeros((3, 3))).shape
    # Also at the border of the window.
    assert half_peak_outline(np.ones((3, 3))).shape == (12, 2, 2)


@pytest.mark.parametrize(("side", "stride", "rest"), [(15, 1, 0.0), (15, 4, 0.5), (14, 4, 0.0)])
def test_the_cross_marks_the_lr_pixel(tmp_path, side, stride, rest):
    figure = new_figure(1, 1)
    axes = figure.add_axes((0, 0, 1, 1))
    draw_kernel(axes, np.zeros((side, side)), stride=stride)
    dark = (read_image(save_figure(figure, tmp_path / "k.png", dpi=600))[..., 0] < 90)[9:-9, 9:-9]
    middle = [(np.nonzero(dark)[axis].mean() + 9.5) / 600 * side for axis in (0, 1)]
    assert middle == pytest.approx([side / 2 + rest] * 2, abs=0.1)


def _has(picture, colour):
    """The share of a picture that has a colour."""
    return float((np.abs(picture.astype(int) - np.array(colour)).max(axis=2) <= 3).mean())


@pytest.mark.parametrize("kind", ["kernels", "noise"])
def test_negative_taps_show_in_every_picture(tmp_path, kind):
    flat = torch.full((1, 9, 9), 1 / 81)
    swing = flat.clone()
    swing[0, :4], swing[0, 4:] = -0.02, (1 + 36 * 0.02) / 45
    blue = tap_colours(np.array([-0.02, float(swing.max())]))[0]
    if kind == "noise":
        noise = torch.full((1, 3, 9, 9), 0.1)
        noise[:, :, :4] = -0.1
        path = pool_picture(Pool("noise", noise, 2, False, {}), tmp_path / "n.png")
        std = float(noise.std(correction=0))
        assert _has(read_image(path)[..., :3], tap_colours(np.array([-0.1]), 3 * std)[0]) > 0.02
        return
    for stack, wanted in ((swing, True), (flat, False)):
        paths = [
            basis_kernels(stack, tmp_path / "b.png"),
            pool_picture(Pool("kernels", stack, 2, False, {}), tmp_path / "p.png"),
            weight_maps(
                torch.rand(3, 8, 8), torch.ones(1, 4, 4), tmp_path / "w.png", kernels=stack
            ),
        ]
        for path in paths:
            assert (_has(read_image(path)[..., :3], blue) > 0.003) == wanted, path


def test_which_kernel_rules_is_coloured_and_numbered(tmp_path):
    weights = torch.zeros(3, 20, 20)
    weights[0, :, :10], weights[1, :, 10:], weights[2] = 0.9, 0.8, 0.1
    picture = ruling_picture(weights.numpy())
    assert (picture[:, :10] == region_colour(0)).all()
    assert (picture[:, 10:] == region_colour(1)).all()
    assert len({region_colour(index) for index in range(24)}) == 24
    kernels = torch.eye(5)[None].repeat(3, 1, 1)
    image = torch.zeros(3, 40, 40)
    first = read_image(weight_maps(image, weights, tmp_path / "a.png", kernels=kernels))
    shares = [_has(first[..., :3], region_colour(index)) for index in range(3)]
    # The third rules nowhere and has only a swatch beside its heading.
    assert min(shares[:2]) > 20 * shares[2] > 0
    # Numbers cover some of the regions.
    assert 1.02 < (first.shape[0] * first.shape[1] * shares[0]) / 300 / 150 * 1.1 < 1.2
    with pytest.raises(ValueError, match="2 kernels have 3 weight maps"):
        weight_maps(image, weights, tmp_path / "b.png", kernels=kernels[:2])


def test_maps_with_negative_weights_have_zero_fixed(tmp_path):
    weights = torch.zeros(1, 8, 8)
    weights[0, :4], weights[0, 4:, :4] = -0.2, 0.8
    picture = read_image(weight_maps(torch.zeros(3, 8, 8), weights, tmp_path / "m.png"))[..., :3]
    for value in (-0.2, 0.8):
        assert _has(picture, tap_colours(np.array([value]), 0.8)[0]) > 0.01
