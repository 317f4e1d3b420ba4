"""``realdeg browse``: draw the training samples of a recipe."""

from __future__ import annotations

import argparse

from realdeg.cli.options import add_config_options, config_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("config", help="a config file or the name of a recipe")
    parser.add_argument("-n", type=int, default=8, metavar="N", help="number of samples (8)")
    parser.add_argument(
        "--start", type=int, default=0, metavar="ITERATION", help="first iteration (0)"
    )
    parser.add_argument("--out", default="sheet.png", help="image file to write (sheet.png)")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Draw the samples and print what was done to each; return 0."""
    from realdeg.apis.browsing import browse

    made = browse(args.config, args.out, count=args.n, start=args.start, **config_arguments(args))
    for sample in made.samples:
        print(" | ".join(sample.in_words()))
    print(f"{made.path}: HR, LR and trace of {len(made.samples)} samples")
    return 0
