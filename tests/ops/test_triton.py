"""The Triton kernels: in triton's interpreter, and at real sizes where there is a GPU.

The interpreter counts when triton is imported, so all its cases run in one process of their own.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from realdeg.ops.triton import available
from tests.ops import triton_cases
from tests.ops.triton_cases import BRAIN, CASES, HALF, Case

ROOT = Path(__file__).resolve().parents[2]


def has_triton() -> bool:
    try:
        return hasattr(importlib.import_module("triton.language"), "gather")
    except ImportError:
        return False


needs_triton = pytest.mark.skipif(not has_triton(), reason="triton 3.3 is not installed here")


def in_a_process(code: list[str], **environment: str) -> subprocess.CompletedProcess:
    inherited = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    env = {**inherited, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(
        [sys.executable, *code], env=env, cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def interpreted():
    done = in_a_process(
        ["tests/ops/triton_cases.py"], TRITON_INTERPRET="1", CUDA_VISIBLE_DEVICES=""
    )
    if "only 0-dimensional arrays can be converted" in done.stderr:
        pytest.skip("the interpreter of this triton (3.3 is one) needs NumPy before 2.4")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_triton
@pytest.mark.parametrize("name", CASES)
def test_the_interpreted_kernels_equal_the_torch_path(interpreted, name):
    errors = interpreted["errors"][name]
    assert len(errors) == 7
    wrong = {what: error for what, error in errors.items() if not error <= bound(name, what)}
    assert not wrong


def bound(name: str, what: str) -> float:
    case = CASES[name]
    return triton_cases.bound(case, what)


@needs_triton
def test_an_infinite_weight_stays_in_its_window(interpreted):
    assert interpreted["infinity"] == {"kernel_apply": True, "pixel_kernel_apply": True}


def test_triton_is_imported_late_and_may_be_missing():
    probe = """
import sys, realdeg.ops, realdeg.ops.triton
assert "triton" not in sys.modules
sys.modules["triton"] = None
import realdeg.ops.triton.kernel_apply, realdeg.ops.triton.pixel_kernel_apply
"""
    done = in_a_process(["-c", probe])
    assert done.returncode == 0, done.stderr


def test_available(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert available() == (has_triton() and torch.cuda.is_available())
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert available() == has_triton()
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "triton.language", raising=False)
    assert not available()


@pytest.mark.parametrize("kernels", ["kernel_apply", "pixel_kernel_apply"])
def test_double_precision_is_refused(kernels):
    module = importlib.import_module(f"realdeg.ops.triton.{kernels}")
    assert not module.supports(torch.float64) and not module.supports(torch.float32, torch.float64)
    assert module.supports(torch.float16, torch.bfloat16, torch.float32)
    wide = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    others = (wide[:, :, :3, :3], wide[0, :, :3, :3]) if kernels == "kernel_apply" else (wide,)
    with pytest.raises(NotImplementedError, match="float64"):
        module.forward(wide, *others, 1)


@needs_triton
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
class TestOnTheGpu:
    """Compiled kernels; what the interpreter cannot show: layouts, TF32 and real sizes."""

    @pytest.mark.parametrize("name", CASES)
    def test_small_cases(self, name):
        errors = triton_cases.errors(CASES[name], "cuda")
        wrong = {what: error for what, error in errors.items() if not error <= bound(name, what)}
        assert not wrong

    @pytest.mark.parametrize("dtype", [torch.float32, HALF, BRAIN])
    @pytest.mark.parametrize(
        "case",
        [
            Case(k=15, bases=16, size=(142, 206), batch=2),
            Case(k=15, stride=4, bases=16, size=(523, 407), batch=2),
            Case(k=21, stride=2, channels=1, bases=40, size=(211, 180), own=True),
        ],
        ids=["x1", "x4", "own bases"],
    )
    def test_real_sizes(self, case, dtype):
        case = replace(case, image=dtype, others=dtype)
        errors = triton_cases.errors(case, "cuda")
        wrong = {w: e for w, e in errors.items() if not e <= triton_cases.bound(case, w)}
        assert not wrong

    def test_the_same_bits_again(self):
        case = Case(k=15, bases=16, size=(142, 206), channels=3)
        inputs = triton_cases.tensors(case, "cuda")
        first, second = (triton_cases.triton_path(case, *inputs) for _ in range(2))
        assert all(torch.equal(first[name], second[name]) for name in first)

    def test_infinity_stays_in_its_window(self):
        assert all(triton_cases.reach_of_infinity("cuda").values())
