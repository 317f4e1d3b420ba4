"""``realdeg convert_weights``: anybody's weights into a file that describes itself."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realdeg.cli.options import OptionsAction, parse_scale

if TYPE_CHECKING:
    from realdeg.backbones import Backbone


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "weights", help="a PyTorch, safetensors, MatConvNet (.mat) or Caffe (.caffemodel) file"
    )
    parser.add_argument(
        "output", nargs="?", help="the .safetensors file to write; without it, tensors are listed"
    )
    parser.add_argument(
        "--backbone", metavar="NAME", help="the network; see realdeg list backbones"
    )
    parser.add_argument(
        "--scale",
        type=parse_scale,
        help="the scale that it was trained for, where the tensors do not tell it",
    )
    parser.add_argument(
        "--arguments",
        nargs="+",
        action=OptionsAction,
        default={},
        metavar="KEY=VALUE",
        help="arguments of the network that the tensors do not tell, e.g. num_steps=3",
    )
    parser.add_argument("--source", metavar="TEXT", help="where the weights come from, to be noted")
    parser.add_argument(
        "--partial",
        action="store_true",
        help="take what fits and list the rest, not all or nothing",
    )
    parser.add_argument(
        "--custom-imports",
        nargs="+",
        default=[],
        metavar="MODULE",
        help="modules of your own that register the network, e.g. my_package.my_network",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the output file")


def run(args: argparse.Namespace) -> int:
    """List the tensors of the file, or convert it.

    Args:
        args: The parsed arguments.

    Returns:
        0.
    """
    if args.output is None:
        _show(args.weights)
        return 0
    _convert(args)
    return 0


def _show(path: str) -> None:
    """Print name and shape of every tensor."""
    from realdeg.backbones import read_weights

    state = read_weights(path)
    for name, tensor in state.items():
        print(f"{name} {tuple(tensor.shape)}")
    print(f"{len(state)} tensors, {sum(tensor.numel() for tensor in state.values()):,} numbers")


def _convert(args: argparse.Namespace) -> None:
    from realdeg.backbones.build import build_filled
    from realdeg.config.load import import_modules
    from realdeg.errors import ConfigError, OutputError
    from realdeg.utils.component import save_component
    from realdeg.utils.files import remove_left_overs

    output = Path(args.output)
    if args.backbone is None:
        raise ConfigError(
            "convert_weights is told no network: name it with --backbone (realdeg list backbones"
            " shows all)."
        )
    if output.suffix != ".safetensors":
        raise OutputError(f"the result is a .safetensors file, got {output}: name it so.")
    if output.exists() and not args.overwrite:
        raise OutputError(f"{output} is there already: remove it, or say --overwrite.")
    remove_left_overs(output.parent)
    import_modules(args.custom_imports, "--custom-imports")
    settings = dict(args.arguments)
    if args.scale is not None:
        settings["scale"] = args.scale
    backbone, left = build_filled(
        args.backbone, settings, "--arguments", args.weights, args.partial
    )
    digest = save_component(
        output,
        backbone,
        kind="backbone",
        type=args.backbone,
        arguments=backbone.arguments,
        meta=_notes(backbone, Path(args.weights), args.source, left),
    )
    for line in left:
        print(f"not loaded: {line}")
    count = sum(parameter.numel() for parameter in backbone.parameters())
    print(f"{output}: {args.backbone}, {count:,} parameters, {digest}")


def _notes(
    backbone: Backbone, weights: Path, source: str | None, left: list[str]
) -> dict[str, Any]:
    """Return what the file notes beside the arguments."""
    from realdeg.utils.files import sha256_file

    return {
        "source": source or weights.name,
        "source_file": weights.name,
        "source_sha256": sha256_file(weights),
        "scale": backbone.scale,
        "same_size": backbone.same_size,
        "colour": backbone.colour,
        "value_range": backbone.value_range,
        "not_loaded": left,
    }
