"""``realdeg demo``: the whole pipeline on built-in images, in minutes."""

from __future__ import annotations

import argparse
import os


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--out", default="demo_output", help="folder for all output (demo_output)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="run for seconds, only to show that everything works",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed (0)")


def run(args: argparse.Namespace) -> int:
    """Run the demo."""
    # Read when torch is loaded. On a busy machine, threads that wait actively were measured to take
    # twice the CPU time of sleeping ones.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from realdeg.demo import run_demo

    run_demo(args.out, quick=args.quick, seed=args.seed)
    return 0
