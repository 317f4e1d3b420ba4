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


def run(args: argparse.Namespace) -> int:
    """Print the names, one per line."""
    if args.what == "configs":
        from realdeg.config.paths import list_configs

        _show(list_configs(), args.pattern)
        return 0
    from realdeg import registry

    for kind in KINDS if args.what == "components" else (args.what,):
        names = getattr(registry, f"list_{kind}")()
        if args.what == "components":
            print(f"{kind}:")
            _show(names, args.pattern, indent="  ")
        else:
            _show(names, args.pattern)
    return 0


def _show(names: list[str], pattern: str, indent: str = "") -> None:
    for name in names:
        if pattern.lower() in name.lower():
            print(f"{indent}{name}")
