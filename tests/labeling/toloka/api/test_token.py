"""The token: from the environment or a private file, shown nowhere."""

from __future__ import annotations

import copy
import pickle
import traceback
from pathlib import Path

import pytest

from budget.errors import InputError
from labeling.toloka.api.client import connect
from labeling.toloka.api.token import Token, read_token
from tests.labeling.toloka.ground import CANARY


def file(folder: Path, mode: int, content: str = f"{CANARY}\n") -> dict[str, str]:
    path = folder / "token"
    path.write_text(content)
    path.chmod(mode)
    return {"TOLOKA_TOKEN_FILE": str(path)}


def test_it_is_read_from_the_environment_or_else_from_a_private_file(tmp_path: Path) -> None:
    assert read_token({"TOLOKA_TOKEN": f" {CANARY} "}).reveal() == CANARY
    assert read_token(file(tmp_path, 0o600)).reveal() == CANARY
    both = {"TOLOKA_TOKEN": "other", **file(tmp_path, 0o600)}
    assert read_token(both).reveal() == "other"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o666])
def test_a_file_that_others_may_read_is_refused_with_the_remedy(mode: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="chmod 600"):
        read_token(file(tmp_path, mode))


def test_no_token_says_where_one_is_looked_for() -> None:
    with pytest.raises(InputError, match=r"TOLOKA_TOKEN: no Toloka token; .* 0600"):
        read_token({})
    with pytest.raises(InputError, match="cannot be read"):
        read_token({"TOLOKA_TOKEN_FILE": "/nowhere/token"})


@pytest.mark.parametrize("content", ["", "\n", "two words", "new\nline", "umläut", "nul\0"])
def test_what_cannot_be_a_token_is_refused_without_being_shown(
    content: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        read_token(file(tmp_path, 0o600, content))
    assert not content.strip() or content.strip() not in str(caught.value)


def test_it_is_in_no_text_copy_or_traceback() -> None:
    token = Token(CANARY)
    assert CANARY not in f"{token} {token!r} {[token]} {vars(type(token))}"
    with pytest.raises(TypeError):
        pickle.dumps(token)
    with pytest.raises(TypeError):
        copy.deepcopy(token)
    api = connect(token, "http://127.0.0.1:9", timeout_s=0.2)
    assert CANARY not in f"{api!r} {api.name} {vars(api)}"
    try:
        api._client.get_requester()
    except Exception:
        assert CANARY not in traceback.format_exc()


@pytest.mark.parametrize(
    "where", ["http://toloka.dev", "ftp://x", "127.0.0.1:80", "http://127.0.0.1.evil.example", ""]
)
def test_a_token_is_not_sent_in_the_open(where: str) -> None:
    with pytest.raises(InputError, match="production, sandbox, an https address"):
        connect(Token(CANARY), where)


def test_production_and_sandbox_are_known_by_name() -> None:
    assert connect(Token(CANARY), "production").name == "Toloka PRODUCTION"
    assert connect(Token(CANARY), "Sandbox").name == "Toloka SANDBOX"
    assert (
        connect(Token(CANARY), "https://toloka.example").name == "Toloka at https://toloka.example"
    )
