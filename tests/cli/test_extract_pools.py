"""The whole way from folders of photos to pools, on pictures whose kernel and noise are known."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from realdeg import FieldKernels
from realdeg import extract_pools as extract_kernels
from realdeg.apis import pool_methods
from realdeg.cli import extract_pools
from realdeg.cli.main import main
from realdeg.degradations.estimation import (
    AdaptiveKernelBasis,
    KernelEstimate,
    KernelEstimator,
    KernelField,
)
from realdeg.degradations.estimation.kernelgan import KernelGANResult
from realdeg.degradations.kernel_pool import KernelPool
from realdeg.degradations.noise_pool import NoisePool
from realdeg.degradations.pool import load_pool
from realdeg.degradations.primitives import gaussian_kernel
from realdeg.degradations.primitives.kernels import centre_rest
from realdeg.errors import ConfigError, DataError, GeometryError, OutputError
from realdeg.utils.image import to_array, write_image
from tests.degradations.estimation.test_pairs import expose, scene


def _run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    extract_pools.add_arguments(parser)
    return extract_pools.run(parser.parse_args([str(word) for word in words]))


def _main(*words: object) -> int:
    return main(["extract_pools", *(str(word) for word in words)])


@pytest.fixture
def pairs(tmp_path):
    folder = tmp_path / "photos"
    kernel = gaussian_kernel(13, 1.3, 0.8, 0.3, (0.5, 0.5))
    for number in range(2):
        hr = (scene(number) * 255).round() / 255
        write_image(folder / f"{number}_HR.png", to_array(hr[0]))
        write_image(folder / f"{number}_LR2.png", to_array(expose(hr, kernel, 2, 1.0)[0]))
    return folder, kernel


def test_kernels_from_pairs(pairs, tmp_path, capsys):
    folder, truth = pairs
    pool_file = tmp_path / "kernels.safetensors"
    words = ["pairs", folder, folder, pool_file, "--scale", 2, "--name", "two scenes"]
    words += ["--pattern", "{name}_HR", "--lr-pattern", "{name}_LR{scale}"]
    assert _run(*words) == 0
    pool = load_pool(pool_file, "kernels")
    assert pool.items.shape[1:] == (13, 13) and (pool.scale, pool.same_size) == (2, False)
    errors = (pool.items.double() - truth).flatten(1).norm(dim=1) / truth.norm()
    assert errors.mean() < 0.12
    assert pool.records[0]["photo"] == "0" and pool.meta["source"] == "two scenes"
    out = capsys.readouterr().out
    assert "kernels of 13 x 13, x2" in out and "two scenes" in out and "width" in out
    assert KernelPool(2, False, str(pool_file))(torch.rand(1, 3, 32, 32), [1]).shape[2] == 16
    with pytest.raises(OutputError, match="overwrite=True"):
        _run(*words)
    assert _run(*words, "--overwrite", "--limit", 3, "--patch", 24) == 0
    assert len(load_pool(pool_file)) == 3
    assert _run("show", pool_file, "--picture", tmp_path / "sheet.png") == 0
    assert (tmp_path / "sheet.png").stat().st_size > 0
    capsys.readouterr()
    assert _main(*words, "--overwrite", "--quiet") == 0
    assert not capsys.readouterr().err


def test_kernels_of_enlarged_photos(tmp_path, capsys):
    """KMSR's pool: deconvolution of the enlarged photos, for degradation on the HR grid."""
    folder, pool_file = tmp_path / "photos", tmp_path / "pool.safetensors"
    hr = (scene(2) * 255).round() / 255
    lr = expose(hr, gaussian_kernel(13, 1.3, 0.8, 0.3, (0.5, 0.5)), 2, 1.0)
    write_image(folder / "one.png", to_array(lr[0, :, :64, :64]))
    write_image(folder / "small.png", to_array(lr[0, :, :30, :40]))
    words = ["photos", folder, pool_file, "--scale", 2, "--with", "DarkChannel", "--iterations", 1]
    assert _run(*words, "--same-size", "--crop", 64) == 0
    pool = load_pool(pool_file, "kernels")
    assert pool.items.shape == (1, 25, 25) and (pool.scale, pool.same_size) == (2, True)
    assert pool.meta["method"] == "DarkChannel" and pool.meta["iterations"] == 1
    assert any("50 x 50" in reason for reason in pool.meta["refused"])
    assert KernelPool(2, True, str(pool_file))(torch.rand(1, 3, 32, 32), [1]).shape[2] == 32
    assert _run(*words, "--overwrite", "--crop", 64) == 0
    assert load_pool(pool_file).items.shape == (1, 27, 27) and not load_pool(pool_file).same_size
    with pytest.raises(
        ConfigError, match="KernelGAN finds kernels that reduce.*same-size|same_size"
    ):
        _run("photos", folder, tmp_path / "p.safetensors", "--scale", 2, "--same-size")


def test_kernels_from_photos_alone(pairs, tmp_path, capsys):
    folder, _ = pairs
    pool_file = tmp_path / "kernels.safetensors"
    words = ["photos", folder, pool_file, "--scale", 2, "--iterations", 100, "--limit", 1]
    assert _run(*words, "--crop", 96, "--device", "cpu") == 0
    pool = load_pool(pool_file, "kernels")
    assert pool.items.shape == (1, 13, 13) and pool.meta["method"] == "KernelGAN"
    assert "1 photos" in capsys.readouterr().out


def test_photos_are_trained_on_once(pairs, tmp_path, capsys, monkeypatch):
    folder, _ = pairs
    trained = []

    def quick(image, scale, iterations, seed):
        trained.append(seed)
        if len(trained) == 2:
            raise KeyboardInterrupt
        rng = torch.Generator().manual_seed(seed % 1000)
        kernel = torch.rand(13, 13, generator=rng, dtype=torch.float64)
        record = {"released": True, "seconds": 0.1, "bicubic_loss": 1 / 3}
        return KernelGANResult(kernel / kernel.sum(), record)

    monkeypatch.setattr(pool_methods, "kernelgan", quick)
    (folder / "broken.png").write_bytes(b"broken")
    words = ["--scale", 2, "--crop", 96, "--device", "cpu"]
    file, parts = tmp_path / "k.safetensors", tmp_path / "k.safetensors.parts"
    with pytest.raises(KeyboardInterrupt):
        _run("photos", folder, file, *words)
    assert not file.exists() and len(list(parts.iterdir())) == 1
    # Stopped after the first of four photos; a fifth is broken.
    assert _main("photos", folder, file, *words) == 2
    assert len(trained) == 5 and "broken" in capsys.readouterr().err
    (folder / "broken.png").unlink()
    # What is damaged is found anew.
    damaged = sorted(parts.iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:-8] + bytes(8))
    assert _run("photos", folder, file, *words, "--overwrite") == 0
    assert len(trained) == 6 and not parts.exists()
    assert _run("photos", folder, tmp_path / "whole.safetensors", *words) == 0
    assert load_pool(file).hash == load_pool(tmp_path / "whole.safetensors").hash


def test_noise(tmp_path, capsys):
    rng = np.random.default_rng(0)
    folder = tmp_path / "lr"
    for number in range(2):
        flat = 128 + 3 * rng.standard_normal((96, 96, 3))
        write_image(folder / "deep" / f"{number}.png", flat.round().astype(np.uint8))
    pool_file = tmp_path / "noise.safetensors"
    assert _run("noise", folder, pool_file) == 0
    pool = load_pool(pool_file, "noise")
    assert pool.items.shape == (8, 3, 64, 64)
    assert float(pool.items.float().std()) * 255 == pytest.approx(3, abs=0.1)
    assert "grey levels" in capsys.readouterr().out
    noise = NoisePool(1, False, str(pool_file))
    assert noise.condition(noise.sample_one((3, 8, 8), 1))["noise_level"] == pytest.approx(
        3 / 255, abs=0.1 / 255
    )
    assert _run("show", pool_file, "--picture", tmp_path / "sheet.png") == 0


def test_mistakes_are_named(tmp_path):
    target = tmp_path / "pool.safetensors"
    with pytest.raises(DataError, match="no folder"):
        _run("noise", tmp_path / "none", target)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="contains no photos"):
        _run("noise", tmp_path / "empty", target)
    write_image(tmp_path / "loud" / "a.png", np.random.default_rng(1).integers(
        0, 255, (96, 96, 3)).astype(np.uint8))  # fmt: skip
    with pytest.raises(DataError, match="no flat patch"):
        _run("noise", tmp_path / "loud", target, "--criteria", "realsr")
    with pytest.raises(OutputError, match="safetensors"):
        _run("noise", tmp_path / "loud", tmp_path / "pool.pkl")
    with pytest.raises(DataError, match="does not exist"):
        _run("show", target)
    assert not target.exists()


def test_a_photo_that_cannot_be_read_does_not_end_the_rest(pairs, tmp_path, capsys):
    folder, _ = pairs
    rng = np.random.default_rng(0)
    quiet = (128 + rng.normal(0, 3, (64, 64, 3))).round().astype(np.uint8)
    write_image(tmp_path / "noisy" / "good.png", quiet)
    words = ["--patch", 16, "--criteria", "realsr"]
    assert _run("noise", tmp_path / "noisy", tmp_path / "good.safetensors", *words) == 0
    (tmp_path / "noisy" / "broken.jpg").write_bytes(b"\xff\xd8")
    os.mkfifo(tmp_path / "noisy" / "pipe.png")
    write_image(tmp_path / "noisy" / ("n" * 251 + ".png"), quiet[:8])
    capsys.readouterr()
    assert _main("noise", tmp_path / "noisy", tmp_path / "n.safetensors", *words) == 2
    said = capsys.readouterr()
    assert "2 FAILED" in said.err and "broken" in said.err and "pipe" in said.err
    made = load_pool(tmp_path / "n.safetensors")
    assert torch.equal(made.items, load_pool(tmp_path / "good.safetensors").items)
    assert made.meta["photos"] == 2
    # Pairs: one that is broken, one of another size.
    (folder / "2_HR.png").write_bytes(b"broken")
    write_image(folder / "2_LR2.png", quiet)
    write_image(folder / "3_HR.png", quiet)
    write_image(folder / "3_LR2.png", quiet)
    words = ["--pattern", "{name}_HR", "--lr-pattern", "{name}_LR{scale}", "--scale", 2]
    assert _main("pairs", folder, folder, tmp_path / "p.safetensors", *words, "--patch", 48) == 2
    said = capsys.readouterr().err
    assert "2 FAILED" in said and "  2: " in said and "  3: HR has 64 x 64" in said
    assert load_pool(tmp_path / "p.safetensors").meta["pairs"] == 2
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "a.png").write_bytes(b"broken")
    assert _main("noise", tmp_path / "all", tmp_path / "x.safetensors") == 2
    assert "1 FAILED" in capsys.readouterr().err


class TwoHalves(KernelEstimator):
    """Finds one kernel on the left of an image, another on the right."""

    def __init__(self, kernels, scale):
        self.kernels, self.scale = kernels, scale

    def estimate(self, image, scale, progress=None):
        assert scale == self.scale
        weights = torch.zeros(2, *image.shape[2:], dtype=torch.float64)
        middle = image.shape[3] // 2
        weights[0, :, :middle], weights[1, :, middle:] = 1, 1
        field = KernelField(self.kernels, weights)
        return KernelEstimate(field.mean(), field)


@pytest.mark.parametrize("same_size", [False, True])
def test_kernels_from_fields(tmp_path, same_size):
    """Each region gives the mean of its pixels' kernels; regions without contrast give none."""
    pixels = np.random.default_rng(0).integers(0, 255, (33, 70, 3)).astype(np.uint8)
    pixels[:16, :20] = 128
    write_image(tmp_path / "photos" / "one.png", pixels)
    write_image(tmp_path / "photos" / "two.png", pixels[:12, :12])
    rest = centre_rest(9, 1 if same_size else 2)
    sharp, wide = (gaussian_kernel(9, s, centre=(rest, rest)).double() for s in (0.8, 1.6))
    moved = torch.roll(sharp, 3, 0)
    estimator = TwoHalves(torch.stack([sharp, moved]), 1 if same_size else 2)
    method = FieldKernels(tmp_path / "photos", estimator, 2, same_size, patch=16, crop=64)
    made = extract_kernels(method, tmp_path / "pool.safetensors").pool
    # The crop of 33 x 64 has 2 x 4 regions, of which one is flat and four have a kernel that
    # lies too far from its pixel.
    assert made.meta["refused"]["flat"] == 1 and made.meta["refused"]["shift"] == 4
    assert any("12 x 12 is smaller than a region of 16" in why for why in made.meta["refused"])
    assert made.items.shape == (3, 11, 11) and (made.scale, made.same_size) == (2, same_size)
    torch.testing.assert_close(made.items[0, 1:-1, 1:-1].double(), sharp, rtol=0, atol=1e-3)
    assert [(one["row"], one["column"]) for one in made.records] == [(0, 16), (16, 0), (16, 16)]
    method = replace(method, estimator=TwoHalves(torch.stack([sharp, wide]), estimator.scale))
    made = extract_kernels(method, tmp_path / "pool.safetensors", overwrite=True, limit=6).pool
    assert len(made) == 6 and made.meta["method"] == "TwoHalves"
    torch.testing.assert_close(made.items[-1, 1:-1, 1:-1].double(), wide, rtol=0, atol=2e-3)


def test_kernels_from_fields_by_the_command(pairs, tmp_path, capsys):
    folder, _ = pairs
    torch.manual_seed(0)
    file, pool_file = tmp_path / "estimator.safetensors", tmp_path / "pool.safetensors"
    AdaptiveKernelBasis(**AdaptiveKernelBasis.example_arguments).save(file)
    words = ["fields", folder, pool_file, "--scale", 2, "--device", "cpu"]
    assert _run(*words, "--with", file, "--patch", 32, "--limit", 5) == 0
    pool = load_pool(pool_file, "kernels")
    assert len(pool) == 5 and pool.meta["method"] == "AdaptiveKernelBasis"
    assert "5 kernels of" in capsys.readouterr().out
    assert KernelPool(2, False, str(pool_file))(torch.rand(1, 3, 48, 48), [1]).shape[2] == 24
    words = [*words, "--overwrite", "--with"]
    with pytest.raises(ConfigError, match="PoolKernel finds one kernel for an image"):
        _run(*words, "PoolKernel")
    with pytest.raises(ConfigError, match="a region has at least 8 LR pixels, got 4"):
        _run(*words, file, "--patch", 4)
    with pytest.raises(ConfigError, match="crop is at least 64"):
        _run(*words, file, "--crop", 32)
    with pytest.raises(GeometryError, match="estimates kernels of scale 2, asked for is scale 3"):
        _run("fields", folder, tmp_path / "p.safetensors", "--scale", 3, "--with", file)
    with pytest.raises(ConfigError, match="AdaptiveKernelBasis has no weights"):
        _run(
            "fields",
            folder,
            tmp_path / "p.safetensors",
            "--scale",
            1,
            "--with",
            "adaptivekernelbasis",
        )
