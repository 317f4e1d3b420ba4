"""The page in a headless Chromium: opened, clicked, dragged and steered by the keyboard."""

import pytest

from realdeg.reporting import render
from tests.reporting.browser import CHROMIUM, Browser
from tests.reporting.runs import EVIL, pictures, run

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")

KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    runs = [run(EVIL, points=60), run("two", seed=1, points=60)]
    bases = {one.label: {"seed": 9, EVIL: EVIL} for one in runs}
    text, _ = render(runs, pictures(EVIL), bases=bases, title=EVIL, limit=10**7)
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def page(browser, file):
    browser.resize(1280, 900)
    browser.open(file)
    yield browser
    assert browser.complaints() == []


def press(page, *keys):
    for key in keys:
        page.press(key, KEYS.get(key, 0), key if len(key) == 1 else "")


def focus(page, what):
    page.run(f"document.querySelector('{what}').scrollIntoView({{block: 'center'}})")
    page.run(f"document.querySelector('{what}').focus()")


def box(page, what):
    """Return left, top, width and height of an element in the window."""
    page.run(
        f"document.querySelector('{what}').scrollIntoView({{block: 'center', behavior: 'instant'}})"
    )
    return page.run(
        f"(r => [r.left, r.top, r.width, r.height])"
        f"(document.querySelector('{what}').getBoundingClientRect())"
    )


def test_it_opens_and_nothing_of_a_file_runs(page):
    assert page.run("document.title") == EVIL
    assert page.run("typeof window.hacked") == "undefined"
    assert page.run("document.querySelectorAll('.plot svg').length") == 5
    assert page.run("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
    assert page.run("document.querySelectorAll('figure.chart path.line').length") == 9


def test_the_slider_is_moved_by_keyboard_and_pointer(page):
    cut = "getComputedStyle(document.querySelector('.compare .stage')).getPropertyValue('--cut')"
    assert page.run(cut) == "50%"
    focus(page, ".compare input")
    press(page, "ArrowRight", "ArrowRight", "ArrowRight")
    assert page.run(cut) == "53%"
    press(page, "Home")
    assert page.run(cut) == "0%"
    left, top, width, height = box(page, ".compare .stage")
    page.mouse("mousePressed", left + width / 2, top + height / 2)
    page.mouse("mouseMoved", left + width * 0.8, top + height / 2)
    page.mouse("mouseReleased", left + width * 0.8, top + height / 2)
    assert page.run(cut) == "80%"
    spoken = page.run("document.querySelector('.compare input').getAttribute('aria-valuetext')")
    assert spoken == f"80 % bicubic, 20 % {EVIL}"


def test_other_versions_and_other_images_are_compared(page):
    page.run(
        "(list => { list.value = 'HR'; list.dispatchEvent(new Event('change')); })"
        "(document.querySelector('.compare select'))"
    )
    same = "document.querySelector('.stage img').src === document.querySelector('.layer img').src"
    assert page.run(same)
    assert page.run("document.querySelector('.stage .left').textContent") == "HR"
    assert page.run("[...document.querySelectorAll('.shot')].map(one => one.hidden)") == [
        False,
        True,
    ]
    page.run("document.querySelectorAll('.picks button')[1].click()")
    assert page.run("[...document.querySelectorAll('.shot')].map(one => one.hidden)") == [
        True,
        False,
    ]


def test_the_magnifier_shows_every_version(page):
    button = "[...document.querySelectorAll('button')].find(one => one.textContent === 'Magnifier')"
    page.run(f"{button}.click()")
    assert page.run("document.querySelectorAll('.shot:not([hidden]) .layer canvas').length") == 4
    assert page.run("document.activeElement.className") == "stage"
    pixels = "document.querySelector('.layer canvas').toDataURL()"
    before = page.run(pixels)
    press(page, "ArrowRight", "ArrowDown", "ArrowDown")
    assert page.run(pixels) != before
    page.run(f"{button}.click()")
    assert page.run("document.querySelectorAll('.layer canvas').length") == 0


def test_values_of_a_curve_are_read_and_zoomed_by_keyboard_and_pointer(page):
    text = "document.querySelector('.plot').getAttribute('aria-valuetext')"
    focus(page, ".plot")
    press(page, "Home")
    assert page.run(text) == f"iteration 1: {EVIL} 1 · two 1"
    press(page, "ArrowRight")
    assert page.run(text) == f"iteration 2: {EVIL} 0.5 · two 0.5"
    assert page.run("document.querySelector('.reading').textContent") == page.run(text)
    path = "document.querySelector('.plot path').getAttribute('d')"
    whole = page.run(path)
    press(page, "+")
    assert page.run(path) != whole
    press(page, "0")
    assert page.run(path) == whole
    left, top, width, height = box(page, ".plot")
    page.mouse("mousePressed", left + width * 0.5, top + height / 2)
    page.mouse("mouseMoved", left + width * 0.7, top + height / 2)
    page.mouse("mouseReleased", left + width * 0.7, top + height / 2)
    assert page.run(path) != whole
    page.run("document.querySelector('.key input').click()")
    assert page.run("document.querySelectorAll('.plot')[0].querySelectorAll('path').length") == 1
    assert page.run(text).startswith("iteration ") and EVIL not in page.run(text)


def test_kernels_follow_pointer_and_keyboard(page):
    words = "document.querySelector('.kernels .reading').textContent"
    assert page.run(words).startswith("Cell 2 of 3 down, 2 of 3 across")
    left, top, width, height = box(page, ".kernels .stage")
    page.mouse("mouseMoved", left + width * 0.9, top + height * 0.1)
    assert page.run(words).startswith("Cell 1 of 3 down, 3 of 3 across")
    focus(page, ".kernels .stage")
    press(page, "ArrowDown", "ArrowDown", "ArrowDown", "ArrowLeft")
    assert page.run(words).startswith("Cell 3 of 3 down, 2 of 3 across")
    assert page.run("document.querySelectorAll('.models canvas').length") == 2
    # A positive and a negative kernel differ in colour, and neither is blank.
    first, second = page.run(
        "[...document.querySelectorAll('.models canvas')].map(c => c.toDataURL())"
    )
    assert first != second
    assert page.run("document.querySelectorAll('.kernel canvas').length") == 2


def test_a_table_is_copied_and_saved(page):
    page.run(
        "window.held = []; document.addEventListener('copy', event =>"
        " held.push(document.activeElement.value)); navigator.clipboard.writeText = async text =>"
        " { held.push(text); }"
    )
    page.run(
        "document.querySelector('[data-table=runs][data-kind=latex][data-action=copy]').click()"
    )
    assert page.run("held[0]").startswith("\\begin{table}")
    page.run(
        "HTMLAnchorElement.prototype.click = function () { held.push([this.download, this.href]); }"
    )
    page.run("document.querySelector('[data-table=runs][data-kind=csv][data-action=save]').click()")
    name, address = page.run("held[1]")
    assert name == "runs.csv" and address.startswith("blob:")
    assert page.run("document.getElementById('status').textContent") == "saved runs.csv"


def test_light_and_dark(page):
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.run(colour)
    page.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    dark = page.run(colour)
    assert dark != light
    press_theme = "document.getElementById('theme').click()"
    page.run(press_theme)
    assert page.run(colour) == light
    page.run(press_theme)
    assert page.run(colour) == dark
    page.run(press_theme)
    page.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}]
    )
    assert page.run(colour) == light


def test_it_fits_a_telephone(page):
    page.resize(390, 800)
    assert page.run("document.documentElement.scrollWidth") == 390


def test_paper_gets_everything(page):
    page.run("window.dispatchEvent(new Event('beforeprint'))")
    page.call("Emulation.setEmulatedMedia", media="print")
    shown = "[...document.querySelectorAll('{}')].map(one => one.getClientRects().length > 0)"
    assert all(page.run(shown.format("table"))) and all(page.run(shown.format(".layer img")))
    assert not any(page.run(shown.format("nav, button, .compare")))
    page.call("Emulation.setEmulatedMedia", media="")
    page.run("window.dispatchEvent(new Event('afterprint'))")
    assert page.run("document.querySelectorAll('details[open]').length") == 0
