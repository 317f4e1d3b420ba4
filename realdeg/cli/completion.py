"""``realdeg completion``: completion of commands, options, choices and recipes in shells."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import Any

from realdeg.errors import ConfigError
from realdeg.utils.cameras import find_cameras

SHELLS = ("bash", "zsh", "fish")
# Arguments that take the name of a recipe, beside files.
_RECIPES = ("config", "model", "named_model", "degradation", "degradations", "network", "recipe")
# Those that take the name of a camera.
_CAMERAS = ("degradation", "degradations", "camera")
# Those that take the name of published weights.
_WEIGHTS = ("model", "named_model")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("shell", choices=SHELLS, help="the shell")


def run(args: argparse.Namespace) -> int:
    """Print the code that the shell is to run when it starts; return 0.

    Raises:
        ConfigError: If argcomplete is not installed.
    """
    try:
        from argcomplete.shell_integration import shellcode
    except ImportError as error:
        raise ConfigError(
            "completion needs the package argcomplete: pip install argcomplete."
        ) from error

    print(shellcode(["realdeg"], shell=args.shell))
    return 0


def complete(
    build: Callable[[str | None], argparse.ArgumentParser], commands: Iterable[str]
) -> None:
    """Answer a shell that asks for completions, by argcomplete's protocol, and end the process.

    Args:
        build: Returns the parser of all commands with the arguments of one.
        commands: The names of the commands.
    """
    try:
        import argcomplete
        from argcomplete.completers import FilesCompleter
    except ImportError:
        os._exit(1)
    known = set(commands)
    words = os.environ.get("COMP_LINE", "").split()[1:]
    parser = build(next((word for word in words if word in known), None))
    paths = FilesCompleter()

    def completer(takes_weights: bool, takes_cameras: bool) -> Callable[..., list[str]]:
        def names(prefix: str, **_: Any) -> list[str]:
            found = [name for name in _recipes() if name.startswith(prefix)]
            if takes_cameras:
                found += [name for name in find_cameras() if name.startswith(prefix)]
            if takes_weights:
                found += [name for name in _published() if name.startswith(prefix)]
            return found + list(paths(prefix))

        return names

    for action in _actions(parser):
        if action.dest in {*_RECIPES, *_CAMERAS} and action.choices is None:
            action.completer = completer(  # type: ignore[attr-defined]
                action.dest in _WEIGHTS, action.dest in _CAMERAS
            )
    argcomplete.autocomplete(parser)


def _actions(parser: argparse.ArgumentParser) -> Iterable[argparse.Action]:
    """Yield the arguments of a parser and of the parsers of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)


def _recipes() -> list[str]:
    from realdeg.config.find import list_configs

    return list_configs()


def _published() -> list[str]:
    # The catalogue's own reader belongs to the networks, and importing those takes seconds.
    text = files("realdeg").joinpath("backbones/pretrained/catalogue.json").read_text("utf-8")
    names = {
        f"{each['type']}:{each['name']}"
        for group in json.loads(text)
        for each in ({**group, **own} for own in group.get("files", [{}]))
    }
    return sorted(names, key=str.lower)
