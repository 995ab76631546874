"""Things that a page speaks of for machines: their types, and what is said of each by property path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# Things about the page or its site, not about what the page is about; and things said of other things.
ABOUT_THE_SITE = frozenset({
    "BreadcrumbList", "WebSite", "WebPage", "SearchAction", "ImageObject", "SiteNavigationElement",
    "WPHeader",
    "WPFooter", "WPSideBar", "ListItem", "CollectionPage", "ItemPage", "ContactPage", "AboutPage", "ItemList",
    "OfferCatalog", "SearchResultsPage", "ProfilePage", "EntryPoint", "Organization", "ReadAction",
})  # fmt: skip
ABOUT_OTHERS = frozenset(
    {"Review", "Rating", "AggregateRating", "Comment", "Person", "Offer", "PostalAddress"}
)
NAMES = frozenset({"name", "headline", "title"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """A thing that structured data speaks of: its types, and its values by property path (`offers.price`).

    `is_part`: it stands inside another thing, as one of several.
    """

    types: tuple[str, ...]
    values: tuple[tuple[str, Value], ...]
    element: HtmlElement | None = None
    is_part: bool = False

    @property
    def is_about_the_site(self) -> bool:
        """Whether it is about the page or its site, not about what the page is about."""
        return bool(self.types) and ABOUT_THE_SITE.issuperset(self.types)

    @property
    def is_said_of_another(self) -> bool:
        """Whether it belongs to some other thing, as a review does."""
        return self.is_part or (bool(self.types) and ABOUT_OTHERS.issuperset(self.types))

    @property
    def name(self) -> str:
        """What it is called."""
        return next((value.text for path, value in self.values if path in NAMES), "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """One value of a property: what a person sees of it, and its exact form."""

    text: str
    exact: str | None = None
    link: str | None = None
    element: HtmlElement | None = None
