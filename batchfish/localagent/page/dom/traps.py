"""Pages that nothing can honestly be read from, told by what they show instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchfish.localagent.page.dom.text import clean, lines_of

if TYPE_CHECKING:
    from lxml.html import HtmlElement

SHORT = 1500
BARE = 200
LONGEST_NOTICE = 120
HUMAN_CHECK = re.compile(
    r"(?i)security check|one more step|captcha|human verification|not a (?:bot|robot)"
    r"|are you (?:a )?(?:human|robot)|verify (?:that )?you(?:'| a|’)re? (?:are )?(?:a )?(?:not a robot"
    r"|human)|i am human|checking your browser|unusual traffic|prove you are human|just a moment"
    r"|attention required|access (?:is |has been )?denied|pardon our interruption|press (?:and|&) hold"
    r"|request (?:was |has been )?blocked|you have been blocked"
)
LOGIN = re.compile(
    r"(?i)\b(?:sign in|log in|login|sign-in|log-in|members only|subscribers only|anmelden|einloggen"
    r"|se connecter|iniciar sesión|accedi|entrar|inloggen|logga in)\b"
)
LOGIN_HEADING = re.compile(
    r"(?i)^(?:please )?(?:sign|log)[ -]?in\b|\b(?:sign|log)[ -]?in to (?:view|see|continue|read|your)"
)
NOT_FOUND = re.compile(
    r"(?i)\b(?:404|(?:page|product|item|article|listing|job|event) (?:was |could )?(?:not"
    r"|n[’']t) (?:be )?found|not found|(?:page|product|item|article|listing|job|event|site) (?:does not"
    r"|doesn[’']t|no longer) exists?|no such page|no longer (?:available|exists?)|can(?:not"
    r"|[’']t) find (?:that|the|this|your) (?:page|product|item)|nothing (?:was )?found here|has (?:expired"
    r"|been removed|been deleted)|gone for good|nicht gefunden|nicht mehr (?:verfügbar|lieferbar)"
    r"|introuvable|non trouvée|n[’']existe (?:pas|plus)|n[’']est plus disponible|no encontrada"
    r"|ya no está disponible|non trovata|não (?:foi )?encontrad[ao]|não está mais disponível|niet gevonden"
    r"|hittades inte)\b"
)
APOLOGY = re.compile(r"(?i)(?:(?:we(?:'|’| a)re )?(?:very )?sorry|oops|whoops|uh[- ]?oh|hmm+|yikes|oh no)\b")
BROKEN = re.compile(
    r"(?i)\b(?:(?:50[0234]|40[013]|429) ?(?:-|–|:|\||error)|internal server error"
    r"|service (?:temporarily )?unavailable|bad gateway|gateway time-?out|forbidden|too many requests"
    r"|something went wrong|under (?:maintenance|construction)|(?:down for|scheduled|site) maintenance"
    r"|be (?:right )?back soon|an error (?:has )?occurred|(?:domain|website) (?:name )?(?:is"
    r"|may be) for sale|buy this domain|domain (?:is )?parked|(?:not|un)available in your (?:country|region"
    r"|location)|index of /)"
)
NOTHING = re.compile(
    r"(?i)(?:sorry[,!. ]+|we(?: a|['’])re sorry[,!. ]+|unfortunately,? |oops[,!. ]+)?(?:(?:there (?:are"
    r"|were) )?(?:currently )?no (?!(?:more|other|further|reviews?|comments?|ratings?|replies"
    r"|cookies)\b)(?:[\w-]+ ){0,3}?(?:match(?:es|ed)?|(?:were |was )?found|results?|available"
    r"|to show)\b(?! yet).*|0 (?:\w+ )?(?:results?|matches|items|products|listings)(?: found)?(?: for .*)?"
    r"|(?:your search|we) (?:did not|didn['’]t|could(?: not|n['’]t)) (?:match|find) .*|(?:your search"
    r"|we) (?:for .{1,60} )?(?:returned no|found no|found nothing|did not match).*|nothing (?:matches"
    r"|matched|found|here).*|0 (?:treffer|ergebnisse|résultats?|resultados?|risultati)"
    r"|keine (?:\w+ ){0,2}?(?:treffer|ergebnisse|gefunden).*|aucune? (?:\w+ ){0,2}?(?:résultat|trouvée?"
    r"|ne correspond).*|nenhum (?:\w+ )?(?:resultado|encontrado).*|(?:no se (?:han )?(?:encontraron"
    r"|encontrado)|sin|ningún) (?:\w+ )?resultados?.*)"
)


def refuse(tree: HtmlElement, *, title: str, scripts: int, notices: str) -> tuple[str, str] | None:
    """Return a code and words where a page cannot be read, None where it can.

    `notices` is what the page tells readers without JavaScript.
    """
    body = tree.find("body")
    text = clean(" ".join(lines_of(body))) if body is not None else ""
    if not text and not scripts:
        return "LOCAL_EMPTY_PAGE", "The page is empty: there is no text on it."
    if len(text) < BARE and ("javascript" in notices.lower() or (scripts and len(text) < BARE // 4)):
        message = "The page is built by JavaScript, which this engine does not run; without, it is bare."
        return "LOCAL_NEEDS_JAVASCRIPT", message
    headings = [clean(" ".join(one.itertext())) for one in tree.iter("h1", "h2")]
    first = headings[0] if headings else ""
    is_short = len(text) < SHORT
    if is_short and (found := HUMAN_CHECK.search(f"{title} {text}")):
        message = f"The page asks for proof that a human reads it (“{found[0]}”)."
        return "LOCAL_HUMAN_CHECK", message
    has_password = tree.find(".//input[@type='password']") is not None
    if (has_password and is_short and LOGIN.search(f"{title} {' '.join(headings)} {text}")) or (
        LOGIN_HEADING.search(first or title) and (has_password or is_short)
    ):
        message = "The page wants its reader to log in: it shows a password field instead of what was asked."
        return "LOCAL_LOGIN_WALL", message
    if found := APOLOGY.match(first):
        return "LOCAL_PAGE_NOT_FOUND", f"The page says “{first[:80]}”: it does not show what was asked."
    told = f"{title} {' '.join(headings)}" if is_short else f"{first} {title if not first else ''}"
    if found := NOT_FOUND.search(told) or NOT_FOUND.search(title):
        return "LOCAL_PAGE_NOT_FOUND", f"The page says “{found[0]}”: it was not found."
    if is_short and (found := BROKEN.search(told)):
        return "LOCAL_ERROR_PAGE", f"The page says “{found[0]}”: it shows an error, not what was asked."
    return None


def notice_of_nothing(root: HtmlElement) -> HtmlElement | None:
    """Return the element whose line says that a search found nothing, None where there is none."""
    for element in root.iter("p", "div", "span", "h1", "h2", "h3", "h4", "strong", "td", "li", "b", "em"):
        line = clean("".join(element.itertext())) if len(element) <= 2 else ""
        if 0 < len(line) <= LONGEST_NOTICE and NOTHING.fullmatch(line):
            return element
    return None
