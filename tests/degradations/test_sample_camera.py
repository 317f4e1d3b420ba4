from pathlib import Path

import numpy as np
import pytest
import torch

import realdeg
from realdeg.degradations.sample_camera import SampleCamera
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.evaluation.kernel_error import centroid, covariance, residual_energy
from realdeg.utils.colour import rgb_to_y
from realdeg.utils.image import read_image, to_tensor

PICTURES = sorted(Path(realdeg.__file__).parent.glob("datasets/sample_images/*/*.png"))
GEOMETRIES = [(1, False), (2, False), (3, False), (4, False), (2, True), (4, True)]


def scene(height=48, width=60, channels=3, seed=0):
    """Blocks of random levels plus texture: many luminances and contrasts."""
    rng = np.random.default_rng(seed)
    blocks = rng.random((1, channels, height // 12, width // 12))
    image = np.kron(blocks, np.ones((12, 12))) * 0.9 + 0.1 * rng.random(
        (1, channels, height, width)
    )
    return torch.from_numpy(image).float()


def brute_force(camera, hr):
    """Inner product of every true kernel with its mirrored window, in float64."""
    field = camera.kernel_field(hr).double().numpy()
    k, stride = camera.kernel_size, camera.stride
    start = (stride - k) // 2
    margin = ((0, 0), (0, 0), (k, k), (k, k))
    padded = np.pad(hr.double().numpy(), margin, mode="reflect")
    height, width = field.shape[:2]
    result = np.zeros((1, hr.shape[1], height, width))
    for row in range(height):
        for column in range(width):
            top, left = row * stride + start + k, column * stride + start + k
            window = padded[0, :, top : top + k, left : left + k]
            result[0, :, row, column] = (window * field[row, column]).sum((1, 2))
    return torch.from_numpy(result)


@pytest.mark.parametrize(("scale", "same_size"), GEOMETRIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_apply_is_the_true_field_applied(scale, same_size, channels):
    camera = SampleCamera(scale, same_size, noise=False, quantise=False)
    hr = scene(channels=channels)
    lr = camera(hr, [0])
    assert lr.shape == (1, channels, 48 // camera.stride, 60 // camera.stride)
    torch.testing.assert_close(lr.double(), brute_force(camera, hr), atol=1e-5, rtol=0)


def test_strips_do_not_show(monkeypatch):
    camera = SampleCamera(2, noise=False, quantise=False)
    hr = scene()
    whole = camera(hr, [0])
    monkeypatch.setattr("realdeg.degradations.sample_camera._PIXELS_AT_ONCE", 70)
    torch.testing.assert_close(camera(hr, [0]), whole, atol=1e-6, rtol=0)


@pytest.mark.parametrize("kernel_size", [14, 15])
@pytest.mark.parametrize(("scale", "same_size"), GEOMETRIES)
def test_kernels_are_centred_on_the_lr_pixel(scale, same_size, kernel_size):
    camera = SampleCamera(scale, same_size, kernel_size, content=0, position=0)
    kernels = camera.kernels_at(scene(), [(2, 3)]).double()
    stride = camera.stride
    middle = (stride - kernel_size) // 2 + (kernel_size - 1) / 2
    # From the window's middle to the LR pixel's centre.
    expected = torch.full((1, 2), (stride - 1) / 2 - middle, dtype=torch.float64)
    assert kernels.sum() == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(centroid(kernels), expected, atol=0.01, rtol=0)


def test_blur_widens_with_the_scale():
    areas = []
    for scale in (1, 2, 3, 4):
        camera = SampleCamera(scale, True, content=0, position=0)
        moments = covariance(camera.kernels_at(scene(), [(20, 20)]).double())[0]
        # Width 0.45 + 0.25 s and the aperture; sampling and the support change little.
        expected = ((0.45 + 0.25 * scale) ** 2 + 0.25) * torch.eye(2).double()
        torch.testing.assert_close(moments, expected, atol=0.01, rtol=0.01)
        areas.append(moments.det().item())
    assert areas == sorted(areas)


def test_kernels_turn_with_the_edges_and_are_drawn_to_the_light():
    camera = SampleCamera(4, True, position=0)
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    for across in (columns, rows, rows + columns - 23.5, rows - columns + 23.5):
        # At a luminance of a quarter nothing but the edge sets the direction.
        hr = torch.where(across > 23.5, 0.4, 0.1).expand(1, 3, -1, -1)
        kernel = camera.kernels_at(hr, [(23, 24)]).double()
        direction = torch.stack(torch.gradient(across))[:, 24, 24].double()
        moments = covariance(kernel)[0]
        along = torch.linalg.eigh(moments).eigenvectors[:, 1]
        assert abs(along @ direction) > 0.99 * direction.norm()
        shift = centroid(kernel)[0]
        assert 0.15 < shift @ direction / direction.norm() < 0.4
        assert torch.linalg.eigvalsh(moments)[1] > 2 * torch.linalg.eigvalsh(moments)[0]


@pytest.mark.parametrize(("scale", "same_size"), [(4, True), (3, False), (4, False)])
@pytest.mark.parametrize("axis", [2, 3])
def test_flips_are_sound_augmentation(scale, same_size, axis):
    # An odd window about the LR pixels; an even rest would cut the tails at one side.
    camera = SampleCamera(scale, same_size, 15 + (scale - 1) % 2 * (not same_size), noise=False)
    hr = scene()
    flipped = camera(hr.flip(axis), [0])
    torch.testing.assert_close(flipped, camera(hr, [0]).flip(axis), atol=1.01 / 255, rtol=0)


def test_same_place_with_other_content_has_another_kernel():
    camera = SampleCamera()
    dark, bright = torch.full((1, 3, 48, 48), 0.2), torch.full((1, 3, 48, 48), 0.6)
    stripes = dark.clone()
    stripes[..., ::2] = 0.4
    stack = torch.cat([camera.kernels_at(hr, [(6, 6)]) for hr in (dark, bright, stripes)])
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert (stack[first] - stack[second]).norm() > 0.2 * stack[first].norm()


def test_content_counts_more_than_position():
    hr = scene(96, 96)
    points = [(row, column) for row in range(24) for column in range(24)]

    def variance(**strengths):
        kernels = SampleCamera(**strengths).kernels_at(hr, points)
        return ((kernels - kernels.mean(0)) ** 2).sum().item()

    assert 0 < variance(content=0) < 0.1 * variance(position=0)


@pytest.mark.parametrize(("scale", "same_size"), [(2, True), (4, True), (4, False)])
def test_kernels_lie_outside_a_few_fixed_bases(scale, same_size):
    camera = SampleCamera(scale, same_size)
    rng = np.random.default_rng(0)
    kernels = []
    for path in PICTURES:
        hr = to_tensor(read_image(path))[None]
        rows, columns = (rng.integers(0, side // camera.stride, 100) for side in hr.shape[2:])
        kernels.append(camera.kernels_at(hr, list(zip(rows, columns, strict=True))))
    residual = residual_energy(torch.cat(kernels), (1, 8, 16))
    # Relative errors (square roots) of 9 % and 4 % at least; of a third with one fixed kernel.
    assert residual[1] > 0.1
    assert residual[8] > 0.008
    assert residual[16] > 0.0015


def test_noise_variance_follows_the_signal():
    camera = SampleCamera(1, True, content=0, position=0, shot=4e-3, read=1e-4, quantise=False)
    for level in (0.2, 0.8):
        hr = torch.full((1, 1, 128, 128), level)
        difference = camera(hr, [5]) - hr
        expected = 4e-3 * level + 1e-4
        # 16384 samples: the variance is known to about 1.1 % (one sigma).
        assert difference.var().item() == pytest.approx(expected, rel=0.05)
        assert abs(difference.mean().item()) < 4 * (expected / 128**2) ** 0.5


def test_eight_bit_values():
    levels = SampleCamera()(scene(), [3]) * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    assert levels.min() >= 0 and levels.max() <= 255


def test_seeds_decide_and_traces_replay():
    camera = SampleCamera(2)
    hr = torch.cat([scene(seed=1), scene(seed=2)])
    traces = [Trace.from_json(trace.to_json()) for trace in camera.sample(hr, [7, 8])]
    lr = camera.replay(hr, traces)
    assert torch.equal(lr, camera(hr, [7, 8]))
    assert torch.equal(lr[1:], camera(hr[1:], [8]))
    assert not torch.equal(lr, camera(hr, [8, 7]))


def test_another_camera_refuses_the_trace():
    hr = scene()
    traces = SampleCamera(2).sample(hr, [0])
    with pytest.raises(DataError, match="content"):
        SampleCamera(2, content=0.5).replay(hr, traces)


def test_grey_and_colour_have_the_same_kernels():
    camera = SampleCamera()
    hr = scene()
    both = [camera.kernels_at(image, [(4, 5), (0, 0)]) for image in (hr, rgb_to_y(hr))]
    torch.testing.assert_close(*both)


def test_field_and_points_agree():
    camera = SampleCamera(3)
    hr = scene()
    points = [(0, 0), (15, 19), (7, 3)]
    field = camera.kernel_field(hr)
    torch.testing.assert_close(
        camera.kernels_at(hr, points), torch.stack([field[point] for point in points])
    )


def test_tiny_pictures_work():
    assert SampleCamera(4)(scene(12, 12)[..., :4, :8], [0]).shape == (1, 3, 1, 2)


def test_refusals():
    with pytest.raises(GeometryError, match="1 to 4"):
        SampleCamera(5)
    with pytest.raises(ConfigError, match="content"):
        SampleCamera(content=2)
    with pytest.raises(ConfigError, match="kernel_size"):
        SampleCamera(kernel_size=1)
    with pytest.raises(ConfigError, match="shot is -1, wanted a number, 0 or more"):
        SampleCamera(shot=-1)
    with pytest.raises(DataError, match="outside"):
        SampleCamera().kernels_at(scene(), [(12, 0)])
    with pytest.raises(DataError, match="one image"):
        SampleCamera().kernel_field(scene().expand(2, -1, -1, -1))
