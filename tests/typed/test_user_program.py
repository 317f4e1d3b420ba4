"""Checkers and editors see the types of every public name."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import realdeg

PROGRAM = Path(__file__).with_name("user_program.py")


def test_the_program_uses_every_public_name():
    text = PROGRAM.read_text(encoding="utf-8")
    assert [name for name in realdeg.__all__ if f"realdeg.{name}" not in text] == []


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
def test_mypy_is_content_with_it(repository):
    # As of an installed package: what is wrong inside of realdeg is not the user's concern.
    words = ["--strict", "--config-file=", "--follow-imports=silent", str(PROGRAM)]
    words += ["--cache-dir", str(repository / ".mypy_cache" / "user")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *words],
        capture_output=True,
        text=True,
        cwd=repository,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
