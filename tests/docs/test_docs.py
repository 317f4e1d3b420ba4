"""Run the documentation: what a reader copies has to work."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import sys
from pathlib import Path
from unittest import mock

import pytest

from realdeg.cli.main import COMMANDS
from realdeg.config import list_configs
from realdeg.registry import BACKBONES, DATASETS, DEGRADATIONS, LOSSES
from tests.cli.recipe_runs import make_data
from tests.degradations.conftest import can_be_built
from tests.docs.blocks import NOTES, blocks_of, inline_of, prose_of, words_of
from tests.docs.parse import RECIPE, ROOT, parse_command
from tests.docs.run import Page
from tests.docs.stage import prepare, set_up

PAGES = sorted(
    str(page.relative_to(ROOT))
    for page in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("projects/*/README.md"),
    )
)
# Commands of these are parsed by tests/config/test_metafiles.py; none is run.
METHODS = sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("configs/*/README.md"))
QUICK = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
WITH_SPANDREL = ("docs/community.md", "docs/backbones_speed.md")
REGISTRIES = (BACKBONES, DATASETS, DEGRADATIONS, LOSSES)
# Its page is written by a program, which knows of no notes.
GENERATED = "docs/gallery.md"


def runs(page: str) -> bool:
    """Whether a page has anything to run."""
    return any("skip" not in block.notes for block in blocks_of(ROOT / page, page))


def marked(page: str) -> object:
    slow = () if page in QUICK else pytest.mark.slow
    return pytest.param(page, marks=slow, id=page)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Two tiny pictures wherever a recipe looks for data."""
    root = tmp_path_factory.mktemp("data")
    make_data(root)
    return root


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """An own current folder with the pictures that the pages name."""
    set_up(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with mock.patch.dict(os.environ):
        yield tmp_path
    forget(tmp_path)


def forget(folder: Path) -> None:
    """Undo what a page's own modules registered: another page may have the same names."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]
            for registry in REGISTRIES:
                for key, item in list(registry.module_dict.items()):
                    if getattr(item, "__module__", None) == name:
                        del registry.module_dict[key]


@pytest.mark.parametrize("page", [marked(page) for page in PAGES if runs(page)])
def test_page(page, stage, capfd, request):
    if page not in QUICK:
        (stage / "data").mkdir()
        for place in request.getfixturevalue("data").iterdir():
            (stage / "data" / place.name).symlink_to(place)
    if page in WITH_SPANDREL:
        pytest.importorskip("spandrel", reason="spandrel cannot be imported", exc_type=Exception)
    run = Page(stage, capfd, prepare(page, stage))
    for block in blocks_of(ROOT / page, page):
        with run.at(block):
            run.block(block)
    run.unused_files()
    if page == GENERATED:
        check_gallery(stage / page)


def check_gallery(made: Path) -> None:
    """The page is what the command on it writes, but for what somebody has to learn first."""
    kept = sections((ROOT / GENERATED).read_text(encoding="utf-8"))
    found = sections(made.read_text(encoding="utf-8"))
    for learned in ("DML", "DSGAN"):
        kept.pop(learned)
    if not can_be_built("VideoCodec"):
        kept.pop("video_codec")
    # Other tests of this process may have registered degradations of their own.
    lacking = set(kept.pop("Not shown").splitlines()) - set(found.pop("Not shown").splitlines())
    assert not lacking
    foreign = {key for key, item in DEGRADATIONS.module_dict.items() if not ours(item)}
    assert {name: text for name, text in found.items() if name not in foreign} == kept


def ours(item: type) -> bool:
    return item.__module__.partition(".")[0] == "realdeg"


def sections(text: str) -> dict[str, str]:
    """Return the parts of a page by their headings."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[::2], strict=True))


@pytest.mark.parametrize("page", [*PAGES, *METHODS])
def test_every_block_is_checked(page):
    """No block slips through: what is not run, read or compared says why."""
    for block in blocks_of(ROOT / page, page):
        assert set(block.notes) <= set(NOTES), f"{block.place}: {block.notes}"
        for word in ("skip", "parse", "offline", "output", "unlike"):
            assert block.notes.get(word) != "", f"{block.place}: {word} says no reason"
        if {"skip", "output", "config"} & set(block.notes) or block.file:
            continue
        if block.language == "python":
            assert not is_data(block.text), f"{block.place}: a part of which recipe? (config)"
        elif block.language not in ("toml", "json"):
            assert block.language in ("", "bash"), f"{block.place}: {block.language}"
            known = block.commands() or "printed" in block.notes or page == GENERATED
            assert known, f"{block.place}: no command, and no output either"
    indented = re.findall(r"^    \$.*", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert not indented, f"{page}: commands stand between fences: {indented}"


def is_data(text: str) -> bool:
    """Whether Python does nothing but assign dicts and constants, as configs do."""
    called = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    plain = all(isinstance(func, ast.Name) and func.id in ("dict", "list") for func in called)
    return plain and all(isinstance(node, ast.Assign) for node in ast.parse(text).body)


@pytest.mark.parametrize("page", [*PAGES, *METHODS])
def test_prose(page, tmp_path, monkeypatch):
    """Commands in a sentence are understood, and every recipe and every link exists."""
    monkeypatch.chdir(tmp_path)
    recipes = list_configs()
    families = {name.partition("/")[0] for name in recipes}
    for text in inline_of(ROOT / page):
        words = words_of(text)
        if words and words[0] in ("realdeg", "python", "torchrun", "make", "pip"):
            with placed(page, text):
                if "|" in text:
                    assert set(re.split(r"[| ]+", text)[1:]) <= set(COMMANDS)
                else:
                    parse_command(words)
        elif text.partition("/")[0] in families:
            for name in filter(RECIPE.fullmatch, each_of(text)):
                assert name in recipes, f"{page}: no recipe {name}"
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(ROOT / page)):
        if not re.match(r"[a-z]+:", target):
            check_link(page, target)


@contextlib.contextmanager
def placed(page: str, text: str):
    try:
        yield
    except BaseException as error:
        pytest.fail(f"{page}: `{text}`: {type(error).__name__}: {error}")


def each_of(text: str) -> list[str]:
    """Return the names that ``dsgan_realsr_x{2,3,4}`` stands for."""
    listed = re.search(r"\{([\w,]+)\}", text)
    if listed is None:
        return [text]
    both = text[: listed.start()], text[listed.end() :]
    return [name for part in listed[1].split(",") for name in each_of(part.join(both))]


def check_link(page: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (ROOT / page).parent / path if path else ROOT / page
    assert file.exists(), f"{page}: nothing at {target}"
    if anchor and file.suffix == ".md":
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {slug(heading) for heading in headings}, f"{page}: no heading {target}"


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
