"""Degradations that were learned from real pairs: how they copy a camera, what they are good for.

``camera_fidelity`` trains each on both cameras of the RealSR V3 crops, on Canon and on Nikon, and
compares its LR with real LR. ``camera_claim`` trains one network at LR resolution on real pairs, on
synthetic LR and on both. Tests are on the 10 test crops; what saw one camera alone is tested on
the 20 training crops of the other as well.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cells import digits, spread
from runs import Book, Run, Stage

from realdeg.evaluation.bootstrap import paired_bootstrap
from realdeg.utils.tables import markdown_table

DEGRADATION, NETWORK = 2000, 3000
"""Iterations of every degradation that is learned by gradient, and of every network."""

CAMERAS: Mapping[str, tuple[str, ...]] = {
    "both": ("Canon", "Nikon"),
    "Canon": ("Canon",),
    "Nikon": ("Nikon",),
}
"""What is trained on."""

MODELS: Mapping[str, tuple[str, int, Mapping[str, Any]]] = {
    "bicubic": ("camera_bicubic.py", 0, {}),
    "GlobalKernel": ("camera_global_kernel.py", 1, {}),
    "DML": ("camera_dml.py", DEGRADATION, {}),
    "DML, softmax": ("camera_dml.py", DEGRADATION, {"degradation.activation": "softmax"}),
    "DML, free sums": ("camera_dml.py", DEGRADATION, {"degradation.renormalise": False}),
    "DML, 16 bases": ("camera_dml.py", DEGRADATION, {"degradation.num_kernels": 16}),
    "DirectNet": ("camera_direct_net.py", DEGRADATION, {}),
    "DirectKPN": ("camera_direct_kpn.py", DEGRADATION, {}),
}
"""By row: config, iterations and options."""

FIDELITY = ("psnr[lr-fidelity]", "ssim[lr-fidelity]")
VALUES = (
    "psnr[realsr-official]",
    "ssim[realsr-official]",
    "gmsd[realsr-official]",
    "st_lpips[alex-vST0.0]",
)


def _metrics(names: tuple[str, ...]) -> dict[str, str]:
    short = ",".join(name.partition("[")[0] for name in names)
    return {"test_evaluator.metrics.0.metrics": f"[{short}]"}


def _elsewhere(trained: str) -> dict[str, dict[str, str]]:
    """Return the test on the training crops of the cameras that were not trained on."""
    others = [camera for camera in CAMERAS["both"] if camera not in CAMERAS[trained]]
    place = "test_dataloader.dataset"
    return {
        f"{camera} Train": {f"{place}.split": "train", f"{place}.cameras": f"[{camera}]"}
        for camera in others
    }


def _cameras(trained: str, place: str) -> dict[str, str]:
    """Return the option that states the cameras of a data set."""
    return {f"{place}.cameras": f"[{','.join(CAMERAS[trained])}]"}


def fidelity_run(model: str, trained: str, seed: int) -> Run:
    """Return one training of a degradation and its tests."""
    config, iterations, options = MODELS[model]
    stated = {**options, **(_cameras(trained, "train_dataloader.dataset") if iterations else {})}
    return Run(
        f"{model}, {trained}",
        seed,
        (Stage("train", config, iterations, stated, closed_form=iterations == 1),),
        _metrics(FIDELITY),
        also=_elsewhere(trained),
    )


def fidelity_runs(seeds: list[int]) -> list[Run]:
    """List the trainings of all degradations; bicubic and one kernel have no seed."""
    return [
        fidelity_run(model, trained, seed)
        for seed in seeds
        for model, (_, iterations, _) in MODELS.items()
        for trained in CAMERAS
        if (iterations > 1 or seed == seeds[0]) and (iterations or trained == "both")
    ]


def _learned(model: str, trained: str, noise: str | None = None) -> str:
    """Return a degradation from the weights of ``fidelity``, with noise after it."""
    weights = f"{{fidelity:{model}, {trained}}}"
    parts = [f"{{'checkpoint': '{weights}'}}", *([noise] if noise else [])]
    return f"{{'type': 'Compose', 'parts': [{', '.join(parts)}]}}" if noise else parts[0]


def _awgn(sigma: float) -> str:
    return f"{{'type': 'AWGN', 'sigma': {sigma}}}"


def rows(trained: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield label, config and degradation of the rows that train on these cameras."""
    noise = f"{{'checkpoint': '{{noise:{trained}}}'}}"
    yield "real", "claim_real.py", {}
    yield "real + bicubic", "claim_mixed.py", {"degradation": "{'type': 'Bicubic'}"}
    quiet, loud = _learned("DML", trained, _awgn(1)), _learned("DML", trained, _awgn(5))
    learned = _learned("DML", trained, noise)
    yield "real + Syn-DML, learned noise", "claim_mixed.py", {"degradation": learned}
    yield "real + Syn-DML, sigma 1", "claim_mixed.py", {"degradation": quiet}
    direct = _learned("DirectNet", trained)
    yield "real + DirectNet", "claim_mixed.py", {"degradation": direct}
    if trained == "both":
        yield "Syn-DML, sigma 5", "claim_synthetic.py", {"degradation": loud}
        yield "Syn-DML, learned noise", "claim_synthetic.py", {"degradation": learned}
        yield "real + BSRGAN", "claim_mixed.py", {"degradation": "{'type': 'BSRGAN'}"}


def claim_runs(seeds: list[int]) -> list[Run]:
    """List the trainings of the network.

    Args:
        seeds: Of every random stream.
    """
    runs = [
        Run(
            "bicubic",
            0,
            (Stage("none", "claim_interpolation.py", 0),),
            _metrics(VALUES),
            also={**_elsewhere("Canon"), **_elsewhere("Nikon")},
        )
    ]
    for seed in seeds:
        for trained in CAMERAS:
            for label, config, options in rows(trained):
                stated = dict(options)
                place = "train_dataloader.dataset"
                if config != "claim_real.py" and trained != "both":
                    stated[f"{place}.datasets.0.folder"] = f"RealSR-V3-crops/{trained}/Train/4"
                if config == "claim_mixed.py":
                    stated |= _cameras(trained, f"{place}.datasets.3")
                elif config == "claim_real.py":
                    stated |= _cameras(trained, place)
                stage = Stage("train", config, NETWORK, stated)
                name = label if trained == "both" else f"{label}, {trained} alone"
                runs.append(Run(name, seed, (stage,), _metrics(VALUES), also=_elsewhere(trained)))
    return runs


def learned_files(work: Path) -> dict[str, str]:
    """Return where the first seed's degradations of ``camera_fidelity`` are, and the noises.

    Args:
        work: The folder of all experiments.
    """
    files = {
        f"fidelity:{model}, {trained}": work
        / "camera_fidelity"
        / fidelity_run(model, trained, 0).folder
        / "train"
        / "degradation.safetensors"
        for model in MODELS
        for trained in CAMERAS
    }
    return {name: str(path) for name, path in files.items()}


Images = Mapping[str, Mapping[str, float]]


def _of(entry: Mapping[str, Any], camera: str, fresh: bool) -> Images:
    """Return the images of a camera: its test crops, with its training crops if ``fresh``."""
    images = {k: v for k, v in entry["images"].items() if k.startswith(camera)}
    return images | (
        entry.get("also", {}).get(f"{camera} Train", {"images": {}})["images"] if fresh else {}
    )


def _places(trained: str) -> list[tuple[str, str, bool]]:
    """Return title, camera and whether all its crops are new, of what is tested."""
    if trained == "both":
        return [("10 test crops", "", False)]
    other = next(camera for camera in CAMERAS["both"] if camera != trained)
    return [(f"{trained}, 5 crops", trained, False), (f"{other}, 25 crops", other, True)]


def _mean_of_seeds(
    entries: list[Mapping[str, Any]], camera: str, fresh: bool
) -> dict[str, dict[str, float]]:
    """Return the values of each image as means over seeds."""
    every = [_of(entry, camera, fresh) for entry in entries]
    return {
        key: {name: statistics.fmean(images[key][name] for images in every) for name in values}
        for key, values in every[0].items()
        for values in [{n: v for n, v in values.items() if "[" in n}]
    }


def _cell(entries: list[Mapping[str, Any]], name: str, camera: str, fresh: bool) -> str:
    means = [statistics.fmean(v[name] for v in _of(e, camera, fresh).values()) for e in entries]
    return spread(means, digits(name))


def _entries(book: Book, label: str) -> list[Mapping[str, Any]]:
    found = book.entries.get("runs", {})
    return [entry for key, entry in found.items() if key.rpartition(", seed ")[0] == label]


def fidelity_report(book: Book) -> None:
    """Print PSNR and SSIM of LR by what was trained on and tested on."""
    places = [(trained, *place) for trained in CAMERAS for place in _places(trained)]
    header = ["model", *(f"{trained}: {title}" for trained, title, _, _ in places)]
    table = []
    for model in MODELS:
        row = [model]
        for trained, _, camera, fresh in places:
            entries = _entries(book, f"{model}, {trained}")
            if not MODELS[model][1]:  # nothing was trained: the same entry everywhere
                entries = _entries(book, f"{model}, both")
            cells = [_cell(entries, name, camera, fresh) for name in FIDELITY] if entries else ["-"]
            row.append(" / ".join(cells))
        table.append(row)
    print("\n".join(markdown_table(header, table)))


def claim_report(book: Book) -> None:
    """Print values, and paired differences to the network that saw real pairs alone."""
    for trained in CAMERAS:
        suffix = "" if trained == "both" else f", {trained} alone"
        labels = ["bicubic", *(f"{label}{suffix}" for label, _, _ in rows(trained))]
        for title, camera, fresh in _places(trained):
            table = []
            base = _entries(book, f"real{suffix}")
            for label in labels:
                entries = _entries(book, label)
                if not entries:
                    continue
                cells = [_cell(entries, name, camera, fresh) for name in VALUES]
                table.append([label.removesuffix(suffix), str(len(entries)), *cells])
                if base and label not in ("bicubic", f"real{suffix}"):
                    table[-1] += _differences(entries, base, camera, fresh)
            header = ["trained on", "seeds", *VALUES, *(f"difference of {n}" for n in VALUES)]
            print(f"\nTrained on {trained}, tested on {title}\n")
            rows_ = [row + [""] * (len(header) - len(row)) for row in table]
            print("\n".join(markdown_table(header, rows_)))


def _differences(
    entries: list[Mapping[str, Any]], base: list[Mapping[str, Any]], camera: str, fresh: bool
) -> list[str]:
    """Return mean differences over images to the base, with intervals of 95 %."""
    ours, theirs = (_mean_of_seeds(found, camera, fresh) for found in (entries, base))
    cells = []
    for name in VALUES:
        found = paired_bootstrap([ours[key][name] - theirs[key][name] for key in ours])
        mean, low, high = (f"{v or 0:+.{digits(name)}f}" for v in found[:3])
        cells.append(f"{mean} [{low}, {high}]")
    return cells
