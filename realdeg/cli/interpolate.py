"""``realdeg interpolate``: blend two networks, and trace the curve between them."""

from __future__ import annotations

import argparse
import math

from realdeg.cli.options import add_config_options, chosen, config_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    weights = "weights (backbone.safetensors), a run's folder or a training checkpoint"
    parser.add_argument("first", help=f"the network at alpha 0: {weights}")
    parser.add_argument("second", help="the network at alpha 1, fine-tuned from the first one")
    parser.add_argument(
        "--alpha",
        type=_alpha,
        nargs="+",
        default=[0.8],
        help="share of the second network, from 0 to 1; several write several files (0.8)",
    )
    parser.add_argument(
        "--out",
        default="interpolated.safetensors",
        metavar="FILE",
        help="the file to write; several get _alpha_0.2 before the suffix"
        " (interpolated.safetensors)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    parser.add_argument(
        "--test", metavar="CONFIG", help="also test every network on this config's test data"
    )
    parser.add_argument(
        "--axes",
        nargs=2,
        default=["psnr", "st_lpips"],
        metavar=("DISTORTION", "PERCEPTION"),
        help="metrics of the curve, as `realdeg test` names them (psnr st_lpips)",
    )
    parser.add_argument("--plot", metavar="FILE", help="where the curve is drawn (.png)")
    parser.add_argument("--device", help="cpu, cuda or cuda:1 (the accelerator if there is one)")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Write the networks, print how far apart the ends are, and test if asked; return 0."""
    from realdeg.apis.interpolation import interpolate_networks
    from realdeg.apis.trade_off import check_trade_off, trace_trade_off

    if args.test is None and args.plot is not None:
        from realdeg.errors import ConfigError

        raise ConfigError("--plot draws what --test measured: add --test CONFIG.")
    if args.test is not None:
        check_trade_off(args.test, args.axes, args.plot, **config_arguments(args))
    made = interpolate_networks(
        args.first, args.second, args.out, args.alpha, overwrite=args.overwrite
    )
    distance = made.distance
    print(f"relative distance {distance.relative:.3f}, cosine {distance.cosine:.3f}")
    print("furthest apart:", ", ".join(f"{n} {d:.3f}" for n, d in distance.furthest()))
    for network in made.networks:
        print(f"{network.path}: alpha {network.alpha:g}, {network.hash}")
    if args.test is None:
        return 0
    curve = trace_trade_off(
        made.networks,
        args.test,
        args.axes,
        plot=args.plot,
        **chosen(args, "device"),
        **config_arguments(args),
    )
    print("\n".join(curve.table()))
    for path in curve.files:
        print(f"wrote {path}")
    return 0


def _alpha(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 1")
    return number
