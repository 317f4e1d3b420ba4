"""Whatever ends a test, what it had measured is in its report."""

import json
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric

from realdeg.cli.main import main
from realdeg.datasets import HRFolderDataset, PairedFolderDataset, has_lr, simulated_camera
from realdeg.errors import DataError
from realdeg.registry import DATASETS, METRICS
from realdeg.utils.colour import rgb_to_y
from realdeg.utils.image import write_image


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def picture(seed, size=48, channels=3):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (size // 8, size // 8, channels), dtype=np.uint8)
    return coarse.repeat(8, 0).repeat(8, 1)


@pytest.fixture
def pairs(here):
    """Five pairs on the HR grid, named as City100 names its."""
    for number in range(1, 6):
        write_image(here / f"pairs/00{number}H.PNG", picture(number))
        noise = np.random.default_rng(99).integers(0, 8, (48, 48, 3), dtype=np.uint8)
        write_image(here / f"pairs/00{number}L.PNG", picture(number) // 2 + noise)
    return here / "pairs"


def measure_degradation(*options, pictures=False, metrics=None):
    chosen = "{'type': 'City100Dataset', 'folder': 'pairs', 'ids': '1-5'}"
    told = [f"test_evaluator.metrics={metrics}"] if metrics else []
    words = [
        "test",
        "global_kernel/global_kernel_realsr_x4",
        "--device",
        "cpu",
        "--work-dir",
        "out",
    ]
    words += [] if pictures else ["--no-pictures"]
    return main(
        [
            *words,
            "--cfg-options",
            f"data_root={os.getcwd()}",
            "degradation=Bicubic",
            f"test_dataloader.dataset={chosen}",
            "test_dataloader.num_workers=0",
            *told,
            *options,
        ]
    )


def report():
    return json.loads(open("out/test/report.json", encoding="utf-8").read())


@pytest.mark.parametrize("named", ["GlobalKernel", "Bicubic"])
def test_the_name_of_a_real_camera_is_no_camera(pairs, named):
    # City100's `camera` is "iPhoneX"; kernels were asked of it, after all had been measured.
    if named == "Bicubic":
        assert measure_degradation(pictures=True) == 0
    else:
        from realdeg.degradations import GlobalKernel

        kernel = GlobalKernel(4, True, kernel_size=5)
        kernel.mark_trained()
        kernel.save("kernel.safetensors")
        assert measure_degradation("degradation=kernel.safetensors", pictures=True) == 0
        assert (pairs.parent / "out/test/kernels.png").is_file()
    found = report()
    assert found["complete"] is True and len(found["images"]) == 5
    assert math.isfinite(found["mean"]["psnr[lr-fidelity]"])


@DATASETS.register_module(force=True)
class OddlyNamed(PairedFolderDataset):
    """Attributes that are called as ours are, and hold something else."""

    camera = simulated_camera = summary = check = has_lr = "a string"


def test_attributes_of_any_data_set_may_be_anything(pairs):
    os.makedirs("hr")
    os.makedirs("lr")
    for number in range(1, 6):
        os.rename(f"pairs/00{number}H.PNG", f"hr/{number}.png")
        os.rename(f"pairs/00{number}L.PNG", f"lr/{number}.png")
    chosen = "{'type': 'OddlyNamed', 'hr_dir': 'hr', 'lr_dir': 'lr'}"
    assert measure_degradation(f"test_dataloader.dataset={chosen}", pictures=True) == 0
    assert report()["complete"] is True
    dataset = OddlyNamed("hr", "lr", data_root=os.getcwd(), same_size=True)
    assert simulated_camera(dataset) is None and has_lr(dataset) is True


@METRICS.register_module(force=True)
class EndsAt(BaseMetric):
    """Does something to the test at one of its images, or when all are measured."""

    default_prefix = ""

    def __init__(self, image=None, what="crash"):
        super().__init__()
        self.image, self.what = image, what

    def process(self, data_batch, data_samples):
        self.results.append(1)
        if len(self.results) == self.image:
            self.end()

    def compute_metrics(self, results):
        self.end() if self.image is None else None
        return {}

    def end(self):
        if self.what == "crash":
            raise RuntimeError("an unforeseen fault")
        if self.what == "refuse":
            raise DataError("this image does not fit.")
        if self.what == "interrupt":
            raise KeyboardInterrupt
        if self.what == "term":
            os.kill(os.getpid(), signal.SIGTERM)
        if self.what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)


def ending(image, what):
    quality = "{'type': 'ImageQuality', 'protocol': 'benchmark-y', 'metrics': ['psnr']}"
    return f"[{quality}, {{'type': 'EndsAt', 'image': {image}, 'what': '{what}'}}]"


@pytest.fixture(autouse=True)
def every_image(monkeypatch):
    """Write after each image, however fast these are."""
    monkeypatch.setattr("realdeg.apis.measuring._SHARE", 1e9)


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [
        ("crash", 1, "RuntimeError: an unforeseen fault"),
        ("refuse", 2, "this image does not fit."),
        ("interrupt", 130, "interrupted."),
    ],
)
def test_what_was_measured_before_a_crash_is_kept(pairs, capsys, what, code, said):
    assert measure_degradation(metrics=ending(4, what)) == code
    found = report()
    assert found["complete"] is False and said in found["unfinished"]
    # The image at which it ended was measured by the first metric, but not taken over.
    assert [image["key"] for image in found["images"]] == ["001", "002", "003"]
    values = [image["psnr[benchmark-y]"] for image in found["images"]]
    assert found["mean"]["psnr[benchmark-y]"] == pytest.approx(sum(values) / 3)
    text = open("out/test/report.md", encoding="utf-8").read()
    assert "INCOMPLETE: 3 of 5 images" in text and "Mean so far" in text
    heard = capsys.readouterr().err
    assert "3 of 5 images are measured: kept in out/test/report.md" in heard
    # Another test of the same folder replaces it.
    assert measure_degradation() == 0 and report()["complete"] is True


def test_a_crash_after_the_last_image_loses_nothing(pairs, monkeypatch, capsys):
    assert measure_degradation(metrics=ending(None, "crash")) == 1
    found = report()
    assert len(found["images"]) == 5 and math.isfinite(found["mean"]["psnr[benchmark-y]"])
    assert found["complete"] is False and "unforeseen" in found["unfinished"]

    def fail(*_):
        raise RuntimeError("no kernels today")

    monkeypatch.setattr("realdeg.apis.measuring._add_kernel_errors", fail)
    assert measure_degradation() == 1
    found = report()
    assert len(found["images"]) == 5 and "psnr[lr-fidelity]" in found["mean"]
    assert found["complete"] is False and "no kernels today" in found["unfinished"]


def test_an_ended_test_says_what_ended_it_and_leaves(pairs, capsys):
    with pytest.raises(SystemExit) as left:
        measure_degradation(metrics=ending(2, "term"))
    assert left.value.code == 128 + signal.SIGTERM
    found = report()
    assert len(found["images"]) == 2 and "stopped by SIGTERM" in found["unfinished"]
    assert "2 of 5 images are measured: kept in" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_killed_test_leaves_a_whole_report_that_is_marked(pairs, repository):
    script = (
        "import sys\n"
        "from tests.cli import test_measuring as t\n"
        "import realdeg.apis.measuring as m\n"
        "m._SHARE = 1e9\n"
        "t.measure_degradation(metrics=t.ending(4, 'kill'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    found = report()
    assert found["complete"] is False and len(found["images"]) == 3
    assert "3 of 5 images are measured when this was written" in found["unfinished"]


def test_files_are_not_written_more_often_than_they_are_worth(pairs, monkeypatch):
    from realdeg.evaluation import Report

    written = []
    write = Report.write
    monkeypatch.setattr(
        Report, "write", lambda self, folder: written.append(1) or write(self, folder)
    )
    monkeypatch.setattr("realdeg.apis.measuring._SHARE", 1e-9)
    assert measure_degradation() == 0
    # The first image, the means, the end.
    assert len(written) == 3


def test_two_numbers_of_one_name_are_refused_before_the_work(pairs, capsys):
    one = "{'type': 'ImageQuality', 'protocol': 'benchmark-y'}"
    twice = f"[{one}, {one}]"
    assert measure_degradation(metrics=twice) == 2
    assert "two metrics of one evaluator measure 'psnr[benchmark-y]'" in capsys.readouterr().err
    assert not os.path.exists("out/test/report.json")


def test_a_card_quotes_no_report_of_a_test_that_did_not_end(pairs):
    from realdeg.export.card import read_numbers

    assert measure_degradation(metrics=ending(4, "crash")) == 1
    with pytest.raises(DataError, match="unfinished test"):
        read_numbers("out/test/report.json", "0" * 64)


HR_ONLY = {
    "ircnn/ircnn_noise15_x1": {"backbone.width": 4},
    "ircnn/ircnn_noise15_x1_cpu": {"backbone.width": 4},
    "pixel_recursive_sr/pixel_recursive_sr_celeba32_x4": {
        "backbone.layers": 1,
        "backbone.features": 4,
        "backbone.hidden": 8,
        "backbone.cond_features": 4,
        "backbone.cond_blocks": 1,
    },
    "wavelet_srnet/wavelet_srnet_celeba128_x4": {
        "backbone.widths": [4, 6],
        "backbone.num_blocks": 1,
        "backbone.band_width": 2,
    },
}


def network_on_hr(name, sizes, *options, work_dir="out", size=16):
    """Test an untrained network, of the file that it is in, on images without LR."""
    from realdeg.config import inject, load_config
    from realdeg.registry import TASKS

    torch.manual_seed(0)
    TASKS.build(inject(load_config(name, sizes)).model.to_dict()).export("net.safetensors", {})
    for number in range(2):
        write_image(f"hr/{number}.png", picture(number, size))
    chosen = "{'type': 'HRFolderDataset', 'folder': 'hr', 'transforms': [{'type': 'PackSample'}]}"
    return main(
        [
            *("test", name, "net.safetensors", "--device", "cpu", "--work-dir", work_dir),
            "--cfg-options",
            f"data_root={os.getcwd()}",
            f"test_dataloader.dataset={chosen}",
            "test_dataloader.num_workers=0",
            *(f"{key}={value}" for key, value in sizes.items()),
            *options,
        ]
    )


@pytest.mark.parametrize("name", HR_ONLY)
def test_a_network_is_tested_on_images_without_lr(here, name):
    # The degradation used to be dropped for every network.
    size = {"ircnn": 16, "pixel": 24, "wavelet": 32}[name.partition("_")[0].partition("/")[0]]
    assert network_on_hr(name, HR_ONLY[name], size=size) == 0
    found = report()
    assert found["complete"] and found["facts"]["LR"].startswith("made of HR by ")
    assert network_on_hr(name, HR_ONLY[name], work_dir="again", size=size) == 0
    again = json.loads(open("again/test/report.json", encoding="utf-8").read())
    assert again["images"] == found["images"] and again["mean"] == found["mean"]
    if "ircnn" in name:  # another seed is other noise
        assert network_on_hr(name, HR_ONLY[name], "seed=5", work_dir="other") == 0
        other = json.loads(open("other/test/report.json", encoding="utf-8").read())
        assert other["images"] != found["images"]


def test_images_without_lr_and_without_a_degradation_are_told_apart(here, capsys):
    name = "ircnn/ircnn_noise15_x1_cpu"
    assert network_on_hr(name, HR_ONLY[name], "degradation=None") == 2
    assert "the config has no degradation" in capsys.readouterr().err


def test_noise_for_a_network_of_luma_has_its_strength(here):
    """sigma 15 in luma; the luma of three channels' noise would have 8.6."""
    from realdeg.datasets import collate_batch
    from realdeg.tasks import SuperResolution

    for name, pixels in (("colour", picture(0, 256)), ("grey", picture(0, 256, 1))):
        write_image(here / f"{name}/0.png", pixels)
        data = HRFolderDataset(name, data_root=here, scale=1, same_size=True)
        batch = collate_batch([data[0]])
        assert batch["meta"][0].get("grey", False) == (name == "grey")
        noise = dict(type="AWGN", sigma=15, clip=False)
        network = dict(type="IRCNN", width=4)
        task = SuperResolution(network, noise, scale=1, same_size=True, quantise=False).eval()
        for parameter in task.backbone.parameters():  # the network that changes nothing
            parameter.data.zero_()
        with torch.no_grad():
            (made,) = task.predict(batch)
            training = task.low_resolution(batch)
        target = batch["hr"][0]
        luma = target[:1] if name == "grey" else rgb_to_y(target)
        assert float((made["prediction"] - luma).std()) * 255 == pytest.approx(15, rel=0.02)
        assert torch.equal(made["prediction"], training[0])  # as in training
        if name == "grey":
            assert all(
                torch.equal(made["prediction_rgb"][i], made["prediction"][0]) for i in (0, 2)
            )


def test_weights_of_another_project_are_measured_or_told_what_to_say(here, capsys):
    """BasicSR's files used to end in an AttributeError."""
    from realdeg import create_backbone
    from realdeg.backbones import load_weights

    name, sizes = "ircnn/ircnn_noise15_x1_cpu", HR_ONLY["ircnn/ircnn_noise15_x1_cpu"]
    assert network_on_hr(name, sizes) == 0
    network = create_backbone("IRCNN", 1, same_size=True, width=4)
    load_weights(network, "net.safetensors")
    torch.save({"params": network.state_dict()}, "params.pth")
    torch.save({"params": create_backbone("SRCNN", 2).state_dict()}, "other.pth")
    words = ["--device", "cpu", "--no-pictures", "--work-dir", "again", "--cfg-options"]
    words += [f"data_root={os.getcwd()}", "test_dataloader.num_workers=0", "backbone.width=4"]
    words.append("test_dataloader.dataset={'type': 'HRFolderDataset', 'folder': 'hr'}")
    assert main(["test", name, "params.pth", *words]) == 0
    again = json.loads(open("again/test/report.json", encoding="utf-8").read())
    assert again["mean"] == report()["mean"]
    capsys.readouterr()
    assert main(["test", name, "other.pth", *words]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: ") and "backbone.checkpoint=FILE" in said
