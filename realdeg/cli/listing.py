"""``realdeg list``: list configs, components, published weights and cameras."""

from __future__ import annotations

import argparse
from typing import Any

from realdeg.cli.json_output import add_json, print_json

FORMAT = "realdeg-list-1"
KINDS = (
    "degradations",
    "estimators",
    "backbones",
    "zero_shot",
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
        choices=("configs", "components", "pretrained", "cameras", "presets", *KINDS),
        default="configs",
        help="configs (default), all components, one kind of them, published weights, cameras, or"
        " presets: settings of degradations by name",
    )
    parser.add_argument("pattern", nargs="?", default="", help="show only names that contain it")
    parser.add_argument(
        "--table",
        action="store_true",
        help="print a Markdown table (backbones or pretrained only)",
    )
    add_json(parser, FORMAT)


def run(args: argparse.Namespace) -> int:
    """Print the names, one per line.

    Raises:
        ConfigError: If a pattern is in none of them, or two forms are asked for.
    """
    from realdeg.errors import ConfigError

    known = _names(args.what)
    _check_pattern(args.what, args.pattern, [name for names in known.values() for name in names])
    if args.table and args.json:
        raise ConfigError("--table and --json are two forms of the list: leave out one of them.")
    if args.json:
        print_json({"format": FORMAT, "entries": _entries(args, known)})
        return 0
    if args.table:
        return _table(args)
    if args.what == "pretrained":
        return _pretrained(args.pattern)
    for kind, names in known.items():
        found = [name for name in names if args.pattern.lower() in name.lower()]
        if args.what == "components" and found:
            print(f"{kind}:")
        for name in found:
            print(f"  {name}" if args.what == "components" else name)
    return 0


def _entries(args: argparse.Namespace, known: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Return what is listed as plain data."""
    if args.what == "pretrained":
        from realdeg.backbones.pretrained.table import records

        return [{"kind": "pretrained", **record} for record in records(args.pattern)]
    wanted = args.pattern.lower()
    return [
        {"kind": kind, "name": name}
        for kind, names in known.items()
        for name in names
        if wanted in name.lower()
    ]


def _names(what: str) -> dict[str, list[str]]:
    """Return the names to list, by kind."""
    if what == "configs":
        from realdeg.config.find import list_configs

        return {what: list_configs()}
    if what == "pretrained":
        from realdeg.backbones import list_pretrained

        return {what: [f"{entry.type} {entry.name}" for entry in list_pretrained()]}
    if what == "cameras":
        from realdeg.utils.cameras import find_cameras

        return {what: list(find_cameras())}
    if what == "presets":
        from realdeg.config.presets import list_presets

        return {what: list_presets()}
    from realdeg import registry

    kinds = KINDS if what == "components" else (what,)
    return {kind: getattr(registry, f"list_{kind}")() for kind in kinds}


def _check_pattern(what: str, pattern: str, known: list[str]) -> None:
    """Refuse a pattern without a match: an empty answer would look like an empty collection."""
    if not pattern or any(pattern.lower() in name.lower() for name in known):
        return
    from realdeg.errors import ConfigError, nearest

    kind = "published weights" if what == "pretrained" else what
    parts = {part for name in known for part in (name, *name.replace("/", " ").split())}
    raise ConfigError(
        f"none of the {len(known)} {kind} has '{pattern}' in its name.{nearest(pattern, parts)}"
        f" `realdeg list {what}` shows all."
    )


def _table(args: argparse.Namespace) -> int:
    """Print the table of backbones, or of published weights."""
    from realdeg.errors import ConfigError

    if args.what == "pretrained":
        from realdeg.backbones.pretrained.table import table as weights_table

        print(weights_table(args.pattern), end="")
        return 0
    if args.what != "backbones":
        raise ConfigError(
            "--table is for `realdeg list backbones` and `realdeg list pretrained`, not for"
            f" {args.what}."
        )
    from realdeg.backbones.table import names, table

    wanted = args.pattern.lower()
    print(table([name for name in names() if wanted in name.lower()]), end="")
    return 0


def _pretrained(pattern: str) -> int:
    """Print published weights: network, name, scales, licence, and where they are."""
    from realdeg.backbones.pretrained.table import lines

    for line in lines(pattern):
        print(line)
    return 0
