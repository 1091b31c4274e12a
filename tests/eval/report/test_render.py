"""The report: everything in the record is told once, escaped, and nothing that is not there."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.report.plots import as_plot, draw_confusion, draw_label_curve
from eval.report.record import Record
from eval.report.render import WIDTH, markdown, table, to_html, to_markdown, write_report
from eval.report.sections import PLACES, sections
from eval.report.tables import main_table, peer_table

EXAMPLE = Path(__file__).with_name("example_record.json")
PLANTED = "<script>alert(1)</script>"
VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """What a browser finds, and whether each tag that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.opened: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self._open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append((tag, dict(attrs)))
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append((tag, dict(attrs)))
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.opened if name == tag]


@pytest.fixture(scope="module")
def example() -> Record:
    record: Record = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    matrix = np.asarray([[545, 30], [22, 1027]])
    figure = draw_confusion(matrix, ["Access", PLANTED])
    record["plots"] = {
        "label_curve": as_plot("label_curve", "Few do.", draw_label_curve(record["label_curve"])),
        "confusion": as_plot("confusion", f"Rows & columns {PLANTED}", figure),
    }
    return record


@pytest.fixture(scope="module")
def page(example: Record) -> Page:
    return Page(to_html(example))


class TestHtml:
    def test_all_sections_stand_in_order_and_are_linked(self, page: Page) -> None:
        keys = [attrs["id"] for attrs in page.all("section")]
        assert keys == [
            "summary", "measured", "table", "stages", "promises", "in-context", "slices",
            "stress", "mistakes", "peers", "again",
        ]  # fmt: skip
        links = [attrs["href"] for attrs in page.all("a")]
        assert links == [f"#{key}" for key in keys]

    def test_nothing_is_fetched_and_nothing_is_run(self, page: Page, example: Record) -> None:
        assert not page.all("script") and not page.all("img") and not page.all("iframe")
        for _, attrs in page.opened:
            assert not any(name.startswith("on") for name in attrs)
            for name in ("src", "href", "xlink:href"):
                assert (attrs.get(name) or "#").startswith(("#", "data:,"))
        assert "@import" not in to_html(example) and "url(http" not in to_html(example)

    def test_what_stands_in_tickets_and_labels_is_text(self, page: Page) -> None:
        words = "".join(page.words)
        assert f"HR {PLANTED}" in words
        assert "Please <script>alert(2)</script> my | payroll _login_ ..." in words

    def test_it_is_read_without_eyes(self, page: Page) -> None:
        assert all(attrs.get("scope") in ("col", "row") for attrs in page.all("th"))
        for attrs in page.all("table"):
            assert attrs["aria-labelledby"] in page.ids
        for attrs in page.all("svg"):
            assert attrs["role"] == "img" and attrs["aria-label"]
        assert page.all("html")[0]["lang"] == "en" and len(page.all("h1")) == 1

    def test_ids_are_unique(self, page: Page) -> None:
        assert len(page.ids) == len(set(page.ids))

    def test_figures_are_told_as_people_read_them(self, page: Page) -> None:
        words = page.words
        assert {"0.874 (0.862–0.886)", "79 %", "12.5", "95.1 % (94.4–95.8)", "–"} <= set(words)
        assert not any("0.8737" in word or "0.789" in word for word in words)


class TestMarkdown:
    def test_each_table_has_as_many_cells_in_each_row(self, example: Record) -> None:
        lines = to_markdown(example).splitlines()
        for above, below in pairwise(lines):
            if above.startswith("|") and below.startswith("|"):
                assert _cells(above) == _cells(below)
        assert sum(line.startswith("| ---") for line in lines) == to_html(example).count("<table")

    def test_tables_are_set_apart_as_markdown_wants_it(self, example: Record) -> None:
        lines = to_markdown(example).splitlines()
        for at, line in enumerate(lines):
            if line.startswith("| ---"):
                assert lines[at - 2] == "" and lines[at + 1].startswith("|")
        assert "\n\n\n" not in to_markdown(example)

    def test_pictures_are_linked(self, example: Record) -> None:
        text = to_markdown(example)
        assert "![Queues, true against given](confusion.svg)" in text
        assert "Rows &amp; columns &lt;script&gt;" in text

    def test_no_markup_of_tickets_is_markup(self, example: Record) -> None:
        text = to_markdown(example)
        assert "<script" not in text
        assert r"my \| payroll \_login\_ ..." in text

    @given(st.text())
    def test_any_text_stays_on_its_line_and_in_its_cell(self, text: str) -> None:
        told = markdown(text)
        assert len(told.splitlines()) <= 1 and "<" not in told
        assert not re.search(r"(?<!\\)(\\\\)*\|", told)


def _cells(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line))


class TestFiles:
    def test_what_is_written(self, example: Record, tmp_path: Path) -> None:
        page = write_report(example, tmp_path / "new" / "report")
        names = {file.name for file in page.parent.iterdir()}
        assert page.name == "report.html"
        assert names == {
            "report.html", "report.md", "report.json", "confusion.svg", "label_curve.svg",
        }  # fmt: skip
        assert (page.parent / "confusion.svg").read_text().startswith("<svg")

    def test_the_record_comes_back_but_for_the_drawings(
        self, example: Record, tmp_path: Path
    ) -> None:
        write_report(example, tmp_path)
        told = json.loads((tmp_path / "report.json").read_text())
        assert told.pop("plots")["confusion"] == {
            "title": "Queues, true against given",
            "alt": f"Rows & columns {PLANTED}",
            "file": "confusion.svg",
        }
        assert told == {key: value for key, value in example.items() if key != "plots"}

    def test_the_same_record_gives_the_same_bytes(self, example: Record, tmp_path: Path) -> None:
        for folder in ("one", "two"):
            write_report(copy.deepcopy(example), tmp_path / folder)
        for file in (tmp_path / "one").iterdir():
            assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


class TestAbsence:
    def test_a_title_alone_is_a_report(self) -> None:
        assert sections({"title": "nothing"}) == []
        Page(to_html({"title": "nothing"}))
        assert to_markdown({"title": "nothing"}) == "# nothing\n"

    @pytest.mark.parametrize(
        ("part", "section"),
        [
            ("recommendation", "summary"),
            ("rows", "table"),
            ("stages", "stages"),
            ("promises", "promises"),
            ("slices", "slices"),
            ("stress", "stress"),
            ("mistakes", "mistakes"),
            ("peers", "peers"),
            ("command", "again"),
        ],
    )
    def test_a_section_without_its_part_is_left_out(
        self, example: Record, part: str, section: str
    ) -> None:
        less: Any = {key: value for key, value in example.items() if key != part}
        less |= {"plots": {}, **({"http": None} if part == "rows" else {})}
        kept: Any = {key: value for key, value in less.items() if value is not None}
        told = [its.key for its in sections(kept)]
        assert section not in told and len(told) == 10

    def test_libraries_are_told_once_where_training_and_measuring_had_the_same(self) -> None:
        versions = {"numpy": "2.4.6"}
        one: Record = {"title": "x", "machine": {"versions": versions}, "versions": versions}
        two: Record = {**one, "versions": {"numpy": "2.4.5"}}
        assert to_markdown(one).count("numpy") == 1 and "trained with" not in to_markdown(one)
        assert "2.4.6" in to_markdown(two) and "2.4.5" in to_markdown(two)

    def test_a_picture_brings_its_section(self, example: Record) -> None:
        only: Record = {"title": "x", "plots": example["plots"]}
        assert [its.key for its in sections(only)] == ["in-context", "mistakes"]

    def test_every_place_is_a_section(self, example: Record) -> None:
        assert set(PLACES.values()) <= {section.key for section in sections(example)}


class TestTable:
    def test_kinds_stand_together_stages_first(self, example: Record) -> None:
        names = [row[0] for row in main_table(example).rows]
        assert names == [
            "linear", "encoder", "cascade", "majority", "frozen embeddings",
            "LLM on every ticket, 8-shot [1]",
        ]  # fmt: skip

    def test_a_note_tells_why_a_figure_is_missing(self, example: Record) -> None:
        its = peer_table(example["peers"])
        assert its.rows[2][:2] == ["semantic-router [2]", "–"]
        assert "[2] does not install beside numpy 2" in its.notes

    def test_peers_are_told_in_multiples_of_ours(self, example: Record) -> None:
        ours, model2vec, _ = peer_table(example["peers"]).rows
        assert ours[0] == "linear" and ours.count("–") == 4
        assert model2vec[0] == "Model2Vec [1]" and "22.7 ×" in model2vec

    def test_without_a_peer_that_was_measured_the_reasons_remain(self, example: Record) -> None:
        its = peer_table({**example["peers"], "peers": example["peers"]["peers"][1:]})
        assert its.headings == ["library"] and its.rows == [["semantic-router [1]"]]
        assert "[1] does not install beside numpy 2" in its.notes

    def test_a_column_of_which_nothing_was_measured_is_left_out(self, example: Record) -> None:
        less = copy.deepcopy(example)
        for row in less["rows"]:
            row.pop("memory_mib", None)
        assert "MiB" in main_table(example).headings
        assert "MiB" not in main_table(less).headings

    def test_on_the_console_it_fits(self, example: Record) -> None:
        lines = table(example)
        assert max(map(len, lines)) <= WIDTH < 120
        assert any(line.startswith("cascade ") and "0.874 (0.862–0.886)" in line for line in lines)
        assert "[1] a model, on 300 tickets" in lines

    def test_a_long_name_is_cut_in_its_middle(self, example: Record) -> None:
        long = copy.deepcopy(example)
        long["rows"][2]["name"] = "x" * 300 + ", 8-shot"
        lines = table(long)
        assert max(map(len, lines)) <= WIDTH
        assert any(line.startswith("xxx") and "…" in line and "shot [1]" in line for line in lines)
