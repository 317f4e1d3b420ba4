"""What every registered degradation promises; a new one is tested by being registered."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from realdeg.degradations import Trace, build_degradation
from realdeg.errors import DataError, GeometryError, RealdegError
from tests.degradations.conftest import DISPLACED, all_names, small_config

SEEDS = [11, 2**61 + 7]


def _hr(channels: int = 3, height: int = 48, width: int = 36) -> torch.Tensor:
    return torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", all_names())
class TestContract:
    @pytest.mark.parametrize("same_size", [False, True])
    @pytest.mark.parametrize("scale", [2, 3, 4])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_both_geometries_and_colours(self, name, scale, same_size, channels):
        degradation = build_degradation(small_config(name), scale, same_size).eval()
        hr = _hr(channels)
        before = hr.clone()
        lr = degradation(hr, SEEDS)
        stride = 1 if same_size else scale
        assert lr.shape == (2, channels, 48 // stride, 36 // stride)
        assert lr.dtype == torch.float32 and torch.isfinite(lr).all()
        assert torch.equal(hr, before)
        if name not in DISPLACED:
            assert degradation.offset == (stride - 1) / 2

    @pytest.mark.parametrize("same_size", [False, True])
    def test_a_trace_written_to_json_replays_to_the_bit(self, name, same_size):
        degradation = build_degradation(small_config(name), 2, same_size).eval()
        hr = _hr()
        traces = degradation.sample(hr, SEEDS)
        lr = degradation.replay(hr, traces)
        read = [Trace.from_json(trace.to_json()) for trace in traces]
        assert torch.equal(lr, degradation.replay(hr, read))
        assert torch.equal(lr, degradation(hr, SEEDS))
        assert all(len(trace.to_json()) < 20_000 for trace in traces)
        assert all(trace.in_words() for trace in traces)

    def test_an_image_does_not_depend_on_its_batch(self, name):
        degradation = build_degradation(small_config(name), 2, False).eval()
        hr = _hr()
        together = degradation(hr, SEEDS)
        alone = degradation(hr[1:], SEEDS[1:])
        torch.testing.assert_close(together[1:], alone, atol=1e-6, rtol=0)

    def test_seeds_come_from_torch_when_none_are_given(self, name):
        degradation = build_degradation(small_config(name), 2, False).eval()
        hr = _hr()
        torch.manual_seed(5)
        first = degradation(hr)
        torch.manual_seed(5)
        assert torch.equal(first, degradation(hr))

    def test_gradient_reaches_hr_where_it_is_promised(self, name):
        degradation = build_degradation(small_config(name), 2, False)
        if not degradation.differentiable:
            pytest.skip(f"{name} says that it is not differentiable")
        hr = _hr().requires_grad_()
        degradation(hr, SEEDS).square().sum().backward()
        assert hr.grad is not None and hr.grad.abs().sum() > 0

    def test_gradient_reaches_every_parameter(self, name):
        degradation = build_degradation(small_config(name), 2, False)
        if degradation.fitting != "gradient":
            pytest.skip(f"{name} is not learned by gradient descent")
        degradation(_hr(), SEEDS).square().sum().backward()
        missing = [n for n, p in degradation.named_parameters() if p.grad is None]
        assert not missing

    def test_the_file_alone_rebuilds_it(self, name, tmp_path):
        degradation = build_degradation(small_config(name), 2, True).eval()
        path = tmp_path / "degradation.safetensors"
        digest = degradation.save(path, {"note": "x"})
        again = build_degradation(str(path))
        assert again.is_trained and (again.scale, again.same_size) == (2, True)
        hr = _hr()
        assert torch.equal(degradation(hr, SEEDS), again(hr, SEEDS))
        assert degradation.hash() == again.hash() == digest
        with pytest.raises(GeometryError, match="scale 2"):
            build_degradation(str(path), scale=4)

    def test_state_dict_round_trip(self, name):
        degradation = build_degradation(small_config(name), 2, True).eval()
        other = build_degradation(small_config(name), 2, True).eval()
        other.load_state_dict(degradation.state_dict())
        hr = _hr()
        assert torch.equal(degradation(hr, SEEDS), other(hr, SEEDS))

    def test_bad_input_is_named(self, name):
        degradation = build_degradation(small_config(name), 4, False)
        with pytest.raises(GeometryError, match="does not divide by 4"):
            degradation(_hr(height=46), SEEDS)
        with pytest.raises(DataError, match="C = 1 or 3"):
            degradation.sample(_hr(channels=4), SEEDS)
        with pytest.raises(DataError, match="3 seeds"):
            degradation.sample(_hr(), [1, 2, 3])
        traces = degradation.sample(_hr(), SEEDS)
        with pytest.raises(DataError, match="traces were given"):
            degradation.replay(_hr(), traces[:1])
        with pytest.raises(DataError, match="cannot be replayed"):
            degradation.replay(_hr(), [Trace("Stranger", {}, trace.size) for trace in traces])
        with pytest.raises(DataError, match="pixels cannot be replayed"):
            degradation.replay(_hr(height=24), traces)
        with pytest.raises(RealdegError, match="scale is an integer"):
            build_degradation(small_config(name), 0, False)

    def test_empty_batch(self, name):
        degradation = build_degradation(small_config(name), 2, False).eval()
        assert degradation(_hr()[:0], []).shape == (0, 3, 24, 18)


def test_replay_in_another_process_is_equal_to_the_bit(tmp_path):
    """One process writes, another reads and replays: same build, same thread count."""
    degradation = build_degradation(small_config("Compose"), 2, False).eval()
    path = tmp_path / "d.safetensors"
    degradation.save(path)
    degradation = build_degradation(str(path))
    hr = _hr()
    threads = torch.get_num_threads()
    lr = degradation(hr, SEEDS)
    record = [trace.to_json() for trace in degradation.sample(hr, SEEDS)]
    (tmp_path / "traces.json").write_text(json.dumps(record))
    program = (
        "import json, sys, torch\n"
        "from realdeg.degradations import Trace, build_degradation\n"
        "torch.set_num_threads(int(sys.argv[2]))\n"
        "hr = torch.rand(2, 3, 48, 36, generator=torch.Generator().manual_seed(3))\n"
        "traces = [Trace.from_json(t) for t in json.load(open(sys.argv[1] + '/traces.json'))]\n"
        "lr = build_degradation(sys.argv[1] + '/d.safetensors').replay(hr, traces)\n"
        "torch.save(lr, sys.argv[1] + '/lr.pt')\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path), str(threads)], check=True)
    assert torch.equal(lr, torch.load(tmp_path / "lr.pt", weights_only=True))


@pytest.mark.parametrize("name", ["Bicubic", "BSRGAN", "SRMD", "KernelPool", "CameraISP"])
def test_numbers_of_another_range_are_named(name):
    degradation = build_degradation(name, scale=4)
    image = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    with pytest.raises(DataError, match="floating-point images in .0, 1., got torch.uint8"):
        degradation((image * 255).byte(), [1])
    with pytest.raises(DataError, match="found values from 0.*: divide by 255"):
        degradation(image * 255, [1])
    broken = image.clone()
    broken[0, 0, 3, 3] = float("nan")
    with pytest.raises(DataError, match="NaN"):
        degradation(broken, [1])
    # Interpolation overshoots: that is no mistake.
    assert degradation(image * 1.2 - 0.1, [1]).isfinite().all()


def test_apply_is_the_modules_and_the_former_name_of_replay():
    degradation, hr = build_degradation("Bicubic", scale=4), _hr()
    seen = []
    assert degradation.apply(seen.append) is degradation and seen == [degradation]
    traces = degradation.sample(hr, SEEDS)
    with pytest.warns(DeprecationWarning, match=r"use Degradation\.replay\(hr, traces\)"):
        lr = degradation.apply(hr, traces)
    assert torch.equal(lr, degradation.replay(hr, traces))
