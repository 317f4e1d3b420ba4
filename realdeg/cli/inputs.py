"""The inputs and the output of ``infer`` and ``degrade``, and how results are saved."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realdeg.errors import ConfigError

if TYPE_CHECKING:
    from realdeg.apis.inputs import Inputs
    from realdeg.apis.saving import Saving


class CommandParser(argparse.ArgumentParser):
    """Parser of a command.

    Attributes:
        intermixed: Whether options may stand between positional arguments of which there are any
            number; argparse would take the first of them for all.
    """

    intermixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse what is known, and return the rest as well."""
        if not self.intermixed:
            return super().parse_known_args(args, namespace)
        self.intermixed = False  # the next line calls this method
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.intermixed = True


def add_inputs(parser: argparse.ArgumentParser, what: str, first: str, result: str) -> None:
    """Add what comes first, inputs and output, all positional, and other ways to name inputs.

    Args:
        parser: The command's parser.
        what: What comes first: ``"model"`` or ``"degradation"``.
        first: Its help text.
        result: The help text of the output.
    """
    if isinstance(parser, CommandParser):
        parser.intermixed = True
    # All are optional here: `words_of` tells which is which.
    parser.add_argument(what, nargs="?", metavar=what.upper(), help=first)
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="an image, a folder that is searched, a pattern ('trip/**/*.jpg', in quotes), @FILE"
        " with a list of paths, or - for a list on standard input; any number of them",
    )
    parser.add_argument("output", nargs="?", metavar="OUTPUT", help=result)
    group = parser.add_argument_group("inputs and results")
    group.add_argument(
        "-o", "--output", dest="named_output", metavar="OUTPUT", help="OUTPUT, wherever it stands"
    )
    group.add_argument(
        "--from-file",
        metavar="FILE",
        help="a list of inputs, one path per line; - is standard input",
    )
    group.add_argument(
        "--null",
        action="store_true",
        help="paths in lists end with null bytes, as those of `find -print0`",
    )
    group.add_argument(
        "--parents",
        action="store_true",
        help="keep the folders of paths as they are given, below OUTPUT",
    )
    group.add_argument(
        "--suffix", default="", metavar="TEXT", help="put TEXT after the names, e.g. _x4"
    )
    group.add_argument(
        "--format",
        choices=("png", "jpg", "tiff", "webp", "keep"),
        default="png",
        help="format of the results in a folder; keep: that of each image (png)",
    )
    group.add_argument(
        "--quality",
        type=int,
        metavar="1-100",
        help="quality of JPEG and WebP (95; WebP without it is lossless)",
    )


def words_of(args: argparse.Namespace, what: str, given: str | None) -> tuple[str, list[str], str]:
    """Tell what comes first, inputs and output apart.

    Args:
        args: What was parsed.
        what: As for :func:`add_inputs`.
        given: What comes first, where an option stated it.

    Raises:
        ConfigError: If one of them is missing.
    """
    words = [getattr(args, what), *args.inputs, args.output]
    words = [word for word in words if word is not None]
    listed = args.from_file is not None
    missing = []
    if given is None:
        missing += [] if words else [what.upper()]
        given = words.pop(0) if words else ""
    output = args.named_output
    if output is None:
        missing += [] if words else ["OUTPUT"]
        output = words.pop() if words else ""
    missing += [] if words or listed else ["INPUT"]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} missing: give {what.upper()} INPUT... OUTPUT, in this order"
            f" (`realdeg {args.command} --help`)."
        )
    return given, words, output


def inputs_of(args: argparse.Namespace, words: list[str]) -> str | Inputs:
    """Return the one input of a command, or the images of several, patterns and lists.

    Args:
        args: What was parsed.
        words: The inputs as they were given.

    Raises:
        DataError: If a list cannot be read, or images are missing or have the same name.
    """
    from realdeg.apis.inputs import find_inputs, read_list

    listed: list[str | Path] = []
    lists = 0
    for word in words:
        if word == "-":
            listed += read_list("-", null=args.null)
        elif word.startswith("@") and len(word) > 1 and not os.path.lexists(word):
            listed += read_list(word[1:], null=args.null)
        else:
            listed.append(word)
            continue
        lists += 1
    if args.from_file is not None:
        listed += read_list(args.from_file, null=args.null)
        lists += 1
    if args.null and not lists:
        raise ConfigError("--null is for lists of paths: add --from-file FILE, @FILE or -.")
    if len(listed) == 1 and not lists and not args.parents:
        return str(listed[0])
    return find_inputs(listed, parents=args.parents)


def saving_of(args: argparse.Namespace) -> Saving:
    """Return how results are named and encoded.

    Raises:
        ConfigError: If the settings contradict each other.
    """
    from realdeg.apis.saving import Saving

    return Saving(args.suffix, args.format, args.quality)
