"""``realdeg browse``: look at what a recipe feeds its network."""

from __future__ import annotations

import argparse

from realdeg.cli.common import add_config_options, options_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("config", help="a config file or the name of a recipe")
    parser.add_argument("-n", type=int, default=8, metavar="N", help="how many samples (8)")
    parser.add_argument(
        "--start", type=int, default=0, metavar="ITERATION", help="where in the training (0)"
    )
    parser.add_argument("--out", default="sheet.png", help="the picture to write (sheet.png)")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Draw the samples and say in words what was done to them.

    Args:
        args: The parsed arguments.

    Returns:
        0.
    """
    from pathlib import Path

    from realdeg.apis.browsing import draw_samples, training_samples
    from realdeg.config import load_config
    from realdeg.utils.files import ensure_writable_dir

    # Before the work, not after it.
    ensure_writable_dir(Path(args.out).parent)
    cfg = load_config(args.config, options_of(args), sample=args.sample)
    samples = training_samples(cfg, args.n, start=args.start)
    for sample in samples:
        print(" | ".join(sample.in_words()))
    title = f"{args.config}{' (sample data)' if args.sample else ''}"
    path = draw_samples(samples, args.out, title=title)
    print(f"{path}: HR, LR and what was done, {len(samples)} samples")
    return 0
