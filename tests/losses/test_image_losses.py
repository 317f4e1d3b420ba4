"""Each image loss against its formula, written again in numpy and float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from realdeg.errors import ConfigError, GeometryError
from realdeg.evaluation.metrics import ms_ssim, ssim
from realdeg.losses import (
    FilteredLoss,
    FocalFrequencyLoss,
    LDLLoss,
    MSSSIMLoss,
    NormLoss,
    SSIMLoss,
    TVLoss,
    WeightedLoss,
    artifact_map,
    build_loss,
)
from realdeg.testing import LossContract, RegulariserContract
from realdeg.testing.losses import noise


def pair(*shape, seed=0):
    return noise(*shape, seed=2 * seed), noise(*shape, seed=2 * seed + 1)


def value(loss, *tensors, **named):
    return loss(*tensors, **named).item()


# --- contracts -----------------------------------------------------------------------------------


class TestDistances(LossContract):
    @pytest.fixture(
        params=[
            ("NormLoss", {}),
            *(("CycleLoss", {"criterion": name}) for name in ("l1", "mse", "norm")),
            ("IdentityLoss", {"criterion": "mse"}),
            # With alpha=0 the weights are constant, so that the gradient is the derivative.
            ("FocalFrequencyLoss", {"alpha": 0.0}),
            ("FilteredLoss", {"size": 3}),
            ("FilteredLoss", {"size": 3, "filter": "gaussian", "border": "ignore", "band": "high"}),
            ("FilteredLoss", {"filter": "wavelet", "loss": {"type": "MSELoss"}}),
        ],
        ids=lambda param: "-".join([param[0], *map(str, param[1].values())]),
        autouse=True,
    )
    def each(self, request):
        name, self.arguments = request.param
        self.component = type(build_loss({"type": name}))


class TestLDL(LossContract):
    component = LDLLoss
    arguments = {"size": 3}


class TestSSIM(LossContract):
    component = SSIMLoss

    def pair(self, batch=2, height=11, width=12):
        return pair(batch, 1, height, width)


class TestMSSSIM(LossContract):
    component = MSSSIMLoss

    def pair(self, batch=2, height=176, width=177):
        first, second = pair(batch, 1, height, width)
        return first, 0.5 * (first + second)

    @pytest.mark.parametrize("reduction", ["mean", "sum"])
    def test_gradients(self, reduction):
        # 62,304 pixels: along random directions, not for each of them.
        prediction, target = self.pair()
        loss = self.build(reduction=reduction)
        prediction.requires_grad_()
        assert torch.autograd.gradcheck(lambda p: loss(p, target), prediction, fast_mode=True)


class TestTotalVariation(RegulariserContract):
    component = TVLoss

    @pytest.fixture(params=["isotropic", "anisotropic", "squared"], autouse=True)
    def each(self, request):
        self.arguments = {"form": request.param}


# --- total variation and norm --------------------------------------------------------------------


def by_loops(x, form, border):
    """Total variation pixel by pixel."""
    _, channels, height, width = x.shape
    across, down, both = [], [], []
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                dx = x[0, c, i, j + 1] - x[0, c, i, j] if j + 1 < width else None
                dy = x[0, c, i + 1, j] - x[0, c, i, j] if i + 1 < height else None
                if border == "zero":
                    dx, dy = dx or 0.0, dy or 0.0
                across += [] if dx is None else [dx]
                down += [] if dy is None else [dy]
                both += [] if dx is None or dy is None else [np.sqrt(dx**2 + dy**2 + 1e-12)]
    if form == "isotropic":
        return np.mean(both)
    if form == "anisotropic":
        return np.mean(np.abs(across)) + np.mean(np.abs(down))
    return 2 * (np.mean(np.square(across)) + np.mean(np.square(down)))


@pytest.mark.parametrize("border", ["zero", "valid"])
@pytest.mark.parametrize("form", ["isotropic", "anisotropic", "squared"])
def test_total_variation(form, border):
    x = noise(2, 3, 5, 4, seed=5)
    wanted = [by_loops(x[i : i + 1].numpy(), form, border) for i in range(2)]
    loss = TVLoss(weight=2.0, form=form, border=border)
    assert value(loss, x) == pytest.approx(2 * np.mean(wanted), rel=1e-12)
    summed = TVLoss(reduction="sum", form=form, border=border)
    assert value(summed, x) == pytest.approx(np.sum(wanted), rel=1e-12)


def test_total_variation_of_a_step():
    # One step of height 1 in 4 x 4 pixels: 4 differences among 16 pixels, 12 of each direction.
    x = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    x[..., 2:] = 1
    assert value(TVLoss(), x) == pytest.approx(4 / 16, abs=1e-5)
    assert value(TVLoss(border="valid"), x) == pytest.approx(3 / 9, abs=1e-5)
    assert value(TVLoss(form="anisotropic", border="valid"), x) == pytest.approx(4 / 12)
    assert value(TVLoss(form="squared", border="valid"), x) == pytest.approx(2 * 4 / 12)


def test_a_flat_picture_has_a_finite_gradient():
    x = torch.full((1, 1, 4, 4), 0.5, requires_grad=True)
    TVLoss()(x).backward()
    assert torch.equal(x.grad, torch.zeros_like(x))
    NormLoss()(x, x.detach()).backward()
    assert x.grad.isfinite().all()


def test_norm():
    x, y = pair(3, 2, 4, 5)
    squares = ((x - y) ** 2).numpy().reshape(3, -1)
    wanted = np.sqrt(squares.sum(1)) / 40
    assert value(NormLoss(), x, y) == pytest.approx(wanted.mean(), rel=1e-12)
    for name, weight in (("CycleLoss", 10), ("IdentityLoss", 5)):
        found = value(build_loss({"type": name, "criterion": "norm"}), x, y)
        assert found == pytest.approx(weight * wanted.mean(), rel=1e-12)
        found = value(build_loss({"type": name, "criterion": "mse"}), x, y)
        assert found == pytest.approx(weight * squares.mean(), rel=1e-12)
        found = value(build_loss({"type": name}), x, y)
        assert found == pytest.approx(weight * np.abs((x - y).numpy()).mean(), rel=1e-12)


# --- structural similarity -----------------------------------------------------------------------


def similarity(x, y, data_range=1.0):
    """SSIM map and contrast map of two planes, window by window."""
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / taps.sum() ** 2
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    whole, contrasts = [], []
    for i in range(x.shape[0] - 10):
        for j in range(x.shape[1] - 10):
            a, b = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a = (window * (a - mean_a) ** 2).sum()
            var_b = (window * (b - mean_b) ** 2).sum()
            covariance = (window * (a - mean_a) * (b - mean_b)).sum()
            contrast = (2 * covariance + c2) / (var_a + var_b + c2)
            contrasts.append(contrast)
            whole.append(contrast * (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1))
    return np.mean(whole), np.mean(contrasts)


@pytest.mark.parametrize("data_range", [1.0, 2.0])
def test_ssim(data_range):
    x, y = pair(2, 2, 13, 14)
    y = 0.7 * x + 0.3 * y
    wanted = [
        1 - similarity(x[b, c].numpy(), y[b, c].numpy(), data_range)[0]
        for b in range(2)
        for c in range(2)
    ]
    assert value(SSIMLoss(data_range=data_range), x, y) == pytest.approx(np.mean(wanted), rel=1e-9)


def test_similarity_losses_agree_with_the_metrics():
    x, y = pair(2, 3, 180, 179)
    y = 0.8 * x + 0.2 * y
    for loss, metric in ((SSIMLoss(), ssim), (MSSSIMLoss(), ms_ssim)):
        wanted = np.mean([1 - metric(a, b) for a, b in zip(x, y, strict=True)])
        assert value(loss, x, y) == pytest.approx(wanted, rel=1e-10)
        assert value(loss, x.float(), y.float()) == pytest.approx(wanted, abs=2e-6)
        assert value(loss, x, x) == pytest.approx(0, abs=1e-12)


def test_similarity_of_opposites_has_a_finite_gradient():
    # The contrast of negatives is negative: its power would not be real.
    x = noise(1, 1, 176, 176).requires_grad_()
    loss = MSSSIMLoss()(x, 1 - x.detach())
    loss.backward()
    assert 0.9 < loss.item() <= 1 and x.grad.isfinite().all()


@pytest.mark.parametrize(("loss", "least"), [(SSIMLoss(), 11), (MSSSIMLoss(), 176)])
def test_small_images_are_refused(loss, least):
    with pytest.raises(GeometryError, match=f"at least {least} pixels per side.*patch_size"):
        loss(*pair(1, 1, least - 1, 300))


# --- frequency -----------------------------------------------------------------------------------


def focal(x, y, alpha=1.0, log=False, batch=False):
    difference = np.fft.fft2(x, norm="ortho") - np.fft.fft2(y, norm="ortho")
    weights = np.abs(difference) ** alpha
    weights = np.log(weights + 1) if log else weights
    largest = weights.max() if batch else weights.max((-2, -1), keepdims=True)
    return (weights / largest * np.abs(difference) ** 2).mean()


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, {}),
        ({"alpha": 2.0}, {"alpha": 2.0}),
        ({"log_matrix": True}, {"log": True}),
        ({"batch_matrix": True}, {"batch": True}),
    ],
)
def test_focal_frequency(settings, options):
    x, y = pair(2, 3, 6, 5)
    found = value(FocalFrequencyLoss(weight=2.0, **settings), x, y)
    assert found == pytest.approx(2 * focal(x.numpy(), y.numpy(), **options), rel=1e-10)


def test_focal_frequency_of_patches_and_averages():
    x, y = pair(2, 3, 6, 4)
    patches = [
        (x[..., i : i + 3, j : j + 2].numpy(), y[..., i : i + 3, j : j + 2].numpy())
        for i in (0, 3)
        for j in (0, 2)
    ]
    wanted = np.mean([focal(*both) for both in patches])
    assert value(FocalFrequencyLoss(patch_factor=2), x, y) == pytest.approx(wanted, rel=1e-10)
    averaged = focal(x.mean(0, keepdim=True).numpy(), y.mean(0, keepdim=True).numpy())
    assert value(FocalFrequencyLoss(ave_spectrum=True), x, y) == pytest.approx(averaged, rel=1e-10)
    with pytest.raises(GeometryError, match="4 x 4 equal patches"):
        FocalFrequencyLoss(patch_factor=4)(x, y)


def test_focal_weights_are_constants_of_the_gradient():
    x, y = pair(1, 1, 4, 4)
    x.requires_grad_()
    (found,) = torch.autograd.grad(FocalFrequencyLoss()(x, y), x)
    difference = np.fft.fft2((x.detach() - y).numpy()[0, 0], norm="ortho")
    weights = np.abs(difference) / np.abs(difference).max()
    # d mean w |F d|^2 / d d = 2 / n F^-1 (w F d) for an orthonormal F
    wanted = 2 / 16 * np.fft.ifft2(weights * difference, norm="ortho").real
    np.testing.assert_allclose(found.numpy()[0, 0], wanted, rtol=1e-9, atol=1e-12)


def test_equal_spectra_cost_nothing():
    x = noise(2, 1, 4, 4).requires_grad_()
    loss = FocalFrequencyLoss()(x, x.detach())
    loss.backward()
    assert loss.item() == 0 and torch.equal(x.grad, torch.zeros_like(x))
    assert value(FocalFrequencyLoss(alpha=0.0), x, x + 0.5) == pytest.approx(0.25)


def window_means(x, side, border, taps=None):
    """Weighted means of windows, by loops."""
    taps = np.ones(side) if taps is None else taps
    window, margin = np.outer(taps, taps), side // 2
    padded = np.pad(x, margin)
    inside = np.pad(np.ones_like(x), margin)
    result = np.zeros_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            piece = window * padded[i : i + side, j : j + side]
            mass = (window * inside[i : i + side, j : j + side]).sum()
            result[i, j] = piece.sum() / (mass if border == "ignore" else window.sum())
    return result[margin:-margin, margin:-margin] if border == "crop" else result


@pytest.mark.parametrize("band", ["low", "high"])
@pytest.mark.parametrize("border", ["zero", "ignore", "crop"])
@pytest.mark.parametrize("kind", ["average", "gaussian"])
def test_filtered(kind, border, band):
    x, y = pair(1, 1, 9, 8)
    taps = None
    if kind == "gaussian":
        taps = np.exp(-0.5 * (np.arange(-2, 3) / (5 / 6)) ** 2)
    low = [window_means(z[0, 0].numpy(), 5, border, taps) for z in (x, y)]
    if band == "high":
        cut = slice(2, -2) if border == "crop" else slice(None)
        low = [z[0, 0].numpy()[cut, cut] - one for z, one in zip((x, y), low, strict=True)]
    loss = FilteredLoss(
        loss={"type": "L1Loss", "weight": 3.0},
        filter=kind,
        size=5,
        border=border,
        band=band,
        weight=0.01,
    )
    assert value(loss, x, y) == pytest.approx(0.03 * np.abs(low[0] - low[1]).mean(), rel=1e-9)


def test_bands_of_the_wavelet():
    x, y = pair(2, 3, 7, 6)
    low, high = (FilteredLoss(filter="wavelet", band=band) for band in ("low", "high"))
    p, q, r, s = (x[..., i:6:2, j:6:2] for i in (0, 1) for j in (0, 1))
    torch.testing.assert_close(low.filtered(x), (p + q + r + s) / 4)
    wanted = torch.cat([(p + q - r - s) / 4, (p - q + r - s) / 4, (p - q - r + s) / 4], 1)
    torch.testing.assert_close(high.filtered(x), wanted)
    flat = interpolate(noise(1, 3, 3, 3), scale_factor=2)
    assert value(high, flat, torch.zeros_like(flat)) == 0


def test_filters_see_only_their_band():
    coarse = torch.ones(1, 1, 20, 20, dtype=torch.float64)
    stripes = torch.tensor([0.5, -0.5], dtype=torch.float64).repeat(10).expand(1, 1, 20, 20)
    zero = torch.zeros_like(coarse)
    low, high = (FilteredLoss(size=9, border="crop", band=band) for band in ("low", "high"))
    assert value(low, coarse, zero) == pytest.approx(1) and value(high, coarse, zero) < 1e-12
    assert value(low, stripes, zero) == pytest.approx(0.5 / 9)
    assert value(high, stripes, zero) == pytest.approx(0.5 * 8 / 9, rel=0.02)


@pytest.mark.parametrize(
    ("cfg", "words"),
    [
        ({"size": 4}, "odd"),
        ({"filter": "median"}, "filter is 'median', wanted 'average'"),
        ({"loss": {"type": "HingeGANLoss"}}, "'FilteredLoss.loss' is HingeGANLoss, an adversarial"),
        ({"loss": {"type": "LDLLoss"}}, "LDLLoss has several terms or needs further pictures"),
        ({"loss": {"type": "WeightedLoss", "terms": [{"type": "L1Loss"}]}}, "several terms"),
    ],
)
def test_filtered_refusals(cfg, words):
    with pytest.raises(ConfigError, match=words):
        build_loss({"type": "FilteredLoss", **cfg})


def test_a_window_larger_than_the_image_is_refused():
    with pytest.raises(GeometryError, match="at least 9 pixels per side"):
        FilteredLoss(border="crop")(*pair(1, 1, 8, 8))


# --- locally discriminative learning -------------------------------------------------------------


def ldl(x, y, averaged, size):
    """LDL for one image (C, H, W), pixel by pixel."""
    residual, of_average = np.abs(y - x).sum(0), np.abs(y - averaged).sum(0)
    padded = np.pad(residual, size // 2, mode="reflect")
    weights = np.zeros_like(residual)
    for i in range(residual.shape[0]):
        for j in range(residual.shape[1]):
            if residual[i, j] >= of_average[i, j]:
                weights[i, j] = padded[i : i + size, j : j + size].var(ddof=1)
    return residual.var(ddof=1) ** 0.2 * weights


@pytest.mark.parametrize("size", [3, 7])
def test_ldl(size):
    x, y = pair(2, 3, 9, 8)
    averaged = 0.5 * (noise(2, 3, 9, 8, seed=9) + y)
    maps = [ldl(*(z[b].numpy() for z in (x, y, averaged)), size) for b in range(2)]
    np.testing.assert_allclose(
        artifact_map(x, y, averaged, size)[:, 0].numpy(), maps, rtol=1e-9, atol=1e-12
    )
    assert 0 < np.mean(np.array(maps) == 0) < 1
    wanted = np.mean([np.abs(m * (x[b] - y[b]).numpy()) for b, m in enumerate(maps)])
    assert value(LDLLoss(size=size), x, y, averaged=averaged) == pytest.approx(wanted, rel=1e-9)


def test_ldl_spares_what_the_average_does_worse():
    x, y = pair(1, 3, 8, 8)
    assert value(LDLLoss(), x, y, averaged=2 * x - y) == 0  # twice the residual everywhere
    exact = y.clone().requires_grad_()
    loss = LDLLoss()(exact, y, averaged=y)
    loss.backward()
    assert loss.item() == 0 and exact.grad.isfinite().all()


def test_ldl_has_no_gradient_for_the_average():
    x, y = pair(1, 3, 8, 8)
    averaged = (0.5 * (x + y)).requires_grad_()
    assert not LDLLoss()(x, y, averaged=averaged).requires_grad


def test_ldl_needs_its_picture():
    x, y = pair(1, 3, 8, 8)
    with pytest.raises(ConfigError, match="LDLLoss needs the picture 'averaged'.*WeightedLoss"):
        LDLLoss()(x, y)
    with pytest.raises(ConfigError, match="'loss_ldl' needs the picture 'averaged'"):
        WeightedLoss([{"type": "LDLLoss"}])(x, y)
    with pytest.raises(GeometryError, match="above 3 pixels"):
        LDLLoss()(*pair(1, 3, 3, 8), averaged=noise(1, 3, 3, 8))
