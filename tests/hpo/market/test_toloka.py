"""Before real money moves: what is refused in one line, what is said, and what has to be typed."""

from __future__ import annotations

import io
import json
import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest

from budget.money import Money
from budget.tariffs.suite import SuiteTariff
from hpo.run import main
from labeling.crowd.scenario import load_scenario
from labeling.toloka.server import Server, Settings
from tests.commands import small_flags

TOKEN = "right-canary-77aa01"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server(Settings(load_scenario("default")), token=TOKEN)
    running.start()
    yield running
    running.close()


@pytest.fixture
def labelworth(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Runs a command in this process against the server: exit code, stdout, stderr."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    server.reset(Settings(load_scenario("default"), balance=Money(5_000_000)))
    monkeypatch.setenv("LABELWORTH_TOLOKA_URL", server.url)
    monkeypatch.setenv("TOLOKA_TOKEN", TOKEN)
    monkeypatch.delenv("TOLOKA_TOKEN_FILE", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(words)
        said = capsys.readouterr()
        assert TOKEN not in said.out + said.err
        return code, said.out, said.err

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def made(server: Server) -> int:
    """Objects that were ever created on the platform."""
    world = server.platform.world
    return len(world.projects) + len(world.pools) + len(world.skills) + len(world.tasks)


def first_orders() -> list[int]:
    """The pages paid in each order of study s, in the sequence of the orders."""
    with closing(sqlite3.connect("runs/s/labelworth.sqlite")) as database:
        rows = database.execute(
            "SELECT count(a.id) FROM orders o LEFT JOIN assignments a ON a.order_id = o.id "
            "GROUP BY o.id ORDER BY o.id"
        )
        return [row[0] for row in rows]


def real(data: str, **more: str | None) -> list[str]:
    """A small study on Toloka, its budget confirmed on the command line."""
    settings = {"market": "toloka", "image-url-prefix": "https://example.org/", "trials": "1"}
    settings |= {"confirm": "0", "study": "s", "overlap": "1", "tasks": "20%", **more}
    flags = [f"--{name}={value}" for name, value in settings.items() if value is not None]
    return [*small_flags(data, budget="1"), *flags]


CAMPAIGN = 'name = "x"\n[exam]\ntasks = 3\npass_correct = 4\n[[questions]]\nname="q"\ntext="?"\n'


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"image-url-prefix": None},
            r"image '\d+' has no address; give each image its own in a co",
        ),
        ({"image-url-prefix": "photos/"}, "'photos/' is no beginning of an address"),
        ({"price": "0.0001"}, r"\$0.001 per suite is below the platform's smallest reward"),
        (
            {"campaign": "bad.toml"},
            "bad.toml: exam: pass_correct = 4 of 3 tasks: nobody could pass",
        ),
        ({"campaign": "none.toml"}, "none.toml: no such campaign file"),
        ({"campaign": "name.toml"}, "question 'what is it' is no name for a Toloka field"),
        ({"campaign": "language.toml"}, "language_test: Toloka has no test of FI"),
        ({"overlap": "dynamic(1,3,0.9)"}, "dynamic overlap is not bought through Toloka's API"),
        ({"campaign": "two-questions", "question": "neat"}, "'neat' is a matter of taste"),
        ({"price-models": "both"}, "market toloka has its own price; leave it out"),
        ({"toloka-environment": "prod"}, "--toloka-environment: 'prod' is not known; did you mean"),
        ({"budget": "9"}, r"the account holds \$5.00, but \$9.00 may be spent; top it up, or give"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_created(
    more: dict[str, str | None], said: str, labelworth, server: Server, small_data: str
) -> None:
    Path("bad.toml").write_text(CAMPAIGN)
    Path("name.toml").write_text('name="x"\n[[questions]]\nname="what is it"\ntext="?"\n')
    Path("language.toml").write_text(
        'name="x"\nlanguage="FI"\nlanguage_test=true\n[[questions]]\nname="q"\ntext="?"\n'
    )
    code, out, err = labelworth(*real(small_data, **more), "--yes")
    assert code == 2
    assert re.search(said, err.strip().splitlines()[-1]), err
    assert "Traceback" not in err
    assert out == ""
    assert made(server) == 0
    assert not list(Path().glob("runs/*/study.json"))


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TOLOKA_TOKEN": ""}, "TOLOKA_TOKEN: no Toloka token; set it, or TOLOKA_TOKEN_FILE"),
        ({"TOLOKA_TOKEN": "a sandbox token"}, "holds blanks or other characters"),
        ({"TOLOKA_TOKEN": "sandbox"}, "is refused (HTTP 401); production and sandbox have a token"),
        ({"TOLOKA_TOKEN": "", "TOLOKA_TOKEN_FILE": "open"}, "others may read the token in it; run"),
        ({"LABELWORTH_TOLOKA_URL": "http://example.org"}, "is not on 127.0.0.1"),
    ],
)
@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_token_that_will_not_do_is_one_line_and_nothing_is_created(
    command: str,
    environment: dict[str, str],
    said: str,
    labelworth,
    server: Server,
    small_data: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("open").write_text(TOKEN)
    Path("open").chmod(0o644)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, out, err = labelworth(
        *(["doctor"] if command == "doctor" else [*real(small_data), "--yes"])
    )
    assert code == 2
    assert said in err.strip().splitlines()[-1], err
    assert out == ""
    assert made(server) == 0
    assert not list(Path().glob("runs/*/study.json"))


@pytest.mark.parametrize("command", ["run", "buy", "reconcile"])
def test_a_market_without_pools_has_none_to_archive(
    command: str, labelworth, small_study, small_data: str
) -> None:
    folder = str(small_study(study="s").folder)
    words = {"run": small_flags(small_data), "buy": ["buy", folder]}
    code, out, err = labelworth(*words.get(command, ["reconcile", folder]), "--archive")
    assert (code, out) == (2, "")
    assert err.strip().splitlines()[-1] == (
        "labelworth: --archive: the market simulated has no pools to archive; "
        "only rehearsal and toloka have"
    )


def test_without_a_terminal_or_without_the_amount_on_the_command_line_it_is_refused(
    labelworth, server: Server, small_data: str
) -> None:
    code, _, err = labelworth(*real(small_data))
    assert (code, "there is no terminal to confirm it on; add --yes and --budget" in err) == (
        2,
        True,
    )
    Path("study.toml").write_text("budget = 1\n")
    words = [word for word in real(small_data) if not word.startswith("--budget")]
    at = words.index("1")  # the value of the --budget that was left out
    code, _, err = labelworth(*words[:at], *words[at + 1 :], "--config", "study.toml", "--yes")
    assert (code, "--yes: confirms the amount of --budget" in err) == (2, True)
    assert made(server) == 0


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("typed", ["", "\n", "yes\n", "0.99\n", "1000\n"])
def test_another_amount_buys_nothing(
    typed: str, labelworth, server: Server, small_data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    code, _, err = labelworth(*real(small_data))
    assert code == 4
    assert "is not 1.00: nothing was bought" in err.strip().splitlines()[-1]
    assert made(server) == 0
    assert not list(Path().glob("runs/*/study.json"))


@pytest.mark.parametrize("typed", ["1\n", pytest.param("$1.00\n", marks=pytest.mark.slow)])
def test_the_amount_typed_buys_after_the_plan_was_said(
    typed: str, labelworth, server: Server, small_data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    code, out, err = labelworth(*real(small_data), "--json", "full")
    assert code == 0, err
    report = json.loads(out)
    assert report["market"]["real_money"]
    assert report["money"]["spent"]["micros"] == server.platform.world.account.charged.micros > 0
    assert re.search(
        r"This buys at most \$1.00 on Toloka at \S+, fee included: about 1 trials of \$0.\d\d to ",
        err,
    )
    host = server.url.removeprefix("http://")
    assert f"The requests go to {host}. The fee is 30 % of each reward, at least $0.001" in err
    assert re.search(r"At most \d+ pages of 10 tasks are paid, by at most \d+ people\.", err)
    assert "The account holds $5.00." in err
    assert first_orders()[0] == 1 < len(first_orders())
    assert "NOTE" not in err
    monkeypatch.delenv("TOLOKA_TOKEN")  # to read an answer, or to quote, takes none
    code, out, _ = labelworth("report", "runs/s")
    assert (code, out.startswith("REAL MONEY: $0.")) == (0, True)
    assert "REAL MONEY on Toloka PRODUCTION" in labelworth("status", "runs/s")[1]
    assert labelworth("plan", *real(small_data))[0] == 0


def test_a_study_killed_before_it_had_an_account_is_started_like_any_other(
    tmp_path: Path,
) -> None:
    from budget.database import open_database
    from hpo.settings.config import make_config
    from hpo.settings.run_folder import balance_in

    config = make_config({"budget": "1", "study": "s"})
    assert balance_in(tmp_path, config) is None
    open_database(tmp_path / "labelworth.sqlite").connect().close()
    assert (tmp_path / "labelworth.sqlite").exists()
    assert balance_in(tmp_path, config) is None


def test_a_fee_that_is_not_the_assumed_one_is_noticed(
    labelworth, server: Server, small_data: str
) -> None:
    tariff = SuiteTariff(fee_share=Fraction(1, 2))
    server.reset(Settings(load_scenario("default"), balance=Money(5_000_000), tariff=tariff))
    code, _, err = labelworth(*real(small_data), "--yes", "--json", "full")
    assert code == 5, err
    told = r"after order \S+ the account's balance fell by \$\S+, and the ledger settled \$\S+\. N"
    assert re.search(told, err)
    assert "--fee-share" in err
    assert first_orders() == [1]  # one page was bought, and nothing after it
    assert server.platform.world.account.charged == tariff.cost(1, Money(10_000))
    code, out, _ = labelworth("reconcile", "runs/s")
    assert code == 5
    assert "- the account's balance fell by $0.015, and the ledger settled $0.013: look at" in out


def test_a_token_file_that_only_its_owner_reads_will_do_and_doctor_changes_nothing(
    labelworth, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("token").write_text(TOKEN + "\n")
    Path("token").chmod(0o600)
    monkeypatch.delenv("TOLOKA_TOKEN")
    monkeypatch.setenv("TOLOKA_TOKEN_FILE", "token")
    code, out, _ = labelworth("doctor")
    assert "the token is good" in out
    assert "balance: $5.00" in out
    assert "pools within a day: 0 of 100" in out
    assert (code, "Nothing was changed; all is well." in out) == (0, True)
    _, out, _ = labelworth("doctor", "--json")
    assert json.loads(out)["balance"] == {"usd": "5.00", "micros": 5_000_000}
    assert made(server) == 0


def test_from_python_real_money_needs_a_word_of_its_own(
    labelworth, small_study, server: Server
) -> None:
    study = small_study(market="toloka", image_url_prefix="https://example.org/", trials=1)
    with pytest.raises(Exception, match=r"confirm it with run\(real_money=True\)"):
        study.run()
    assert made(server) == 0
