"""`python servers_keeper.py KIND RUN`: keep one server until the process RUN has ended, then stop it.

Prints the server's state as one line of JSON when it answers. The server is a child that dies with this process;
this process watches the run by its pidfd. So neither a killed worker nor a killed run leaves a server behind.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys

from qmtl.runtime.servers import KINDS


def keep(kind: str, run: int) -> None:
    watched = os.pidfd_open(run)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's: its end is seen here
    with KINDS[kind]() as server:
        print(json.dumps(server.state()), flush=True)
        os.dup2(2, 1)  # the reader's pipe closes
        select.select([watched], [], [])


if __name__ == "__main__":
    keep(sys.argv[1], int(sys.argv[2]))
