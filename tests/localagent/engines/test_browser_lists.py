"""Lists that go on over several pages."""

from __future__ import annotations

from batchfish.localagent.engines.lists import count_of, extends, is_more, join


def test_pages_are_joined_in_order_up_to_what_is_wanted() -> None:
    pages = [{"jobs": [1, 2], "town": "A"}, {"jobs": [3, 4], "town": "B"}, {"jobs": [5], "town": "C"}]
    assert join(pages, None) == {"jobs": [1, 2, 3, 4, 5], "town": "A"}
    assert join(pages, 3) == {"jobs": [1, 2, 3], "town": "A"}


def test_a_list_that_every_page_repeats_is_kept_once() -> None:
    pages = [{"kinds": ["x", "y"], "jobs": [1]}, {"kinds": ["x", "y"], "jobs": [2]}]
    assert join(pages, None) == {"kinds": ["x", "y"], "jobs": [1, 2]}


def test_the_same_member_may_stand_on_two_pages() -> None:
    assert join([{"jobs": [1, 2]}, {"jobs": [2, 3]}], None) == {"jobs": [1, 2, 2, 3]}


def test_a_list_that_grew_in_place_extends_the_earlier_reading() -> None:
    assert extends({"jobs": [1, 2]}, {"jobs": [1, 2, 3]})
    assert not extends({"jobs": [1, 2]}, {"jobs": [3, 4]})


def test_only_new_members_are_more() -> None:
    assert is_more({"jobs": [1, 2]}, {"jobs": [3]})
    assert is_more({"jobs": None}, {"jobs": [3]})
    assert not is_more({"jobs": [1, 2]}, {"jobs": [1]})
    assert not is_more({"jobs": [1], "town": "A"}, {"jobs": [1], "town": "B"})


def test_a_result_without_a_list_has_no_count() -> None:
    assert count_of({"town": "A"}) is None
    assert count_of({"town": "A", "jobs": [1, 2], "kinds": []}) == 2
