"""``realdeg convert_weights``: convert published weights to a self-describing file."""

from __future__ import annotations

import argparse

from realdeg.cli.options import OptionsAction, chosen, parse_scale


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "weights",
        help="a PyTorch, safetensors, MatConvNet (.mat), Caffe (.caffemodel) or ncnn (.param) file",
    )
    parser.add_argument(
        "output", nargs="?", help="the .safetensors file to write; if omitted, list the tensors"
    )
    parser.add_argument(
        "--backbone", metavar="NAME", help="the network; see realdeg list backbones"
    )
    parser.add_argument(
        "--degradation",
        metavar="NAME",
        help="a learned degradation, instead of a network: FlowKernel",
    )
    parser.add_argument(
        "--scale",
        type=parse_scale,
        help="scale it was trained for, if the tensors do not show it",
    )
    parser.add_argument(
        "--arguments",
        nargs="+",
        action=OptionsAction,
        default={},
        metavar="KEY=VALUE",
        help="arguments of the network that the tensors do not show, e.g. num_steps=3",
    )
    parser.add_argument(
        "--basis",
        metavar="FILE",
        help="the .mat with the basis of kernels that SRMD's weights were trained with",
    )
    parser.add_argument("--source", metavar="TEXT", help="where the weights come from")
    parser.add_argument(
        "--partial",
        action="store_true",
        help="load the tensors that fit and list the rest",
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
    """List the tensors of the file, or convert it; return 0."""
    if args.output is None:
        _show(args.weights)
        return 0
    from realdeg.apis.conversion import convert_weights
    from realdeg.errors import ConfigError

    if args.backbone is None and args.degradation is None:
        raise ConfigError(
            "convert_weights needs the network: name it with --backbone (realdeg list backbones"
            " shows all), or a degradation with --degradation."
        )
    made = convert_weights(
        args.weights,
        args.output,
        args.backbone,
        **chosen(
            args,
            *("degradation", "scale", "basis", "source", "partial", "custom_imports"),
            *("overwrite", "arguments"),
        ),
    )
    for line in made.not_loaded:
        print(f"not loaded: {line}")
    print(f"{made.path}: {made.type}, {made.parameters:,} parameters, {made.hash}")
    return 0


def _show(path: str) -> None:
    """Print the name and shape of every tensor."""
    from realdeg.backbones import read_weights

    state = read_weights(path)
    for name, tensor in state.items():
        print(f"{name} {tuple(tensor.shape)}")
    print(f"{len(state)} tensors, {sum(tensor.numel() for tensor in state.values()):,} numbers")
