"""Runs the blocks of one page.

Training is cut to two iterations of tiny networks; everything else runs as it stands.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import pytest

from realdeg.cli.main import main
from realdeg.cli.options import parse_value
from realdeg.config import inject, load_config
from realdeg.errors import CheckpointError, ConfigError
from tests.cli.recipe_runs import shrinking
from tests.docs.blocks import Block
from tests.docs.output import missing
from tests.docs.parse import ROOT, parse_command

LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


class Page:
    """Runs the blocks of one page.

    Args:
        folder: The current folder.
        capfd: What is printed.
        names: What its Python finds without importing it.
    """

    def __init__(self, folder: Path, capfd, names: dict[str, object]) -> None:
        self.folder, self.capfd = folder, capfd
        self.names = {**names, "__name__": "page"}
        self.files: dict[str, Block] = {}
        self.printed = ""

    @contextlib.contextmanager
    def at(self, block: Block):
        """Name the block in a failure, with what was printed."""
        try:
            yield
        except pytest.skip.Exception:
            raise
        except BaseException as error:
            self.listen()
            last = self.printed[-3000:]
            pytest.fail(f"{block.place}: {type(error).__name__}: {error}\n{block.text}\n{last}")

    def listen(self) -> str:
        found = "".join(self.capfd.readouterr())
        self.printed += found
        return found

    def block(self, block: Block) -> None:
        if {"skip", "output"} & set(block.notes):
            return
        if "offline" in block.notes:
            self.offline(block)
        elif "config" in block.notes:
            self.fragment(block, *block.notes["config"].split())
        elif block.file:
            self.file(block, block.file)
        elif block.language == "python":
            self.python(block)
        elif block.language == "json":
            json.loads(block.text)
        elif block.language == "toml":
            plugin_lines(block.text)
        else:
            self.shell(block)

    def file(self, block: Block, name: str) -> None:
        """Write the file, or hold it against the one that comes along under this name."""
        shipped = ROOT / name
        if shipped.is_file():
            assert block.text.partition("\n")[2] in shipped.read_text()
            return
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        self.files[name] = block

    def python(self, block: Block) -> None:
        with contextlib.ExitStack() as cut:
            if "short" in block.notes:
                for place in ("realdeg.config", "realdeg.apis.recipes"):
                    cut.enter_context(mock.patch(f"{place}.load_config", cut_config))
            exec(compile(block.text, block.place, "exec"), self.names)
        for name in re.findall(r"^def (test_\w+)", block.text, re.MULTILINE):
            self.names[name]()  # type: ignore[operator]
        used = {name for name in self.files if re.search(rf"\b{Path(name).stem}\b", block.text)}
        self.files = {name: made for name, made in self.files.items() if name not in used}

    def offline(self, block: Block) -> None:
        """Run what lacks nothing but a download."""
        with mock.patch.dict(os.environ, REALDEG_OFFLINE="1"):
            if block.language == "python":
                with pytest.raises(CheckpointError, match="REALDEG_OFFLINE"):
                    self.python(block)
            for words in [] if block.language == "python" else block.commands():
                self.listen()
                assert run_command(words, []) == 2
                assert "REALDEG_OFFLINE forbids" in self.listen()

    def fragment(self, block: Block, recipe: str, *more: str) -> None:
        """Hold a part of a config against the recipe that it is meant for."""
        options = {key: parse_value(value) for key, _, value in (w.partition("=") for w in more)}
        text = re.sub(r"\.\.\.\]", 'dict(type="PackSample")]', block.text)
        for variant in variants(text):
            file = self.folder / "fragment.py"
            file.write_text(f"_base_ = ['realdeg::{recipe}.py']\n{variant}")
            try:
                inject(load_config(file, options))
            except ConfigError as error:
                # An extra that is not installed is named, once everything before it is right.
                package = re.search(r"needs the package (\w+)", str(error))
                if package is None or find_spec(package[1]) is not None:
                    raise
        self.files = {name: b for name, b in self.files.items() if Path(name).stem not in text}

    def shell(self, block: Block) -> None:
        commands = block.commands()
        self.listen()
        told = ""
        for number, words in enumerate(commands):
            text = " ".join(words)
            self.files = {name: b for name, b in self.files.items() if Path(name).stem not in text}
            if "parse" in block.notes:
                parse_command(words)
                continue
            wanted = 2 if "fails" in block.notes and number == len(commands) - 1 else 0
            ours = "after" in block.notes and number == 0
            code = run_command(words, block.notes.get("with", "").split(), ours)
            told += self.listen()
            assert code == wanted, f"exit code {code}"
        if {"parse", "unlike"} & set(block.notes):
            return
        home = Path(os.environ["REALDEG_HOME"])
        lacking = missing(block.printed(), told if commands else self.printed, home)
        assert not lacking, f"not printed: {lacking}"

    def unused_files(self) -> None:
        """What no command used is loaded at least."""
        for name, block in self.files.items():
            if "_base_" in block.text:
                with self.at(block):
                    inject(load_config(self.folder / name))


def plugin_lines(text: str) -> None:
    """Check that lines for pyproject.toml register a plugin where realdeg looks for it."""
    if sys.version_info >= (3, 11):
        import tomllib

        assert tomllib.loads(text)["project"]["entry-points"]["realdeg.plugins"]


def variants(text: str) -> list[str]:
    """Return a fragment as often as it says another value for the same key."""
    parts = [(ast.unparse(node.targets[0]), ast.unparse(node)) for node in ast.parse(text).body]
    names = [name for name, _ in parts]
    once = "\n".join(part for name, part in parts if names.count(name) == 1)
    several = [f"{once}\n{part}" for name, part in parts if names.count(name) > 1]
    return several or [once]


def cut_config(name: str, options: dict[str, object] | None = None, **more: object) -> object:
    """Load a config for two iterations."""
    found = shortened(["train", name])[3:]
    cut = {key: parse_value(value) for key, _, value in (word.partition("=") for word in found)}
    return load_config(name, {**(options or {}), **cut}, **more)


def run_command(words: list[str], more: list[str], ours: bool = False) -> int:
    words = list(words)
    with mock.patch.dict(os.environ):
        path = list(sys.path)
        while "=" in words[0]:
            name, value = words.pop(0).split("=", 1)
            os.environ[name] = value
            if name == "PYTHONPATH":
                sys.path.insert(0, str(Path(value).resolve()))
        try:
            if words[0] == "realdeg":
                return main(shortened([*words[1:], *more], keep=ours))
            if words[0] == "torchrun":
                return torchrun(words[1:], more)
            parse_command(words)
            return 0
        finally:
            sys.path[:] = path


def shortened(words: list[str], keep: bool = False) -> list[str]:
    """Cut training to two iterations of a tiny network.

    Args:
        words: The words after ``realdeg``.
        keep: Whether what the command itself asks for stays, and is not cut.
    """
    stated = {word.partition("=")[0] for word in words}
    if words[0] == "test" and any(w.startswith("backbone.checkpoint=work_dirs/") for w in words):
        return [*words, *tiny(words[1])]
    if words[0] not in ("train", "sweep"):
        return words
    cfg = load_config(words[1], sample="--sample" in words)
    short = ["train_cfg.max_iters=2", "train_cfg.val_interval=2", "train_dataloader.batch_size=2"]
    if cfg.train_cfg.get("type") == "ClosedFormLoop":
        short = []
    if "LPIPSLoss" in str(cfg.model.get("perceptual_loss")):
        short.append("model.perceptual_loss.weight=0")  # wants AlexNet's weights, as the page says
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            short += [f"{loader}.num_workers=0", f"{loader}.persistent_workers=False"]
    short += [word for word in tiny(words[1]) if word.partition("=")[0] not in stated]
    if keep:
        short = [word for word in short if word.partition("=")[0] not in stated]
    if "--cfg-options" not in words:
        return [*words, "--cfg-options", *short]
    last = words.index("--cfg-options") + 1
    while last < len(words) and not words[last].startswith("--"):
        last += 1
    return [*words[:last], *short, *words[last:]]


def tiny(name: str) -> list[str]:
    """Return the options that make a config's networks small; files have the size they have."""
    shrunk = shrinking(name)
    return [f"{key}={value!r}" for key, value in shrunk.items() if key != "backbone.file"]


def torchrun(words: list[str], more: list[str]) -> int:
    """Start the command with two processes."""
    assert words[2:4] == ["-m", "realdeg"], "tools/ is not installed: torchrun starts realdeg"
    command = shortened([*words[4:], *more])
    start = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
    ]
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    return subprocess.run([*start, "realdeg", *command], env=environment).returncode
