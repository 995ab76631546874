"""Amounts of money in texts: which there are, how much, whose currency; none where it is not sure."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.money import currency_of, find_money, is_phone, read_amount
from batchfish.localagent.page.numbers import Locale


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("£1,250.00", ["1,250.00"]),
        ("4,90 €", ["4,90"]),
        ("18,– €", ["18"]),
        ("CHF 1’250.50", ["1’250.50"]),
        ("1 234,50 zł", ["1 234,50"]),
        ("R$ 1.120,00 por noite", ["1.120,00"]),
        ("3 for £10, or £4 each", ["10", "4"]),
        ("5€ 6€", ["5", "6"]),
        ("Item 7 £0.50", ["0.50"]),
        ("$1.5M", []),
        ("$12 million", []),
        ("free", []),
        ("A$AP", []),
        ("12 kroner", ["12"]),
    ],
)
def test_amounts_are_found_with_their_signs(text: str, numbers: list[str]) -> None:
    assert [money.number for money in find_money(text)] == numbers


@pytest.mark.parametrize(
    ("number", "language", "amount"),
    [
        ("1,250.00", "en", 1250),
        ("1.250,00", "en", 1250),
        ("4,90", "en", 4.9),
        ("1.250", "de", 1250),
        ("1,250", "en", 1250),
        ("1’250.50", "de", 1250.5),
        ("-3.50", "en", -3.5),
        ("0.498", "en", 0.498),
    ],
)
def test_an_amount_is_read_whatever_the_language_of_the_page(
    number: str, language: str, amount: float
) -> None:
    assert read_amount(number, Locale(language=language)) == amount


@pytest.mark.parametrize(
    ("sign", "language", "url", "code"),
    [
        ("€", "", "", "EUR"),
        ("R$", "", "", "BRL"),
        ("chf", "", "", "CHF"),
        ("$", "en", "http://a.example/", None),
        ("$", "en-CA", "http://a.example/", "CAD"),
        ("$", "es", "https://tienda.cl/", "CLP"),
        ("$", "en-US", "https://shop.com.au/", "AUD"),
        ("kr", "sv", "http://a.example/", "SEK"),
        ("kr", "en", "http://a.example/", None),
        ("¤", "", "", None),
    ],
)
def test_a_sign_is_a_currency_only_where_it_is_known_whose(
    sign: str, language: str, url: str, code: str | None
) -> None:
    assert currency_of(sign, Locale(language=language, url=url)) == code


def test_a_telephone_number_is_more_than_a_few_digits() -> None:
    assert is_phone("Tel: 0599 555 014")
    assert is_phone("+44 (0)1632 960771")
    assert not is_phone("12-34-56")
    assert not is_phone("Flat 7, 12 High Street")
