"""Generator of the sample site, of the list of its pages and of the answer key, from facts/ and templates/.

Run it with `python -m tests.sample_inputs.make_site`.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import jinja2

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SAMPLES = ROOT / "sample_inputs"
ANSWERS = HERE / "answers.json"
Facts: TypeAlias = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of page from kinds.json; its facts, template and schema have the same name."""

    name: str
    address: str  # host and path of an entry's page; facts in braces are made fit for an address
    goal: str
    neighbours: int = 3  # other entries that a page links to
    encoding: str = "utf-8"  # the real one; the French shop declares iso-8859-1 instead, as many pages do


# Files that pages load, by their address.
LOADED = {
    "skyviewer.example/assets/app.js": "failing/app.js",
    "skyviewer.example/data/titan.json": "failing/titan.json",
}

ASKED = ("id", "url", "goal", "output_schema", "vars")  # the fields of a row of the demo
KEY = ("url", "result", "also", "failure", "mentions")  # the fields of the answer key


def slugify(text: str) -> str:
    """Return a text as lower-case ASCII words joined by hyphens, for an address."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")


def write_number(number: float) -> str:
    """Return a number as in prose: thousands separated, a true minus sign, no trailing zero."""
    return f"{number:,}".removesuffix(".0").replace("-", "\N{MINUS SIGN}")


FILTERS: dict[str, Callable[..., str]] = {
    "article": lambda noun: f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}",
    "day": lambda iso: f"{date.fromisoformat(iso):%-d %B %Y}",
    "feet": lambda metres: write_number(round(metres / 0.3048)),
    "kelvin": lambda celsius: write_number(round(celsius + 273.15, 2 if celsius % 1 else None)),
    "money": lambda amount: f"{amount:,.2f}",
    "number": write_number,
    "punkte": lambda number: f"{number:,}".replace(",", "."),
    "slug": slugify,
    "virgule": lambda amount: f"{amount:.2f}".replace(".", ","),
}


def make_environment() -> jinja2.Environment:
    """Return an environment whose templates escape HTML and raise for a missing fact."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters.update(FILTERS)
    return env


def read_kinds() -> list[Kind]:
    """Return the kinds of pages in the order of the demo."""
    return [Kind(**kind) for kind in json.loads((HERE / "kinds.json").read_text("utf-8"))]


def read_facts(name: str) -> list[Facts]:
    """Return the entries of one facts file; the books of a shelf are taken from the facts of books."""
    entries: list[Facts] = json.loads((HERE / "facts" / f"{name}.json").read_text("utf-8"))["entries"]
    if name == "shelf":
        books = {book["slug"]: book for book in read_facts("book")}
        return [entry | {"books": [books[slug] for slug in entry["books"]]} for entry in entries]
    return entries


def read_schema(name: str) -> Facts:
    """Return the output schema of one kind of page."""
    schema: Facts = json.loads((SAMPLES / "schemas" / f"{name}.json").read_text("utf-8"))
    return schema


def pick_answer(fact: object, schema: Facts) -> object:
    """Return the part of a fact that its schema asks for: the right answer for its page."""
    match fact:
        case dict():
            return {name: pick_answer(fact[name], part) for name, part in schema["properties"].items()}
        case list():
            return [pick_answer(each, schema["items"]) for each in fact]
        case _:
            return fact


def find_address(kind: Kind, entry: Facts) -> str:
    """Return the address of an entry's page, without the scheme."""
    return kind.address.format_map({name: slugify(str(fact)) for name, fact in entry.items()})


def render_pages(env: jinja2.Environment, kind: Kind, entries: list[Facts]) -> dict[str, bytes]:
    """Return every page of a kind, in the bytes that its host would send."""
    template = env.get_template(f"{kind.name}.html")
    pages = {}
    for index, entry in enumerate(entries):
        address = find_address(kind, entry)
        neighbours = [entries[(index + step) % len(entries)] for step in range(1, kind.neighbours + 1)]
        text = template.render(entry=entry, index=index, neighbours=neighbours, url=f"http://{address}")
        pages[f"sample_inputs/site/{address}.html"] = text.encode(kind.encoding)
    return pages


def render_failing_pages(env: jinja2.Environment, entries: list[Facts]) -> dict[str, bytes]:
    """Return the pages that have no answer; one address has no page at all."""
    books = read_facts("book")
    pages = {
        f"sample_inputs/site/{address}": (HERE / "templates" / name).read_bytes()
        for address, name in LOADED.items()
    }
    for entry in entries:
        if entry["template"] is not None:
            text = env.get_template(f"{entry['template']}.html").render(
                entry=entry.get("entry"), index=0, neighbours=books[:3], url=f"http://{entry['address']}"
            )
            pages[f"sample_inputs/site/{entry['address']}.html"] = text.encode()
    return pages


def list_rows() -> list[Facts]:
    """Return every page of the demo in order, with its request and its right answer."""
    kinds = {kind.name: kind for kind in read_kinds()}
    schemas = {name: read_schema(name) for name in kinds}
    pages: list[Facts] = [
        {
            "id": f"{kind.name}-{entry['slug']}",
            "kind": kind.name,
            "address": find_address(kind, entry),
            "result": pick_answer(entry, schemas[kind.name]),
            "also": entry.get("also"),
        }
        for kind in kinds.values()
        for entry in read_facts(kind.name)
    ]
    return [
        page
        | {
            "url": f"http://{page['address']}",
            "goal": kinds[page["kind"]].goal,
            "output_schema": schemas[page["kind"]],
            "vars": {"kind": page["kind"]},
        }
        for page in pages + read_facts("failing")
    ]


def write_list(rows: list[Facts]) -> str:
    """Return the requests for all pages, as JSON Lines."""
    return "".join(json.dumps({name: row[name] for name in ASKED}, ensure_ascii=False) + "\n" for row in rows)


def write_key(rows: list[Facts]) -> str:
    """Return the answer key as one JSON object, with one item on each line."""
    answers = [{name: row[name] for name in KEY if row.get(name)} for row in rows]
    lines = [
        f"{json.dumps(row['id'])}: {json.dumps(answer, ensure_ascii=False)}"
        for row, answer in zip(rows, answers, strict=True)
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def build() -> dict[str, bytes]:
    """Return the content of every file that this script writes, by its path in the repository."""
    env = make_environment()
    files = render_failing_pages(env, read_facts("failing"))
    for kind in read_kinds():
        files |= render_pages(env, kind, read_facts(kind.name))
    rows = list_rows()
    files["sample_inputs/pages.jsonl"] = write_list(rows).encode()
    files[ANSWERS.relative_to(ROOT).as_posix()] = write_key(rows).encode()
    return files


def main() -> None:
    """Write every file, and remove pages that are no longer made."""
    files = build()
    for path in [path for path in (SAMPLES / "site").rglob("*") if path.is_file()]:
        if path.relative_to(ROOT).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_bytes(content)
    sys.stdout.write(f"wrote {len(files) - 2} files under {SAMPLES / 'site'}\n")


if __name__ == "__main__":
    main()
