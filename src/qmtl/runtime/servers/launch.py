"""Run as a script: become COMMAND as user UID, to be killed with the process PARENT.

    python -I -S launch.py PARENT UID GID COMMAND...

It is executed, not forked with a `preexec_fn`: no Python code runs between fork and exec of a process with threads.
PARENT 0 means that nobody's end ends it; UID 0 that the user stays as he is. PR_SET_PDEATHSIG comes after setuid,
which clears it, and before the look at the parent, which may have died by then.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def launch(parent: int, uid: int, gid: int, command: list[str]) -> None:
    if uid:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if parent:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(f"process {parent} ended before it had started {command[0]}")
    os.execv(command[0], command)  # noqa: S606 - our own command


if __name__ == "__main__":
    launch(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
