"""A few cases of every kind; ``python -m tests.fuzz`` runs thousands (docs/reliability.md)."""

import json
import subprocess
import sys

import pytest

from tests.fuzz.__main__ import KINDS


def run(tmp_path, repository, kind, *words):
    """Run cases in a process that has no threads yet, and return the exit code and the summary."""
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "tests.fuzz", kind, "--json", str(report), *words]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert report.is_file(), done.stdout + done.stderr
    return done.returncode, json.loads(report.read_text())


def test_the_harness_notices_every_fault(tmp_path, repository):
    code, summary = run(
        tmp_path, repository, "selfcheck", "--seconds", "4", "--memory", "500000000"
    )
    assert code == 1
    assert summary["outcomes"]["done"] == 1
    assert summary["outcomes"]["refused"] == 3
    for wrong in summary["wrong"]:
        assert wrong["name"].split(":")[0] == wrong["kind"], wrong
    assert len(summary["wrong"]) == summary["cases"] - 4


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_and_hostile_inputs(tmp_path, repository, kind):
    code, summary = run(tmp_path, repository, kind, "--count", "40", "--seed", "7")
    assert code == 0, json.dumps(summary["wrong"], indent=2)
    assert summary["cases"] == 40


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_more_of_them(tmp_path, repository, kind):
    code, summary = run(tmp_path, repository, kind, "--count", "300", "--seed", "11")
    assert code == 0, json.dumps(summary["wrong"], indent=2)
