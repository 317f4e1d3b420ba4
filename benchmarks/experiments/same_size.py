"""Two cameras whose LR lies on the HR grid, NTIRE 2019 and City100: each copied, and each alone.

``same_fidelity`` trains degradations on one and compares their LR with real LR of both.
``same_claim`` trains the small VDSR on real pairs of one, and on these and synthetic LR of its DML,
and tests it on both.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cells import digits, spread
from runs import Book, Run, Stage

from realdeg.utils.tables import markdown_table

ITERATIONS, NETWORK = 1500, 1200
"""Iterations of every degradation that is learned by gradient, and of every network."""

SETS = {
    "NTIRE 2019": "{'type': 'NTIRE19Dataset', 'split': 'test', 'transforms': [{'type':"
    " 'PackSample'}]}",
    "City100": "{'type': 'City100Dataset', 'camera': 'iPhoneX', 'ids': '51-56', 'transforms':"
    " [{'type': 'PackSample'}]}",
}
"""What is trained on, and the data set of its test."""

MODELS: Mapping[str, Mapping[str, Any]] = {
    "bicubic": {"degradation": "{'type': 'Bicubic'}"},
    "GlobalKernel": {},
    "DML": {},
    "DML, colour": {"degradation.colour": "weights", "model.colour": "rgb"},
    "DirectNet": {"degradation": "{'type': 'DirectNet', 'width': 16, 'levels': 2}"},
    "DirectKPN": {
        "degradation": "{'type': 'DirectKPN', 'kernel_size': 15, 'width': 16, 'levels': 2}"
    },
}
"""By row: options."""

TESTS = {"test_evaluator.metrics.0.metrics": "[psnr,ssim]"}


def _short(trained: str) -> str:
    return trained.lower().replace(" 20", "")


def _elsewhere(trained: str) -> dict[str, dict[str, str]]:
    return {
        name: {"test_dataloader.dataset": stated}
        for name, stated in SETS.items()
        if name != trained
    }


def fidelity_run(model: str, trained: str, seed: int) -> Run:
    """Return one training of a degradation and its tests on both cameras."""
    kind = "same_one_kernel" if model == "GlobalKernel" else "same"
    iterations = {"bicubic": 0, "GlobalKernel": 1}.get(model, ITERATIONS)
    stage = Stage(
        "train",
        f"{kind}_{_short(trained)}.py",
        iterations,
        MODELS[model],
        closed_form=model == "GlobalKernel",
    )
    return Run(f"{model}, {trained}", seed, (stage,), TESTS, also=_elsewhere(trained))


def fidelity_runs(seeds: list[int]) -> list[Run]:
    """List the trainings of all degradations; bicubic and one kernel have no seed."""
    return [
        fidelity_run(model, trained, seed)
        for seed in seeds
        for model in MODELS
        for trained in SETS
        if seed == seeds[0] or model not in ("bicubic", "GlobalKernel")
    ]


ROWS = ("real", "real + bicubic", "real + Syn-DML", "real + DirectNet")
"""What the network is trained on; noise of synthetic LR is white, of 1 grey level."""


def claim_runs(seeds: list[int]) -> list[Run]:
    """List the trainings of the network."""
    runs = []
    for seed in seeds:
        for trained in SETS:
            for row in ROWS:
                config, options = f"same_mixed_{_short(trained)}.py", {}
                if row == "real":
                    config = f"same_real_{_short(trained)}.py"
                elif row != "real + bicubic":
                    name = "DML" if row.endswith("DML") else "DirectNet"
                    parts = (
                        f"[{{'checkpoint': '{{same:{name}, {trained}}}'}},"
                        " {'type': 'AWGN', 'sigma': 1}]"
                    )
                    options = {"degradation": f"{{'type': 'Compose', 'parts': {parts}}}"}
                stage = Stage("train", config, NETWORK, options)
                tests = {"test_evaluator.metrics.0.metrics": "[psnr,ssim,gmsd,st_lpips]"}
                runs.append(
                    Run(f"{row}, {trained}", seed, (stage,), tests, also=_elsewhere(trained))
                )
    return runs


def learned_files(work: Path) -> dict[str, str]:
    """Return where the first seed's degradations of ``same_fidelity`` are.

    Args:
        work: The folder of all experiments.
    """
    return {
        f"same:{model}, {trained}": str(
            work
            / "same_fidelity"
            / fidelity_run(model, trained, 0).folder
            / "train"
            / "degradation.safetensors"
        )
        for model in MODELS
        for trained in SETS
    }


def table(book: Book) -> list[str]:
    """Return the means over the test images of both cameras, and their spread over seeds."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for key, entry in book.entries.get("runs", {}).items():
        groups.setdefault(key.rpartition(", seed ")[0], []).append(entry)
    names: list[str] = []
    found = []
    for label, entries in groups.items():
        row, _, trained = label.rpartition(", ")
        names = names or list(entries[0]["values"])
        for tested in SETS:
            of_each = [
                (e["values"] if tested == trained else e["also"][tested]["values"]) for e in entries
            ]
            cells = [spread([one[name] for one in of_each], digits(name)) for name in names]
            found.append([trained, tested, row, str(len(entries)), *cells])
    order = list(SETS)
    found.sort(key=lambda row: (order.index(row[0]), order.index(row[1])))
    return markdown_table(["trained on", "tested on", "row", "seeds", *names], found)
