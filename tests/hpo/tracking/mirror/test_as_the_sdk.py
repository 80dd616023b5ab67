"""Every event and record of a study is what ClearML's SDK writes for the same content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.clearml_server import StandIn
from tests.clearml_server.documents import Refused
from tests.clearml_server.events import check_shape
from tests.hpo.tracking.conftest import mirrored

pytest.importorskip("clearml")

SINGLE = -(2**31)
OWN = ("task", "timestamp", "worker", "method")  # of a task, a moment, a machine, the SDK's calls
Event = dict[str, Any]


def sent(stand_in: StandIn) -> list[Event]:
    """Every event that was sent so far, in order."""
    batches = [body for endpoint, body in stand_in.log if endpoint == "events.add_batch"]
    return [event for batch in batches for event in batch]


def one_of_each(events: list[Event], kinds: dict[str, str]) -> dict[tuple[Any, ...], Event]:
    """The first event of each kind of task in each place; one console line of each kind."""
    found: dict[tuple[Any, ...], Event] = {}
    for event in events:
        kind = kinds[event["task"]]
        place = tuple(event.get(name) for name in ("type", "metric", "variant", "iter"))
        found.setdefault((kind, *place), event)
    return found


def report(logger: Any, event: Event, picture: Path) -> None:
    """The same content by the SDK."""
    kind, place = event["type"], (event.get("metric"), event.get("variant"))
    if kind == "log":
        logger.report_text(event["msg"], print_console=False)
    elif kind == "plot":
        figure = json.loads(event["plot_str"])
        del figure["layout"]["title"]
        logger.report_plotly(*place, figure, event["iter"])
    elif kind == "training_debug_image":
        logger.report_image(*place, iteration=event["iter"], local_path=str(picture))
    elif event["iter"] == SINGLE:
        assert place[0] == "Summary"
        logger.report_single_value(place[1], event["value"])
    else:
        logger.report_scalar(*place, event["value"], event["iter"])


def comparable(event: Event) -> Event:
    kept = {name: value for name, value in event.items() if name not in OWN}
    if "plot_str" in kept:
        kept["plot_str"] = json.loads(kept["plot_str"])
    if "url" in kept:  # it lies under its path, whoever chose that
        assert kept["url"].endswith("/" + quote(kept["key"]))
        kept |= {"url": "", "key": ""}
    return kept


@pytest.mark.slow
def test_every_event_is_what_the_sdk_sends(stand_in: StandIn, folder: Path, tmp_path: Path) -> None:
    from clearml import Task
    from PIL import Image

    assert mirrored(folder).problems == []
    kinds = {task["id"]: task["type"] for task in stand_in.api.tasks}
    ours = list(one_of_each(sent(stand_in), kinds).values())
    assert {event["type"] for event in ours} >= {"training_stats_scalar", "plot"}
    picture = tmp_path / "one.png"
    Image.new("L", (4, 4)).save(picture)

    before = len(sent(stand_in))
    for kind in set(kinds.values()):
        task = Task.create("the-sdk", f"a task of kind {kind}", kind)
        task.mark_started(force=True)
        for event in ours:
            if kinds[event["task"]] == kind:
                report(task.get_logger(), event, picture)
        task.flush(wait_for_uploads=True)
        kinds[task.id] = kind
    theirs = one_of_each(sent(stand_in)[before:], kinds)
    assert len(theirs) == len(ours)
    for place, event in one_of_each(ours, kinds).items():
        assert comparable(event) == comparable(theirs[place]), place


def test_a_model_is_the_draft_that_the_sdk_makes(stand_in: StandIn, folder: Path) -> None:
    from clearml import OutputModel, Task

    mirrored(folder)
    ours = next(iter(stand_in.api.models))
    task = Task.create("the-sdk", "a task with a model", "training")
    task.mark_started(force=True)
    model = OutputModel(
        task=task,
        name=ours["name"],
        label_enumeration=ours["labels"],
        framework=ours["framework"],
        tags=ours["tags"],
    )
    model.update_weights(str(next((folder / "models").iterdir())), auto_delete_file=False)
    for name, item in ours["metadata"].items():
        model.set_metadata(name, item["value"], item["type"])
    task.flush(wait_for_uploads=True)
    theirs = stand_in.api.models.get(model.id)
    their_own = {"id", "created", "last_update", "uri", "task", "project", "comment"}
    only_theirs = {"method", "design"}  # a call's name; of models that are described, not stored
    assert set(ours) == set(theirs) - only_theirs
    for name in set(ours) - their_own:
        assert ours[name] == theirs[name], name
    assert ours["ready"] is False, "a draft: not locked, and gone with its task"


def test_tasks_hold_what_the_sdk_gives_them(stand_in: StandIn, folder: Path) -> None:
    """Parameters, properties, configurations and artifacts, each of the same fields and types."""
    from clearml import Task

    mirrored(folder)
    tasks = list(stand_in.api.tasks)
    task = Task.create("the-sdk", "a task that holds all", "optimizer")
    task.mark_started(force=True)
    task.set_parameters({"General/price": 0.5, "General/exam": True, "General/overlap": 3})
    task.set_user_properties(labelworth_id="a text")
    task.connect_configuration({"a": 1}, "General", "what it is")
    task.upload_artifact("report", {"a": 1}, preview="the answer", wait_on_upload=True)
    task.set_comment("a sentence")
    task.set_tags(["one"])
    task.flush(wait_for_uploads=True)
    theirs = stand_in.api.tasks.get(task.id)
    for ours in tasks:
        assert not set(theirs) - set(ours) - {"method", "last_worker"}
        for section, items in ours["hyperparams"].items():
            for name, item in items.items():
                assert item["section"] == section
                assert item["name"] == name
                assert {n: type(v) for n, v in item.items()}.items() <= fields(theirs).items()
        for name, item in ours["configuration"].items():
            assert item["name"] == name
            assert {n: type(v) for n, v in item.items()} == {
                n: type(v) for n, v in theirs["configuration"]["General"].items()
            }
        for artifact in ours["execution"]["artifacts"]:
            like = theirs["execution"]["artifacts"][0]
            assert set(artifact) - {"display_data"} == set(like) - {"display_data"}
            assert all(type(artifact[name]) is type(like[name]) for name in like)
            assert set(artifact["type_data"]) == set(like["type_data"])


def fields(task: Event) -> dict[str, type]:
    """Fields of the SDK's parameters and user properties, and their types."""
    items = [item for section in task["hyperparams"].values() for item in section.values()]
    return {name: type(value) for item in items for name, value in item.items()}


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        ({"data": [{"type": "table"}], "layout": {}}, "layout.title is no plain text"),
        ({"data": [{"type": "table"}], "layout": {"title": {"text": "a"}}}, "no plain text"),
        ({"data": [], "layout": {"title": ""}}, "no data"),
        ({"data": [{"type": "bar", "y": [float("nan")]}], "layout": {"title": ""}}, "no JSON"),
    ],
)
def test_the_stand_in_refuses_what_the_page_cannot_show(figure: Any, said: str) -> None:
    event = {"type": "plot", "metric": "m", "variant": "v", "plot_str": json.dumps(figure)}
    with pytest.raises(Refused) as refused:
        check_shape(event)
    assert said in refused.value.message
