"""``realdeg fit``: learn a camera from real pairs."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys

from realdeg.cli.options import chosen
from realdeg.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "pairs",
        nargs="+",
        metavar="PAIRS",
        help="a folder with the folders HR and LR, as `realdeg register` writes it, or the folder"
        " of HR and that of LR",
    )
    add_guided_options(parser, "camera")
    parser.add_argument("--scale", type=int, help="HR pixels per LR pixel (as found)")


def add_guided_options(parser: argparse.ArgumentParser, result: str) -> None:
    """Add the options of the commands that choose their own schedule."""
    parser.add_argument(
        "-o", "--out", required=True, metavar="FOLDER", help=f"the folder of the {result}"
    )
    parser.add_argument(
        "--time", default="10m", help="how long it may take in all: 90s, 10m, 1h (10m)"
    )
    parser.add_argument("--device", help="cpu, cuda or cuda:1 (the accelerator if there is one)")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the held-out images and the training (0)"
    )
    parser.add_argument(
        "--allow-misaligned", action="store_true", help="use pairs that are not aligned, too"
    )
    parser.add_argument("--resume", action="store_true", help="continue an interrupted run")
    parser.add_argument(
        "--overwrite", action="store_true", help=f"start again and replace a {result}"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON on stdout")


GUIDED = ("time", "device", "seed", "allow_misaligned", "resume", "overwrite")
"""The options of :func:`add_guided_options` that the functions take under the same names."""


def pairs_of(given: list[str] | None) -> str | tuple[str, str] | None:
    """Return pairs as the functions take them."""
    if not given:
        return None
    if len(given) > 2:
        raise ConfigError(
            f"pairs are one folder with HR and LR in it, or two folders, got {len(given)}."
        )
    return given[0] if len(given) == 1 else (given[0], given[1])


def run(args: argparse.Namespace) -> int:
    """Fit the camera and print what was measured; return 0."""
    from realdeg.apis.fitting import fit_camera

    pairs = pairs_of(args.pairs)
    assert pairs is not None  # argparse requires one
    # The log of a run goes to stdout, where JSON stands alone.
    aside = contextlib.redirect_stdout(sys.stderr) if args.json else contextlib.nullcontext()
    with aside:
        camera = fit_camera(pairs, args.out, **chosen(args, "scale", *GUIDED))
    print(json.dumps(camera.report, indent=2) if args.json else camera.describe())
    return 0
