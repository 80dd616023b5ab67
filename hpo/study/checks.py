"""Checks before a study spends: a new study's inputs, an old study's data and crowd."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from budget.database import name_of, reading, rows_of
from budget.errors import InputError, LedgerCorrupt
from hpo.data.dataset import Dataset, load
from hpo.data.summary import data_lines
from hpo.market.machines.machine import open_machine
from hpo.market.open import open_market
from hpo.search.samplers import check_sampler
from hpo.settings.config import StudyConfig
from hpo.settings.run_folder import MAKING
from hpo.settings.search_space import SearchSpace
from hpo.settings.table import HEAD
from hpo.study.delivery.measuring import check_tests
from hpo.study.trials import Trials
from hpo.trial.feature_pass import pass_over
from hpo.trial.holdings.books import LOST, MARK, check_books
from hpo.trial.labels import check_views
from hpo.trial.world import World, cache_of
from labeling.campaign.campaign import OBJECTIVE

Tell = Callable[[str], None]
"""Takes a line that the user should read."""


def check_new_study(config: StudyConfig, runs: Path, tell: Tell | None = None) -> Dataset:
    """Read and check everything that a new study needs, before its folder exists.

    Args:
        config: the study's configuration.
        runs: folder of all studies.
        tell: told what the images are, and how files of answers were read.

    Raises:
        InputError: of `budget` or `training`, naming what is wrong.
    """
    check_sampler(config)
    data = load(config, cache=cache_of(runs))
    market = open_market(config, data)
    if tell is not None:
        for line in market.file_notes:
            tell(f"Note: {line}")
    check_views(config, market)
    if config.delivers and market.asked.kind != OBJECTIVE:
        raise InputError(
            f"--goal: model: question {market.asked.name!r} is a matter of taste, whose answers "
            "are not merged into labels; give --goal plan"
        )
    if config.confirm_trainer != HEAD and (
        data.images.vectors is not None or market.asked.kind != OBJECTIVE
    ):
        raise InputError(
            f"--confirm-trainer: {config.confirm_trainer} trains networks, which needs images "
            "and a question with a right answer; leave it out"
        )
    open_machine(config, data, market, runs)
    space = SearchSpace.of(config, len(data.rows["pool"]))
    check_tests(config, data, market, space.plans)
    if tell is not None:
        for line in data_lines(config, data):
            tell(line)
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{runs}: cannot be made: {error.strerror or error}") from error
    pass_over(config, data, runs, tell)
    return data


def check_ground(world: World, trials: Trials) -> None:
    """Refuse orders, images or a crowd that changed behind the same configuration.

    Raises:
        InputError: images or crowd are others than those that the study was started with.
        LedgerCorrupt: an order that was paid for is missing, or was settled at another amount.
    """
    place, study = name_of(world.database), world.config.study
    with reading(world.database) as connection:
        check_books(partial(rows_of, connection), place, study, world.source.tariff)
    mark = trials.attr(MARK)
    if mark is not None and not world.ledger.holds(*mark):
        raise LedgerCorrupt(place, LOST)
    for bought in trials.purchases():
        if world.store.record(bought.order) is None:
            raise LedgerCorrupt(
                place,
                f"an order of plan {bought.outcome.plan.key} that was paid for is missing",
            )
    ground = {"--data": world.data.key(), "--scenario": world.market.name}
    with world.locks.hold(MAKING):  # of several processes that start a study one says
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


def mark_ledger(world: World, trials: Trials) -> None:
    """Keep with the trials which entries of the ledger they rest on.

    A ledger that lost its last entries, with all that was bought by them, is whole in itself.
    """
    if (mark := list(world.ledger.mark())) != trials.attr(MARK):
        trials.keep(MARK, mark)


def sealed_late(world: World, trials: Trials) -> list[str]:
    """What a user should know of a study that an older release began, in lines."""
    if not (world.store.sealed_late or trials.sealed_late):
        return []
    return ["This study was begun by an older release. Its rows were sealed as they are today."]


def check_features(world: World, trials: Trials) -> None:
    """Refuse features of another kind than those that the study was started with.

    A package that was installed since, or another file under the same name, would change them.

    Raises:
        InputError: they are others, or cannot be computed.
    """
    now, begun_with = world.features.facts, trials.attr("features")
    if begun_with is None:
        trials.keep("features", now)
    elif begun_with != now:
        was = str(begun_with["backbone"])
        raise InputError(
            f"--backbone: study {world.config.study!r} was started with features of {was}, now "
            f"they are of {'other weights of ' * (was == now['backbone'])}{now['backbone']}; bring "
            "the former back, or start another study with --study NAME"
        )
