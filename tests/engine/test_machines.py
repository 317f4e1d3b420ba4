"""Two machines under torchrun: two network namespaces, each with an address of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from realdeg.utils.component import read_component

RECIPE = "srcnn/srcnn_t91_x3_cpu"
pytestmark = pytest.mark.slow


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def machines() -> Iterator[dict[str, str]]:
    """Names of two namespaces that see each other, and the address of each."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need ip and root")
    mark = f"rd{os.getpid() % 100000}"
    names = {f"{mark}a": "10.213.7.1", f"{mark}b": "10.213.7.2"}
    made = []
    try:
        try:
            for name in names:
                ip("netns", "add", name)
                made.append(name)
            ip("link", "add", f"{mark}va", "type", "veth", "peer", "name", f"{mark}vb")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.decode()[:200]}")
        for letter, (name, address) in zip("ab", names.items(), strict=True):
            ip("link", "set", f"{mark}v{letter}", "netns", name)
            within = ("-n", name)
            ip(*within, "link", "set", f"{mark}v{letter}", "name", "wire")
            ip(*within, "addr", "add", f"{address}/24", "dev", "wire")
            ip(*within, "link", "set", "wire", "up")
            ip(*within, "link", "set", "lo", "up")
        yield names
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def command(folder, *options: str) -> list[str]:
    words = ["-m", "realdeg", "train", RECIPE, "--sample", "--work-dir", str(folder)]
    words += ["--device", "cpu", "--cfg-options", "train_cfg.max_iters=6"]
    return [*words, "train_dataloader.batch_size=8", "train_dataloader.num_workers=0", *options]


def run_on(machines: dict[str, str], words: list[str], environments=({}, {})) -> list:
    """Run torchrun on both, one process each, and return exit codes and what was said."""
    first = next(iter(machines.values()))
    started = []
    for number, name in enumerate(machines):
        launch = ["ip", "netns", "exec", name, sys.executable, "-m", "torch.distributed.run"]
        launch += ["--nnodes", "2", "--nproc-per-node", "1", "--node-rank", str(number)]
        launch += ["--master-addr", first, "--master-port", "29511"]
        environment = {**os.environ, "GLOO_SOCKET_IFNAME": "wire", "OMP_NUM_THREADS": "1"}
        environment |= environments[number]
        started.append(
            subprocess.Popen(
                [*launch, *words, "--launcher", "pytorch"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    return [(process.communicate(timeout=300)[0], process.returncode) for process in started]


def test_two_machines_take_the_steps_of_one(tmp_path, machines):
    options = ["seed=3"]
    alone = subprocess.run(
        [sys.executable, *command(tmp_path / "alone", *options)], capture_output=True, text=True
    )
    assert alone.returncode == 0, alone.stdout + alone.stderr
    found = run_on(machines, command(tmp_path / "both", *options))
    assert [code for _, code in found] == [0, 0], found
    assert "2 processes" in found[0][0]
    weights = [
        read_component(tmp_path / folder / "backbone.safetensors").state
        for folder in ("alone", "both")
    ]
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=0, atol=1e-6)


def test_a_machine_without_the_data_says_so_and_ends_the_other(tmp_path, machines):
    """The message of a process that was not the first was lost before they had connected."""
    words = ["-m", "realdeg", "train", RECIPE, "--work-dir", str(tmp_path / "run")]
    (tmp_path / "data").mkdir()
    words += ["--device", "cpu", "--cfg-options", f"data_root={tmp_path / 'data'}"]
    found = run_on(machines, words)
    assert all(code != 0 for _, code in found)
    # A traceback of torchrun's own follows.
    for (text, _), start in zip(found, ("error: ", "error in process 1 on "), strict=True):
        (line,) = [line for line in text.splitlines() if line.startswith(start)]
        assert "T91" in line
