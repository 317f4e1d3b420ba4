"""The same samples and the same result, however a run is cut, fed or spread over processes."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch

from realdeg.cli.main import main
from realdeg.utils.component import read_component

RECIPE = "dml/dml_n8_realsr_x2"
TINY = (
    "degradation.width=4",
    "degradation.levels=1",
    "degradation.num_kernels=2",
    "degradation.kernel_size=5",
    "train_dataloader.dataset.transforms.0.patch_size=24",
    "default_hooks.checkpoint.interval=8",
)
WITHOUT_VALIDATION = ("val_cfg=None", "val_dataloader=None", "val_evaluator=None")
# Writes down what each process is fed.
WITNESS = """
import hashlib
import os
from pathlib import Path

from mmengine.hooks import Hook

from realdeg.registry import HOOKS


@HOOKS.register_module(force=True)
class Witness(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        lines = []
        for index, key in enumerate(data_batch["key"]):
            crops = data_batch["hr"][index].numpy().tobytes()
            crops += data_batch["lr"][index].numpy().tobytes()
            digest = hashlib.sha256(crops).hexdigest()
            lines.append(f"{runner.iter} {key} {data_batch['seeds'][index]} {digest}")
        file = Path(runner.work_dir) / f"seen_{os.environ.get('RANK', 0)}.txt"
        with file.open("a") as stream:
            stream.write("\\n".join(lines) + "\\n")
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "witness_plugin.py").write_text(WITNESS)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def words(folder, iterations, workers=0, *more):
    return [
        *("train", RECIPE, "--sample", "--device", "cpu", "--work-dir", folder, *more),
        *("--cfg-options", *TINY, *WITHOUT_VALIDATION, f"train_cfg.max_iters={iterations}"),
        *("custom_imports.imports=witness_plugin", "custom_hooks=[dict(type='Witness')]"),
        f"train_dataloader.num_workers={workers}",
    ]


def torchrun(here, repository, command, *arguments):
    """Run a tool in two processes that talk over the loopback device."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(here), str(repository)]),
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    launch = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", port)
    tool = str(repository / "tools" / f"{command}.py")
    done = subprocess.run(
        [sys.executable, *launch, tool, *arguments, "--launcher", "pytorch"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done


def state(folder, iteration):
    return torch.load(f"{folder}/iter_{iteration}.pth", weights_only=True)


def equal(one, two):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(equal(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(equal, one, two))
    return one == two


def seen(folder, processes=1):
    """Return the samples of each iteration, in the order of the batch."""
    samples = {}
    for rank in range(processes):
        for line in (folder / f"seen_{rank}.txt").read_text().splitlines():
            iteration, sample = line.split(" ", 1)
            samples.setdefault(int(iteration), []).append(sample)
    return samples


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_in_two_parts_is_the_run_in_one(here, workers):
    assert main(words("whole", 16, workers)) == 0
    assert main(words("parts", 8, workers)) == 0
    assert main(words("parts", 16, workers, "--resume")) == 0
    for key in ("state_dict", "optimizer"):
        assert equal(state("whole", 16)[key], state("parts", 16)[key])
    weights = [read_component(f"{run}/degradation.safetensors") for run in ("whole", "parts")]
    assert weights[0].hash == weights[1].hash
    assert seen(here / "whole") == seen(here / "parts") and len(seen(here / "whole")) == 16


def test_workers_change_nothing(here):
    for workers in (0, 1, 2):
        assert main(words(f"by_{workers}", 8, workers)) == 0
    samples = seen(here / "by_0")
    assert [len(batch) for batch in samples.values()] == [4] * 8
    assert len({sample for batch in samples.values() for sample in batch}) == 32
    for workers in (1, 2):
        assert seen(here / f"by_{workers}") == samples
        assert equal(state(f"by_{workers}", 8)["state_dict"], state("by_0", 8)["state_dict"])


@pytest.mark.slow
def test_processes_change_nothing(here, repository):
    assert main(words("one", 8)) == 0
    torchrun(here, repository, "train", *words("two", 8)[1:])
    assert seen(here / "two", processes=2) == seen(here / "one")
    # Gradients are averaged in another order: equal up to rounding.
    ours, theirs = (state(run, 8)["state_dict"] for run in ("two", "one"))
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6)
    # In a test each image is worked on alone: equal to the last bit.
    weights = "one/degradation.safetensors"
    common = (RECIPE, weights, "--sample", "--device", "cpu", "--no-pictures")
    assert main(["test", *common, "--work-dir", "one", "--cfg-options", *TINY]) == 0
    torchrun(here, repository, "test", *common, "--work-dir", "two", "--cfg-options", *TINY)
    reports = [json.loads((here / run / "test/report.json").read_text()) for run in ("one", "two")]
    assert reports[0]["mean"] == reports[1]["mean"]
    assert reports[0]["images"] == reports[1]["images"] and len(reports[0]["images"]) == 3
