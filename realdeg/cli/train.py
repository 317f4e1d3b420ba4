"""``realdeg train``: train a degradation or a network from a config."""

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
        help="resume from the newest checkpoint of the work dir, or from PATH",
    )


def run(args: argparse.Namespace) -> int:
    """Train; return 0."""
    from realdeg.apis.training import train

    resume = True if args.resume == "auto" else args.resume
    train(args.config, resume=resume, **run_arguments(args))
    return 0
