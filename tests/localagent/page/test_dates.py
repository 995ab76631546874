"""Days as pages write them; one that may be another day somewhere else is none."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.dates import day_first_of, find_dates
from batchfish.localagent.page.numbers import Locale


def days(text: str, language: str = "en") -> list[str]:
    return [moment.isoformat() for moment in find_dates(text, Locale(language=language), is_guessed=True)]


@pytest.mark.parametrize(
    ("text", "language", "day"),
    [
        ("2026-02-05", "en", "2026-02-05T00:00:00"),
        ("2026-02-05T06:30:00+01:00", "en", "2026-02-05T06:30:00+01:00"),
        ("Posted on 3rd March 2021 by Ann", "en", "2021-03-03T00:00:00"),
        ("March 3, 2021 at 7:05 pm", "en", "2021-03-03T19:05:00"),
        ("3. März 2021", "de", "2021-03-03T00:00:00"),
        ("publié le 5 février 2026", "fr", "2026-02-05T00:00:00"),
        ("14 de marzo de 2026", "es", "2026-03-14T00:00:00"),
        ("za 14 maart 2026", "nl", "2026-03-14T00:00:00"),
        ("8 stycznia 2026", "pl", "2026-01-08T00:00:00"),
        ("04.02.2026", "", "2026-02-04T00:00:00"),
        ("04/02/2026", "fr", "2026-02-04T00:00:00"),
        ("04/02/2026", "en-GB", "2026-02-04T00:00:00"),
        ("04/02/2026", "en-US", "2026-04-02T00:00:00"),
        ("28/02/26", "en", "2026-02-28T00:00:00"),
        ("2026年2月5日", "ja", "2026-02-05T00:00:00"),
    ],
)
def test_a_day_is_found_in_a_text(text: str, language: str, day: str) -> None:
    assert days(text, language) == [day]


@pytest.mark.parametrize(
    "text", ["04/02/2026", "31.02.2026", "yesterday", "1.2.3", "192.168.10.20", "£12.50", "May"]
)
def test_what_is_no_day_or_may_be_two_is_none(text: str) -> None:
    assert days(text) == []


def test_a_text_of_two_days_names_both() -> None:
    assert days("3 to 5 March 2021, not 6 March 2021") == ["2021-03-05T00:00:00", "2021-03-06T00:00:00"]


def test_a_column_tells_which_number_is_the_day() -> None:
    assert day_first_of(["03/04/2026", "28/03/2026"]) is True
    assert day_first_of(["03/04/2026", "03/28/2026"]) is False
    assert day_first_of(["03/04/2026"]) is None
