"""``realdeg reproduce``: run a table of a paper and write it beside the published values."""

from __future__ import annotations

import argparse

from realdeg.cli.json_output import add_json, print_json, stdout_for_json
from realdeg.cli.options import add_cfg_options, chosen

TABLES = ("table1", "table2", "figure6", "transfer", "noise", "scales")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("table", choices=TABLES, help="the table or figure")
    parser.add_argument(
        "--budget",
        choices=("small", "paper"),
        default="small",
        help="small: minutes per run on a CPU; paper: its recipes, which want a GPU (small)",
    )
    parser.add_argument("--data", default="data", help="the folder of the data sets (data)")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1], metavar="SEED", help="seeds (0 1)"
    )
    parser.add_argument("-o", "--out", help="folder of runs and tables (work_dirs/reproduce)")
    parser.add_argument("--plan", action="store_true", help="print the runs and start none")
    parser.add_argument("--device", help="cpu, cuda or cuda:1 (the accelerator if there is one)")
    add_cfg_options(parser, "config values that all runs share, e.g. train_cfg.max_iters=400")
    add_json(parser, "realdeg-reproduce-1")


def run(args: argparse.Namespace) -> int:
    """Run the table and print it; return 0, or 2 if a run failed."""
    from realdeg.apis.reproducing import reproduce
    from realdeg.utils.text import printable

    with stdout_for_json(args.json):
        result = reproduce(
            args.table,
            options=args.cfg_options,
            **chosen(args, "budget", "data", "seeds", "out", "plan", "device"),
        )
    if args.json:
        print_json(result.to_dict())
    elif args.plan:
        print(printable(result.plan_text()))
    else:
        print(printable(result.to_markdown()))
        for path in result.files:
            print(f"wrote {path}")
    return 2 if result.failed else 0
