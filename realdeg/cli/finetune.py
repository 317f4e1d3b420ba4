"""``realdeg finetune``: adapt a trained network to a camera."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys

from realdeg.cli.fit import GUIDED, add_guided_options, pairs_of
from realdeg.cli.options import add_same_size, chosen, parse_scale


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "network",
        help="published weights (`realdeg list pretrained`), a file or folder of weights, a config,"
        " or a type beside --weights",
    )
    parser.add_argument(
        "--camera",
        required=True,
        metavar="CAMERA",
        help="the folder of `realdeg fit`, a degradation's file, config or type",
    )
    parser.add_argument(
        "--hr", required=True, metavar="PHOTOS", help="folder of HR photos, searched recursively"
    )
    parser.add_argument(
        "--pairs",
        nargs="+",
        metavar="PAIRS",
        help="real pairs, every second patch: a folder with HR and LR, or two folders",
    )
    parser.add_argument(
        "--weights", metavar="FILE", help="weights of any format for the network's type"
    )
    add_guided_options(parser, "network")
    parser.add_argument("--scale", type=parse_scale, help="scale factor (the network's)")
    add_same_size(parser)


def run(args: argparse.Namespace) -> int:
    """Fine-tune the network and print before and after; return 0."""
    from realdeg.apis.finetuning import finetune

    aside = contextlib.redirect_stdout(sys.stderr) if args.json else contextlib.nullcontext()
    with aside:
        tuned = finetune(
            args.network,
            pairs=pairs_of(args.pairs),
            **chosen(args, "camera", "hr", "out", "weights", "scale", "same_size", *GUIDED),
        )
    print(json.dumps(tuned.report, indent=2) if args.json else tuned.describe())
    return 0
