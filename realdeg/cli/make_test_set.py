"""``realdeg make_test_set``: make a test set of known blur from HR images."""

from __future__ import annotations

import argparse
import sys

from realdeg.cli.options import chosen, parse_jobs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "set", help="DIV2KRK: a random kernel for each image; Gaussian8: eight for every image"
    )
    parser.add_argument("src", help="folder of HR images, searched recursively")
    parser.add_argument("dst", help="folder to make; an interrupted run continues here")
    parser.add_argument("--scale", type=int, required=True, help="scale factor: 2, 3, 4, ...")
    parser.add_argument(
        "--position",
        default="aligned",
        help="where LR pixel 0 lies: aligned with bicubic LR; half-pixel: half an HR pixel further,"
        " as DIV2KRK's own code places it; corner: on HR pixel 0 (aligned)",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed of the kernels (0)")
    parser.add_argument(
        "--jobs",
        type=parse_jobs,
        metavar="N",
        help="worker processes, one thread each (the number of cores)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="start again and replace existing files"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(args: argparse.Namespace) -> int:
    """Make the set; return 0, or 2 if an image failed."""
    from realdeg.apis.blind_sets import make_test_set
    from realdeg.utils.text import printable

    made = make_test_set(
        args.set,
        args.src,
        args.dst,
        progress=not args.quiet,
        **chosen(args, "scale", "position", "seed", "jobs", "overwrite"),
    )
    # File names may hold undecodable bytes and terminal control characters.
    print(printable(made.describe()), file=sys.stdout if made.ok else sys.stderr)
    return 0 if made.ok else 2
