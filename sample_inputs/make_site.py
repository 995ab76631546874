"""Make the sample site, the list of what is asked of its pages and the key to the answers, from facts/."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import jinja2

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
Facts: TypeAlias = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of page; its facts, its template and the schema of what is asked share its name."""

    name: str
    address: str  # host and path of an entry's page; facts in braces are made fit for an address
    goal: str
    neighbours: int = 3  # further entries that a page links to
    encoding: str = "utf-8"


KINDS = (
    Kind(
        name="book",
        address="bookshop.example/books/{slug}",
        goal="Read the book's title, author, year of first publication, present price in pounds, whether it "
        "is in stock, and its number of pages.",
    ),
    Kind(
        name="element",
        address="elements.example/{slug}",
        goal="Read the element's name, symbol, atomic number, standard atomic weight, melting point in "
        "degrees Celsius, category, and who discovered it in which year. "
        "Use null for what the page does not say.",
    ),
    Kind(
        name="city",
        address="cities.example/{country}/{slug}",
        goal="Read the city's name, country, population, elevation in metres, time zone and the year it was "
        "founded. Use null for what the page does not say.",
    ),
)

ASKED = ("id", "url", "goal", "output_schema", "vars")  # what a row of the demo holds
KEY = ("url", "result", "failure", "mentions")  # what the answer key knows of it


def slugify(text: str) -> str:
    """Make a text fit for an address: lower-case ASCII words joined by hyphens."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")


def write_number(number: float) -> str:
    """Write a number as prose does: thousands separated, a true minus, no trailing zero."""
    return f"{number:,}".removesuffix(".0").replace("-", "\N{MINUS SIGN}")


FILTERS: dict[str, Callable[..., str]] = {
    "article": lambda noun: f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}",
    "feet": lambda metres: write_number(round(metres / 0.3048)),
    "kelvin": lambda celsius: write_number(round(celsius + 273.15, 2 if celsius % 1 else None)),
    "money": lambda amount: f"{amount:,.2f}",
    "number": write_number,
    "slug": slugify,
}


def make_environment() -> jinja2.Environment:
    """Load templates that escape for HTML and take a missing fact for an error."""
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


def read_facts(name: str) -> list[Facts]:
    """Read the entries of one facts file."""
    entries: list[Facts] = json.loads((HERE / "facts" / f"{name}.json").read_text("utf-8"))["entries"]
    return entries


def read_schema(name: str) -> Facts:
    """Read what is asked of pages of one kind."""
    schema: Facts = json.loads((HERE / "schemas" / f"{name}.json").read_text("utf-8"))
    return schema


def pick_answer(fact: object, schema: Facts) -> object:
    """Keep the part of a fact that its schema asks for: what a reader of the page should return."""
    match fact:
        case dict():
            return {name: pick_answer(fact[name], part) for name, part in schema["properties"].items()}
        case list():
            return [pick_answer(each, schema["items"]) for each in fact]
        case _:
            return fact


def find_address(kind: Kind, entry: Facts) -> str:
    """Say where an entry's page stands, without the scheme."""
    return kind.address.format_map({name: slugify(str(fact)) for name, fact in entry.items()})


def render_page(env: jinja2.Environment, kind: Kind, entries: list[Facts], index: int) -> bytes:
    """Render one page, in the bytes its host would send."""
    entry = entries[index]
    neighbours = [entries[(index + step) % len(entries)] for step in range(1, kind.neighbours + 1)]
    text = env.get_template(f"{kind.name}.html").render(
        entry=entry, index=index, neighbours=neighbours, url=f"http://{find_address(kind, entry)}"
    )
    return text.encode(kind.encoding)


def list_rows() -> list[Facts]:
    """List every page of the demo in order: what is asked of it, and what should come of it."""
    rows = []
    for kind in KINDS:
        schema = read_schema(kind.name)
        rows += [
            {
                "id": f"{kind.name}-{entry['slug']}",
                "url": f"http://{find_address(kind, entry)}",
                "goal": kind.goal,
                "output_schema": schema,
                "vars": {"kind": kind.name},
                "result": pick_answer(entry, schema),
            }
            for entry in read_facts(kind.name)
        ]
    return rows


def write_list(rows: list[Facts]) -> str:
    """Write what is asked of each page, one JSON object a line."""
    return "".join(json.dumps({name: row[name] for name in ASKED}, ensure_ascii=False) + "\n" for row in rows)


def write_key(rows: list[Facts]) -> str:
    """Write what should come of each item as one JSON object, an item a line."""
    answers = [{name: row[name] for name in KEY if name in row} for row in rows]
    lines = [
        f"{json.dumps(row['id'])}: {json.dumps(answer, ensure_ascii=False)}"
        for row, answer in zip(rows, answers, strict=True)
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def build() -> dict[str, bytes]:
    """Make every file that this script answers for, by its path below sample_inputs/."""
    env = make_environment()
    files = {}
    for kind in KINDS:
        entries = read_facts(kind.name)
        for index, entry in enumerate(entries):
            files[f"site/{find_address(kind, entry)}.html"] = render_page(env, kind, entries, index)
    rows = list_rows()
    files["pages.jsonl"] = write_list(rows).encode()
    files["facts/answers.json"] = write_key(rows).encode()
    return files


def main() -> None:
    """Write every file, and remove pages that nothing makes any more."""
    files = build()
    for path in [path for path in (HERE / "site").rglob("*") if path.is_file()]:
        if path.relative_to(HERE).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        (HERE / name).parent.mkdir(parents=True, exist_ok=True)
        (HERE / name).write_bytes(content)
    sys.stdout.write(f"wrote {sum(name.startswith('site/') for name in files)} files under {HERE / 'site'}\n")


if __name__ == "__main__":
    main()
