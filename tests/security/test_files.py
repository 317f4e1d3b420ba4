"""No file that a command or the interface reads imports, starts or calls anything (SECURITY.md)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.fuzz.names import INNOCENT


def run(tmp_path, repository, count, seed):
    """Run cases in a process that watches every import and every process started."""
    report = tmp_path / "report.json"
    words = (
        "names",
        "--verbose",
        "--count",
        str(count),
        "--seed",
        str(seed),
        "--json",
        str(report),
    )
    command = [sys.executable, "-m", "tests.fuzz", *words]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert report.is_file(), done.stdout + done.stderr
    summary = json.loads(report.read_text())
    assert not summary["wrong"], json.dumps(summary["wrong"], indent=2)
    assert summary["cases"] > 50
    innocent = [line for line in done.stdout.splitlines() if INNOCENT in line]
    # A file that is refused before anybody looks at its names would prove nothing.
    assert len(innocent) == 15 and all(line.startswith("done") for line in innocent), innocent


def test_names_in_files_run_nothing(tmp_path, repository):
    run(tmp_path, repository, 70, 5)


@pytest.mark.slow
def test_no_name_in_any_place_of_any_file_runs_anything(tmp_path, repository):
    run(tmp_path, repository, 10_000, 0)
