"""Things that elements mark for machines: RDFa beside microdata, microformats among the classes."""

from __future__ import annotations

from tests.localagent.page.pages import look, records


def test_rdfa_is_read_as_microdata_is() -> None:
    body = (
        '<div vocab="https://schema.org/" typeof="schema:Product"><b property="name">Can</b>'
        '<div property="offers" typeof="Offer"><i property="price" content="8.50">only £8.50!</i></div></div>'
    )
    assert look(body, name="string", price="number").result == {"name": "Can", "price": 8.5}


def test_the_classes_of_microformats_name_what_they_are_on() -> None:
    entry = '<div class="h-entry"><p class="p-name">{0}</p><i class="p-author">{1}</i><b>{2}</b></div>'
    body = entry.format("Moss", "Ida", "x") + entry.format("Rust", "Per", "y")
    assert records(body, title="string", author="string") == [
        {"title": "Moss", "author": "Ida"},
        {"title": "Rust", "author": "Per"},
    ]


def test_the_name_of_a_thing_within_another_stands_for_it() -> None:
    body = (
        '<div itemscope itemtype="https://schema.org/Book"><b itemprop="name">Salt</b>'
        '<p itemprop="publisher" itemscope itemtype="https://schema.org/Organization">Published by'
        ' <i itemprop="name">Faro Press</i> of <u itemprop="location">Wick</u></p>'
        '<p itemprop="author" itemscope>Ann Lind</p></div>'
    )
    assert look(body, name="string", publisher="string", author="string").result == {
        "name": "Salt",
        "publisher": "Faro Press",
        "author": "Ann Lind",
    }
