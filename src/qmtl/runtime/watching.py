"""What an author's function asks the world for while it runs: clock, chance, environment, files, network.

Seen by Python's own hooks, so nothing is replaced: the audit hook sees files, sockets and processes, the profiler sees
calls into C. What a library does in compiled code without telling Python stays unseen. Imports, compilers, warnings
and time zones may look at files: that is not the author's doing.
"""

from __future__ import annotations

import os
import sys
import warnings
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from importlib import import_module
from types import CodeType, FrameType
from typing import Any

CLOCKS = frozenset(
    f"{name}{unit}"
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime")
    for unit in ("", "_ns")
) | {"localtime", "gmtime", "ctime", "asctime", "strftime", "sleep"}
NOW = frozenset({"now", "utcnow", "today"})
SYSTEM = frozenset(
    {"getpid", "getppid", "getcwd", "cpu_count", "uname", "getlogin", "getuid", "stat", "lstat", "listdir"}
)
ENTROPY = frozenset({"urandom", "getrandom"})
FILES = ("open", "os.", "shutil.", "glob.", "tempfile.", "mmap.", "sqlite3.")
WORLD = {"socket.": "the network", "urllib.": "the network", "http.": "the network", "ftplib.": "the network"}
WORLD |= {"smtplib.": "the network", "subprocess.": "another process", "os.system": "another process"}
WORLD |= {"os.fork": "another process", "os.posix_spawn": "another process", "os.exec": "another process"}
WORLD |= {"os.putenv": "the environment", "os.unsetenv": "the environment"}
TOOLS = frozenset({"importlib", "_frozen_importlib", "_frozen_importlib_external", "numba", "llvmlite"})
TOOLS |= {"linecache", "warnings", "tokenize", "zoneinfo", "tzdata", "pytz", "dateutil"}
OWN = (sys.prefix, sys.base_prefix, *zoneinfo.TZPATH)  # what is installed belongs to the runtime

Said = dict[str, str]  # what was seen, by what it is: "the clock" → "time.time at file.py:12"


class _Watch:
    """What is seen at present; one per process, because hooks are."""

    def __init__(self) -> None:
        self.said: Said | None = None
        self.file = ""
        self.hooked = False

    def tell(self, what: str, how: str, frame: FrameType | None) -> None:
        said, self.said = self.said, None  # what we do here ourselves is not seen
        if said is None:
            return
        place = _place(frame, self.file)
        if place is not None:
            said.setdefault(what, f"{how} at {place}" if place else how)
        self.said = said


_now = _Watch()


@contextmanager
def watched(said: Said, file: str) -> Iterator[None]:
    """Within it, what this thread asks the world for is put into `said`; `file` is that of the author's function."""
    if not _now.hooked:
        sys.addaudithook(_audit)  # for good: it does nothing while nobody watches
        _now.hooked = True
    before = sys.getprofile()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        states = _shared_chance()
        _now.said, _now.file = said, file
        sys.setprofile(_profile)
        try:
            yield
        finally:
            sys.setprofile(before)
            _now.said = None
            drawn = [name for name, state in _shared_chance().items() if states[name] != state]
            if drawn:
                said["chance"] = f"{' and '.join(drawn)}, which all share"


def _audit(event: str, given: tuple[Any, ...]) -> None:
    if _now.said is None:
        return
    what = next((kind for prefix, kind in WORLD.items() if event.startswith(prefix)), "")
    if not what and event.startswith(FILES) and not str(next(iter(given), "")).startswith(OWN):
        what = "files"
    if what:
        subject = next((repr(one) for one in given if isinstance(one, str | bytes | int)), "")
        _now.tell(what, f"{event} {subject}".strip(), sys._getframe(1))


def _profile(frame: FrameType, event: str, called: Any) -> None:
    if _now.said is None:
        return
    if event == "call":
        if frame.f_code in _ENVIRON:
            _now.tell("the environment", f"os.environ.{frame.f_code.co_name}", frame)
    elif event == "c_call":
        what, how = _kind(called)
        if what:
            _now.tell(what, how, frame)


def _environ_code() -> frozenset[CodeType]:
    names = ("__getitem__", "__setitem__", "__delitem__", "__iter__", "__len__")
    return frozenset(getattr(type(os.environ), name).__code__ for name in names)


_ENVIRON = _environ_code()


def _kind(called: Any) -> tuple[str, str]:
    """What a function in C asks for, and its name; "" where it is harmless."""
    name, owner = getattr(called, "__name__", ""), getattr(called, "__self__", None)
    module = getattr(owner, "__name__", "") if type(owner).__name__ == "module" else ""
    if module == "time" and name in CLOCKS:
        return "the clock", f"time.{name}"
    if name in NOW and isinstance(owner, type) and issubclass(owner, date):
        return "the clock", f"{owner.__name__}.{name}"
    if module in ("posix", "nt") and name in SYSTEM | ENTROPY:
        return "chance" if name in ENTROPY else "the system", f"os.{name}"
    if module == "" and type(owner).__name__ == "SystemRandom":
        return "chance", f"SystemRandom.{name}"
    return "", ""


def _shared_chance() -> dict[str, Any]:
    """States of the generators that all of a process share; one of the author's own is a function of its seed."""
    state = import_module("numpy.random").get_state(legacy=False)
    numpys = (state["state"]["key"].tobytes(), state["state"]["pos"], state["gauss"])
    return {"numpy.random": numpys, "random": import_module("random").getstate()}


def _place(frame: FrameType | None, file: str) -> str | None:
    """The author's line that led here, "" where it is not found; None where a tool is at work."""
    at = None
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name.split(".", maxsplit=1)[0] in TOOLS:
            return None
        if at is None and frame.f_code.co_filename == file:
            at = f"{file}:{frame.f_lineno}"
        if at is not None:
            return at
        frame = frame.f_back
    return ""
