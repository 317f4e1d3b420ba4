"""Write the golden values of the code that this runs under: ``python -m tests.golden.make``.

Written once, by the commit before a redesign; ``test_golden.py`` holds the code after it to them.
The last bits depend on the processor: ``sha``, ``corner`` and the like were written anew on
another one by d58a145, whose values agreed with the first ones within 1e-5.
What a later change alters on purpose is written anew by name: ``python -m tests.golden.make
--only backbones RCAN``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch

from tests.golden import compute

HERE = Path(__file__).resolve().parent / "values"
RUNS = {
    "dml": (
        "dml/dml_n8_realsrv3_x4_cpu",
        {"degradation.width": 4, "degradation.levels": 1, "degradation.num_kernels": 3},
    ),
    "vdsr": ("vdsr/vdsr_t91_x4_cpu", {"backbone.depth": 4, "backbone.width": 6}),
    "espcn": ("espcn/espcn_t91_x3_cpu", {"backbone.features": 8}),
}
ITERATIONS = {"train_cfg.max_iters": 4, "default_hooks.checkpoint.interval": 2}


def write(name: str, values: Any) -> None:
    HERE.mkdir(exist_ok=True)
    text = json.dumps(values, indent=0, sort_keys=True, ensure_ascii=False)
    (HERE / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{name}: {(HERE / f'{name}.json.gz').stat().st_size:,} bytes")


def read(name: str) -> Any:
    return json.loads(gzip.decompress((HERE / f"{name}.json.gz").read_bytes()))


def make_degradations() -> dict[str, Any]:
    hr = compute.image(3, 48, 48)
    return {
        f"{name} same_size={grid}": compute.degradation_record(
            compute.make_degradation(name, grid), hr
        )
        for name in compute.degradation_names()
        for grid in (False, True)
    }


def make_presets() -> dict[str, Any]:
    from realdeg import create_degradation

    found = {}
    hr = compute.image(3, 72, 72)
    for name, said in compute.preset_degradations():
        torch.manual_seed(0)
        try:
            made = create_degradation(said, scale=4, same_size=False).eval()
        except Exception as error:  # pools, whose folder is not here
            print(f"  left out {name}: {error!r:.100}")
            continue
        if made.fitting is not None:
            continue  # random weights of the paper's size: the examples stand for them
        found[name] = {"said": said, **compute.degradation_record(made, hr)}
    return found


def make_backbones() -> dict[str, Any]:
    found = {}
    for name in compute.backbone_names():
        try:
            network = compute.make_backbone(name)
        except Exception as error:  # spandrel is not installed everywhere
            print(f"  left out {name}: {error!r:.100}")
            continue
        found[name] = compute.backbone_record(network)
    return found


def make_recipes() -> dict[str, Any]:
    from realdeg.config import list_configs

    return {name: compute.resolved_recipe(name) for name in list_configs()}


def make_runs() -> dict[str, Any]:
    found = {}
    for short, (name, options) in RUNS.items():
        with tempfile.TemporaryDirectory() as folder:
            compute.train(folder, name, {**options, **ITERATIONS})
            keep = HERE / short
            shutil.rmtree(keep, ignore_errors=True)
            keep.mkdir(parents=True)
            for file in ("config.yaml", "iter_2.pth"):
                shutil.copy(Path(folder) / file, keep / file)
            (component,) = Path(folder).glob("*.safetensors")
            shutil.copy(component, keep / component.name)
            text = (keep / "config.yaml").read_text()
            (keep / "config.yaml").write_text(text.replace(folder, "."))
            found[short] = {"recipe": name, "component": component.name}
    return found


PUBLISHED = [
    *(("CARNM", "carn_m.pth", scale) for scale in (2, 3, 4)),
    *(("FSRCNN", f"fsrcnn_x{scale}.pth", scale) for scale in (2, 3, 4)),
]


def make_published() -> dict[str, Any]:
    data = Path(os.environ["REALDEG_TEST_DATA"])
    return {
        f"{kind} {file} x{scale}": compute.published_record(data, kind, file, scale)
        for kind, file, scale in PUBLISHED
    }


PARTS = {
    "published": make_published,
    "degradations": make_degradations,
    "presets": make_presets,
    "backbones": make_backbones,
    "recipes": make_recipes,
    "runs": make_runs,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--only", nargs="+", default=(), help="keys to write anew in one part")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for part in args.parts or PARTS:
        values = PARTS[part]()
        if args.only:
            values = read(part) | {key: values[key] for key in args.only}
        write(part, values)
    write("build", compute.build())


if __name__ == "__main__":
    main()
