"""``realdeg test``: evaluate a model, or finished pictures, under named protocols."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from realdeg.cli.json_output import add_json, print_json, stdout_for_json
from realdeg.cli.options import (
    add_config_options,
    add_protocol,
    add_refinement,
    add_run_options,
    chosen,
    refinement_arguments,
    run_arguments,
)
from realdeg.errors import ConfigError

if TYPE_CHECKING:
    from realdeg.evaluation import Report

_FOLDER_OPTIONS = ("metrics", "pattern", "gt_pattern", "recursive", "allow_missing")
_MODEL_OPTIONS = (
    *("config", "checkpoint", "cfg_options", "sample", "device", "self_ensemble"),
    "back_projection",
)
_KERNEL_ERRORS = tuple(
    f"kernel/{name}_mean" for name in ("relative", "textured_relative", "constant_relative")
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "config",
        nargs="?",
        help="a config file, a run's folder, or a name such as dml/dml_n8_realsr_x4",
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        help="a training checkpoint (.pth) or exported weights (.safetensors); not needed for a"
        " run's folder or for what needs no training, such as Bicubic",
    )
    add_run_options(parser)
    add_config_options(parser)
    add_refinement(parser)
    add_protocol(parser, several=True)
    parser.add_argument("--no-pictures", action="store_true", help="draw no figures")
    _add_folders(parser)
    add_json(parser, "realdeg-report-1")


def _add_folders(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "finished pictures", "instead of a config: measure pictures that anything made"
    )
    group.add_argument("--pred", metavar="FOLDER", help="the pictures")
    group.add_argument("--gt", metavar="FOLDER", help="their ground truth, matched by name")
    group.add_argument(
        "--metrics",
        nargs="+",
        metavar="NAME",
        help="psnr, ssim, ms_ssim, gmsd, lpips, st_lpips; with realdeg[iqa] niqe, brisque, piqe,"
        " musiq, clipiqa, dists, or pyiqa/NAME (psnr ssim)",
    )
    group.add_argument(
        "--pattern",
        metavar="NAME",
        help="names of pictures without their suffix, such as '{name}_x4_out', where usual endings"
        " (_SR, _LR4, x4) do not pair them; * stands for anything",
    )
    group.add_argument("--gt-pattern", metavar="NAME", help="the same for ground truth")
    group.add_argument("--recursive", action="store_true", help="search subfolders")
    group.add_argument(
        "--allow-missing", action="store_true", help="leave out images without a partner"
    )


def run(args: argparse.Namespace) -> int:
    """Test and print the results, before figures are drawn; return 0."""
    if args.pred is not None or args.gt is not None:
        return _score(args)
    if args.config is None:
        raise ConfigError("nothing to test: name a config, or two folders with --pred and --gt.")
    for name in _FOLDER_OPTIONS:
        if getattr(args, name):
            raise ConfigError(
                f"--{name.replace('_', '-')} is for finished pictures (--pred and --gt); a config"
                " states its own metrics and data."
            )
    from realdeg.apis.testing import test
    from realdeg.utils.processes import rank

    refinement = refinement_arguments(args)
    with stdout_for_json(args.json):
        report = test(
            args.config,
            args.checkpoint,
            pictures=not args.no_pictures,
            when_measured=_show,
            self_ensemble=refinement["self_ensemble"] or None,
            back_projection=refinement["back_projection"],
            protocol=args.protocol,
            **run_arguments(args),
        )
    if rank() == 0 and args.json:
        print_json(report.to_dict())
    elif rank() == 0:
        for path in report.files:
            print(f"wrote {path}")
    return 0


def _score(args: argparse.Namespace) -> int:
    """Measure finished pictures; return 0."""
    if args.pred is None or args.gt is None:
        absent = "--pred" if args.pred is None else "--gt"
        raise ConfigError(f"{absent} is missing: finished pictures need --pred and --gt.")
    for name in _MODEL_OPTIONS:
        if getattr(args, name):
            option = name if name in ("config", "checkpoint") else f"--{name.replace('_', '-')}"
            raise ConfigError(
                f"{option} is for a model, but --pred and --gt are finished pictures: leave one of"
                " them out."
            )
    from realdeg.apis.scoring import score_folders

    default = Path("work_dirs", "scores", Path(args.pred).resolve().name)
    names = ("scale", "pattern", "gt_pattern", "recursive", "allow_missing")
    with stdout_for_json(args.json):
        report = score_folders(
            args.pred,
            args.gt,
            work_dir=args.work_dir or default,
            **{name: value for name in ("protocol", "metrics") if (value := getattr(args, name))},
            **chosen(args, *names),
        )
        _show(report)
    if args.json:
        print_json(report.to_dict())
    else:
        for path in report.files:
            print(f"wrote {path}")
    return 0


def _show(report: Report) -> None:
    from realdeg.evaluation.report import SAMPLE_NOTICE, number_text
    from realdeg.utils.tables import columns

    # The report has every kernel error; the terminal shows the most telling ones.
    shown = {
        name: number_text(name, value)
        for name, value in report.averages.items()
        if not name.startswith("kernel/") or name in _KERNEL_ERRORS
    }
    print(f"\n{report.title} on {report.dataset}")
    for line in columns(shown.items()):
        print(f"  {line}")
    for name, reason in report.missing.items():
        print(f"  {name}: n/a, {reason}")
    for name, meaning in report.meanings.items():
        print(f"  {name}: {meaning}")
    if report.sample:
        print(f"\n{SAMPLE_NOTICE}")
