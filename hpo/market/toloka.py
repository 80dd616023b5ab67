"""Toloka as a market, for real money; and what every market behind its API needs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from budget.errors import InputError
from hpo.data.image_urls import addresses, refuse_hidden
from hpo.market import stop_signals
from hpo.market.lazy_source import LazyPooledSource, ReachedSource, say_who
from hpo.market.market import Market, MarketAccount, Opening
from hpo.market.simulated import crowd_of, crowd_seed_of
from hpo.settings.config import StudyConfig
from labeling.campaign.campaign import OBJECTIVE
from labeling.campaign.templates import stands_for
from labeling.crowd.source import CrowdSource
from labeling.source import PooledSource

if TYPE_CHECKING:
    from labeling.toloka.api.client import Api
    from labeling.toloka.source import TolokaSource

_LONGEST = 360.0  # minutes that a pool without a deadline stays open if this process dies
URL = "LABELWORTH_TOLOKA_URL"
"""For tests: the address of a local server to be taken for Toloka; on this machine only."""


def open_market(opening: Opening) -> Market:
    """Toloka itself; the crowd in process only says how long things take.

    Raises:
        InputError: the campaign cannot be asked there, or an image has no address.
    """
    config, crowd = opening.config, crowd_of(opening)
    check_askable(opening)
    where = addresses(config, opening.data, shown_rows(opening))
    refuse_hidden(where, opening.data)
    _check_question(opening)

    def reached() -> ReachedSource[PooledSource]:
        folder = opening.folder
        assert folder is not None  # noqa: S101 - else there is no lazy source
        api = reach(config.toloka_environment)
        horizon = max(_LONGEST, config.max_minutes or 0.0)
        source = api_source(opening, crowd, where, folder / "market", api, horizon)
        return ReachedSource(source)

    name = f"toloka:{config.toloka_environment}"
    return behind_api(opening, name, _notes(opening), crowd, reached)


def account(config: StudyConfig) -> MarketAccount:
    """The balance of the user's account.

    Raises:
        InputError: no token, or a wrong one.
    """
    from labeling.toloka.source import balance_of

    api = reach(config.toloka_environment)
    return MarketAccount(api.name, balance_of(api), api.host)


def behind_api(
    opening: Opening,
    name: str,
    notes: list[str],
    crowd: CrowdSource,
    reached: Callable[[], ReachedSource[PooledSource]],
) -> Market:
    """A market behind Toloka's API; without a folder it quotes, and the crowd would answer."""
    scenario = crowd.scenario.name
    if opening.folder is None:
        return opening.market(name, crowd, notes, scenario, crowd)
    source = LazyPooledSource(reached, opening.config.tariff, crowd.expected_minutes)
    return opening.market(name, source, notes, scenario, crowd, source)


def shown_rows(opening: Opening) -> list[int]:
    """Rows of the images that annotators see."""
    data = opening.data
    asked = [row for role in ("pool", "control") for row in data.rows[role]]
    return [int(row) for row in (*asked, *data.asked_tests)]


def check_askable(opening: Opening) -> None:
    """Refuse what cannot be bought through Toloka's API, before anything is made or spent.

    Raises:
        InputError: naming the field, and the remedy.
    """
    from labeling.toloka.describe.askable import check_campaign

    check_campaign(opening.campaign)
    if opening.config.dynamic_overlap:
        raise InputError(
            "--overlap: dynamic overlap is not bought through Toloka's API here; give whole numbers"
        )


def _check_question(opening: Opening) -> None:
    question = opening.campaign.questions[opening.question]
    if question.kind != OBJECTIVE:
        raise InputError(
            f"--question: {question.name!r} is a matter of taste: a model of it is judged by many "
            "people's answers to every validation and final image, which a study on Toloka does "
            "not buy; choose a question with a right answer, or another market"
        )


def _notes(opening: Opening) -> list[str]:
    config = opening.config
    stand_in = stands_for(opening.campaign, opening.data.classes)
    return [
        f"Labels were bought on Toloka {config.toloka_environment}. The fee is taken to be "
        f"{100 * float(config.fee_share):.4g} % of the reward, at least {config.fee_minimum}; "
        f"minutes beforehand are those of the simulated crowd {config.scenario!r}.",
        *([stand_in] if stand_in is not None else []),
    ]


def reach(environment: str) -> Api:
    """The API of Toloka with the user's token.

    Raises:
        InputError: no token, or a stand-in for Toloka that is not on this machine.
    """
    from labeling.toloka.api.client import connect
    from labeling.toloka.api.clock import PlatformClock
    from labeling.toloka.api.token import read_token

    token, url = read_token(), os.environ.get(URL)
    if not url:
        return connect(token, environment, stop_signals.PatientClock())
    if urlsplit(url).hostname != "127.0.0.1":
        raise InputError(f"{URL}: {url!r} is not on 127.0.0.1; unset it to reach Toloka")
    return connect(token, url, PlatformClock(url, token))


def api_source(
    opening: Opening,
    crowd: CrowdSource,
    where: dict[int, str],
    folder: Path,
    api: Api,
    horizon: float,
) -> TolokaSource:
    """A study's images on a platform that speaks Toloka's API.

    Args:
        opening: the market's.
        crowd: says how long things take.
        where: address of each image shown.
        folder: where its intents are written.
        api: the platform.
        horizon: minutes after which a pool closes by itself.
    """
    from labeling.toloka.describe.shown_tasks import ShownTasks
    from labeling.toloka.source import TolokaSource

    config, data = opening.config, opening.data
    controls = {int(row): int(data.truth[row]) for row in data.rows["control"]}
    goods = ShownTasks(crowd.campaign, where.__getitem__, controls, crowd_seed_of(opening))
    return TolokaSource(
        api,
        goods,
        config.tariff,
        folder,
        config.study,
        minutes=crowd.expected_minutes,
        horizon_minutes=horizon,
        stopping=stop_signals.asked,
        waits=say_who,
    )
