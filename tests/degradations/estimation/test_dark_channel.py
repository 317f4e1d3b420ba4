"""Blind deconvolution with the dark channel prior: its steps, and kernels that it recovers."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.degradations.estimation import DarkChannel
from realdeg.degradations.estimation.dark_channel import DarkChannelSettings, blind_deconvolution
from realdeg.degradations.estimation.deconvolution import (
    DARK_SIZE,
    _darkened,
    continue_smoothly,
    differences,
    fast_size,
    fit_kernel,
    gradient_limit,
    sharpen,
    strong_differences,
    without_islands,
)
from realdeg.degradations.primitives.kernels import (
    gaussian_kernel,
    motion_kernel,
    second_moments,
    shift_to_centroid,
)
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.zero_shot.reductions import reduce

SMALL = DarkChannelSettings(kernel_size=15, iterations=3)


def sharp_image(height: int = 120, width: int = 130, seed: int = 4) -> Tensor:
    """Rectangles and discs of random grey before black: sharp edges in every direction."""
    rng = torch.Generator().manual_seed(seed)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = torch.zeros(height, width, dtype=torch.float64)
    for number in range(60):
        top, left, grey, size = torch.rand(4, generator=rng, dtype=torch.float64).tolist()
        row, column, half = top * height, left * width, 4 + size * 12
        down, across = (rows - row).abs(), (columns - column).abs()
        inside = (down.hypot(across) < half) if number % 2 else (torch.maximum(down, across) < half)
        image[inside] = grey if number % 3 else 0.0
    return image


def blurred(image: Tensor, kernel: Tensor) -> Tensor:
    """Correlate where the whole window lies inside, and round to 8 bit as a file does."""
    made = F.conv2d(image[None, None], kernel.to(image)[None, None])[0, 0]
    return (made * 255).round() / 255


def distance(found: Tensor, wanted: Tensor) -> float:
    """The L1 distance of two kernels with a common centroid, from 0 to 2."""
    found, wanted = (shift_to_centroid(one) for one in (found, wanted))
    return float((found - wanted).abs().sum())


@pytest.mark.parametrize(
    ("kernel", "most"),
    [
        (gaussian_kernel(15, 1.5), 0.2),
        (gaussian_kernel(15, 2.4, 0.9, math.pi / 5), 0.2),
        (motion_kernel(15, 7.0, math.pi / 4), 0.45),
    ],
    ids=["gaussian", "oblique", "motion"],
)
def test_recovers_a_known_kernel(kernel: Tensor, most: float) -> None:
    """Within an L1 distance of 0.2 (a thin motion: 0.45) and 0.8 of every variance, in pixels²."""
    found = blind_deconvolution(blurred(sharp_image(), kernel), SMALL)
    assert found.shape == (15, 15) and found.min() >= 0
    assert float(found.sum()) == pytest.approx(1)
    assert distance(found, kernel) < most
    ours, theirs = second_moments(found), second_moments(kernel)
    assert float((ours - theirs).abs().max()) < 0.8
    if theirs[0, 1] > 0.5:  # neither transposed nor mirrored
        assert ours[0, 1] > 0.4 * theirs[0, 1]


def test_orientation_is_that_of_correlation() -> None:
    """An asymmetric kernel is found as it was, not turned by 180 degrees."""
    kernel = torch.zeros(15, 15, dtype=torch.float64)
    kernel[7, 4:12] = torch.tensor([0.4, 0.2, 0.1, 0.08, 0.07, 0.06, 0.05, 0.04])
    found = blind_deconvolution(blurred(sharp_image(), kernel), SMALL)
    assert distance(found, kernel) < distance(found.flip(0, 1), kernel) - 0.2


def test_repeats_bit_for_bit_and_reports_each_round() -> None:
    settings = DarkChannelSettings(kernel_size=7, iterations=2)
    image = blurred(sharp_image(70, 74), gaussian_kernel(7, 1.0))
    seen: list[int] = []
    first = blind_deconvolution(image, settings, seen.append)
    assert torch.equal(first, blind_deconvolution(image, settings))
    assert seen == list(range(1, 2 * len(settings.kernel_sizes) + 1))


def test_pyramid_of_the_published_program() -> None:
    assert DarkChannelSettings().kernel_sizes == [25, 19, 13, 9, 7]
    assert DarkChannelSettings(kernel_size=5).kernel_sizes == [5]


def test_bad_images_are_named() -> None:
    with pytest.raises(DataError, match="at least 60 x 60 pixels, got 59 x 90"):
        blind_deconvolution(torch.rand(59, 90), SMALL)
    with pytest.raises(DataError, match="flat image"):
        blind_deconvolution(torch.full((80, 80), 0.5), SMALL)
    with pytest.raises(DataError, match="no gradients"):
        blind_deconvolution(torch.full((80, 80), math.nan), SMALL)


def test_continuation_solves_laplace_on_the_torus() -> None:
    """Every new pixel that touches only new pixels is the mean of its neighbours."""
    image = sharp_image(20, 23)
    whole = continue_smoothly(image, (31, 30))
    assert torch.equal(whole[:20, :23], image)
    mean = sum(whole.roll(step, axis) for step in (1, -1) for axis in (0, 1)) / 4
    inside_below = (slice(20, 31), slice(1, 22))
    inside_right = (slice(1, 19), slice(23, 30))
    for part in (inside_below, inside_right, (slice(20, 31), slice(23, 30))):
        assert torch.allclose(whole[part], mean[part], atol=1e-10)


def test_darkened_pixels_are_those_of_the_published_loop() -> None:
    """Each window puts its minimum to 0 if that is small; the border stays."""
    image = torch.rand(45, 52, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    half, limit = DARK_SIZE // 2, 0.05**2
    wanted = image.clone()
    for row in range(45):
        for column in range(52):
            top, left = max(0, row - half), max(0, column - half)
            window = image[top : row + half + 1, left : column + half + 1]
            if float(window.min()) ** 2 < limit:
                place = int(window.argmin())
                wanted[top + place // window.shape[1], left + place % window.shape[1]] = 0
    frame = torch.ones_like(image, dtype=torch.bool)
    frame[half:-half, half:-half] = False
    wanted[frame] = image[frame]
    assert torch.equal(_darkened(image, limit), wanted)
    assert not torch.equal(wanted, image)


def test_the_kernel_step_solves_its_normal_equations() -> None:
    """Without noise it finds the kernel that blurred the differences, up to its ridge."""
    image = sharp_image(64, 64)
    kernel = gaussian_kernel(5, 0.9, 0.7, 0.3)
    wide = F.pad(image[None, None], (2,) * 4, mode="circular")
    given = F.conv2d(wide, kernel.flip(0, 1)[None, None])[0, 0]
    pairs = []
    for one in (given, image):
        across = one.roll(-1, 1) - one
        pairs.append((across, one.roll(-1, 0) - one))
    found = fit_kernel(pairs[0], pairs[1], 5)
    wanted = kernel.masked_fill(kernel < 0.05 * kernel.max(), 0)
    assert torch.allclose(found, wanted / wanted.sum(), atol=0.01)


def test_the_image_step_undoes_a_known_blur() -> None:
    image = sharp_image(90, 90)
    given = blurred(image, gaussian_kernel(7, 1.2))
    size = fast_size(given.shape[0] + 9)
    whole = continue_smoothly(given, (size, size))
    kernel = gaussian_kernel(7, 1.2)
    made = sharpen(whole, kernel, 2e-3, 2e-3)[: given.shape[0], : given.shape[1]]
    truth = image[3:-3, 3:-3]
    assert float((made - truth).square().mean()) < 0.6 * float((given - truth).square().mean())


def test_strong_gradients() -> None:
    image = sharp_image(60, 60)
    limit = gradient_limit(image, 7)
    across, down = differences(image)
    strong = strong_differences(image, limit)
    kept = (strong[0] != 0) | (strong[1] != 0)
    assert torch.equal(
        kept, (across.square() + down.square() >= limit) & ((across != 0) | (down != 0))
    )
    assert int(kept.sum()) >= 20 * 7
    assert gradient_limit(torch.rand(5, 5), 7) == 0  # too few pixels: all gradients count


def test_islands_are_removed() -> None:
    kernel = torch.zeros(7, 7)
    kernel[2:4, 2:4], kernel[6, 6] = 0.24, 0.04
    found = without_islands(kernel)
    assert found[6, 6] == 0 and float(found.sum()) == pytest.approx(1)
    dust = torch.zeros(25, 25)
    dust[::2, ::2] = 1 / 169
    assert float(without_islands(dust).sum()) == pytest.approx(1)


class TestEstimator:
    def test_the_kernel_of_a_reduced_image(self) -> None:
        """LR of a known blur at x2: the kernel on the HR grid, within its stated error."""
        hr = sharp_image(300, 320, seed=8)[None, None].float()
        kernel = gaussian_kernel(16, 2.6, 1.4, 0.5)  # even: centred between pixels, as LR is
        lr = reduce(hr, (150, 160), kernel).clamp(0, 1)
        estimator = DarkChannel(kernel_size=15, iterations=2, crop=130)
        found = estimator.estimate(lr, 2)
        moments = second_moments(found.kernel), second_moments(kernel)
        assert float((moments[0] - moments[1]).abs().max()) < 1.5
        assert float(moments[0][0, 1]) > 0.8  # its direction
        enlarged = estimator.enlarged(lr, 2)
        assert enlarged.shape == (15, 15) and found.kernel.shape == (17, 17)
        # The shift by half a pixel adds a quarter to the variances.
        added = second_moments(found.kernel) - second_moments(enlarged)
        assert torch.allclose(added, 0.25 * torch.eye(2, dtype=torch.float64), atol=0.06)

    def test_interpolation_keeps_centroid_and_covariance(self) -> None:
        """The enlarged photo's kernel has the moments of the LR photo's, over all phases."""
        kernel, scale = gaussian_kernel(24, 2.5, 1.6, 0.5), 4
        axis = torch.arange(160, dtype=torch.float64) - 79.5
        rows, columns = torch.meshgrid(axis, axis, indexing="ij")
        for image in (rows, columns, rows.square(), rows * columns, columns.square()):
            lr = reduce(image[None, None], (40, 40), kernel)
            enlarged = imresize(lr, scale)[0, 0, 60:100, 60:100]
            # A quadratic image shows the moments: its blurred form differs by a constant.
            change = enlarged - image[60:100, 60:100]
            assert float(change.std()) < 1e-6
        wanted = second_moments(kernel)
        assert float(change.mean()) == pytest.approx(float(wanted[1, 1]), abs=1e-6)

    def test_the_textured_part_is_taken(self) -> None:
        image = torch.zeros(1, 1, 150, 150)
        image[..., 75:135, 10:70] = sharp_image(60, 60).float()
        estimator = DarkChannel(kernel_size=7, iterations=1, crop=100)
        alone = estimator.enlarged(image[..., 70:140, 5:75], 2)
        assert torch.allclose(estimator.enlarged(image, 2), alone, atol=1e-6)
        assert DarkChannel(crop=10).crop == 100  # never less than the method needs

    def test_bad_arguments(self) -> None:
        with pytest.raises(ConfigError, match="kernel_size"):
            DarkChannel(kernel_size=24)
        with pytest.raises(GeometryError, match="DarkChannel.*50 x 50 pixels or more, got 49"):
            DarkChannel().estimate(torch.rand(1, 3, 49, 120), 2)
        with pytest.raises(GeometryError, match="2, 3 or 4, got 5"):
            DarkChannel().estimate(torch.rand(1, 3, 120, 120), 5)
