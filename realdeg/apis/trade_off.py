"""Test a series of interpolated networks, and draw distortion against perception."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realdeg.apis.interpolation import InterpolatedNetwork
from realdeg.apis.recipes import Recipe, open_recipe
from realdeg.apis.testing import test
from realdeg.errors import ConfigError, nearest
from realdeg.utils.files import ensure_writable_dir, write_record
from realdeg.visualization.curves import trade_off_curve
from realdeg.visualization.style import figure_path


@dataclass(frozen=True)
class TradeOff:
    """The curve between two networks.

    Attributes:
        alphas: The shares of the second network.
        scores: For each of them the averages of the test, by metric.
        axes: The two metrics of the curve, as the test names them.
        dataset: Description of the test data.
        files: What was written.
    """

    alphas: tuple[float, ...]
    scores: tuple[Mapping[str, float], ...]
    axes: tuple[str, str]
    dataset: str
    files: tuple[Path, ...]

    def table(self) -> list[str]:
        """Return a Markdown table of all metrics that every test measured."""
        return _table(self.alphas, self.scores)


def check_trade_off(
    config: Recipe,
    axes: Sequence[str],
    plot: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> None:
    """Refuse what :func:`trace_trade_off` cannot use, before networks are computed.

    Args:
        config: As for :func:`trace_trade_off`.
        axes: As for :func:`trace_trade_off`.
        plot: As for :func:`trace_trade_off`.
        **settings: Arguments of :func:`realdeg.test` that change the config.

    Raises:
        ConfigError: If there are not two different metrics, or the config is broken or tests
            nothing.
        OutputError: If figures cannot be written in the format of ``plot``.
    """
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ConfigError(f"a curve has two different metrics as its axes, got {list(axes)}.")
    if plot is not None:
        figure_path(plot)
    options = settings.pop("options", None)
    named = {key: settings.pop(key) for key in ("sample", "seed") if key in settings}
    cfg = open_recipe(config, options, settings, **named)
    if cfg.get("test_dataloader") is None:
        raise ConfigError(f"the config '{config}' has no 'test_dataloader': it tests nothing.")


def trace_trade_off(
    networks: Sequence[InterpolatedNetwork],
    config: Recipe,
    axes: Sequence[str] = ("psnr", "st_lpips"),
    *,
    plot: str | os.PathLike[str] | None = None,
    work_dir: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> TradeOff:
    """Test interpolated networks and draw one metric against another.

    Args:
        networks: What :func:`realdeg.interpolate_networks` wrote.
        config: A config whose test data and metrics are used. Both metrics of ``axes`` must be
            among its metrics.
        axes: A metric of distortion and one of perception, as ``realdeg test`` names them.
            ``"psnr"`` stands for the first ``psnr[...]``.
        plot: Where the curve is drawn; None: ``trade_off.png`` in ``work_dir``.
        work_dir: The folder of the reports, of ``trade_off.json`` and of ``trade_off.md``; None:
            ``NAME_trade_off`` beside the first network.
        **settings: Other arguments of :func:`realdeg.test`, such as ``options`` and ``device``.

    Returns:
        The curve.

    Raises:
        ConfigError: If there is no network, or the test does not measure a metric.
        RealdegError: As :func:`realdeg.test` does.
        OutputError: If a file cannot be written.

    Source:
        Blau, Michaeli, The Perception-Distortion Tradeoff, CVPR 2018; the curve of interpolated
        networks is that of Wang et al., ESRGAN, ECCVW 2018.
    """
    if not networks:
        raise ConfigError("there are no networks to test: interpolate some first.")
    check_trade_off(
        config, axes, plot, **{k: v for k, v in settings.items() if k not in ("device", "launcher")}
    )
    first = networks[0].path
    given = first.with_name(f"{first.stem.partition('_alpha_')[0]}_trade_off")
    folder = ensure_writable_dir(given if work_dir is None else Path(work_dir))
    scores: list[Mapping[str, float]] = []
    dataset, found = "", ("", "")
    for network in networks:
        report = test(
            config,
            network.path,
            work_dir=folder / f"alpha_{network.alpha:.6g}",
            pictures=False,
            **settings,
        )
        if not scores:
            dataset = report.dataset
            found = _metric(axes[0], report.averages), _metric(axes[1], report.averages)
        scores.append(dict(report.averages))
    alphas = tuple(network.alpha for network in networks)
    data = {
        "dataset": dataset,
        "axes": list(found),
        "networks": [
            {"alpha": network.alpha, "hash": network.hash, "scores": dict(each)}
            for network, each in zip(networks, scores, strict=True)
        ],
    }
    lines = [dataset, "", *_table(alphas, scores)]
    records = write_record(folder, "trade_off", data, "\n".join(lines) + "\n")
    points = [(each[found[0]], each[found[1]]) for each in scores]
    names = [f"{alpha:.6g}" for alpha in alphas]
    figure = trade_off_curve(
        points,
        names,
        folder / "trade_off.png" if plot is None else plot,
        xlabel=found[0],
        ylabel=found[1],
        title="Networks between two ends",
    )
    return TradeOff(alphas, tuple(scores), found, dataset, (*records, figure))


def _metric(name: str, averages: Mapping[str, float]) -> str:
    """Return the full name of a metric of a report."""
    if name in averages:
        return name
    fitting = [each for each in averages if each.startswith(f"{name}[")]
    if not fitting:
        raise ConfigError(
            f"the test measures no '{name}': it measures {', '.join(averages) or 'nothing'}."
            f"{nearest(name, list(averages))} Name another axis, or add the metric to the config's"
            " test_evaluator."
        )
    return fitting[0]


def _table(alphas: Sequence[float], scores: Sequence[Mapping[str, float]]) -> list[str]:
    shared = [name for name in scores[0] if all(name in each for each in scores)]
    lines = [f"| alpha | {' | '.join(shared)} |", "|---|" + "---|" * len(shared)]
    for alpha, each in zip(alphas, scores, strict=True):
        cells = " | ".join(f"{each[name]:.4f}" for name in shared)
        lines.append(f"| {alpha:.6g} | {cells} |")
    return lines
