"""A few kills of every long command; ``python -m tests.fuzz.kills`` makes 240."""

import json
import subprocess
import sys

import pytest


def kill(tmp_path, repository, *words):
    """Kill commands, and return what was lost or broken."""
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "tests.fuzz.kills", "--json", str(report), *words]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert report.is_file(), done.stdout + done.stderr
    rows = json.loads(report.read_text())["commands"]
    assert all(row["kills"] and row["runs_completed"] for row in rows)
    assert (done.returncode == 0) == (not any(row["wrong"] for row in rows))
    return {row["command"]: row["wrong"] for row in rows if row["wrong"]}


def test_killed_commands_lose_nothing(tmp_path, repository):
    names = ("degrade", "extract_pools", "convert_weights", "export")
    assert kill(tmp_path, repository, "--share", "0.1", "--only", *names) == {}


@pytest.mark.slow
def test_every_long_command_killed(tmp_path, repository):
    assert kill(tmp_path, repository, "--share", "0.1", "--seed", "5") == {}
