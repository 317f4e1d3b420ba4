"""``realdeg degrade``: apply a degradation to HR images."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, cast

from realdeg.cli.dataset import (
    add_dataset_options,
    dataset_inputs,
    is_dataset,
    make,
    merge,
    verify,
)
from realdeg.cli.inputs import add_inputs, saving_of, words_of
from realdeg.cli.options import (
    add_cfg_options,
    add_same_size,
    chosen,
    parse_jobs,
    parse_pixels,
    parse_scale,
)

if TYPE_CHECKING:
    from realdeg.apis.folder import Summary
    from realdeg.apis.inputs import Inputs
    from realdeg.utils.image import Reading


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_inputs(
        parser,
        "degradation",
        "a camera by name (`realdeg list cameras`), learned weights (.safetensors), a registered"
        " type (Bicubic), or a config whose degradation is used",
        "folder for LR images; an interrupted run continues here",
    )
    parser.add_argument("--scale", type=parse_scale, help="scale factor: 2, 3, 4, ...")
    parser.add_argument(
        "--colour",
        choices=("rgb", "y"),
        default="rgb",
        help="degrade RGB, or only luma, as luma networks see it in training (rgb)",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed (0)")
    parser.add_argument(
        "--remainder",
        choices=("crop", "refuse"),
        default="crop",
        help="sizes not divisible by the scale: crop bottom and right, or refuse (crop)",
    )
    add_folder_options(parser, "degradation.sigma=5", "the number of cores")
    add_dataset_options(parser)


def add_folder_options(parser: argparse.ArgumentParser, example: str, jobs: str) -> None:
    """Add the options of every command that writes a folder of images."""
    parser.add_argument(
        "--jobs",
        "--workers",
        type=parse_jobs,
        metavar="N",
        help=f"worker processes for the images of a folder, one thread each ({jobs})",
    )
    add_same_size(parser)
    add_cfg_options(parser, f"override values of the config, e.g. {example}")
    parser.add_argument(
        "--overwrite", action="store_true", help="start again and replace existing files"
    )
    parser.add_argument(
        "--first-frame",
        action="store_true",
        help="use the first image of animations and multi-page files instead of refusing them",
    )
    parser.add_argument(
        "--to-srgb",
        action="store_true",
        help="convert images with a colour profile to sRGB instead of keeping the profile",
    )
    parser.add_argument(
        "--max-pixels",
        type=parse_pixels,
        metavar="N",
        help="largest image that is read, in pixels (200000000, or REALDEG_MAX_PIXELS)",
    )
    parser.add_argument("--device", help="cpu, cuda or cuda:1")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def reading_of(args: argparse.Namespace) -> Reading:
    """Return how images are read, from :func:`add_folder_options`, and set the pixel limit."""
    from realdeg.utils.image import Reading, set_pixel_limit

    if args.max_pixels is not None:
        set_pixel_limit(args.max_pixels)
    return Reading(first_frame=args.first_frame, srgb=args.to_srgb)


def run(args: argparse.Namespace) -> int:
    """Degrade the folder; return 0, or 2 if an image failed."""
    from realdeg.apis.create import create_degradation
    from realdeg.apis.degrading import degrade

    if args.merge is not None:
        return merge(args)
    if args.verify is not None:
        return verify(args)
    reading, saving = reading_of(args), saving_of(args)
    source, words, output = words_of(args, "degradation", None)
    inputs = dataset_inputs(args, words)
    degradation = create_degradation(
        source, args.scale, args.same_size, trained=True, options=args.cfg_options
    )
    print(degradation.describe())
    if is_dataset(args, inputs, output):
        return make(args, degradation, inputs, output, reading, saving)
    summary = degrade(
        degradation,
        cast("Inputs", inputs),
        output,
        reading=reading,
        saving=saving,
        progress=not args.quiet,
        **chosen(args, "colour", "seed", "remainder", "device", "jobs", "overwrite"),
    )
    return report(summary)


def report(summary: Summary) -> int:
    """Print the summary of a folder, to stderr if an image failed; return 0 or 2."""
    from realdeg.utils.text import printable

    stream = sys.stdout if summary.ok else sys.stderr
    # File names may hold undecodable bytes and terminal control characters.
    print(printable(summary.describe()), file=stream)
    if not summary.ok:
        print(
            f"error: {len(summary.failed)} images failed (see above): fix or remove them and run"
            " the same command again, which processes only what is missing.",
            file=stream,
        )
    return 0 if summary.ok else 2
