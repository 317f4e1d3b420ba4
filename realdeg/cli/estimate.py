"""``realdeg estimate``: estimate blur and noise of photos."""

from __future__ import annotations

import argparse
import sys

from realdeg.cli.options import chosen, parse_value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("photos", nargs="+", help="images, and folders that are searched")
    parser.add_argument("--scale", type=int, required=True, help="scale factor: 2, 3, 4, ...")
    parser.add_argument(
        "--with",
        dest="estimator",
        type=parse_value,
        default="KernelGAN",
        metavar="ESTIMATOR",
        help="a name of `realdeg list estimators` (KernelGAN), or"
        " \"dict(type='KernelGAN',seed=1)\"",
    )
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        help="folder for the kernels (.npy, .mat, .json) and a picture of them",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    parser.add_argument(
        "--first-frame",
        action="store_true",
        help="use the first image of animations and multi-page files instead of refusing them",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(args: argparse.Namespace) -> int:
    """Print one line per photo; return 0, or 2 if one has no kernel."""
    from realdeg.apis.estimating import estimate_degradation
    from realdeg.utils.image import Reading
    from realdeg.utils.text import printable

    found = estimate_degradation(
        args.photos,
        reading=Reading(first_frame=args.first_frame),
        progress=not args.quiet,
        **chosen(args, "scale", "out", "estimator", "overwrite"),
    )
    for one in found:
        print(printable(one.describe()), file=sys.stderr if one.failure else sys.stdout)
    return 2 if any(one.failure for one in found) else 0
