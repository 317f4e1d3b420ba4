"""Degradations that were learned from real pairs: how they copy a camera, what they are good for.

``camera_fidelity`` trains each on both cameras of the RealSR V3 crops, on Canon and on Nikon, and
compares its LR with real LR; ``camera_noise`` learns the noise that DML leaves. ``camera_claim``
trains one network at LR resolution on real pairs, on synthetic LR and on both. Tests are on the 10
test crops; what saw one camera alone is tested on the 20 training crops of the other as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runs import Run, Stage

DEGRADATION, NETWORK, NOISE_ITERATIONS = 2000, 3000, 300
"""Iterations of every degradation that is learned by gradient, of every network, of noise."""

NOISE = "learned_noise/learned_noise_dml_realsrv3crops_x4_cpu"

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
    "DML, colour": (
        "camera_dml.py",
        DEGRADATION,
        {"degradation.colour": "weights", "model.colour": "rgb"},
    ),
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


def noise_run(trained: str, seed: int) -> Run:
    """Return one training of the noise that DML leaves; its file holds both."""
    options = {
        "degradation.parts.0.checkpoint": f"{{fidelity:DML, {trained}}}",
        "train_dataloader.num_workers": 0,
        **_cameras(trained, "train_dataloader.dataset"),
    }
    stage = Stage("train", NOISE, NOISE_ITERATIONS, options)
    return Run(f"noise, {trained}", seed, (stage,), also=_elsewhere(trained))


def noise_runs(seeds: list[int]) -> list[Run]:
    """List the trainings of noise."""
    return [noise_run(trained, seed) for seed in seeds for trained in CAMERAS]


def _learned(model: str, trained: str, noise: str | None = None) -> str:
    """Return a degradation from the weights of ``camera_fidelity``, with noise after it."""
    blur = f"{{'checkpoint': '{{fidelity:{model}, {trained}}}'}}"
    return f"{{'type': 'Compose', 'parts': [{blur}, {noise}]}}" if noise else blur


def _awgn(sigma: float) -> str:
    return f"{{'type': 'AWGN', 'sigma': {sigma}}}"


def rows(trained: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield label, config and degradation of the rows that train on these cameras."""
    yield "real", "claim_real.py", {}
    yield "real + bicubic", "claim_mixed.py", {"degradation": "{'type': 'Bicubic'}"}
    quiet, loud = _learned("DML", trained, _awgn(1)), _learned("DML", trained, _awgn(5))
    learned = f"{{'checkpoint': '{{noise:{trained}}}'}}"
    yield "real + Syn-DML, learned noise", "claim_mixed.py", {"degradation": learned}
    yield "real + Syn-DML, sigma 1", "claim_mixed.py", {"degradation": quiet}
    direct = _learned("DirectNet", trained)
    yield "real + DirectNet", "claim_mixed.py", {"degradation": direct}
    quiet_direct = _learned("DirectNet", trained, _awgn(1))
    yield "real + DirectNet, sigma 1", "claim_mixed.py", {"degradation": quiet_direct}
    yield "real + BSRGAN", "claim_mixed.py", {"degradation": "{'type': 'BSRGAN'}"}
    if trained == "both":
        yield "Syn-DML, sigma 5", "claim_synthetic.py", {"degradation": loud}
        yield "Syn-DML, learned noise", "claim_synthetic.py", {"degradation": learned}


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
    files |= {
        f"noise:{trained}": work
        / "camera_noise"
        / noise_run(trained, 0).folder
        / "train"
        / "degradation.safetensors"
        for trained in CAMERAS
    }
    return {name: str(path) for name, path in files.items()}
