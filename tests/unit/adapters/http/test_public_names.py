"""Of libraries, transports use what has a public name: what begins with an underscore may be gone with the next release."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from types import ModuleType

import pytest

import marscore.adapters.http
from marscore.adapters.http.requests_connections import Connections, PoolAdapter

MODULES = [module.name for module in pkgutil.iter_modules(marscore.adapters.http.__path__)]
PRIVATE = re.compile("_[a-z][a-z_0-9]*")


def module(name: str) -> ModuleType:
    if name.startswith("curl"):
        pytest.importorskip("pycurl")
    return importlib.import_module(f"marscore.adapters.http.{name}")


def private_names_in(tree: ast.Module) -> list[str]:
    """Those that are asked of anything but `self` and `cls`, by a dot, by `getattr` and its like, or by `in`."""
    found: list[tuple[ast.expr, str]] = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name):
                found.append((node, name))
            case ast.Call(func=ast.Name(id="getattr" | "setattr" | "hasattr" | "delattr"), args=[_, ast.Constant(value=str(name)), *_]):
                found.append((node, name))
            case ast.Compare(left=ast.Constant(value=str(name)), ops=[ast.In() | ast.NotIn()]):
                found.append((node, name))
    return [f"{node.lineno}: {ast.unparse(node)}" for node, name in found if PRIVATE.fullmatch(name)]


@pytest.mark.parametrize("name", MODULES)
def test_nothing_private_is_asked_of_another_object(name: str) -> None:
    assert private_names_in(ast.parse(inspect.getsource(module(name)))) == []


def test_it_would_be_seen() -> None:
    tree = ast.parse("raw._fp.read(); super()._put(); getattr(x, '_sock'); '_options' in x; self._own; x.__class__; '_a' + x")
    assert len(private_names_in(tree)) == 4


def overridden(cls: type) -> set[str]:
    """The private names that a class of ours and a class of a library above it have, but for those that Python gives each."""
    ours, theirs = set[str](), set[str]()
    for base in cls.__mro__:
        (ours if base.__module__.startswith("marscore") else theirs).update(vars(base))
    return {name for name in ours & theirs if PRIVATE.fullmatch(name)} - {"_abc_impl", "_is_protocol"}


def test_nothing_private_of_a_class_above_is_overridden() -> None:
    pools = PoolAdapter(Connections(1)).poolmanager.pool_classes_by_scheme
    assert set(pools) == {"http", "https"}
    made = [cls for pool in pools.values() for cls in (pool, pool.ConnectionCls)]
    found = [cls for name in MODULES for cls in vars(module(name)).values() if isinstance(cls, type)]
    assert {cls: overridden(cls) for cls in (*made, *found) if cls.__module__.startswith("marscore") and overridden(cls)} == {}
    assert overridden(type("Pool", (made[0],), {"__module__": "marscore", "_get_conn": None})) == {"_get_conn"}
