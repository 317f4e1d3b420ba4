"""``realdeg demo``: the whole way on built-in pictures, in minutes."""

from __future__ import annotations

import argparse
import os


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--out", default="demo_output", help="folder of everything written (demo_output)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="seconds: shows that it runs, and nothing else"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of every random decision (0)")


def run(args: argparse.Namespace) -> int:
    """Run the demo."""
    # Read when torch is loaded. On a machine that has something else to do, threads that wait for
    # each other in a loop were measured to take twice the processor time of sleeping ones.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from realdeg.demo import run_demo

    run_demo(args.out, quick=args.quick, seed=args.seed)
    return 0
