"""Strategies from files: `path.py` or `path.py:Class`, with parameters as text."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from qmtl import UserError
from qmtl.sdk.strategy import Strategy


def strategy_from(spec: str, sets: Sequence[str] = ()) -> Strategy:
    """The strategy that `spec` names, with parameters ``k=v``. Raises :class:`UserError` for every mistake."""
    path, _, name = spec.rpartition(":") if ":" in spec and not spec.endswith(".py") else (spec, "", "")
    chosen = _class(_module(Path(path)), name, path)
    return chosen(**chosen.parse_parameters(_pairs(sets, "--set")))


def pairs_of(items: Sequence[str], option: str) -> dict[str, str]:
    """``k=v`` texts as a dict."""
    return _pairs(items, option)


def _pairs(items: Sequence[str], option: str) -> dict[str, str]:
    result: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UserError(
                "not of the form name=value", place=option, value=item, cure=f"write {option} name=value"
            )
        if key in result:
            raise UserError("given twice", place=option, value=key, cure="give it once")
        result[key] = value
    return result


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise UserError("no such file", place="FILE", value=str(path), cure="give the path of a Python file")
    name = f"strategy_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError("not a Python file", place="FILE", value=str(path), cure="its name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except UserError:
        raise
    except SyntaxError as error:
        raise UserError(f"not valid Python: {error.msg}", place=f"{error.filename}:{error.lineno}") from None
    except Exception as error:  # noqa: BLE001 - an author's file may raise anything while it is read
        at = traceback.extract_tb(error.__traceback__)[-1]
        raise UserError(
            f"{type(error).__name__}: {error}",
            place=f"{at.filename}:{at.lineno}",
            cure="the file must be importable",
        ) from None
    return module


def _class(module: ModuleType, name: str, path: str) -> type[Strategy]:
    found = {
        one.__name__: one
        for one in vars(module).values()
        if inspect.isclass(one)
        and issubclass(one, Strategy)
        and one is not Strategy
        and one.__module__ == module.__name__
    }
    if name:
        if name not in found:
            raise UserError(
                "no such strategy in the file",
                place=path,
                value=name,
                cure=f"it defines {', '.join(found) or 'none'}",
            )
        return found[name]
    if not found:
        raise UserError("the file defines no strategy", place=path, cure="derive a class from qmtl.Strategy")
    if len(found) > 1:
        raise UserError(
            "the file defines several strategies",
            place=path,
            value=", ".join(found),
            cure=f"choose one: {path}:{next(iter(found))}",
        )
    return next(iter(found.values()))
