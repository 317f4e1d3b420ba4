"""What is declared, what a wheel holds, and what happens where torchvision cannot be imported."""

import configparser
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import realdeg

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "realdeg"


@pytest.fixture(scope="module")
def declared() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def requirements(declared) -> dict[str, str]:
    lines = declared["options"]["install_requires"].split("\n")
    pairs = (line.partition(">=") for line in lines if line)
    return {name: sign + rest for name, sign, rest in pairs}


def test_version_is_said_once(declared):
    assert declared["metadata"]["version"] == "attr: realdeg.version.__version__"
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {realdeg.__version__}" in changelog


def test_ranges_that_were_measured(declared):
    found = requirements(declared)
    assert declared["options"]["python_requires"] == ">=3.10,<3.14"
    assert found["mmengine"] == ">=0.10.7,<0.11", "0.11 unpickles what it loads"
    assert found["mmcv-lite"] == ">=2.2,<3"
    assert found["torch"] == ">=2.6"
    # A fork under mmengine's import name would be overwritten by mmcv-lite's own requirement.
    assert not {"mmcv", "onedl-mmengine", "opencv-python-headless", "torchvision"} & set(found)


def test_every_folder_with_code_is_a_package():
    folders = {file.parent for file in PACKAGE.rglob("*.py")}
    missing = [folder for folder in folders if not (folder / "__init__.py").is_file()]
    assert not missing


def test_console_script_exists(declared):
    assert "realdeg = realdeg.cli.main:main" in declared["options.entry_points"]["console_scripts"]
    from realdeg.cli.main import main

    assert callable(main)


EVERY_MODULE = """
import importlib, pkgutil, realdeg
for found in pkgutil.walk_packages(realdeg.__path__, "realdeg."):
    if found.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(found.name)
    except ModuleNotFoundError as error:
        # The page of the extra [studio], which brings Gradio.
        if error.name != "gradio" or not found.name.startswith("realdeg.studio."):
            raise
"""


def test_all_imports_where_torchvision_does_not_match_torch(tmp_path):
    broken = tmp_path / "torchvision" / "__init__.py"
    broken.parent.mkdir()
    # What a torchvision built for another torch raises.
    broken.write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", EVERY_MODULE],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_extras_of_a_plugins_author_are_part_of_a_contributors(declared):
    extras = declared["options.extras_require"]
    lines = {name: set(extras[name].split()) for name in extras}
    assert lines["testing"] == {"pytest>=8.2"} and lines["testing"] <= lines["dev"]
    assert {"pytest-cov", "pytest-xdist"} <= {line.partition(">")[0] for line in lines["dev"]}
    assert "pytest" not in requirements(declared)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="no git")
def test_a_source_distribution_holds_every_file(tmp_path):
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")[:-1]
    source = tmp_path / "source"
    for name in tracked:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    code = f"from setuptools.build_meta import build_sdist; print(build_sdist({str(tmp_path)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    lacking = {name for name in tracked if (source / name).is_file()} - held
    assert not lacking, f"add to MANIFEST.in: {sorted(lacking)}"


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("setuptools") is None, reason="setuptools is not installed here"
)
def test_a_wheel_holds_recipes_and_samples(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    # Building leaves folders behind: not in the checkout.
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("realdeg", "configs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--wheel-dir", str(tmp_path), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())

    for suffix in ("py", "md", "yml"):
        for file in (ROOT / "configs").rglob(f"*.{suffix}"):
            assert f"realdeg/_configs/{file.relative_to(ROOT / 'configs').as_posix()}" in held
    for file in PACKAGE.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            assert file.relative_to(ROOT).as_posix() in held
    assert not any(name.startswith(("tests/", "projects/", "configs/")) for name in held)
