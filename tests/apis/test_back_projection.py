from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
import torch

import realdeg
from realdeg.apis import SuperResolver
from realdeg.backbones import EDSR, FSRCNN, VDSR
from realdeg.backbones import Bicubic as BicubicNetwork
from realdeg.cli.main import main
from realdeg.degradations import (
    AWGN,
    DML,
    JPEG,
    BackProjection,
    Bicubic,
    BlurDown,
    CameraISP,
    Compose,
    GlobalKernel,
    Maybe,
)
from realdeg.degradations.primitives import imresize
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.utils.component import save_component
from realdeg.utils.image import read_image, write_image


def picture(height, width, channels=3, dtype=np.float32, seed=0):
    values = np.random.default_rng(seed).random((height, width, channels))
    if dtype == np.float32:
        return values.astype(dtype)
    return np.round(values * np.iinfo(dtype).max).astype(dtype)


def example(cls, seed=0, **arguments):
    torch.manual_seed(seed)
    return cls(**{**cls.example_arguments, **arguments}).eval()


def fitted(same_size=False, scale=2, size=5):
    """A global kernel with weights: a Gaussian, not quite in the centre."""
    built = GlobalKernel(scale=scale, same_size=same_size, kernel_size=size)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    kernel = np.exp(-(y**2 + (x - 0.3) ** 2) / 2 / 0.8**2)
    state = built.state_dict()
    (name,) = [key for key in state if state[key].numel() == size**2]
    state[name] = torch.from_numpy(kernel / kernel.sum()).float().reshape(state[name].shape)
    built.load_state_dict(state)
    built.mark_trained()
    return built


def matrix(operator, shape):
    """The matrix of a linear operator on images of a shape, in float64."""
    basis = torch.eye(shape[0] * shape[1]).reshape(-1, 1, *shape)
    with torch.no_grad():
        return operator(basis).double().reshape(len(basis), -1).T.numpy()


@pytest.mark.parametrize("kernel", ["bicubic", "adjoint"])
@pytest.mark.parametrize("source", ["Bicubic", "learned"])
def test_against_matrices_in_float64(kernel, source):
    torch.manual_seed(0)
    degradation = fitted() if source == "learned" else Bicubic(scale=2)
    size, iterations, step = (8, 12), 3, 0.7
    degrade = matrix(lambda x: degradation(x, [0] * len(x)), size)
    if kernel == "adjoint":
        enlarge = 4 * degrade.T
    else:
        enlarge = matrix(lambda x: imresize(x, size=size), (4, 6))
    lr, sr = torch.rand(1, 1, 4, 6), torch.rand(1, 1, *size)
    expected, wanted = sr.double().numpy().ravel(), lr.double().numpy().ravel()
    for _ in range(iterations):
        expected = expected + step * enlarge @ (wanted - degrade @ expected)
    project = BackProjection(degradation, iterations, step, kernel)
    found = project(sr, lr).double().numpy().ravel()
    assert np.abs(found - expected).max() < 1e-5
    rest = np.sqrt(np.mean((wanted - degrade @ expected) ** 2))
    assert float(project.difference(project(sr, lr), lr)) == pytest.approx(rest, abs=1e-6)


@pytest.mark.parametrize("kernel", ["bicubic", "adjoint"])
def test_the_difference_falls(kernel):
    lr, sr = torch.rand(1, 3, 9, 7), torch.rand(1, 3, 27, 21)
    differences = []
    for iterations in range(1, 8):
        project = BackProjection("Bicubic", iterations, kernel=kernel, scale=3)
        differences.append(float(project.difference(project(sr, lr), lr)))
    assert all(later < earlier for earlier, later in pairwise(differences))
    assert differences[-1] < 0.2 * differences[0]


def test_on_the_hr_grid_the_difference_is_added_as_it_is():
    degradation = fitted(same_size=True)
    lr, sr = torch.rand(1, 1, 8, 9), torch.rand(1, 1, 8, 9)
    found = BackProjection(degradation, 1)(sr, lr)
    assert torch.allclose(found, sr + lr - degradation(sr, [0]), atol=1e-6)


def test_values_outside_the_range_are_kept_until_the_end():
    # A step edge that is blurred can only be explained by overshoots.
    lr = torch.zeros(1, 1, 4, 8)
    lr[..., 4:] = 1
    start = imresize(lr, size=(8, 16)).clamp(0, 1)
    made = BackProjection("Bicubic", 20, scale=2)(start, lr)
    assert made.max() > 1.01 and made.min() < -0.01
    found = SuperResolver(
        BicubicNetwork(scale=2), back_projection={"degradation": "Bicubic"}
    ).upscale((lr[0, 0].numpy() * 255).astype(np.uint8))
    assert found.dtype == np.uint8 and found.max() == 255 and found.min() == 0


@pytest.mark.parametrize("cls", [FSRCNN, VDSR, EDSR])
@pytest.mark.parametrize("source", ["Bicubic", "learned"])
def test_tiles_equal_the_whole_image(cls, source):
    network = example(cls, scale=2)
    degradation = "Bicubic" if source == "Bicubic" else fitted()
    projection = {"degradation": degradation, "iterations": 3}
    image = picture(40, 53)
    whole, tiles = (
        SuperResolver(network, tile=tile, back_projection=projection).upscale(image)
        for tile in (None, 18)
    )
    assert np.abs(whole - tiles).max() < 5e-6
    once = SuperResolver(network).upscale(image)
    assert np.abs(whole - once).max() > 0.01


def test_results_agree_with_the_image():
    """Luma, chroma, and the order: the correction comes after the self-ensemble."""
    from realdeg.utils.colour import rgb_to_ycbcr

    network, image = example(FSRCNN, scale=2), picture(12, 10)
    projection = BackProjection("Bicubic", 30, scale=2)
    made = SuperResolver(network, self_ensemble=True, back_projection=projection).upscale(image)
    lr, sr = (
        rgb_to_ycbcr(torch.from_numpy(array).permute(2, 0, 1)[None].double()).float()
        for array in (image, made)
    )
    assert float(projection.difference(sr[:, :1], lr[:, :1])) < 2e-3
    once = SuperResolver(network).upscale(image)
    chroma = rgb_to_ycbcr(torch.from_numpy(once).permute(2, 0, 1)[None].double()).float()
    assert (sr[:, 1:] - chroma[:, 1:]).abs().max() < 1e-5


@pytest.mark.parametrize(
    "degradation",
    [
        lambda: AWGN(scale=2, sigma=5),
        lambda: Compose([Bicubic(scale=2), AWGN(scale=1, sigma=5)], scale=2),
        lambda: Maybe(JPEG(scale=1, quality=50), probability=0.5, scale=1),
        lambda: CameraISP(scale=2),
    ],
)
def test_what_draws_is_refused(degradation):
    with pytest.raises(ConfigError, match="draws at random"):
        BackProjection(degradation())


def test_fixed_parts_are_taken():
    assert BackProjection(BlurDown(scale=2, kind="BD")).reach > 2
    fixed = Compose([BlurDown(scale=1, kind="BD"), Bicubic(scale=2)], scale=2)
    assert BackProjection(fixed).degradation is fixed


def test_settings_of_a_call_that_mean_nothing(weights):
    for wrong, said in [
        (dict(back_projection="Bicubic"), "'back_projection' is 'Bicubic', wanted dict"),
        (dict(back_projection=3), "'back_projection' is 3, wanted dict"),
        (dict(self_ensemble="yes"), "'self_ensemble' is 'yes', wanted True or False"),
    ]:
        with pytest.raises(ConfigError, match=said):
            SuperResolver(weights, **wrong)
    with pytest.raises(GeometryError, match="'back_projection.degradation' was made for scale=2"):
        SuperResolver(weights, back_projection=dict(degradation=dict(type="Bicubic", scale=2)))


def test_bad_arguments():
    with pytest.raises(ConfigError, match="iterations is 0"):
        BackProjection("Bicubic", 0)
    with pytest.raises(ConfigError, match="step is -1"):
        BackProjection("Bicubic", step=-1)
    with pytest.raises(ConfigError, match="kernel is 'box'"):
        BackProjection("Bicubic", kernel="box")
    with pytest.raises(ConfigError, match="DML, is untrained"):
        BackProjection(DML())
    with pytest.raises(ConfigError, match="has no gradient"):
        BackProjection(JPEG(scale=1, quality=50), kernel="adjoint")
    project = BackProjection("Bicubic", step=50, scale=2)
    with pytest.raises(DataError, match="diverges.*smaller step than 50"):
        project(torch.rand(1, 1, 8, 8), torch.rand(1, 1, 4, 4))
    with pytest.raises(GeometryError, match="the LR image is"):
        project(torch.rand(1, 1, 8, 8), torch.rand(1, 1, 2, 2))
    network = example(FSRCNN, scale=2)
    with pytest.raises(GeometryError, match="scale=3"):
        SuperResolver(network, back_projection=BackProjection("Bicubic", scale=3))
    with pytest.raises(ConfigError, match="no argument 'iteration'"):
        SuperResolver(network, back_projection={"degradation": "Bicubic", "iteration": 3})
    with pytest.raises(ConfigError, match="needs a degradation"):
        SuperResolver(network, back_projection={"iterations": 3})


@pytest.fixture
def weights(tmp_path):
    network = example(VDSR, scale=4)
    path = tmp_path / "v.safetensors"
    save_component(path, network, kind="backbone", type="VDSR", arguments=network.arguments)
    return path


def test_commands(weights, tmp_path, capsys):
    learned = tmp_path / "degradation.safetensors"
    fitted(scale=4, size=9).save(learned)
    write_image(tmp_path / "lr" / "a.png", picture(6, 9, dtype=np.uint8))
    words = ["infer", str(weights), str(tmp_path / "lr"), str(tmp_path / "sr"), "--quiet"]
    words += ["--device", "cpu"]
    assert main([*words, "--iterations", "3"]) == 2
    assert "add --back-projection" in capsys.readouterr().err
    assert main([*words, "--back-projection", "AWGN"]) == 2
    assert "draws at random" in capsys.readouterr().err
    assert main([*words, "--back-projection", str(learned), "--iterations", "3"]) == 0
    expected = SuperResolver(
        weights, device="cpu", back_projection={"degradation": learned, "iterations": 3}
    )
    image = read_image(tmp_path / "lr" / "a.png")
    assert np.array_equal(read_image(tmp_path / "sr" / "a.png"), expected.upscale(image))
    header = json.loads((tmp_path / "sr" / "manifest.jsonl").read_text().splitlines()[0])
    found = header["back_projection"]
    assert found["degradation"]["type"] == "GlobalKernel" and found["iterations"] == 3


def test_tests_and_their_configs(weights, tmp_path):
    name = "vdsr/vdsr_t91_x4_cpu"
    settings = {"sample": True, "device": "cpu", "pictures": False}
    report = realdeg.test(
        name,
        weights,
        work_dir=tmp_path / "1",
        self_ensemble=True,
        back_projection={"degradation": "Bicubic", "iterations": 2},
        **settings,
    )
    phrase = "VDSR + self-ensemble + back-projection (Bicubic, 2 iterations)"
    assert report.facts["Backbone"] == phrase

    def refused(error, sentence, projection, **options):
        options["test_cfg.back_projection"] = projection
        with pytest.raises(error, match=sentence):
            realdeg.test(name, weights, work_dir=tmp_path / "2", options=options, **settings)

    place = r"'test_cfg\.back_projection"
    bicubic = {"type": "Bicubic"}
    refused(ConfigError, place + "' needs a degradation", {"iterations": 3})
    refused(ConfigError, place + r"\.iterations' is 0", {"degradation": bicubic, "iterations": 0})
    refused(ConfigError, "no argument 'steps'", {"degradation": bicubic, "steps": 2})
    refused(ConfigError, place + "'.*draws at random", {"degradation": {"type": "AWGN"}})
    refused(
        ConfigError, place + r"\.degradation' is an untrained DML", {"degradation": {"type": "DML"}}
    )
    refused(ConfigError, r"no degradation named 'Bicubi'", {"degradation": {"type": "Bicubi"}})
    other = {"degradation": {"type": "Bicubic", "scale": 2}}
    refused(GeometryError, place + r"\.degradation' was made for scale=2, and scale=4", other)
    with pytest.raises(ConfigError, match="'back_projection' is 'Bicubic', wanted dict"):
        realdeg.test(name, weights, back_projection="Bicubic", **settings)
    with pytest.raises(ConfigError, match=r"test_cfg\.back_projection.*DegradationLearning"):
        realdeg.test(
            "dml/dml_n8_realsr_x4_cpu", back_projection={"degradation": "Bicubic"}, **settings
        )
