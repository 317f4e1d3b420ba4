"""Metrics against references written here in NumPy, and against scikit-image."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from skimage.metrics import structural_similarity

from realdeg.errors import DataError
from realdeg.evaluation.metrics import gmsd, ms_ssim, psnr, ssim


def picture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = 128 + 60 * np.sin(rows / 7) * np.cos(columns / 5) + 15 * rng.standard_normal(rows.shape)
    return np.clip(np.round(waves), 0, 255)


def noisy(image, sigma, seed=1):
    rng = np.random.default_rng(seed)
    return np.clip(np.round(image + sigma * rng.standard_normal(image.shape)), 0, 255)


def tensor(*channels):
    return torch.from_numpy(np.stack(channels))


def wang(x, y, data_range=255.0):
    axis = np.arange(11) - 5
    window = np.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2

    def mean(z):
        return convolve2d(z, window, mode="valid")

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    contrast = (2 * cov + c2) / (vx + vy + c2)
    return (contrast * (2 * mx * my + c1) / (mx**2 + my**2 + c1)).mean(), contrast.mean()


def halve_mirrored(x):
    x = np.pad(x, ((0, x.shape[0] % 2), (0, x.shape[1] % 2)), mode="symmetric")
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4


def xue(x, y):
    """Follows GMSD.m line by line."""
    prewitt = np.array([[1, 0, -1]] * 3) / 3

    def gradient(z):
        # conv2(..., 'same') of an even kernel in MATLAB starts one further than SciPy's.
        z = convolve2d(z, np.ones((2, 2)) / 4)[1:, 1:][::2, ::2]
        across, down = (convolve2d(z, k, mode="same") for k in (prewitt, prewitt.T))
        return np.sqrt(across**2 + down**2)

    gx, gy = gradient(x), gradient(y)
    return np.std((2 * gx * gy + 170) / (gx**2 + gy**2 + 170), ddof=1)


def test_psnr():
    x = picture(40, 31)
    y = noisy(x, 8)
    expected = 10 * np.log10(255**2 / np.mean((x - y) ** 2))
    assert psnr(tensor(x), tensor(y), peak=255) == pytest.approx(expected, abs=1e-12)
    assert psnr(tensor(x) / 255, tensor(y) / 255) == pytest.approx(expected, abs=1e-9)
    assert psnr(tensor(x), tensor(x)) == math.inf
    both = psnr(tensor(x, x), tensor(y, x), peak=255)
    assert both == pytest.approx(expected + 10 * np.log10(2), abs=1e-9)


@pytest.mark.parametrize("size", [(11, 11), (75, 64), (43, 12), (42, 100)])
def test_ssim_is_wangs(size):
    x = picture(*size)
    y = noisy(x, 12)
    ours = ssim(tensor(x), tensor(y), data_range=255)
    assert ours == pytest.approx(wang(x, y)[0], abs=1e-10)
    theirs = structural_similarity(
        x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    if min(size) > 11:
        assert ours == pytest.approx(theirs, abs=1e-10)


def test_ssim_of_old_scikit_image():
    x = picture(60, 50) / 255
    y = noisy(picture(60, 50), 12) / 255
    for data_range in (1.0, 2.0):
        ours = ssim(tensor(x), tensor(y), data_range=data_range, window="uniform-7")
        theirs = structural_similarity(x, y, win_size=7, data_range=data_range)
        assert ours == pytest.approx(theirs, abs=1e-10)
    doubled = ssim(tensor(x), tensor(y), data_range=2, window="uniform-7")
    assert doubled > ssim(tensor(x), tensor(y), data_range=1, window="uniform-7")


def test_ssim_of_several_channels_is_their_mean():
    x = [picture(40, 40, seed) for seed in range(3)]
    y = [noisy(channel, 5 * (1 + i)) for i, channel in enumerate(x)]
    each = [ssim(tensor(a), tensor(b), data_range=255) for a, b in zip(x, y, strict=True)]
    assert ssim(tensor(*x), tensor(*y), data_range=255) == pytest.approx(np.mean(each), abs=1e-12)


def test_ms_ssim():
    x = picture(179, 190)
    y = noisy(x, 20)
    first, second, expected = x, y, 1.0
    for level, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        if level:
            first, second = halve_mirrored(first), halve_mirrored(second)
        similarity, contrast = wang(first, second)
        expected *= (similarity if level == 4 else contrast) ** weight
    assert ms_ssim(tensor(x), tensor(y), data_range=255) == pytest.approx(expected, abs=1e-10)
    assert ms_ssim(tensor(x), tensor(x), data_range=255) == pytest.approx(1, abs=1e-12)
    worse = ms_ssim(tensor(x), tensor(noisy(x, 60)), data_range=255)
    assert 0 < worse < ms_ssim(tensor(x), tensor(y), data_range=255) < 1
    inverted = ms_ssim(tensor(x), tensor(255 - x), data_range=255)
    assert inverted == 0  # a negative contrast has no real power


@pytest.mark.parametrize("size", [(48, 64), (47, 64), (31, 33)])
def test_gmsd_is_the_authors(size):
    x = picture(*size)
    y = noisy(x, 10)
    ours = gmsd(tensor(x), tensor(y), data_range=255)
    assert ours == pytest.approx(xue(x, y), abs=1e-12)
    assert gmsd(tensor(x) / 255, tensor(y) / 255) == pytest.approx(ours, abs=1e-9)
    assert gmsd(tensor(x), tensor(x), data_range=255) == 0
    assert gmsd(tensor(x), tensor(noisy(x, 40)), data_range=255) > ours


def test_what_cannot_be_measured_is_refused():
    x = torch.rand(1, 10, 40)
    with pytest.raises(DataError, match="at least 11 px"):
        ssim(x, x)
    with pytest.raises(DataError, match="at least 176 px"):
        ms_ssim(torch.rand(1, 175, 400), torch.rand(1, 175, 400))
    with pytest.raises(DataError, match="at least 3 px"):
        gmsd(x[:, :2], x[:, :2])
    for function in (psnr, ssim, ms_ssim, gmsd):
        with pytest.raises(ValueError, match="same shape"):
            function(x, x[:, :5])
    with pytest.raises(ValueError, match="window"):
        ssim(x, x, window="gaussian")
