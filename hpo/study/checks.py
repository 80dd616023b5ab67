"""Checks before a study spends: a new study's inputs, an old study's data and crowd."""

from __future__ import annotations

from pathlib import Path

from budget.database import driver, reading
from budget.errors import InputError, LedgerCorrupt
from hpo.data.dataset import Dataset, load
from hpo.market.open import open_market
from hpo.search.samplers import check_sampler
from hpo.settings.config import StudyConfig
from hpo.settings.run_folder import STORE, making
from hpo.settings.search_space import SearchSpace
from hpo.study.trials import Trials
from hpo.trial.books import check_books
from hpo.trial.labels import check_views
from hpo.trial.world import World, features_of
from labeling.campaign.campaign import OBJECTIVE


def check_new_study(config: StudyConfig, runs: Path) -> Dataset:
    """Read and check everything that a new study needs, before its folder exists.

    Raises:
        InputError: of `budget` or `training`, naming what is wrong.
    """
    check_sampler(config)
    data = load(config)
    market = open_market(config, data)
    check_views(config, market)
    if config.delivers and market.asked.kind != OBJECTIVE:
        raise InputError(
            f"--goal: model: question {market.asked.name!r} is a matter of taste, whose answers "
            "are not merged into labels; give --goal plan"
        )
    SearchSpace.of(config, len(data.rows["pool"]))
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{runs}: cannot be made: {error.strerror or error}") from error
    features_of(config, data, runs)
    return data


def check_ground(world: World, trials: Trials) -> None:
    """Refuse orders, images or a crowd that changed behind the same configuration.

    Raises:
        InputError: images or crowd are others than those that the study was started with.
        LedgerCorrupt: an order that was paid for is missing, or was settled at another amount.
    """
    if world.database.dialect.name == "sqlite":
        with reading(world.database) as connection:
            path, study = world.folder / STORE, world.config.study
            check_books(driver(connection), path, study, world.source.tariff)
    for bought in trials.purchases():
        if world.store.record(bought.order) is None:
            raise LedgerCorrupt(
                str(world.folder / STORE),
                f"an order of plan {bought.outcome.plan.key} that was paid for is missing",
            )
    ground = {"--data": world.data.key(), "--scenario": world.market.name}
    with making(world.folder):  # of several processes that start a study one says
        begun_with = trials.attr("ground")
        if begun_with is None:
            trials.keep("ground", ground)
            return
    for name, content in ground.items():
        if begun_with[name] != content:
            raise InputError(
                f"{name}: its content changed since study {world.config.study!r} was started; "
                "bring it back, or start another study with --study NAME"
            )


def sealed_late(world: World, trials: Trials) -> list[str]:
    """What a user should know of a study that an older release began, in lines."""
    if not (world.store.sealed_late or trials.sealed_late):
        return []
    return ["This study was begun by an older release. Its rows were sealed as they are today."]
