"""Small wrong changes of the engine's rules. Random graphs must find each of them.

A mutant is (rule, file of ``qmtl/core/flow``, text that stands there once, what takes its place).
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    rule: str
    file: str
    found: str
    replaced: str


MUTANTS = (
    Mutant("E2 the bar's start as its frontier", "drive_kernels.py", "            end = ts[i] + Q[at.S_INTERVAL, s]", "            end = ts[i]"),
    Mutant("E2 no structural frontier", "clock.py", "edge.up.interval - 1 if structural else 0", "0"),
    Mutant("E2 structural by one unit too much", "clock.py", "edge.up.interval - 1 if", "edge.up.interval if"),
    Mutant("E2 a finished source holds back", "engine.py", "self.clocks.saw(self._rows(state), FOREVER)", "pass"),
    Mutant("E3 lateness of ticks forgotten", "clock.py", "-settings.lateness_ns, NEVER, FOREVER))", "0, NEVER, FOREVER))"),
    Mutant("E3 lateness of bars forgotten", "clock_kernels.py", "wm = end - C[C_LATENESS, k]", "wm = end"),
    Mutant("E3 the fastest input decides", "clock_kernels.py", "        if f < least:", "        if f > least or count == 0:"),
    Mutant("E3 the watermark falls back", "clock_kernels.py", "C[C_WM, k] = max(C[C_WM, k], raw)", "C[C_WM, k] = raw"),
    Mutant("E4 equality does not close", "clock_kernels.py", "min(wm // interval * interval, C[C_LIMIT, k])", "min((wm - 1) // interval * interval, C[C_LIMIT, k])"),
    Mutant("E5 warm-up one row short", "windows.py", "if before < group.rows - 1:", "if before < group.rows - 2:"),
    Mutant("E5 no warm-up of time windows", "windows.py", "Shown(times, values, status == VALUE, warm or end - span < _origin(group, lane), whole)", "Shown(times, values, status == VALUE, warm, whole)"),
    Mutant("E5 an input in warm-up is taken as missing", "windows.py", "    if any(s.warm for _, s in pairs):\n        return NONE, []\n", ""),
    Mutant("E5 rows where an optional input is too", "function.py", "cells.fold_own(work, edge.up.S, edge.lanes, edge.required, False", "cells.fold_own(work, edge.up.S, edge.lanes, True, False"),
    Mutant("E5 a coarser bar before it has ended", "windows.py", "last = (bucket + group.interval) // coarse * coarse - coarse", "last = (bucket + group.interval - 1) // coarse * coarse"),
    Mutant("E5 the span ends where the bucket begins", "windows.py", "times, values = entry.span(end - span, end)", "times, values = entry.span(end - span, end - 1_000_000_000)"),
    Mutant("E6 complete is not asked for", "windows.py", "if e.required and not (s.present and s.whole)]", "if e.required and not s.present]"),
    Mutant("E6 present by the whole window", "windows.py", "return Shown(times, values, bool(len(inside)), warm,", "return Shown(times, values, bool(len(seen)), warm,"),
    Mutant("E6 fail skips", "function.py", "return node.closing.on_missing is OnMissing.FAIL and any", "return False and any"),
    Mutant("E6 a halted node goes on", "function.py", "        if key in halts.at:\n            group.S[row, lane] = HALTED\n            continue\n", ""),
    Mutant("E7 a duplicate is a revision", "entry.py", "            keep_greater(self.revisions, ts, revision)\n            return Fate.DUPLICATE\n", "            keep_greater(self.revisions, ts, revision)\n"),
    Mutant("E7 an overtaken revision wins", "entry.py", "revision < revisions.get(identity, revision)", "False"),
    Mutant("E7 the side output is forgotten", "entry.py", "any(same(known, values) for known in self.held.get(ts, ()))", "False"),
    Mutant("E7 a moved tick stays where it was", "entry.py", "            del self.keys[at], self.rows[at]\n", ""),
    Mutant("E8 late by its time, not by its closing point", "entry.py", "return judge_late(self.settings, ts // interval * interval + interval, watermark)", "return judge_late(self.settings, ts, watermark)"),
    Mutant("E8 equality is not late", "entry.py", "if closing_point > watermark:", "if closing_point >= watermark:"),
    Mutant("E8 corrections stop at the first level", "correct_kernels.py", "        changed(head, index, lane, first, last + 1)", "        pass"),
    Mutant("E8 the window forgets its last row", "function.py", "max(low, -1), group.rows, stop)) + 1)", "max(low, -1), group.rows - 1, stop)))"),
    Mutant("E8 a correction of equal bits is told", "emission.py", "if new != VALUE or all(map(same, before.tolist(), now.tolist())):", "if new != VALUE:"),
    Mutant("E8 an operator's equal bits are told", "tell_kernels.py", "if new != VALUE or not moved:", "if new != VALUE:"),
    Mutant("E8 an operator's version 0 again", "tell_kernels.py", "        versions[r, lane] += 1", "        pass"),
    Mutant("E8 a window operator forgets its last row", "correct_kernels.py", "high - 1, g[at.G_ROWS] - 1, stop) + 1)", "high - 1, g[at.G_ROWS] - 2, stop) + 1)"),
    Mutant("E8 a late bar is taken twice", "late_kernels.py", "        if not same(V[r, out[c] + lane], x[take[c]]):\n            return False\n    return True", "        pass\n    return False"),
    Mutant("E9 a late bar beyond H", "late_kernels.py", "horizon >= 0 and end + horizon <= wm", "False"),
    Mutant("E8 version 0 again", "emission.py", "        group.version[row, lane] += 1\n", "        pass\n"),
    Mutant("E8 a scan stops at equal outputs", "correct_kernels.py", "            alike = alike and same(s[w, lane], copies[r // COPY, w * lanes + lane])", "            pass"),
    Mutant("E9 H counts from the event's time", "entry.py", "closing_point + horizon <= watermark", "closing_point + horizon < watermark"),
    Mutant("E9 H under ignore", "entry.py", "        return Fate.LATE\n", "        return Fate.TOO_LATE\n"),
    Mutant("E10 a refused event wakes nobody", "engine.py", "        woke, state.idle = bool(state.idle), 0\n", "        woke = False\n"),
    Mutant("E10 before the origin is stored", "entry.py", "        if ts < self.origin:\n            return Fate.BEFORE_ORIGIN\n        stored", "        stored"),
    Mutant("E11 idle one moment later", "engine.py", "now - state.last_arrival < timeout", "now - state.last_arrival <= timeout"),
    Mutant("E11 hold flushes", "clock_kernels.py", "(largest if C[C_FLUSH, k] != 0 else C[C_WM, k])", "largest"),
    Mutant("E11 flush holds", "clock_kernels.py", "(largest if C[C_FLUSH, k] != 0 else C[C_WM, k])", "C[C_WM, k]"),
    Mutant("E12 closing before correcting", "correct_kernels.py", "bound, first = min(C[at.C_NEXT, clock], begin[clock]), C[at.C_FIRST, clock]", "bound, first = C[at.C_NEXT, clock], C[at.C_FIRST, clock]"),
    Mutant("E14 refusals are not counted", "entry.py", "self.counts[1 + FATES.index(fate)] += 1", "self.counts[1] += 1"),
    Mutant("E2 an event that is not in order runs ahead", "drive_kernels.py", "ahead = ts[i] + Q[at.S_INTERVAL, s] > Q[at.S_TOP, s]", "ahead = True"),
    Mutant("E4 a lane closes with its neighbour", "close_kernels.py", "begin[clock[stop]] == lo and end[clock[stop]] == hi", "end[clock[stop]] == hi"),
    Mutant("E12 closed from the last log row alone", "settle_kernels.py", "begin[k] = min(begin[k], log[n, 1])", "begin[k] = log[n, 1]"),
)  # fmt: skip

# Of rows of panels, which random graphs hardly ever have: `tests/unit/flow/test_panels.py` must find these.
# fmt: off
PANEL_MUTANTS = (
    Mutant("a row is taken whatever has come before", "panel_kernels.py", "moved |= (top[lane] >= end) | (seen[lane] >= end) | ((idle[lane] | finished[lane]) != 0)", "pass"),
    Mutant("clocks that stand apart move together", "panel_kernels.py", "apart |= (wm[lane] != wm[0]) | (following[lane] != following[0]) | (front[lane] != front[0])", "pass"),
    Mutant("every lane closes at the first arrival", "panel_kernels.py", "steps[lane] = step + lane + 1", "steps[lane] = step + 1"),
    Mutant("later clocks close at the first arrival", "panel_kernels.py", "clocks.close(C, one, step + last, log, used)", "clocks.close(C, one, step, log, used)"),
    Mutant("bars of another time in a row", "panel_kernels.py", "unlike |= times[lane] != time", "pass"),
    Mutant("clocks always move as one", "panels.py", "ordered &= always and (direct or len({max(lanes[one[0]]) for one in moved}) == 1)", "ordered &= always"),
    Mutant("a clock closes with its first input", "panels.py", "found.append((clock, max(lanes[clock])", "found.append((clock, min(lanes[clock])"),
    Mutant("a clock has no other inputs", "panels.py", "int(direct and len(moved) == len(inputs))", "1"),
    Mutant("rows of a table that do not follow each other", "panel_kernels.py", "apart |= place[lane] != place[0] + lane", "pass"),
)
# fmt: on
