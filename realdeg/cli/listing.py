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
        choices=("configs", "components", *KINDS),
        default="configs",
        help="configs (default), all components, or one kind of them",
    )
    parser.add_argument("pattern", nargs="?", default="", help="show only names that contain it")
    parser.add_argument(
        "--table",
        action="store_true",
        help="of backbones: parameters, multiply-adds and more, as Markdown",
    )


def run(args: argparse.Namespace) -> int:
    """Print the names, one per line."""
    if args.what == "configs" and not args.table:
        from realdeg.config.paths import list_configs

        _show(list_configs(), args.pattern)
        return 0
    if args.table:
        return _table(args)
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
    """Print the table of backbones."""
    from realdeg.cli.backbone_table import names, table
    from realdeg.errors import ConfigError

    if args.what != "backbones":
        raise ConfigError(f"--table is of backbones: realdeg list backbones, not {args.what}.")
    wanted = args.pattern.lower()
    print(table([name for name in names() if wanted in name.lower()]), end="")
    return 0


def _show(names: list[str], pattern: str, indent: str = "") -> None:
    for name in names:
        if pattern.lower() in name.lower():
            print(f"{indent}{name}")
