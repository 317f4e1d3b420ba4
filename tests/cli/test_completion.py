"""Completion in shells, through the code that ``realdeg completion`` prints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from realdeg.backbones import list_pretrained
from realdeg.cli.completion import SHELLS, _published
from realdeg.cli.main import COMMANDS, main
from realdeg.config import list_configs

pytest.importorskip("argcomplete", reason="argcomplete is not installed")


def answer(line, folder="."):
    """Return what the command offers for a line, as a shell asks it."""
    program = "import sys; sys.argv[0] = 'realdeg'; from realdeg.cli.main import main; main()"
    read, write = os.pipe()
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_SHELL": "zsh",
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    code = f"import os; os.dup2({write}, 8); {program}"
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **asked},
        pass_fds=[write],
        cwd=folder,
        timeout=60,
        check=False,
    )
    os.close(write)
    with open(read, encoding="utf-8") as stream:
        return [one.split(":", 1)[0] for one in stream.read().split("\n") if one]


def test_commands_options_choices_and_recipes(tmp_path):
    (tmp_path / "photo.png").touch()
    assert set(answer("realdeg ")) >= set(COMMANDS)
    assert "--self-ensemble" in answer("realdeg infer --se")
    assert answer("realdeg infer net in out --format ") == ["png", "jpg", "tiff", "webp", "keep"]
    wanted = [name for name in list_configs() if name.startswith("dml/dml_n8_realsr_")]
    assert answer("realdeg train dml/dml_n8_realsr_") == wanted
    assert "photo.png" in answer("realdeg infer net ph", tmp_path)
    assert {"pairs", "photos"} <= set(answer("realdeg extract_pools p"))


def test_names_of_published_weights_are_those_of_the_catalogue():
    assert set(_published()) == {entry.reference for entry in list_pretrained()}


def test_completing_imports_no_torch():
    code = (
        "import sys; from realdeg.cli.completion import _published, _recipes;"
        "assert _published() and _recipes() and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_reads_its_code(shell, tmp_path, capsys):
    assert main(["completion", shell]) == 0
    code = capsys.readouterr().out
    assert "realdeg" in code
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    file = tmp_path / "realdeg.completion"
    file.write_text(code)
    subprocess.run([shell, "-n", str(file)], check=True, timeout=60)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_a_command(tmp_path, capsys):
    assert main(["completion", "bash"]) == 0
    (tmp_path / "code").write_text(capsys.readouterr().out)
    program = Path(tmp_path / "bin" / "realdeg")
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom realdeg.cli.main import main\nmain()\n")
    program.chmod(0o755)
    script = """
        source code
        COMP_LINE="realdeg compare_deg" COMP_POINT=19 COMP_TYPE=9 COMP_CWORD=1
        COMP_WORDS=(realdeg compare_deg)
        _python_argcomplete realdeg compare_deg realdeg
        echo "${COMPREPLY[@]}"
    """
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["compare_degradations"], done.stderr


def test_a_missing_package_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "argcomplete.shell_integration", None)
    assert main(["completion", "fish"]) == 2
    assert "pip install argcomplete" in capsys.readouterr().err
