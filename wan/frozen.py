"""Immutable classes of named values."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: object) -> Any:
        """Change nothing: only type checkers need to know."""
        return lambda function: function


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make a class a dataclass that type checkers treat as `dataclass(frozen=True)`.

    At run time it compiles one method where `dataclass(frozen=True)` compiles six: ComfyUI waits for every pack at its
    start, and fifty such classes would take most of this pack's time.
    """
    for name, method in (("__repr__", _repr), ("__eq__", _eq), ("__hash__", _hash)):
        if name not in vars(cls):
            setattr(cls, name, method)
    # A type that is a text is looked up several times, to find out whether it makes a field at all. Each does here.
    annotations = cls.__annotations__
    cls.__annotations__ = dict.fromkeys(annotations, object)
    made = dataclass(eq=False, repr=False, match_args=False)(cls)
    made.__annotations__ = annotations
    return made


def _repr(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{type(self).__qualname__}({shown})"


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, one.name) for one in fields(self) if one.compare)


def _eq(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(self) is type(other) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))
