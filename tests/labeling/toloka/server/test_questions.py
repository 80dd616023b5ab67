"""Annotators of the local platform choose among the options that a project shows them."""

from __future__ import annotations

import pytest

from labeling.toloka.server.model.questions import fields_of

from .wire import Doc


def project(config: object, **spec: object) -> Doc:
    view = {"type": "tb", "config": config}
    return {"task_spec": {"output_spec": {"kind": {"type": "string", **spec}}, "view_spec": view}}


def built() -> str:
    """A template of toloka-kit's with options for two fields."""
    pytest.importorskip("toloka")
    import toloka.client.project.template_builder as tb

    def choice(name: str, *values: str) -> object:
        options = [tb.fields.GroupFieldOption(value, value.title()) for value in values]
        return tb.fields.RadioGroupFieldV1(tb.data.OutputData(name), options)

    view = tb.view.ListViewV1([choice("kind", "cat", "dog", "neither"), choice("neat", "a", "b")])
    return tb.TemplateBuilder(view=view).to_json()


def test_options_of_the_template_are_the_answers_of_a_field_without_a_list() -> None:
    (field,) = fields_of(project(built()), [])
    assert field.answers == ("cat", "dog", "neither")


def test_a_list_of_values_comes_first() -> None:
    (field,) = fields_of(project(built(), allowed_values=["dog", "cat"]), [])
    assert field.answers == ("dog", "cat")


@pytest.mark.parametrize("config", [None, 5, "{", "[" * 100_000, '{"options": 5}', "[null]"])
def test_what_is_no_template_offers_none(config: object) -> None:
    (field,) = fields_of(project(config), [])
    assert field.answers == ("yes", "no")
