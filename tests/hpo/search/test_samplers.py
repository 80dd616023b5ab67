"""Samplers by name: each is there, and no other name is taken for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from budget.errors import InputError
from hpo.cli.flags import full_help
from hpo.search.samplers import SAMPLERS, check_sampler, make_sampler, sampler_named
from hpo.settings.config import make_config
from hpo.settings.market_kinds import KINDS
from hpo.settings.search_space import SearchSpace
from hpo.settings.table import BY_NAME
from hpo.study.study import Study
from labeling.aggregation.registry import AGGREGATORS


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tep", "--sampler: 'tep' is not known; did you mean 'tpe'"),
        ("zzz", "valid are money, rule, tpe, nsga2, gp, random"),
    ],
)
def test_an_unknown_sampler_is_refused_wherever_it_is_named(
    name: str, said: str, small_study: Callable[..., Study], tmp_path: Path
) -> None:
    space = SearchSpace.of(make_config({"budget": "20"}), 100)
    with pytest.raises(InputError, match=said):
        make_sampler(name, 0, space, lambda: space.plans[0])
    with pytest.raises(InputError, match=said):
        small_study(sampler=name)
    assert not list(tmp_path.glob("runs/*"))


def test_every_sampler_draws_a_plan_of_the_space() -> None:
    import optuna

    from hpo.search.money_aware import distributions

    space = SearchSpace.of(make_config({"budget": "20", "tasks": "10,20"}), 100)
    for name in SAMPLERS:
        sampler = make_sampler(name, 7, space, lambda: space.plans[3])
        study = optuna.create_study(sampler=sampler, directions=["maximize", "minimize"])
        plan = space.plan_of(study.ask(distributions(space)).params)
        assert plan in space.plans
        assert (plan == space.plans[3]) == (sampler_named(name).decide is not None)


def test_the_help_names_every_sampler_market_and_aggregator() -> None:
    for setting, names in (
        ("sampler", SAMPLERS),
        ("market", [kind.usage for kind in KINDS]),
        ("aggregation", AGGREGATORS),
    ):
        assert all(name in full_help(BY_NAME[setting]) for name in names)


def test_dynamic_overlap_needs_a_sampler_that_searches_it() -> None:
    config = make_config({"budget": "20", "overlap": "dynamic(1,5,0.8)", "sampler": "money"})
    with pytest.raises(InputError, match="money does not search dynamic overlap; use tpe, nsga2"):
        check_sampler(config)
