"""The expression language: rendering, refusals, and bounds on time and size for hostile values."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.expressions import (
    FILTER_NAMES,
    ExpressionFailed,
    InvalidExpression,
    compile_condition,
    compile_template,
)

BOOK = {"title": "Moby Dick", "price": 12.5, "items": [1, 2], "keys": None, "author": {"name": "Herman"}}

MANUAL = Path(__file__).parents[2] / "docs" / "manifest.md"


def render(text: str, **values: object) -> str:
    return compile_template(text).render(values)


def holds(text: str, result: object = BOOK, **values: object) -> bool:
    return compile_condition(text).holds({**values, "result": result})


class TestTemplates:
    @pytest.mark.parametrize(
        ("text", "rendered"),
        [
            ("Read.", "Read."),
            ("Read {{ title }}.", "Read Emma & Co."),
            ("{{title}}{{ title }}", "Emma & CoEmma & Co"),
            ("{{ title | urlencode }}", "Emma%20%26%20Co"),
            ("{{ title | upper | trim }}", "EMMA & CO"),
            ("{{ title | replace('&', 'and') }}", "Emma and Co"),
            ("{{ title | tojson }}", '"Emma & Co"'),
            ("{{ title | length }}", "9"),
            ("{{ n | int + 1 }} {{ n | float / 2 }}", "8 3.5"),
            ("{{ none_such | default('x') }}", "x"),
            ("{{ title if n == '7' else n }}", "Emma & Co"),
            ("{{ title ~ '!' }}", "Emma & Co!"),
            ("{{ '{{' }} {{ '}}' }}", "{{ }}"),
            ("{ {{ n }} }", "{ 7 }"),
            ("{% if n %}{# n #}{{ n }}{% endif %}\n", "{% if n %}{# n #}7{% endif %}\n"),
            ("<b>{{ html }}</b>", "<b><i></b>"),
        ],
    )
    def test_a_template_is_rendered(self, text: str, rendered: str) -> None:
        assert render(text, title="Emma & Co", n="7", html="<i>") == rendered

    def test_it_names_the_variables_it_reads(self) -> None:
        template = compile_template("{{ a }} {{ b | default(c) }} {{ 1 + d.e }}")
        assert template.variables == {"a", "b", "c", "d"}

    def test_what_a_value_holds_is_not_read_as_a_template(self) -> None:
        assert render("{{ a }} {{ a | upper | lower }}", a="{{ b }}") == "{{ b }} {{ b }}"

    @pytest.mark.parametrize("text", ["{{ a }}", "{{ a | upper }}", "{{ a | upper | lower }}", "{{ a ~ a }}"])
    def test_a_variable_that_is_not_set_is_named(self, text: str) -> None:
        with pytest.raises(ExpressionFailed, match="'a' is not set"):
            render(text, b="x")

    @given(st.text(), st.text())
    def test_plain_placeholders_render_the_same_as_compiled_code(self, before: str, value: str) -> None:
        text = before.replace("{", "(").replace("\0", "") + "{{ a }} {{ a | trim }}"
        # `0 + …` is more than a placeholder, so this one is compiled.
        compiled = compile_template(text + "{{ 0 + 0 }}")
        assert compile_template(text).render({"a": value}) + "0" == compiled.render({"a": value})

    @pytest.mark.parametrize(
        ("text", "message", "remedy"),
        [
            ("a\nb {{{ x }}}", "`{{{` cannot be read", "For a literal `{{` write"),
            ("{{ x | uper }}", "unknown filter 'uper'", "Did you mean 'upper'?"),
            ("{{ x | format }}", "unknown filter 'format'", "Did you mean"),
            ("{{ x | map }}", "unknown filter 'map'", ""),
            ("{{ x", "not an expression", ""),
            ("{{ }}", "not an expression", ""),
            ("{{ a b }}", "not an expression", ""),
            ("{{ x.lower() }}", "functions and methods cannot be called", "Use a filter"),
            ("{{ range(9) }}", "functions and methods cannot be called", ""),
            ("{{ " + "(" * 5000 + " }}", "nested too deeply", ""),
            ("{{ " + "9" * 5000 + " }}", "not an expression", ""),
            ("{{ x" + " ~ x" * 500 + " }}", "more than 400 parts", ""),
            ("\0{{ x }}", "NUL", ""),
        ],
    )
    def test_a_wrong_template_is_refused_with_a_message(self, text: str, message: str, remedy: str) -> None:
        with pytest.raises(InvalidExpression) as caught:
            compile_template(text)
        assert message in str(caught.value)
        assert remedy in str(caught.value) + (caught.value.remedy or "")

    def test_the_line_within_the_text_is_known(self) -> None:
        with pytest.raises(InvalidExpression) as caught:
            compile_template("one\ntwo {{ x | uper }}")
        assert caught.value.line == 2


class TestConditions:
    @pytest.mark.parametrize(
        "text",
        [
            "result.price > 0",
            "result['price'] == 12.5",
            "title | lower in result.title | lower",
            "result.items | length == 2",
            "result.items[0] == 1 and result.items[-1] == 2",
            "result.keys is none",
            "result.author.name",
            "result.missing is not defined",
            "result.missing | default(0) == 0",
            "not result.author.age is defined",
            "result.title[:4] == 'Moby'",
            "result.price * 2 + 1 - 1 == 25 and result.price // 5 == 2 and 7 % 4 == 3 and 2 ** 3 == 8",
        ],
    )
    def test_a_condition_is_true(self, text: str) -> None:
        assert holds(text, title="moby")

    @pytest.mark.parametrize(
        "text", ["result.price > 20", "result.keys", "'x' in result.title", "result.items == []"]
    )
    def test_a_condition_is_false(self, text: str) -> None:
        assert not holds(text)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("result.prize > 0", "there is no 'prize' in a map with title, price, items"),
            ("result.items[5]", "there is no 5 in a list of 2"),
            ("result.keys.x", "there is no 'x' in null"),
            ("nothing > 0", "'nothing' is not set"),
            ("result.title > 0", "not supported between instances of 'str' and 'int'"),
            ("result.title | length > result.keys", "not supported"),
            ("1 / 0 == 1", "division"),
            ("result.title * 2 == ''", "cannot compute str * int"),
            ("result.items | int > result", "not supported"),
        ],
    )
    def test_a_condition_that_cannot_be_evaluated_fails_with_a_message(self, text: str, message: str) -> None:
        with pytest.raises(ExpressionFailed) as caught:
            holds(text)
        assert message in str(caught.value)

    @pytest.mark.parametrize(
        "text", ["", "  ", "a b", "1 +", "a = 1", "{% if %}", "x" * 20_000, "a()", "a if"]
    )
    def test_what_is_no_expression_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidExpression):
            compile_condition(text)


class TestHostility:
    @pytest.mark.parametrize(
        "text",
        [
            "'x' * 10 ** 9",
            "[0] * 10 ** 9",
            "9 ** 9 ** 9 ** 9",
            "9 ** 999999999",
            "10 ** 60 * 10 ** 60 * 10 ** 60" + " * 10 ** 60" * 50,
            "'%0999999999d' % 1",
            "result | replace('', result)",
            "result | replace('a', result)",
            "[result] | replace('a', result)",
            "result + result + result + result + result + result + result + result + result",
            "result ~ 1 == 2 + result",
        ],
    )
    def test_nothing_grows_without_bound(self, text: str) -> None:
        began = time.process_time()
        with pytest.raises(ExpressionFailed):
            compile_condition(text).holds({"result": "a" * 2_000_000})
        assert time.process_time() - began < 2

    @pytest.mark.parametrize(
        "text",
        [
            "result.__class__",
            "result['__class__']",
            "''.__class__.__mro__",
            "result.title.__init__",
            "result.title.format",
            "result.items.append",
            "self",
            "lipsum",
            "cycler",
            "namespace",
            "caller",
            "(result | upper).format_map",
        ],
    )
    def test_nothing_of_python_can_be_reached(self, text: str) -> None:
        with pytest.raises(ExpressionFailed):
            compile_template("{{ " + text + " }}").render({"result": BOOK})

    def test_a_value_that_is_nested_too_deeply_fails_with_a_message(self) -> None:
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        for text in ("result | tojson == ''", "result == [result]", "result | lower == ''"):
            with pytest.raises(ExpressionFailed, match="nested too deeply"):
                compile_condition(text).holds({"result": deep})

    def test_lone_surrogates_are_accepted(self) -> None:
        assert compile_condition("'x' not in result | lower").holds({"result": "\ud83d"})
        with pytest.raises(ExpressionFailed):
            compile_condition("result | urlencode").holds({"result": "\ud83d"})

    @given(st.text(alphabet="abx09.,|()[]{}'\"~+-*/%<>=! ", max_size=30), st.none() | st.text(max_size=5))
    def test_any_text_is_an_expression_or_is_refused(self, text: str, value: str | None) -> None:
        try:
            compile_condition(text).holds({"a": value, "b": [value], "x": {"a": value}})
        except (InvalidExpression, ExpressionFailed) as error:
            assert str(error)  # noqa: PT017 - both an answer and a refusal are right here


@pytest.mark.parametrize("name", FILTER_NAMES)
def test_every_filter_can_be_used(name: str) -> None:
    arguments = "('a', 'b')" if name == "replace" else ""
    compile_template("{{ x | " + name + arguments + " }}").render({"x": "1"})


def test_the_manual_lists_the_filters() -> None:
    listed = re.search(r"with the filters\s+`([a-z ]+)`", MANUAL.read_text(encoding="utf-8"))
    assert listed is not None
    assert sorted(listed[1].split()) == sorted(FILTER_NAMES)


def test_jinja_is_imported_only_when_there_is_an_expression() -> None:
    code = (
        "import sys; from batchfish.core.expressions import compile_template; compile_template('Read.');"
        "sys.exit('jinja2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
