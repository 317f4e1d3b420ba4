"""Run the documentation: what a reader copies has to work.

Training commands are cut to two iterations; everything else runs as it stands.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from realdeg.cli.main import main
from tests.docs.blocks import Block, blocks_of
from tests.docs.stage import set_up

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    str(page.relative_to(ROOT))
    for page in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("projects/*/README.md"),
    )
)
QUICK = ("README.md", "CONTRIBUTING.md")
SHORT = (
    "train_cfg.max_iters=2",
    "train_cfg.val_interval=2",
    "train_dataloader.batch_size=2",
    "train_dataloader.num_workers=0",
    "train_dataloader.persistent_workers=False",
    "val_dataloader.num_workers=0",
    "val_dataloader.persistent_workers=False",
)


def marked(page: str) -> object:
    slow = () if page in QUICK else pytest.mark.slow
    return pytest.param(page, marks=slow, id=page)


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """An own current folder with the pictures that the pages name, and an own home."""
    set_up(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REALDEG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("page", [marked(page) for page in PAGES])
def test_page(page, stage, capfd):
    namespace: dict[str, object] = {"__name__": "page"}
    for block in blocks_of(ROOT / page, page):
        if block.noted("skip") is None and block.noted("output") is None:
            with at(block, capfd):
                run(block, stage, namespace)


@contextlib.contextmanager
def at(block: Block, capfd):
    """Name the block in a failure, with what was printed."""
    capfd.readouterr()
    try:
        yield
    except pytest.skip.Exception:
        raise
    except BaseException as error:
        printed = capfd.readouterr()
        text = (printed.out + printed.err)[-3000:]
        pytest.fail(f"{block.place}: {type(error).__name__}: {error}\n{block.text}\n{text}")


def run(block: Block, folder: Path, namespace: dict[str, object]) -> None:
    recipe = block.noted("config")
    if recipe is not None:
        check_fragment(block, recipe, folder)
    elif block.language in ("python", "json", "yaml") and block.file:
        (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
        (folder / block.file).write_text(block.text)
    elif block.language == "python":
        exec(compile(block.text, block.place, "exec"), namespace)
    elif block.language == "toml":
        import tomllib

        tomllib.loads(block.text)
    else:
        for words in block.commands():
            run_command(words, (block.noted("with") or "").split(), folder)


def check_fragment(block: Block, recipe: str, folder: Path) -> None:
    """Hold a part of a config against the recipe that it is meant for."""
    from realdeg.config import inject, load_config

    file = folder / "fragment.py"
    file.write_text(f"_base_ = ['realdeg::{recipe}.py']\n{block.text}")
    inject(load_config(file))


def run_command(words: list[str], more: list[str], folder: Path) -> None:
    while "=" in words[0]:
        name, value = words.pop(0).split("=", 1)
        os.environ[name] = value
    program, *words = words
    if program == "python" and words[0].startswith("tools/"):
        program, words = "realdeg", [Path(words[0]).stem, *words[1:]]
    if program == "realdeg":
        assert main(shortened([*words, *more])) == 0
    elif program == "torchrun":
        assert words[2] == "-m", "tools/ is not installed: torchrun starts the module realdeg"
        torchrun(words, more)
    elif program == "python":
        knows_options(words)
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in words if "=" not in word} <= set(targets)
    elif program == "pip":
        exists(words)


def shortened(words: list[str]) -> list[str]:
    """Cut training to two iterations; what the page itself asks for is cut, too."""
    if words[0] != "train":
        return words
    if "--cfg-options" not in words:
        return [*words, "--cfg-options", *SHORT]
    last = words.index("--cfg-options") + 1
    while last < len(words) and not words[last].startswith("--"):
        last += 1
    return [*words[:last], *SHORT, *words[last:]]


def torchrun(words: list[str], more: list[str]) -> None:
    """Start the command with two processes."""
    command = shortened([*words[4:], *more])
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m"]
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    done = subprocess.run([*start, "realdeg", *command], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-3000:]


def knows_options(words: list[str]) -> None:
    """Check that a program of ours is there and knows the options that the page gives it."""
    assert (ROOT / words[0]).is_file(), f"{words[0]} does not exist"
    text = subprocess.run(
        [sys.executable, str(ROOT / words[0]), "--help"],
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    missing = [word for word in words[1:] if word.startswith("--") and word not in text]
    assert not missing, f"{words[0]} has no {missing}"


def exists(words: list[str]) -> None:
    """Check that what pip is told to install is there: a folder, and the extras of setup.cfg."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    for word in words[1:]:
        folder, _, extras = word.partition("[")
        if folder.startswith("."):
            assert (ROOT / folder).is_dir()
        if folder in (".", "realdeg") and extras:
            assert set(extras.rstrip("]").split(",")) <= set(setup["options.extras_require"])
