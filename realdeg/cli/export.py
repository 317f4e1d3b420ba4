"""``realdeg export``: a network for other programs, with a model card."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from realdeg.cli.options import add_cfg_options, add_same_size, parse_scale

if TYPE_CHECKING:
    from realdeg.backbones import Backbone
    from realdeg.export import Exported

FORMS = ("safetensors", "onnx", "torch-export")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "model", help="weights (backbone.safetensors), or a config whose backbone names weights"
    )
    parser.add_argument("output", help="the file to write: .safetensors, .onnx or .pt2")
    parser.add_argument("--to", choices=FORMS, required=True, help="the form to write")
    parser.add_argument("--scale", type=parse_scale, help="the scale asked for: 2, 3, 4, ...")
    add_same_size(parser)
    add_cfg_options(parser, "override values of the config, e.g. backbone.checkpoint=x.safetensors")
    parser.add_argument(
        "--size",
        nargs=2,
        type=int,
        metavar=("H", "W"),
        help="onnx, torch-export: the one size of the network's input in pixels (any size)",
    )
    parser.add_argument("--half", action="store_true", help="safetensors: store float16")
    parser.add_argument("--opset", type=int, help="onnx: the version of its operators (18)")
    parser.add_argument("--no-card", action="store_true", help="write no model card")
    parser.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="PATH",
        help="report.json of `realdeg test`, to be quoted by the card; may be given several times",
    )
    parser.add_argument(
        "--licence", metavar="TEXT", help="the weights' licence, for the card (not stated)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")


def run(args: argparse.Namespace) -> int:
    """Export the network.

    Args:
        args: The parsed arguments.

    Returns:
        0.
    """
    from realdeg.apis.resolve import load_backbone
    from realdeg.errors import ConfigError
    from realdeg.export import Origin, write_card
    from realdeg.export.card import check_card, network_hash, read_numbers
    from realdeg.export.target import check_target
    from realdeg.utils.files import remove_left_overs

    _check_options(args)
    target = check_target(args.output, args.to, args.overwrite)
    if args.no_card and (args.report or args.licence):
        raise ConfigError("--report and --licence go into the card, and --no-card writes none.")
    remove_left_overs(target.parent)
    backbone = load_backbone(
        args.model, scale=args.scale, same_size=args.same_size, options=args.cfg_options
    ).eval()
    origin = Origin.of(args.model, args.cfg_options, args.scale)
    if not args.no_card:  # before the work, not after it
        check_card(target, backbone, args.overwrite)
        for report in args.report:
            read_numbers(report, network_hash(backbone))
    exported = _export(args, backbone, dict(origin.notes))
    print(_said(exported))
    if not args.no_card:
        for path in write_card(
            exported,
            backbone,
            origin=origin,
            reports=args.report,
            licence=args.licence,
            overwrite=args.overwrite,
        ):
            print(f"wrote {path}")
    return 0


def _check_options(args: argparse.Namespace) -> None:
    """Refuse options that the form does not have."""
    from realdeg.errors import ConfigError

    fitting = {
        "--size": (args.size is not None, ("onnx", "torch-export")),
        "--half": (args.half, ("safetensors",)),
        "--opset": (args.opset is not None, ("onnx",)),
    }
    for option, (given, forms) in fitting.items():
        if given and args.to not in forms:
            raise ConfigError(f"{option} is for --to {' and '.join(forms)}, not for {args.to}.")


def _export(args: argparse.Namespace, backbone: Backbone, notes: dict[str, object]) -> Exported:
    from realdeg.export import export_onnx, export_program, export_safetensors
    from realdeg.export.onnx import OPSET

    size = tuple(args.size) if args.size else None
    if args.to == "safetensors":
        return export_safetensors(
            backbone, args.output, half=args.half, meta=notes, overwrite=args.overwrite
        )
    if args.to == "onnx":
        opset = OPSET if args.opset is None else args.opset
        return export_onnx(backbone, args.output, size=size, opset=opset, overwrite=args.overwrite)
    return export_program(backbone, args.output, size=size, overwrite=args.overwrite)


def _said(exported: Exported) -> str:
    """Return what was written, in a line."""
    megabytes = exported.path.stat().st_size / 1e6
    text = f"{exported.path}: {exported.form}, {megabytes:.1f} MB"
    if exported.opset is not None:
        text += f", opset {exported.opset}"
    if exported.form == "safetensors":
        return text + (", float16" if exported.half else "")
    text += f", {exported.size[0]} x {exported.size[1]} only" if exported.size else ", any size"
    if exported.compared is None:
        return f"{text}; not compared with the network: pip install onnxruntime"
    shapes = ", ".join(" x ".join(map(str, shape)) for shape in exported.compared.shapes)
    return (
        f"{text}\nlargest difference from the network {exported.compared.difference:.1e} ({shapes})"
    )
