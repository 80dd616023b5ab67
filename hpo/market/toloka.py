"""Toloka as a study's market: for real money, or rehearsed against the local server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from budget.errors import InputError
from hpo.data.dataset import Dataset
from hpo.data.image_urls import addresses, stand_ins
from hpo.market import stop_signals
from hpo.market.lazy_source import Door, Opened
from hpo.settings.config import StudyConfig
from labeling.campaign.campaign import OBJECTIVE, Campaign
from labeling.crowd.source import CrowdSource

if TYPE_CHECKING:
    from labeling.toloka.api.client import Api
    from labeling.toloka.source import TolokaSource

_LONGEST = 360.0  # minutes that a pool without a deadline stays open, whatever happens to us
URL = "LABELWORTH_TOLOKA_URL"
"""For tests: the address of a local server to be taken for Toloka; on this machine only."""

REHEARSED = (
    "Rehearsal: these labels were bought through Toloka's API, by the code that spends real money, "
    "from a server on this machine."
)
NO_ADDRESSES = (
    "Rehearsal: the images have no addresses, so some that lead nowhere stood in; for real money "
    "give a column url or --image-url-prefix."
)


def check(config: StudyConfig, data: Dataset, campaign: Campaign, asked: int) -> dict[int, str]:
    """Refuse what cannot be bought on Toloka, before anything is made or spent.

    Returns:
        The address of each image that annotators see.

    Raises:
        InputError: naming the field or image, and the remedy.
    """
    from labeling.toloka.describe.askable import check_campaign

    check_campaign(campaign)
    if config.dynamic_overlap:
        raise InputError(
            "--overlap: dynamic overlap is not bought through Toloka's API here; give whole numbers"
        )
    shown = [int(row) for role in ("pool", "control") for row in data.rows[role]]
    if config.market == "rehearsal" and (some := stand_ins(config, data, shown)) is not None:
        return some
    found = addresses(config, data, shown)
    question = campaign.questions[asked]
    if config.market == "toloka" and question.kind != OBJECTIVE:
        raise InputError(
            f"--question: {question.name!r} is a matter of taste: a model of it is judged by many "
            "people's answers to every validation and final image, which a study on Toloka does "
            "not buy; choose a question with a right answer, or another market"
        )
    return found


def rehearsal(
    config: StudyConfig,
    data: Dataset,
    crowd: CrowdSource,
    seed: int,
    where: dict[int, str],
    folder: Path,
) -> Door:
    """The local server as a market, with the very items that the crowd in process answers.

    Args:
        config: the study's configuration.
        data: its images.
        crowd: the crowd in process.
        seed: the crowd's.
        where: address of each image shown.
        folder: the study's folder.
    """

    def enter() -> Opened:
        from hpo.market import local_platform as local
        from labeling.toloka.api.client import connect
        from labeling.toloka.api.clock import PlatformClock
        from labeling.toloka.api.token import Token

        items, further = crowd.items, crowd.further
        place = folder / "rehearsal" / data.key("pool", "control")[:12]
        judged = crowd.campaign.judged
        truth = {
            "question": crowd.campaign.questions[judged or 0].name,
            "addresses": [where.get(row, f"not shown: {row}") for row in range(len(items))],
            "items": items,
            "further": further,
        }
        horizon = crowd.scenario.horizon_minutes
        platform = local.start(place, crowd.scenario, seed, config.tariff, truth)
        try:
            api = connect(Token(local.TOKEN), platform.url, PlatformClock(platform.url))
            source = _source(config, data, crowd, seed, where, place / "market", api, horizon)
        except BaseException:
            platform.stop()
            raise
        return Opened(source, platform.stop)

    return Door(enter, config.tariff, crowd.expected_minutes)


def real(
    config: StudyConfig,
    data: Dataset,
    crowd: CrowdSource,
    seed: int,
    where: dict[int, str],
    folder: Path,
) -> Door:
    """Toloka itself as a market; the crowd in process only says how long things take."""

    def enter() -> Opened:
        api = reach(config.toloka_environment)
        horizon = max(_LONGEST, config.max_minutes or 0.0)
        source = _source(config, data, crowd, seed, where, folder / "market", api, horizon)
        return Opened(source, lambda: None)

    return Door(enter, config.tariff, crowd.expected_minutes)


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
    return connect(token, url, PlatformClock(url))


def _source(
    config: StudyConfig,
    data: Dataset,
    crowd: CrowdSource,
    seed: int,
    where: dict[int, str],
    folder: Path,
    api: Api,
    horizon: float,
) -> TolokaSource:
    from labeling.toloka.describe.shown_tasks import Goods
    from labeling.toloka.source import TolokaSource

    controls = {int(row): int(data.truth[row]) for row in data.rows["control"]}
    goods = Goods(crowd.campaign, where.__getitem__, controls, seed)
    return TolokaSource(
        api,
        goods,
        config.tariff,
        folder,
        config.study,
        minutes=crowd.expected_minutes,
        horizon_minutes=horizon,
        stopping=stop_signals.asked,
    )
