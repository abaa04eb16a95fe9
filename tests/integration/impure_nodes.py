"""Functions of authors, some of them not functions of their view alone; `verify` reads this file in other processes."""

import contextlib
import ftplib
import functools
import sysconfig
import warnings
import webbrowser
from datetime import datetime
from zoneinfo import ZoneInfo

import numba
import numpy as np

from qmtl import Strategy, StreamInput, node

OUT = ("a",)


# --- pure ------------------------------------------------------------------------------------------------------


@node(outputs=OUT)
def mean(view):
    return view.px.mean()


@node(outputs=OUT)
def frame(view):
    return float(view.bars.frame()["close"].rolling(3).mean().iloc[-1] + np.linalg.norm(view.bars["close"]))


@node(outputs=OUT)
def seeded(view):
    return view.px[-1] + np.random.default_rng(3).normal()


@functools.cache
def weights(count):
    return tuple(1 / (n + 1) for n in range(count))


@node(outputs=OUT)
def cached(view):
    return float(np.dot(weights(len(view.px)), view.px))


@node(outputs=OUT)
def imports(view):
    from statistics import fmean

    return fmean(view.px.tolist())


@node(outputs=OUT)
def warns(view):
    warnings.warn("look at this", stacklevel=1)
    return float(np.log(view.px[-1] * 0.0) * 0.0)


@numba.njit
def total(values):
    found = 0.0
    for value in values:
        found += value
    return found


@node(outputs=OUT)
def compiled(view):
    return total(view.px)


@node(outputs=OUT, vectorized=True)
def rows(view):
    return view.px.mean(axis=1)


@node(outputs=OUT)
def raises(view):
    if view.px[-1] > view.px[0] * 1.004:
        raise ValueError("too steep")
    return 1.0


@node(outputs=OUT)
def session(view):
    return float(datetime.fromtimestamp(view.bucket / 1e9, ZoneInfo("America/New_York")).hour)


PURE = (session, mean, seeded, cached, imports, warns, compiled, rows, raises)


# --- not pure --------------------------------------------------------------------------------------------------


@node(outputs=OUT)
def clock(view):
    return view.px[-1] + datetime.now().microsecond * 1e-9


@node(outputs=OUT)
def clock_unused(view):
    datetime.now()
    return view.px[-1]


@node(outputs=OUT)
def chance(view):
    return view.px[-1] + np.random.random()


@node(outputs=OUT)
def unseeded(view):
    return view.px[-1] + np.random.default_rng().normal()


@node(outputs=OUT)
def environment(view):
    return view.px[-1] + len(sysconfig.os.environ.get("HOME", ""))


@node(outputs=OUT)
def system(view):
    return view.px[-1] + sysconfig.os.getpid() * 1e-9


@node(outputs=OUT)
def file(view):
    return view.px[-1] + len(np.fromfile(__file__, np.uint8))


@node(outputs=OUT)
def network(view):
    with contextlib.suppress(OSError):
        ftplib.socket.create_connection(("127.0.0.1", 9), 0.1)
    return view.px[-1]


@node(outputs=OUT)
def process(view):
    webbrowser.subprocess.run(["true"], check=False)
    return view.px[-1]


@node(outputs=OUT)
def writes(view):
    view.px.sort()
    return view.px[0]


@node(outputs=OUT)
def hashed(view):
    return view.px[-1] + hash("a") % 1000


@node(outputs=OUT)
def zone(view):
    return view.px[-1] + datetime.fromtimestamp(0).hour


@node(outputs=OUT)
def keeps_first(view):
    return view.px[-1] / vars(keeps_first).setdefault("first", view.px[-1])


@node(outputs=OUT)
def counts(view):
    kept = vars(counts)
    kept["n"] = kept.get("n", 0) + 1
    return kept["n"]


@node(outputs=OUT, vectorized=True)
def leaks(view):
    last = view.px[:, -1]
    return last - last.mean()


IMPURE = (
    clock,
    clock_unused,
    chance,
    unseeded,
    environment,
    system,
    file,
    network,
    process,
    writes,
    hashed,
    zone,
)
IMPURE += (keeps_first, counts, leaks)


class Pure(Strategy):
    def define(self):
        stream = StreamInput("A", interval="1m")
        for one in PURE:
            self.output(one.__name__, one(px=stream.close.window(5)))
        self.output("frame", frame(bars=stream.window(5)))


class Simple(Strategy):
    def define(self):
        self.output("mean", mean(px=StreamInput("A", interval="1m").close.window(5)))


class Impure(Strategy):
    def define(self):
        stream = StreamInput("A", interval="1m")
        for one in IMPURE:
            self.output(one.__name__, one(px=stream.close.window(5)))


# --- seen only at some buckets, which nobody is shown again ------------------------------------------------------

LATER = 1_641_168_000_000_000_000 + 100 * 60_000_000_000


@node(outputs=OUT, vectorized=True)
def leaks_later(view):
    last = view.px[:, -1]
    return last - last.mean() if view.bucket[0] > LATER else last


@node(outputs=OUT)
def counts_later(view):
    kept = vars(counts_later)
    if view.bucket > LATER:
        kept["n"] = kept.get("n", 0) + 1
    return view.px[-1] + kept.get("n", 0)


@node(outputs=OUT)
def reads_it(view):
    return view.score[-1] * 2


class Later(Strategy):
    def define(self):
        stream = StreamInput("A", interval="1m")
        leaking = leaks_later(px=stream.close.window(5))
        self.output("leaks", leaking)
        self.output("below", reads_it(score=leaking.window(2)))
        self.output("counts", counts_later(px=stream.close.window(5)))
