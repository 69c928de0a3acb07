"""HTTP for the simulated services: one handler that reads a request, applies faults, answers and logs.

A service says what a request is (`describe`) before it carries it out (`answer`), so that a fault can be chosen by operation.
Nothing here knows Loop or Shopify.
"""

import json
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from gateway.simulator.calls import Call, CallLog
from gateway.simulator.clock import SimClock
from gateway.simulator.faults import Fault, Faults

LARGEST_BODY = 32 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """The body as JSON; an empty body is None, an unreadable one raises ValueError."""
        return json.loads(self.body) if self.body.strip() else None


@dataclass(frozen=True)
class Subject:
    """What a request is about, for faults and the log."""

    operation: str
    rma: int | None = None
    body: object = None
    quiet: bool = False


@dataclass(frozen=True)
class Answer:
    """What a service says; `effect` when it changed something, `accepted` when it did what was asked."""

    status: int
    payload: object
    effect: bool = False
    accepted: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        return self.payload.encode() if isinstance(self.payload, str) else json.dumps(self.payload).encode()

    def content_type(self) -> str:
        return "text/html; charset=utf-8" if isinstance(self.payload, str) else "application/json"


class Service(Protocol):
    """A simulated service."""

    name: str

    def describe(self, request: Request) -> Subject: ...

    def answer(self, request: Request, subject: Subject) -> Answer: ...


@dataclass
class Surroundings:
    """What every service shares."""

    clock: SimClock
    faults: Faults
    calls: CallLog


class Server(ThreadingHTTPServer):
    """One service on one port, with a thread per connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, port: int, service: Service, around: Surroundings) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.service = service
        self.around = around
        self.defects: list[str] = []
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()

    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        with self._guard:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: object) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)  # type: ignore[arg-type]  # the same

    def stop(self) -> None:
        """Stop listening and end the connections that clients keep open."""
        self.shutdown()
        self.server_close()
        with self._guard:
            left = list(self._open)
        for connection in left:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was first

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news; anything else is a defect of the simulator, kept for `stop`."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            self.defects.append(traceback.format_exc())


class Handler(BaseHTTPRequestHandler):
    """Reads one request, lets the service answer it, and does to the answer what a fault wants."""

    protocol_version = "HTTP/1.1"
    server_version = "simulator"
    sys_version = ""
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        """Requests are in the call log."""

    def _serve(self) -> None:
        request = self._read()
        service, around = self.server.service, self.server.around
        subject = service.describe(request)
        fault = None if subject.quiet else around.faults.take(service.name, subject.operation, request.path, subject.rma)
        answer = None
        if fault is None or fault.effect:
            answer = service.answer(request, subject)
        if fault is not None and fault.kind == "slow":
            time.sleep(fault.seconds)
        status = answer.status if answer is not None else 0
        if fault is not None and fault.kind.startswith("drop"):
            status = 0
        elif fault is not None and fault.kind in ("status", "html", "error_body"):
            status = fault.status
        if not subject.quiet:
            self._log(request, subject, answer, (status, fault))
        self._reply(answer, fault)

    def _read(self) -> Request:
        parts = urlsplit(self.path)
        length = min(int(self.headers.get("Content-Length") or 0), LARGEST_BODY)
        body = self.rfile.read(length) if length else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body)

    def _log(self, request: Request, subject: Subject, answer: Answer | None, end: tuple[int, Fault | None]) -> None:
        status, fault = end
        call = Call(
            service=self.server.service.name,
            operation=subject.operation,
            rma=subject.rma,
            method=request.method,
            path=request.path,
            query=request.query,
            body=subject.body,
            status=status,
            effect=answer is not None and answer.effect,
            accepted=answer is not None and answer.accepted,
            fault=fault.kind if fault else None,
            at=self.server.around.clock.now(),
            answer=answer.payload if answer else None,
        )
        self.server.around.calls.add(call)

    def _reply(self, answer: Answer | None, fault: Fault | None) -> None:
        if fault is not None and fault.kind.startswith("drop"):
            self._hang_up()
        elif fault is not None and fault.kind in ("status", "html", "error_body"):
            self._send_fault(fault)
        elif answer is not None:
            body = answer.body()
            cut = fault.kind if fault is not None else ""
            length = len(body) // 2 if cut == "wrong_content_length" else len(body)
            self._send_head(answer.status, length, {"Content-Type": answer.content_type(), **answer.headers})
            self.wfile.write(body[: len(body) // 2] if cut == "cut_json" else body)
            if cut in ("cut_json", "wrong_content_length"):
                self._hang_up()
        else:
            self._hang_up()

    def _send_fault(self, fault: Fault) -> None:
        text = fault.text()
        kind = "text/html" if text.lstrip().startswith("<") else "application/json"
        headers = {"Content-Type": kind}
        if fault.retry_after is not None:
            headers["Retry-After"] = str(fault.retry_after)
        self._send_head(fault.status, len(text.encode()), headers)
        self.wfile.write(text.encode())

    def _send_head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the client was first
