"""The house's dataclass behaves as the library's does."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

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


def test_what_a_class_says_itself_holds() -> None:
    assert repr(Secretive("word")) == "Secretive(...)"


def test_a_value_that_can_change_has_no_hash() -> None:
    assert Open(1) == Open(1)
    with pytest.raises(TypeError):
        hash(Open(1))
