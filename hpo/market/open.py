"""Opens the market that a configuration names, by its kind's module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpo.data.dataset import Dataset
from hpo.market.market import Market, MarketAccount, Opening, make_campaign
from hpo.settings.config import StudyConfig
from labeling.store import Store


def open_market(
    config: StudyConfig,
    data: Dataset,
    store: Store | None = None,
    crowd_seed: int | None = None,
    features: Callable[[], NDArray[np.float32]] | None = None,
    folder: Path | None = None,
) -> Market:
    """The market of a configuration; with a store it can go on where orders ended.

    Args:
        config: the study's configuration.
        data: its images.
        store: its orders.
        crowd_seed: draws other annotators over the same items; None for the study's own.
        features: gives the images' features, for difficulty that follows them; without it
            difficulty is independent (quotes do not depend on it).
        folder: the study's folder, to buy through Toloka's API; without it nothing but quotes
            and simulated answers can be had.

    Raises:
        InputError: a scenario, recording or file of own labels is unknown or wrong, or cannot
            bear the plans.
    """
    campaign = make_campaign(config, data.classes)
    question = campaign.question(config.question) if config.question else 0
    kind, file = config.market_kind, config.market_file
    opening = Opening(
        config, kind, file, data, campaign, question, store, crowd_seed, features, folder
    )
    market: Market = import_module(kind.module).open_market(opening)
    if config.own_labels is None or crowd_seed is not None:
        return market
    from hpo.market.recorded import read_own_labels

    own = read_own_labels(config, data, market)  # named before money moves, if it is wrong
    if own is None:
        return market
    file_notes = (*market.file_notes, *own.notes)
    return replace(market, notes=(*market.notes, *own.notes), file_notes=file_notes)


def account_of(config: StudyConfig) -> MarketAccount:
    """The account that a study's real money is paid from.

    Raises:
        InputError: no token, or a wrong one.
    """
    account: MarketAccount = import_module(config.market_kind.module).account(config)
    return account
