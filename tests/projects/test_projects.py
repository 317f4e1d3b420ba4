"""Every project is complete, and one that is installed is found by its entry point."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = sorted(file.parent for file in (ROOT / "projects").glob("*/pyproject.toml"))


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_project_has_what_a_stranger_needs(project):
    assert (project / "README.md").is_file()
    assert list((project / "configs").glob("*.py"))
    assert list((project / "tests").glob("test_*.py"))
    assert 'entry-points."realdeg.plugins"' in (project / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("works", [True, False], ids=["whole", "broken"])
def test_an_installed_plugin_is_found(tmp_path, works):
    # What pip leaves of an installed distribution.
    info = tmp_path / "motion_camera-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: motion-camera\nVersion: 0.1.0\n")
    module = "motion_camera" if works else "no_such_module"
    (info / "entry_points.txt").write_text(f"[realdeg.plugins]\nmotion_camera = {module}\n")
    path = [str(tmp_path), str(ROOT / "projects" / "motion_camera"), str(ROOT)]
    code = "from realdeg.cli.main import main; raise SystemExit(main(['list', 'degradations']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = done.stdout.split()
    assert "DML" in names
    assert ("MotionBlur" in names) is works
    if not works:
        assert "plugin 'motion_camera'" in done.stderr
