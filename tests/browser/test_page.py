"""The page in headless Chromium: nothing fails, nothing is fetched, and all that moves does what it says."""

import base64
import importlib.resources
import json

import pandas as pd
import pytest

TROUBLE = {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"}


def put_pointer(page, selector, across, up):
    """Move the pointer to a part of an element's width and height; return how wide the element is."""
    page.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center', behavior: 'instant'}})")
    box = page.run(f"JSON.parse(JSON.stringify(document.querySelector({json.dumps(selector)}).getBoundingClientRect()))")
    page.move(box["x"] + across * box["width"], box["y"] + up * box["height"])
    return box["width"]


def count_pixels(page):
    """Return how many pixels of the canvas are drawn on."""
    return page.run(
        """(() => {
            const canvas = document.querySelector('.space canvas');
            const bytes = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            return bytes.filter((byte, place) => place % 4 === 3 && byte > 0).length;
        })()"""
    )


def test_the_page_loads_without_error_and_without_the_network(page, page_path):
    assert [event for event in page.events if event["method"] in TROUBLE] == []
    asked = [event["params"]["request"]["url"] for event in page.events if event["method"] == "Network.requestWillBeSent"]
    assert {address for address in asked if not address.startswith("data:")} == {page_path.resolve().as_uri()}
    assert page.run("document.title")


def test_links_of_the_contents_lead_to_their_sections(page):
    links = page.run("[...document.querySelectorAll('nav li a')].map((a) => decodeURIComponent(a.hash.slice(1)))")
    assert len(links) > 25
    assert page.run(f"{json.dumps(links)}.every((id) => document.getElementById(id))")
    page.run("[...document.querySelectorAll('nav li a')].find((a) => a.hash === '#fit.longley').click()")
    page.wait("Math.abs(document.getElementById('fit.longley').getBoundingClientRect().top) < 200")
    page.wait("document.querySelector('nav [aria-current]')?.hash === '#fit.longley'")


def test_entries_far_away_are_not_rendered_until_they_are_reached(page):
    # What keeps a page of 200 figures fast. Lazy images would be faster still, but paper would lack them: printing does not wait.
    shown = "document.querySelector(\"[id='fit.longley'] .drawing\").checkVisibility({contentVisibilityAuto: true})"
    page.run("scrollTo({top: 0, behavior: 'instant'})")
    page.wait(f"!{shown}")
    page.run("location.hash = '#fit.longley'")
    page.wait(shown)
    assert page.run("document.querySelectorAll('section.entry figure').length == document.querySelectorAll('figure').length")
    assert page.run("document.querySelectorAll('img[loading=lazy]').length") == 0


def test_a_search_keeps_the_entries_that_have_all_its_words(page):
    def look_for(text):
        page.run(f"document.querySelector('#search input').value = {json.dumps(text)}")
        page.run("document.querySelector('#search input').dispatchEvent(new Event('input'))")
        return page.run("[...document.querySelectorAll('section.entry')].filter((s) => !s.hidden).map((s) => s.id)")

    everything = look_for("")
    assert len(everything) > 20
    assert look_for("LSODA") == ["simulate.stiff"]
    assert page.run("document.getElementById('search-result').textContent") == f"1 of {len(everything)}"
    assert page.run("[...document.querySelectorAll('.card')].filter((c) => !c.hidden).length") == 1
    assert "fit.longley" in look_for("totemp gnp")
    assert look_for("no entry has this word") == []
    assert look_for("") == everything


def test_a_table_sorts_by_value_both_ways(page, page_path):
    rho = pd.read_parquet(page_path.parents[1] / "simulate/many/members.parquet")["lyapunov_3"]
    script = """(() => {
        const table = document.querySelector("[id='simulate.many'] table");
        const heads = [...table.tHead.rows[0].cells];
        const column = heads.findIndex((head) => head.textContent === 'lyapunov_3');
        const read = (cell) => Number((cell.querySelector('[title]')?.title ?? cell.textContent).replace('−', '-'));
        const click = () => {
            heads[column].querySelector('button').click();
            return [...table.tBodies[0].rows].map((row) => read(row.cells[column]));
        };
        return [click(), click(), heads[column].getAttribute('aria-sort')];
    })()"""
    up, down, state = page.run(script)
    assert up == sorted(rho) == down[::-1]
    assert state == "descending"


def test_the_page_turns_dark_and_light_again(page):
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.run(colour)
    page.run("document.getElementById('theme').click()")
    dark = page.run(colour)
    assert sum(map(int, light[4:-1].split(", "))) > 700
    assert sum(map(int, dark[4:-1].split(", "))) < 100
    page.run("document.getElementById('theme').click()")
    assert page.run(colour) == light


def test_a_dark_system_has_a_dark_page(page):
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert sum(map(int, page.run("getComputedStyle(document.body).backgroundColor")[4:-1].split(", "))) < 100


def test_curves_in_space_turn_by_keys_and_by_hand(page):
    page.run("document.querySelector(\"[id='simulate.pair'] .turn\").click()")
    page.wait("document.querySelector('.space canvas')?.width > 300")
    page.wait("document.activeElement.tagName === 'CANVAS'")
    page.run("new Promise(requestAnimationFrame).then(() => new Promise(requestAnimationFrame))")
    first = page.run("document.querySelector('.space canvas').toDataURL()")
    assert count_pixels(page) > 1_000
    page.press("ArrowRight")
    page.wait(f"document.querySelector('.space canvas').toDataURL() !== {json.dumps(first)}")
    page.press("ArrowLeft")
    page.wait(f"document.querySelector('.space canvas').toDataURL() === {json.dumps(first)}")


def test_values_are_read_off_under_the_pointer(page, page_path):
    selector = "[id='figure.simulate-many-lyapunov_spectrum'] .drawing"
    left, _, width, _ = page.run(
        "JSON.parse(document.querySelector(\"[id='figure.simulate-many-lyapunov_spectrum'] script.view\").textContent).box"
    )
    put_pointer(page, selector, left + width, 0.5)  # the right end
    members = pd.read_parquet(page_path.parents[1] / "simulate/many/members.parquet").sort_values("rho")
    lines = page.run(f"[...document.querySelectorAll({json.dumps(selector + ' .reading div')})].map((line) => line.textContent)")
    assert lines[0] == "rho = 30"
    assert float(lines[1].removeprefix("λ1 = ").replace("−", "-")) == pytest.approx(members["lyapunov_1"].iloc[-1], rel=1e-4)
    page.run(f"document.querySelector({json.dumps(selector)}).focus()")
    page.press("ArrowLeft")
    first = page.run(f"document.querySelector({json.dumps(selector + ' .reading div')}).textContent")
    assert float(first.removeprefix("rho = ")) == pytest.approx(members["rho"].iloc[-2], rel=1e-4)


def test_cells_of_a_map_are_read_off(page, page_path):
    selector = "[id='figure.simulate-plane2-parameter_map'] .drawing"
    view = page.run("JSON.parse(document.querySelector(\"[id='figure.simulate-plane2-parameter_map'] script.view\").textContent)")
    left, top, width, height = view["box"]
    put_pointer(page, selector, left + 0.75 * width, top + 0.25 * height)  # the upper right quarter of a map of 2 x 2
    lines = page.run(f"[...document.querySelectorAll({json.dumps(selector + ' .reading div')})].map((line) => line.textContent)")
    members = pd.read_parquet(page_path.parents[1] / "simulate/plane2/members.parquet")
    row = members.sort_values(view["names"][:2]).iloc[-1]
    assert lines[:2] == [f"{name} = {row[name]:g}" for name in view["names"][:2]]
    assert float(lines[2].split(" = ")[1].replace("−", "-")) == pytest.approx(row["lyapunov_1"], rel=1e-4)


def test_a_phone_has_the_whole_width_and_no_more(page):
    page.resize(375, 800, scale=2)
    page.wait("innerWidth === 375")
    assert page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_paper_has_every_figure_and_no_buttons(page):
    pdf = base64.b64decode(page.call("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF")
    page.call("Emulation.setEmulatedMedia", media="print")
    shown = page.run("[...document.querySelectorAll('figure .drawing > :is(svg, img)')].map((d) => d.getBoundingClientRect().height)")
    assert len(shown) == page.run("document.querySelectorAll('figure').length") > 20
    assert min(shown) > 50
    assert page.run("[...document.querySelectorAll('nav, .turn')].every((e) => getComputedStyle(e).display === 'none')")
    pictures = page.run("document.querySelectorAll('figure .drawing > img').length")
    assert pdf.count(b"/Subtype /Image") >= pictures


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, scheme):
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    page.run(importlib.resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8") + "; 0")
    page.run("document.querySelectorAll('details').forEach((part) => (part.open = true))")
    found = page.run("axe.run({exclude: [['.drawing svg']]}, {resultTypes: ['violations']}).then((r) => JSON.stringify(r.violations))")
    serious = [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in json.loads(found) if rule["impact"] in ("serious", "critical")]
    assert serious == []
