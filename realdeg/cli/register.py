"""``realdeg register``: make aligned pairs from photos at two focal lengths."""

from __future__ import annotations

import argparse
import json

from realdeg.cli.options import chosen, parse_scale


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "wide", help="folder or file: photos at short focal length, which become LR"
    )
    parser.add_argument("tele", help="folder or file: photos at long focal length, which become HR")
    parser.add_argument(
        "pairs", help="folder to make, with HR, LR, registration.json and registration.png"
    )
    parser.add_argument(
        "--geometry",
        choices=("auto", "same-size", "scaled"),
        default="auto",
        help="scaled: LR = HR / scale; same-size: LR on the HR grid (auto: by the photos)",
    )
    parser.add_argument(
        "--scale",
        type=_scale,
        default="auto",
        help="2 to 8 (auto: the ratio of the focal lengths, rounded, at most 4)",
    )
    parser.add_argument(
        "--match",
        choices=("auto", "name", "time", "content"),
        default="auto",
        help="how partners are found: equal names, EXIF time, content (auto)",
    )
    parser.add_argument(
        "--model",
        choices=("auto", "affine", "homography", "distortion"),
        default="auto",
        help="the transform (auto: the simplest that fits)",
    )
    parser.add_argument(
        "--colour",
        "--color",
        choices=("match", "statistics", "keep"),
        default="match",
        help="LR gets HR's colours by aligned pixels, or by mean and covariance as RealSR does, or"
        " keeps its own (match)",
    )
    parser.add_argument(
        "--resample",
        choices=("auto", "hr", "lr"),
        default="auto",
        help="which of the two is moved (auto: HR if LR is smaller, else LR)",
    )
    parser.add_argument(
        "--crop",
        type=float,
        default=1.0,
        metavar="FRACTION",
        help="central part of each side that is kept (1.0)",
    )
    parser.add_argument(
        "--raw",
        choices=("developed", "linear"),
        default="developed",
        help="how raw files are developed (developed); needs realdeg[raw]",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="start again and replace existing files"
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 if a pair is rejected or has no partner"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the measurements of registration.json"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _scale(text: str) -> float | str:
    return "auto" if text == "auto" else parse_scale(text)


def run(args: argparse.Namespace) -> int:
    """Register the photos and print a line per pair; return 0, or with --strict 1 for rejects."""
    from realdeg.apis.registering import register_photos
    from realdeg.utils.text import printable

    options = ("geometry", "scale", "match", "model", "colour", "resample", "crop", "raw")
    found = register_photos(
        args.wide,
        args.tele,
        args.pairs,
        progress=not args.quiet,
        **chosen(args, *options, "overwrite"),
    )
    if args.json:
        print(json.dumps(found.record(), indent=1))
    else:
        print(printable(found.describe()))
    return 1 if args.strict and (found.rejected or found.alone) else 0
