"""``realdeg compare_degradations``: compare degradations with real pairs in one table."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from realdeg.cli.json_output import add_json, print_json, stdout_for_json
from realdeg.cli.options import add_config_options, chosen, config_arguments, parse_value
from realdeg.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "config",
        help="a config whose test data are real pairs, e.g. dml/dml_n8_realsrv3crops_x4_cpu",
    )
    parser.add_argument(
        "degradations",
        nargs="+",
        metavar="[NAME=]DEGRADATION",
        help="learned weights (.safetensors), a registered type, a config, or"
        " \"dict(type='AWGN',sigma=5)\"; NAME is its heading in the table",
    )
    parser.add_argument("--out", default="comparison", help="output folder (comparison)")
    parser.add_argument("--draws", type=int, default=1, help="how often each image is degraded (1)")
    parser.add_argument("--colour", choices=("rgb", "y"), default="rgb", help="what is degraded")
    parser.add_argument("--shown", type=int, default=3, help="images in the figure (3)")
    parser.add_argument("--crop", type=int, help="side of the crops shown, in HR pixels")
    parser.add_argument("--device", default="cpu", help="where to degrade (cpu)")
    add_config_options(parser)
    add_json(parser, "realdeg-comparison-1")


def run(args: argparse.Namespace) -> int:
    """Measure, write table and figures, and print the table; return 0."""
    from realdeg.apis.comparison import compare_degradations

    with stdout_for_json(args.json):
        comparison = compare_degradations(
            _named(args.degradations),
            args.config,
            **chosen(args, "draws", "colour", "shown", "crop", "device", "out"),
            **config_arguments(args),
        )
    if args.json:
        print_json(comparison.to_dict())
        return 0
    print("\n".join(comparison.table()))
    for path in comparison.files:
        print(f"wrote {path}")
    return 0


def _named(arguments: list[str]) -> dict[str, Any]:
    """Split ``NAME=DEGRADATION``; the default name is the file's stem or the type."""
    sources: dict[str, Any] = {}
    for argument in arguments:
        match = re.fullmatch(r"([^=/\\(]+)=(.+)", argument)
        name, text = match.groups() if match else (Path(argument).stem, argument)
        source: Any = text
        if text.startswith(("dict(", "{")):
            try:
                source = parse_value(text)
            except ValueError as error:
                raise ConfigError(f"the degradation '{argument}': {error}.") from error
            if match is None:
                name = str(source.get("type", text))
        if name in sources or name in ("HR", "camera"):
            raise ConfigError(
                f"the name '{name}' is taken: name each degradation with NAME=DEGRADATION."
            )
        sources[name] = source
    return sources
