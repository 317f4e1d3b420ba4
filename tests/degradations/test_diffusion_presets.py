"""The settings of diffusion models, number by number as their repositories state them."""

from __future__ import annotations

from dataclasses import asdict

import cv2
import numpy as np
import pytest
import torch

import realdeg
from realdeg import create_degradation
from realdeg.cli.main import main
from realdeg.config import list_presets
from realdeg.errors import ConfigError
from realdeg.utils.image import read_image
from tests.degradations.statistics import assert_share, assert_uniform

DRAWS = 2000
NOISES = ("gaussian_noise", "poisson_noise")
# Sizes that the code draws from: 2 v + 1 for v in range(3, 11), or range(3, blur_kernel_size, 2).
SEVEN_TO_21 = (7, 9, 11, 13, 15, 17, 19, 21)

# What every one of the options files says.
COMMON = {
    "sinc_probability": 0.1,
    "gaussian_probability": 0.5,
    "grey_probability": 0.4,
}
MILD = (
    dict(
        **COMMON, blur_probability=1.0, resize_probabilities=(0.2, 0.7, 0.1),
        resize_range=(0.3, 1.5), noise_sigma=(1, 15), poisson_scale=(0.05, 2.0),
        jpeg_quality=(60, 95),
    ),
    dict(
        **COMMON, blur_probability=0.5, resize_probabilities=(0.3, 0.4, 0.3),
        resize_range=(0.6, 1.2), noise_sigma=(1, 12), poisson_scale=(0.05, 1.0),
        jpeg_quality=(60, 100),
    ),
)  # fmt: skip
FULL = (
    dict(
        **COMMON, blur_probability=1.0, resize_probabilities=(0.2, 0.7, 0.1),
        resize_range=(0.15, 1.5), noise_sigma=(1, 30), poisson_scale=(0.05, 3.0),
        jpeg_quality=(30, 95),
    ),
    dict(
        **COMMON, blur_probability=0.8, resize_probabilities=(0.3, 0.4, 0.3),
        resize_range=(0.3, 1.2), noise_sigma=(1, 25), poisson_scale=(0.05, 2.5),
        jpeg_quality=(30, 95),
    ),
)  # fmt: skip


def kernels(sigma, generalised, plateau, sizes=SEVEN_TO_21):
    return dict(
        blur_sigma=sigma, generalised_beta=generalised, plateau_beta=plateau, kernel_sizes=sizes
    )


WIDE = (kernels((0.2, 3), (0.5, 4), (1, 2)), kernels((0.2, 1.5), (0.5, 4), (1, 2)))
NARROW = (kernels((0.2, 1.5), (0.5, 2.0), (1, 1.5)), kernels((0.2, 1.0), (0.5, 2.0), (1, 1.5)))
RESSHIFT = (
    kernels((0.2, 3), (0.5, 4), (1, 2), tuple(range(3, 21, 2))),
    kernels((0.2, 1.5), (0.5, 4), (1, 2), tuple(range(3, 15, 2))),
)
# Ranges and probabilities of both orders, kernels of both, sharpening, second order's probability.
SETTINGS = {
    "stablesr": (MILD, NARROW, True, 1.0),
    "seesr": (MILD, WIDE, False, 1.0),
    "osediff": (FULL, WIDE, False, 1.0),
    "diffbir": (FULL, WIDE, True, 1.0),
    "resshift": (FULL, RESSHIFT, False, 0.5),
}


def real_esrgan_of(name):
    made = create_degradation(name, 4, False)
    return made.members()[0] if name == "stablesr" else made


@pytest.mark.parametrize("name", SETTINGS)
def test_every_number(name):
    ranges, shapes, sharpen, second_order = SETTINGS[name]
    made = real_esrgan_of(name)
    for order, said, drawn in zip((made.first, made.second), ranges, shapes, strict=True):
        found = {key: tuple(v) if isinstance(v, list) else v for key, v in asdict(order).items()}
        assert found == {**said, **drawn}
    assert made.sharpen is sharpen
    assert made.second_order_probability == second_order
    assert made.final_sinc_probability == 0.8
    assert made.codec == "differentiable"


def steps_of(degradation, seeds, side=400):
    return [degradation.sample_one((3, side, side), seed).params["steps"] for seed in seeds]


def test_resshift_draws_the_second_order_for_every_other_image():
    drawn = steps_of(create_degradation("resshift", 4, False), range(DRAWS))
    second = [sum(step["op"] in NOISES for step in steps) == 2 for steps in drawn]
    assert_share(sum(second), DRAWS, 0.5)
    for steps, there in zip(drawn, second, strict=True):
        # Without it come the LR size, the filter and JPEG; and there is always an LR image.
        sizes = [step["size"] for step in steps if step["op"] == "resize"]
        assert len(sizes) == (3 if there else 2) and sizes[-1] == [100, 100]
        assert sum(step["op"] == "differentiable_jpeg" for step in steps) == 2
        assert not any(step["op"] == "unsharp" for step in steps)
    blurs = [[step["kernel"] for step in steps if step["op"] == "blur"] for steps in drawn]
    assert {kernel["size"] for first, *_ in blurs for kernel in [first]} == set(range(3, 21, 2))
    rest = {kernel["size"] for _, *others in blurs for kernel in others}
    assert rest == set(range(3, 15, 2))


def test_the_draws_of_real_esrgan_did_not_change():
    """An argument that came later draws nothing at its default, and is not written."""
    plain = create_degradation("RealESRGAN", 4, False)
    one = create_degradation({"type": "RealESRGAN", "second_order_probability": 1.0}, 4, False)
    assert steps_of(plain, range(20)) == steps_of(one, range(20))
    assert "second_order_probability" not in plain.arguments
    assert create_degradation("resshift", 4).arguments["second_order_probability"] == 0.5


def test_stablesr_leaves_one_image_in_a_hundred():
    made = create_degradation("stablesr", 4, False)
    assert_share(sum(made.decide(seed) for seed in range(DRAWS)), DRAWS, 0.99)


class TestFaces:
    def test_ranges(self):
        """blur_kernel_size 41, sigma .1-12, downsample 1-12, noise 0-15, JPEG 30-100."""
        drawn = steps_of(create_degradation("diffbir-face", 1, True), range(DRAWS), side=120_000)
        for steps in drawn:
            assert [step["op"] for step in steps] == [
                *("blur", "resize", "gaussian_noise", "jpeg", "resize")
            ]
            assert steps[0]["kernel"]["size"] == 41 and steps[0]["kernel"]["shape"] == "gaussian"
            assert steps[1]["mode"] == steps[4]["mode"] == "cv2_linear"
            assert steps[2]["kind"] == "white" and steps[4]["size"] == [120_000, 120_000]
        uneven = [steps[0]["kernel"] for steps in drawn if "sigma_y" in steps[0]["kernel"]]
        assert_share(len(uneven), DRAWS, 0.5)
        assert_uniform([steps[0]["kernel"]["sigma_x"] for steps in drawn], 0.1, 12)
        assert_uniform([kernel["sigma_y"] for kernel in uneven], 0.1, 12)
        assert_uniform([kernel["angle"] for kernel in uneven], -np.pi, np.pi)
        assert_uniform([120_000 / steps[1]["size"][0] for steps in drawn], 1, 12)
        assert_uniform([steps[2]["sigma"] for steps in drawn], 0, 15)
        # int(uniform(30, 100)) is a whole number from 30 to 99.
        assert {steps[3]["quality"] for steps in drawn} == set(range(30, 100))

    def test_it_is_what_opencv_computes(self):
        """The code's calls, one by one, with what a trace drew and without noise."""
        cfg = {"type": "BlindFace", "noise_sigma": (0, 0)}
        made = create_degradation(cfg, 1, True)
        rng = np.random.default_rng(0)
        image = cv2.resize(rng.random((12, 16, 3)).astype(np.float32), (160, 120)).clip(0, 1)
        hr = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
        for seed in range(6):
            (trace,) = made.sample(hr, [seed])
            blur, down, _, jpeg, _ = trace.params["steps"]
            kernel = blur["kernel"]
            x, y = np.meshgrid(np.arange(-20, 21), np.arange(-20, 21))
            angle = kernel.get("angle", 0.0)
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            spread = np.diag([kernel["sigma_x"], kernel.get("sigma_y", kernel["sigma_x"])]) ** 2
            inverse = np.linalg.inv(turn @ spread @ turn.T)
            at = np.stack([x, y], -1)
            weights = np.exp(-0.5 * np.einsum("hwi,ij,hwj->hw", at, inverse, at))
            lq = cv2.filter2D(image, -1, weights / weights.sum())
            lq = cv2.resize(lq, tuple(down["size"][::-1]), interpolation=cv2.INTER_LINEAR)
            coded = cv2.imencode(
                ".jpg",
                lq.clip(0, 1)[..., ::-1] * 255.0,
                [cv2.IMWRITE_JPEG_QUALITY, jpeg["quality"]],
            )[1]
            lq = np.float32(cv2.imdecode(coded, 1))[..., ::-1] / 255.0
            lq = cv2.resize(lq, (160, 120), interpolation=cv2.INTER_LINEAR)
            found = made.replay(hr, [trace])[0].numpy().transpose(1, 2, 0)
            assert found.shape == image.shape
            # Rounding before JPEG may move a block by a quantisation step.
            assert np.abs(found - lq).mean() < 2e-3

    @pytest.mark.parametrize("same_size", [False, True])
    def test_the_result_has_the_size_asked_for(self, same_size):
        made = create_degradation("diffbir_face", 2, same_size)
        lr = made(torch.rand(2, 3, 64, 48), [0, 1])
        assert lr.shape == (2, 3, *((64, 48) if same_size else (32, 24)))


class TestNames:
    def test_they_are_listed_and_found(self, capsys):
        assert set(SETTINGS) | {"diffbir_face", "bsrgan"} <= set(list_presets())
        assert main(["list", "presets", "diff"]) == 0
        assert capsys.readouterr().out.split() == ["diffbir", "diffbir_face", "osediff"]
        assert create_degradation("diffbir-face", 2).arguments["factor"] == (1.0, 12.0)

    def test_a_wrong_name_is_answered_with_the_nearest(self):
        with pytest.raises(ConfigError, match="Did you mean 'osediff'"):
            create_degradation("osedif")

    def test_options_and_geometry_apply(self):
        made = create_degradation("seesr", 2, True, options={"degradation.codec": "libjpeg"})
        assert (made.scale, made.same_size, made.codec) == (2, True, "libjpeg")

    def test_the_command_takes_them(self, tmp_path):
        hr = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        realdeg.write_image(tmp_path / "hr" / "a.png", hr)
        words = ["degrade", "seesr", str(tmp_path / "hr"), str(tmp_path / "lr"), "--scale", "4"]
        assert main(words) == 0
        assert read_image(tmp_path / "lr" / "a.png").shape == (8, 8, 3)
