"""Checks commands that are not run: words, recipes, options of a config."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import runpy
import sys
from configparser import ConfigParser
from pathlib import Path
from unittest import mock

from realdeg.cli.main import COMMANDS, build_parser
from realdeg.config import inject, list_configs, load_config
from realdeg.registry import BACKBONES
from tests.cli.recipe_runs import make_weights

ROOT = Path(__file__).resolve().parents[2]
RECIPE = re.compile(r"[a-z0-9_]+/[a-z0-9_]+")


class ParsedError(Exception):
    """The words of a benchmark were understood."""


def parse_command(words: list[str]) -> None:
    """Check a command line without running it.

    Args:
        words: The program and its arguments, with variables before it.
    """
    while "=" in words[0]:
        words = words[1:]
    program, *words = words
    if program == "torchrun":
        assert words[2:4] == ["-m", "realdeg"], "torchrun starts the module realdeg"
        program, words = "realdeg", words[4:]
    if program == "realdeg":
        parse_realdeg(words)
    elif program == "python":
        parse_python(words)
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in words if "=" not in word} <= set(targets), "no such target"
    elif program == "pip":
        parse_pip(words)


def parse_realdeg(words: list[str]) -> None:
    """Parse a command of realdeg; recipes are loaded with the options that it gives them."""
    if not words:
        return
    assert words[0] in COMMANDS or words[0].startswith("-"), f"no command {words[0]}"
    if words[1:]:
        complaint: list[str] = []
        with mock.patch.object(
            argparse.ArgumentParser, "error", lambda self, message: complaint.append(message)
        ):
            args = build_parser(words[0]).parse_args(words)
        assert not complaint, complaint
        config = getattr(args, "config", None)
        if isinstance(config, str) and RECIPE.fullmatch(config) and "work_dirs/" not in config:
            assert config in list_configs(), f"no recipe {config}"
            make_weights(config)
            inject(load_config(config, getattr(args, "cfg_options", None) or {}))


def parse_python(words: list[str]) -> None:
    """Check that a program of ours is there and understands its words."""
    if words[0] == "-c":
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(words[1], "python -c", "exec"), {})
        return
    if words[:2] == ["-m", "pytest"]:
        assert (ROOT / words[2]).exists(), f"{words[2]} does not exist"
        return
    if words[0] == "-m":
        module = ROOT / words[1].replace(".", "/")
        file = module / "__main__.py" if module.is_dir() else module.with_suffix(".py")
        words = words[1:]
    else:
        file = ROOT / words[0]
    assert file.is_file(), f"{words[0]} does not exist"
    assert file.parent.name != "tools", "tools/ is not installed: `realdeg` runs everywhere"
    if file.name == "test_api_surface.py":
        assert all(word in file.read_text() for word in words[1:])
        return
    whole = argparse.ArgumentParser.parse_args

    def parse(self: argparse.ArgumentParser, *given: object) -> None:
        whole(self)
        raise ParsedError

    path = list(sys.path)
    sys.path.insert(0, str(file.parent))
    try:
        with (
            mock.patch.object(sys, "argv", [str(file), *words[1:]]),
            mock.patch.object(argparse.ArgumentParser, "parse_args", parse),
            mock.patch.dict(os.environ),
            mock.patch.dict(BACKBONES._module_dict),  # the benchmark may register its own
        ):
            runpy.run_path(str(file), run_name="__main__")
    except ParsedError:
        return
    finally:
        sys.path[:] = path
    raise AssertionError(f"{words[0]} parsed nothing")


def parse_pip(words: list[str]) -> None:
    """Check that what pip is told to install is there: a folder, and the extras of setup.cfg."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    for word in words[1:]:
        folder, _, extras = word.partition("[")
        if folder.startswith("."):
            assert (ROOT / folder).is_dir(), f"no folder {folder}"
        if folder in (".", "realdeg") and extras:
            known = set(setup["options.extras_require"])
            assert set(extras.rstrip("]").split(",")) <= known, f"no such extra: {extras}"
