"""A model card as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from realdeg.evaluation.report import number_text
from realdeg.export.foreign_text import code, prose
from realdeg.utils.tables import markdown_table

_FORMS = {
    "safetensors": "safetensors",
    "onnx": "ONNX",
    "torch-export": "torch.export",
}


def to_markdown(card: Mapping[str, Any]) -> str:
    """Return a card as Markdown.

    Args:
        card: What ``make_card`` returned.
    """
    network = card["network"]
    arguments = ", ".join(f"{name}={value!r}" for name, value in network["arguments"].items())
    call = f"{network['type']}({arguments})"
    lines = [f"# {prose(network['type'])}, {_factor(card['pictures'])}", ""]
    if card["training"]["sample"]:
        lines += [
            "> **SAMPLE RUN: trained briefly on built-in images, to show that the recipe runs. The"
            " network is not useful.**",
            "",
        ]
    lines += [
        f"- Network: {code(call)}",
        f"- Parameters: {network['parameters']:,}",
        *_details(network["details"]),
        f"- Licence of the weights: {prose(card['licence'])}",
        f"- Hash: `{network['hash']}` (type, arguments and weights)",
        f"- Written by realdeg {card['realdeg_version']}",
        "",
        "## Images",
        "",
        *_pictures(card["pictures"]),
        "",
        "## Files",
        "",
        *_files(card),
        "",
        "## Training",
        "",
        *_training(card),
        "",
        "## Results",
        "",
        *_numbers(card["numbers"]),
        "",
        "## Use",
        "",
        *_use(card),
    ]
    return "\n".join(lines) + "\n"


def _details(details: Mapping[str, Any]) -> list[str]:
    """Return the details of the network's own description that are not in every card."""
    listed = ("scale", "channels", "licence")
    return [
        f"- {prose(name.replace('_', ' ').capitalize())}: {prose(_plain(value))}"
        for name, value in details.items()
        if name not in listed and value is not None and not isinstance(value, Mapping)
    ]


def _factor(pictures: Mapping[str, Any]) -> str:
    return "same size" if pictures["same_size"] else f"x{pictures['scale']:g}"


def _pictures(pictures: Mapping[str, Any]) -> list[str]:
    colour = "RGB" if pictures["colour"] == "rgb" else "Y of YCbCr (ITU-R BT.601, 16 to 235)"
    lines = [
        f"- Colour: {colour}, {pictures['channels']} channel"
        + ("s" if pictures["channels"] > 1 else "")
    ]
    if pictures["interpolated_first"]:
        lines.append(
            f"- Input: the LR image upscaled {pictures['scale']:g} times by MATLAB's bicubic"
            " interpolation; the output has the input's size. realdeg upscales it itself; other"
            " programs have to do so."
        )
    elif pictures["same_size"]:
        lines.append("- Input: the degraded image, with the size of the output.")
    else:
        lines.append(f"- Input: the LR image; the output has {pictures['scale']:g} times as many")
        lines[-1] += " rows and columns."
    if pictures["whole_image"]:
        lines.append("- It sees the whole image: tiles are an approximation.")
    else:
        block = pictures["size_multiple"]
        start = f", starting at multiples of {block} input pixels" if block > 1 else ""
        lines.append(f"- Tiles: exact with a border of {pictures['halo']} LR pixels{start}.")
    return lines


def _files(card: Mapping[str, Any]) -> list[str]:
    rows = []
    for item in card["files"]:
        form = _FORMS[item["form"]] + (f", opset {item['opset']}" if item["opset"] else "")
        if item["size"]:
            sizes = f"{item['size'][0]} x {item['size'][1]} only"
        else:
            sizes = f"from {item['least_size']} pixels" if item["least_size"] else "any"
        value_range = f"0 to {item['value_range']:g}"
        rows.append(
            [code(item["name"]), form, item["numbers"], value_range, sizes]
            + [f"{item['bytes']:,}", f"`{item['sha256']}`"]
        )
    header = ("file", "format", "numbers", "range", "sizes", "bytes", "SHA-256")
    lines = markdown_table(header, rows, numbers=False)
    for item in card["files"]:
        if item["form"] == "safetensors":
            continue
        if item["difference"] is None:
            text = "not compared with the network: onnxruntime was not installed."
        else:
            shapes = ", ".join(" x ".join(map(str, shape)) for shape in item["compared_on"])
            text = f"differs from the network by {item['difference']:.1e} at most ({shapes})."
        lines += ["", f"{code(item['name'])} {text}"]
    return lines


def _training(card: Mapping[str, Any]) -> list[str]:
    training, source = card["training"], card["weights_from"]
    degradation = training["degradation"]
    facts = {
        "Data": code(training["data"]) if training["data"] else "not stated",
        "Degradation": (
            f"{prose(degradation.get('described'))} ({code(degradation.get('type'))}, hash"
            f" {code(degradation.get('hash'))})"
            if isinstance(degradation, Mapping)
            else "none, or not stated"
        ),
        **{
            name: None if training[key] is None else prose(training[key])
            for name, key in (
                ("Config", "config"),
                ("Iterations", "iterations"),
                ("Seed", "seed"),
                ("realdeg", "realdeg_version"),
            )
        },
        "Weights from": source["file"] and _hashed(code(source["file"]), source["sha256"]),
        "Converted from": source["source"]
        and _hashed(prose(source["source"]), source["source_sha256"]),
    }
    return [f"- {name}: {value}" for name, value in facts.items() if value is not None]


def _hashed(name: str, sha256: str | None) -> str:
    return f"{name}, SHA-256 {code(sha256)}" if sha256 else name


def _numbers(reports: list[Mapping[str, Any]]) -> list[str]:
    if not reports:
        return ["Not measured (`realdeg export --report report.json` adds the results of a test)."]
    lines: list[str] = []
    for report in reports:
        lines += [f"{prose(report['title'])}, on {prose(report['dataset'])}:", ""]
        if report["notice"]:
            lines += [f"> **{prose(report['notice'])}**", ""]
        rows = [(code(k), _number(k, v)) for k, v in report["mean"].items()]
        rows += [(code(k), f"n/a: {prose(reason)}") for k, reason in report["missing"].items()]
        lines += markdown_table(("metric", "mean"), rows)
        lines.append("")
        for name, protocol in report["protocols"].items():
            settings = ", ".join(
                f"{prose(k)} {prose(_plain(v))}" for k, v in protocol.items() if k != "name"
            )
            lines.append(f"- Protocol {code(name)}: {settings}.")
        if not report["same_weights"]:
            lines.append("- The report does not identify its weights by hash.")
        lines.append("")
    return lines[:-1]


def _number(name: str, value: Any) -> str:
    return number_text(name, value) if isinstance(value, int | float) else prose(value)


def _use(card: Mapping[str, Any]) -> list[str]:
    lines = []
    channels = card["pictures"]["channels"]
    for item in card["files"]:
        name = json.dumps(item["name"], ensure_ascii=False)
        if item["form"] == "safetensors":
            code = [
                "from realdeg import SuperResolver",
                "from realdeg.utils.image import read_image, write_image",
                f'write_image("sr.png", SuperResolver({name}).upscale(read_image("lr.png")))',
            ]
        elif item["form"] == "onnx":
            height, width = item["size"] or ("h", "w")
            code = [
                "import onnxruntime",
                f"session = onnxruntime.InferenceSession({name})",
                f'sr = session.run(None, {{"lr": lr}})[0]  # float32, (b, {channels}, {height},'
                f" {width}), 0 to 1",
            ]
        else:
            code = [
                "import torch",
                f"network = torch.export.load({name}).module()",
                "sr = network(lr)  # float32, 0 to 1",
            ]
        lines += ["```python", *code, "```", ""]
        if item["form"] == "safetensors" and card["spandrel"]:
            lines += [
                f"spandrel opens it as {prose(card['spandrel'])}, for images from 0 to 1:",
                "",
                "```python",
                "from spandrel import ModelLoader",
                f"model = ModelLoader().load_from_file({name})",
                "sr = model(lr)",
                "```",
                "",
            ]
    return lines[:-1]


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
