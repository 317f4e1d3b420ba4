"""Comparisons of runs against numbers that are computed here by other means."""

import csv
import io
import json
import shutil
import statistics

import pytest

from realdeg import compare_runs
from realdeg.cli.main import main
from realdeg.errors import ConfigError, DataError
from realdeg.runs import find_runs, group_runs, read_run
from tests.runs.written import write_run, write_test

IMAGES = [f"image{number}" for number in range(8)]


def values(start, step):
    return {key: start + step * number for number, key in enumerate(IMAGES)}


@pytest.fixture
def runs(tmp_path):
    """Two networks, three seeds each."""
    for name, depth, gain in (("small", 3, 0.0), ("large", 9, 0.5)):
        for seed in range(3):
            folder = write_run(tmp_path / f"{name}_seed{seed}", seed, backbone={"depth": depth})
            write_test(folder, values(30 + gain + 0.1 * seed, 0.2 + 0.01 * gain))
    return tmp_path


def test_a_run_given_twice(runs):
    with pytest.raises(DataError, match="given twice"):
        compare_runs([runs / "small_seed0", runs / "." / "small_seed0"])


def ordered(runs):
    return sorted(find_runs(runs), key=lambda folder: folder.name, reverse=True)


def test_numbers(runs):
    found = compare_runs(ordered(runs), draws=2000)
    (table,) = found.tables
    assert table.images == 8 and table.scores == ("psnr[rgb]",)
    means = [statistics.fmean(values(30 + 0.1 * seed, 0.2).values()) for seed in range(3)]
    small = table.means["small"]["psnr[rgb]"]
    assert small.mean == pytest.approx(statistics.fmean(means))
    assert small.spread == pytest.approx(statistics.stdev(means)) and small.runs == 3
    (difference,) = table.differences
    assert (difference.baseline, difference.model) == ("small", "large")
    own = [0.5 + 0.005 * number for number in range(8)]
    interval = difference.interval
    assert interval.mean == pytest.approx(statistics.fmean(own))
    large = table.means["large"]["psnr[rgb]"]
    assert interval.mean == pytest.approx(large.mean - small.mean)
    assert min(own) <= interval.low < interval.mean < interval.high <= max(own)
    assert (interval.images, difference.higher, difference.left_out) == (8, 8, 0)


def test_tiles_count_as_in_the_report(tmp_path):
    """The mean over tiles differs from that over images, and so does the difference."""
    tiles = {key: 1 + 5 * (number == 0) for number, key in enumerate(IMAGES)}
    for name, step in (("a", 0.0), ("b", 0.1)):
        write_test(write_run(tmp_path / name, depth=step), values(30, step), samples=tiles)
    (table,) = compare_runs([tmp_path / "a", tmp_path / "b"]).tables
    expected = sum(0.1 * number for number in range(8)) / 13
    assert table.differences[0].interval.mean == pytest.approx(expected)
    assert table.means["b"]["psnr[rgb]"].mean == pytest.approx(30 + expected)


def test_a_score_that_is_no_mean_over_images_has_no_interval(tmp_path):
    for name in ("a", "b"):
        folder = write_test(write_run(tmp_path / name, name=name), values(30, 0.1))
        file = folder / "test" / "report.json"
        data = json.loads(file.read_text())
        data["mean"]["psnr[rgb]"] = 12.0
        file.write_text(json.dumps(data))
    (table,) = compare_runs([tmp_path / "a", tmp_path / "b"]).tables
    assert table.differences[0].interval is None
    assert "n/a" in compare_runs([tmp_path / "a", tmp_path / "b"]).to_markdown()


def test_infinite_values_are_left_out_and_counted(tmp_path):
    write_test(write_run(tmp_path / "a", depth=1), values(30, 0.1))
    write_test(write_run(tmp_path / "b", depth=2), {**values(31, 0.1), "image0": float("inf")})
    found = compare_runs([tmp_path / "a", tmp_path / "b"])
    difference = found.tables[0].differences[0]
    assert difference.interval.mean == pytest.approx(1.0)
    assert (difference.interval.images, difference.left_out, difference.higher) == (7, 1, 8)
    assert found.to_dict()["tables"][0]["means"]["b"]["psnr[rgb]"]["mean"] == "inf"
    json.dumps(found.to_dict(), allow_nan=False)


def test_same_images_and_same_protocol_only(tmp_path):
    a = write_test(write_run(tmp_path / "a", depth=1), values(30, 0.1))
    b = write_test(write_run(tmp_path / "b", depth=2), values(30, 0.1), protocol="benchmark-y")
    with pytest.raises(DataError, match=r"no score on the same test images(.|\n)*benchmark-y"):
        compare_runs([a, b])
    other = write_test(write_run(tmp_path / "c", depth=3), values(30, 0.1), dataset="Another")
    with pytest.raises(DataError, match="Another"):
        compare_runs([a, other])
    found = compare_runs([a, write_test(write_run(tmp_path / "d", depth=4), values(1, 1)), other])
    assert any("not every run of c was tested on Set test" in note for note in found.notes)


def test_one_name_for_two_protocols_is_refused(tmp_path):
    for name, border in (("a", 4), ("b", 8)):
        protocol = dict(base="rgb", border=border, name="mine")
        write_test(write_run(tmp_path / name, depth=border), values(30, 0.1), protocol=protocol)
    with pytest.raises(DataError, match="'mine' has border = 4 in .*a.* and 8 in"):
        compare_runs([tmp_path / "a", tmp_path / "b"])


def test_protocol_chooses_among_those_that_were_measured(runs):
    for folder in find_runs(runs):
        write_test(folder / "more", values(20, 0.1), protocol="benchmark-y")
    both = compare_runs(ordered(runs))
    assert both.tables[0].scores == ("psnr[rgb]", "psnr[benchmark-y]")
    assert set(both.protocols) == {"rgb", "benchmark-y"}
    one = compare_runs(ordered(runs), protocol="benchmark-y")
    assert one.tables[0].scores == ("psnr[benchmark-y]",)
    assert "scale px shaved" in one.protocols["benchmark-y"]
    with pytest.raises(ConfigError, match="Did you mean 'benchmark-y'"):
        compare_runs(ordered(runs), protocol="benchmarky")
    with pytest.raises(DataError, match="of the protocol 'lapsrn'"):
        compare_runs(ordered(runs), protocol="lapsrn")


def test_unfinished_runs_and_tests_are_named(tmp_path):
    a = write_test(write_run(tmp_path / "a", done=4), values(30, 0.1))
    b = write_test(write_run(tmp_path / "b", depth=2), values(30, 0.1))
    write_test(b / "more", values(30, 0.1), protocol="benchmark-y")
    file = b / "more" / "test" / "report.json"
    data = {**json.loads(file.read_text()), "complete": False, "unfinished": "3 of 8 images."}
    file.write_text(json.dumps(data))
    notes = " ".join(compare_runs([a, b]).notes)
    assert "not finished: 4 of 10 iterations" in notes
    assert "incomplete: 3 of 8 images" in notes


def test_groups_are_what_differs_in_the_seed_alone(runs):
    records = [read_run(folder) for folder in find_runs(runs)]
    groups = group_runs(records)
    assert [(group.label, group.seeds) for group in groups] == [
        ("large", "0, 1, 2"),
        ("small", "0, 1, 2"),
    ]
    (one,) = group_runs(records, ["all"] * len(records))
    assert one.label == "all" and len(one.runs) == 6


def test_equal_names_are_told_apart_by_their_parents(tmp_path):
    folders = [
        write_test(write_run(tmp_path / parent / "run", depth=depth), values(30, 0.1))
        for depth, parent in enumerate(("one", "two"))
    ]
    labels = [group.label for group in compare_runs(folders).groups]
    assert labels == ["one/run", "two/run"]


def test_a_sweep_of_seeds_alone_goes_by_its_folder(tmp_path):
    for name, depth in (("small", 1), ("large", 2)):
        for seed in (0, 1):
            folder = write_run(tmp_path / name / f"seed={seed}", seed, depth=depth)
            write_test(folder, values(30, 0.1))
    labels = [g.label for g in compare_runs([tmp_path / "large", tmp_path / "small"]).groups]
    assert labels == ["large", "small"]


def test_names_that_differ_in_the_seed_alone_keep_it(tmp_path):
    """Their configs differ as well, so they are two rows."""
    for seed in (0, 1):
        folder = write_run(tmp_path / f"net_seed{seed}", seed, depth=seed)
        write_test(folder, values(30, 0.1))
    labels = [g.label for g in compare_runs([tmp_path]).groups]
    assert labels == ["net_seed0", "net_seed1"]


def test_weights_tested_without_a_training_are_never_seeds(runs, tmp_path):
    """The config of a test does not say which weights it was given."""
    for name in ("first", "second"):
        shutil.copytree(runs / "small_seed0" / "test", tmp_path / "t" / name / "test")
        shutil.copy(runs / "small_seed0" / "config.yaml", tmp_path / "t" / name / "test")
    assert len(compare_runs([tmp_path / "t"]).groups) == 2


def test_every_format_says_the_same(runs, tmp_path, capsys):
    words = ["compare", *map(str, ordered(runs)), "--draws", "500"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "| small | 3 | 30.80 ± 0.10 |" in shown
    assert "paired bootstrap over the n images (500 resamples, seed 0)" in shown
    assert main([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    stated = data["tables"][0]["differences"][0]
    assert main([*words, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["model"] for row in rows] == ["small", "large"]
    assert float(rows[1]["low"]) == stated["low"] and rows[0]["low"] == ""
    assert float(rows[0]["spread"]) == data["tables"][0]["means"]["small"]["psnr[rgb]"]["spread"]
    assert main([*words, "-o", str(tmp_path / "out.tex")]) == 0
    text = (tmp_path / "out.tex").read_text()
    assert r"small & 3 & 30.80 $\pm$ 0.10 \\" in text and r"95\% interval" in text


def test_what_files_say_stays_text(tmp_path, capsys):
    images = {f"i{number}": 30.0 + number for number in range(6)}
    write_run(tmp_path / "a", recipe="x\n\\input{secret}")
    write_test(tmp_path / "a", images, dataset="Set \x1b[31m|\n| test")
    assert main(["compare", str(tmp_path / "a"), "--format", "latex"]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text and "\n\\input" not in text and "% **a**: x \\input{secret}" in text
    assert main(["compare", str(tmp_path / "a")]) == 0
    assert "\x1b" not in capsys.readouterr().out
    write_test(write_run(tmp_path / "b", seed=1, x=1), images)
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_csv_tells_lr_images_apart(tmp_path):
    images = {f"i{number}": 30.0 + number for number in range(6)}
    for name, lr in (("one", "SRMD of HR"), ("two", "BSRGAN of HR")):
        work = write_test(tmp_path / "a" / name, images)
        report = work / "test/report.json"
        data = json.loads(report.read_text())
        data["facts"]["LR"] = lr
        report.write_text(json.dumps(data))
    write_run(tmp_path / "a")
    rows = csv.DictReader(io.StringIO(compare_runs([tmp_path / "a"]).to_csv()))
    assert [row["test_images"] for row in rows] == [
        "Set test; LR SRMD of HR",
        "Set test; LR BSRGAN of HR",
    ]


def test_names_and_pairs_on_the_command_line(runs, capsys):
    words = [f"net {folder.name[-1]}={folder}" for folder in ordered(runs)]
    assert main(["compare", *words, "--all-pairs", "--draws", "100", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [group["label"] for group in data["groups"]] == ["net 2", "net 1", "net 0"]
    assert [(d["baseline"], d["model"]) for d in data["tables"][0]["differences"]] == [
        ("net 2", "net 1"),
        ("net 2", "net 0"),
        ("net 1", "net 0"),
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["{here}/nothing"], "does not exist"),
        (["{here}/empty"], "neither a run's folder nor holds any"),
        (["{here}/component.safetensors"], "it is a file"),
        (["{here}/small_seed0", "--draws", "0"], "1 to 1,000,000"),
    ],
)
def test_bad_input(runs, capsys, words, says):
    (runs / "empty").mkdir()
    (runs / "component.safetensors").write_bytes(b"weights are no finished run")
    assert main(["compare", *(word.format(here=runs) for word in words)]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("error:") == 1
