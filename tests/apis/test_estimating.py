"""``realdeg estimate``, and ``infer --kernel``, ``--noise`` and ``--trace`` with what it finds."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy.io import loadmat

from realdeg import create_degradation, estimate_degradation, super_resolve
from realdeg.apis import SuperResolver
from realdeg.apis.told import Teller, Told
from realdeg.apis.trace_files import read_traces
from realdeg.backbones import IRCNNHQS, SRMD, VDSR, USRNet
from realdeg.cli.main import main
from realdeg.degradations.estimation import AdaptiveKernelBasis, KernelEstimate, fit_gaussian
from realdeg.degradations.estimation.kernelgan_estimator import KernelGAN
from realdeg.degradations.primitives.kernels import centre_rest, gaussian_kernel
from realdeg.degradations.primitives.reduction_kernels import blur_and_reduce
from realdeg.errors import ConfigError, DataError, GeometryError, OutputError
from realdeg.utils.component import save_component
from realdeg.utils.image import read_image, write_image
from realdeg.zero_shot import ZSSR
from realdeg.zero_shot.kernel_file import read_kernel

KNOWN = {"type": "PoolKernel"}


@pytest.fixture
def photo(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "lr").mkdir()
    for name in ("a", "b"):
        pixels = np.clip(rng.normal(120, 8, (40, 44, 3)), 0, 255).astype(np.uint8)
        write_image(tmp_path / "lr" / f"{name}.png", pixels)
    return tmp_path / "lr" / "a.png"


@pytest.fixture
def srmd(tmp_path):
    torch.manual_seed(0)
    network = SRMD(2, num_features=6, num_layers=2)
    path = tmp_path / "srmd.safetensors"
    save_component(path, network, kind="backbone", type="SRMD", arguments=network.arguments)
    return path, network.eval()


@pytest.mark.parametrize(("sigmas", "angle"), [((1.2, 1.2), 0.0), ((2.4, 1.1), 0.7)])
@pytest.mark.parametrize("scale", [2, 4])
def test_a_gaussian_before_bicubic_reduction_is_found(sigmas, angle, scale):
    whole = blur_and_reduce(gaussian_kernel(21, *sigmas, angle), scale)
    found = fit_gaussian(whole, scale)
    assert (found.sigma_x, found.sigma_y) == pytest.approx(sigmas, rel=0.02)
    assert sigmas[0] == sigmas[1] or found.angle == pytest.approx(angle, abs=0.02)
    assert found.difference < 0.02
    alike = fit_gaussian(whole, scale, isotropic=True)
    assert alike.sigma_x == alike.sigma_y
    assert min(sigmas) - 0.05 < alike.sigma_x < max(sigmas) + 0.05


def test_kernels_and_noise_are_written(tmp_path, photo, capsys):
    out = tmp_path / "kernels"
    words = ["estimate", str(photo.parent), "--scale", "2", "--with", "poolkernel"]
    assert main([*words, "--out", str(out), "--quiet"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 and said[0].startswith("a: kernel ") and "noise 7." in said[0]
    kernel = np.load(out / "a.npy")
    assert np.array_equal(loadmat(out / "a.mat")["Kernel"], kernel)
    record = json.loads((out / "a.json").read_text())
    assert record["kernel"] == kernel.tolist() and record["estimator"] == "PoolKernel"
    assert record["noise"] == pytest.approx(8, abs=0.6)
    for suffix in ("npy", "mat", "json"):
        read = read_kernel(out / f"a.{suffix}", 2)
        torch.testing.assert_close(read, torch.from_numpy(kernel), rtol=0, atol=1e-6)
    assert (out / "kernels.png").is_file()
    assert main([*words, "--out", str(out), "--quiet"]) != 0
    assert "--overwrite" in capsys.readouterr().err
    with pytest.raises(OutputError, match=r"a\.npy is already there"):
        estimate_degradation(photo, scale=2, out=out, estimator=KNOWN, progress=False)
    estimate_degradation(photo, scale=2, out=out, estimator=KNOWN, overwrite=True, progress=False)
    # KernelGAN finds none in a photo so small: what the other estimator found must not stay.
    (found,) = estimate_degradation(photo, scale=2, out=out, overwrite=True, progress=False)
    assert found.failure and sorted(file.stem for file in out.iterdir()) == ["b"] * 3


def test_fields_are_drawn(tmp_path, photo):
    torch.manual_seed(0)
    file, out = tmp_path / "e.safetensors", tmp_path / "kernels"
    AdaptiveKernelBasis(**AdaptiveKernelBasis.example_arguments).save(file)
    estimate_degradation(photo.parent, scale=2, out=out, estimator=file, progress=False)
    pictures = {name: read_image(out / f"{name}_field.png") for name in ("a", "b")}
    assert all(min(one.shape[:2]) > 200 and one.std() > 10 for one in pictures.values())
    with pytest.raises(OutputError, match="is already there"):
        estimate_degradation(photo, scale=2, out=out, estimator=file, progress=False)
    # A picture of another estimator's field is not left beside a new kernel.
    estimate_degradation(photo, scale=2, out=out, estimator=KNOWN, overwrite=True, progress=False)
    assert not (out / "a_field.png").exists() and (out / "b_field.png").exists()


def test_photos_without_a_kernel(tmp_path, photo, capsys):
    """One small photo does not end the run; what is wrong with all of them does."""
    found = estimate_degradation([photo], scale=2, progress=False)
    assert found[0].kernel is None and "64 x 64" in found[0].failure and found[0].noise > 7
    assert main(["estimate", str(photo), "--scale", "2", "--quiet"]) == 2
    assert "no kernel: KernelGAN needs" in capsys.readouterr().err
    with pytest.raises(GeometryError, match="scale 2, 3 or 4, got 5"):
        estimate_degradation(photo, scale=5)
    with pytest.raises(GeometryError, match="PoolKernel is asked for scale 0"):
        estimate_degradation(photo, scale=0, estimator=KNOWN)
    with pytest.raises(ConfigError, match="KernelGANFKP needs a flow of kernels of scale 2"):
        estimate_degradation(photo, scale=2, estimator="KernelGANFKP")
    with pytest.raises(ConfigError, match="no estimator named 'KernelGen'"):
        estimate_degradation(photo, scale=2, estimator="KernelGen")
    with pytest.raises(DataError, match="no image or folder"):
        estimate_degradation(tmp_path / "none", scale=2)


def test_auto_is_what_the_estimates_say(tmp_path, photo, srmd):
    path, network = srmd
    auto = {"kernel": "auto", "noise": "auto", "estimator": KNOWN}
    super_resolve(path, photo, tmp_path / "one.png", progress=False, **auto)
    super_resolve(path, photo.parent, tmp_path / "sr", progress=False, **auto)
    for name in ("a", "b"):
        found = estimate_degradation(
            photo.with_stem(name), scale=2, estimator=KNOWN, progress=False
        )[0]
        blur = fit_gaussian(found.kernel, 2).kernel(15)
        code = network.encode(blur, found.noise / 255)[None]
        wanted = SuperResolver(network).upscale(read_image(photo.with_stem(name)), cond=code)
        made = read_image(tmp_path / "sr" / f"{name}.png")
        assert np.abs(made.astype(int) - wanted).max() <= 1  # the noise is rounded in records
    assert np.array_equal(read_image(tmp_path / "one.png"), read_image(tmp_path / "sr" / "a.png"))
    lines = (tmp_path / "sr" / "manifest.jsonl").read_text().splitlines()
    header, first, second = map(json.loads, lines)
    assert (
        header["cond"]["kernel"] == "auto" and header["cond"]["estimator"]["type"] == "PoolKernel"
    )
    assert first["told"]["noise"] != second["told"]["noise"]
    assert first["told"]["estimator"] == "PoolKernel" and len(first["told"]["sigma"]) == 2
    # The same settings continue; others are refused.
    super_resolve(path, photo.parent, tmp_path / "sr", progress=False, **auto)
    with pytest.raises(ConfigError, match="other settings"):
        super_resolve(path, photo.parent, tmp_path / "sr", progress=False, kernel="auto")


def test_a_wide_gaussian_is_found_for_a_width(photo, srmd, monkeypatch):
    whole = blur_and_reduce(gaussian_kernel(21, 1.7), 2)
    monkeypatch.setattr(KernelGAN, "estimate", lambda *_: KernelEstimate(whole))
    _, record = Teller(srmd[1], Told(kernel_width="auto")).of(read_image(photo), "a.png")
    assert record["sigma"] == pytest.approx([1.7, 1.7], abs=0.03)


def test_networks_that_take_a_kernel(tmp_path, photo):
    """The same file serves each network in its own convention."""
    rest = centre_rest(9, 2)
    kernel = gaussian_kernel(9, 1.1, 0.8, 0.3, (rest, rest)).double()
    np.save(tmp_path / "k.npy", kernel.numpy())
    pixels = read_image(photo)
    zssr = ZSSR(2, "kernel", iterations=2, width=4, depth=2)
    for network in (zssr, IRCNNHQS.example().eval(), USRNet.example().eval()):
        teller = Teller(network, Told(kernel=tmp_path / "k.npy"))
        assert not teller.per_image and teller.settings() == {"kernel": str(tmp_path / "k.npy")}
        made = SuperResolver(network).upscale(pixels, cond=teller.constant)
        assert made.shape == (80, 88, 3)
    torch.testing.assert_close(
        Teller(zssr, Told(kernel=tmp_path / "k.npy")).constant[0, 0].double(), kernel
    )
    usrnet = USRNet.example()
    wanted = usrnet.condition_of({"reduction": kernel})
    torch.testing.assert_close(Teller(usrnet, Told(kernel=tmp_path / "k.npy")).constant[0], wanted)
    turned = Teller(IRCNNHQS.example(), Told(kernel=tmp_path / "k.npy")).constant[0, 0]
    # LR pixel 0 lies half a pixel after HR pixel 0, and the kernel is convolved.
    place = (torch.arange(len(turned)) - len(turned) // 2).float()
    assert float(turned.sum(1) @ place) == pytest.approx(-0.5, abs=0.01)


def test_a_trace_tells_what_was_done(tmp_path, photo, srmd):
    hr = tmp_path / "hr"
    hr.mkdir()
    for name in ("a", "b"):
        write_image(
            hr / f"{name}.png",
            np.random.default_rng(len(name)).integers(0, 255, (64, 64, 3), np.uint8),
        )
    assert main(["degrade", "SRMD", str(hr), str(tmp_path / "low"), "--scale", "2", "--quiet"]) == 0
    manifest = tmp_path / "low" / "manifest.jsonl"
    path, network = srmd
    teller = Teller(network, Told(trace=manifest))
    pixels = read_image(tmp_path / "low" / "a.png")
    for record in read_traces(manifest):
        conditions = create_degradation("SRMD", scale=2).condition(record.trace)
        code, _ = teller.of(pixels, str(record.image))
        torch.testing.assert_close(code[0], network.condition_of(conditions))
    super_resolve(path, tmp_path / "low", tmp_path / "sr", trace=manifest, progress=False)
    with pytest.raises(DataError, match=r"no trace of c\.png: it names a, b"):
        teller.of(pixels, "c.png")
    with pytest.raises(ConfigError, match="state the same thing"):
        Teller(network, Told(trace=manifest, noise=3.0))


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (Told(kernel="auto", kernel_width=1.0), "state the same thing"),
        (Told(kernel="none.npy"), "no kernel at none.npy"),
        (Told(trace="none.jsonl"), "cannot read the traces"),
        (Told(kernel="auto", estimator="best"), "no estimator named 'best'"),
    ],
)
def test_what_cannot_be_told(srmd, told, problem):
    with pytest.raises((ConfigError, DataError), match=problem):
        Teller(srmd[1], told)


def test_networks_that_are_told_nothing_refuse_auto(photo, tmp_path):
    for told in ({"kernel": "auto"}, {"noise": "auto"}, {"trace": "x"}):
        with pytest.raises(ConfigError, match="VDSR is not told the degradation"):
            super_resolve(VDSR.example(), photo, tmp_path / "x.png", progress=False, **told)
    with pytest.raises(ConfigError, match="told the kernel alone: leave out noise='auto'"):
        Teller(IRCNNHQS.example(), Told(noise="auto"))
