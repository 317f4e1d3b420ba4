"""``realdeg push``: publish a camera or network on the Hugging Face Hub."""

from __future__ import annotations

import argparse

from realdeg.cli.options import chosen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "source",
        help="folder of realdeg fit, finetune or train, or a self-describing .safetensors file",
    )
    parser.add_argument("repository", metavar="OWNER/NAME", help="where; made if necessary")
    parser.add_argument("--private", action="store_true", help="visible to its owner only")
    parser.add_argument(
        "--licence",
        "--license",
        help="the Hub's short name of a licence, such as apache-2.0 or cc-by-4.0 (none)",
    )
    parser.add_argument("--message", help="of the commit")


def run(args: argparse.Namespace) -> int:
    """Publish and print where."""
    from realdeg.apis.sharing import push_to_hub

    pushed = push_to_hub(
        args.source, args.repository, **chosen(args, "private", "licence", "message")
    )
    print(pushed.describe())
    if args.licence is None:
        print("no licence is stated, so others may not use it: --licence states one")
    return 0
