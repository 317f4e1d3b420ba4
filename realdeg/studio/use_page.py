"""The tabs that use a degradation, in Gradio: compare two, upscale, export."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from realdeg.registry import list_backbones
from realdeg.studio.desk import CONFIG_NAME, Desk, number_in, pair
from realdeg.studio.guard import guarded
from realdeg.studio.upscale import published

# Gradio finds it among a function's defaults.
_PROGRESS = gr.Progress()


def add_compare_tab(desk: gr.State, source: tuple[Any, ...], seed: gr.Number) -> None:
    """Lay out the tab that compares two degradations.

    Args:
        desk: The window's :class:`~realdeg.studio.desk.Desk`.
        source: Photo, built-in image, side and recipe.
        seed: The random seed.
    """
    photo, sample, side, text = source
    gr.Markdown(
        "Keep the degradation on the left as A, change it or choose another one (B), and compare"
        " both on the same photo with the same seed."
    )
    with gr.Row():
        keep = gr.Button("Keep the present one as A")
        go = gr.Button("Compare A with the present one (B)", variant="primary")
    kept = gr.Code(label="A", language="yaml", interactive=False, lines=3)
    slider = gr.ImageSlider(
        label="A | B", format="png", interactive=False, elem_id="versus", max_height=640
    )
    table = gr.Markdown()

    @guarded
    def kept_now(text: str, own: Desk) -> tuple[Any, ...]:
        return own, own.keep(text).text

    @guarded
    def compared(
        path: str | None, name: str | None, side: int, text: str, seed: int, own: Desk
    ) -> tuple[Any, ...]:
        first, second, rows = own.compare(path or name, side, text, seed)
        one, other = pair(first)[1], pair(second)[1]
        height, width = (min(a, b) for a, b in zip(one.shape[:2], other.shape[:2], strict=True))
        return (one[:height, :width], other[:height, :width]), _table(rows)

    keep.click(kept_now, [text, desk], [desk, kept], api_name="keep")
    go.click(compared, [photo, sample, side, text, seed, desk], [slider, table], api_name="compare")


def _table(rows: Mapping[str, tuple[str, str]]) -> str:
    """Return a Markdown table of two columns."""
    cells = [(title, *both) for title, both in rows.items()]
    lines = [" | ".join(html.escape(cell).replace("|", "/") for cell in row) for row in cells]
    return "\n".join(("| | A | B |", "|---|---|---|", *(f"| {line} |" for line in lines)))


def add_upscale_tab(desk: gr.State, folder: Path) -> None:
    """Lay out the tab that upscales.

    Args:
        desk: The window's :class:`~realdeg.studio.desk.Desk`.
        folder: Where results are written for download.
    """
    with gr.Row():
        with gr.Column():
            image = gr.File(
                label="Image to upscale (none: the last LR image)",
                file_types=["image"],
                type="filepath",
                height=140,
            )
            network = gr.Dropdown(
                published(),
                value=None,
                label="Published network",
                info="its weights are fetched where they are not at hand",
                filterable=True,
            )
        with gr.Column():
            weights = gr.File(
                label="or weights of your own",
                file_types=[".safetensors", ".pth", ".pt", ".ckpt"],
                type="filepath",
                height=140,
                elem_id="network",
            )
            kind = gr.Dropdown(
                ["", *list_backbones()],
                value="",
                label="Network of that file",
                info="only for files of other projects",
            )
            factor = gr.Textbox(
                label="Its scale", info="where the file does not tell", max_length=20
            )
    with gr.Row():
        tile = gr.Textbox("auto", label="Tile", info="auto, none or pixels", max_length=20)
        width = gr.Textbox(label="Blur told", info="sigma in HR pixels", max_length=20)
        level = gr.Textbox(label="Noise told", info="sigma of 255", max_length=20)
        ensemble = gr.Checkbox(label="Self-ensemble", info="mean of 8 passes")
    go = gr.Button("Upscale", variant="primary")
    words = gr.Markdown()
    slider = gr.ImageSlider(
        label="bicubic | network",
        format="png",
        interactive=False,
        elem_id="upscaled",
        max_height=720,
    )
    result = gr.File(label="Result (PNG)", interactive=False, height=70)

    @guarded
    def run(
        image: str | None,
        network: str | None,
        weights: str | None,
        kind: str,
        factor: str,
        tile: str,
        width: str,
        level: str,
        ensemble: bool,
        own: Desk,
        progress: gr.Progress = _PROGRESS,
    ) -> tuple[Any, ...]:
        made = own.upscale(
            image,
            network,
            weights,
            kind or None,
            folder,
            scale=number_in(factor, "scale"),
            tile=tile,
            self_ensemble=ensemble,
            kernel_width=number_in(width, "blur"),
            noise=number_in(level, "noise"),
            progress=lambda done, total: progress((done, total), desc="upscaling"),
        )
        return (made.plain, made.made), html.escape(made.words), str(made.file)

    go.click(
        run,
        [image, network, weights, kind, factor, tile, width, level, ensemble, desk],
        [slider, words, result],
        api_name="upscale",
    )


def add_export_tab(desk: gr.State, text: gr.Code, seed: gr.Number, folder: Path) -> None:
    """Lay out the tab that exports config and Python.

    Args:
        desk: The window's :class:`~realdeg.studio.desk.Desk`.
        text: The recipe.
        seed: The random seed.
        folder: Where files are written for download.
    """
    gr.Markdown(
        "The same degradation elsewhere: the config for every command and recipe, and the Python"
        " that makes the LR image of this seed, bit for bit. A loaded camera's file belongs beside"
        " them."
    )
    go = gr.Button("Write config and Python", variant="primary")
    config = gr.Code(label=CONFIG_NAME, language="yaml", interactive=False)
    python = gr.Code(label="Python", language="python", interactive=False)
    commands = gr.Code(label="Commands", language="shell", interactive=False)
    files = gr.File(label="Files", interactive=False, file_count="multiple", height=140)

    @guarded
    def export(text: str, seed: int, own: Desk) -> tuple[Any, ...]:
        made = own.export(text, seed, folder)
        return made.config, made.python, made.commands, [str(file) for file in made.files]

    go.click(export, [text, seed, desk], [config, python, commands, files], api_name="export")
