"""FSSR from its first command to its last: DSGAN, then ESRGAN-FS on the LR that DSGAN makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from realdeg import create_degradation
from realdeg.cli.main import main
from realdeg.utils.component import read_component

FIRST = "dsgan/dsgan_realsrv3crops_x4_cpu"
STARTS = ("rrdbnet/rrdbnet_t91_x4_cpu", "rrdbnet/esrgan_t91_x4_cpu")
SMALL = {"num_blocks": 1, "num_features": 8, "growth": 4}


def train(name, **options):
    settings = {"train_cfg.max_iters": 2, "batch_size": 2, "train_dataloader.num_workers": 0}
    settings |= {f"backbone.{key}": value for key, value in SMALL.items() if name != FIRST}
    told = [f"{key}={value!r}" for key, value in {**settings, **options}.items()]
    assert main(["train", name, "--sample", "--device", "cpu", "--cfg-options", *told]) == 0
    return Path("work_dirs") / name.partition("/")[2]


@pytest.mark.slow
@pytest.mark.parametrize("domain", ["sdsr", "tdsr"])
def test_the_commands_of_the_page(domain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = train(FIRST)
    dsgan = create_degradation(folder / "degradation.safetensors")
    for name in STARTS:
        train(name)
    second = f"esrgan_fs/esrgan_fs_{domain}_realsrv3crops_x4_cpu"
    data = {}
    if domain == "tdsr":  # the sample's images are smaller than the crops before the reduction
        data = {"train_dataloader.dataset.transforms.0.patch_size": 128}
        data |= {"train_dataloader.dataset.transforms.2.patch_size": 64}
    run = train(second, **data)
    notes = read_component(run / "backbone.safetensors").meta
    assert notes["degradation"]["hash"] == dsgan.hash() and notes["degradation"]["type"] == "DSGAN"
    weights = str(run / "backbone.safetensors")
    test = ["test", second, weights, "--sample", "--no-pictures", "--device", "cpu"]
    told = [f"backbone.{key}={value}" for key, value in SMALL.items()]
    assert main([*test, "--work-dir", "tested", "--cfg-options", *told]) == 0
    assert (Path("tested") / "test" / "report.json").exists()
