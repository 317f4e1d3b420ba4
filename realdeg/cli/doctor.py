"""``realdeg doctor``: examine data before anything is trained on it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from realdeg.cli.options import (
    add_cfg_options,
    add_same_size,
    chosen,
    parse_scale,
)

if TYPE_CHECKING:
    from realdeg.diagnosis import Diagnosis

_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "targets",
        nargs="+",
        metavar="TARGET",
        help="a recipe, config, run's folder or data set; a folder with HR and LR, with train and"
        " test, or of HR images alone; or the two folders HR LR",
    )
    parser.add_argument("--test", metavar="FOLDER", help="images to test on, sought in the others")
    parser.add_argument(
        "--pairs",
        type=_parse_pairs,
        default=64,
        metavar="N|all",
        help="images or pairs of each set that are decoded and measured (64); headers and"
        " fingerprints are taken of all",
    )
    parser.add_argument("--scale", type=parse_scale, help="HR pixels per LR pixel")
    add_same_size(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the choice of images (0)")
    parser.add_argument("--data-root", help="folder of all data sets")
    parser.add_argument("--picture", metavar="FILE", help="draw the worst cases")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings, too")
    parser.add_argument("--sample", action="store_true", help="a recipe with the built-in images")
    add_cfg_options(parser, "override config values")


def run(args: argparse.Namespace) -> int:
    """Examine, print the findings; return 1 if there is an error, or with --strict a warning."""
    from realdeg.apis.doctoring import doctor
    from realdeg.utils.text import printable

    diagnosis = doctor(
        *args.targets,
        options=args.cfg_options,
        progress="terminal",
        **chosen(args, "test", "pairs", "scale", "same_size", "seed", "sample", "data_root"),
        picture=args.picture,
    )
    if args.json:
        import json

        print(json.dumps(diagnosis.to_dict(), indent=1, allow_nan=False))
    else:
        _print(diagnosis)
    if args.picture is not None and diagnosis.picture is None:
        why = "no finding has a picture" if diagnosis.findings else "nothing was found"
        # Not on stdout, where JSON stands alone.
        print(printable(f"{args.picture} is not written: {why}."), file=sys.stderr)
    return 0 if diagnosis.is_healthy(args.strict) else 1


def _print(diagnosis: Diagnosis) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from realdeg.utils.text import printable

    console = Console(soft_wrap=False)
    if not console.is_terminal:
        console = Console(width=120)
    for one in diagnosis.sets:
        console.print(Text(printable(one.describe())))
    if diagnosis.findings:
        table = Table(show_lines=True, header_style="bold")
        table.add_column("check", no_wrap=True)
        table.add_column("found", ratio=3)
        table.add_column("what to do", ratio=2)
        for item in diagnosis.findings:
            style = _STYLES[item.severity]
            name = Text(f"{item.check}\n")
            name.append(item.severity, style)
            found = Text(printable(item.message))
            if len(diagnosis.sets) > 1:
                found = Text(f"{printable(item.where)}: ", "dim").append_text(found)
            table.add_row(name, found, Text(printable(item.advice)))
        console.print(table)
    console.print(diagnosis.summary())
    if diagnosis.picture is not None:
        console.print(Text(f"wrote {printable(str(diagnosis.picture))}"))


def _parse_pairs(text: str) -> int | None:
    """Parse a number of pairs; ``all`` is None."""
    if text == "all":
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 10**8:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of pairs, or 'all'")
    return int(text)
