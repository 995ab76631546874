"""The words of `grammar.toml` as the patterns that goals are taken apart with."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

_DATA = tomllib.loads(files(__package__).joinpath("grammar.toml").read_text("utf-8"))


def one_of(name: str) -> str:
    """Give a pattern for any of the phrases of a list, the longest first; spaces are any space."""
    phrases = sorted(_DATA[name], key=len, reverse=True)
    return "(?:" + "|".join(re.escape(phrase).replace(r"\ ", r"\s+") for phrase in phrases) + ")"


def compiled(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """Compile a pattern for words as people write them, in capitals or not."""
    return re.compile(pattern, re.IGNORECASE | flags)


def words(name: str) -> frozenset[str]:
    """Give the phrases of a list as they are, to be looked up."""
    return frozenset(_DATA[name])


NUMBERS: dict[str, int] = _DATA["numbers"]
PLURALS: dict[str, str] = dict(_DATA["plurals"])
SINGLE, COLLECTIVE = words("single"), words("collective")
_NUMBER = rf"(?:\d{{1,4}}|{'|'.join(NUMBERS)})"
_COUNTED = rf"(?!\s*[-–]?\s*{one_of('not_counted')}\b|\s*[.,]\d|\s*%)"
_DETERMINERS = rf"(?:{one_of('determiners')}\s+)"
_MANY_WORDS = r"[^\W\d_][\w'-]*(?:\s[^\W\d_][\w'-]*){0,2}?"

REFERENCE = compiled(r"\s*\[ref [^\]]*\]\s*$")
"""The marker at the end of a goal, which is for those who look a run up."""
VERB = compiled(rf"\b{one_of('verbs')}\b\s+")
DETERMINERS = compiled(rf"^{_DETERMINERS}+")


# Orders: where one begins, and whether it is to read.
THINKING = words("thinking")
VERBAL_NOUNS = words("verbal_nouns")
ORDER = compiled(
    rf"(?P<before>^\W*|[,:(]\s*|\b{one_of('before_order')}\s+)"
    rf"(?:(?P<act>{one_of('acting')})|(?P<read>{one_of('verbs')})|(?P<noun>{one_of('acting_nouns')}))"
    r"(?![\w'’-])(?!\s*\()[,:]?\s*"
)
MORE_THAN_A_NAME = compiled(
    rf"(?:{one_of('determiners')}|{one_of('first')}|{one_of('each')}|on|in|to|it|for|at|by|with|anything|everything|those|them|they|there|{_NUMBER})\b|[\"'“\u2018]"
)
ASKING = compiled(rf"^\W*{one_of('asking')}\b")
SENTENCE_ENDS = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\bincl)(?<!\bapprox)(?<!\bca)[.!?](?=\s|$)|\n+")
PARTICLES = compiled(rf"\s+{one_of('particles')}(?=\s*(?:$|[:.;]))")

UNKNOWN_ORDER = compiled(
    r"^(?!(?:a|an|the|this|these|all|each|every)\b)\w+\s+(?:(?!of\b|about\b)\w+\s+)?(?:an?|the|my|your|me)\s"
)
"""A verb that no list here names: what names things has no article in its midst."""
ABOUT = compiled(rf"^{one_of('about')}\b")
A_FEATURE = compiled(r"^(?:an?|eine?n?|une?|una?|een)\s")

# How many, and from how many pages.
TOP = compiled(
    rf"\b{one_of('first')}\s+({_NUMBER})\b{_COUNTED}|\b({_NUMBER})\s+{one_of('first_after')}\b|\beach\s+of\s+the\s+({_NUMBER})\b{_COUNTED}"
)
COUNTED = compiled(rf"^{_DETERMINERS}*(?:{one_of('at_most')}\s+)?({_NUMBER})\b{_COUNTED}\s+(?=[^\W\d_])")
"""Where a count of what is wanted stands right after the verb: “Extract up to 20 reviews”."""
PAGES = compiled(
    rf"\b(?:first|top|next|up\s+to)\s+({_NUMBER})\s+pages\b|\b({_NUMBER})\s+pages\b"
    r"|\bpages\s+1\s*(?:-|–|to)\s*(\d+)\b"
)
ONE_PAGE = compiled(
    rf"\b{one_of('one_page')}\b|\b{one_of('not_doing')}\s+(?:\w+\s+){{0,4}}?{one_of('further_pages')}\b"
)
ALL_PAGES = compiled(rf"\b{one_of('all_pages')}\b(?!\s+than\b)")
SEVERAL = compiled(rf"\b{one_of('several')}\b")

# Things.
WITH = compiled(rf",?\s+{one_of('with')}\s+")
COLON = compiled(r"\s*:\s+")
BRACKET = compiled(r"\s*\((?=[^()]*,)")
CONTAINER = compiled(rf"^{one_of('containers')}\s+")
FORMS, VAGUE, DATA_WORDS = words("forms"), words("vague"), words("data_words")
AFTER_NOUN = compiled(
    rf"[,:;(\[{{|.]|\s+{one_of('after_noun')}\b|\s(?:is|are|there|of\s+(?:the|this|an?|our))\b"
)
_NOUN_ENDS = rf"(?=\s*(?:$|[.,;:!?(\n])|\s+{one_of('after_noun')}\s|\s+(?:of|{one_of('with')})\s)"
OF_EACH = compiled(
    rf"\s+(?:{one_of('each_of')}\s+{_DETERMINERS}*?(?P<each>{one_of('each')})|(?P<genitive>{one_of('genitives')}))"
    rf"\s+(?P<noun>{_MANY_WORDS}){_NOUN_ENDS}"
)
"""Where fields come before the things that have them: “title and date of each talk”."""
OF_MANY = compiled(
    rf"\s+{one_of('of_many')}\s+(?P<top>{one_of('first')}\s+{_NUMBER}\s+)?(?P<noun>{_MANY_WORDS}){_NOUN_ENDS}"
)
"""The same of several that nothing but their plural tells: “titles and dates of the talks”."""
FOR_EACH = compiled(
    rf"\b(?P<each>{one_of('for_each')})(?:\s+of\s+(?:the|these)(?:\s+{_NUMBER})?)?(?:\s+(?P<noun>{_MANY_WORDS}))?"
    rf"(?:\s+(?:on|in|at|from|of|listed|shown)\b[^,:\n]{{0,40}}?)?"
    rf"(?:\s*[,:]\s*(?:please\s+)?(?:{one_of('verbs')}\b[:,]?\s*)?|\s+{one_of('verbs')}\b[:,]?\s*"
    rf"|\s+(?=(?:its|their|den|die|das|le|la|les|el|los|il|de|het)\s))(?P<fields>.*)",
    re.DOTALL,
)
"""Where the things come first: “For each talk, give the title and the date”."""
EACH = compiled(rf"\b{one_of('each_one')}\s+$")
"""What stands before one thing where several are meant, in the languages whose plurals are known."""
OWNER = compiled(r"^(?P<owner>[^,:;]{2,60}?)(?P<mark>'s|(?<=s)')\s+(?P<fields>\S.*)$", re.DOTALL)

# Fields.
KEYS = compiled(
    rf"\b(?:(?:{one_of('with')}|{one_of('announcing')}|{one_of('before_keys')})\s+(?:\w+\s+)?{one_of('keys')}\b"
    rf"(?:\s+(?:are|of|named|called|should\s+be))?(?:[^:.\n]{{0,60}}:)?|{one_of('keys')}\b[^:.,\n]{{0,60}}:)\s*(?P<fields>.+)",
    re.DOTALL,
)
ANNOUNCED = compiled(
    rf"\b(?:{one_of('announcing')}\b[^:.\n]{{0,80}}|{one_of('verbs')}|{one_of('keys')}):\s*(?P<fields>[^\n]+)"
)
ENDS = compiled(rf"[.;!?\n](?:\s|$)|(?:^|\s+){one_of('ends')}\b|(?<!and)(?<!,)\s+if\b")
STOPS = compiled(rf"[.!?\n](?:\s|$)|(?:^|[\s,]+){one_of('ends')}\b|(?<!and)(?<!,)\s+if\b")
"""Where a list of fields ends, also one that is set apart by semicolons."""
AND = compiled(rf"\s*(?:,\s*{one_of('and')}\s+|[,;|]|\s+(?:{one_of('and')}|&|\+)\s+)\s*")
LEADING = compiled(rf"^(?:{one_of('leading')}\s+|[ld]['’]|dell['’]|un['’])+")
LISTS_OF = compiled(rf"^(?:(?:the|a|an|all|full|complete|die|la|les)\s+)*{one_of('lists_of')}\s+")
OWNED_BY = compiled(rf"\s+{one_of('owned_by')}\b.*$", re.DOTALL)
YES_OR_NO = compiled(r"\s*(?:whether|if|ob|si|se|of)\s+(?=\w+\s)")
AS_A = compiled(r"\s+as\s+(?:an?\s+)?(?P<hint>(?:plain |whole |iso )?\w+)$")
IN_MEASURE = compiled(rf"^(?P<what>.+?)\s+{one_of('measure_in')}\s+(?P<measure>[^\W_]+(?:\s[^\W_]+)?)$")
COUNT_OF = compiled(rf"^{one_of('count_starts')}\b")
PLAIN_VALUES = words("plain_values")
NUMBER_CONCEPTS, LIST_CONCEPTS = words("number_concepts"), words("list_concepts")
COUNTING_WORDS, YEAR_WORDS = words("counting_words"), words("year_words")
YES_OR_NO_STARTS, MONEY_WORDS = words("yes_or_no_starts"), words("money_words")
FIELD_HEADS, HINT_HEADS = words("field_heads"), words("hint_heads")
BULLET = compiled(
    r"^[^\S\n]*(?:[-*•–]|\d{1,2}[.)])\s+"
    r"(?P<name>[`\"“*_]{0,3}[a-zÀ-ÿ_][\wÀ-ÿ ./²'’-]{0,60}?[`\"”*_]{0,3})[^\S\n]*"
    r"(?P<hint>(?:[:(–—]|[^\S\n]?-[^\S\n])[^\n]*)?$",
    re.MULTILINE,
)
"""A line of a list in a goal, with what it says of a field after its name."""
ITEM = compiled(r"^[^\S\n]*(?:[-*•–]|\d{1,2}[.)])\s+", re.MULTILINE)
ROW = compiled(r"^[^\S\n]*\|(.+)\|[^\S\n]*$", re.MULTILINE)
