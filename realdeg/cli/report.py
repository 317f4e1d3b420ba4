"""``realdeg report``: one HTML page about one or several runs."""

from __future__ import annotations

import argparse

from realdeg.cli.options import add_cfg_options, chosen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="the folder of a run")
    parser.add_argument("-o", "--out", default="report.html", help="the page (report.html)")
    parser.add_argument("--labels", nargs="+", help="names of the runs (those of the folders)")
    parser.add_argument("--title", help="the heading (the names of the runs)")
    parser.add_argument(
        "--images", type=int, default=4, help="test images that are shown; 0: none (4)"
    )
    parser.add_argument(
        "--crop", type=int, default=320, help="side of the part that is shown, HR pixels (320)"
    )
    parser.add_argument(
        "--limit", type=float, default=12.0, help="megabytes of all pictures at most (12)"
    )
    parser.add_argument("--device", default="cpu", help="where to compute (cpu)")
    add_cfg_options(parser, "override values of each run's config, e.g. data_root=/data")


def run(args: argparse.Namespace) -> int:
    """Write the page and print what it lacks; return 0."""
    from realdeg.apis.reporting import write_report
    from realdeg.utils.text import printable

    names = ("out", "labels", "title", "images", "crop", "limit", "device")
    made = write_report(args.runs, options=args.cfg_options, **chosen(args, *names))
    for sentence in made.left_out:
        print(printable(sentence))
    labels = ", ".join(one.label for one in made.runs)
    print(printable(f"wrote {made.path}, {made.size / 1e6:.2f} MB: {labels}"))
    return 0
