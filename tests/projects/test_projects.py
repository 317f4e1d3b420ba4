"""Every project is complete, passes its own tests, and is found once it is installed."""

from __future__ import annotations

import importlib.util
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from realdeg.testing.datasets import write_picture
from realdeg.utils.component import read_component
from realdeg.utils.image import read_image

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = sorted(file.parent for file in (ROOT / "projects").glob("*/pyproject.toml"))
TEMPLATE = ROOT / "projects" / "template"
SMALL = ["train_cfg.max_iters=2", "train_dataloader.batch_size=2"] + [
    f"{part}_dataloader.num_workers=0" for part in ("train", "val", "test")
]


def run(*words: str, path: list[Path], folder: Path, code: int = 0) -> str:
    """Run Python as a user does who has ``path`` on PYTHONPATH, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "default", *words],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT])),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def own_tests(project: Path, path: list[Path], folder: Path) -> str:
    """Run a project's tests from elsewhere, with no settings of realdeg's."""
    command = ["-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider"]
    return run(*command, str(project / "tests"), path=path, folder=folder)


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_project_has_what_a_stranger_needs(project):
    assert (project / "README.md").is_file()
    assert list((project / "configs").glob("*.py"))
    assert list((project / "tests").glob("test_*.py"))
    assert 'entry-points."realdeg.plugins"' in (project / "pyproject.toml").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_project_passes_its_own_tests(project, tmp_path):
    assert " passed" in own_tests(project, [project], tmp_path)


@pytest.mark.parametrize("works", [True, False], ids=["whole", "broken"])
def test_an_installed_plugin_is_found(tmp_path, works):
    # What pip leaves of an installed distribution.
    info = tmp_path / "motion_camera-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: motion-camera\nVersion: 0.1.0\n")
    module = "motion_camera" if works else "no_such_module"
    (info / "entry_points.txt").write_text(f"[realdeg.plugins]\nmotion_camera = {module}\n")
    path = [tmp_path, ROOT / "projects" / "motion_camera"]
    told = run("-m", "realdeg", "list", "degradations", path=path, folder=tmp_path)
    assert "DML" in told.split()
    assert ("MotionBlur" in told.split()) is works
    assert ("plugin 'motion_camera'" in told) is not works


def make_plugin(folder: Path, name: str = "night_camera") -> Path:
    """Copy the template as its README says."""
    made = folder / name
    runpy.run_path(str(TEMPLATE / "make_plugin.py"))["make_plugin"](name, made)
    return made


def test_the_template_makes_a_package_of_any_name(tmp_path):
    made = make_plugin(tmp_path)
    files = {str(file.relative_to(made)) for file in made.rglob("*") if file.is_file()}
    package = [f"night_camera/{name}.py" for name in ("__init__", "degradation", "network")]
    assert {"README.md", "pyproject.toml", *package} <= files
    assert "make_plugin.py" not in files
    assert not [f for f in files if "camera_plugin" in f + (made / f).read_text("utf-8")]
    code = (
        "import night_camera; from realdeg.registry import LOSSES; LOSSES.require('FrequencyLoss')"
    )
    run("-c", code, path=[made], folder=tmp_path)
    for name in ("night-camera", "class", "realdeg"):
        with pytest.raises(SystemExit, match="cannot be the name"):
            make_plugin(tmp_path / "other", name)
    with pytest.raises(SystemExit, match="holds something already"):
        make_plugin(tmp_path)


@pytest.fixture
def pictures(tmp_path) -> Path:
    """The data that the template's config names."""
    data = tmp_path / "data"
    for number in range(2):
        write_picture(data / f"hr/{number}.png", 104, 112, seed=number)
        write_picture(data / f"lr/{number}.png", 52, 56, seed=number)
    (data / "train.txt").write_text("hr/0.png\nhr/1.png\n")
    (data / "test.txt").write_text("hr/0.png\tlr/0.png\n")
    return data


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("pip") is None or importlib.util.find_spec("setuptools") is None,
    reason="pip or setuptools is not installed here",
)
def test_a_package_of_the_template_is_installed_and_does_everything(tmp_path, pictures):
    made, installed = make_plugin(tmp_path), tmp_path / "site"
    pip = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    run(*pip, "--target", str(installed), str(made), path=[], folder=tmp_path)
    here = {"path": [installed], "folder": tmp_path}

    assert " passed" in own_tests(made, **here)
    components = {"ChromaticAberration", "SomeOf", "AnchorNet", "FrequencyLoss", "ListedImages"}
    kinds = ("degradations", "backbones", "losses", "datasets")
    code = f"from realdeg import *; print({', '.join(f'*list_{kind}()' for kind in kinds)})"
    assert components <= set(run("-c", code, **here).split())
    assert not components & set(run("-c", code, path=[], folder=tmp_path).split())

    recipe = made / "configs" / "anchor_aberration_listed_x2.py"
    train = ["-m", "realdeg", "train", str(recipe), "--device", "cpu"]
    # Once found by the entry point, and once, where nothing is installed, by custom_imports.
    config = recipe.read_text("utf-8")
    assert "custom_imports" in config
    recipe.write_text("\n".join(x for x in config.split("\n") if "custom_imports" not in x))
    found = run(*train, "--work-dir", "installed", "--cfg-options", *SMALL, **here)
    assert "ListedImages train: 2 HR images" in found and "loss_frequency" in found
    recipe.write_text(config)
    named = {"path": [made], "folder": tmp_path}
    run(*train, "--sample", "--work-dir", "imported", "--cfg-options", *SMALL, **named)
    for run_folder in ("installed", "imported"):
        assert read_component(tmp_path / run_folder / "backbone.safetensors").type == "AnchorNet"

    degrade = ["degrade", "ChromaticAberration", str(pictures / "hr"), "out", "--scale", "2"]
    run("-m", "realdeg", *degrade, **here)
    assert read_image(tmp_path / "out" / "0.png").shape == (52, 56, 3)
    weights = str(tmp_path / "installed" / "backbone.safetensors")
    exported = run("-m", "realdeg", "export", weights, "a.pt2", "--to", "torch-export", **here)
    assert "largest difference from the network 0.0e+00" in exported
