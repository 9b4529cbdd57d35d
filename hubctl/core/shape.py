"""Holds a file against its pydantic model and says each fault in words for the person who wrote it.

What is not faulty is kept, so that the checks of one thing against another can still run: a kept model may
lack the attributes that were wrong (`known` tells), and list entries keep their index.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, cast, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from hubctl.core.config import Source, nearest
from hubctl.core.where import Path

Model = TypeVar("Model", bound=BaseModel)

TAG = "kind"  # the key that tells which of several tables one is

_PLAIN_WORDS = {
    "string_type": "must be text in quotes",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "dict_type": "must be a table",
}


class Section(BaseModel):
    """A table of a file: exact types, no unknown keys, never changed."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def read_shape(model: type[Model], source: Source) -> Model:
    """The file as its model; faults are noted in `source`, and what is right is kept."""
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        bad = {_note(model, source, detail) for detail in error.errors()}
        return cast(Model, _kept(model, source.data, (), bad))


def known(thing: object, *names: str) -> bool:
    """Whether each of these attributes of a kept model was right."""
    return all(hasattr(thing, name) for name in names)


def _note(model: type[BaseModel], source: Source, detail: ErrorDetails) -> Path:
    """Tell one error of pydantic's; gives the path of what must not be used."""
    path = _path_in(source.data, detail)
    owner, field = _field_at(model, source.data, path)
    message, hint = _words(owner, field, path, detail)
    source.add(path, message, hint)
    return path[:-1] if _is_plain_entry(owner, field, path) else path


def _is_plain_entry(owner: type[BaseModel] | None, field: FieldInfo | None, path: Path) -> bool:
    """Whether the path ends in a list of texts or a table of free keys: useless with one wrong."""
    if isinstance(path[-1], int):
        return field is not None and _model_of(field.annotation, None) is None
    return owner is None


def _path_in(data: Any, detail: ErrorDetails) -> Path:
    """Where in the file the error is: pydantic's location without the names of union members."""
    path: Path = ()
    for key in detail["loc"]:
        if isinstance(data, dict) and key not in data and key == data.get(TAG):
            continue
        path += (key,)
        data = _step(data, key)
    return (*path, TAG) if detail["type"].startswith("union_tag") else path


def _words(
    owner: type[BaseModel] | None, field: FieldInfo | None, path: Path, detail: ErrorDetails
) -> tuple[str, str]:
    """The sentence and the hint for one error."""
    kind, context = detail["type"], detail.get("ctx", {})
    about = field.description or "" if field else ""
    if kind == "missing" or kind == "union_tag_not_found":
        return "missing", about
    if kind == "extra_forbidden":
        return "unknown key", nearest(str(path[-1]), owner.model_fields if owner else ())
    if kind == "union_tag_invalid":
        return f"must be one of {context['expected_tags']}", about
    if kind == "literal_error":
        return f"must be {context['expected']}", about
    if kind == "value_error":
        return str(context["error"]), about
    return _range_words(kind, field, detail), about


def _range_words(kind: str, field: FieldInfo | None, detail: ErrorDetails) -> str:
    low, high = _limits(field, Ge, Le)
    n_low, n_high = _limits(field, MinLen, MaxLen)
    if kind in ("int_type", "int_from_float", "greater_than_equal", "less_than_equal"):
        return f"must be {'a whole number, ' if kind.startswith('int') else ''}{low} to {high}"
    if kind.endswith(("too_short", "too_long")):
        things = "characters" if isinstance(detail["input"], str) else "entries"
        return f"must have {n_low or 0} to {n_high} {things}"
    return _PLAIN_WORDS.get(kind, detail["msg"])


def _limits(field: FieldInfo | None, low: type, high: type) -> tuple[Any, Any]:
    """The two ends of a field's range, or of the range of its entries."""
    found: dict[type, Any] = {}
    for mark in _marks(field):
        for kind, name in ((Ge, "ge"), (Le, "le"), (MinLen, "min_length"), (MaxLen, "max_length")):
            if isinstance(mark, kind):
                found[kind] = getattr(mark, name)
    return found.get(low), found.get(high)


def _marks(field: FieldInfo | None) -> Iterator[Any]:
    """The constraints on a field's entries, then those on the field itself."""
    if field is None:
        return
    for part in (*get_args(field.annotation), field.annotation):
        for mark in getattr(part, "__metadata__", ()):
            yield from mark.metadata if isinstance(mark, FieldInfo) else (mark,)
    yield from field.metadata


def _field_at(
    model: type[BaseModel], data: Any, path: Path
) -> tuple[type[BaseModel] | None, FieldInfo | None]:
    """The model that holds the end of the path, and the field there if it has one."""
    owner: type[BaseModel] | None = model
    field: FieldInfo | None = None
    annotation: Any = model
    for key in path:
        if entry := _entry_of(annotation):
            annotation = entry
        elif isinstance(key, str):
            owner = _model_of(annotation, data)
            field = owner.model_fields.get(key) if owner else None
            annotation = field.annotation if field else None
        data = _step(data, key)
    return owner, field


def _kept(annotation: Any, value: Any, path: Path, bad: set[Path]) -> Any:
    """The value as its annotation has it, without what is bad, unchecked otherwise."""
    model = _model_of(annotation, value)
    if isinstance(value, list) and path not in bad:
        return [_kept(annotation, entry, (*path, i), bad) for i, entry in enumerate(value)]
    if (entry := _entry_of(annotation)) and isinstance(value, dict):
        return {key: _kept(entry, value[key], (*path, key), bad) for key in value if (*path, key) not in bad}
    if model is None:
        return value
    if not isinstance(value, dict):
        return _without(model.model_construct(), model.model_fields)
    kept = model.model_construct(**dict(_kept_fields(model, value, path, bad)))
    return _without(kept, (name for name in model.model_fields if (*path, name) in bad))


def _without(kept: BaseModel, names: Iterable[str]) -> BaseModel:
    """A wrong value is not its default either: the attribute goes."""
    for name in names:
        kept.__dict__.pop(name, None)
    return kept


def _kept_fields(
    model: type[BaseModel], value: dict[str, Any], path: Path, bad: set[Path]
) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        here = (*path, name)
        if name in value and here not in bad:
            yield name, _kept(field.annotation, value[name], here, bad)


def _model_of(annotation: Any, value: Any) -> type[BaseModel] | None:
    """The model inside an annotation (a list, an option, a union by `kind`) that fits the value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = [model for part in get_args(annotation) if (model := _model_of(part, value)) is not None]
    tag = value.get(TAG) if isinstance(value, dict) else None
    fitting = [model for model in models if tag is not None and tag in _tags(model)]
    return next(iter(fitting or models), None)


def _entry_of(annotation: Any) -> Any:
    """What a table of free keys holds under each; None: it is no such table."""
    return get_args(annotation)[1] if get_origin(annotation) is dict else None


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get(TAG)
    return get_args(field.annotation) if field else ()


def _step(data: Any, key: str | int) -> Any:
    if isinstance(data, dict):
        return data.get(key)
    if isinstance(data, list) and isinstance(key, int) and key < len(data):
        return data[key]
    return None
