"""Pages of a search that found nothing: what they list instead is not what was looked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchfish.localagent.page.model import Notice
from batchfish.localagent.page.tree import one_line, text_of

if TYPE_CHECKING:
    from batchfish.localagent.page.facts import FactFinder

LONGEST = 120
CONTROLS = frozenset({"option", "label", "button", "select", "input", "a", "textarea"})
OF_THE_PAGE = r"(?!(?:more|other|further|reviews?|comments?|ratings?|replies|cookies)\b)"
"""What is said of the answers to a page is not said of the page."""
NOTHING = re.compile(
    r"(?:sorry[,!. ]+|we(?: a|')re sorry[,!. ]+|unfortunately,? )?(?:"
    rf"(?:there (?:are|were) )?no {OF_THE_PAGE}(?:\w+ ){{0,3}}?"
    r"(?:match(?:es|ed)?|(?:were |was )?found|results?)\b(?! yet).*"
    r"|0 (?:\w+ )?(?:results?|matches)(?: found)?(?: for .*)?"
    r"|(?:your search|we) (?:did not|didn['’]t|could(?: not|n['’]t)) (?:match|find) .*"
    r"|(?:your search|we) (?:returned no|found no|found nothing).*"
    r"|nothing (?:matches|matched|found).*"
    r"|0 (?:treffer|ergebnisse|résultats?|resultados?|risultati)"
    r"|keine (?:\w+ ){0,2}?(?:treffer|ergebnisse|gefunden).*"
    r"|aucune? (?:\w+ ){0,2}?(?:résultat|trouvée?|ne correspond).*"
    r"|(?:no se (?:han )?(?:encontraron|encontrado)|sin|ningún) (?:\w+ )?resultados?.*"
    r"|nessun (?:\w+ )?(?:risultato|trovato).*|nenhum (?:\w+ )?(?:resultado|encontrado).*"
    r"|geen (?:\w+ )?(?:resultaten|gevonden).*|(?:inga|ingen) (?:\w+ )?(?:träffar|resultat(?:er)?).*"
    r"|brak wyników.*"
    r")",
    re.IGNORECASE,
)


def notice_of_nothing(finder: FactFinder) -> Notice | None:
    """Give the line that says that a search found nothing; None where there is none.

    Only a line that says nothing else counts, and none in the margin: a list of replies may well be empty.
    """
    for element in finder.elements:
        if element.tag in CONTROLS or len(element) or finder.is_marginal(element):
            continue
        line = one_line(text_of(element))
        if len(line) <= LONGEST and NOTHING.fullmatch(line):
            return Notice(text=line, element=finder.number(element))
    return None
