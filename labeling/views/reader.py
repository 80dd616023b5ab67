"""The reader of a view: a tokenizer and a recursive descent, with positions in every error."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from budget.errors import InputError, nearest
from budget.money import Money
from labeling.views.columns import COLUMNS, Column
from labeling.views.tree import (
    OPPOSITE,
    Compare,
    Node,
    OneOf,
    Value,
    all_of,
    any_of,
    compare,
    opposite,
)

WORDS = ("and", "or", "not", "in", "true", "false")

_DEEPEST, _MOST_VALUES = 40, 500
_ORDERED = ("share", "number", "count", "dollars", "day")
_LARGEST = 1e15
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")"
    r"|(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<sign>==|!=|<=|>=|[<>(),]))"
)
_REMEDIES = {
    "=": "write == to compare",
    "&": "write and",
    "|": "write or",
    "!": "write not, or != to compare",
    "'": "the text has no closing quote",
    '"': "the text has no closing quote",
}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # text | number | word | sign | end
    text: str
    at: int


class Reader:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str, name: str, columns: Mapping[str, Column]) -> None:
        self._name, self._columns = name, columns
        self._tokens = self._split(text)
        self._next = 0
        self._values = 0

    def read(self) -> Node:
        """The whole expression as a tree."""
        if self._peek().kind == "end":
            raise InputError(f"{self._name}: empty; write a condition such as confidence >= 0.8")
        node = self._any(0)
        left = self._peek()
        if left.kind != "end":
            raise self._wrong(left, "does not belong here; join conditions by and / or")
        return node

    def _any(self, depth: int) -> Node:
        parts = [self._all(depth)]
        while self._skip("or"):
            parts.append(self._all(depth))
        return any_of(parts)

    def _all(self, depth: int) -> Node:
        parts = [self._term(depth)]
        while self._skip("and"):
            parts.append(self._term(depth))
        return all_of(parts)

    def _term(self, depth: int) -> Node:
        token = self._peek()
        if depth > _DEEPEST:
            raise self._wrong(token, f"is nested more than {_DEEPEST} deep; write it flatter")
        if self._skip("not"):
            return opposite(self._term(depth + 1))
        if self._skip("("):
            node = self._any(depth + 1)
            self._expect(")")
            return node
        return self._comparison()

    def _comparison(self) -> Node:
        token = self._take()
        if token.kind != "word" or token.text.lower() in WORDS:
            raise self._wrong(token, "is not a column; a condition is COLUMN OPERATOR VALUE")
        column, kind = token.text, self._column(token).kind
        sign = self._peek()
        if sign.text in OPPOSITE:
            self._take()
            if sign.text not in ("==", "!=") and kind not in _ORDERED:
                raise self._wrong(sign, f"has no meaning for {column}; use ==, != or in")
            return compare(column, sign.text, self._value(column))
        negated = self._skip("not")
        if negated or self._word(self._peek()) == "in":
            self._expect("in")
            return self._list(column, negated)
        if kind == "flag":
            return Compare(column, "==", True)
        raise self._wrong(
            sign, f"follows {column}; expected one of {' '.join(OPPOSITE)} or in (...)"
        )

    def _list(self, column: str, negated: bool) -> OneOf:
        if self._columns[column].kind == "flag":
            raise self._wrong(self._peek(), f"follows {column}, which is true or false")
        self._expect("(")
        values = [self._value(column)]
        while self._skip(","):
            values.append(self._value(column))
        self._expect(")")
        return OneOf(column, tuple(sorted(set(values))), negated)

    def _value(self, column: str) -> Value:
        token = self._take()
        self._values += 1
        if self._values > _MOST_VALUES:
            raise self._wrong(token, f"is one value too many; the most is {_MOST_VALUES}")
        if token.kind not in ("text", "number") and self._word(token) not in ("true", "false"):
            quoted = f"; put texts in quotes: '{token.text}'" if token.kind == "word" else ""
            raise self._wrong(token, f"is not a value for {column}{quoted}")
        try:
            return _READERS[self._columns[column].kind](token)
        except ValueError as error:
            raise self._wrong(token, f"is not a value for {column}: {error}") from None

    # --- tokens ---

    def _split(self, text: str) -> list[_Token]:
        tokens, at = [], 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                start = at + len(text[at:]) - len(text[at:].lstrip())
                odd = _Token("sign", text[start], start + 1)
                remedy = _REMEDIES.get(text[start], "no view has it outside quotes")
                raise self._wrong(odd, f"cannot be read: {remedy}")
            kind = match.lastgroup
            tokens.append(_Token(kind, match[kind], match.start(kind) + 1))
            at = match.end()
        return [*tokens, _Token("end", "", len(text) + 1)]

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _word(self, token: _Token) -> str:
        return token.text.lower() if token.kind == "word" else ""

    def _skip(self, text: str) -> bool:
        token = self._peek()
        if (token.kind == "sign" and token.text == text) or self._word(token) == text:
            self._take()
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._skip(text):
            raise self._wrong(self._peek(), f"found where {text!r} is expected")

    def _column(self, token: _Token) -> Column:
        column = self._columns.get(token.text)
        if column is None:
            elsewhere = "cannot be asked here" if token.text in COLUMNS else "is not known"
            remedy = nearest(token.text, tuple(self._columns))
            if token.text in COLUMNS:
                remedy = f"valid are {', '.join(self._columns)}"
            raise InputError(
                f"{self._name}: column {token.text!r} at position {token.at} {elsewhere}; {remedy}"
            )
        return column

    def _wrong(self, token: _Token, what: str) -> InputError:
        shown = repr(token.text) if token.kind != "end" else "the end"
        return InputError(f"{self._name}: {shown} at position {token.at} {what}")


def _unquoted(token: _Token) -> str:
    if token.kind == "number":
        return token.text
    if token.kind == "word":
        raise ValueError("write it in quotes")
    quote = token.text[0]
    return token.text[1:-1].replace(quote * 2, quote)


def _number(token: _Token) -> float:
    if token.kind != "number":
        raise ValueError("write a number")
    value = float(token.text)
    if not math.isfinite(value) or abs(value) > _LARGEST:
        raise ValueError("too large")
    return value + 0.0  # -0.0 is 0.0


def _share(token: _Token) -> float:
    value = _number(token)
    if not 0 <= value <= 1:
        raise ValueError("it is a share from 0 to 1, such as 0.8")
    return value


def _dollars(token: _Token) -> int:
    return Money.parse(_unquoted(token), "dollars").micros


def _flag(token: _Token) -> bool:
    if token.text.lower() not in ("true", "false"):
        raise ValueError("write true or false")
    return token.text.lower() == "true"


def _day(token: _Token) -> int:
    try:
        return date.fromisoformat(_unquoted(token)).toordinal()
    except ValueError:
        raise ValueError("write a day as '2030-12-31'") from None


def _id(token: _Token) -> str:
    text = _unquoted(token).lower()
    if not re.fullmatch(r"[0-9a-f]{4,32}", text):
        raise ValueError("an id is 4 to 32 hexadecimal digits in quotes")
    return text


_READERS: Mapping[str, Callable[[_Token], Value]] = {
    "text": _unquoted,
    "class": _unquoted,
    "id": _id,
    "share": _share,
    "number": _number,
    "count": _number,
    "dollars": _dollars,
    "flag": _flag,
    "day": _day,
}
