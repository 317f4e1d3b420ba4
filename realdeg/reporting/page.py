"""The whole page: one file, which loads nothing and runs nothing but its own script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from realdeg.reporting.charts import chart_box, plot_chart, training_charts, validation_charts
from realdeg.reporting.content import Pictures
from realdeg.reporting.encoding import Budget
from realdeg.reporting.pictures import basis, gallery, kernel_field, legend_of_kernels
from realdeg.reporting.sections import (
    compared_tables,
    difference_table,
    environment_table,
    image_tables,
    protocols_table,
    runs_table,
    score_tables,
    tests_table,
)
from realdeg.reporting.tables import DataTable
from realdeg.runs import RunRecord
from realdeg.utils.html import Markup, data_block, tag
from realdeg.version import __version__

_SCRIPTS = ("page.js", "charts.js", "gallery.js", "kernels.js")
_WIDTH = 12  # of the size in the page, padded: stating it must not change it


class _Page:
    """Collects the sections, and what scripts need."""

    def __init__(self) -> None:
        self.sections: list[tuple[str, str, list[object]]] = []
        self.charts: list[dict[str, Any]] = []
        self.tables: dict[str, dict[str, str]] = {}
        self.fields: list[dict[str, Any]] = []
        self.bases: list[dict[str, Any]] = []

    def section(self, name: str, heading: str, *content: object) -> None:
        self.sections.append((name, heading, list(content)))

    def table(self, table: DataTable) -> Markup:
        self.tables[table.name] = {"csv": table.csv(), "latex": table.latex()}
        return table.html()

    def chart_grid(self, charts: Sequence[dict[str, Any]]) -> Markup:
        boxes = []
        for chart in charts:
            boxes.append(chart_box(chart, len(self.charts)))
            self.charts.append(chart)
        return tag("div", boxes, class_="charts")


def render(
    runs: Sequence[RunRecord],
    pictures: Pictures,
    *,
    bases: Mapping[str, Mapping[str, Any] | str],
    title: str,
    limit: int,
) -> tuple[str, Budget]:
    """Return the page, and what its pictures took.

    Args:
        runs: At least one; their labels differ.
        pictures: What was drawn from images.
        bases: The config of each run's recipe by the run's label, or why there is none.
        title: The heading.
        limit: The most bytes of all pictures, as they stand in the page.
    """
    page, budget = _Page(), Budget(limit)
    _summary(page, runs)
    _curves(page, runs)
    _scores(page, runs)
    _galleries(page, pictures, budget)
    _degradations(page, runs, pictures, budget)
    _configs(page, runs, bases)
    _environment(page, runs)
    size = len(_document(page, title, budget, len(runs), 0).encode())
    return _document(page, title, budget, len(runs), size), budget


def _absent(sentence: str) -> Markup:
    return tag("p", sentence, class_="absent")


def _summary(page: _Page, runs: Sequence[RunRecord]) -> None:
    notices = []
    if any(run.sample for run in runs):
        names = ", ".join(run.label for run in runs if run.sample)
        notices.append(
            tag(
                "p",
                f"Sample run: {names}. The built-in images and a short schedule show that a recipe"
                " runs; the numbers say nothing about the method.",
                class_="notice",
            )
        )
    unfinished = [run.label for run in runs if run.sessions and not run.finished]
    if unfinished:
        sentence = f"Not finished when this page was made: {', '.join(unfinished)}."
        notices.append(tag("p", sentence, class_="notice"))
    page.section("runs-section", "Runs", notices, page.table(runs_table(runs)))


def _curves(page: _Page, runs: Sequence[RunRecord]) -> None:
    charts, checks = training_charts(runs), validation_charts(runs)
    help_text = tag(
        "p",
        "Point at a curve, or focus it and press the arrow keys, to read its values. Drag over"
        " a range, or press + and −, to zoom; 0 shows everything.",
        class_="hint",
    )
    training = (
        page.chart_grid(charts)
        if charts
        else _absent("No curves of the training: no run has logged an iteration.")
    )
    page.section("training", "Training", help_text if charts else None, training)
    validation = (
        page.chart_grid(checks)
        if checks
        else _absent("No validation: no run has measured validation images yet.")
    )
    page.section("validation", "Validation", validation)


def _scores(page: _Page, runs: Sequence[RunRecord]) -> None:
    tables = score_tables(runs)
    if not tables:
        sentence = "No test yet: run `realdeg test` on the folder of a run."
        page.section("scores", "Test scores", _absent(sentence))
        return
    compared = compared_tables(runs)
    content: list[object] = [page.table(table) for table in tables]
    content += (
        [_absent(compared)]
        if isinstance(compared, str)
        else [page.table(table) for table in compared]
    )
    for table, heading in (
        (protocols_table(runs), "Protocols"),
        (tests_table(runs), "Data, weights and state of each test"),
    ):
        if table is not None:
            content.append(tag("details", tag("summary", heading), page.table(table)))
    single = image_tables(runs)
    if single:
        inside = [page.table(table) for table in single]
        content.append(tag("details", tag("summary", "Scores of each image"), inside))
    page.section("scores", "Test scores", *content)


def _galleries(page: _Page, pictures: Pictures, budget: Budget) -> None:
    content: list[object] = [
        gallery(found, number, budget) for number, found in enumerate(pictures.galleries)
    ]
    for caption, path in pictures.figures.items():
        source = budget.file(path)
        if source is not None:
            image = tag("img", src=source, alt=caption)
            content.append(tag("figure", image, tag("figcaption", caption), class_="wide"))
    content += [_absent(sentence) for sentence in pictures.left_out]
    if not content:
        content.append(_absent("No images: the page was made without them (--images 0)."))
    page.section("images", "Images", *content)


def _degradations(
    page: _Page, runs: Sequence[RunRecord], pictures: Pictures, budget: Budget
) -> None:
    content: list[object] = []
    if pictures.fields:
        content += [
            tag("h3", "Kernels at the pointer"),
            tag("p", "Point at the image, or focus it and press the arrow keys.", class_="hint"),
            legend_of_kernels(),
        ]
        for field in pictures.fields:
            box, data = kernel_field(field, len(page.fields), budget)
            page.fields.append(data)
            content.append(box)
    if pictures.bases:
        content.append(tag("h3", "Learned bases and their weights"))
        for one in pictures.bases:
            box, data = basis(one, len(page.bases), budget)
            page.bases.append(data)
            content.append(box)
    if pictures.spectra:
        names = [run.label for run in runs]
        content.append(tag("h3", "Transfer and noise"))
        content.append(page.chart_grid([plot_chart(plot, names) for plot in pictures.spectra]))
    if content:
        page.section("degradations", "Degradations", *content)


def _configs(
    page: _Page, runs: Sequence[RunRecord], bases: Mapping[str, Mapping[str, Any] | str]
) -> None:
    content: list[object] = []
    if len(runs) > 1:
        between = difference_table(
            "between-runs",
            "Settings in which the runs differ",
            {run.label: run.config for run in runs},
        )
        content.append(
            page.table(between) if between else _absent("The configs of the runs are equal.")
        )
    for number, run in enumerate(runs):
        base = bases.get(run.label, "its config names no recipe.")
        if isinstance(base, str):
            content.append(_absent(f"No difference of {run.label} to its recipe: {base}"))
        else:
            configs = {f"recipe {run.recipe}": base, "this run": run.config}
            caption = f"{run.label}: what differs from its recipe"
            table = difference_table(f"recipe-{number}", caption, configs)
            equal = _absent(f"{run.label} ran its recipe unchanged.")
            content.append(page.table(table) if table else equal)
    for number, run in enumerate(runs):
        whole = difference_table(
            f"config-{number}", f"{run.label}: every setting", {"value": run.config}, all_keys=True
        )
        if whole is not None:
            summary = tag("summary", f"Config of {run.label}")
            content.append(tag("details", summary, page.table(whole)))
    page.section("configs", "Configs", *content)


def _environment(page: _Page, runs: Sequence[RunRecord]) -> None:
    table = environment_table(runs)
    sentence = "Nothing is known of the environment: the runs have no log."
    page.section(
        "environment-section", "Environment", page.table(table) if table else _absent(sentence)
    )


def _document(page: _Page, title: str, budget: Budget, count: int, size: int) -> str:
    style = asset("style.css")
    script = "\n".join(asset(name) for name in _SCRIPTS)
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src"
        f" '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )
    data = {
        "charts": page.charts,
        "tables": page.tables,
        "fields": page.fields,
        "bases": page.bases,
    }
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="generator", content=f"realdeg {__version__}"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    links = [tag("li", tag("a", heading, href=f"#{name}")) for name, heading, _ in page.sections]
    sections = [
        tag("section", tag("h2", heading), content, id=name, class_="part")
        for name, heading, content in page.sections
    ]
    lossy = f" {budget.lossy} of them are compressed with loss." if budget.lossy else ""
    left = f" {budget.left_out} did not fit into the limit." if budget.left_out else ""
    stated = f"{size / 1000:,.0f} kB"
    foot = (
        f"Made by realdeg {__version__}. This page is {stated.rjust(_WIDTH)}; its pictures take"
        f" {budget.used / 1000:.0f} of at most {budget.limit / 1000:.0f} kB.{lossy}{left}"
    )
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#main", class_="skip"),
        tag(
            "header",
            tag("h1", title),
            tag("p", f"{count} run{'s' if count > 1 else ''} · realdeg {__version__}"),
            tag(
                "button",
                "Theme: automatic",
                type="button",
                id="theme",
                title="Change between automatic, light and dark",
            ),
        ),
        tag("nav", tag("ul", links), aria_label="Contents"),
        tag(
            "main",
            tag(
                "noscript",
                tag("p", "Curves, sliders and kernels need JavaScript.", class_="notice"),
            ),
            sections,
            id="main",
            tabindex="-1",
        ),
        tag("footer", tag("p", foot)),
        tag("div", id="status", role="status", class_="spoken"),
        data_block(data, "data"),
        tag("script", Markup(script)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def asset(name: str) -> str:
    """Return a file of the page's own."""
    return (resources.files("realdeg.reporting") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
