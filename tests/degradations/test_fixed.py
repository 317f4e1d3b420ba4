"""GlobalKernel, AWGN, Compose, Bicubic and building."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from realdeg import create_degradation
from realdeg.degradations import AWGN, JPEG, Bicubic, Compose, GlobalKernel, NoisePool, Trace
from realdeg.degradations.primitives import imresize
from realdeg.errors import CheckpointError, ConfigError, DataError, GeometryError
from realdeg.ops import kernel_apply
from realdeg.utils.component import save_component
from realdeg.utils.scales import divides


@pytest.mark.parametrize(("scale", "same_size"), [(4, True), (2, False), (3, False), (4, False)])
def test_global_kernel_finds_the_true_kernel(scale, same_size):
    generator = torch.Generator().manual_seed(0)
    degradation = GlobalKernel(scale, same_size, kernel_size=7)
    truth = torch.rand(1, 7, 7, generator=generator)
    stride = degradation.stride
    for _ in range(3):
        hr = torch.rand(1, 1, 60, 48, generator=generator)
        ones = torch.ones(1, 1, 60 // stride, 48 // stride)
        degradation.accumulate(hr, kernel_apply(hr, ones, truth, stride))
    degradation.solve()
    torch.testing.assert_close(degradation.kernel.data, truth[0], atol=1e-5, rtol=0)
    assert degradation.is_trained


def test_global_kernel_is_the_least_squares_solution():
    """Against an independent float64 solver on the very windows."""
    rng = np.random.default_rng(0)
    hr, lr = rng.random((30, 26)), rng.random((30, 26))
    degradation = GlobalKernel(same_size=True, kernel_size=3)
    degradation.accumulate(torch.tensor(hr)[None, None], torch.tensor(lr)[None, None])
    degradation.solve()
    windows = np.lib.stride_tricks.sliding_window_view(hr, (3, 3)).reshape(-1, 9)
    expected, *_ = np.linalg.lstsq(windows, lr[1:-1, 1:-1].ravel(), rcond=None)
    np.testing.assert_allclose(degradation.kernel.data.numpy().ravel(), expected, atol=1e-6)


def test_global_kernel_refuses_what_does_not_fit():
    degradation = GlobalKernel(same_size=True, kernel_size=5)
    with pytest.raises(DataError, match="no pairs"):
        degradation.solve()
    flat = torch.full((1, 1, 20, 20), 0.5)
    with pytest.raises(GeometryError, match="no whole"):
        degradation.accumulate(flat[..., :4, :4], flat[..., :4, :4])
    with pytest.raises(GeometryError, match="cannot be fitted"):
        degradation.accumulate(flat, flat[..., :10, :])


@pytest.mark.parametrize(
    ("scene", "rank"),
    [("black", 0), ("grey", 1), ("stripes", 5), ("ramp", 2)],
)
def test_global_kernel_refuses_pairs_without_texture(scene, rank):
    """Black pairs once gave a box kernel and "psnr inf"."""
    stripes = torch.rand(1, 1, 1, 40, generator=torch.Generator().manual_seed(0))
    images = {
        "black": torch.zeros(1, 1, 40, 40),
        "grey": torch.full((1, 1, 40, 40), 0.5),
        "stripes": stripes.expand(1, 1, 40, 40),
        "ramp": torch.linspace(0, 1, 40).expand(1, 1, 40, 40),
    }
    degradation = GlobalKernel(same_size=True, kernel_size=5)
    degradation.accumulate(images[scene], images[scene])
    before = degradation.kernel.detach().clone()
    with pytest.raises(DataError, match=f"too little texture .* tell {rank} of its 25 taps"):
        degradation.solve()
    assert torch.equal(degradation.kernel, before) and not degradation.is_trained
    # A little of a textured picture is enough.
    rounded = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(1))
    degradation.accumulate(rounded, rounded)
    assert degradation.solve() > 1
    assert float(degradation.kernel[2, 2]) == pytest.approx(1, abs=1e-5)


def test_noise_is_white_gaussian_of_the_stated_sigma():
    hr = torch.full((2, 3, 128, 128), 0.5)
    noise = (AWGN(1, sigma=5)(hr, [1, 2]) - hr).double() * 255
    assert abs(float(noise.std()) - 5) < 0.05 and abs(float(noise.mean())) < 0.05
    sample = noise.flatten().numpy()[::7]
    assert stats.kstest(sample / 5, "norm").pvalue > 1e-3
    image = noise[0, 0]
    for shifted in (noise[0, 1], noise[1, 0], image.roll(1, 0), image.roll(1, 1)):
        correlation = float((image * shifted).mean() / 25)
        assert abs(correlation) < 5 / 128


def test_noise_depends_on_the_seed_alone():
    hr = torch.full((2, 1, 16, 16), 0.5)
    awgn = AWGN(1)
    assert torch.equal(*awgn(hr, [7, 7]))
    first, second = awgn(hr, [7, 8])
    assert not torch.equal(first, second)
    assert torch.equal(awgn(hr, [8, 7])[1], first)
    assert awgn.condition(awgn.sample(hr, [1, 2])[0]) == {"noise_level": 5 / 255}


def test_clipping_is_an_argument():
    white = torch.ones(1, 1, 32, 32)
    assert AWGN(1, clip=True)(white, [0]).max() <= 1
    # Luma has a level of its own, which the trace tells.
    noisy = AWGN(1, sigma=8, luma=2, clip=False)
    for channels, level in ((1, 2.0), (3, 8.0)):
        flat = torch.full((1, channels, 64, 64), 0.5)
        (trace,) = noisy.sample(flat, [3])
        assert trace.params["sigma"] == level
        assert float(noisy.replay(flat, [trace]).std() * 255) == pytest.approx(level, rel=0.05)
    assert AWGN(1, clip=False)(white, [0]).max() > 1
    with pytest.raises(ConfigError, match="sigma"):
        AWGN(sigma=-1)
    traces = AWGN(1).sample(white, [0])
    hostile = Trace("AWGN", {**traces[0].params, "sigma": 1e9}, traces[0].size)
    with pytest.raises(DataError, match="'sigma' is 1000000000.0, wanted a number from 0 to 255"):
        AWGN(1).replay(white, [hostile])
    with pytest.raises(DataError, match="lacks 'noise_seed'"):
        params = {k: v for k, v in traces[0].params.items() if k != "noise_seed"}
        AWGN(1).replay(white, [Trace("AWGN", params, traces[0].size)])


def test_same_size_bicubic_comes_back_to_the_hr_grid():
    hr = torch.rand(1, 3, 24, 36)
    expected = imresize(imresize(hr, 1 / 3), size=(24, 36))
    torch.testing.assert_close(Bicubic(3, True)(hr, [0]), expected)
    assert torch.equal(Bicubic(1)(hr, [0]), hr)


@pytest.mark.parametrize("scale", [1, 1.5, 2, 2.37, 3, 4, 8])
@pytest.mark.parametrize("same_size", [False, True])
def test_border_of_bicubic_is_what_the_rim_changes(scale, same_size):
    """Every side from 20 small pixels on: on the HR grid the scale need not divide it."""
    reached = 0
    for side in range(int(20 * scale), int(22 * scale) + 2):
        if not same_size and not divides(side, scale):
            continue
        hr = torch.rand(1, 1, side, side, dtype=torch.float64)
        ways = [Bicubic(scale, same_size, padding=p)(hr, [0]) for p in ("symmetric", "replicate")]
        changed = ((ways[0] - ways[1]).abs() > 1e-12)[0, 0]
        line = changed[:, changed.shape[0] // 2].nonzero().flatten()
        near, far = line[line < len(changed) / 2], line[line >= len(changed) / 2]
        if len(line):
            reached = max(reached, int(near.max()) + 1, len(changed) - int(far.min()))
    border = Bicubic(scale, same_size).border
    # Not much more than needed either.
    assert reached <= border <= reached + (1.5 * scale + 1 if same_size else 1)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("same_size", [False, True])
def test_within_its_border_a_tile_of_bicubic_is_the_whole(scale, same_size):
    hr = torch.rand(2, 3, 32 * scale, 30 * scale)
    degradation = Bicubic(scale, same_size)
    top, left, side = 5 * scale, 3 * scale, 20 * scale
    tile = degradation(hr[..., top : top + side, left : left + side], [0, 0])
    rim, stride = degradation.border, degradation.stride
    top, left, side = top // stride + rim, left // stride + rim, side // stride - 2 * rim
    inside = degradation(hr, [0, 0])[..., top : top + side, left : left + side]
    assert inside.numel() > 0
    torch.testing.assert_close(tile[..., rim:-rim, rim:-rim], inside)


def test_noise_on_a_reduced_image_has_the_border_of_the_reduction():
    for same_size in (False, True):
        assert AWGN(4, same_size).border == Bicubic(4, same_size).border > 0
        assert NoisePool(4, same_size).border == Bicubic(4, same_size).border
        assert JPEG(4, same_size).border > Bicubic(4, same_size).border
    assert AWGN(1).border == NoisePool(1).border == 0


def test_compose_gives_the_scale_to_the_part_that_shrinks():
    noise, bicubic = {"type": "AWGN"}, {"type": "Bicubic"}
    composed = Compose([noise, bicubic, noise], scale=3)
    assert [part.scale for part in composed.parts] == [1, 3, 1]
    assert [part.scale for part in Compose([noise, noise], scale=2).parts] == [2, 1]
    twice = [{"type": "Bicubic", "scale": 2}, {"type": "Bicubic", "scale": 2}]
    assert Compose(twice, scale=4).border == 3
    with pytest.raises(ConfigError, match="shrink 4 times"):
        Compose(twice, scale=2)
    with pytest.raises(ConfigError, match="degradations that is not empty"):
        Compose([])


def test_compose_parts_have_streams_of_their_own():
    composed = Compose([{"type": "AWGN"}, {"type": "AWGN"}], scale=1)
    trace = composed.sample(torch.rand(1, 1, 8, 8), [3])[0]
    assert trace.parts[0].params["noise_seed"] != trace.parts[1].params["noise_seed"]


def test_compose_needs_no_other_file_once_it_is_saved(tmp_path):
    inner = tmp_path / "inner.safetensors"
    create_degradation({"type": "DirectNet", "width": 2, "levels": 1}, 2, True).save(inner)
    composed = create_degradation(
        {"type": "Compose", "parts": [{"checkpoint": str(inner)}, {"type": "AWGN"}]}, 2, True
    )
    assert composed.is_trained
    composed.save(tmp_path / "all.safetensors")
    inner.unlink()
    again = create_degradation(tmp_path / "all.safetensors")
    hr = torch.rand(1, 3, 16, 16)
    assert torch.equal(composed(hr, [5]), again(hr, [5]))


def test_traces_of_other_weights_are_refused():
    one, other = (create_degradation({"type": "DirectNet", "width": 2}, 2, True) for _ in "ab")
    hr = torch.rand(1, 1, 16, 16)
    with pytest.raises(DataError, match="weights"):
        other.replay(hr, one.sample(hr, [0]))


def test_building_names_what_is_wrong(tmp_path):
    with pytest.raises(ConfigError, match=r"'DMLL'.*searched.*Did you mean 'DML'"):
        create_degradation({"type": "DMLL"})
    with pytest.raises(ConfigError, match=r"'num_kernel'.*Did you mean 'num_kernels'"):
        create_degradation({"type": "DML", "num_kernel": 4})
    with pytest.raises(ConfigError, match="no other keys"):
        create_degradation({"checkpoint": "x.safetensors", "width": 3})
    with pytest.raises(ConfigError, match="'type' or a 'checkpoint'"):
        create_degradation({})
    with pytest.raises(CheckpointError, match="does not exist"):
        create_degradation(str(tmp_path / "none.safetensors"))
    path = tmp_path / "b.safetensors"
    save_component(path, torch.nn.Conv2d(1, 1, 1), kind="backbone", type="X", arguments={})
    with pytest.raises(CheckpointError, match="holds a backbone"):
        create_degradation(path)
    given = Bicubic(4)
    assert create_degradation(given) is given
    with pytest.raises(GeometryError, match="scale=4, and scale=2 is asked for"):
        create_degradation(given, scale=2)
    assert isinstance(create_degradation("Bicubic", 2), Bicubic)
