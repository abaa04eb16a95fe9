"""Where an author's function is called, and what it may answer: numbers for its outputs, or None for a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from qmtl.core.errors import UserError


def called(
    function: Callable[..., Any],
    shown: Iterable[tuple[Any, ...]],
    params: Mapping[str, Any],
    take: Callable[[Any], Any],
    as_it_is: tuple[type, ...] = (),
) -> tuple[list[Any], str]:
    """The answers to each of `shown` (positional arguments), up to one that fails; and why that one does.

    `take` makes what is kept of an answer; one of a type in `as_it_is` is kept as it is.
    """
    found: list[Any] = []
    try:
        for given in shown:
            answer = function(*given, **params)
            found.append(answer if answer.__class__ in as_it_is else take(answer))
    except Exception as error:  # noqa: BLE001 - whatever an author's code raises is contained here
        return found, f"{type(error).__name__}: {error}"
    return found, ""


def taken(answer: object, outputs: tuple[str, ...]) -> np.ndarray | None:
    """An answer as float64 per output; None is a gap. Raises UserError for anything else."""
    values = _by_output(answer, outputs)
    if values is None or any(value is None for value in values):
        return None
    return np.array([_number(value) for value in values], np.float64)


def answers(answer: object, outputs: tuple[str, ...], rows: int) -> np.ndarray | None:
    """The answer of a vectorized function as float64 (rows, outputs); None is a gap at every row.

    Raises UserError for anything but one array of `rows` numbers per output.
    """
    values = _by_output(answer, outputs)
    if values is None or any(value is None for value in values):
        return None
    columns = [np.asarray(value, np.float64) for value in values]
    for column in columns:
        if column.shape != (rows,):
            raise UserError(
                f"an array of shape {column.shape} for {rows} rows",
                place="return value",
                value=f"array{column.shape}",
                cure="a vectorized function gets windows of shape (rows, period) and returns one number per row",
            )
    return np.stack(columns, axis=1)


def _by_output(answer: object, outputs: tuple[str, ...]) -> list[Any] | None:
    if answer is None:
        return None
    if isinstance(answer, Mapping):
        if set(answer) != set(outputs):
            raise UserError(
                "the function's answer does not have the declared outputs",
                place="return value",
                value=sorted(map(str, answer)),
                cure=f"return exactly {', '.join(outputs)}",
            )
        values = [answer[name] for name in outputs]
    elif isinstance(answer, tuple):
        values = list(answer)
    else:
        values = [answer]
    if len(values) != len(outputs):
        raise UserError(
            f"{len(values)} values for {len(outputs)} outputs",
            place="return value",
            value=len(values),
            cure=f"return one value for each of {', '.join(outputs)}",
        )
    return values


def _number(value: Any) -> float:
    if isinstance(value, np.ndarray) and value.ndim > 0:
        raise UserError(
            f"an array of shape {value.shape} where a number is expected",
            place="return value",
            value=f"array{value.shape}",
            cure="return a number, for example value[-1]",
        )
    return float(value)
