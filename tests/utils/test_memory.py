"""What counts as a shortage of memory, and how much of it there is."""

from __future__ import annotations

import errno
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from realdeg.cli.main import main
from realdeg.errors import MemoryShortageError
from realdeg.utils import memory
from realdeg.utils.memory import available_memory, is_out_of_memory, memory_for

SHORTAGES = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
    RuntimeError(
        "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"
    ),
    RuntimeError("could not create a primitive"),
    RuntimeError("could not create a memory object"),
    RuntimeError("could not execute a primitive"),
    RuntimeError("std::bad_alloc"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    MemoryShortageError("memory ran out"),
]


@pytest.mark.parametrize("error", SHORTAGES, ids=str)
def test_what_allocators_say_is_known(error):
    assert is_out_of_memory(error)
    with pytest.raises(MemoryShortageError), memory_for("it", "Take less."):
        raise error


def test_arrays_that_are_too_large_are_known_too():
    for function in (lambda: np.empty(1 << 60, np.uint8), lambda: torch.empty(1 << 60)):
        with pytest.raises((MemoryError, RuntimeError)) as raised:
            function()
        assert is_out_of_memory(raised.value)
    error = cv2.error("OpenCV(4.8.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to ...")
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("a bug"), OSError(errno.ENOSPC, "full"), ValueError("shape"), KeyError("a")],
)
def test_other_errors_are_not_taken_for_it(error):
    assert not is_out_of_memory(error)
    with pytest.raises(type(error)), memory_for("it", "Take less."):
        raise error


@pytest.mark.parametrize("error", SHORTAGES, ids=str)
def test_a_command_that_runs_out_of_memory_says_one_sentence(monkeypatch, capsys, error):
    from realdeg.cli import listing

    def run(args):
        raise error

    monkeypatch.setattr(listing, "run", run)
    assert main(["list", "backbones"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: memory ran out") and "Traceback" not in said


def test_the_least_of_machine_group_and_limit_counts(tmp_path, monkeypatch):
    machine = available_memory()
    assert machine is not None and machine > 0
    group = tmp_path / "run" / "one"
    group.mkdir(parents=True)
    (tmp_path / "cgroup").write_text("0::/run/one\n")
    (tmp_path / "run" / "memory.max").write_text("300000\n")
    (tmp_path / "run" / "memory.current").write_text("200000\n")
    (tmp_path / "run" / "memory.stat").write_text("anon 1\ninactive_file 50000\n")
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("1000\n")
    text = memory._text

    def redirected(file):
        return text(tmp_path / "cgroup" if str(file) == "/proc/self/cgroup" else file)

    monkeypatch.setattr(memory, "_text", redirected)
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert available_memory() == 150000
    (tmp_path / "cgroup").write_text("4:memory:/run\n")
    old = tmp_path / "memory" / "run"
    old.mkdir(parents=True)
    (old / "memory.limit_in_bytes").write_text("90000\n")
    (old / "memory.usage_in_bytes").write_text("20000\n")
    assert available_memory() == 70000


def test_ulimit_counts():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30));"
        "from realdeg.utils.memory import available_memory; print(available_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 2**30
