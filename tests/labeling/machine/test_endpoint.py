"""A model behind an endpoint: what it is sent, what its replies mean, and what they cost."""

from __future__ import annotations

import gzip
import json
import os
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest

from budget.errors import InputError
from budget.money import Money
from labeling.machine import MACHINE
from labeling.machine.endpoint import EndpointModel, Prompt
from labeling.machine.endpoint_settings import read_endpoint
from labeling.machine.replies import Call, MachineReply
from labeling.machine.source import MachineSource
from labeling.types import Condition, Order
from tests.labeling.machine.raw_endpoint import answer, raw_endpoint
from tests.labeling.machine.stand_in import FAULTS, READ, WRITTEN, endpoint, settings_file

FAR = datetime(2099, 1, 1, tzinfo=UTC)
PROMPT = Prompt.of("Look well.", "Which animal?", ("cat", "dog", "fox"))


def model_at(folder: Path, url: str, key: str = "", **more: object) -> EndpointModel:
    settings = read_endpoint(settings_file(folder, url, **more))
    return EndpointModel(
        settings, PROMPT, lambda row: f"picture {row}".encode(), key, lambda _: None
    )


def calls(count: int) -> list[Call]:
    return [Call(row, 0, f"k{row}", f"k{row}-0") for row in range(count)]


def test_a_letter_is_a_class_and_its_log_probability_the_confidence(tmp_path: Path) -> None:
    with endpoint() as (url, bill):
        model = model_at(tmp_path, url, "s3cret")
        replies = dict(model.ask(calls(6)))
    assert len(replies) == 6
    assert {reply.cost for reply in replies.values()} == {Money(READ + 4 * WRITTEN)}
    assert all(reply.cost < model.most and not reply.trouble for reply in replies.values())
    tops = [max(reply.said) for reply in replies.values()]
    assert min(tops) == pytest.approx(0.9, abs=0.02)
    assert bill.keys == {"Bearer s3cret"}
    assert "s3cret" not in repr(model) + model.version


def test_repeated_answers_give_shares(tmp_path: Path) -> None:
    with endpoint() as (url, _):
        model = model_at(tmp_path, url, repeats=4)
        [(_, reply)] = model.ask(calls(1))
    assert sum(reply.said) == pytest.approx(1)
    assert model.most > model_at(tmp_path, url).most


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_ends_in_a_reply_that_says_so_or_in_none(tmp_path: Path, fault: str) -> None:
    with endpoint(1.0, faults=[fault]) as (url, _):
        model = model_at(tmp_path, url)
        replies: list[MachineReply] = [reply for _, reply in model.ask(calls(2))]
    if fault in ("drop", "truncate", "lost after billing"):
        assert replies == []
    elif fault == "slow":
        assert [(r.cost, r.trouble) for r in replies] == [
            (Money(0), "the endpoint has no time")
        ] * 2
    elif fault == "refuse":
        assert {r.trouble for r in replies} == {"refused or malformed"}
        assert all(r.cost > Money(0) for r in replies)
    else:
        dear = fault == "overcount"
        assert all((r.cost > model.most) == dear for r in replies)
        assert all(r.cost == model.most for r in replies if fault == "no usage")


def bought(folder: Path, url: str, rows: int, limit: int) -> tuple[int, int]:
    """Micro-dollars that an order's assignments cost, and answers that are missing."""
    model = model_at(folder, url)
    condition = Condition("d", f"m{MACHINE}", "c", model.most, 0, 1, False)
    order = Order(condition, 0, tuple((row, 1) for row in range(rows)), limit, None)
    source = MachineSource(model, [f"h{row}" for row in range(rows)], folder / "kept")
    pages = list(source.collect(source.place(order)))
    assert pages[-1].end is not None
    paid = sum(a.reward.micros for page in pages for a in page.assignments)
    assert paid <= limit * model.most.micros
    return paid, pages[-1].end.missing


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_endpoint_does_the_hold_bears_and_the_books_cover_the_bill(
    tmp_path: Path, seed: int
) -> None:
    faults = [fault for fault in FAULTS if fault != "overcount"]
    with endpoint(0.3, seed, faults) as (url, bill):
        paid, missing = bought(tmp_path, url, 40, 60)
        requests = sum(bill.faults.values())
        assert bought(tmp_path, url, 40, 60) == (paid, missing)
        assert sum(bill.faults.values()) == requests  # the second time nothing is asked
    assert len([fault for fault in bill.faults if fault]) >= 4
    assert bill.micros(1, 4) <= paid
    refused = [key for key, reply in bill.replies.items() if "cannot" in str(reply)]
    assert len(bill.tokens) <= 40 + len(refused)  # an image is billed again after a refusal only


@pytest.mark.parametrize("seed", range(3))
def test_an_endpoint_that_counts_too_many_tokens_is_left_before_the_hold_is_used_up(
    tmp_path: Path, seed: int
) -> None:
    with endpoint(0.5, seed, ["overcount"]) as (url, bill):
        paid, missing = bought(tmp_path, url, 60, 72)
    assert missing
    assert bill.micros(1, 4) == paid


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"url": "http://models.example/v1"}, "only an address of this machine"),
        ({"url": "ftp://x"}, "is no address"),
        ({"model": "other"}, r"table \[prices.other\]"),
        ({"image_tokens": 0}, "whole number of at least 1"),
        ({"imagetokens": 5}, "no such key"),
    ],
)
def test_a_wrong_description_is_one_line(tmp_path: Path, change: dict, problem: str) -> None:
    url = "http://127.0.0.1:1/v1"
    with pytest.raises(InputError, match=problem):
        read_endpoint(settings_file(tmp_path, **{"url": url, **change}))


def test_a_key_comes_from_the_environment_or_a_private_file(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("s3cret\n")
    settings = read_endpoint(
        settings_file(tmp_path, "https://x/v1", key_variable="MODEL_KEY", key_file=str(secret))
    )
    assert settings.key({"MODEL_KEY": "other"}) == "other"
    os.chmod(secret, 0o644)
    with pytest.raises(InputError, match="chmod 600"):
        settings.key({})
    os.chmod(secret, 0o600)
    assert settings.key({}) == "s3cret"
    assert "s3cret" not in repr(settings)


def test_an_endpoint_that_is_not_there_gives_no_reply(tmp_path: Path) -> None:
    assert list(model_at(tmp_path, "http://127.0.0.1:1/v1").ask(calls(2))) == []


CHOICE: dict[str, object] = {"message": {"content": "A"}}
TOP = {"token": "A", "logprob": 0}
ODD_BODIES: dict[str, bytes] = {
    "nested": b"[" * 100_000,
    "nested inside": b'{"choices":' + b"[" * 100_000,
    "a huge logarithm": json.dumps(
        {"choices": [CHOICE | {"logprobs": {"content": [{"top_logprobs": [TOP]}]}}]}
    )
    .replace('"logprob": 0', f'"logprob": {10**400}')
    .encode(),
    "HTML": b"<html>who are you?</html>",
    "packed": gzip.compress(b"0" * 10_000_000),
    "another encoding": b"\xff\xfe\xff",
}


@pytest.mark.parametrize("kind", ODD_BODIES)
def test_an_odd_body_is_paid_in_full_and_ends_nothing(tmp_path: Path, kind: str) -> None:
    with raw_endpoint(answer(ODD_BODIES[kind])) as url:
        model = model_at(tmp_path, url)
        [(_, reply)] = model.ask(calls(1))
    assert reply.cost == model.most
    assert bool(reply.said) == (kind == "a huge logarithm")


@pytest.mark.parametrize("tokens", [True, -1, 2.5, "3", None, 10**30, 10**4000])
def test_tokens_that_are_no_count_are_the_most(tmp_path: Path, tokens: object) -> None:
    usage = {"prompt_tokens": tokens, "completion_tokens": 1}
    body = json.dumps({"choices": [CHOICE], "usage": usage}).encode()
    with raw_endpoint(answer(body)) as url:
        model = model_at(tmp_path, url)
        [(_, reply)] = model.ask(calls(1))
    assert reply.cost == model.most


DRIPS = {
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n", b" "),
    "header": (b"HTTP/1.1 200 OK\r\nX: ", b"a"),
    "go on": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("kind", DRIPS)
def test_a_reply_that_drips_is_lost_after_its_time(tmp_path: Path, kind: str) -> None:
    with raw_endpoint(*DRIPS[kind]) as url:
        begun = time.monotonic()
        assert list(model_at(tmp_path, url, timeout=1).ask(calls(1))) == []
    assert 0.9 < time.monotonic() - begun < 20


def test_a_chunk_below_nothing_is_a_lost_reply(tmp_path: Path) -> None:
    with raw_endpoint(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc") as url:
        assert list(model_at(tmp_path, url).ask(calls(1))) == []


def test_a_reply_that_sends_elsewhere_ends_it_and_the_key_stays(tmp_path: Path) -> None:
    with endpoint() as (other, bill):
        moved = answer(b"", f"307 Moved\r\nLocation: {other}/chat/completions")
        with raw_endpoint(moved) as url, pytest.raises(InputError, match="HTTP 307; check url"):
            list(model_at(tmp_path, url, "s3cret").ask(calls(1)))
    assert not bill.keys


@pytest.mark.parametrize(("told", "least"), [("7", 7.0), (format_datetime(FAR), 20.0), ("x", 0.5)])
def test_a_wait_is_asked_for_in_seconds_or_by_a_date(
    tmp_path: Path, told: str, least: float
) -> None:
    waits: list[float] = []
    with raw_endpoint(answer(b"", f"429 Slow\r\nRetry-After: {told}")) as url:
        settings = read_endpoint(settings_file(tmp_path, url, wait=20))
        [(_, reply)] = EndpointModel(settings, PROMPT, lambda _: b"", "", waits.append).ask(
            calls(1)
        )
    assert (reply.cost, waits[0]) == (Money(0), least)


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-\u2026", "sk a"])
def test_a_key_that_no_header_may_hold_is_one_line_without_it(tmp_path: Path, key: str) -> None:
    settings = read_endpoint(settings_file(tmp_path, "https://h/v1", key_variable="THE_KEY"))
    with pytest.raises(InputError, match="THE_KEY: the token is empty or holds") as refused:
        settings.key({"THE_KEY": key})
    assert "sk" not in refused.value.line


@pytest.mark.parametrize(
    "url",
    ["https://h:99999/v1", "https://h:x/v1", "https://[::1", "https://h/v 1", "https://h/?a=1"],
)
def test_an_address_that_cannot_be_asked_is_one_line(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="is no address such as"):
        read_endpoint(settings_file(tmp_path, url))


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-1", "[]", "{}", "true", "07:32:00", '"x"', "1e9"]
)
@pytest.mark.parametrize("name", ["model", "image_tokens", "input", "timeout"])
def test_a_value_of_another_kind_is_one_line(tmp_path: Path, name: str, value: str) -> None:
    path = settings_file(tmp_path, "https://h/v1", timeout=5)
    lines = [
        f"{name} = {value}" if line.startswith(f"{name} =") else line
        for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines))
    if (name, value) == ("model", '"x"'):
        value = "prices"  # the table of another model is missing
    with pytest.raises(InputError, match=name if value != "prices" else value):
        read_endpoint(path)
