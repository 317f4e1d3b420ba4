"""``realdeg sweep``: train a recipe with several seeds and settings."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from realdeg.cli.json_output import add_json, print_json, stdout_for_json
from realdeg.cli.options import (
    OptionsAction,
    add_cfg_options,
    add_protocol,
    chosen,
    parse_scale,
    parse_values,
)

if TYPE_CHECKING:
    from realdeg.apis.sweeping import SweepResult


class _GridAction(OptionsAction):
    """Collects KEY=VALUE,VALUE in a dict of lists."""

    def parse_pair(self, pair: str, options: dict[str, Any]) -> None:
        """Add the values of one key, which stands once."""
        key, equals, text = pair.partition("=")
        if not key or not equals or not text:
            raise argparse.ArgumentTypeError(f"takes KEY=VALUE,VALUE, got '{pair}'")
        if key in options:
            raise argparse.ArgumentTypeError(f"has the key '{key}' twice")
        options[key] = parse_values(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("config", help="a config file, or a name such as dml/dml_n8_realsr_x4")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], metavar="SEED", help="seeds of each run (0)"
    )
    parser.add_argument(
        "--set",
        dest="grid",
        nargs="+",
        action=_GridAction,
        default={},
        metavar="KEY=VALUE,VALUE",
        help="values of a key of the config; every combination is run. A value that is a list is"
        " written in brackets: loss.weights=[1,0],[1,1]",
    )
    parser.add_argument("-o", "--out", help="folder of the sweep (work_dirs/NAME_sweep)")
    parser.add_argument("--device", help="cpu, cuda or cuda:1 (the accelerator if there is one)")
    add_cfg_options(parser, "config values that all runs share")
    parser.add_argument(
        "--scale", type=parse_scale, help="another scale of the recipe, as CONFIG@x2 names it"
    )
    parser.add_argument(
        "--sample", action="store_true", help="run on the built-in sample with a short schedule"
    )
    parser.add_argument("--no-test", action="store_true", help="train only")
    add_protocol(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the runs and start none")
    add_json(parser, "realdeg-sweep-1")


def run(args: argparse.Namespace) -> int:
    """Run the sweep, print its table; return 0, or 2 if a run failed."""
    from realdeg.apis.sweeping import sweep

    scale = {} if args.scale is None else {"scale": args.scale}
    with stdout_for_json(args.json):
        result = sweep(
            args.config,
            options=args.cfg_options,
            test=not args.no_test,
            **chosen(args, "seeds", "grid", "out", "device", "sample", "protocol", "dry_run"),
            **scale,
        )
    if args.json:
        print_json(result.to_dict())
    else:
        _show(result, args.dry_run)
    return 2 if result.failed else 0


def _show(result: SweepResult, planned: bool) -> None:
    from realdeg.utils.text import printable

    if planned:
        print(f"{len(result.runs)} runs in {result.folder}:")
        for one in result.runs:
            print(f"  {one.folder.name}")
        return
    if result.comparison is not None:
        print(printable(result.comparison.to_markdown()))
    for path in result.files:
        print(f"wrote {path}")
    if result.failed:
        print(f"{len(result.failed)} of {len(result.runs)} runs failed:")
        for one in result.failed:
            print(printable(f"  {one.folder.name}: {one.reason}"))
        print("The same command tries them again.")
