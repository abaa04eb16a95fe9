"""The read-only view an author's function gets: one attribute per input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

make_table: dict[
    str, Callable[..., Any]
] = {}  # "of": put there by what runs the engine; this package knows no library of frames


class Columns:
    """A window of a stream with several columns: ``view.px["close"]`` or ``view.px.close``; oldest first.

    `times` are the starts of its bars, or the times of its ticks, in integer ns UTC.
    """

    __slots__ = ("_arrays", "_start", "_stop", "_times")

    def __init__(self, arrays: dict[str, Array], times: NDArray[np.int64], start: int, stop: int) -> None:
        self._arrays, self._times, self._start, self._stop = arrays, times, start, stop

    def __getitem__(self, name: str) -> Array:
        try:
            return self._arrays[name][self._start : self._stop]
        except KeyError:
            raise KeyError(f"no column {name!r} in this window; it has {', '.join(self._arrays)}") from None

    def __getattr__(self, name: str) -> Array:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(str(error)) from None

    def __len__(self) -> int:
        return self._stop - self._start

    def keys(self) -> list[str]:
        """The names of the columns."""
        return list(self._arrays)

    @property
    def times(self) -> NDArray[np.int64]:
        return self._times[self._start : self._stop]

    def frame(self, kind: str = "pandas") -> Any:
        """The window as a table with its times (UTC) as `bucket`: pandas (indexed by it), Polars or Arrow."""
        columns: dict[str, Any] = {"bucket": self.times} | {name: self[name].copy() for name in self._arrays}
        return make_table["of"](columns, kind, times=("bucket",), index="bucket")


class View:
    """What a node sees at one bucket; attributes are its inputs, `bucket` its start (ns). Writing raises.

    A vectorized node sees several: windows of shape (rows, period), `bucket` an array of int64.
    """

    bucket: Any

    def __init__(self, inputs: dict[str, Any], bucket: int | NDArray[np.int64]) -> None:
        self.__dict__.update(inputs)
        self.__dict__["bucket"] = bucket

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a view is read-only: {name!r} cannot be set; return the value instead")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a view is read-only: {name!r} cannot be deleted")

    def __getattr__(self, name: str) -> Any:
        names = ", ".join(k for k in self.__dict__ if k != "bucket")
        raise AttributeError(f"this node has no input {name!r}; its inputs are {names}")

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


def locked(array: np.ndarray) -> np.ndarray:
    """The array, refusing to be written; slices of it refuse too."""
    array.flags.writeable = False
    return array
