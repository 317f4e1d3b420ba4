"""The engine of pipelines: what it carries out, and what it refuses."""

from __future__ import annotations

import copy
import math
from typing import Annotated

import pytest
import torch
from annotated_types import Interval

from realdeg import create_degradation
from realdeg.degradations import Degradation, Trace
from realdeg.degradations.pipeline import PipelineDegradation
from realdeg.degradations.primitives import imresize
from realdeg.degradations.steps import STEPS, register_step, run_step
from realdeg.errors import ConfigError, DataError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.arguments import arguments_of

PRESETS = ("BSRGAN", "BSRGANPlus", "RealESRGAN")
GEOMETRY = ("blur", "resize", "shifted_kernel_down")


def picture(height=64, width=48, batch=1, channels=3):
    generator = torch.Generator().manual_seed(height + width)
    coarse = torch.rand(batch, channels, 9, 7, generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


def replaced(trace, **changes):
    return Trace(
        changes.get("type", trace.type),
        changes.get("params", trace.params),
        trace.size,
        changes.get("parts", trace.parts),
    )


def with_steps(trace, steps):
    return replaced(trace, params={**trace.params, "steps": steps})


@pytest.mark.parametrize("name", PRESETS)
class TestPresets:
    def test_values_are_eight_bit(self, name):
        degradation = create_degradation(name, scale=4)
        lr = degradation(picture(batch=6), list(range(6)))
        assert lr.min() >= 0 and lr.max() <= 1
        levels = lr * 255
        assert (levels - levels.round()).abs().max() < 1e-4

    def test_same_size_is_the_small_image_enlarged(self, name):
        hr = (picture(batch=3) > 0.5).float()  # edges, so that the enlargement overshoots
        small = create_degradation(name, scale=4)(hr, [1, 2, 3])
        large = create_degradation(name, scale=4, same_size=True)(hr, [1, 2, 3])
        enlarged = imresize(small, size=(64, 48))
        assert enlarged.min() < 0 or enlarged.max() > 1
        assert torch.equal(large, enlarged.clamp(0, 1))

    def test_a_side_that_does_not_divide_is_fine_on_the_hr_grid(self, name):
        degradation = create_degradation(name, scale=4, same_size=True)
        assert degradation(picture(47, 33), [5]).shape == (1, 3, 47, 33)

    @pytest.mark.parametrize("scale", [1, 2, 3, 8, 16])
    def test_other_scales(self, name, scale):
        lr = create_degradation(name, scale=scale)(picture(48, 48, batch=4), [1, 2, 3, 4])
        assert lr.shape == (4, 3, 48 // scale, 48 // scale)

    @pytest.mark.parametrize("side", [4, 8])
    def test_images_smaller_than_any_kernel(self, name, side):
        lr = create_degradation(name, scale=4)(picture(side, side, batch=8), list(range(8)))
        assert lr.shape == (8, 3, side // 4, side // 4) and torch.isfinite(lr).all()

    def test_wild_values_do_not_come_through(self, name):
        hr = picture(batch=4) * 20 - 8
        lr = create_degradation(name, scale=2)(hr, [1, 2, 3, 4])
        assert torch.isfinite(lr).all() and lr.min() >= 0 and lr.max() <= 1

    @pytest.mark.parametrize("axis", [0, 1])
    def test_nothing_moves(self, name, axis):
        """Without noise and codecs, LR pixel i of a ramp is the ramp at s i + (s - 1) / 2.

        Windows of whole pixels and OpenCV's cubic jitter around that, so a line is fitted.
        """
        scale, side = 4, 256
        rows = torch.arange(side, dtype=torch.float32) / side
        ramp = rows[:, None].expand(1, 1, side, side).contiguous()
        degradation = create_degradation(name, scale=scale)
        inner = slice(20, side // scale - 20)
        centre = torch.arange(side // scale)[inner] * scale + (scale - 1) / 2
        stretches = []
        for seed in range(20):
            (trace,) = degradation.sample(ramp, [seed])
            steps = [step for step in trace.params["steps"] if step["op"] in GEOMETRY]
            image = ramp if axis == 0 else ramp.mT.contiguous()
            lr = degradation.replay(image, [with_steps(trace, steps)])
            lr = lr[0, 0] if axis == 0 else lr[0, 0].T
            error = lr[inner, inner].mean(1) * side - centre
            assert abs(error.mean()) < 0.01, f"moved by {error.mean():.3f} HR pixels, seed {seed}"
            around = centre - centre.mean()
            stretches.append(float((error * around).sum() / around.square().sum()))
        assert abs(sum(stretches) / len(stretches)) * side < 0.5

    def test_a_trace_is_small(self, name):
        degradation = create_degradation(name, scale=4)
        longest = max(len(degradation.sample_one((3, 320, 320), s).to_json()) for s in range(200))
        assert longest < 3500


def test_grey_images_get_colour_plans():
    degradation = create_degradation("BSRGAN", scale=2)
    grey = picture(channels=1, batch=30)
    traces = degradation.sample(grey, list(range(30)))
    kinds = {step.get("kind") for trace in traces for step in trace.params["steps"]}
    assert {"white", "grey", "correlated"} <= kinds
    assert degradation.replay(grey, traces).shape == (30, 1, 32, 24)
    # The same plans fit a colour image of that size.
    colour = [Trace(t.type, t.params, (3, 64, 48)) for t in traces]
    assert degradation.replay(picture(batch=30), colour).shape == (30, 3, 32, 24)


class TestParts:
    def test_a_part_is_run_with_a_trace_of_its_own(self):
        part = {"type": "AWGN", "sigma": 30.0}
        degradation = create_degradation(
            {"type": "BSRGAN", "isp": part, "isp_probability": 1}, scale=2
        )
        hr = picture(batch=4)
        traces = degradation.sample(hr, [1, 2, 3, 4])
        assert all(trace.parts[0].type == "AWGN" for trace in traces)
        lr = degradation.replay(hr, traces)
        read = [Trace.from_json(trace.to_json()) for trace in traces]
        assert torch.equal(lr, degradation.replay(hr, read))
        without = [
            with_steps(t, [s for s in t.params["steps"] if s["op"] != "part"]) for t in traces
        ]
        assert not torch.equal(lr, degradation.replay(hr, without))
        with pytest.raises(DataError, match="own trace is missing"):
            degradation.replay(hr, [replaced(trace, parts=()) for trace in traces])

    def test_the_file_alone_rebuilds_it(self, tmp_path):
        isp = create_degradation({"type": "AWGN", "sigma": 30.0}, scale=1)
        degradation = create_degradation({"type": "BSRGANPlus", "isp": isp}, scale=2)
        degradation.save(tmp_path / "d.safetensors")
        again = create_degradation(str(tmp_path / "d.safetensors"))
        hr = picture(batch=6)
        assert torch.equal(degradation(hr, list(range(6))), again(hr, list(range(6))))

    def test_a_part_that_shrinks_is_refused(self):
        with pytest.raises(ConfigError, match="give scale 1"):
            create_degradation({"type": "BSRGAN", "isp": {"type": "Shrinks"}}, scale=2)

    def test_a_trace_with_a_part_needs_an_object_with_it(self):
        plain = create_degradation("BSRGAN", scale=2)
        (trace,) = plain.sample(picture(), [1])
        steps = [{"op": "part", "part": "isp", "size": [64, 48]}, *trace.params["steps"]]
        with pytest.raises(DataError, match="built without such a part"):
            plain.replay(picture(), [with_steps(trace, steps)])


@pytest.fixture(autouse=True)
def shrinking_part():
    class Shrinks(Degradation):
        def __init__(self, scale=4, same_size=False):
            super().__init__(2, False)

    DEGRADATIONS.register_module(module=Shrinks, force=True)
    yield
    DEGRADATIONS.module_dict.pop("Shrinks")


class TestStrangersSteps:
    def test_a_step_of_ones_own(self):
        @register_step("invert_for_test")
        def invert(x, /, *, strength: Annotated[float, Interval(ge=0, le=1)]):
            return x + strength * (1 - 2 * x)

        try:

            class Inverts(PipelineDegradation):
                def plan(self, rng, size):
                    return [{"op": "invert_for_test", "strength": 1.0}]

            hr = picture()
            assert torch.allclose(Inverts(1)(hr, [0]), 1 - hr)
            with pytest.raises(ConfigError, match="exists already"):
                register_step("invert_for_test")(invert)
            (trace,) = Inverts(1).sample(hr, [0])
            steps = [{"op": "invert_for_test", "strength": 2}]
            with pytest.raises(DataError, match="'strength' is 2, wanted a number from 0 to 1"):
                Inverts(1).replay(hr, [with_steps(trace, steps)])
        finally:
            STEPS.pop("invert_for_test")

    def test_a_step_of_the_former_kind(self):
        with pytest.warns(DeprecationWarning, match="field: type"):

            @register_step("former_for_test", ("strength", "kind"))
            def invert(x, step):
                assert step.choice("kind", ("a", "b"), "a") == "a" and step.flag("way", True)
                return x + step.number("strength", 0, 1) * (1 - 2 * x)

        hr = picture()
        where = "step 0 (former_for_test) in the trace of X"
        try:
            done = run_step(hr, {"op": "former_for_test", "strength": 1.0}, where, (9, 9))
            assert torch.allclose(done, 1 - hr)
            for record, words in (
                ({"strength": 2}, "'strength' is 2, wanted a number from 0 to 1"),
                ({"strength": 1, "kind": "c"}, "'kind' is 'c', wanted 'a' or 'b'"),
                ({"strong": 1}, "no field 'strong'"),
            ):
                with pytest.raises(DataError, match=words):
                    run_step(hr, {"op": "former_for_test", **record}, where, (9, 9))
        finally:
            STEPS.pop("former_for_test")

    def test_no_steps_hand_out_a_copy(self):
        class Nothing(PipelineDegradation):
            def plan(self, rng, size):
                return []

        hr = picture()
        lr = Nothing(1)(hr, [0])
        assert torch.equal(lr, hr) and lr.data_ptr() != hr.data_ptr()


KERNEL = {"shape": "gaussian", "size": 7, "sigma_x": 1.0}
COVARIANCE = [[0.01, 0, 0], [0, 0.01, 0], [0, 0, 0.01]]

# One record, and the words its refusal must have.
HOSTILE = {
    "no record": ("jpeg", "not a record"),
    "no op": ({"quality": 5}, "no such step"),
    "op of another type": ({"op": ["jpeg"]}, "no such step"),
    "unknown op": ({"op": "jpg", "quality": 5}, "Did you mean 'jpeg'"),
    "code": ({"op": "__import__('os').abort()"}, "no such step"),
    "unknown field": ({"op": "jpeg", "quality": 5, "colour": 1}, "no field 'colour'"),
    "missing field": ({"op": "jpeg"}, "lacks 'quality'"),
    "quality 0": ({"op": "jpeg", "quality": 0}, "from 1 to 100"),
    "quality true": ({"op": "jpeg", "quality": True}, "from 1 to 100"),
    "quality text": ({"op": "jpeg", "quality": "90"}, "from 1 to 100"),
    "size too large": ({"op": "resize", "size": [10**9, 5], "mode": "cv2_area"}, "'size' is"),
    "size zero": ({"op": "resize", "size": [0, 5], "mode": "cv2_area"}, "'size' is"),
    "size of one": ({"op": "resize", "size": [5], "mode": "cv2_area"}, "'size' is"),
    "size of fractions": ({"op": "resize", "size": [5.5, 5], "mode": "cv2_area"}, "'size' is"),
    "mode": ({"op": "resize", "size": [5, 5], "mode": "magic"}, "'mode' is"),
    "clip": ({"op": "resize", "size": [5, 5], "mode": "cv2_area", "clip": 1}, "'clip' is"),
    "kernel no object": ({"op": "blur", "kernel": 5}, "'kernel' is 5"),
    "kernel huge": ({"op": "blur", "kernel": {**KERNEL, "size": 255}}, "larger than"),
    "kernel endless": ({"op": "blur", "kernel": {**KERNEL, "size": 10**12}}, "larger than"),
    "kernel shape": ({"op": "blur", "kernel": {**KERNEL, "shape": "heart"}}, "'shape'"),
    "kernel sigma": ({"op": "blur", "kernel": {**KERNEL, "sigma_x": -1.0}}, "sigma_x"),
    "kernel not a number": ({"op": "blur", "kernel": {**KERNEL, "sigma_x": math.nan}}, "is nan"),
    "border": ({"op": "blur", "kernel": KERNEL, "border": "moat"}, "'border' is"),
    "scale": (
        {"op": "shifted_kernel_down", "kernel_size": 25, "sigma": 1.0, "scale": 0},
        "'scale' is 0",
    ),
    "noise sigma": (
        {"op": "gaussian_noise", "kind": "white", "sigma": math.inf, "noise_seed": 1},
        "'sigma' is inf",
    ),
    "noise seed": (
        {"op": "gaussian_noise", "kind": "white", "sigma": 5.0, "noise_seed": -1},
        "'noise_seed' is -1",
    ),
    "noise seed huge": (
        {"op": "gaussian_noise", "kind": "white", "sigma": 5.0, "noise_seed": 2**64},
        "'noise_seed' is",
    ),
    "covariance missing": (
        {"op": "gaussian_noise", "kind": "correlated", "noise_seed": 1},
        "covariance",
    ),
    "covariance ragged": (
        {"op": "gaussian_noise", "kind": "correlated", "covariance": [[1], []], "noise_seed": 1},
        "covariance",
    ),
    "covariance no covariance": (
        {
            "op": "speckle_noise",
            "kind": "correlated",
            "covariance": [[-0.1, 0, 0], *COVARIANCE[1:]],
            "noise_seed": 1,
        },
        "covariance",
    ),
    "peak": ({"op": "poisson_noise", "peak": "many", "noise_seed": 1}, "'peak' is 'many'"),
    "peak 0": ({"op": "poisson_noise", "peak": 0, "noise_seed": 1}, "'peak' is 0"),
    "radius": ({"op": "unsharp", "radius": 10**9}, "'radius' is"),
    "a fortune in digits": ({"op": "jpeg", "quality": 10**400}, "'quality' is"),
    "number of digits": (
        {"op": "unsharp", "weight": 10**400, "radius": 5, "threshold": 1},
        "'weight' is",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_records_are_refused_in_one_sentence(case):
    record, words = HOSTILE[case]
    degradation = create_degradation("BSRGAN", scale=2)
    hr = picture()
    (trace,) = degradation.sample(hr, [3])
    with pytest.raises(DataError) as caught:
        degradation.replay(hr, [with_steps(trace, [record, *trace.params["steps"]])])
    message = str(caught.value)
    assert words in message and "BSRGAN" in message
    assert len(message) < 600 and "\n" not in message


def test_a_trace_without_steps_or_with_too_many():
    degradation = create_degradation("BSRGAN", scale=2)
    hr = picture()
    (trace,) = degradation.sample(hr, [3])
    with pytest.raises(DataError, match="lacks 'steps'"):
        degradation.replay(hr, [replaced(trace, params={"scale": 2, "same_size": False})])
    with pytest.raises(DataError, match="wanted a list"):
        degradation.replay(hr, [with_steps(trace, "blur")])
    with pytest.raises(DataError, match="has 65 steps"):
        degradation.replay(hr, [with_steps(trace, [{"op": "clip"}] * 65)])
    with pytest.raises(DataError, match="end with 64 x 48 pixels"):
        degradation.replay(hr, [with_steps(trace, [])])


def test_every_step_has_a_hostile_case_or_no_fields():
    tried = {
        record["op"]
        for record, _ in HOSTILE.values()
        if isinstance(record, dict) and isinstance(record.get("op"), str)
    }
    simple = {op for op, step in STEPS.items() if set(arguments_of(step).names) <= {"quality"}}
    assert set(STEPS) <= tried | simple


def test_settings_are_checked():
    for type_, arguments, words in (
        ("BSRGAN", {"jpeg_probability": 2}, "jpeg_probability is 2, wanted a number from 0 to 1"),
        (
            "BSRGAN",
            {"noise_levels": (5, 2)},
            "a list of 2 whole numbers from 0 to 255 in ascending order",
        ),
        ("BSRGANPlus", {"jpeg_qualities": (0, 95)}, "from 1 to 100"),
        ("BSRGANPlus", {"shuffle_probability": "no"}, "shuffle_probability"),
        ("RealESRGAN", {"codec": "mpeg"}, "codec is 'mpeg', wanted 'libjpeg' or"),
        ("RealESRGAN", {"first": {"blur_sigmas": (1, 2)}}, "Did you mean 'blur_sigma'"),
        (
            "RealESRGAN",
            {"second": {"noise_sigma": (3, 1)}},
            "'RealESRGAN.second.noise_sigma' is .3, 1., wanted a list of 2 numbers",
        ),
        ("RealESRGAN", {"first": {"resize_probabilities": (1, 1, 1)}}, "sum to 1"),
        (
            "RealESRGAN",
            {"first": {"kernel_sizes": (8,)}},
            "whole numbers from 1 to 101 that are odd",
        ),
        ("RealESRGAN", {"first": {"sinc_probability": -1}}, "sinc_probability"),
        (
            "RealESRGAN",
            {"first": {"resize_range": (0.2, 0.5)}},
            "resize_range.* wanted a range that holds 1",
        ),
    ):
        with pytest.raises(ConfigError, match=words):
            create_degradation({"type": type_, **arguments}, scale=2)


def test_changed_settings_are_used():
    degradation = create_degradation(
        {
            "type": "RealESRGAN",
            "first": {"noise_sigma": [7, 7], "gaussian_probability": 1},
            "second": {"blur_probability": 0},
        },
        scale=2,
    )
    for seed in range(30):
        steps = degradation.sample_one((3, 64, 64), seed).params["steps"]
        noise = [step for step in steps if step["op"] == "gaussian_noise"][0]
        assert noise["sigma"] == 7
        assert [s["op"] for s in steps[:5]] == [
            "unsharp",
            "blur",
            "resize",
            "gaussian_noise",
            "jpeg",
        ]
        assert steps[5]["op"] == "resize"


def test_poisson_peak_follows_the_levels_of_the_image():
    """Few grey levels make few photons, so stronger noise: Real-ESRGAN's own rule."""

    class Photons(PipelineDegradation):
        def plan(self, rng, size):
            return [{"op": "poisson_noise", "peak": "levels", "noise_seed": 5, "clip": False}]

    flat = torch.full((1, 1, 200, 200), 128 / 255)
    two = flat.clone()
    two[..., :100, :] = 64 / 255
    for image, peak in ((flat, 1), (two, 2)):
        part = image[..., 100:, :]
        noise = (Photons(1)(image, [0])[..., 100:, :] - part) * math.sqrt(peak)
        assert abs(float(noise.std() / part.mean().sqrt()) - 1) < 0.03


def test_traces_are_not_changed_by_applying():
    degradation = create_degradation("RealESRGAN", scale=2)
    hr = picture()
    traces = degradation.sample(hr, [9])
    before = copy.deepcopy(traces[0].params)
    degradation.replay(hr, traces)
    assert traces[0].params == before
