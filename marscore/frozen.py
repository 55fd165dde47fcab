"""`dataclass` as in the standard library, at a third of what it costs there to make a class.

A start makes a hundred of them. The library compiles six methods for each, and without a docstring it renders the signature besides:
0.4 to 1.2 ms a class, a fifth of a start. Here the comparison, the hash and the representation are the same functions for all classes;
the rest, `__init__` and what guards a frozen value, is the library's, so that `fields`, `replace` and pydantic see no difference.

Values with slots are pickled as their class and their fields, in a third of the time of the library's way: they cross processes by the
thousand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    # For the type checker it is the library's own.
    from dataclasses import dataclass
else:
    import dataclasses
    from operator import attrgetter

    def dataclass(*, eq: bool = True, order: bool = False, **options: Any) -> Any:
        """Make a dataclass; the options are the library's, and always given by name."""

        def make(cls: type) -> type:
            doc, cls.__doc__ = cls.__doc__, cls.__doc__ or cls.__name__
            made = dataclasses.dataclass(cls, eq=order, order=order, repr=False, **options)
            made.__doc__ = doc
            names = [field.name for field in dataclasses.fields(made)]
            _give(made, "__repr__", _repr_of(names))
            if eq and not order:
                values = attrgetter(*names) if names else type
                _give(made, "__eq__", _equality_of(values))
                _give(made, "__hash__", _hash_of(values) if options.get("frozen") else None)
            if options.get("slots") and len(names) > 1 and not options.get("kw_only"):
                _give(made, "__reduce__", _pickled_by(attrgetter(*names)))
            return made

        return make

    def _give(made: type, name: str, value: object) -> None:
        # What the class says itself, holds. `__eq__` alone makes Python say that there is no hash.
        if vars(made).get(name) is None:
            setattr(made, name, value)

    def _repr_of(names: list[str]) -> Any:
        def represent(self: Any) -> str:
            return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

        return represent

    def _equality_of(values: Any) -> Any:
        def equal(self: Any, other: Any) -> bool:
            return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

        return equal

    def _hash_of(values: Any) -> Any:
        def hashed(self: Any) -> int:
            return hash(values(self))

        return hashed

    def _pickled_by(values: Any) -> Any:
        def reduce(self: Any) -> tuple[type, tuple[Any, ...]]:
            return self.__class__, values(self)

        return reduce
