"""``realdeg list``: what there is to choose from."""

from __future__ import annotations

import argparse

KINDS = (
    "degradations",
    "backbones",
    "discriminators",
    "losses",
    "tasks",
    "datasets",
    "transforms",
    "metrics",
    "hooks",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "what",
        nargs="?",
        choices=("configs", "components", "pretrained", *KINDS),
        default="configs",
        help="configs (default), all components, one kind of them, or published weights",
    )
    parser.add_argument("pattern", nargs="?", default="", help="show only names that contain it")
    parser.add_argument(
        "--table",
        action="store_true",
        help="of backbones or of published weights: a table in Markdown",
    )


def run(args: argparse.Namespace) -> int:
    """Print the names, one per line."""
    if args.what == "configs" and not args.table:
        from realdeg.config.paths import list_configs

        _show(list_configs(), args.pattern)
        return 0
    if args.table:
        return _table(args)
    if args.what == "pretrained":
        return _pretrained(args.pattern)
    from realdeg import registry

    for kind in KINDS if args.what == "components" else (args.what,):
        names = getattr(registry, f"list_{kind}")()
        if args.what == "components":
            print(f"{kind}:")
            _show(names, args.pattern, indent="  ")
        else:
            _show(names, args.pattern)
    return 0


def _table(args: argparse.Namespace) -> int:
    """Print the table of backbones, or of published weights."""
    from realdeg.errors import ConfigError

    if args.what == "pretrained":
        from realdeg.backbones.pretrained.table import table as weights_table

        print(weights_table(args.pattern), end="")
        return 0
    if args.what != "backbones":
        raise ConfigError(
            "--table is of backbones or of published weights: realdeg list backbones, or realdeg"
            f" list pretrained, not {args.what}."
        )
    from realdeg.cli.backbone_table import names, table

    wanted = args.pattern.lower()
    print(table([name for name in names() if wanted in name.lower()]), end="")
    return 0


def _pretrained(pattern: str) -> int:
    """Print published weights: network, name, scales, licence, and where they are."""
    from realdeg.backbones.pretrained.table import lines

    for line in lines(pattern):
        print(line)
    return 0


def _show(names: list[str], pattern: str, indent: str = "") -> None:
    for name in names:
        if pattern.lower() in name.lower():
            print(f"{indent}{name}")
