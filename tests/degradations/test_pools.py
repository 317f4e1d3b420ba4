"""Pool files, and the degradations that draw from them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from realdeg import create_degradation
from realdeg.degradations import Trace
from realdeg.degradations.kernel_pool import KernelPool, gaussian_pool
from realdeg.degradations.noise_pool import NoisePool, gaussian_noise_pool, lay_patches
from realdeg.degradations.pool import POOL_FORMAT, Pool, load_pool, merge_pools
from realdeg.degradations.primitives import gaussian_kernel
from realdeg.errors import ConfigError, DataError, GeometryError


def _kernels(count: int = 3, size: int = 5, scale: int = 2, same_size: bool = False) -> Pool:
    items = torch.rand(count, size, size, generator=torch.Generator().manual_seed(1))
    items = items / items.sum((1, 2), keepdim=True)
    records = tuple({"photo": f"p{n}"} for n in range(count))
    return Pool("kernels", items, scale, same_size, {"source": "test"}, records)


def _noise(count: int = 40, side: int = 16, channels: int = 3) -> Pool:
    generator = torch.Generator().manual_seed(2)
    sigma = torch.linspace(1, 4, count)[torch.randperm(count, generator=generator)]
    items = torch.randn(count, channels, side, side, generator=generator)
    return Pool("noise", items * sigma.view(-1, 1, 1, 1) / 255, meta={"source": "test"})


class TestPoolFile:
    def test_round_trip(self, tmp_path):
        for pool in (_kernels(), _noise()):
            digest = pool.save(tmp_path / "pool.safetensors")
            again = load_pool(tmp_path / "pool.safetensors", pool.kind)
            assert torch.equal(again.items, pool.items)
            assert again.hash == digest == pool.hash
            assert (again.scale, again.same_size, again.kind) == (
                pool.scale,
                pool.same_size,
                pool.kind,
            )
            assert dict(again.meta) == dict(pool.meta) and again.records == pool.records
            assert str(len(pool)) in again.describe()

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"items": torch.zeros(0, 5, 5)}, "is empty"),
            ({"items": torch.full((2, 5, 5), 0.3)}, "sums to 7.5"),
            ({"items": torch.full((2, 5, 4), 0.05)}, r"\(N, k, k\)"),
            ({"items": torch.full((1, 5, 5), float("nan"))}, "not finite"),
            ({"items": torch.full((1, 65, 65), 65.0**-2)}, "up to 63"),
            ({"kind": "shapes"}, "kernels or noise"),
            ({"scale": 0}, "positive integer"),
            ({"records": ({},)}, "1 records"),
        ],
    )
    def test_what_is_no_pool_is_refused(self, change, match):
        sound = {"kind": "kernels", "items": _kernels(2).items, "scale": 2}
        with pytest.raises(DataError, match=match):
            Pool(**{**sound, **change})

    def test_noise_of_wrong_channels_or_size_is_refused(self):
        with pytest.raises(DataError, match="1 or 3 channels"):
            Pool("noise", torch.zeros(1, 2, 8, 8))
        with pytest.raises(DataError, match="between -1 and 1"):
            Pool("noise", torch.full((1, 1, 8, 8), 5.0))

    def test_damaged_files_give_one_sentence(self, tmp_path):
        path = tmp_path / "pool.safetensors"
        with pytest.raises(DataError, match="does not exist"):
            load_pool(path)
        path.write_bytes(b"")
        with pytest.raises(DataError, match="cannot be read"):
            load_pool(path)
        _kernels().save(path)
        path.write_bytes(path.read_bytes()[:-40])
        with pytest.raises(DataError, match="cannot be read"):
            load_pool(path)
        save_file({"items": torch.zeros(1, 3, 3)}, path)
        with pytest.raises(DataError, match="is not a pool"):
            load_pool(path)
        _kernels().save(path)
        with pytest.raises(DataError, match="wanted one of noise"):
            load_pool(path, "noise")

    def test_altered_or_hostile_headers_are_refused(self, tmp_path):
        path = tmp_path / "pool.safetensors"
        pool = _kernels()
        sound = {
            "format": POOL_FORMAT,
            "kind": "kernels",
            "scale": "2",
            "same_size": "false",
            "meta": "{}",
            "records": "[]",
            "hash": pool.hash,
        }
        save_file({"items": pool.items}, path, metadata=sound)
        assert load_pool(path).hash == pool.hash
        for change, match in (
            ({"scale": "3"}, "altered"),
            ({"scale": "[" * 100}, "damaged"),
            ({"meta": "[1]"}, "damaged"),
            ({"records": "5"}, "damaged"),
            ({"hash": "0" * 16}, "altered"),
            ({"kind": "noise"}, "cannot be used"),
        ):
            save_file({"items": pool.items}, path, metadata={**sound, **change})
            with pytest.raises(DataError, match=match):
                load_pool(path)

    def test_merging(self):
        merged = merge_pools([_kernels(3), _kernels(2)])
        assert len(merged) == 5 == len(merged.records)
        assert torch.equal(merged.items[3:], _kernels(2).items)
        with pytest.raises(DataError, match="cannot be merged"):
            merge_pools([_kernels(), _kernels(scale=4)])
        with pytest.raises(DataError, match="no pool"):
            merge_pools([])


def _correlate(hr: torch.Tensor, kernel: torch.Tensor, row: int, column: int, stride: int) -> float:
    """The definition: one LR pixel of a plane, from the window that starts as documented."""
    size = kernel.shape[0]
    top, left = (stride * n + math.floor((stride - size) / 2) for n in (row, column))
    window = hr[top : top + size, left : left + size]
    return float((window.double() * kernel.double()).sum())


class TestKernelPool:
    def test_a_pixel_is_the_correlation_with_the_drawn_kernel(self):
        pool = _kernels(size=7)
        degradation = KernelPool(2, False, pool)
        hr = torch.rand(1, 3, 40, 32)
        (trace,) = degradation.sample(hr, [5])
        lr = degradation.replay(hr, [trace])
        kernel = pool.items[trace.params["index"]]
        wanted = _correlate(hr[0, 1], kernel, 8, 6, 2)
        assert lr[0, 1, 8, 6] == pytest.approx(wanted, abs=1e-6)
        assert torch.equal(degradation.condition(trace)["kernel"], kernel)

    @pytest.mark.parametrize("scale", [2, 3, 4])
    @pytest.mark.parametrize("size", [7, 8])
    @pytest.mark.parametrize("pool_same", [False, True])
    @pytest.mark.parametrize("same_size", [False, True])
    def test_lr_is_where_the_offset_says(self, scale, size, pool_same, same_size):
        """A ramp goes through a blur unchanged: its value is the place of each LR pixel."""
        stride = 1 if pool_same else scale
        rest = (stride - size) / 2 - (stride - size) // 2
        kernel = gaussian_kernel(size, 1.0, centre=(rest, rest))
        degradation = KernelPool(scale, same_size, Pool("kernels", kernel[None], scale, pool_same))
        side = 24 * scale
        ramp = torch.arange(side).float().div(100).expand(1, 1, side, side)
        lr = degradation(ramp, [1])
        grid = 1 if same_size else scale
        middle = lr[0, 0, lr.shape[2] // 2, lr.shape[3] // 2] * 100
        wanted = grid * (lr.shape[3] // 2) + degradation.offset
        # A Gaussian cut to 7 pixels is symmetric only about its middle, not half a pixel beside.
        tolerance = 0.01 if rest == 0 else 0.02
        assert float(middle) == pytest.approx(wanted, abs=tolerance)

    def test_kernels_are_drawn_uniformly(self):
        degradation = KernelPool(2, False, _kernels(4))
        drawn = [degradation.sample_one((3, 8, 8), seed).params["index"] for seed in range(4000)]
        counts = np.bincount(drawn, minlength=4)
        # Chi-square with 3 degrees of freedom is below 16.3 with probability 0.999.
        assert float(((counts - 1000) ** 2 / 1000).sum()) < 16.3

    def test_a_trace_needs_no_pool(self):
        hr = torch.rand(1, 3, 24, 24)
        first = KernelPool(2, False, _kernels())
        traces = first.sample(hr, [9])
        other = KernelPool(2, False)
        read = [Trace.from_json(trace.to_json()) for trace in traces]
        assert torch.equal(first.replay(hr, traces), other.replay(hr, read))

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("kernel", np.full((3, 3), np.inf, np.float32)),
            ("kernel", np.full((3, 4), 0.1, np.float32)),
            ("kernel", np.full((3, 3), 1e9, np.float32)),
            ("kernel", np.full((3, 3), 1, np.int64)),
            ("kernel", np.zeros((200, 200), np.float32)),
            ("kernel", "__import__('os')"),
            ("stride", 0),
            ("stride", 1),
            ("stride", 10**9),
            ("stride", True),
        ],
    )
    def test_hostile_traces(self, field, value):
        degradation = KernelPool(2, False, _kernels())
        hr = torch.rand(1, 3, 24, 24)
        (trace,) = degradation.sample(hr, [1])
        bad = Trace(trace.type, {**trace.params, field: value}, trace.size)
        with pytest.raises(DataError):
            degradation.replay(hr, [bad])

    def test_wrong_pools_and_images_are_named(self, tmp_path):
        with pytest.raises(GeometryError, match="kernels of scale 2, asked for is scale 4"):
            KernelPool(4, False, _kernels(scale=2))
        with pytest.raises(ConfigError, match="a pool of kernels"):
            KernelPool(2, False, _noise())
        with pytest.raises(DataError, match="does not exist"):
            KernelPool(2, False, str(tmp_path / "none.safetensors"))
        with pytest.raises(ConfigError, match="padding is 'mirror', wanted 'reflect'"):
            KernelPool(2, False, padding="mirror")
        with pytest.raises(GeometryError, match="too small for the reflect padding"):
            KernelPool(2)(torch.rand(1, 3, 8, 8), [1])
        assert KernelPool(2, padding="replicate")(torch.rand(1, 3, 8, 8), [1]).shape[2:] == (4, 4)

    def test_the_stand_in_is_what_it_says(self):
        pool = gaussian_pool(4, False, count=64)
        assert pool.items.shape == (64, 25, 25)
        axis = torch.arange(25).double() - 12.5  # rest of half a pixel for k = 25, s = 4
        rows = (pool.items.double().sum(2) * axis.square()).sum(1)
        assert rows.min() > 0.175 * 4 - 0.02 and rows.max() < 2.5 * 4 + 0.02
        assert "stand-in" in KernelPool(4).describe()


class TestNoisePool:
    def test_a_small_image_gets_a_crop_of_the_patch(self):
        pool = _noise()
        degradation = NoisePool(1, False, pool, clip=False)
        hr = torch.full((1, 3, 9, 12), 0.5)
        (trace,) = degradation.sample(hr, [3])
        noise = (degradation.replay(hr, [trace]) - hr)[0]
        patch = pool.items[trace.params["patch"]].float()
        found = False
        for flipped in (patch, patch.flip(1), patch.flip(2), patch.flip(1, 2)):
            windows = flipped.unfold(1, 9, 1).unfold(2, 12, 1)
            off = (windows - noise[:, None, None]).abs().amax((0, 3, 4))
            found = found or float(off.min()) < 1e-6
        assert found

    def test_a_large_image_has_the_patches_variance_without_seams(self):
        rng = np.random.default_rng(4)
        patches = rng.standard_normal((400, 1, 16, 16))
        similar = np.arange(400)
        fields = [lay_patches(patches, 0, similar, 61, 83, rng)[0] for _ in range(200)]
        variance = np.stack(fields).var(0)
        # 200 independent values: the variance's own deviation is 0.1; 61 x 83 places.
        assert abs(variance.mean() - 1) < 0.03
        assert variance.min() > 0.55 and variance.max() < 1.6

    def test_one_image_has_one_noise_level(self):
        pool = _noise()
        degradation = NoisePool(1, False, pool, clip=False)
        hr = torch.full((1, 3, 120, 120), 0.5)
        for seed in range(4):
            (trace,) = degradation.sample(hr, [seed])
            noise = degradation.replay(hr, [trace]) - hr
            level = degradation.condition(trace)["noise_level"]
            # Its 17 neighbours among 40 patches of 1 to 4 levels: at most 1.3 levels away.
            assert abs(float(noise.std()) - level) * 255 < 1.3

    def test_luma_and_grey(self):
        colour, grey = _noise(), _noise(channels=1)
        hr = torch.full((1, 1, 8, 8), 0.5)
        field = NoisePool(1, False, colour, clip=False)(hr, [1]) - hr
        rgb = NoisePool(1, False, colour, clip=False)(hr.expand(1, 3, 8, 8), [1]) - hr
        luma = (torch.tensor([65.481, 128.553, 24.966]).view(3, 1, 1) * rgb[0]).sum(0) / 255
        torch.testing.assert_close(field[0, 0], luma, atol=1e-6, rtol=0)
        three = NoisePool(1, False, grey, clip=False)(hr.expand(1, 3, 8, 8), [1])
        assert torch.equal(three[:, 0], three[:, 2])

    def test_strength(self):
        hr = torch.full((1, 3, 8, 8), 0.5)
        once = NoisePool(1, False, _noise(), 1.0, False)(hr, [1]) - hr
        twice = NoisePool(1, False, _noise(), 2.0, False)(hr, [1]) - hr
        torch.testing.assert_close(twice, 2 * once, atol=1e-6, rtol=0)
        with pytest.raises(ConfigError, match="strength"):
            NoisePool(strength=-1)

    def test_a_trace_of_another_pool_is_refused(self):
        hr = torch.rand(1, 3, 8, 8)
        traces = NoisePool(1, False, _noise()).sample(hr, [1])
        with pytest.raises(DataError, match="says pool"):
            NoisePool(1).replay(hr, traces)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("patch", -1),
            ("patch", 40),
            ("patch", 1.5),
            ("patch", None),
            ("noise_seed", -1),
            ("noise_seed", 1 << 80),
            ("noise_seed", "x"),
        ],
    )
    def test_hostile_traces(self, field, value):
        degradation = NoisePool(1, False, _noise())
        hr = torch.rand(1, 3, 8, 8)
        (trace,) = degradation.sample(hr, [1])
        bad = Trace(trace.type, {**trace.params, field: value}, trace.size)
        with pytest.raises(DataError):
            degradation.replay(hr, [bad])

    def test_the_stand_in_is_the_same_everywhere(self):
        pool = gaussian_noise_pool()
        assert pool.hash == gaussian_noise_pool().hash
        levels = pool.items.float().flatten(1).std(1) * 255
        np.testing.assert_allclose(levels, np.linspace(1, 8, 64), rtol=0.06)


@pytest.mark.parametrize("kind", [KernelPool, NoisePool])
class TestBoth:
    def _pool(self, kind):
        return _kernels() if kind is KernelPool else _noise()

    def test_the_file_alone_rebuilds_it(self, kind, tmp_path):
        self._pool(kind).save(tmp_path / "pool.safetensors")
        first = create_degradation(
            {"type": kind.__name__, "scale": 2, "pool": str(tmp_path / "pool.safetensors")}
        )
        first.save(tmp_path / "degradation.safetensors")
        (tmp_path / "pool.safetensors").unlink()
        again = create_degradation(str(tmp_path / "degradation.safetensors"))
        hr = torch.rand(1, 3, 24, 24)
        assert torch.equal(first(hr, [4]), again(hr, [4]))
        assert again.pool_hash == first.pool_hash == self._pool(kind).hash

    def test_half_precision_around_it_does_not_round_the_pool(self, kind):
        degradation = kind(2, False, self._pool(kind))
        before = degradation.pool_items.clone()
        degradation.half()
        assert degradation.pool_items.dtype == before.dtype
        assert torch.equal(degradation.pool_items, before)

    def test_a_pool_that_was_never_loaded_is_refused(self, kind):
        arguments = kind(2, False, self._pool(kind)).arguments
        json.dumps(arguments)  # plain data
        empty = kind(**arguments)
        with pytest.raises(DataError, match="never loaded"):
            empty.sample_one((3, 8, 8), 1)
        for shape in ([], [1 << 40, 3, 3], [2, 3, 4], [4, 3, 1 << 30, 1 << 30]):
            with pytest.raises(DataError, match="not the shape"):
                kind(2, False, {**arguments["pool"], "shape": shape})
        with pytest.raises(ConfigError, match="path of a pool file"):
            kind(2, False, {"path": "x"})


@pytest.mark.parametrize(
    ("key", "value"),
    [("scale", "{}"), ("scale", 2.5), ("same_size", "no"), ("source", 5), ("shape", [1, "5", 5])],
)
def test_what_a_file_says_of_its_pool_is_checked(key, value):
    described = {"shape": [1, 5, 5], "scale": 2, "same_size": False, "source": "photos"}
    KernelPool(2, pool=described)
    with pytest.raises(ConfigError, match=f"'{key}' of its pool is"):
        KernelPool(2, pool={**described, key: value})
