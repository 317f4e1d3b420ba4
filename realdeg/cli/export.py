"""``realdeg export``: export a network for other programs, with a model card."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from realdeg.cli.options import add_cfg_options, add_same_size, chosen, parse_scale

if TYPE_CHECKING:
    from realdeg.export.target import ExportedFile

FORMS = ("safetensors", "onnx", "torch-export")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "model", help="weights (backbone.safetensors), or a config whose backbone names weights"
    )
    parser.add_argument("output", help="the file to write: .safetensors, .onnx or .pt2")
    parser.add_argument("--to", choices=FORMS, required=True, help="the format to write")
    parser.add_argument("--scale", type=parse_scale, help="scale factor: 2, 3, 4, ...")
    add_same_size(parser)
    add_cfg_options(parser, "override values of the config, e.g. backbone.checkpoint=x.safetensors")
    parser.add_argument(
        "--size",
        nargs=2,
        type=int,
        metavar=("H", "W"),
        help="onnx, torch-export: the only input size in pixels (any size)",
    )
    parser.add_argument("--half", action="store_true", help="safetensors: store float16")
    parser.add_argument("--opset", type=int, help="onnx: the operator set version (18)")
    parser.add_argument("--no-card", action="store_true", help="write no model card")
    parser.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="PATH",
        help="report.json of `realdeg test`, quoted in the card; may be given several times",
    )
    parser.add_argument(
        "--licence", metavar="TEXT", help="licence of the weights, for the card (not stated)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")


def run(args: argparse.Namespace) -> int:
    """Export the network; return 0."""
    from realdeg.apis.exporting import export_backbone

    exported = export_backbone(
        args.model,
        args.output,
        options=args.cfg_options,
        size=tuple(args.size) if args.size else None,
        card=not args.no_card,
        reports=args.report,
        **chosen(args, "to", "scale", "same_size", "half", "opset", "licence", "overwrite"),
    )
    print(_description(exported))
    for path in exported.files[1:]:
        print(f"wrote {path}")
    return 0


def _description(exported: ExportedFile) -> str:
    """Return what was written and how far it differs from the network."""
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
