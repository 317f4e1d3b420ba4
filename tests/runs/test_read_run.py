"""What a run's folder says is read back, however far the run came."""

import json
import os
import shutil

import pytest

from realdeg.cli.main import main
from realdeg.errors import ConfigError, DataError
from realdeg.runs import is_run, read_run
from tests.runs.written import write_run

NAME = "vdsr/vdsr_ntire19_real_x4_cpu"
TINY = (
    "backbone.depth=3",
    "backbone.width=4",
    "train_dataloader.batch_size=1",
    "patch_size=32",
    "default_hooks.alignment=None",
)


def train(folder, iterations, *more):
    """Train for some iterations with a checkpoint and a validation after every second one."""
    words = ("train", NAME, "--sample", "--device", "cpu", "--work-dir", str(folder), *more)
    schedule = (
        f"train_cfg.max_iters={iterations}",
        "train_cfg.val_interval=2",
        "default_hooks.checkpoint.interval=2",
        "default_hooks.logger.interval=1",
    )
    assert main([*words, "--cfg-options", *TINY, *schedule]) == 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of four iterations, tested."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    train(folder, 4, "--seed", "7")
    assert main(["test", str(folder), "--device", "cpu", "--no-pictures"]) == 0
    return folder


def changed_report(folder, **changes):
    file = folder / "test" / "report.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.fixture
def copy(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "copy")


def test_a_whole_run(trained):
    run = read_run(trained)
    assert (run.label, run.recipe, run.seed, run.sample) == ("first", NAME, 7, True)
    assert (run.iterations, run.planned, run.finished) == (4, 4, True)
    assert run.training["loss"].iterations == (1, 2, 3, 4)
    assert {"lr", "time", "data_time"} <= set(run.training)
    validated = run.validation["psnr[realsr-official]"]
    assert validated.iterations == (2, 4)
    (report,) = run.reports
    assert report.complete and report.sample
    # The weights are those of the last validation.
    assert report.mean["psnr[realsr-official]"] == validated.last
    assert report.protocols["realsr-official"]["border"] == 0
    assert [image.key for image in report.images] == [
        "sample/camera",
        "sample/coffee",
        "sample/mosaic",
    ]
    assert run.environment["device"] == "cpu" and "torch" in run.environment
    assert [file.name for file in run.weights] == ["backbone.safetensors"]
    assert 0 <= run.seconds < 600
    assert run.config["backbone"]["width"] == 4


def test_a_continued_run_counts_the_later_session(copy):
    """A session that logged more than it saved is overtaken by the one that repeats it."""
    (session,) = copy.glob("2*_*")
    old = session.rename(copy / "20200101_000000")
    lines = [
        {"train/loss": 9.0, "step": 3},
        {"train/loss": 9.0, "step": 5},
        {"val/psnr[realsr-official]": 1.0, "step": 6},
    ]
    with (old / "vis_data" / "scalars.json").open("a") as stream:
        stream.writelines(json.dumps(line) + "\n" for line in lines)
    train(copy, 6, "--seed", "7", "--resume")
    run = read_run(copy)
    assert len(run.sessions) == 2 and run.iterations == 6 and run.finished
    loss = run.training["loss"]
    assert loss.iterations == (1, 2, 3, 4, 5, 6)
    assert loss.values[2] == 9.0  # iteration 3 was not repeated
    assert loss.values[4] != 9.0
    assert run.validation["psnr[realsr-official]"].values[2] != 1.0


def test_a_run_that_began_again_is_not_finished(copy):
    """The checkpoint of the former training is still there."""
    session = copy / "20990101_000000" / "vis_data"
    session.mkdir(parents=True)
    (session / "scalars.json").write_text('{"train/loss": 2.0, "step": 1}\n{"train/lo')
    run = read_run(copy)
    assert run.training["loss"].values == (2.0,)
    assert not run.validation and not run.finished


def test_an_interrupted_test_is_incomplete(copy):
    file = copy / "test" / "report.json"
    data = json.loads(file.read_text())
    data.update(complete=False, unfinished="1 of 3 images")
    data["mean"]["psnr[realsr-official]"] = "inf"
    file.write_text(json.dumps(data))
    (report,) = read_run(copy).reports
    assert not report.complete and report.unfinished == "1 of 3 images"
    assert report.mean["psnr[realsr-official]"] == float("inf")


def test_a_test_alone_is_a_run(trained, tmp_path):
    shutil.copytree(trained / "test", tmp_path / "bicubic" / "test")
    for folder in (tmp_path / "bicubic", tmp_path / "bicubic" / "test"):
        run = read_run(folder)
        assert run.label == "bicubic" and len(run.reports) == 1
        assert not run.sessions and not run.curves and not run.finished
        assert run.environment["device"] == "cpu"


def test_tests_of_other_work_dirs_inside(trained, copy):
    shutil.copytree(trained / "test", copy / "city100" / "test")
    (copy / "report.json").write_text('{"format": "another-1"}')
    assert [report.file.parent for report in read_run(copy).reports] == [
        copy / "test",
        copy / "city100" / "test",
    ]


def test_pictures_are_the_run_s_own(copy, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"not yours")
    os.symlink(secret, copy / "linked.png")
    (copy / "test" / "comparison.png").write_bytes(b"")
    expected = (copy / "curves.png", copy / "test" / "comparison.png")
    assert read_run(copy).pictures == expected


@pytest.mark.parametrize(
    ("prepare", "error", "says"),
    [
        (lambda f: shutil.rmtree(f), DataError, "it does not exist"),
        (lambda f: (shutil.rmtree(f), f.write_text("")), DataError, "it is a file"),
        (lambda f: (shutil.rmtree(f), f.mkdir()), DataError, "not a run's folder"),
        (lambda f: [shutil.rmtree(p) for p in f.iterdir() if p.is_dir()], DataError, "no training"),
        (lambda f: ((f / "config.yaml").unlink(), shutil.rmtree(f / "test")), DataError, "config"),
        (lambda f: (f / "config.yaml").write_text("a: !!python/x"), ConfigError, "tag"),
        (lambda f: (f / "test" / "report.json").write_text("{"), DataError, "damaged"),
        (
            lambda f: (f / "test" / "report.json").write_text('{"format": "realdeg-report-1"}'),
            DataError,
            "Test the run again",
        ),
        (
            lambda f: next(f.glob("2*/vis_data/scalars.json")).write_text('x\n{"step": 1}\n'),
            DataError,
            "line 1 of",
        ),
        (
            lambda f: next(f.glob("2*/vis_data/scalars.json")).write_text('{"step": true}\n'),
            DataError,
            "no iteration",
        ),
        (
            lambda f: changed_report(f, mean={"psnr[rgb]": 10**400}),
            DataError,
            "Test the run again",
        ),
    ],
)
def test_what_is_no_run_is_refused(copy, prepare, error, says):
    prepare(copy)
    with pytest.raises(error, match=says):
        read_run(copy)


def test_numbers_and_schedules_that_no_run_writes(tmp_path):
    folder = write_run(tmp_path / "run", train_cfg=[1])
    scalars = next(folder.glob("2*/vis_data/scalars.json"))
    scalars.write_text(f'{{"step": 1, "train/loss": {10**400}}}\n{{"step": 2, "train/loss": 3}}\n')
    found = read_run(folder)
    assert found.planned is None and found.training["loss"].values == (3.0,)


def test_is_run(trained, tmp_path):
    assert is_run(trained) and not is_run(tmp_path) and not is_run(tmp_path / "none")
