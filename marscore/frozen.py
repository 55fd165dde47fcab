"""`dataclass` as in the standard library, at a third of what it costs there to make a class, and two thirds of what to make a value.

A start makes a hundred classes. The library compiles six methods for each, and without a docstring it renders the signature besides:
0.4 to 1.2 ms a class. With it a run of one file uses 168 ms of processor time, and 144 without (the least of 15 runs each, in turns).
Here the comparison, the hash, the representation and what guards a frozen value are the same functions for all classes; `fields`,
`replace` and pydantic see no difference.

A frozen value with slots is made by its slots' own setters (0.46 µs for six fields, where object.__setattr__ takes 0.75), and pickled as
its class and its fields, in a third of the time of the library's way: such values are made and cross processes by the thousand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    # For the type checker it is the library's own.
    from dataclasses import dataclass
else:
    import dataclasses
    import sys
    from functools import cache
    from operator import attrgetter
    from types import FunctionType

    def dataclass(*, eq: bool = True, order: bool = False, **options: Any) -> Any:
        """Make a dataclass; the options are the library's, and always given by name."""
        compact = options == {"frozen": True, "slots": True} and not order

        def make(cls: type) -> type:
            doc, cls.__doc__ = cls.__doc__, cls.__doc__ or cls.__name__
            ours = {"slots": True, "init": False} if compact else options
            made = dataclasses.dataclass(cls, eq=order, order=order, repr=False, **ours)
            made.__doc__ = doc
            names = [field.name for field in dataclasses.fields(made)]
            _give(made, "__repr__", _repr_of(names))
            if eq and not order:
                values = attrgetter(*names) if names else type
                _give(made, "__eq__", _equality_of(values))
                _give(made, "__hash__", _hash_of(values) if options.get("frozen") else None)
            if compact:
                made.__dataclass_params__.frozen = True
                made.__init__ = _init_of(made)
                made.__setattr__, made.__delattr__ = _no_assignment, _no_deletion
                _give(made, "__reduce__", _pickled_by(names))
            return made

        return make

    def _give(made: type, name: str, value: object) -> None:
        # What the class says itself, holds. `__eq__` alone makes Python say that there is no hash.
        if vars(made).get(name) is None:
            setattr(made, name, value)

    def _init_of(made: type) -> Any:
        """An `__init__` that fills the slots."""
        every = dataclasses.fields(made)
        makes = any(field.default_factory is not dataclasses.MISSING for field in every)
        init = _compiled_init(made, every) if makes else _shaped_init(made, every)
        init.__qualname__ = f"{made.__qualname__}.__init__"
        init.__annotations__ = {field.name: field.type for field in every} | {"return": None}
        return init

    def _shaped_init(made: type, every: tuple[Any, ...]) -> Any:
        """One of the shape for so many fields, with their names and defaults: to compile one for each class took 70 µs of its 120."""
        shape = _shape(len(every), hasattr(made, "__post_init__"))(*[vars(made)[field.name].__set__ for field in every])
        code = shape.__code__.replace(co_varnames=("self", *[field.name for field in every]))
        defaults = tuple([field.default for field in every if field.default is not dataclasses.MISSING])
        if any(field.default is dataclasses.MISSING for field in every[len(every) - len(defaults) :]):
            raise TypeError(f"{made.__qualname__}: a field without a default follows one that has one")
        return FunctionType(code, vars(sys.modules[made.__module__]), "__init__", defaults, shape.__closure__)

    @cache
    def _shape(count: int, checked: bool) -> Any:
        setters, parameters = [f"set_{number}" for number in range(count)], [f"field_{number}" for number in range(count)]
        statements = [f"{setter}(self, {parameter})" for setter, parameter in zip(setters, parameters, strict=True)]
        return _compiled(setters, parameters, [*statements, *(["self.__post_init__()"] if checked else [])], {})

    def _compiled_init(made: type, every: tuple[Any, ...]) -> Any:
        """One of its own, where values are made anew; as in the library, its text is made from the fields and compiled."""
        names: dict[str, Any] = {"made_anew": object()}
        parameters, statements = [], []
        for field in every:
            name = field.name
            names |= {f"set_{name}": vars(made)[name].__set__, f"default_{name}": field.default, f"make_{name}": field.default_factory}
            default, value = "", name
            if field.default is not dataclasses.MISSING:
                default = f"=default_{name}"
            elif field.default_factory is not dataclasses.MISSING:
                default, value = "=made_anew", f"make_{name}() if {name} is made_anew else {name}"
            parameters.append(name + default)
            statements.append(f"set_{name}(self, {value})")
        if hasattr(made, "__post_init__"):
            statements.append("self.__post_init__()")
        return _compiled(list(names), parameters, statements, vars(sys.modules[made.__module__]))(**names)

    def _compiled(names: list[str], parameters: list[str], statements: list[str], scope: dict[str, Any]) -> Any:
        """A function that takes what stands behind these names, and gives an `__init__` of these parameters and statements."""
        head = f"def made_with({', '.join(names)}):\n def __init__({', '.join(['self', *parameters])}):\n  "
        text = head + "\n  ".join(statements or ["pass"]) + "\n return __init__"
        compiled: dict[str, Any] = {}
        exec(text, scope, compiled)  # noqa: S102 - made of the names of fields alone
        return compiled["made_with"]

    def _no_assignment(self: Any, name: str, value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def _no_deletion(self: Any, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def _repr_of(names: list[str]) -> Any:
        def represent(self: Any) -> str:
            # As the library's is, but for what may be secret.
            from marscore.public import public_repr  # noqa: PLC0415 - its patterns take a while to compile, and few runs represent anything

            return public_repr(self, [(name, getattr(self, name)) for name in names])

        return represent

    def _equality_of(values: Any) -> Any:
        def equal(self: Any, other: Any) -> bool:
            return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

        return equal

    def _hash_of(values: Any) -> Any:
        def hashed(self: Any) -> int:
            return hash(values(self))

        return hashed

    def _pickled_by(names: list[str]) -> Any:
        if len(names) > 1:
            values = attrgetter(*names)
            return lambda self: (self.__class__, values(self))
        return lambda self: (self.__class__, tuple([getattr(self, name) for name in names]))
