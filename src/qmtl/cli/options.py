"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

File = Annotated[
    str, typer.Argument(metavar="FILE", help="path.py, or path.py:Class where the file defines several")
]
Sets = Annotated[
    list[str], typer.Option("--set", metavar="K=V", help="a parameter of the strategy; repeatable")
]
Datas = Annotated[list[str], typer.Option("--data", metavar="ID=PATH", help="a stream's file; repeatable")]
Cat = Annotated[
    str | None,
    typer.Option("--catalog", metavar="PATTERN", help='files to streams, e.g. "data/{id}-5m.feather"'),
]
Tz = Annotated[str | None, typer.Option("--tz", help="zone of naive times in the files, e.g. UTC")]
Stamp = Annotated[str, typer.Option("--stamp", help="whether a bar's time is its open or its close")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document and nothing else")]
Start = Annotated[str | None, typer.Option("--start", help="emit from here on, e.g. 2022-01-03 (UTC)")]
End = Annotated[str | None, typer.Option("--end", help="until here, exclusive")]
Cache = Annotated[
    str | None,
    typer.Option("--cache", metavar="WHERE", help='folder or URL of results known already, or "off"'),
]
