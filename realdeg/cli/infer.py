"""``realdeg infer``: super-resolve images."""

from __future__ import annotations

import argparse
from typing import Literal

from realdeg.cli.degrade import add_folder_options, reading_of, report
from realdeg.cli.inputs import add_inputs, inputs_of, saving_of, words_of
from realdeg.cli.options import (
    add_refinement,
    chosen,
    parse_scale,
    parse_value,
    refinement_arguments,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_inputs(
        parser,
        "model",
        "weights (backbone.safetensors), a config whose backbone names weights, or published"
        " weights by name (SPAN:ntire2024; `realdeg list pretrained`); or use --model",
        "an image, or a folder; an interrupted folder is continued",
    )
    parser.add_argument("--model", dest="named_model", metavar="NAME", help="MODEL, as an option")
    parser.add_argument("--scale", type=parse_scale, help="scale factor: 2, 3, 4, ...")
    parser.add_argument(
        "--tile",
        type=_tile,
        default="auto",
        metavar="auto|none|N",
        help="tile size in pixels; none: the whole image at once (auto)",
    )
    group = parser.add_argument_group(
        "for networks that are told the degradation (SRMD, USRNet, IRCNNHQS, zero-shot methods)"
    )
    group.add_argument(
        "--kernel-width",
        type=_number_or_auto,
        metavar="PIXELS|auto",
        help="standard deviation of a Gaussian blur, in pixels of the result",
    )
    group.add_argument(
        "--noise",
        type=_number_or_auto,
        metavar="SIGMA|auto",
        help="standard deviation of the noise, of 255",
    )
    group.add_argument(
        "--kernel",
        metavar="FILE|auto",
        help="the blur kernel: a .npy, .mat or .json file; auto estimates it for each image",
    )
    group.add_argument(
        "--trace",
        metavar="FILE",
        help="traces, or the manifest.jsonl of `realdeg degrade`, that state kernel and noise",
    )
    group.add_argument(
        "--with",
        dest="estimator",
        type=parse_value,
        default="KernelGAN",
        metavar="ESTIMATOR",
        help="estimator of auto (KernelGAN): a name, or \"dict(type='KernelGAN',seed=1)\"",
    )
    add_refinement(parser)
    example = "backbone.checkpoint=work_dirs/vdsr/backbone.safetensors"
    add_folder_options(parser, example, "1, with all cores working on one image")


def run(args: argparse.Namespace) -> int:
    """Super-resolve the image or the folder; return 0, or 2 if an image failed."""
    from realdeg.apis.folder import Summary
    from realdeg.apis.super_resolving import super_resolve
    from realdeg.utils.text import printable

    reading, saving = reading_of(args), saving_of(args)
    model, words, output = words_of(args, "model", args.named_model)
    made = super_resolve(
        model,
        inputs_of(args, words),
        output,
        options=args.cfg_options,
        jobs=args.jobs or 1,
        reading=reading,
        saving=saving,
        progress=not args.quiet,
        **refinement_arguments(args),
        **chosen(
            args,
            *("scale", "same_size", "tile", "device", "overwrite"),
            *("kernel_width", "noise", "kernel", "trace", "estimator"),
        ),
    )
    if isinstance(made, Summary):
        return report(made)
    (height, width), (rows, columns) = made.input_size, made.output_size
    notes = f" ({'; '.join(made.notes)})" if made.notes else ""
    print(printable(f"{made.path}: {height} x {width} -> {rows} x {columns}{notes}"))
    return 0


def _number_or_auto(text: str) -> float | Literal["auto"]:
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is neither auto nor a number") from None


def _tile(text: str) -> int | Literal["auto"] | None:
    if text == "auto":
        return "auto"
    if text == "none":
        return None
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not auto, none or a number of pixels")
    return int(text)
