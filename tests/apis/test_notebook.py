"""What objects say about themselves: ``repr``, HTML for notebooks, ``plot``, images of Pillow."""

from __future__ import annotations

import io
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import realdeg
from realdeg.apis.comparison_result import Comparison, Result
from realdeg.apis.folder import Failure
from realdeg.apis.registration_file import RegisteredPair, RegisteredPairs
from realdeg.backbones import VDSR
from realdeg.degradations.estimation import KernelEstimate, KernelField
from realdeg.diagnosis.findings import SetSummary
from realdeg.errors import DataError, OutputError
from realdeg.evaluation.alignment import measure_alignment
from realdeg.utils.image import as_array
from realdeg.utils.notebook import html_block, kernel_picture, picture_file

HOSTILE = "<script>alert('x')</script>\"&"


class Checker(HTMLParser):
    """Every element is closed, and none runs anything or loads anything."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures: list[bytes] = []

    def handle_starttag(self, tag, attrs):
        assert tag != "script"
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag == "img":
            source = dict(attrs)["src"]
            assert source.startswith("data:image/png;base64,")
            self.pictures.append(source)
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def block(thing) -> tuple[str, int]:
    """The HTML of an object, checked, and the number of its pictures."""
    text = thing._repr_html_()
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert not checker.open
    return text, len(checker.pictures)


def results(folder: Path) -> dict[str, object]:
    report = realdeg.Report(HOSTILE, "Set5 x2", checkpoint="net.safetensors", sample=True)
    report.add_scores({"psnr[y]": 31.5}, per_image=[{"key": HOSTILE, "psnr[y]": 31.5}])
    Image.new("RGB", (4, 4)).save(folder / "one.png")
    camera = {"camera": "Compose x2", "pictures": ["one.png", "../gone.png"]}
    finding = realdeg.Finding("alignment", "error", "train", f"off {HOSTILE}", "register them")
    values = {
        "residual": {"median": 0.03, "worst": 0.1},
        **{name: 1.0 for name in ("ratio", "rotation", "correlation", "sharpness", "share")},
        "gain": [1.0, 1.0, 1.1],
    }
    pairs = {"a": RegisteredPair("a", "", values), "b": RegisteredPair("b", HOSTILE)}
    scores = {"psnr": 30.0, "ssim": 0.9}
    return {
        "report": report,
        "summary": realdeg.Summary(folder, made=("a",), failed=(Failure("b", HOSTILE),)),
        "camera": realdeg.FittedCamera(
            folder,
            folder / "camera.safetensors",
            "DML",
            {"DML": 40.1},
            1.5,
            "gained no more",
            61,
            camera,
        ),
        "network": realdeg.FinetunedNetwork(
            folder,
            folder / "n.safetensors",
            scores,
            scores,
            scores,
            "real pairs",
            "time",
            60,
            {"network": HOSTILE, "pictures": []},
        ),
        "comparison": Comparison(
            "pairs",
            3,
            1,
            0,
            "rgb",
            False,
            {"lr": HOSTILE},
            {n: Result(n, {"psnr[lr]": v}) for n, v in (("AWGN", 30.0), ("DML", 31.0))},
        ),
        "diagnosis": realdeg.Diagnosis(
            HOSTILE, (SetSummary("train", "train", 3, 3, True, 2.0, False),), (finding,)
        ),
        "pairs": RegisteredPairs(folder, 2.0, False, pairs),
        "photo": realdeg.PhotoEstimate(
            HOSTILE, torch.ones(3, 3) / 9, 2.0, {"sigma": [1, 1], "seconds": 1, "notes": [HOSTILE]}
        ),
        "estimate": KernelEstimate(
            torch.ones(5, 5) / 25,
            KernelField(torch.ones(1, 5, 5) / 25, torch.ones(1, 2, 2)),
            noise=0.01,
            notes=(HOSTILE,),
        ),
    }


class TestResults:
    @pytest.mark.parametrize(
        ("name", "says", "pictures"),
        [
            ("report", "psnr[y] 31.50", 0),
            ("summary", "1 made, 0 kept", 0),
            ("camera", "FittedCamera(", 1),
            ("network", "FinetunedNetwork(", 0),
            ("comparison", "AWGN, DML with pairs, 3 images", 0),
            ("diagnosis", "error: off", 0),
            ("pairs", "1 pair, scale 2, LR smaller than HR", 0),
            ("photo", "kernel 3 x 3", 1),
            ("estimate", "kernel 5 x 5", 5),
        ],
    )
    def test_repr_is_short_and_html_is_escaped(self, tmp_path, name, says, pictures):
        thing = results(tmp_path)[name]
        assert says in repr(thing)
        assert len(repr(thing)) < 600
        text, found = block(thing)
        assert found == pictures
        assert "alert(" not in text or "&lt;script&gt;" in text

    def test_best_of_a_comparison_is_marked_in_both_tables(self, tmp_path):
        comparison = results(tmp_path)["comparison"]
        assert "31.00 ★" in block(comparison)[0]
        assert "**31.00**" in "\n".join(comparison.table())

    def test_many_rows_are_counted(self):
        summary = realdeg.Summary(Path("x"), failed=tuple(Failure(str(i), "no") for i in range(25)))
        assert "and 5 more" in block(summary)[0]

    def test_only_pictures_are_taken_for_pictures(self, tmp_path):
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1 << 20))
        (tmp_path / "b.png").write_bytes(b"<svg>")
        for name in ("a.png", "b.png", "none.png"):
            assert picture_file(tmp_path / name, "") == []

    def test_a_kernel_without_weights_can_be_drawn(self):
        shown = Image.open(io.BytesIO(kernel_picture(np.zeros((3, 3)), "").png))
        assert shown.size == (96, 96)
        assert html_block("", pictures=[kernel_picture(np.zeros((3, 3)), HOSTILE)])


class TestComponents:
    def test_repr_of_modules_keeps_arguments_and_layers(self):
        assert repr(realdeg.create_degradation("AWGN", scale=2, sigma=5)) == (
            "AWGN(scale=2, same_size=False, sigma=5, clip=True, luma=None)"
        )
        text = repr(VDSR.example())
        assert "depth=" in text
        assert "Conv2d" in text

    def test_blocks_of_components(self):
        camera = realdeg.create_degradation("SampleCamera")
        assert "SampleCamera x4" in block(camera)[0]
        assert block(realdeg.create_degradation("DML", scale=2))[1] == 8
        network = VDSR.example()
        assert "parameters" in block(network)[0]
        resolver = realdeg.SuperResolver(network, self_ensemble=True)
        assert "self_ensemble=True" in repr(resolver)
        assert "VDSR x2" in block(resolver)[0]
        degrader = realdeg.Degrader("AWGN", scale=2)
        assert repr(degrader).startswith("Degrader(AWGN x2")
        assert "colour" in block(degrader)[0]

    @pytest.mark.parametrize("name", ["AWGN", "SRMD", "BSRGAN", "RealESRGAN"])
    def test_a_trace_shows_what_was_drawn(self, name):
        degrader = realdeg.Degrader(name, scale=2)
        _, trace = degrader.degrade(np.zeros((48, 48, 3), np.uint8), seed=3)
        assert repr(trace).startswith(f"Trace({name}")
        text, _ = block(trace)
        for step in trace.params.get("steps", ()):
            assert step["op"] in text

    def test_kernels_and_parts_of_a_trace_are_drawn(self):
        inner = realdeg.Trace("KernelPool", {"kernel": np.ones((3, 3)) / 9})
        steps = [{"op": "blur", "kernel": np.ones((3, 3)) / 9}]
        text, pictures = block(realdeg.Trace("Compose", {"steps": steps}, (3, 8, 8), (inner,)))
        assert pictures == 2
        assert "1 KernelPool: kernel" in text


class TestPlot:
    def test_of_a_field_of_kernels(self):
        camera = realdeg.create_degradation("SampleCamera", scale=2)
        figure = camera.plot(seed=1, points=[(3, 4), (90, 80)])
        # HR, LR and a kernel for each point.
        assert len(figure.axes) == 4
        picture = Image.open(io.BytesIO(figure._repr_png_()))
        assert min(picture.size) > 200

    def test_of_a_photo_in_any_form(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, (33, 41, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "a.png")
        blur = realdeg.create_degradation("SRMD", scale=2)
        made = []
        for image in (pixels, Image.fromarray(pixels), tmp_path / "a.png"):
            figure = blur.plot(image)
            assert len(figure.axes) == 3  # one kernel, which the trace states
            made.append(np.asarray(figure.axes[1].images[0].get_array()))
        assert made[0].shape == (16, 20, 3)
        assert (made[0] == made[1]).all()
        assert (made[0] == made[2]).all()

    def test_of_what_has_no_kernel(self):
        assert len(realdeg.create_degradation("AWGN", scale=2).plot(np.zeros((8, 8))).axes) == 2

    def test_a_point_outside_is_refused(self):
        camera = realdeg.create_degradation("SampleCamera", scale=2)
        with pytest.raises(DataError, match=r"\(96, 0\) lies outside of LR, which has 96 x 96"):
            camera.plot(points=[(96, 0)])

    def test_without_matplotlib_one_sentence(self, monkeypatch):
        for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        noise = realdeg.create_degradation("AWGN", scale=2)
        assert block(noise)[0]
        with pytest.raises(OutputError, match=r"^figures are drawn by matplotlib.*install '.*'\.$"):
            noise.plot()


class TestPillow:
    @pytest.mark.parametrize(
        ("mode", "shape", "dtype"),
        [
            ("1", (2, 3), "uint8"),
            ("L", (2, 3), "uint8"),
            ("LA", (2, 3, 2), "uint8"),
            ("P", (2, 3, 3), "uint8"),
            ("RGB", (2, 3, 3), "uint8"),
            ("RGBA", (2, 3, 4), "uint8"),
            ("CMYK", (2, 3, 3), "uint8"),
            ("YCbCr", (2, 3, 3), "uint8"),
            ("I;16", (2, 3), "uint16"),
            ("I", (2, 3), "uint16"),
            ("F", (2, 3), "float32"),
        ],
    )
    def test_modes(self, mode, shape, dtype):
        array = as_array(Image.new(mode, (3, 2)))
        assert array.shape == shape
        assert array.dtype == dtype

    def test_transparent_palette_and_orientation(self):
        picture = Image.new("P", (3, 2))
        picture.info["transparency"] = 0
        assert as_array(picture).shape == (2, 3, 4)
        turned = Image.new("RGB", (3, 2))
        turned.getexif()[274] = 6
        assert as_array(turned).shape == (3, 2, 3)

    def test_what_is_no_image_is_refused(self):
        with pytest.raises(DataError, match="up to 70000|0 to 70000|to 70000"):
            as_array(Image.new("I", (2, 2), 70000))
        with pytest.raises(DataError, match="numpy array of H x W x C or a PIL image, got list"):
            as_array([1])

    def test_functions_take_both_kinds_alike(self):
        pixels = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
        picture = Image.fromarray(pixels)
        degrader = realdeg.Degrader("AWGN", scale=2)
        lr, trace = degrader.degrade(picture, seed=1)
        assert (lr == degrader.degrade(pixels, seed=1)[0]).all()
        assert (degrader.replay(picture, trace) == lr).all()
        resolver = realdeg.SuperResolver(VDSR.example())
        small = Image.fromarray(lr)
        assert (resolver.upscale(small) == resolver.upscale(lr)).all()
        assert measure_alignment(picture, small, 2) == measure_alignment(pixels, lr, 2)

    def test_estimates_and_previews(self, tmp_path):
        picture = Image.effect_noise((48, 40), 20)
        found = realdeg.estimate_degradation(
            [picture, np.array(picture)], scale=2, estimator="PoolKernel", progress=False
        )
        assert [one.name for one in found] == ["image", "image_2"]
        (alone,) = realdeg.estimate_degradation(
            picture, scale=2, estimator="PoolKernel", progress=False
        )
        assert alone.noise == found[0].noise == found[1].noise
        made = realdeg.preview("AWGN", picture, tmp_path / "p.png", scale=2, count=1)
        assert made.files[0].is_file()
