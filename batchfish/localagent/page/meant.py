"""Of several parties on one page the one that is meant: whose contact data fills the most that is asked."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchfish.localagent.page.model import Source
from batchfish.localagent.page.money import EMAIL
from batchfish.localagent.page.parties import CHANNELS
from batchfish.localagent.page.words import concepts_of, fold, label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from batchfish.localagent.page.model import Fact, Page
    from batchfish.localagent.page.plan import Wanted

CONTACT = CHANNELS | {
    "address", "street", "city", "postcode", "region", "province", "country", "company", "vat id",
    "register number", "contact person",
}  # fmt: skip
UNASKED = 0.5
"""What contact data counts that is there and not asked for."""
OWN = 1.0
"""What it counts that a party's mail or name is that of the site; another's mail counts as much against."""
CLEARLY, BETTER = 3.0, 1.0
"""By how much one party must be ahead of the others; and one section of what is told of a party."""
SHORTEST_NAME = 5


def of_the_meant(page: Page, wanted: Sequence[Wanted]) -> Page:
    """Leave out the contact data of others, where it is clear whose is meant; else leave the page as it is.

    The party that holds the most of what is wanted is meant, if it is far ahead: branches side by side are
    all alike. Of its telephones, those of the section count that holds the most contact data.
    """
    asked = frozenset(_senses(wanted))
    kinds = {id(fact): concepts_of(label(fact.label)) & CONTACT for fact in page.facts}
    told = [fact for fact in page.facts if kinds[id(fact)] and not fact.is_marginal]
    by_party: dict[int, list[Fact]] = defaultdict(list)
    for fact in told:
        if (party := page.parties.of(fact.node)) is not None:
            by_party[party].append(fact)
    if not asked & CONTACT or not by_party:
        return page
    scores = {
        party: _score(facts, kinds, asked) + _belonging(facts, page) for party, facts in by_party.items()
    }
    meant, *others = sorted(scores, key=lambda party: -scores[party])
    if others and scores[meant] - scores[others[0]] < CLEARLY:
        return page
    dropped = {id(fact) for other in others for fact in by_party[other]}
    own = by_party[meant]
    for channel in CHANNELS:
        free = [fact for fact in told if channel in kinds[id(fact)] and page.parties.of(fact.node) is None]
        said = [fact for fact in own if channel in kinds[id(fact)]]
        if said:
            dropped |= {id(fact) for fact in free if fact.source is not Source.DATA}
            dropped |= {id(fact) for fact in _elsewhere(said, own, kinds, asked, page)}
    return replace(page, facts=tuple(fact for fact in page.facts if id(fact) not in dropped))


def _elsewhere(
    said: Sequence[Fact],
    own: Sequence[Fact],
    kinds: Mapping[int, frozenset[str]],
    asked: frozenset[str],
    page: Page,
) -> Iterator[Fact]:
    """Give what is said in other sections than the one with the most contact data, where there is one."""
    by_section: dict[int, list[Fact]] = defaultdict(list)
    for fact in own:
        by_section[page.parties.section_of(fact.node)].append(fact)
    places = {page.parties.section_of(fact.node) for fact in said}
    scores = {place: _score(by_section[place], kinds, asked) for place in places}
    best, *others = sorted(places, key=lambda place: -scores[place])
    if others and scores[best] - scores[others[0]] >= BETTER:
        yield from (fact for fact in said if page.parties.section_of(fact.node) != best)


def _score(facts: Iterable[Fact], kinds: Mapping[int, frozenset[str]], asked: frozenset[str]) -> float:
    found = frozenset().union(*(kinds[id(fact)] for fact in facts))
    return len(found & asked) + UNASKED * len(found - asked)


def _belonging(facts: Iterable[Fact], page: Page) -> float:
    """Say whether mail and names of a party are those of the site: more than 0 if so, less if another's."""
    host = (urlsplit(page.locale.url).hostname or "").removeprefix("www.")
    site = fold("".join(host.rpartition(".")[0].split("-")))
    hosts = {mail.rpartition("@")[2].lower() for fact in facts for mail in EMAIL.findall(fact.text)}
    names = [
        word
        for fact in facts
        if "company" in concepts_of(label(fact.label))
        for word in fold(fact.text).split()
        if len(word) >= SHORTEST_NAME
    ]
    if any(one == host or host.endswith(f".{one}") for one in hosts) or any(word in site for word in names):
        return OWN
    return -OWN if hosts else 0.0


def _senses(wanted: Iterable[Wanted]) -> Iterator[str]:
    for one in wanted:
        yield from one.senses
        yield from _senses(one.fields)
