"""What README and docs say is so: their commands run, their links lead somewhere, what they name exists."""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path

import pytest

from batchfish.cli.commands import COMMANDS
from batchfish.cli.exits import SIGNAL_BASE, ExitCode
from batchfish.cli.options import Messages
from batchfish.cli.parser import arguments_of
from batchfish.localagent.serve_settings import ENGINES
from batchfish.localagent.simulation.parameters import Simulation
from batchfish.manifest.load import load_manifest
from batchfish.manifest.request import REQUEST_FIELDS
from batchfish.manifest.rule_sections import RULE_KEYS
from batchfish.table.columns import LEADING, RAW, RECORD_INDEX, TRAILING
from tests import forking

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
FOLDERS = [ROOT / "jobs" / "README.md", ROOT / "sample_inputs" / "README.md"]
PAGES = [README, *DOCS, *FOLDERS, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
AGENT = "http://127.0.0.1:8765"

BLOCK = re.compile(r"(?P<skip><!-- not run: [^>]+ -->\n)?```(?P<language>\w*)\n(?P<text>.*?)```", re.DOTALL)
FILE_NAME = re.compile(r"`([\w-]+\.(?:csv|yaml))`")
EXPECTED = re.compile(r"\s+# exit code (\d+)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
CODE = re.compile(r"`([^`\n]+)`")
# Flags of other programs that these pages name.
FOREIGN = {"--user"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One fenced block of a page; `named` is the file last named before it, with its own ending."""

    language: str
    text: str
    is_run: bool
    named: str | None


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            language=found["language"],
            text=found["text"],
            is_run=found["skip"] is None,
            named=next(
                (
                    name
                    for name in reversed(FILE_NAME.findall(text[: found.start()]))
                    if name.endswith(found["language"] or "?")
                ),
                None,
            ),
        )
        for found in BLOCK.finditer(text)
    ]


def prose_of(page: Path) -> str:
    return BLOCK.sub("", page.read_text(encoding="utf-8"))


def commands_of(block: Block) -> list[tuple[str, int]]:
    """Give the commands of a block, each with the exit code that its comment announces."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [
        (EXPECTED.split(line)[0], int(found[1]) if (found := EXPECTED.search(line)) else 0)
        for line in lines
        if line.strip()
    ]


def environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Give a folder with what a clone has, as far as the README's commands need it."""
    for name in ("sample_inputs", "jobs"):
        ignored = shutil.ignore_patterns(".batchfish", "results")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    return tmp_path


def type_in(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command; `batchfish` is forked instead of started, which takes most of the time of many."""
    program, *arguments = command
    process = forking.start(
        [sys.executable, "-m", program, *arguments] if program == "batchfish" else command,
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = process.communicate(timeout=240)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def words_of(line: str) -> list[str]:
    """Return the words of a line that is typed; a shell takes it where it has more than words."""
    return ["bash", "-c", line] if set(line) & set("|&;<>$`*?~#(){}") else shlex.split(line)


def normalise(line: str) -> str:
    """Blot out what differs from run to run: ids, and how long things took."""
    return re.sub(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+\.\ds", "*", line).strip()


@pytest.mark.process
def test_the_readme_can_be_typed_from_top_to_bottom(clone: Path) -> None:
    said: list[str] = []
    ran = 0
    for block in blocks_of(README):
        match block.language:
            case "csv" | "yaml":
                assert block.named is not None
                (clone / block.named).write_text(block.text)
            case "sh" if block.is_run:
                said = []
                for command, expected in commands_of(block):
                    done = type_in(words_of(command), clone)
                    assert done.returncode == expected, f"{command}\n{done.stdout}\n{done.stderr}"
                    said += [normalise(line) for line in (done.stderr + done.stdout).splitlines()]
                    ran += 1
            case "text" if said:
                missing = [line for line in block.text.splitlines() if normalise(line) not in said]
                assert missing == [], "\n".join(said)
                said = []
            case _:
                said = []
    assert ran > 10


OWN_PAGE = """<!doctype html><title>{title}</title><h1>{title}</h1>
<p>Price: <span itemprop="price">{price}</span></p>"""


@pytest.mark.process
def test_five_commands_lead_from_own_urls_to_a_table_and_a_report(clone: Path) -> None:
    """Each command of the quick start is printed by the one before, for pages of one's own, too."""
    first, *others = next(
        [line for line, _ in commands_of(block)]
        for block in blocks_of(README)
        if block.text.startswith("batchfish init ")
    )
    site = clone / "sample_inputs" / "site" / "own-shop.example"
    site.mkdir()
    for name, price in (("jug", "12.50"), ("bowl", "8.00")):
        page = OWN_PAGE.format(title=f"The {name}", price=price)
        (site / f"{name}.html").write_text(page)
    words = [*first.split()[:2], "http://own-shop.example/jug", "http://own-shop.example/bowl"]
    typed, said = [first], ""
    while words:
        done = type_in(words, clone)
        said = done.stderr
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{said}"
        named = re.findall(r": (batchfish [^`\n]+)$", said, re.MULTILINE)
        typed += named
        words = shlex.split(named[0]) if named else []
    assert typed == [first, *others]
    assert len(typed) == 5
    rows = csv.DictReader((clone / "results" / "pages.csv").read_text().splitlines())
    table = [(row["item_id"], row["title"], float(row["price"])) for row in rows]
    assert table == [("jug", "The jug", 12.5), ("bowl", "The bowl", 8.0)]
    page = (clone / "results" / "pages.html").read_text()
    assert "http://own-shop.example/jug" in page
    assert done.stdout.strip().endswith("results/pages.html")


@pytest.mark.process
def test_the_python_snippets_run_against_the_local_agent(clone: Path) -> None:
    snippets = [block.text for block in blocks_of(README) if block.language == "python"]
    assert snippets
    agent = subprocess.Popen(
        ["batchfish", "serve", "--port", "0"],
        cwd=clone,
        env=environment(clone),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert agent.stdout is not None
        address = re.search(r"http://\S+", agent.stdout.readline())
        assert address is not None
        for snippet in snippets:
            assert AGENT in snippet
            done = type_in([sys.executable, "-c", snippet.replace(AGENT, address[0])], clone)
            assert done.returncode == 0, done.stderr
            assert "'title': 'Walden'" in done.stdout
            assert "Complete(" in done.stdout
    finally:
        agent.send_signal(signal.SIGTERM)
        agent.communicate(timeout=60)


@pytest.mark.process
@pytest.mark.slow
def test_the_demo_says_what_the_readme_shows(clone: Path) -> None:
    shown = next(block.text for block in blocks_of(README) if block.text.startswith("demo: "))
    run = ["batchfish", "run", "--local", "--engine", "extract", "--head", "8", "sample_inputs/demo.yaml"]
    failed = ["batchfish", "results", "--local", "sample_inputs/demo.yaml", "--failed", "--head", "16"]
    said: list[str] = [""]
    for command in (run, [*failed, "-o", "failed.csv"]):
        done = type_in(command, clone)
        said += (done.stderr + done.stdout).splitlines()
    own_words = "Eight French pages and eight that hold no answer fail"
    assert own_words in (ROOT / "Makefile").read_text()
    missing = [line for line in shown.splitlines() if line not in said and own_words not in line]
    assert missing == [], "\n".join(said)


def test_the_counts_of_the_readme_are_right() -> None:
    text = README.read_text(encoding="utf-8")
    pages = (ROOT / "sample_inputs" / "pages.jsonl").read_text(encoding="utf-8").splitlines()
    packages = re.findall(r"^[a-z0-9-]+==", (ROOT / "requirements" / "run.txt").read_text(), re.MULTILINE)
    assert f"the {len(pages)} pages of a sample site" in text
    assert f"downloads {len(packages)} locked packages" in text


def slug(heading: str) -> str:
    """Spell a heading's anchor as GitHub does."""
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", file.read_text(encoding="utf-8")), re.MULTILINE)
            assert anchor in [slug(heading) for heading in headings], target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_on_a_page_exists(page: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"(?:`|^ {4}|^)make ([a-z-]+)", text, re.MULTILINE)) <= known


def test_contributing_names_no_file_that_is_not_there() -> None:
    named = [
        span
        for span in CODE.findall(prose_of(ROOT / "CONTRIBUTING.md"))
        if re.fullmatch(r"[\w/.]+(?:/|\.(?:md|py|toml))", span)
    ]
    typed = re.findall(r"\btests/[\w/]+\.py", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert len(named) > 10
    missing = [
        name
        for name in [*named, *typed]
        if not any((folder / name).exists() for folder in (ROOT, ROOT / "batchfish"))
    ]
    assert missing == []


def options_by_command() -> dict[str, set[str]]:
    """Return every spelling of the options that each command offers."""
    found = {}
    for name, command in COMMANDS.items():
        options = import_module(f"batchfish.cli.commands.{command.module}").Options
        groups = arguments_of(options, Messages).values()
        found[name] = {spelling for specs in groups for _, spec in specs for spelling in spec.names}
    return found


def commands_named_on(page: Path) -> list[list[str]]:
    """Give every `batchfish …` of a page, in blocks and in prose, as words."""
    blocks = [line for block in blocks_of(page) for line in block.text.replace("\\\n", " ").splitlines()]
    indented = re.findall(r"^    (batchfish .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    spans = CODE.findall(prose_of(page))
    found = []
    for text in [*blocks, *indented, *spans]:
        at = re.search(r"(?:^|\s)batchfish (?!import)(.+)", text)
        if at:
            found.append(shlex.split(re.split(r"  |…", at[1])[0].replace("'", ""), comments=True))
    return found


@pytest.mark.parametrize("page", [README, *DOCS, *FOLDERS], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_on_a_page_exists_with_its_flags(page: Path) -> None:
    known = options_by_command()
    for words in commands_named_on(page):
        subcommand = words[0] if words else "--help"
        if subcommand.startswith("-") or not subcommand.islower():
            continue
        assert subcommand in known, " ".join(words)
        given = {word.partition("=")[0].rstrip(")") for word in words if re.fullmatch(r"--?[a-z].*", word)}
        assert given <= known[subcommand], " ".join(words)
    everywhere = set().union(*known.values()) | {"--help", "--version"}
    assert set(FLAG.findall(page.read_text(encoding="utf-8"))) - FOREIGN <= everywhere


def test_every_command_is_documented() -> None:
    told = {words[0] for page in [README, *DOCS] for words in commands_named_on(page) if words}
    assert set(COMMANDS) <= told


def test_the_table_of_exit_codes_is_that_of_the_program() -> None:
    section = README.read_text(encoding="utf-8").partition("## Exit codes")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| (\d+) \| (\w+) \|", section, re.MULTILINE))
    assert rows == {str(code.value): code.name for code in ExitCode}
    signals = [SIGNAL_BASE + number for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)]
    assert f"| {', '.join(map(str, signals))} |" in section


def test_the_table_of_columns_names_each_of_them() -> None:
    section = README.read_text(encoding="utf-8").partition("## The table")[2].partition("\n## ")[0]
    names = [name for name, _ in (*LEADING, *RAW, *TRAILING, RECORD_INDEX)]
    assert [name for name in names if f"`{name}`" not in section] == []


def test_the_page_about_manifests_names_every_key() -> None:
    text = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
    keys = [key for section, names in RULE_KEYS.items() for key in (section, *names)]
    for name, inside in REQUEST_FIELDS.items():
        keys += [name, *(inside if isinstance(inside, dict) else ())]
    assert [key for key in keys if not re.search(rf"\b{key}\b", text)] == []


def test_the_manifests_on_the_page_about_manifests_are_valid(tmp_path: Path) -> None:
    written = {block.language: block.text for block in blocks_of(ROOT / "docs" / "manifest.md")}
    (tmp_path / "book-prices.yaml").write_text(written["yaml"])
    (tmp_path / "books.csv").write_text("isbn,title,active\n978,Walden,yes\n979,Kim,no\n")
    manifest = load_manifest(tmp_path / "book-prices.yaml")
    assert manifest.check().items == 2

    (tmp_path / "rows.csv").write_text(written["csv"] + "b3,https://books.example/3,Emma,stealth,\n")
    (tmp_path / "rows.yaml").write_text(
        "batchfish: 1\nsource: {path: rows.csv}\ndefaults: {goal: 'Read the price of {{ title }}'}\n"
    )
    assert load_manifest(tmp_path / "rows.yaml").check().items == 3


def test_the_page_about_the_local_agent_knows_its_codes_engines_and_faults() -> None:
    text = (ROOT / "docs" / "local-agent.md").read_text(encoding="utf-8")
    sources = [path.read_text() for path in (ROOT / "batchfish" / "localagent").rglob("*.py")]
    codes = {code for source in sources for code in re.findall(r'"(LOCAL_[A-Z_]+)"', source)}
    assert codes - {"LOCAL_SIMULATED"} == set(re.findall(r"LOCAL_[A-Z_]+", text))
    assert [engine for engine in ENGINES if f"| `{engine}`" not in text] == []
    section = text.partition("## Rehearsing trouble")[2]
    assert {field.name for field in fields(Simulation)} == set(
        re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)))
    )
