"""Edits of a config.pbtxt: what they mean, and that they touch nothing else."""

from __future__ import annotations

import random
from typing import Any

import pytest
from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tritonkit.errors import RepositoryError
from tritonkit.repository import ModelConfig
from tritonkit.repository.text.document import Document
from tritonkit.repository.text.edit import AddField, Edit, Remove, SetValue, edited
from tritonkit.repository.text.find import find
from tritonkit.repository.text.intent import with_field, with_value, without
from tritonkit.repository.text.meaning import is_map
from tritonkit.repository.text.strings import quoted

CONFIG = """\
# The model.
max_batch_size: 8   # rows
input [
  { name: "x" data_type: TYPE_FP32 dims: [ -1, 16 ] }, # first
  {
    name: "y"
    data_type: TYPE_INT64
    dims: [ 3, # three
            4 ]
    # the end of y
  }
]
dynamic_batching {
  preferred_batch_size: [ 4, 8, 16 ]
}
parameters { key: "a" value { string_value: "1" } }
"""


def after(*edits: Edit, text: str = CONFIG) -> str:
    return edited(Document.parse(text, source="config.pbtxt"), edits).text


@pytest.mark.parametrize(
    ("edit", "old", "new"),
    [
        (SetValue(("max_batch_size",), "16"), "8   # rows", "16   # rows"),
        (SetValue(("input", 0, "dims"), "[ -1, 32 ]"), "[ -1, 16 ]", "[ -1, 32 ]"),
        (SetValue(("input", 0, "dims"), "[ 7 ]"), "[ -1, 16 ]", "[ 7 ]"),
        (SetValue(("input", 0, "dims"), "[ -1, 16, 2 ]"), "[ -1, 16 ]", "[ -1, 16, 2 ]"),
        (
            SetValue(("input", 1, "dims"), "[ 5, 6 ]"),
            "3, # three\n            4",
            "5, # three\n            6",
        ),
        (SetValue(("input", 1, "data_type"), "TYPE_INT32"), "TYPE_INT64", "TYPE_INT32"),
        (SetValue(("input", 0, "optional"), "true"), "16 ] },", "16 ] optional: true },"),
        (
            SetValue(("input", 1, "optional"), "true"),
            "            4 ]\n",
            "            4 ]\n    optional: true\n",
        ),
        (
            SetValue(("input", 0, "reshape", "shape"), "[ 1 ]"),
            "16 ] },",
            "16 ] reshape { shape: [ 1 ] } },",
        ),
        (SetValue(("parameters", "a", "string_value"), '"2"'), '"1"', '"2"'),
        (
            SetValue(("parameters", "b", "string_value"), '"2"'),
            '"1" } }\n',
            '"1" } }\nparameters { key: "b" value { string_value: "2" } }\n',
        ),
        (
            SetValue(("dynamic_batching", "preserve_ordering"), "true"),
            "8, 16 ]\n",
            "8, 16 ]\n  preserve_ordering: true\n",
        ),
        (Remove(("dynamic_batching", "preferred_batch_size", 2)), "8, 16 ]", "8 ]"),
        (Remove(("dynamic_batching", "preferred_batch_size", 0)), "[ 4, 8", "[ 8"),
        (
            Remove(("dynamic_batching", "preferred_batch_size")),
            "  preferred_batch_size: [ 4, 8, 16 ]\n",
            "",
        ),
        (Remove(("max_batch_size",)), "max_batch_size: 8   #", "  #"),
        (
            Remove(("input", 0)),
            '  { name: "x" data_type: TYPE_FP32 dims: [ -1, 16 ] }, # first',
            "  # first",
        ),
        (Remove(("parameters", "a")), 'parameters { key: "a" value { string_value: "1" } }\n', ""),
        (AddField((), "output { }"), '"1" } }\n', '"1" } }\noutput { }\n'),
        (AddField(("input", 0), "optional: true"), "16 ] },", "16 ] optional: true },"),
    ],
)
def test_touches_only_what_is_edited(edit: Edit, old: str, new: str) -> None:
    assert CONFIG.count(old) == 1
    assert after(edit) == CONFIG.replace(old, new)


@pytest.mark.parametrize(
    ("text", "edit", "expected"),
    [
        ("", SetValue(("max_batch_size",), "8"), "max_batch_size: 8\n"),
        ("# c", SetValue(("max_batch_size",), "8"), "# c\nmax_batch_size: 8\n"),
        ("name: 'x'", SetValue(("max_batch_size",), "8"), "name: 'x'\nmax_batch_size: 8\n"),
        ("name: 'x'\r\n", SetValue(("backend",), "'y'"), "name: 'x'\r\nbackend: 'y'\r\n"),
        ("input { }", SetValue(("input", 0, "name"), "'y'"), "input { name: 'y' }"),
        ("input {\n}", SetValue(("input", 0, "name"), "'y'"), "input {\n  name: 'y'\n}"),
        (
            "input {name:'x',dims:1}",
            SetValue(("input", 0, "optional"), "true"),
            "input {name:'x',dims:1, optional: true}",
        ),
        (
            "input { dims: 1 }",
            SetValue(("input", 0, "dims"), "[ 1, 2 ]"),
            "input { dims: [ 1, 2 ] }",
        ),
        ("input { dims: 1 dims: 2 }", SetValue(("input", 0, "dims"), "[ 3 ]"), "input { dims: 3 }"),
        ("input { dims: 1 }", SetValue(("input", 0, "dims"), "[ ]"), "input { }"),
        ("name: 'a' 'b' # c\n", SetValue(("name",), "'d'"), "name: 'd' # c\n"),
        (
            "parameters { key: 'a' }",
            SetValue(("parameters", "a", "string_value"), "'b'"),
            "parameters { key: 'a' value { string_value: 'b' } }",
        ),
    ],
)
def test_in_any_way_of_writing(text: str, edit: Edit, expected: str) -> None:
    assert after(edit, text=text) == expected


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (SetValue(("max_batch_sise",), "8"), "nothing to edit at max_batch_sise"),
        (SetValue(("max_batch_size",), "x"), "max_batch_size is a whole number"),
        (SetValue(("max_batch_size",), "8 name: 'x'"), "would not mean what it says"),
        (SetValue(("max_batch_size",), "8 }"), "cannot stand at max_batch_size"),
        (SetValue(("input", 9, "name"), "'x'"), "nothing to edit at input.9.name"),
        (SetValue((), "8"), "is no value"),
        (SetValue(("parameters",), "{ }"), "nothing to edit at parameters"),
        (Remove(("output",)), "config.pbtxt has nothing at output"),
        (Remove(("input", 7)), "nothing to edit at input.7"),
        (Remove(("parameters", "x")), "nothing to edit at parameters.x"),
        (Remove(()), "cannot be removed"),
        (AddField(("max_batch_size",), "x: 1"), "nothing to edit at max_batch_size"),
    ],
)
def test_what_cannot_be_is_refused(edit: Edit, told: str) -> None:
    with pytest.raises(RepositoryError, match=told):
        after(edit)


def test_a_text_with_faults_is_not_edited() -> None:
    with pytest.raises(RepositoryError, match="no field 'title'"):
        after(SetValue(("name",), "'x'"), text="title: 1")


@seed(9)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_any_edit_of_any_text_means_what_it_says(rng: random.Random) -> None:
    config = _message(ModelConfig(), rng, depth=3)
    text = "".join(_text(config, rng, "\n"))
    document = Document.parse(text, source="config.pbtxt")
    assert document.faults == ()
    assert document.config == config == text_format.Parse(text, ModelConfig())

    edit = _edit(config, rng)
    if edit is None:
        return
    after = edited(document, [edit])

    if isinstance(edit, SetValue):
        assert after.config == with_value(config, edit.path, edit.literal)
        assert _comments(after.text) == _comments(text)
    elif isinstance(edit, AddField):
        assert after.config == with_field(config, edit.parent, edit.text)
        assert _comments(after.text) == _comments(text)
    else:
        assert after.config == without(config, edit.path)
    _check_rest(document, edit, after.text)


def _check_rest(document: Document, edit: Edit, after: str) -> None:
    """Everything but what the edit is about is there as it was, byte for byte."""
    text = document.text
    target = find(document, edit.parent if isinstance(edit, AddField) else edit.path)
    if isinstance(edit, AddField) or target.missing:
        # Something is put in between; the separator before it may be the first byte of both.
        before = _same(text, after)
        behind = _same(text[before:][::-1], after[before:][::-1])
        assert before + behind == len(text)
        return
    first = text.rfind("\n", 0, target.values[0][0].start) + 1
    last = f"{text}\n".find("\n", target.values[-1][0].end) + 1
    assert after.startswith(text[:first])
    assert after.endswith(text[last:])


def _same(one: str, other: str) -> int:
    """How many characters are the same from the start on."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _comments(text: str) -> int:
    return text.count("# note")


def _message(message: Any, rng: random.Random, depth: int) -> Any:
    done: set[str] = set()
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof.name if field.containing_oneof else field.name
        if rng.random() < 0.7 or oneof in done:
            continue
        done.add(oneof)
        if field.message_type is None:
            if field.is_repeated:
                values = [_scalar(field, rng) for _ in range(rng.randint(1, 3))]
                getattr(message, field.name).extend(values)
            else:
                setattr(message, field.name, _scalar(field, rng))
        elif depth and is_map(field):
            of = field.message_type.fields_by_name
            for _ in range(rng.randint(1, 2)):
                key = _scalar(of["key"], rng)
                if of["value"].message_type is None:
                    getattr(message, field.name)[key] = _scalar(of["value"], rng)
                else:
                    _message(getattr(message, field.name)[key], rng, depth - 1)
        elif depth and field.is_repeated:
            for _ in range(rng.randint(1, 2)):
                _message(getattr(message, field.name).add(), rng, depth - 1)
        elif depth:
            getattr(message, field.name).SetInParent()
            _message(getattr(message, field.name), rng, depth - 1)
    return message


def _scalar(field: FieldDescriptor, rng: random.Random) -> Any:
    if field.enum_type is not None:
        return rng.choice(field.enum_type.values).number
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return rng.choice(["x", "a b", 'say "hi"\n', "# no note", "é}{", ""])
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return rng.choice([0.5, 1.0, -2.25])
    least = (
        -1
        if field.cpp_type in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64)
        else 0
    )
    return rng.choice([least, 1, 16])


def _literal(field: FieldDescriptor, value: Any) -> str:
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[value].name)
    if isinstance(value, str):
        return quoted(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(message: Any, rng: random.Random, gap: str) -> list[str]:
    """A text of *message* in one of its many ways, with comments in between."""
    parts: list[str] = []

    def blank() -> str:
        return rng.choice(["\n  ", "\n", " ", " # note\n\t", "\n# note: } ] ,\n"])

    def value(field: FieldDescriptor, each: Any) -> list[str]:
        if field.message_type is None:
            return [_literal(field, each)]
        opening, closing = rng.choice(["{}", "<>"])
        return [opening, blank(), *_text(each, rng, gap), closing]

    for field, content in message.ListFields():
        if is_map(field):
            entries = []
            of = field.message_type.fields_by_name
            for key, each in content.items():
                pair = [
                    ["key: ", _literal(of["key"], key), " "],
                    ["value: ", *value(of["value"], each), blank()],
                ]
                rng.shuffle(pair)
                entries.append(["{", *pair[0], *pair[1], "}"])
        else:
            entries = [value(field, each) for each in (content if field.is_repeated else [content])]
        if field.is_repeated and rng.random() < 0.5:
            parts += [field.name, rng.choice([": ", ":"]), "[", blank()]
            for at, entry in enumerate(entries):
                parts += [*([blank(), ",", blank()] if at else []), *entry]
            parts += [blank(), "]", rng.choice(["", ",", ";", " ,"]), blank()]
        else:
            for entry in entries:
                parts += [field.name, rng.choice([": ", ":"]), *entry]
                parts += [rng.choice(["", ",", ";", " ;"]), blank()]
    return parts


def _edit(config: Any, rng: random.Random) -> Edit | None:
    """A random edit of something that is there, or could be."""
    path: list[str | int] = []
    message = config
    while True:
        fields = message.DESCRIPTOR.fields
        if not fields:
            return None
        there = [field for field, _ in message.ListFields()]
        field = rng.choice(there if there and rng.random() < 0.8 else fields)
        content = getattr(message, field.name)
        if rng.random() < 0.1 and field in there:
            return Remove((*path, field.name))
        if field.message_type is None:
            if field.is_repeated:
                if len(content) and rng.random() < 0.5:
                    at = rng.randrange(len(content))
                    whole = (*path, field.name, at)
                    if rng.random() < 0.3:
                        return Remove(whole)
                    return SetValue(whole, _literal(field, _scalar(field, rng)))
                new = ", ".join(
                    _literal(field, _scalar(field, rng)) for _ in range(rng.randint(1, 4))
                )
                return SetValue((*path, field.name), f"[ {new} ]")
            if field.containing_oneof and message.WhichOneof(field.containing_oneof.name) not in (
                None,
                field.name,
            ):
                return None
            return SetValue((*path, field.name), _literal(field, _scalar(field, rng)))
        if is_map(field):
            of: Descriptor = field.message_type
            inner = of.fields_by_name["value"]
            keys = sorted(content)
            key = (
                rng.choice(keys)
                if keys and rng.random() < 0.7
                else _scalar(of.fields_by_name["key"], rng)
            )
            if rng.random() < 0.3 and key in content:
                return Remove((*path, field.name, key))
            if inner.message_type is None:
                return SetValue((*path, field.name, key), _literal(inner, _scalar(inner, rng)))
            if key not in content:
                return AddField((*path, field.name, key), "")
            path += [field.name, key]
            message = content[key]
        elif field.is_repeated:
            if not content:
                return AddField(tuple(path), f"{field.name} {{ }}")
            at = rng.randrange(len(content))
            path += [field.name, at]
            if rng.random() < 0.2:
                return Remove(tuple(path))
            message = content[at]
        else:
            if field not in there:
                return None
            path.append(field.name)
            message = content
