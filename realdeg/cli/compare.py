"""``realdeg compare``: compare trained networks or degradations in one table."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from realdeg.cli.json_output import add_json, print_json, stdout_for_json
from realdeg.cli.options import add_protocol, chosen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="[NAME=]RUN",
        help="the work dir of `realdeg train` or `realdeg test`, or a folder of such folders; runs"
        " that differ only in their seed, or have the same NAME, are one row",
    )
    add_protocol(parser)
    parser.add_argument(
        "--test",
        action="store_true",
        help="test the runs that lack these scores",
    )
    parser.add_argument(
        "--all-pairs",
        action="store_true",
        help="differences of every two rows, not only to the first",
    )
    parser.add_argument("--draws", type=int, default=10_000, help="bootstrap resamples (10000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the resamples (0)")
    parser.add_argument("--device", help="where to test")
    parser.add_argument(
        "--format",
        choices=("markdown", "csv", "latex"),
        help="format of the tables (markdown, or as the suffix of --output says)",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write the tables to this file")
    add_json(parser, "realdeg-runs-1")


def run(args: argparse.Namespace) -> int:
    """Compare and print the tables; return 0."""
    from realdeg.apis.comparing import compare_runs
    from realdeg.utils.text import printable

    names = chosen(args, "protocol", "test", "all_pairs", "draws", "seed", "device")
    with stdout_for_json(args.json):
        comparison = compare_runs([_named(run) for run in args.runs], **names)
    if args.output:
        comparison.write(args.output, args.format)
    if args.json:
        print_json(comparison.to_dict())
    elif args.output:
        print(f"wrote {args.output}")
    else:
        print(printable(comparison.text(args.format or "markdown")), end="")
    return 0


def _named(argument: str) -> str | tuple[str, str]:
    """Split ``NAME=RUN``; an existing folder's own name may hold an ``=``."""
    match = re.fullmatch(r"([^=/\\]+)=(.+)", argument)
    return argument if match is None or Path(argument).exists() else (match[1], match[2])
