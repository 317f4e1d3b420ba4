"""Keeping freed memory: on request only, and a user's own settings win."""

from __future__ import annotations

import subprocess
import sys

import pytest

from realdeg.utils.allocator import keep_freed_memory

FAULTS = """
import resource, sys
from realdeg.utils.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    print(keep_freed_memory())
import numpy
def step():
    return [numpy.ones(3_000_000) for _ in range(4)]
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(*arguments):
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.skipif(not keep_freed_memory(), reason="needs glibc and no settings of the user's")
def test_memory_is_not_fetched_anew():
    (plain,) = run("plain")
    done, kept = run("keep")
    assert done == "True"
    assert int(kept) < int(plain) / 10


@pytest.mark.parametrize("name", ["LD_PRELOAD", "GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_"])
def test_the_users_settings_win(monkeypatch, name):
    monkeypatch.setenv(name, "anything")
    assert keep_freed_memory() is False


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
