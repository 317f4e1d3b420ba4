"""``realdeg train``: train what a config names."""

from __future__ import annotations

import argparse

from realdeg.cli.options import add_config_options, add_run_options, run_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "config", help="a config file, a run's folder, or a name such as dml/dml_n8_realsr_x4"
    )
    add_run_options(parser)
    add_config_options(parser)
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        metavar="PATH",
        help="go on from the newest checkpoint of the work dir, or from PATH",
    )


def run(args: argparse.Namespace) -> int:
    """Train.

    Args:
        args: The parsed options.

    Returns:
        0.
    """
    from realdeg.apis.training import train

    train(
        args.config,
        resume=True if args.resume == "auto" else args.resume,
        **run_arguments(args),
    )
    return 0
