"""BlurDown: what each named kind draws, where its LR pixels lie, what it equals and refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from realdeg import create_degradation
from realdeg.degradations import Bicubic, Trace
from realdeg.degradations.blur_down import BlurDown, traced_kernel
from realdeg.degradations.blur_kinds import KINDS
from realdeg.degradations.kernel_draw import disturb
from realdeg.degradations.primitives import imresize
from realdeg.degradations.primitives.kernels import centroid, delta_kernel, make_kernel
from realdeg.errors import ConfigError, DataError
from realdeg.utils.image import as_rgb, read_image, round_to_8_bit

NARROW = {"shape": "gaussian", "size": 21, "sigma_x": 0.8}


def _hr(batch=2, size=48):
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(2))


def _position(degradation):
    """Return where LR pixel 0 lies in HR, measured on ramps along both axes."""
    size = 144
    ramp = torch.arange(size, dtype=torch.float32) / 256  # exact in float32
    across = ramp.expand(1, 1, size, size)
    found = []
    for image in (across, across.mT.contiguous()):
        lr = degradation(image, [0])[0, 0]
        line = lr.mean(0) if image is across else lr.mean(1)
        middle = len(line) // 2
        found.append(float(line[middle]) * 256 - degradation.stride * middle)
    return found


@pytest.mark.parametrize("same_size", [False, True])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_lr_pixels_lie_where_the_kind_declares(kind, scale, same_size):
    kernel = {**NARROW, "centre": KINDS[kind].kernel(scale).get("centre", 0)}
    degradation = BlurDown(scale, same_size, kind, kernel=kernel, rounding="none")
    declared = {
        "nearest": scale // 2,
        "s_fold": {"FKP": -(scale - 1) / 2, "DIV2KRK": scale / 2}.get(kind, 0),
        "bicubic": (scale - 1) / 2,
    }[KINDS[kind].reduction]
    assert degradation.offset == declared - (scale - 1) / 2 * same_size
    for position in _position(degradation):
        assert abs(position - degradation.offset) < 0.01


@pytest.mark.parametrize("order", ["blur_first", "reduce_first"])
@pytest.mark.parametrize("kind", ["s-fold", "BD", "IKC", "FKP"])
def test_an_aligned_kernel_puts_lr_onto_the_bicubic_grid(kind, order):
    kernel = {**NARROW, "centre": "aligned"}
    degradation = BlurDown(4, False, kind, kernel=kernel, order=order, rounding="none")
    assert degradation.offset == 1.5
    for position in _position(degradation):
        assert abs(position - 1.5) < 0.01


def test_half_a_pixel_is_what_nearest_costs_at_even_scales():
    assert [BlurDown(scale).offset for scale in (2, 3, 4)] == [1, 1, 2]
    assert [Bicubic(scale).offset for scale in (2, 3, 4)] == [0.5, 1, 1.5]


def _bd(image: np.ndarray) -> np.ndarray:
    """The benchmark's BD x3, written down once more: 8-bit image to 8-bit LR."""
    axis = np.arange(-3, 4)
    kernel = np.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * 1.6**2))
    kernel /= kernel.sum()
    planes = [
        ndimage.correlate(image[..., c].astype(np.float64), kernel, mode="nearest")
        for c in range(image.shape[-1])
    ]
    return np.floor(np.stack(planes, -1) + 0.5).astype(np.uint8)[1::3, 1::3]


def _check_bd(image: np.ndarray) -> None:
    hr = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    lr = BlurDown(3)(hr, [0])[0].permute(1, 2, 0)
    levels = (lr * 255).numpy()
    assert np.abs(levels - levels.round()).max() < 1e-4
    np.testing.assert_array_equal(levels.round().astype(np.uint8), _bd(image))


def test_bd_equals_the_benchmarks_script():
    _check_bd(np.random.default_rng(0).integers(0, 256, (60, 75, 3), dtype=np.uint8))


def test_bd_on_set5_equals_the_benchmarks_script_in_every_pixel(real_data):
    files = sorted((real_data / "Set5" / "HR" / "x3").glob("*.png"))
    assert len(files) == 5
    for file in files:
        image = as_rgb(read_image(file))
        height, width = (n - n % 3 for n in image.shape[:2])
        _check_bd(image[:height, :width])


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_equals_its_operations_by_scipy(kind):
    scale = 2
    degradation = BlurDown(scale, kind=kind)
    hr = _hr(1)
    trace = degradation.sample(hr, [5])[0]
    kernel = traced_kernel(trace).numpy()
    names = {
        "replicate": "nearest",
        "circular": "wrap",
        "reflect": "mirror",
        "symmetric": "reflect",
    }
    mode = names[KINDS[kind].padding]

    def blur(x):
        return np.stack([ndimage.correlate(c, kernel, mode=mode) for c in x])

    def reduce(x):
        if KINDS[kind].reduction == "bicubic":
            return imresize(torch.from_numpy(x)[None], 1 / scale)[0].numpy()
        start = {"nearest": 1, "s_fold": 0}[KINDS[kind].reduction]
        return x[:, start::scale, start::scale]

    x = hr[0].double().numpy()
    if kind == "BD":
        expected = reduce(np.floor(blur(x) * 255 + 0.5) / 255)
    elif kind == "DPSR":
        expected = blur(reduce(x))
    else:
        expected = reduce(blur(x))
    if kind == "SRMD":
        expected = np.floor(expected * 255 + 0.5) / 255
    found = degradation.replay(hr, [trace])[0].numpy()
    close = np.abs(found - expected) < 2e-6
    # In float32 a value beside a half may be rounded the other way.
    assert close.mean() > (0.999 if kind == "SRMD" else 1 - 1e-12)


@pytest.mark.parametrize("order", ["blur_first", "reduce_first"])
@pytest.mark.parametrize("reduction", ["nearest", "s_fold", "bicubic"])
def test_rounding_the_blurred_image_in_every_combination(order, reduction):
    hr = _hr(2)
    settings = {"kernel": NARROW, "order": order, "reduction": reduction}
    smooth = BlurDown(4, rounding="none", **settings)(hr, [0, 1])
    levels = BlurDown(4, rounding="blurred", **settings)(hr, [0, 1])
    assert levels.dtype == torch.float32 and not torch.equal(levels, smooth)
    # Bicubic taps after the rounding sum to 1, but some are negative.
    bound = 1.0 if (order, reduction) == ("blur_first", "bicubic") else 0.5
    torch.testing.assert_close(levels * 255, smooth * 255, atol=bound + 1e-3, rtol=0)


RANGES = {
    ("IKC", 2, "sigma_x"): (0.2, 2),
    ("IKC", 3, "sigma_x"): (0.2, 3),
    ("IKC", 4, "sigma_x"): (0.2, 4),
    ("KXNet", 3, "sigma_x"): (0.2, 3),
    ("DAN", 2, "sigma_x"): (0.2, 4),
    ("DAN-2", 4, "sigma_x"): (0.6, 5),
    ("DAN-2", 4, "sigma_y"): (0.6, 5),
    ("DAN-2", 4, "angle"): (-math.pi, math.pi),
    ("KXNet-2", 2, "sigma_y"): (0.6, 5),
    ("KXNet-2", 2, "angle"): (0, math.pi),
    ("FKP", 2, "variance_x"): (0.35, 5),
    ("FKP", 4, "variance_y"): (0.7, 10),
    ("DIV2KRK", 2, "variance_x"): (0.35, 5),
    ("DIV2KRK", 4, "variance_y"): (0.7, 10),
    ("DIV2KRK", 4, "angle"): (0, math.pi),
    ("SRMD", 4, "variance_x"): (0.1, 10),
    ("SRMD", 4, "angle"): (0, math.pi),
}


def _drawn(degradation, number=2000):
    return [degradation.sample_one((3, 8, 8), seed).params for seed in range(number)]


@pytest.mark.parametrize(("kind", "scale", "name"), RANGES)
def test_draws_follow_the_published_ranges(kind, scale, name):
    low, high = RANGES[kind, scale, name]
    values = [params["kernel"][name] for params in _drawn(BlurDown(scale, kind=kind))]
    assert stats.kstest(values, "uniform", (low, high - low)).pvalue > 1e-3


def test_arguments_of_a_kernel_are_independent_and_bounds_by_name_hold():
    records = [params["kernel"] for params in _drawn(BlurDown(2, kind="DAN-2"))]
    columns = [[record[name] for record in records] for name in ("sigma_x", "sigma_y", "angle")]
    assert abs(np.corrcoef(columns)[np.triu_indices(3, 1)]).max() < 0.08
    share = [
        (record["variance_y"] - 0.1) / (record["variance_x"] - 0.1)
        for record in (params["kernel"] for params in _drawn(BlurDown(2, kind="SRMD")))
    ]
    assert stats.kstest(share, "uniform").pvalue > 1e-3


def test_sizes_widths_and_families():
    sizes = {
        kind: [
            BlurDown(s, kind=kind).sample_one((3, 8, 8), 0).params["kernel"]["size"]
            for s in (2, 3, 4)
        ]
        for kind in ("FKP", "DAN-2", "DIV2KRK", "KXNet-2")
    }
    kernelgan = {"DIV2KRK": [11, 17, 21]}
    others = {"FKP": [11, 15, 19], "DAN-2": [11, 21, 31], "KXNet-2": [11, 15, 21]}
    assert sizes == {**kernelgan, **others}
    widths = [params["kernel"]["sigma_x"] for params in _drawn(BlurDown(2, kind="s-fold"))]
    assert set(widths) == {0.7, 1.2, 1.6, 2.0}
    assert stats.chisquare([widths.count(w) for w in sorted(set(widths))]).pvalue > 1e-3
    families = [
        NARROW,
        {"shape": "disk", "size": 9, "radius": [1, 3]},
        {"shape": "delta", "size": 3},
    ]
    mixed = BlurDown(2, kernel=families)
    shapes = [params["kernel"]["shape"] for params in _drawn(mixed, 1500)]
    assert stats.chisquare([shapes.count(f["shape"]) for f in families]).pvalue > 1e-3
    # A batch of kernels of different sizes is what its images are one by one.
    hr = _hr(8)
    lr = mixed(hr, range(8))
    for index in range(8):
        torch.testing.assert_close(lr[index : index + 1], mixed(hr[index : index + 1], [index]))


def test_draws_do_not_depend_on_the_order_in_which_a_config_names_them():
    spec = {"shape": "gaussian", "size": 9, "sigma_x": [1, 2], "sigma_y": [0.5, "sigma_x"]}
    turned = dict(reversed(spec.items()))
    hr = _hr()
    assert torch.equal(BlurDown(2, kernel=spec)(hr, [1, 2]), BlurDown(2, kernel=turned)(hr, [1, 2]))


def test_a_disturbed_kernel_is_in_its_bounds_and_replays():
    degradation = BlurDown(4, kind="DAN-2")
    trace = degradation.sample_one((3, 64, 64), 9)
    smooth = traced_kernel(Trace("BlurDown", {"kernel": trace.params["kernel"]}))
    ratio = traced_kernel(trace) / smooth
    ratio = ratio / ratio.min()
    assert 1.2 < ratio.max() <= 1.25 and abs(float(traced_kernel(trace).sum()) - 1) < 1e-12
    again = Trace.from_json(trace.to_json())
    assert torch.equal(traced_kernel(again), traced_kernel(trace))


def test_the_noise_of_div2krk_is_uniform_from_0_6_to_1_4():
    factors = []
    for seed in range(40):
        params = BlurDown(4, kind="DIV2KRK").sample_one((3, 64, 64), seed).params
        smooth = make_kernel(params["kernel"])
        noisy = disturb(smooth, params["disturbance"], params["disturbance_seed"])
        inside = smooth > 1e-12
        ratio = (noisy / smooth)[inside]
        # The sum is 1 again: what it was before is found from the smallest of some hundred factors.
        factors.append(ratio / ratio.min() * 0.6)
    values = torch.cat(factors).numpy()
    assert stats.kstest(values, "uniform", (0.6, 0.8)).statistic < 0.02
    assert stats.kstest(values, "uniform", (0.75, 0.5)).statistic > 0.1


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_kernel_of_div2krk_is_moved_back_to_its_centre(scale):
    degradation = BlurDown(scale, kind="DIV2KRK")
    moved = []
    for seed in range(100):
        trace = degradation.sample_one((3, 64, 64), seed)
        for value in centroid(traced_kernel(trace)):
            assert value == pytest.approx(scale / 2, abs=1.1e-3)
        without = {k: v for k, v in trace.params.items() if k != "recentre"}
        moved.append(abs(centroid(traced_kernel(Trace("BlurDown", without)))[0] - scale / 2))
    assert max(moved) > 0.05
    again = Trace.from_json(trace.to_json())
    assert torch.equal(traced_kernel(again), traced_kernel(trace))
    far = {**trace.params["kernel"], "centre": [30.0, 30.0]}
    with pytest.raises(DataError, match="the kernel of the trace of BlurDown"):
        traced_kernel(Trace("BlurDown", {**trace.params, "kernel": far}))


def test_the_eight_widths():
    for scale, low, high in ((2, 0.8, 1.6), (3, 1.35, 2.4), (4, 1.8, 3.2)):
        widths = [
            params["kernel"]["sigma_x"] for params in _drawn(BlurDown(scale, kind="Gaussian8"), 500)
        ]
        np.testing.assert_allclose(sorted(set(widths)), np.linspace(low, high, 8), atol=1e-4)
        assert stats.chisquare([widths.count(w) for w in set(widths)]).pvalue > 1e-3


def test_the_fkp_kernel_has_its_centroid_at_half_k_minus_s():
    for scale in (2, 3, 4):
        spec = {
            "shape": "gaussian",
            "size": 4 * scale + 3,
            "sigma_x": 0.7,
            "centre": -(scale - 1) / 2,
        }
        trace = BlurDown(scale, kind="FKP", kernel=spec).sample_one((3, 8, 8), 0)
        k = 4 * scale + 3
        row, column = centroid(traced_kernel(trace))
        assert abs(row + (k - 1) / 2 - (k - scale) / 2) < 1e-3 and abs(row - column) < 1e-9


def test_a_delta_changes_nothing_but_the_grid():
    hr = _hr()
    delta = {"shape": "delta", "size": 5}
    for reduction, start in (("s_fold", 0), ("nearest", 2)):
        degradation = BlurDown(4, kernel=delta, reduction=reduction, rounding="none")
        torch.testing.assert_close(degradation(hr, [0, 1]), hr[..., start::4, start::4])
    bicubic = BlurDown(4, True, kernel=delta, reduction="bicubic", rounding="none")
    torch.testing.assert_close(bicubic(hr, [0, 1]), Bicubic(4, True)(hr, [0, 1]))
    assert torch.equal(delta_kernel(5), traced_kernel(bicubic.sample_one((3, 8, 8), 0)))
    one = BlurDown(1, kernel=delta, rounding="none")
    torch.testing.assert_close(one(hr, [0, 1]), hr)


def test_it_is_differentiable_unless_it_rounds():
    assert not BlurDown(4).differentiable and not BlurDown(4, kind="SRMD").differentiable
    degradation = BlurDown(2, kind="DAN-2")
    assert degradation.differentiable
    hr = _hr(1, 16).requires_grad_()
    degradation(hr, [3]).sum().backward()
    assert hr.grad.abs().min() > 0
    degradation.eval()
    quick = degradation(hr.detach(), [3])
    torch.testing.assert_close(quick, degradation(hr, [3]).detach(), atol=1e-5, rtol=0)


def test_the_condition_is_the_kernel():
    degradation = BlurDown(2, kind="IKC")
    trace = degradation.sample_one((3, 8, 8), 4)
    kernel = degradation.condition(trace)["kernel"]
    assert kernel.shape == (21, 21) and kernel.dtype == torch.float32
    torch.testing.assert_close(kernel, traced_kernel(trace).float())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kernel": {**NARROW, "recentre": 1}}, "recentre is True or False, got 1"),
        ({"kind": "FPK"}, "Did you mean 'FKP'"),
        ({"order": "first"}, "order is 'first', wanted 'blur_first'"),
        ({"border": "mirror"}, "border is 'mirror', wanted 'reflect'"),
        ({"reduction": "bilinear"}, "reduction is 'bilinear', wanted 'bicubic'"),
        ({"rounding": "all"}, "rounding is 'all', wanted 'none'"),
        ({"kernel": []}, "a list of dicts that is not empty"),
        ({"kernel": ["gaussian"]}, "a list of dicts"),
        ({"kernel": {**NARROW, "size": 8}}, "even size 8"),
        ({"kernel": {**NARROW, "size": 999}}, "'size' is from 1"),
        ({"kernel": {**NARROW, "shape": "gauss"}}, "'shape' is one of"),
        ({"kernel": {**NARROW, "sigma": 2}}, "no field 'sigma'"),
        ({"kernel": {**NARROW, "sigma_x": [3, 1]}}, r"\[low, high\]"),
        ({"kernel": {**NARROW, "sigma_x": [1, 2, 3]}}, r"\[low, high\]"),
        ({"kernel": {**NARROW, "sigma_x": {"one_of": []}}}, "one_of"),
        ({"kernel": {**NARROW, "sigma_x": {"one_of": [1], "x": 2}}}, "one_of"),
        ({"kernel": {**NARROW, "sigma_x": "wide"}}, r"\[low, high\]"),
        ({"kernel": {**NARROW, "sigma_x": [0, "sigma_x"]}}, r"\[low, high\]"),
        ({"kernel": {**NARROW, "sigma_x": [0, 2]}}, "sigma_x"),
        ({"kernel": {**NARROW, "sigma_x": float("nan")}}, "is nan, wanted a number"),
        ({"kernel": {"shape": "gaussian", "size": 7}}, "sigma_x"),
        ({"kernel": {**NARROW, "disturbance": -1}}, "disturbance"),
        ({"kernel": {**NARROW, "centre": "left"}}, "centre"),
        ({"kernel": [NARROW, {**NARROW, "centre": 1}]}, "different centres"),
        ({"kernel": {"shape": "motion", "size": 9, "length": [2, 30], "angle": 0}}, "leaves"),
    ],
)
def test_settings_that_make_no_sense_are_named(arguments, words):
    with pytest.raises(ConfigError, match=words):
        BlurDown(4, **arguments)


HOSTILE = [
    {"kernel": None},
    {"kernel": {}},
    {"kernel": {**NARROW, "size": 10**9}},
    {"kernel": {**NARROW, "size": 20}},
    {"kernel": {**NARROW, "size": True}},
    {"kernel": {**NARROW, "sigma_x": float("nan")}},
    {"kernel": {**NARROW, "sigma_x": 10**400}},
    {"kernel": {**NARROW, "sigma_x": [1.0]}},
    {"kernel": {**NARROW, "sigma_x": np.ones(3)}},
    {"kernel": {**NARROW, "shape": "__import__"}},
    {"kernel": {**NARROW, "shape": ["gaussian"]}},
    {"kernel": {**NARROW, "centre": [1]}},
    {"kernel": {**NARROW, "centre": [1, float("inf")]}},
    {"kernel": [[1.0]]},
    {"disturbance": 1e9, "disturbance_seed": 1},
    {"disturbance": 0.1},
    {"disturbance": 0.1, "disturbance_seed": -1},
    {"disturbance": 0.1, "disturbance_seed": 10**40},
    {"kind": "IKC"},
    {"rounding": 3},
]


@pytest.mark.parametrize("changes", HOSTILE, ids=str)
def test_a_hostile_trace_meets_one_sentence(changes):
    degradation = BlurDown(2)
    hr = _hr(1)
    trace = degradation.sample(hr, [0])[0]
    with pytest.raises(DataError) as caught:
        degradation.replay(hr, [Trace("BlurDown", {**trace.params, **changes}, trace.size)])
    assert len(str(caught.value)) < 400


def test_images_smaller_than_the_kernel():
    for kind in KINDS:
        lr = BlurDown(2, kind=kind)(_hr(1, 4), [0])
        assert lr.shape == (1, 3, 2, 2) and torch.isfinite(lr).all()


def test_saved_and_built_again(tmp_path):
    degradation = BlurDown(4, True, "FKP", kernel=[NARROW, {**NARROW, "size": 9}])
    degradation.save(tmp_path / "d.safetensors")
    again = create_degradation(tmp_path / "d.safetensors")
    hr = _hr()
    assert torch.equal(degradation(hr, [1, 2]), again(hr, [1, 2]))
    assert "FKP" in degradation.describe()


def test_rounding_is_matlabs():
    levels = torch.tensor([-3.0, 0.5, 1.4, 254.5, 300.0], dtype=torch.float64)
    torch.testing.assert_close(
        round_to_8_bit(levels / 255) * 255,
        torch.tensor([0.0, 1.0, 1.0, 255.0, 255.0], dtype=torch.float64),
    )
