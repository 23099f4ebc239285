"""What every message of the contract shares: checks when it is made, JSON both ways, a schema.

A message is a frozen dataclass whose annotations say what is read and written, and whose fields carry their
documentation and limits (:func:`spec`). Standard library only.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

# No text of that length takes long to read.
_FRACTION = re.compile(r"[0-9]{1,18}(/(?!0+$)[0-9]{1,18})?")

_LARGEST_TERM = 2**31 - 1
"""Of a fraction: media files, and the libraries that write them, keep its two terms in 32 bits each."""


class ContractError(ValueError):
    """A job that cannot be done as it stands.

    Attributes:
        field: where, as a dotted path (``target.poses[3]``).
        found: what stands there, shortened.
        expected: what should.
    """

    def __init__(self, field: str, found: object, expected: str) -> None:
        self.field = field
        self.found = _without_middle(found) if isinstance(found, str) else _shorten(found)
        self.expected = expected
        super().__init__(f"{field}: found {self.found}, expected {expected}")

    def within(self, prefix: str) -> ContractError:
        """The same complaint, as seen from one level up."""
        joined = f"{prefix}{self.field}" if self.field.startswith("[") else f"{prefix}.{self.field}"
        return ContractError(joined, self.found, self.expected)


def spec(doc: str, default: Any = dataclasses.MISSING, **limits: Any) -> Any:
    """A field with its documentation and limits: ``choices``, ``minimum``, ``above``, ``maximum``."""
    return dataclasses.field(default=default, metadata={"doc": doc, **limits})


class Message:
    """What all messages share: checks on construction, JSON both ways."""

    def __post_init__(self) -> None:
        _check_limits(self)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, every field written out."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {each.name: _encode(getattr(self, each.name)) for each in fields}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """From what :meth:`to_json` wrote. Raises ContractError for unknown, missing or wrong fields."""
        message: Self = _decode_message(cls, data)
        return message


def _check_limits(message: Any) -> None:
    for each in dataclasses.fields(message):
        value, limits = getattr(message, each.name), each.metadata
        if isinstance(value, float) and not math.isfinite(value):
            raise ContractError(each.name, value, "a finite number")
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and "\0" in text:
                raise ContractError(each.name, f"{text!r}, with a null character", "a text without")
        if value is None:
            continue
        if "choices" in limits and value not in limits["choices"]:
            raise ContractError(each.name, value, "one of " + ", ".join(map(repr, limits["choices"])))
        if "minimum" in limits and value < limits["minimum"]:
            raise ContractError(each.name, value, f"at least {limits['minimum']}")
        if "above" in limits and value <= limits["above"]:
            raise ContractError(each.name, value, f"more than {limits['above']}")
        if "maximum" in limits and value > limits["maximum"]:
            raise ContractError(each.name, value, f"at most {limits['maximum']}")
        if isinstance(value, Fraction) and max(value.numerator, value.denominator) > _LARGEST_TERM:
            raise ContractError(each.name, value, f"a numerator and a denominator of at most {_LARGEST_TERM}")


# JSON


def _encode(value: Any) -> Any:
    if isinstance(value, Message):
        return value.to_json()
    if isinstance(value, tuple):
        return [_encode(each) for each in value]
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    return value


def _decode_message(cls: type[Any], data: object) -> Any:
    if not isinstance(data, Mapping):
        raise ContractError(cls.__name__.lower(), data, "an object")
    fields = {each.name: each for each in dataclasses.fields(cls)}
    # A newer contract has fields that this one does not know: the version is the reason worth telling.
    if "version" in fields and data.get("version", fields["version"].default) != fields["version"].default:
        raise ContractError("version", data["version"], f"{fields['version'].default}, as this backend speaks")
    for name in data:
        if name not in fields:
            raise ContractError(str(name), "a field that is not known", "one of " + ", ".join(fields))
    values = {}
    for name, hint in _hints(cls).items():
        if name in data:
            values[name] = _decode(hint, data[name], name)
        elif fields[name].default is dataclasses.MISSING:
            raise ContractError(name, "nothing", fields[name].metadata["doc"])
    return cls(**values)


def _decode(hint: Any, value: object, field: str) -> Any:
    if isinstance(hint, types.UnionType):
        return None if value is None else _decode(typing.get_args(hint)[0], value, field)
    if typing.get_origin(hint) is tuple:
        return tuple(_decode_items(hint, value, field))
    if isinstance(hint, type) and issubclass(hint, Message):
        try:
            return hint.from_json(value)
        except ContractError as error:
            raise error.within(field) from None
    if hint is Fraction:
        return _decode_fraction(value, field)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return _decode_whole(value, field)
    if type(value) is not hint:
        raise ContractError(
            field, value, {str: "a text", int: "a whole number", float: "a number"}.get(hint, hint.__name__)
        )
    return value


def _decode_items(hint: Any, value: object, field: str) -> Iterator[Any]:
    if not isinstance(value, (list, tuple)):
        raise ContractError(field, value, "a list")
    items = typing.get_args(hint)
    if items[-1] is not Ellipsis and len(value) != len(items):
        raise ContractError(field, f"{len(value)} entries", f"{len(items)}")
    for index, each in enumerate(value):
        yield _decode(items[0], each, f"{field}[{index}]")


def _decode_fraction(value: object, field: str) -> Fraction:
    expected = 'a rate as text, like "24/1" or "24000/1001"'
    if not isinstance(value, str) or not _FRACTION.fullmatch(value):
        raise ContractError(field, value, expected)
    return Fraction(value)


def _decode_whole(value: int, field: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ContractError(field, value, "a number that a float can hold") from None


def _hints(cls: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def json_schema(*roots: type[Message]) -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) whose ``$defs`` describe these messages and all that they hold."""
    definitions: dict[str, Any] = {}
    for root in roots:
        _describe_message(root, definitions)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": dict(sorted(definitions.items()))}


def _describe_message(cls: type[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if cls.__name__ not in definitions:
        definitions[cls.__name__] = {}
        fields = dataclasses.fields(cls)
        hints = _hints(cls)
        definitions[cls.__name__] = {
            "type": "object",
            "description": (cls.__doc__ or "").split("\n\n")[0],
            "additionalProperties": False,
            "required": [each.name for each in fields if each.default is dataclasses.MISSING],
            "properties": {each.name: _describe_field(hints[each.name], each, definitions) for each in fields},
        }
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _describe_field(hint: Any, field: dataclasses.Field[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    described = _describe(hint, definitions) | {"description": field.metadata["doc"]}
    names = {"choices": "enum", "minimum": "minimum", "maximum": "maximum", "above": "exclusiveMinimum"}
    for limit, keyword in names.items():
        if limit in field.metadata and described.get("format") != "fraction":
            wanted = field.metadata[limit]
            described[keyword] = list(wanted) if limit == "choices" else wanted
    if field.default is not dataclasses.MISSING:
        described["default"] = _encode(field.default)
    return described


def _describe(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if isinstance(hint, types.UnionType):
        return {"anyOf": [_describe(typing.get_args(hint)[0], definitions), {"type": "null"}]}
    if typing.get_origin(hint) is tuple:
        items = typing.get_args(hint)
        described = {"type": "array", "items": _describe(items[0], definitions)}
        return described if items[-1] is Ellipsis else described | {"minItems": len(items), "maxItems": len(items)}
    if isinstance(hint, type) and issubclass(hint, Message):
        return _describe_message(hint, definitions)
    if hint is Fraction:
        return {"type": "string", "format": "fraction", "pattern": f"^{_FRACTION.pattern}$"}
    return {"type": {str: "string", int: "integer", float: "number", bool: "boolean"}[hint]}


def _without_middle(text: str, limit: int = 240) -> str:
    """A text that has both its ends: of a long path the last part says most."""
    return text if len(text) <= limit else f"{text[: limit // 2]}...{text[-limit // 2 :]}"


def _shorten(value: object, limit: int = 120) -> str:
    text = str(value) if isinstance(value, Fraction) else repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
