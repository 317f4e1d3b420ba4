"""The metrics of LR images against degradations whose truth is known."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from realdeg.degradations.primitives import gaussian_kernel, imresize
from realdeg.errors import ConfigError, DataError
from realdeg.evaluation.degradation import (
    Bandwidth,
    ColourDrift,
    EffectiveKernel,
    NoiseStatistics,
    PatchDistance,
    SubPixelShift,
    frechet_distance,
    get_lr_protocol,
    patch_features,
    prepare_lr,
)
from realdeg.evaluation.degradation.effective import kernel_widths, normal_equations
from realdeg.evaluation.degradation.noise import block_cosines, noise_curve, noise_level
from realdeg.evaluation.degradation.numbers import NUMBERS
from realdeg.evaluation.degradation.spectra import displacement, half_width
from realdeg.evaluation.kernel_error import align, centroid, kernel_errors
from realdeg.registry import METRICS

SIDE, SCALE = 512, 4


def scene(seed=0, side=SIDE, flat=True):
    """Draw a scene with the spectrum of photographs, grey and with a smooth half."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.fft2(rng.standard_normal((side, side)))
    axis = np.fft.fftfreq(side)
    radius = np.hypot(axis[:, None], axis) + 1 / side
    image = np.fft.ifft2(spectrum / radius).real
    image = 0.5 + 0.12 * image / image.std()
    if flat:
        image[: side // 2] = 0.5 + 0.1 * np.linspace(-1, 1, side)
    return torch.from_numpy(image.clip(0.02, 0.98)).float().expand(3, -1, -1).contiguous()


def moved(image, rows, columns):
    """Move an image by a part of a pixel through its Fourier transform, mirrored at the rim."""
    wide = torch.cat([image, image.flip(-1)], -1)
    wide = torch.cat([wide, wide.flip(-2)], -2).double()
    axes = [torch.fft.fftfreq(n, dtype=torch.float64) for n in wide.shape[-2:]]
    angle = rows * axes[0][:, None] + columns * axes[1]
    turned = torch.fft.fft2(wide) * torch.polar(torch.ones_like(angle), -2 * math.pi * angle)
    return torch.fft.ifft2(turned).real[..., : image.shape[-2], : image.shape[-1]].float()


def reduced(hr):
    return imresize(hr[None], 1 / SCALE)[0]


def blurred(hr, sigma, size=16):
    """Blur and sample at the LR pixels' centres: the transfer function is known exactly."""
    kernel = gaussian_kernel(size, sigma).float()  # even: centred between pixels, as LR is
    wide = F.pad(hr[:, None], [(size - SCALE) // 2] * 4, mode="reflect")
    return F.conv2d(wide, kernel[None, None], stride=SCALE)[:, 0]


def measured(metric, *samples):
    for index, (generated, real, hr) in enumerate(samples):
        sample = dict(key=str(index), prediction=generated, target=real, input=hr)
        metric.process(None, [sample])
    return {k.split("[")[0]: v for k, v in metric.evaluate(len(samples)).items()}


HR = scene()
LR = reduced(HR)


@pytest.mark.parametrize("kind", [SubPixelShift, ColourDrift, NoiseStatistics, Bandwidth])
def test_the_camera_itself_is_ideal(kind):
    found = measured(kind(), (LR, LR, HR))
    for name, value in found.items():
        number = NUMBERS.get(name)
        if number is not None and number.ideal != "none":
            camera = found.get(f"{name}_camera")
            far = number.distance(value, camera)
            assert far == pytest.approx(0, abs=1e-6), name


def test_the_camera_itself_has_no_kernel_error_and_no_distance():
    found = measured(EffectiveKernel(), (LR, LR, HR))
    assert max(found["kernel_error"], found["kernel_centroid"]) < 1e-9
    assert found["kernel_gain"] == pytest.approx(1, abs=5e-3)
    assert measured(PatchDistance(), (LR, LR, None))["frechet"] < 1e-6


@pytest.mark.parametrize("shift", [(-0.3, 0.1), (1.2, -0.8)])
def test_a_shift_is_found_to_a_hundredth_of_a_pixel(shift):
    textured = scene(3, flat=False)
    real = reduced(textured)
    wanted = [SCALE * part for part in shift]
    noise = torch.randn(real.shape, generator=torch.Generator().manual_seed(0)) / 255
    generated = 0.9 * reduced(moved(textured, *wanted)) + 0.04 + noise
    found = measured(SubPixelShift(), (generated, real, None))
    assert found["shift_rows"] == pytest.approx(shift[0], abs=0.01)
    assert found["shift_columns"] == pytest.approx(shift[1], abs=0.01)
    assert found["shift"] == pytest.approx(math.hypot(*shift), abs=0.015)
    # Against HR, whose pixels are other ones, too.
    luma = [255 * image[:1].double() for image in (generated, textured)]
    against = displacement(luma[0][0], luma[1][0], 32, SCALE)
    assert against == pytest.approx(shift, abs=0.015)


def test_images_without_texture_tell_no_shift(caplog):
    flat = torch.full((3, 64, 64), 0.4)
    metric = SubPixelShift()
    assert measured(metric, (flat, flat, None)) == {}
    assert "no image" in metric.missing["shift[lr-statistics]"]
    stripes = (torch.arange(64) % 8 / 8).expand(3, 64, 64)
    assert measured(SubPixelShift(), (stripes, stripes, None)) == {}


def test_drift_of_brightness_contrast_and_colour():
    generated = LR * 0.9 + 0.05
    generated[2] += 8 / 255
    found = measured(ColourDrift(), (generated, LR, None))
    assert found["gain"] == pytest.approx(0.9, abs=0.005)
    luma = (generated - LR).mean((1, 2)) @ torch.tensor([65.481, 128.553, 24.966])
    assert found["brightness"] == pytest.approx(float(luma), abs=0.1)
    chroma = (112.0 * 8 / 255, -18.214 * 8 / 255)
    assert found["colour"] == pytest.approx(math.hypot(*chroma), abs=0.1)
    assert "colour" not in measured(ColourDrift(), (LR[:1], LR, None))


@pytest.mark.parametrize("sigma", [2.0, 8.0])
def test_white_noise_is_measured(sigma):
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn((6, 3, *LR.shape[1:]), generator=generator) * sigma / 255
    metric = NoiseStatistics()
    found = measured(metric, *(((LR + field).clamp(0, 1), LR, HR) for field in noise))
    # Independent in R, G and B, and rounded to 8 bit in each; Y weighs them.
    share = math.hypot(65.481, 128.553, 24.966) / 255
    wanted = share * math.hypot(sigma, math.sqrt(1 / 12))
    assert found["noise"] == pytest.approx(wanted, rel=0.05)
    # The scene is grey: rounding errs alike in R, G and B.
    assert found["noise_camera"] == pytest.approx(219 / 255 * math.sqrt(1 / 12), abs=0.05)
    curve = metric.curves["generated"] / wanted**2
    assert curve.min() > 0.75 and curve.max() < 1.3


def test_the_spectrum_tells_correlated_noise_from_white():
    generator = torch.Generator().manual_seed(2)
    white = torch.randn(1, *LR.shape[1:], generator=generator) * 4 / 255
    taps = torch.ones(1, 1, 3, 3) / 3  # keeps the variance
    slow = F.conv2d(F.pad(white[None], (1, 1, 1, 1), mode="circular"), taps)[0]
    sides = [(LR + field).clamp(0, 1) for field in (slow, white)]
    metric = NoiseStatistics()
    found = measured(metric, (*sides, HR))
    assert found["noise"] == pytest.approx(found["noise_camera"], rel=0.1)
    assert found["noise_spectrum"] > 5
    slow_curve = metric.curves["generated"]
    assert slow_curve[0] > 4 * slow_curve[-1]


def test_noise_needs_no_flat_scene_to_be_unbiased():
    field = torch.randn(4000, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    image = field.permute(1, 0, 2).reshape(8, -1)
    power = block_cosines(image, 8, 8).square().mean(0)
    assert noise_level(power) == pytest.approx(1, rel=0.01)
    frequency, curve = noise_curve(power)
    assert frequency[-1] == 7 / 16 and (curve - 1).abs().max() < 0.1


@pytest.mark.parametrize("sigma", [2.5, 4.0])
def test_bandwidth_of_a_gaussian(sigma):
    textured = scene(5, flat=False)
    metric = Bandwidth()
    found = measured(metric, (blurred(textured, sigma, 32), blurred(textured, 1.0), textured))
    # exp(-2 (pi f sigma)^2) = 1/2, f in cycles per LR pixel.
    wanted = math.sqrt(math.log(2) / 2) / math.pi / sigma * SCALE
    assert found["bandwidth"] == pytest.approx(wanted, rel=0.04)
    assert found["bandwidth_camera"] == 0.5
    frequency = metric.curves["frequency"]
    truth = torch.exp(-2 * (math.pi * frequency * sigma / SCALE) ** 2)
    assert (metric.curves["generated"] - truth).abs().max() < 0.05
    assert found["spectrum"] > 3 and found["transfer"] > 0.2


def test_half_width():
    frequency = torch.tensor([0.1, 0.2, 0.3])
    assert half_width(frequency, torch.tensor([1.0, 0.8, 0.2])) == pytest.approx(0.25)
    assert half_width(frequency, torch.tensor([2.0, 1.9, 1.8])) == 0.5
    assert math.isnan(half_width(frequency, torch.tensor([0.0, 0.1, 0.1])))


def test_effective_kernel_is_the_kernel():
    textured = scene(6, 320, flat=False)
    generated, real = blurred(textured, 2.2), blurred(moved(textured, 0.5, 0), 3.0)
    metric = EffectiveKernel()
    found = measured(metric, (generated, real, textured))
    assert found["kernel_width"] == pytest.approx(2.2, abs=0.1)
    assert found["kernel_width_camera"] == pytest.approx(3.0, abs=0.12)
    assert found["kernel_gain"] == pytest.approx(1, abs=5e-3)
    assert found["kernel_centroid"] == pytest.approx(0.5, abs=0.05)
    assert found["kernel_second_moment"] == pytest.approx((9 - 2.2**2) * math.sqrt(2), rel=0.15)
    assert 0.2 < found["kernel_error"] < 0.7
    torch.testing.assert_close(
        kernel_widths(metric.kernels["generated"][None])[0].item(), found["kernel_width"]
    )


def test_windows_of_a_large_image_are_thinned():
    textured = scene(6, 160, flat=False)[0].double() * 255
    small = blurred(textured[None].float(), 2.0).double()
    whole = normal_equations(textured, small, SCALE, 15)
    some = normal_equations(textured, small, SCALE, 15, most=400)
    assert whole.count > 1000 > 400 >= some.count > 200
    difference = (whole.kernels() - some.kernels()).norm() / whole.kernels().norm()
    assert difference < 0.1
    with pytest.raises(DataError, match="no whole window"):
        normal_equations(textured[:12], small[:, :3], SCALE, 15)


def test_frechet_distance_of_normal_sets():
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(20000, 3, generator=generator).double()
    second = first * torch.tensor([1.0, 2.0, 1.0]) + torch.tensor([0.5, 0.0, 0.0])
    # |m|^2 + sum (s1 - s2)^2 for independent features.
    assert frechet_distance(first, second) == pytest.approx(0.25 + 1, rel=0.03)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    with pytest.raises(DataError, match="two patches"):
        frechet_distance(first[:1], second)


def test_patches_tell_what_differs():
    plain = measured(PatchDistance(), (LR, LR, None))["frechet"]
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(LR.shape, generator=generator) / 255
    worse = [
        measured(PatchDistance(), ((LR + level * noise).clamp(0, 1), LR, None))["frechet"]
        for level in (1, 3, 9)
    ]
    assert plain < worse[0] < worse[1] < worse[2]
    soft = F.avg_pool2d(F.pad(LR[None], (1, 1, 1, 1), mode="reflect"), 3, stride=1)[0]
    assert measured(PatchDistance(), (soft, LR, None))["frechet"] > worse[0]
    features = patch_features(255 * LR.double())
    assert features.shape == (15 * 15, 28) and features.isfinite().all()


def test_only_luma_is_measured_under_its_own_protocol():
    metric = PatchDistance()
    assert measured(metric, (LR[:1], LR, None)) == {}
    assert "channels='y'" in metric.missing["frechet[lr-statistics]"]
    metric = PatchDistance(protocol=dict(base="lr-statistics", channels="y"))
    assert measured(metric, (LR[:1], LR, None))["frechet"] >= 0
    assert metric.labels == ("frechet[lr-statistics,channels=y]",)


def test_what_cannot_be_measured_is_missing_with_a_reason():
    small = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0))
    for kind in (SubPixelShift, Bandwidth, NoiseStatistics, EffectiveKernel, PatchDistance):
        metric = kind()
        # One image that can be measured, one that is too small: no number of a part of the set.
        tiny = small[:, :20, :20]
        measured(metric, (LR, LR, HR), (tiny, tiny, tiny))
        if kind in (SubPixelShift, Bandwidth, PatchDistance):
            assert metric.averages == {} and all("border" in r for r in metric.missing.values())
    metric = NoiseStatistics()
    assert measured(metric, (LR, LR, None)) == {}
    assert "without its HR" in metric.missing["noise[lr-statistics]"]


def test_bad_pairs_are_refused():
    protocol = get_lr_protocol("lr-statistics")
    for generated, hr, words in (
        (LR[:, :-1], None, "generated LR is 127 x 128"),
        (LR[0], None, "wanted"),
        (LR * math.nan, None, "not finite"),
        (LR, HR[:, :-4], "no whole multiple"),
    ):
        with pytest.raises(DataError, match=words):
            prepare_lr(generated, LR, protocol, hr=hr)
    with pytest.raises(DataError, match="nothing is left"):
        prepare_lr(LR[:, :14], LR[:, :14], protocol)
    with pytest.raises(DataError, match="no target"):
        SubPixelShift().process(None, [dict(key="a", prediction=LR)])


def test_protocols():
    assert get_lr_protocol("lr-statistics").label("noise") == "noise[lr-statistics]"
    with pytest.raises(ConfigError, match="Did you mean 'lr-statistics'"):
        get_lr_protocol("lr-statistic")
    with pytest.raises(ConfigError, match="no field 'bordr'.*'border'"):
        get_lr_protocol(dict(base="lr-statistics", bordr=3))
    for change in (dict(block=9), dict(flat_share=0), dict(border=-1), dict(rounding="8bit")):
        with pytest.raises(ConfigError, match="LrProtocol: .* is .*, wanted "):
            get_lr_protocol(dict(base="lr-statistics", **change))


def test_every_metric_is_registered_and_every_number_explained():
    for kind in (
        SubPixelShift,
        ColourDrift,
        NoiseStatistics,
        Bandwidth,
        PatchDistance,
        EffectiveKernel,
    ):
        assert METRICS.require(kind.__name__) is kind
        for name in kind.numbers:
            assert name.removesuffix("_camera") in NUMBERS, name


def bell(sigma, centre=(0.0, 0.0), size=15):
    taps = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    rows, columns = (torch.exp(-((taps - c) ** 2) / (2 * sigma**2)) for c in centre)
    kernel = rows[:, None] * columns
    return (kernel / kernel.sum())[None]


def test_kernels_are_compared_after_alignment():
    errors = kernel_errors(bell(1.5, (0.7, -0.4)), bell(1.5))
    assert errors["relative_unit_sum"].item() > 0.3
    assert errors["relative_aligned"].item() < 1e-3
    first, second = align(bell(1.5, (0.7, -0.4)), bell(2.0))
    torch.testing.assert_close(centroid(first), centroid(second), atol=1e-4, rtol=0)
    assert kernel_errors(torch.zeros(1, 15, 15), bell(1.5))["relative_aligned"].isfinite().all()
