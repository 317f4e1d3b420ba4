"""The tab that draws LR images, in Gradio: LR beside HR, one pixel, the trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from realdeg.studio.desk import Desk, pair, part_in_words, place_of
from realdeg.studio.guard import guarded
from realdeg.studio.pictures import kernel_picture, noise_picture
from realdeg.studio.session import Place, Shot


def add_degrade_tab(
    page: gr.Blocks, desk: gr.State, source: tuple[Any, ...], folder: Path
) -> gr.Number:
    """Lay out the tab that draws LR images.

    Args:
        page: The page, which draws one when it is opened.
        desk: The window's :class:`~realdeg.studio.desk.Desk`.
        source: Photo, built-in image, side and recipe.
        folder: Where results are written for download.

    Returns:
        The seed.
    """
    photo, sample, side, text = source
    with gr.Row(elem_classes="tools"):
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, scale=1, min_width=100)
        go = gr.Button("Draw", variant="primary", scale=2)
        again = gr.Button("Next seed", scale=2)
        save = gr.DownloadButton("Save LR (PNG)", scale=2)
    slider = gr.ImageSlider(
        label="HR | LR, every pixel repeated",
        format="png",
        type="numpy",
        interactive=False,
        elem_id="pair",
        max_height=640,
    )
    with gr.Row():
        lr = _figure("LR: click a pixel", "lr_picture", image_mode="RGB", buttons=["fullscreen"])
        kernel = _figure("Kernel there", "kernel_picture")
        noise = _figure("Noise around it", "noise_picture")
    with gr.Row(elem_classes="tools"):
        row = gr.Number(0, label="LR row", precision=0, minimum=0, min_width=90)
        column = gr.Number(0, label="LR column", precision=0, minimum=0, min_width=90)
        look = gr.Button("Look there")
    there = gr.Markdown()
    with gr.Accordion("What was drawn: the trace", open=True):
        words = gr.Textbox(label="In words", lines=6, max_lines=16, elem_id="words")
        trace = gr.Textbox(
            label="As JSON; paste another one to replay it",
            lines=3,
            max_lines=8,
            elem_id="trace",
            max_length=1 << 23,
        )
        repeat = gr.Button("Replay this trace")

    shown = [desk, slider, lr, words, trace, row, column, kernel, noise, there]

    @guarded
    def draw(
        path: str | None, name: str | None, side: int, text: str, seed: int, own: Desk
    ) -> tuple[Any, ...]:
        return _shot(own, own.draw(path or name, side, text, seed))

    @guarded
    def next_seed(*given: Any) -> tuple[Any, ...]:
        number = int(given[4] or 0) + 1
        path, name, side, text, _, own = given
        return (number, *draw(path, name, side, text, number, own))

    @guarded
    def replay(
        path: str | None, name: str | None, side: int, text: str, trace: str, own: Desk
    ) -> tuple[Any, ...]:
        return _shot(own, own.replay(path or name, side, text, trace))

    @guarded
    def looked(row: int, column: int, own: Desk) -> tuple[Any, ...]:
        return _place(own.look(row, column))

    @guarded
    def pointed(own: Desk, event: gr.SelectData) -> tuple[Any, ...]:
        if own.shot is None:
            return (0, 0, *_place(own.look(0, 0)))
        row, column = place_of(own.shot, *event.index)
        return (row, column, *_place(own.look(row, column)))

    @guarded
    def saved(own: Desk) -> str:
        return str(own.save_lr(folder))

    given = [photo, sample, side, text]
    there_too = [kernel, noise, there]
    go.click(draw, [*given, seed, desk], shown, api_name="draw")
    again.click(next_seed, [*given, seed, desk], [seed, *shown], api_name="draw_again")
    photo.upload(draw, [*given, seed, desk], shown, api_visibility="private")
    sample.input(draw, [*given, seed, desk], shown, api_visibility="private")
    repeat.click(replay, [*given, trace, desk], shown, api_name="replay")
    look.click(looked, [row, column, desk], there_too, api_name="look")
    lr.select(pointed, [desk], [row, column, *there_too], api_visibility="private")
    save.click(saved, [desk], [save], api_name="save_lr")
    page.load(draw, [*given, seed, desk], shown, api_visibility="private")
    return seed


def _figure(label: str, elem_id: str, **options: Any) -> gr.Image:
    """Return a picture that is only looked at, with a transparent background unless told."""
    options = {"image_mode": "RGBA", "buttons": [], **options}
    return gr.Image(label=label, elem_id=elem_id, format="png", interactive=False, **options)


def _shot(own: Desk, shot: Shot) -> tuple[Any, ...]:
    hr, lr = pair(shot)
    row, column = (side // 2 for side in shot.lr.shape[:2])
    words = f"{shot.photo.name}, {part_in_words(shot.record.crop)}\n{shot.words}"
    looked = _place(own.look(row, column))
    return own, (hr, lr), lr, words, shot.trace_text, row, column, *looked


def _place(place: Place) -> tuple[Any, ...]:
    kernel = None if place.kernel is None else kernel_picture(place.kernel, place.stride)
    notes = [f"LR pixel at row {place.row}, column {place.column}."]
    if place.kernel is None:
        notes.append("Its filter is not stated and has no derivative, so there is no kernel.")
    else:
        notes.append(
            "The kernel is that of all blurs and resizes; red is positive, blue negative, the line"
            " is half of the largest weight."
        )
    if place.sigma is None:
        notes.append("This degradation adds no noise.")
    return kernel, noise_picture(place), " ".join(notes)
