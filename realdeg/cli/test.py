"""``realdeg test``: evaluate a model and write a report that names every protocol."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from realdeg.cli.json_output import add_json, print_json, stdout_for_json
from realdeg.cli.options import (
    add_config_options,
    add_protocol,
    add_refinement,
    add_run_options,
    refinement_arguments,
    run_arguments,
)

if TYPE_CHECKING:
    from realdeg.evaluation import Report

_KERNEL_ERRORS = tuple(
    f"kernel/{name}_mean" for name in ("relative", "textured_relative", "constant_relative")
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "config", help="a config file, a run's folder, or a name such as dml/dml_n8_realsr_x4"
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
    add_protocol(parser)
    parser.add_argument("--no-pictures", action="store_true", help="draw no figures")
    add_json(parser, "realdeg-report-1")


def run(args: argparse.Namespace) -> int:
    """Test and print the results, before figures are drawn; return 0."""
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
