"""The oracle: a slow, obviously right second opinion on event time.

It is written from the rules alone, shares no code with the engine, keeps nothing but dicts and lists, and
recomputes every bucket from what is stored. Where the engine and the oracle differ, one of them is wrong.

**A case** is plain data that JSON can hold::

    {"id": "any",
     "sources": [{"name", "interval", "origin", "lateness", "on_late", "allowed_lateness", "idle_timeout",
                  "identity"}],
     "nodes": [{"name", "interval", "function", "on_missing", "all_idle", "coarse_frontier",
                "inputs": [{"name", "of", "window", "required", "complete"}]}],
     "arrivals": [{"source", "event_ts", "value"}, {"tick": now}, {"finished": source}, {"resume": node}],
     "end": null}

sources
    ``interval`` null: ticks. ``origin`` null: none; earlier events are dropped. Defaults: ``lateness`` 0,
    ``on_late`` "recompute" ("ignore", "side_output"), ``allowed_lateness`` (H) null: unbounded,
    ``idle_timeout`` null: never idle, ``identity`` of ticks "event_id" ("event_ts", "position"). A bar
    stream is a node too.
nodes
    in an order in which each comes after its inputs. Defaults: ``on_missing`` "skip" ("fail"),
    ``all_idle`` "flush" ("hold"), ``coarse_frontier`` "structural" ("strict"). ``origin`` only where the
    inputs do not say it (scenario files). ``function``: see :mod:`qmtl.testing.oracle.value`. A scan
    function has one required input of the node's own interval by rows.
inputs
    ``of`` a source or a node whose interval divides the node's or is divided by it. ``window``:
    ``{"rows": P}`` or ``{"time": D}``; of ticks ``{"rows": P}`` means ``{"time": P * interval}``.
    Defaults: ``required`` true, ``complete`` false.
arrivals
    ``value`` a number (null or NaN: NaN); optionally ``at`` (processing time, default 0), ``event_id``,
    ``revision``. Nothing arrives from a source that has finished. ``resume`` starts a halted node again.
end
    the end of the run, null: none. Needed where a source finishes. No bucket that ends later closes.

**A result** (:func:`run`)::

    {"emissions": {node: [...]}, "final_watermark": {node: int | inf | None},
     "final_table": {node: {bucket: value | "gap"}}, "counters": {entry: {"arrivals", "used", ...}},
     "branches": Counter}

``emissions`` of bar streams and computed nodes in the words of scenario files: ``initial``,
``correction`` (``output`` null: a version without value), ``gap_skip`` (``missing`` is empty where the
function answered None), ``gap_fail`` (``missing`` is empty where the function raised), ``dropped`` and
``side_output`` (at the bar stream, or at the node that reads the ticks, with the bucket of that entry).
Bar streams have empty ``inputs``. ``final_watermark`` is None for minus infinity and infinite where every
source ended. ``final_table`` shows gaps, withdrawn values and failures as "gap". ``counters`` of E14 by
entry: ``stream`` for bars, ``stream>reader`` for ticks. ``branches`` counts how often each of
:data:`BRANCHES` was taken.
"""

from __future__ import annotations

from qmtl.testing.oracle.branch import BRANCHES
from qmtl.testing.oracle.oracle import run
from qmtl.testing.oracle.random_case import random_case
from qmtl.testing.oracle.random_scenario import random_scenario
from qmtl.testing.oracle.scenario import scenario_case, scenario_result

__all__ = ["BRANCHES", "random_case", "random_scenario", "run", "scenario_case", "scenario_result"]
