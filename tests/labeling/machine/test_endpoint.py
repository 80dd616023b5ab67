"""A model behind an endpoint: what it is sent, what its replies mean, and what they cost."""

from __future__ import annotations

import os
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
from tests.labeling.machine.stand_in import FAULTS, READ, WRITTEN, endpoint, settings_file

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
