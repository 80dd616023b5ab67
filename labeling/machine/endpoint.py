"""A model behind an endpoint of chat completions, asked about images one by one.

The classes are lettered, and the answer is one letter. Its confidence is that of the letter's
log-probabilities, or the shares of repeated answers. Tokens are paid as the endpoint tells them; a
reply that does not tell them counts as the most.
"""

from __future__ import annotations

import base64
import hashlib
import math
import string
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from budget.errors import InputError
from budget.money import ZERO, Money
from labeling.machine.endpoint_settings import EndpointSettings
from labeling.machine.replies import Call, MachineReply
from labeling.machine.wire import WireReply, post

_LETTERS = string.ascii_uppercase
_OVERHEAD = 64  # tokens that an endpoint may add to a message
_PATIENCE = 6  # times that a call is put off
_SLOW = (408, 425, 429, 503, 529)  # not served, and so not paid
_MOST_TOKENS = 10**9  # of one call: more are no count
_LEAST = 1e-4  # probability of a class that is not among the likeliest


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is told about an image.

    Attributes:
        text: the instructions, the question and the lettered classes.
        classes: number of classes.
    """

    text: str
    classes: int

    @classmethod
    def of(cls, instructions: str, question: str, classes: Sequence[str]) -> Prompt:
        """The prompt of a question.

        Raises:
            InputError: there are more classes than letters.
        """
        if len(classes) > len(_LETTERS):
            raise InputError(
                f"--machine: an endpoint is asked for a letter, and there are {len(classes)} "
                f"classes; give at most {len(_LETTERS)}"
            )
        listed = [f"{letter}) {name}" for letter, name in zip(_LETTERS, classes, strict=False)]
        parts = [instructions if instructions != question else "", question, *listed]
        ask = "Answer with the letter of one class and nothing else."
        return cls("\n".join([*filter(None, parts), ask]), len(classes))


class EndpointModel:
    """A model behind an endpoint.

    Args:
        settings: the endpoint.
        prompt: what it is told.
        image: gives the bytes of an image's PNG file, by row.
        key: of the endpoint; "" for none.
        sleep: waits some seconds.
    """

    is_recorded = False
    batches = (1, 32)
    spare = Fraction(1, 5)

    def __init__(
        self,
        settings: EndpointSettings,
        prompt: Prompt,
        image: Callable[[int], bytes],
        key: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._prompt = prompt
        self._image = image
        self._key = key
        self._sleep = sleep
        told = f"{settings.model}\x1f{prompt.text}\x1f{settings.image_side}\x1f{settings.repeats}"
        digest = hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
        self.version = f"endpoint-{digest}"

    @property
    def most(self) -> Money:
        """The most tokens of prompt and answers: a token has a byte at least."""
        read = len(self._prompt.text.encode()) + _OVERHEAD + self._settings.image_tokens
        return self._settings.price(read, self._settings.output_tokens * self._settings.repeats)

    @property
    def usual(self) -> Money:
        """A prompt's tokens have four bytes in the mean, and an answer is one letter."""
        read = len(self._prompt.text.encode()) // 4 + self._settings.image_tokens
        return min(self.most, self._settings.price(read, 2 * self._settings.repeats))

    def ask(self, calls: Sequence[Call]) -> Iterator[tuple[Call, MachineReply]]:
        """Ask about images, several at once.

        Raises:
            InputError: the endpoint refuses the key, the model or the request.
        """
        refused = ""
        with ThreadPoolExecutor(self._settings.concurrency) as workers:
            asked = {workers.submit(self._one, call): call for call in calls}
            for done in as_completed(asked):
                reply = done.result()
                if reply is None:
                    continue  # lost: it may have been paid
                if reply.trouble.startswith("HTTP "):
                    refused = reply.trouble
                yield asked[done], reply
        if refused:
            raise InputError(
                f"--machine: the endpoint answers {refused}; check url, model and key in its file"
            )

    def _one(self, call: Call) -> MachineReply | None:
        """One call; None where no reply came."""
        headers = {"Idempotency-Key": call.once}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        url = f"{self._settings.url.rstrip('/')}/chat/completions"
        body = self._body(call.row)
        for turn in range(_PATIENCE):
            got = post(url, body, headers, self._settings.timeout)
            if got.status not in _SLOW:
                break
            self._sleep(min(self._settings.wait, max(got.wait, 0.5 * 2**turn)))
        if got.status in _SLOW:
            return MachineReply((), ZERO, "the endpoint has no time")
        if got.status == 0 or got.status >= 500:
            return None
        if got.status >= 300:  # moved elsewhere, too: the key goes to no other address
            return MachineReply((), ZERO, f"HTTP {got.status}")
        return self._read(got)

    def _body(self, row: int) -> dict[str, Any]:
        data = base64.b64encode(self._image(row)).decode()
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
        text = {"type": "text", "text": self._prompt.text}
        body: dict[str, Any] = {
            "model": self._settings.model,
            "messages": [{"role": "user", "content": [text, picture]}],
            "max_tokens": self._settings.output_tokens,
        }
        if self._settings.repeats > 1:
            return {**body, "n": self._settings.repeats, "temperature": 1}
        return {**body, "temperature": 0, "logprobs": True, "top_logprobs": 20}

    def _read(self, got: WireReply) -> MachineReply:
        cost = self._cost(got.body.get("usage"))
        choices = got.body.get("choices")
        choices = choices if isinstance(choices, list) else []
        codes = [self._code(choice) for choice in choices]
        named = [code for code in codes if code is not None]
        if not named:
            return MachineReply((), cost, "refused or malformed")
        return MachineReply(self._said(named, choices[codes.index(named[0])]), cost)

    def _cost(self, usage: object) -> Money:
        counts = usage if isinstance(usage, Mapping) else {}
        read, written = (_tokens(counts.get(f"{kind}_tokens")) for kind in ("prompt", "completion"))
        if read is None or written is None:
            return self.most
        return self._settings.price(read, written)

    def _code(self, choice: object) -> int | None:
        """The class that a choice names; None for anything else."""
        message = choice.get("message") if isinstance(choice, Mapping) else None
        text = message.get("content") if isinstance(message, Mapping) else None
        return self._letter(text) if isinstance(text, str) else None

    def _letter(self, text: str) -> int | None:
        letter = text.strip().strip(").").upper()
        at = _LETTERS.find(letter) if len(letter) == 1 else -1
        return at if 0 <= at < self._prompt.classes else None

    def _said(self, codes: Sequence[int], choice: Mapping[str, Any]) -> tuple[float, ...]:
        """Probabilities: of the log-probabilities of the first token, else shares of answers."""
        classes = self._prompt.classes
        likely = [_LEAST] * classes
        for token, logarithm in _first_token(choice):
            code = self._letter(token)
            if code is not None:
                likely[code] += math.exp(min(0.0, logarithm))
        if sum(likely) <= _LEAST * classes * 1.5:
            likely = [
                (codes.count(code) + 1 / classes) / (len(codes) + 1) for code in range(classes)
            ]
        total = sum(likely)
        return tuple(p / total for p in likely)


def _tokens(count: object) -> int | None:
    """A number of tokens; None for what is none."""
    if isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= _MOST_TOKENS:
        return count
    return None


def _first_token(choice: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The likeliest first tokens with their log-probabilities; empty where none are told."""
    try:
        told = choice["logprobs"]["content"][0]["top_logprobs"]
        return [(str(each["token"]), float(each["logprob"])) for each in told]
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        return []
