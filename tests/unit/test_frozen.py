"""The house's dataclass behaves as the library's does."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import typing
from collections.abc import Callable

import pytest
from pydantic import TypeAdapter

from marscore.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Ours:
    """A value."""

    a: int
    b: str = "x"


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """A value."""

    a: int
    b: str = "x"


@dataclass(frozen=True, slots=True)
class Secretive:
    word: str

    def __repr__(self) -> str:
        return "Secretive(...)"


@dataclass(slots=True)
class Open:
    a: int


@dataclass(frozen=True, slots=True)
class Checked:
    """One whose values are made anew, checked, or given by name."""

    few: list[int] = dataclasses.field(default_factory=list)
    most: int = 3

    def __post_init__(self) -> None:
        if len(self.few) > self.most:
            raise ValueError("too many")


@dataclass(frozen=True, slots=True)
class Lone:
    a: int


@dataclass(frozen=True, slots=True)
class Empty:
    pass


def test_it_looks_compares_and_hashes_as_the_library_s() -> None:
    assert repr(Ours(1)) == repr(Theirs(1)).replace("Theirs", "Ours")
    assert Ours(1) == Ours(1) != Ours(2)
    assert Ours(1) != Theirs(1)
    assert hash(Ours(1)) == hash(Ours(1)) == hash(Theirs(1))
    assert Ours.__doc__ == "A value."
    assert Secretive.__doc__ is None


def test_it_is_frozen_and_has_no_room_for_more() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Ours(1).a = 2  # type: ignore[misc]
    assert not hasattr(Ours(1), "__dict__")


def test_fields_replace_and_pickle_work() -> None:
    assert [field.name for field in dataclasses.fields(Ours)] == ["a", "b"]
    assert dataclasses.replace(Ours(1), b="y") == Ours(1, "y")
    assert pickle.loads(pickle.dumps(Ours(1, "z"))) == Ours(1, "z")


def test_nothing_of_a_frozen_value_can_be_taken_away_or_added() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        del Ours(1).a  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Ours(1).c = 2  # type: ignore[attr-defined]


def test_defaults_are_made_anew_and_values_are_checked() -> None:
    assert Checked().few == []
    assert Checked().few is not Checked().few
    assert Checked(most=1) == Checked([], 1)
    with pytest.raises(ValueError, match="too many"):
        Checked([1, 2], most=1)


@pytest.mark.parametrize("call", [lambda kind: kind(), lambda kind: kind(1, "x", 2), lambda kind: kind(1, c=2)])
def test_wrong_arguments_are_errors_as_in_the_library(call: Callable[[type], object]) -> None:
    for kind in (Ours, Theirs):
        with pytest.raises(TypeError):
            call(kind)


def test_tools_see_the_same_signature() -> None:
    assert inspect.signature(Ours) == inspect.signature(Theirs)
    assert typing.get_type_hints(Ours.__init__) == typing.get_type_hints(Theirs.__init__)
    assert dataclasses.is_dataclass(Ours)
    assert Ours.__match_args__ == Theirs.__match_args__
    assert TypeAdapter(Ours).validate_json('{"a": 1}') == Ours(1)
    assert TypeAdapter(Ours).json_schema() == TypeAdapter(Theirs).json_schema() | {"title": "Ours"}


@pytest.mark.parametrize("value", [Lone(1), Empty(), Checked([1]), Secretive("word")])
def test_values_of_any_number_of_fields_survive_pickle_and_copy(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value


def test_what_a_class_says_itself_holds() -> None:
    assert repr(Secretive("word")) == "Secretive(...)"


def test_a_value_that_can_change_has_no_hash() -> None:
    assert Open(1) == Open(1)
    with pytest.raises(TypeError):
        hash(Open(1))


def test_a_field_without_a_default_after_one_with_it_is_refused_as_in_the_library() -> None:
    with pytest.raises(TypeError):

        @dataclass(frozen=True, slots=True)
        class Wrong:
            a: int = 1
            b: int  # type: ignore[misc]


def test_classes_of_one_shape_have_names_and_defaults_of_their_own() -> None:
    @dataclass(frozen=True, slots=True)
    class One:
        a: int
        b: int = 2

    @dataclass(frozen=True, slots=True)
    class Other:
        c: int
        d: int = 4

    assert (One(a=1), Other(d=5, c=3)) == (One(1, 2), Other(3, 5))
    assert list(inspect.signature(Other).parameters) == ["c", "d"]
    assert (One.__init__.__qualname__, typing.get_type_hints(One.__init__)["b"]) != (Other.__init__.__qualname__, str)
