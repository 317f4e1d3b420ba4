"""``realdeg degrade``: apply a degradation to a folder of HR images."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from realdeg.cli.options import (
    add_cfg_options,
    add_same_size,
    parse_jobs,
    parse_pixels,
    parse_scale,
)

if TYPE_CHECKING:
    from realdeg.apis.folder import Summary
    from realdeg.utils.image import Reading


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "degradation",
        help="learned weights (.safetensors), a registered type (Bicubic), or a config or its"
        " name, whose degradation is taken",
    )
    parser.add_argument("src", help="folder of HR images; sub-folders are followed")
    parser.add_argument("dst", help="folder of LR images; a run that was stopped continues here")
    parser.add_argument(
        "--scale", type=parse_scale, help="how much resolution is lost: 2, 3, 4, ..."
    )
    parser.add_argument(
        "--colour",
        choices=("rgb", "y"),
        default="rgb",
        help="degrade R, G and B; or luma alone, as luma networks see it in training (rgb)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (0)")
    parser.add_argument(
        "--remainder",
        choices=("crop", "refuse"),
        default="crop",
        help="sizes that do not divide by the scale: crop bottom and right, or refuse (crop)",
    )
    add_folder_options(parser, "degradation.sigma=5", "as many as there are cores")


def add_folder_options(parser: argparse.ArgumentParser, example: str, jobs: str) -> None:
    """Add what every command that makes a folder of images takes."""
    parser.add_argument(
        "--jobs",
        type=parse_jobs,
        metavar="N",
        help=f"processes that work on the images of a folder, one thread each ({jobs})",
    )
    add_same_size(parser)
    add_cfg_options(parser, f"override values of the config, e.g. {example}")
    parser.add_argument(
        "--overwrite", action="store_true", help="begin anew, replace what is there"
    )
    parser.add_argument(
        "--first-frame",
        action="store_true",
        help="take the first picture of animations and of files of several pages, not refuse them",
    )
    parser.add_argument(
        "--to-srgb",
        action="store_true",
        help="convert pictures with a colour profile to sRGB instead of keeping the profile",
    )
    parser.add_argument(
        "--max-pixels",
        type=parse_pixels,
        metavar="N",
        help="pixels of the largest file that is read (200000000, or REALDEG_MAX_PIXELS)",
    )
    parser.add_argument("--device", help="cpu, cuda or cuda:1")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def reading_of(args: argparse.Namespace) -> Reading:
    """Return how images are to be read, and set the limit of pixels.

    Args:
        args: The parsed arguments, with those of :func:`add_folder_options`.

    Returns:
        What they say.
    """
    from realdeg.utils.image import Reading, set_pixel_limit

    if args.max_pixels is not None:
        set_pixel_limit(args.max_pixels)
    return Reading(first_frame=args.first_frame, srgb=args.to_srgb)


def run(args: argparse.Namespace) -> int:
    """Degrade the folder.

    Args:
        args: The parsed arguments.

    Returns:
        0; 2 where an image could not be done.
    """
    from realdeg.apis.create import create_degradation
    from realdeg.apis.degrading import degrade

    reading = reading_of(args)
    geometry = {"scale": args.scale, "same_size": args.same_size}
    degradation = create_degradation(
        args.degradation, **geometry, trained=True, options=args.cfg_options
    )
    print(degradation.describe())
    summary = degrade(
        degradation,
        args.src,
        args.dst,
        colour=args.colour,
        seed=args.seed,
        remainder=args.remainder,
        device=args.device,
        jobs=args.jobs,
        reading=reading,
        overwrite=args.overwrite,
        progress=not args.quiet,
    )
    return report(summary)


def report(summary: Summary) -> int:
    """Print what became of a folder; failures go to stderr.

    Args:
        summary: What became of it.

    Returns:
        The exit code: 0, or 2 where an image could not be done.
    """
    from realdeg.utils.text import printable

    stream = sys.stdout if summary.ok else sys.stderr
    # Names may hold bytes that are no text, and letters that a terminal takes for commands.
    print(printable(summary.describe()), file=stream)
    if not summary.ok:
        print(
            f"error: {len(summary.failed)} images could not be done (see above): mend or remove"
            " them and run the same command again, which makes only what is missing.",
            file=stream,
        )
    return 0 if summary.ok else 2
