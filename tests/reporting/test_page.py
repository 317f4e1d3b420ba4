"""The page as text: what it holds, that it is whole, and that nothing in a file becomes markup."""

import base64
import csv
import hashlib
import io
import json
import re
import statistics
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from realdeg.reporting import Pictures, render
from realdeg.reporting.charts import MOST_POINTS, thinned
from realdeg.reporting.encoding import Budget, packed
from realdeg.reporting.sections import difference_table, score_tables
from realdeg.reporting.tables import DataTable
from realdeg.runs import Curve
from realdeg.utils.html import data_block, tag
from tests.reporting.runs import EVIL, noise, pictures, report, run


class Parsed(HTMLParser):
    """All elements with their attributes, the text of scripts and styles, and all other text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.inside, self.raw, self.words, self.open = [], [], {}, [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in ("meta", "img", "input", "br", "col"):
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, text):
        if self.open and self.open[-1] in ("script", "style"):
            self.raw.setdefault(self.open[-1], []).append(text)
        else:
            self.words.append(text)

    def all(self, name):
        return [attributes for found, attributes in self.elements if found == name]


def page(runs, shown=None, limit=10**7, bases=None):
    made = {one.label: "none." for one in runs} if bases is None else bases
    shown = Pictures() if shown is None else shown
    return render(runs, shown, bases=made, title=runs[0].label, limit=limit)


@pytest.fixture(scope="module")
def evil():
    runs = [
        run(
            EVIL,
            seed=0,
            reports=(report(0, EVIL),),
            config={"seed": 0, EVIL: [EVIL]},
            recipe=EVIL,
            environment={EVIL: EVIL},
        ),
        run("=cmd()", seed=1),
    ]
    text, _ = page(runs, pictures(EVIL), bases={EVIL: {EVIL: 1}, "=cmd()": EVIL})
    return text, Parsed(text)


def test_nothing_in_a_file_becomes_markup(evil):
    text, parsed = evil
    assert not parsed.open
    assert len(parsed.all("script")) == 2
    assert all(
        address["src"].startswith("data:image/webp;base64,") for address in parsed.all("img")
    )
    assert not [key for _, found in parsed.elements for key in found if key.startswith("on")]
    assert not [found for _, found in parsed.elements if "style" in found]
    assert "".join(parsed.words).count(EVIL) > 10
    assert text.count("<script") == 2


def test_only_the_own_script_and_style_may_run(evil):
    _, parsed = evil
    (policy,) = (m["content"] for m in parsed.all("meta") if m.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy and "http" not in policy
    for kind, text in (("script", parsed.raw["script"][-1]), ("style", parsed.raw["style"][0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    addresses = [value for _, found in parsed.elements for k, value in found.items() if k == "href"]
    assert all(address.startswith("#") for address in addresses)
    assert not re.search(r"@import|url\(\s*['\"]?http|fetch\(|XMLHttp", parsed.raw["style"][0])


def test_a_reader_without_eyes_finds_everything(evil):
    _, parsed = evil
    ids = Counter(found["id"] for _, found in parsed.elements if "id" in found)
    assert set(ids.values()) == {1}
    assert {link["href"][1:] for link in parsed.all("a")} <= set(ids)
    assert all(picture["alt"] for picture in parsed.all("img"))
    assert all(button["type"] == "button" for button in parsed.all("button"))
    levels = [int(name[1]) for name, _ in parsed.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(
        below - above <= 1 or above == 2 for above, below in zip(levels, levels[1:], strict=False)
    )
    assert all(head.get("scope") for head in parsed.all("th"))
    assert len(parsed.all("caption")) == len(parsed.all("table"))


def test_the_data_of_scripts_are_read_back(evil):
    _, parsed = evil
    data = json.loads(parsed.raw["script"][0])
    assert data["charts"][0]["series"][0]["name"] == EVIL
    assert [chart["title"] for chart in data["charts"][:4]] == [
        *("loss", "learning rate", "time per iteration", "psnr[y]"),
    ]
    rows = list(csv.reader(io.StringIO(data["tables"]["runs"]["csv"])))
    assert [row[0] for row in rows] == ["run", EVIL, "'=cmd()"]


def test_the_size_that_is_stated_is_that_of_the_page(evil):
    text, parsed = evil
    words = "".join(parsed.words)
    stated = re.search(r"This page is +([\d,]+) kB", words)
    assert int(stated[1].replace(",", "")) == round(len(text.encode()) / 1000)


def test_the_same_runs_give_the_same_page():
    runs = [run()]
    assert page(runs, pictures())[0] == page(runs, pictures())[0]


def test_what_is_missing_is_said_in_a_sentence():
    bare = run(curves={}, reports=(), sessions=(), environment={}, iterations=0, finished=False)
    words = "".join(Parsed(page([bare])[0]).words)
    for sentence in (
        "No curves of the training: no run has logged an iteration.",
        "No validation: no run has measured validation images yet.",
        "No test yet: run `realdeg test` on the folder of a run.",
        "No images: the page was made without them (--images 0).",
        "Nothing is known of the environment: the runs have no log.",
        "No difference of plain to its recipe: none.",
    ):
        assert sentence in words
    words = "".join(Parsed(page([run(finished=False, sample=True)])[0]).words)
    assert "Not finished when this page was made: plain." in words
    assert "Sample run: plain." in words


def test_spread_over_seeds_and_difference():
    seeds = [run(f"x_seed{seed}", seed=seed, folder=Path(f"x_seed{seed}")) for seed in range(3)]
    other = run("y", 5, folder=Path("y"), config={"seed": 5, "model": {"type": "U"}})
    tables = json.loads(Parsed(page([*seeds, other])[0]).raw["script"][0])["tables"]
    rows = list(csv.reader(io.StringIO(tables["seeds-0"]["csv"])))
    spread = statistics.stdev([30.0, 31.0, 32.0])
    assert rows[1][:3] == ["x", "3", f"31.00 ± {spread:.2f}"]
    assert rows[2][:3] == ["y", "1", "35.00"]
    rows = list(csv.reader(io.StringIO(tables["differences-0"]["csv"])))
    assert rows[1][:3] == ["y - x", "psnr[y]", "+4.00"]
    # Another config is no other seed.
    tables = json.loads(Parsed(page([seeds[0], other])[0]).raw["script"][0])["tables"]
    assert "seeds-0" not in tables and "differences-0" in tables
    words = "".join(Parsed(page([seeds[0]])[0]).words)
    assert "No spread over seeds and no difference: one run alone has neither." in words
    apart = run("z", folder=Path("z"), reports=())
    assert "Nothing to compare: " in "".join(Parsed(page([seeds[0], apart])[0]).words)


def test_the_best_score_is_emphasised_and_an_incomplete_test_is_named():
    text, _ = page([run("a", 0), run("b", 1), run("c", 2, reports=(report(2, complete=False),))])
    assert '<td class="number best">31.00</td>' in text
    # A mean over the images so far may be of the easy ones.
    assert "c (incomplete)" in text and '<td class="number">32.00</td>' in text


def test_scores_on_other_images_are_not_compared():
    made = replace(report(1), facts={"LR": "SRMD of HR"})
    tables = score_tables([run("a", 0), run("b", 1, reports=(made,))])
    assert [table.caption for table in tables] == [
        "y, mean over three pairs",
        "y, mean over three pairs; LR SRMD of HR",
    ]
    assert [row[0] for table in tables for row in table.rows] == ["a", "b"]
    (table,) = score_tables([run("a", 0), run("b", 1, reports=(report(1, name="other"),))])
    assert len(table.rows) == 2 and not table.best


def test_another_test_of_the_same_weights_has_a_row_of_its_own():
    twice = (report(0), replace(report(1), title="t, self-ensemble"))
    (table,) = score_tables([run("a", 0, reports=twice)])
    assert [row[:2] for row in table.rows] == [["a", "30.00"], ["a: t, self-ensemble", "31.00"]]
    assert table.best == {(1, 1), (1, 2)}


def test_pictures_of_the_same_bytes_and_another_shape_differ():
    budget = Budget(1 << 20)
    flat = np.zeros((8, 16, 3), np.uint8)
    assert budget.picture(flat) != budget.picture(flat.reshape(16, 8, 3))
    assert budget.picture(flat) == budget.picture(flat.copy())


def test_curves_are_thinned_without_losing_a_spike():
    values = [1.0] * 50_000
    values[31_234], values[77] = 9.0, -3.0
    steps, kept = thinned(Curve(tuple(range(1, 50_001)), tuple(values)))
    assert len(steps) <= MOST_POINTS
    assert (steps[kept.index(9.0)], steps[kept.index(-3.0)]) == (31_235, 78)
    assert steps == sorted(steps) and (steps[0], steps[-1]) == (1, 50_000)
    text, _ = page([run(points=5000)])
    assert "5000 points, thinned to 1000" in text and len(text) < 600_000


def test_pictures_stay_within_the_limit():
    lossless = Budget(10**6)
    assert lossless.picture(noise(64)) == lossless.picture(noise(64))
    once = lossless.used
    assert (lossless.lossy, lossless.left_out) == (0, 0)
    tight = Budget(round(once * 1.1))
    assert tight.picture(noise(64)) is not None and tight.lossy == 1
    small = Budget(100)
    assert small.picture(noise(64)) is None and (small.left_out, small.lossy) == (1, 0)
    text, budget = page([run()], pictures(), limit=3000)
    assert budget.used <= 3000 and budget.left_out
    assert "limit of pictures is reached." in text


def test_lossless_pictures_are_exact(tmp_path):
    from PIL import Image

    source = Budget(10**6).picture(noise(32))
    raw = base64.b64decode(source.partition(",")[2])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(raw))), noise(32))
    file = tmp_path / "x.png"
    file.write_bytes(b"<svg onload=alert(1)>")
    assert Budget(10**6).file(file) is None


def test_kernels_are_rounded_below_what_a_picture_shows():
    kernels = np.random.default_rng(0).normal(size=(4, 7, 7))
    kernels[3] = 0
    found = packed(kernels, 4)
    levels = np.frombuffer(base64.b64decode(found["values"]), np.int8).reshape(4, 7, 7)
    peaks = np.array(found["peaks"])[:, None, None]
    assert np.all(np.abs(levels / 127 * peaks - kernels) <= peaks / 127 * 0.501)
    assert (found["size"], found["rest"]) == (7, 0.5)


def test_tables_for_other_programs():
    table = DataTable("t", "c_d", ["a_b", "n"], [["50 % & more", "-1.5"], ['say "x", y', "=1"]])
    assert list(csv.reader(io.StringIO(table.csv()))) == [
        *(["a_b", "n"], ["50 % & more", "-1.5"], ['say "x", y', "'=1"]),
    ]
    lines = [line.strip() for line in table.latex().splitlines()]
    assert r"\caption{c\_d}" in lines and r"\toprule" in lines
    assert r"50 \% \& more & -1.5 \\" in lines


def test_difference_of_configs():
    one = {"a": 1, "b": {"c": [1, 2], "d": None}, "e": [{"type": "x"}], "recipe": "r"}
    two = {"a": 1, "b": {"c": [1, 3], "d": None}, "e": [{"type": "y"}], "f": True}
    table = difference_table("d", "c", {"one": one, "two": two})
    assert table.rows == [
        ["b.c", "[1, 2]", "[1, 3]"],
        ["e.0.type", "x", "y"],
        ["f", "–", "true"],
    ]
    assert difference_table("d", "c", {"one": one, "two": one}) is None


def test_markup_is_escaped_by_construction():
    assert tag("p", "<b>", tag("i", "&"), None, class_='"', hidden=True, x=False) == (
        '<p class="&quot;" hidden>&lt;b&gt;<i>&amp;</i></p>'
    )
    block = data_block({"a": "</script>&\u2028"}, "d")
    assert "</script>" not in block[: -len("</script>")] and "\u2028" not in block
    with pytest.raises(ValueError):
        data_block({"a": float("nan")}, "d")
