"""pyiqa's metrics: how they are called, what happens without them, and ours beside theirs.

A stand-in plays the package where it has to download weights; what the package computes without
any is compared where it is installed.
"""

from __future__ import annotations

import os
import sys
from importlib import metadata
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import torch

import realdeg
from realdeg.errors import ConfigError
from realdeg.evaluation import ImageQuality, PyIQA, Report
from realdeg.evaluation.metrics import gmsd, ms_ssim, psnr, ssim
from realdeg.utils.image import as_rgb, read_image, to_tensor, write_image

installed = pytest.mark.skipif(find_spec("pyiqa") is None, reason="pyiqa is not installed")


def sample(key="a", size=(20, 24), seed=0):
    generator = torch.Generator().manual_seed(seed)
    prediction, target = torch.rand(2, 3, *size, generator=generator)
    return {"key": key, "prediction": prediction, "target": target, "scale": 4, "meta": {}}


class StandIn:
    """A metric: the mean of an image, or of the difference of two."""

    def __init__(self, mode):
        self.metric_mode = mode

    def __call__(self, *images):
        assert len(images) == (2 if self.metric_mode == "FR" else 1)
        for image in images:
            assert image.dtype == torch.float32 and image.shape[:2] == (1, 3)
            assert torch.equal(image * 255, (image * 255).round())  # as a file would hold it
        if min(images[0].shape[-2:]) < 16:
            raise RuntimeError("kernel size cannot be greater than the input")
        value = images[0] if len(images) == 1 else images[0] - images[1]
        return value.double().mean()[None]


@pytest.fixture
def package(monkeypatch):
    made = []

    def create_metric(name, device=None, **options):
        if name == "musiq":
            raise OSError("<urlopen error [Errno -2] Name or service not known>")
        if set(options) - {"test_y_channel"}:
            raise TypeError("got an unexpected keyword argument 'wrong'")
        made.append((name, device, options, os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD")))
        return StandIn("FR" if name in ("dists", "lpips") else "NR")

    names = ["niqe", "brisque", "piqe", "musiq", "clipiqa", "dists", "lpips", "fid"]
    fake = SimpleNamespace(
        __version__="9.8", create_metric=create_metric, list_models=lambda: names, made=made
    )
    monkeypatch.setitem(sys.modules, "pyiqa", fake)
    return fake


def test_images_are_measured_and_labelled_with_the_version(package):
    metric = PyIQA(["niqe", "dists"])
    metric.process(None, [sample("a"), sample("b", seed=1)])
    found = metric.evaluate(2)
    assert set(found) == {"niqe[pyiqa-9.8]", "dists[pyiqa-9.8]"}
    rounded = [
        (sample(seed=s)[side] * 255 + 0.5).floor().double().mean() / 255
        for s in (0, 1)
        for side in ("prediction", "target")
    ]
    assert found["niqe[pyiqa-9.8]"] == pytest.approx(float(rounded[0] + rounded[2]) / 2, abs=1e-6)
    difference = float(rounded[0] - rounded[1] + rounded[2] - rounded[3]) / 2
    assert found["dists[pyiqa-9.8]"] == pytest.approx(difference, abs=1e-6)
    assert [scores.key for scores in metric.per_image] == ["a", "b"]


def test_torch_reads_only_tensors_while_a_metric_is_made(package, monkeypatch):
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", raising=False)
    PyIQA(["niqe"])
    assert package.made == [("niqe", "cpu", {}, "1")]
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


def test_the_setting_stops_a_pickle_that_asks_to_be_run(tmp_path, package):
    """What the variable promises holds for this torch: weights_only=False does not win."""
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (open, (str(ran), "w"))

    torch.save(Evil(), tmp_path / "weights.pth")

    def create_metric(name, device=None):
        return torch.load(tmp_path / "weights.pth", weights_only=False)

    package.create_metric = create_metric
    metric = PyIQA(["niqe"])
    assert not ran.exists()
    metric.process(None, [sample()])
    metric.evaluate(1)
    assert "could not make it: UnpicklingError" in metric.missing["niqe[pyiqa-9.8]"]


def test_what_cannot_be_downloaded_is_missing_and_the_rest_is_measured(package):
    metric = PyIQA(["musiq", "piqe"])
    metric.process(None, [sample()])
    assert set(metric.evaluate(1)) == {"piqe[pyiqa-9.8]"}
    assert "Name or service not known" in metric.missing["musiq[pyiqa-9.8]"]


def test_an_image_that_cannot_be_measured_is_named(package):
    metric = PyIQA(["niqe"])
    metric.process(None, [sample("large"), sample("small", size=(8, 8))])
    assert metric.evaluate(2) == {}
    assert "'small' could not be measured: RuntimeError" in metric.missing["niqe[pyiqa-9.8]"]


def test_luma_alone_is_not_measured(package):
    metric = PyIQA(["niqe"])
    only_y = sample() | {"prediction": torch.rand(1, 20, 24)}
    metric.process(None, [only_y])
    assert metric.evaluate(1) == {} and "only Y" in metric.missing["niqe[pyiqa-9.8]"]
    metric.process(None, [only_y | {"prediction_rgb": torch.rand(3, 20, 24)}])
    assert metric.evaluate(1)


def test_options_are_in_the_label(package):
    metric = PyIQA(["niqe"], options={"test_y_channel": True})
    assert metric.labels == ("niqe[pyiqa-9.8,test_y_channel=True]",)
    with pytest.raises(ConfigError, match="'niqe' refuses .*wrong"):
        PyIQA(["niqe"], options={"wrong": 1})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(metrics=["niqq"]), "'niqq' does not exist. Did you mean 'niqe'"),
        (dict(metrics=["fid"]), "'fid' measures sets"),
        (dict(metrics=[]), "list of different names"),
        (dict(metrics=["niqe", "niqe"]), "list of different names"),
        (dict(protocol="rgb"), "protocol"),
    ],
)
def test_refusals(package, arguments, message):
    with pytest.raises(ConfigError, match=message):
        PyIQA(**arguments)


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    metric = PyIQA(["niqe"])
    metric.process(None, [sample()])
    assert metric.evaluate(1) == {}
    assert metric.missing == {"niqe[pyiqa]": "pyiqa is not installed: pip install 'realdeg[iqa]'."}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModuleNotFoundError("No module named 'timm'", name="timm"), "pyiqa needs timm"),
        (RuntimeError("operator torchvision::nms does not exist"), "has to match torch"),
    ],
)
def test_a_package_that_cannot_be_imported(monkeypatch, error, reason):
    def fail(name):
        raise error

    monkeypatch.setattr("realdeg.evaluation.iqa.importlib.import_module", fail)
    metric = PyIQA(["niqe"])
    metric.process(None, [sample()])
    metric.evaluate(1)
    assert reason in metric.missing["niqe[pyiqa]"]


def test_in_a_report_and_in_scores_of_folders(package, tmp_path):
    for name, seed in (("pred", 0), ("gt", 1)):
        pixels = (sample(seed=seed)["prediction"] * 255).byte().permute(1, 2, 0).numpy()
        write_image(tmp_path / name / "a.png", pixels)
    report = realdeg.score_folders(
        tmp_path / "pred", tmp_path / "gt", protocol=["rgb", "stablesr-testsets"],
        metrics=["psnr", "niqe", "pyiqa/lpips"], work_dir=tmp_path / "out",
    )  # fmt: skip
    assert isinstance(report, Report)
    assert list(report.averages) == [
        *("psnr[rgb]", "psnr[stablesr-testsets]", "niqe[pyiqa-9.8]", "lpips[pyiqa-9.8]")
    ]
    assert "create_metric of pyiqa 9.8, its defaults" in report.meanings["pyiqa-9.8"]
    read = realdeg.read_run(tmp_path / "out").reports[0]
    assert read.protocols["pyiqa-9.8"]["version"] == "9.8"


@pytest.fixture(scope="module")
def calibration():
    """The pairs that pyiqa carries, by name: distorted and reference, RGB in [0, 1]."""
    files = metadata.files("pyiqa") or []
    found = {}
    for file in files:
        if file.parts[:2] == ("ResultsCalibra", "dist_dir"):
            both = file.locate(), file.locate().parents[1] / "ref_dir" / file.name
            found[file.stem] = [to_tensor(as_rgb(read_image(path))) for path in both]
    if not found:
        pytest.skip("this pyiqa carries no pairs")
    return found


def luma(image):
    """Luma of YIQ, 0..255 and rounded, as pyiqa's defaults and the authors' rgb2gray have it."""
    red, green, blue = image.double()
    return (0.299 * red + 0.587 * green + 0.114 * blue).mul(255).round()[None]


# ResultsCalibra/calibration_summary.csv of chaofengc/IQA-PyTorch, commit 065c2b7: what the original
# MATLAB programs give.
OFFICIAL = {
    "psnr": (21.11, 20.99, 27.01, 23.30, 21.62),
    "ssim": (0.6993, 0.9978, 0.9989, 0.9669, 0.6519),
    "ms_ssim": (0.6733, 0.9996, 0.9998, 0.9566, 0.8462),
    "gmsd": (0.2203, 0.0005, 0.0004, 0.1346, 0.2050),
}
SIDES = ("prediction", "target")
PAIRS = ("I03", "I04", "I06", "I08", "I19")


@installed
@pytest.mark.parametrize("name", OFFICIAL)
def test_ours_are_the_official_values(calibration, name):
    functions = {
        "psnr": lambda x, y: psnr(x * 255, y * 255, peak=255),
        "ssim": lambda x, y: ssim(luma(x), luma(y), data_range=255),
        "ms_ssim": lambda x, y: ms_ssim(luma(x), luma(y), data_range=255),
        "gmsd": lambda x, y: gmsd(luma(x), luma(y), data_range=255),
    }
    found = [functions[name](*calibration[pair]) for pair in PAIRS]
    # Of MS-SSIM pyiqa's own values in that table (.6707 and .8418) are as far from the official.
    limit = {"psnr": 0.005, "ms_ssim": 0.005}.get(name, 5e-4)
    assert found == pytest.approx(OFFICIAL[name], abs=limit)


@installed
def test_ours_are_pyiqas_under_its_protocol(calibration):
    options = {"test_y_channel": True, "color_space": "ycbcr"}
    theirs = PyIQA(["psnr", "ssim", "ms_ssim"], options=options)
    ours = ImageQuality("stablesr-testsets", ["psnr", "ssim", "ms_ssim"])
    for metric in (theirs, ours):
        for key, (distorted, reference) in calibration.items():
            metric.process(None, [{"key": key, "prediction": distorted, "target": reference}])
    # Of almost equal images the 1e-8 that pyiqa adds to the error is worth 0.03 dB.
    limits = {"psnr": 0.03, "ssim": 2e-6, "ms_ssim": 2e-6}
    assert not theirs.missing
    for mine, other in zip(ours.results, theirs.results, strict=True):
        for (label, (value,)), (told, (wanted,)) in zip(
            mine.samples.items(), other.samples.items(), strict=True
        ):
            assert told.startswith(label.partition("[")[0])
            assert value == pytest.approx(wanted, abs=limits[label.partition("[")[0]])


@installed
def test_piqe_needs_no_weights(calibration):
    """The official values of the same table: 100, 21.62, 35.86, 41.15, 76.95."""
    metric = PyIQA(["piqe"])
    for key in PAIRS:
        metric.process(None, [{"key": key, **dict(zip(SIDES, calibration[key], strict=True))}])
    found = [scores.samples[metric.labels[0]][0] for scores in metric.results]
    assert found == pytest.approx([100, 21.62, 35.86, 41.15, 76.95], abs=0.01)
