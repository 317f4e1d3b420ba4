"""What a user's program may look like: every public name of realdeg, each with its types.

``test_user_program.py`` has mypy check it strictly, as a checker or an editor would.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import assert_type

import realdeg
from realdeg.backbones import Backbone
from realdeg.degradations import Degradation


def learn(folder: Path) -> Path:
    run = realdeg.train(
        "dml/dml_n8_realsr_x4", sample=True, seed=3, work_dir=folder, resume=True, scale=4
    )
    assert_type(run, realdeg.TrainingResult)
    report = realdeg.test(folder, options={"test_cfg": {}}, pictures=False)
    assert_type(report, realdeg.Report)
    assert_type(report.averages, dict[str, float])
    assert_type(report.files, list[Path])
    for number in run.weights:
        print(number.name, run.iterations)
    return run.work_dir


def look(weights: Path, folder: Path) -> None:
    browsed = realdeg.browse("vdsr/vdsr_realsr_x4", folder / "sheet.png", count=2, sample=True)
    assert_type(browsed, realdeg.SampleSheet)
    seen = realdeg.preview(weights, "sample/coffee", folder / "preview.png", seed=1)
    assert_type(seen, realdeg.Preview)
    print(browsed.path, [sample.in_words() for sample in seen.samples])
    comparison = realdeg.compare_degradations(
        {"learned": weights, "bicubic": "Bicubic"}, "dml/dml_n8_realsr_x4", out=folder
    )
    assert_type(comparison, realdeg.Comparison)
    print("\n".join(comparison.table()))


def compare(folder: Path) -> None:
    swept = realdeg.sweep("vdsr/vdsr_realsr_x4", seeds=[0, 1], grid={"backbone.depth": [8, 20]})
    assert_type(swept, realdeg.SweepResult)
    print([run.folder.name for run in swept.failed])
    record = realdeg.read_run(folder)
    assert_type(record, realdeg.RunRecord)
    print(record.seed, record.training["loss"].last)
    compared = realdeg.compare_runs({"mine": folder}, protocol="rgb", test=True)
    assert_type(compared, realdeg.RunComparison)
    print(compared.to_markdown(), compared.write("table.tex"))
    page = realdeg.write_report([folder, "other"], "report.html", labels=["mine", "other"])
    assert_type(page, realdeg.RunReport)
    print(page.path, page.size, page.left_out)


def own_camera() -> None:
    camera = realdeg.fit_camera("pairs", "my_camera", time="10m")
    assert_type(camera, realdeg.FittedCamera)
    print(camera.describe(), camera.psnr["DML"])
    tuned = realdeg.finetune(
        "FSRCNN", camera=camera.folder, hr="photos", pairs=("hr", "lr"), out="my_network"
    )
    assert_type(tuned, realdeg.FinetunedNetwork)
    print(tuned.after["psnr"] - tuned.before["psnr"])
    pushed = realdeg.push_to_hub(camera.folder, "me/my-camera", private=True, licence="mit")
    assert_type(pushed, realdeg.PushedWeights)
    print(pushed.describe(), pushed.commit)


def make_images(weights: Path) -> realdeg.Summary:
    summary = realdeg.degrade(weights, "hr", "lr", jobs=2, progress=False)
    blind = realdeg.make_test_set("DIV2KRK", "hr", "set", scale=2, position="half-pixel")
    assert_type(blind, realdeg.BlindSet)
    found = realdeg.estimate_degradation(["a.png", "lr"], scale=2, estimator="KernelGAN")
    assert_type(found, list[realdeg.PhotoEstimate])
    made = realdeg.super_resolve("work_dirs/vdsr", "lr", "sr", tile=512)
    assert_type(made, realdeg.Summary | realdeg.UpscaledImage)
    if isinstance(made, realdeg.UpscaledImage):
        print(made.output_size)
    return summary


def arrays(image: NDArray[np.uint8]) -> None:
    degrader = realdeg.Degrader("AWGN", scale=2)
    assert_type(degrader, realdeg.Degrader)
    lr, trace = degrader.degrade(image, seed=1)
    assert_type(trace, realdeg.Trace)
    realdeg.write_image("lr.png", lr)
    resolver = realdeg.SuperResolver("backbone.safetensors", tile="auto")
    print(resolver.upscale(realdeg.read_image("lr.png")).shape)


def tensors() -> torch.Tensor:
    degradation = realdeg.create_degradation("AWGN", 2, sigma=5)
    assert_type(degradation, Degradation)
    backbone = realdeg.create_backbone({"type": "VDSR"}, scale=2, weights="vdsr.pth", trained=True)
    assert_type(backbone, Backbone)
    lr = degradation(torch.rand(1, 3, 8, 8), seeds=[1])
    return lr


def weights_of_others() -> None:
    converted = realdeg.convert_weights("x4.mat", "lapsrn.safetensors", "LapSRN", scale=4)
    assert_type(converted, realdeg.ConvertedWeights)
    exported = realdeg.export_backbone(converted.path, "lapsrn.onnx", size=(64, 64))
    assert_type(exported, realdeg.ExportedFile)
    print(exported.sha256, [entry.name for entry in realdeg.list_pretrained("LapSRN")])


def between_networks() -> None:
    made = realdeg.interpolate_networks("l1", "gan", "net.safetensors", alpha=[0, 0.5, 1])
    assert_type(made, realdeg.Interpolation)
    print(made.distance.cosine, made.distance.related)
    curve = realdeg.trace_trade_off(made.networks, "mine.py", ("psnr", "ssim"), plot="curve.png")
    assert_type(curve, realdeg.TradeOff)
    print("\n".join(curve.table()))


def own_photos() -> None:
    pairs = realdeg.register_photos("wide", "tele", "pairs", geometry="scaled")
    assert_type(pairs, realdeg.RegisteredPairs)
    again, options = realdeg.read_registration(pairs.folder)
    worst: list[realdeg.RegisteredPair] = [*again.rejected, *again.accepted]
    print([pair.name for pair in worst], options)
    found = realdeg.doctor(pairs.folder, pairs=None, picture="worst.png")
    assert_type(found, realdeg.Diagnosis)
    findings: tuple[realdeg.Finding, ...] = found.of("error")
    print([finding.advice for finding in findings])
    realdeg.open_studio(port=7870)


def pools() -> None:
    methods: list[
        realdeg.PairKernels | realdeg.PhotoKernels | realdeg.FieldKernels | realdeg.NoisePatches
    ] = [
        realdeg.PairKernels("hr", "lr", scale=2),
        realdeg.PhotoKernels("photos", scale=2),
        realdeg.FieldKernels("photos", "estimator.safetensors", scale=2),
        realdeg.NoisePatches("photos", criteria="realsr"),
    ]
    for number, method in enumerate(methods):
        found = realdeg.extract_pools(method, f"{number}.safetensors", limit=100)
        assert_type(found, realdeg.ExtractedPool)
        print(found.pool.describe(), dict(found.failed))


def named_cameras() -> list[str]:
    names: list[str] = realdeg.list_cameras()
    camera = realdeg.load_camera(names[0], noise=False)
    assert_type(camera, Degradation)
    print(camera.describe())
    return names


def published(folder: Path) -> None:
    table = realdeg.reproduce("table1", data=folder, seeds=(0,), plan=True)
    assert_type(table, realdeg.Reproduction)
    print(table.title, table.files)
    scores = realdeg.score_folders("sr", "hr", protocol="rgb", scale=4)
    assert_type(scores, realdeg.Report)


def large_sets(photos: Path, folder: Path) -> bool:
    job = realdeg.degrade_dataset("BSRGAN", photos, folder, to="tar", variants=2, shard=(0, 4))
    assert_type(job, realdeg.DatasetSummary)
    if not job.missing:
        print(realdeg.merge_dataset(folder).manifest)
    check = realdeg.verify_dataset(folder, replay=3)
    assert_type(check, realdeg.DatasetCheck)
    return check.ok


def listed() -> list[str]:
    assert_type(realdeg.list_configs(), list[str])
    cfg = realdeg.load_config(realdeg.list_configs()[0])
    return [
        str(cfg.filename),
        *realdeg.list_backbones(),
        *realdeg.list_datasets(),
        *realdeg.list_degradations(),
        *realdeg.list_discriminators(),
        *realdeg.list_estimators(),
        *realdeg.list_hooks(),
        *realdeg.list_losses(),
        *realdeg.list_metrics(),
        *realdeg.list_tasks(),
        *realdeg.list_transforms(),
        *realdeg.list_zero_shot(),
    ]


def main() -> int:
    print(realdeg.__version__, len(listed()))
    try:
        folder = learn(Path("work_dirs/dml"))
        look(folder / "degradation.safetensors", folder)
    except (realdeg.ConfigError, realdeg.GeometryError) as error:
        print(f"the recipe: {error}")
    except (realdeg.DataError, realdeg.CheckpointError, realdeg.OutputError) as error:
        print(f"a file: {error}")
    except (realdeg.TrainingError, realdeg.MemoryShortageError) as error:
        print(f"the run: {error}")
    except realdeg.RealdegError as error:
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
