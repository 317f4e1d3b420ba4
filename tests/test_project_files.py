"""What people and machines beside the package read: workflow, hooks, forms, citation, targets."""

from __future__ import annotations

import configparser
import re
import runpy
from pathlib import Path

import pytest
import yaml

import realdeg

ROOT = Path(__file__).resolve().parents[1]
MATRIX = runpy.run_path(str(ROOT / ".ci" / "matrix.py"), run_name="matrix")
CHOICE = runpy.run_path(str(ROOT / ".ci" / "choose_torch.py"), run_name="choose_torch")


def read_yaml(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def settings() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_types_are_strict_everywhere():
    found = settings()
    assert found["mypy"]["strict"] == "True"
    relaxed = {name: dict(found[name]) for name in found.sections() if "mypy-realdeg" in name}
    assert relaxed == {"mypy-realdeg.*": {"warn_return_any": "False"}}


def test_the_workflow_tests_the_ends_of_what_is_supported():
    matrix = read_yaml(".github/workflows/tests.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix == {"python": ["3.10", "3.13"], "torch": ["oldest", "newest"]}
    assert (MATRIX["PYTHONS"], MATRIX["TORCHES"]) == (("3.10", "3.13"), ("oldest", "newest"))
    options = settings()["options"]
    assert options["python_requires"] == ">=3.10,<3.14"
    assert "torch>={}.{}\n".format(*CHOICE["OLDEST"]) in options["install_requires"]


def test_commands_of_the_workflow_are_targets():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    jobs = read_yaml(".github/workflows/tests.yml")["jobs"].values()
    runs = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    targets = [re.match(r"make ([\w-]+)", line)[1] for line in runs]
    assert targets == ["test", "coverage"]
    for target in (*targets, "matrix"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
        assert f"# make {target}" in makefile, "the Makefile's head lists it"


def test_oldest_and_newest_torch():
    offered = "Available versions: 2.13.0+cpu, 2.13.0, 2.6.1+cpu, 2.6.0+cpu, 2.5.1+cpu"
    assert CHOICE["cpu_build"](offered) == "2.13.0+cpu"
    assert CHOICE["cpu_build"](offered, (2, 6)) == "2.6.1+cpu"
    assert CHOICE["cpu_build"]("2.5.1+cpu, 2.6.0") is None


def test_a_python_that_is_not_there_is_skipped(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert MATRIX["main"](plan=True) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "Python 3.10, oldest torch: skipped: there is no python3.10"
    assert len(told) == 4


def test_hooks_are_the_tools_of_make_lint():
    (ours,) = [
        item for item in read_yaml(".pre-commit-config.yaml")["repos"] if item["repo"] == "local"
    ]
    lint = (ROOT / "Makefile").read_text("utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    for hook in ours["hooks"]:
        assert f"$(BIN)/{hook['entry']}" in lint
        assert hook["language"] == "system"


def test_the_citation_is_of_this_version():
    citation = read_yaml("CITATION.cff")
    assert (citation["title"], citation["version"]) == ("realdeg", realdeg.__version__)
    assert citation["license"] == settings()["metadata"]["license"]
    assert citation["references"][0]["title"] in " ".join(
        (ROOT / "README.md").read_text("utf-8").split()
    )


@pytest.mark.parametrize("form", ["bug", "feature", "component"])
def test_issue_forms_are_complete(form):
    found = read_yaml(f".github/ISSUE_TEMPLATE/{form}.yml")
    assert found["name"] and found["description"]
    names = [item["id"] for item in found["body"]]
    assert len(names) == len(set(names))
    assert any(item.get("validations", {}).get("required") for item in found["body"])
