"""Pages that nothing can honestly be read from, told apart by what they show instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchfish.localagent.page.model import Unreadable
from batchfish.localagent.page.tree import text_of

if TYPE_CHECKING:
    from lxml.html import HtmlElement

SHORT = 1500
BARE = 200
HUMAN_CHECK = re.compile(
    r"security check|one more step|captcha|human verification|you are not a (?:bot|robot)"
    r"|verify (?:that )?you(?:'| a|’)re? (?:are )?(?:a )?(?:not a robot|human)|are you (?:a )?(?:human|robot)"
    r"|i(?:'|’)?m not a robot|i am human|checking your browser|unusual traffic|complete the captcha"
    r"|solve the captcha|prove you are human|just a moment|attention required|access denied"
    r"|pardon our interruption|press (?:and|&) hold|bist du ein mensch|sind sie ein mensch|kein roboter"
    r"|pas un robot|no soy un robot|non sono un robot",
    re.IGNORECASE,
)
LOGIN = re.compile(
    r"\b(?:sign in|log in|login|members only|subscribers only|anmelden|einloggen|se connecter|connectez-vous"
    r"|iniciar sesión|accedi|entrar|inloggen|logga in)\b",
    re.IGNORECASE,
)
NOT_FOUND = re.compile(
    r"\b(?:404|page not found|not found|page (?:does not|doesn[’']t|no longer) exist|no such page"
    r"|nothing (?:was )?found here|seite (?:wurde )?nicht gefunden|page (?:non trouvée|introuvable)"
    r"|n[’']existe (?:pas|plus)"
    r"|(?:n[’']est plus|no longer|nicht mehr|ya no está|non è più|não está mais|niet meer)"
    r" (?:disponible|available|verfügbar|lieferbar|disponibile|disponível|beschikbaar)"
    r"|página no encontrada|pagina non trovata|página não encontrada|pagina niet gevonden|hittades inte)\b",
    re.IGNORECASE,
)
NEEDS_SCRIPT = re.compile(r"javascript", re.IGNORECASE)
EMPTY = Unreadable(code="LOCAL_EMPTY_PAGE", message="The page is empty: there is no text on it.")


def refuse(tree: HtmlElement, *, title: str, scripts: int, notices: str) -> Unreadable | None:
    """Say why a page cannot be read, None where it can; `notices` is what it tells who runs no scripts."""
    body = tree.find("body")
    text = text_of(body) if body is not None else ""
    if not text and not scripts:
        return EMPTY
    if len(text) < BARE and (NEEDS_SCRIPT.search(notices) or (scripts and len(text) < BARE // 4)):
        return Unreadable(
            code="LOCAL_NEEDS_JAVASCRIPT",
            message="The page is built by JavaScript, which this engine does not run; without, it is bare.",
        )
    if len(text) >= SHORT:
        return None
    heading = " ".join([title, *(text_of(element) for element in tree.iter("h1", "h2"))])
    if found := HUMAN_CHECK.search(f"{title} {text}"):
        message = f"The page asks for proof that a human reads it (“{found[0]}”)."
        return Unreadable(code="LOCAL_HUMAN_CHECK", message=message)
    if tree.find(".//input[@type='password']") is not None and LOGIN.search(f"{heading} {text}"):
        message = "The page wants its reader to log in: it shows a password field instead of what was asked."
        return Unreadable(code="LOCAL_LOGIN_WALL", message=message)
    if found := NOT_FOUND.search(heading):
        return Unreadable(
            code="LOCAL_PAGE_NOT_FOUND", message=f"The page says “{found[0]}”: it was not found."
        )
    return None
