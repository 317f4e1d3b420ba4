"""Tables and the picture of the experiments in camera.py."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from camera import CAMERAS, FIDELITY, MODELS, VALUES, rows
from cells import digits, spread
from runs import Book

from realdeg.evaluation.bootstrap import Interval, paired_bootstrap
from realdeg.utils.tables import markdown_table
from realdeg.visualization.style import (
    COLOURS,
    INK,
    LABEL_SIZE,
    MUTED,
    SMALL_SIZE,
    TITLE_SIZE,
    new_figure,
    save_figure,
)

Entries = list[Mapping[str, Any]]
SHORT = {name: name.partition("[")[0].upper().replace("ST_", "ST-") for name in VALUES}
"""What values are called here; all are of `realsr-official`, but for ST-LPIPS."""


class Place(NamedTuple):
    """Where networks of one row are tested.

    Attributes:
        title: In words.
        camera: The start of the names of its images.
        fresh: Whether the camera is new to them, so that its training crops count as well.
    """

    title: str
    camera: str
    fresh: bool


def places_of(trained: str) -> list[Place]:
    """Return where what was trained on these cameras is tested."""
    if trained == "both":
        return [Place("10 test crops", "", False)]
    other = next(camera for camera in CAMERAS["both"] if camera != trained)
    return [
        Place(f"{trained}, 5 crops", trained, False),
        Place(f"{other}, 25 crops", other, True),
    ]


def images_of(entry: Mapping[str, Any], place: Place) -> Mapping[str, Mapping[str, float]]:
    """Return the values of the images at a place."""
    images = {k: v for k, v in entry["images"].items() if k.startswith(place.camera)}
    if place.fresh:
        images |= entry["also"][f"{place.camera} Train"]["images"]
    return images


def entries_of(book: Book, label: str) -> Entries:
    """Return the records of all seeds of a row."""
    found = book.entries.get("runs", {})
    return [entry for key, entry in found.items() if key.rpartition(", seed ")[0] == label]


def cell(entries: Entries, name: str, place: Place) -> str:
    """Return the mean over images, with the spread over seeds."""
    means = [statistics.fmean(v[name] for v in images_of(e, place).values()) for e in entries]
    return spread(means, digits(name))


def fidelity_report(book: Book) -> None:
    """Print PSNR and SSIM of LR by what was trained on and tested on."""
    places = [(trained, place) for trained in CAMERAS for place in places_of(trained)]
    table = []
    for model, (_, iterations, _) in MODELS.items():
        row = [model]
        for trained, place in places:
            # Nothing was trained: the same record everywhere.
            entries = entries_of(book, f"{model}, {trained if iterations else 'both'}")
            missing = not entries or (place.fresh and "also" not in entries[0])
            cells = ["-"] if missing else [cell(entries, name, place) for name in FIDELITY]
            row.append(" / ".join(cells))
        table.append(row)
    header = ["model", *(f"{trained}: {place.title}" for trained, place in places)]
    print("\n".join(markdown_table(header, table)))


def compared(book: Book, trained: str) -> tuple[list[tuple[str, Entries]], Entries]:
    """Return the rows of networks that were trained on these cameras, and that of real pairs."""
    suffix = "" if trained == "both" else f", {trained} alone"
    labels = [("bicubic", "bicubic")]
    labels += [(label, f"{label}{suffix}") for label, _, _ in rows(trained)]
    found = [(label, entries_of(book, key)) for label, key in labels]
    return [row for row in found if row[1]], entries_of(book, f"real{suffix}")


def differences(entries: Entries, base: Entries, place: Place) -> dict[str, Interval]:
    """Return mean differences over images, of the means over seeds, with intervals of 95 %."""
    ours, theirs = ([images_of(entry, place) for entry in found] for found in (entries, base))

    def mean(found: list[Mapping[str, Mapping[str, float]]], key: str, name: str) -> float:
        return statistics.fmean(images[key][name] for images in found)

    return {
        name: paired_bootstrap([mean(ours, k, name) - mean(theirs, k, name) for k in ours[0]])
        for name in VALUES
    }


def claim_report(book: Book) -> None:
    """Print values, and paired differences to the network that saw real pairs alone."""
    for trained in CAMERAS:
        found, base = compared(book, trained)
        for place in places_of(trained):
            values, gains = [], []
            for label, entries in found:
                if place.fresh and "also" not in entries[0]:
                    continue
                cells = [cell(entries, name, place) for name in VALUES]
                values.append([label, str(len(entries)), *cells])
                if base and label not in ("bicubic", "real"):
                    each = differences(entries, base, place)
                    gains.append([label, *(interval(each[name], name) for name in VALUES)])
            print(f"\nTrained on {trained}, tested on {place.title}\n")
            print("\n".join(markdown_table(["trained on", "seeds", *SHORT.values()], values)))
            print("\nDifference to real pairs alone, over images, with intervals of 95 %\n")
            print("\n".join(markdown_table(["trained on", *SHORT.values()], gains)))


def interval(found: Interval, name: str) -> str:
    """Return a difference in words."""
    mean, low, high = (f"{v or 0:+.{digits(name)}f}" for v in found[:3])
    return f"{mean} [{low}, {high}]"


def noise_report(book: Book) -> None:
    """Print what real and generated LR have in noise."""
    table = []
    names: list[str] = []
    for key, entry in book.entries.get("runs", {}).items():
        names = names or list(entry["values"])
        table.append([key, *(f"{entry['values'].get(name, math.nan):.4g}" for name in names)])
    print("\n".join(markdown_table(["run", *names], table)))


def draw_differences(book: Book, path: Path) -> Path:
    """Draw the paired differences to real pairs alone, a panel for each value.

    Args:
        book: The record of ``camera_claim``.
        path: The picture.
    """
    panels = []
    for trained in CAMERAS:
        found, base = compared(book, trained)
        place = places_of(trained)[-1]
        rows_ = [
            (label, differences(entries, base, place))
            for label, entries in found
            if base and label not in ("bicubic", "real")
        ]
        cameras = "both cameras" if trained == "both" else trained
        panels.append((f"Trained on {cameras}, tested on {place.title}", rows_))
    sizes = [0.24 * len(rows_) + 0.75 for _, rows_ in panels]
    figure = new_figure(10, sum(sizes) + 0.35, layout="constrained")
    parts = figure.subfigures(len(panels), 1, squeeze=False, height_ratios=sizes)[:, 0]
    for part, (title, rows_) in zip(parts, panels, strict=True):
        part.suptitle(title, fontsize=LABEL_SIZE, color=INK)
        axes = part.subplots(1, len(VALUES), squeeze=False)[0]
        for column, (name, axis) in enumerate(zip(VALUES, axes, strict=True)):
            axis.axvline(0, color=MUTED, linewidth=0.8)
            for row, (_, each) in enumerate(rows_):
                mean, low, high, _ = each[name]
                better = mean > 0 if column < 2 else mean < 0
                colour = COLOURS[0] if better else COLOURS[1]
                axis.plot([low, high], [row, row], color=colour, linewidth=2)
                axis.plot([mean], [row], "o", color=colour, markersize=4)
            axis.set_ylim(len(rows_) - 0.5, -0.5)
            names = [label if column == 0 else "" for label, _ in rows_]
            axis.set_yticks(range(len(rows_)), names)
            axis.locator_params(axis="x", nbins=4)
            axis.tick_params(labelsize=SMALL_SIZE, colors=INK)
            wish = "more is better" if column < 2 else "less is better"
            axis.set_title(f"{SHORT[name]} ({wish})", fontsize=SMALL_SIZE, color=MUTED)
    figure.suptitle(
        "Difference to real pairs alone, with intervals of 95 %", fontsize=TITLE_SIZE, color=INK
    )
    return save_figure(figure, path, dpi=110)
