"""The operator's socket: words in, one a line as JSON, and what became of each back, one a line.

A Unix socket that only its owner may open. A line is `{"tell": ["chute", "C12", "closed"]}`; its answer is
`{"told": "..."}`, `{"answer": {...}}` with the kernel's record, `{"faults": [...]}` of a plan, or `{"error": "..."}`.
Nothing here waits, but reading and compiling a plan takes its time, and a file of pre-advice is read part by part
before its client's next line is heard; meanwhile the reactor sorts on.

Who says `{"tell": ["questions"]}` is sent what the host is asked from then on, as `{"question": {...}}`.
"""

from __future__ import annotations

import json
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hubctl.core.events import Flag, Kind, Reason, Records
from hubctl.core.layout import HubNames
from hubctl.core.telling import DESK_USAGE, NO_LANES, QUESTIONS, LaneNames, TellError, Wish, wish_of
from hubctl.daemon.desk import PlanDesk

N_CLIENTS_MAX = 16
LINE_MAX = 4096
NS_PER_MS = 1_000_000
ANSWER_NS_MAX = 2_000_000_000
SEQ_MAX = 2**32 - 1


class _Client:
    """One connection: bytes that are no line yet, and the wishes that wait for their answers."""

    def __init__(self, peer: socket.socket) -> None:
        peer.setblocking(False)
        self.peer = peer
        self.rest = b""
        self.lines: deque[bytes] = deque()  # that are still to be taken
        self.work: Iterator[dict[str, Any] | None] | None = None  # of the desk, that is under way
        self.waiting: list[tuple[Wish, int]] = []  # with the time by which they are answered
        self.is_asked = False

    def say(self, answer: dict[str, Any]) -> bool:
        """Whether the peer took it; one that does not is let go."""
        line = json.dumps(answer, ensure_ascii=False).encode() + b"\n"
        try:
            return self.peer.send(line) == len(line)
        except OSError:
            return False

    def received(self) -> list[bytes] | None:
        """Lines that are whole now; None when the peer has gone, or sends none."""
        try:
            data = self.peer.recv(LINE_MAX)
        except BlockingIOError:
            return []
        except OSError:
            return None
        *lines, self.rest = (self.rest + data).split(b"\n")
        return lines if data and len(self.rest) < LINE_MAX else None


class Control:
    """Listens at a path until `close`.

    Parameters
    ----------
    path : Path
        Of the socket; one that a dead daemon left behind is replaced.
    names : HubNames
        Of the hub.
    post : callable
        Takes the inputs; `Service.post`.
    lanes : LaneNames
        Of the plan that the hub runs by, if there is no desk.
    desk : PlanDesk, optional
        Of the hub: plans and pre-advice may be told too.

    Raises
    ------
    OSError
        The socket cannot be made there, or a running daemon has it.
    """

    def __init__(
        self,
        path: Path,
        names: HubNames,
        post: Callable[[Records], None],
        lanes: LaneNames = NO_LANES,
        desk: PlanDesk | None = None,
    ) -> None:
        self._path = path
        self._names = names
        self._post = post
        self._lanes = lanes
        self._desk = desk
        self._seq = 0
        self._clients: list[_Client] = []
        self._listener = _listener(path)

    @property
    def n_asked(self) -> int:
        """Clients that are told what the host is asked."""
        return sum(client.is_asked for client in self._clients)

    def advance(self, records: Records, now_ns: int) -> None:
        """Answer what the records answer, and take what has come."""
        self._accept()
        for client in list(self._clients):
            is_well = (
                self._answer(client, records, now_ns)
                and _ask(client, records)
                and self._serve(client, now_ns)
            )
            if not is_well:
                client.peer.close()
                self._clients.remove(client)

    def close(self) -> None:
        """No more clients; the socket is gone."""
        for client in self._clients:
            client.peer.close()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while len(self._clients) < N_CLIENTS_MAX:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(_Client(peer))

    def _serve(self, client: _Client, now_ns: int) -> bool:
        """Does a step of what a client has begun, or hears what it says; whether it is still there."""
        if client.work is not None:
            return _worked(client, client.work)
        lines = client.received()
        if lines is None:
            return False
        client.lines.extend(lines)
        while client.lines and client.work is None:
            if not self._take(client, client.lines.popleft(), now_ns):
                return False
        return True

    def _take(self, client: _Client, line: bytes, now_ns: int) -> bool:
        self._seq = self._seq % SEQ_MAX + 1
        try:
            words = _words(line)
            if words == [QUESTIONS]:
                client.is_asked = True
                return client.say({"told": QUESTIONS})
            if self._desk is not None and words[:1] and words[0] in DESK_USAGE:
                return _worked(client, self._desk.work(words))
            lanes = self._lanes if self._desk is None else self._desk.lanes
            wish = wish_of(words, self._names, self._seq, lanes)
            self._post(wish.inputs)
        except (TellError, BufferError) as failure:
            return client.say({"error": str(failure)})
        if wish.answer is None:
            return client.say({"told": Kind(wish.inputs[0]["kind"]).name})
        client.waiting.append((wish, now_ns + ANSWER_NS_MAX))
        return True

    def _answer(self, client: _Client, records: Records, now_ns: int) -> bool:
        """Answers, or gives up, each wish that waits; whether the peer took it all."""
        still = []
        for wish, until_ns in client.waiting:
            found = _answer_among(records, wish)
            if found is None and now_ns < until_ns:
                still.append((wish, until_ns))
                continue
            said = {"error": "the kernel did not answer"} if found is None else {"answer": found}
            if not client.say(said):
                return False
        client.waiting = still
        return True


def _worked(client: _Client, work: Iterator[dict[str, Any] | None]) -> bool:
    """Does a step of a desk's work for a client; whether the client took the answer, if there is one."""
    client.work = None
    try:
        answer = next(work)
    except TellError as failure:
        answer = {"error": str(failure)}
    if answer is None:
        client.work = work
        return True
    return client.say(answer)


def _listener(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.setblocking(False)
    if path.is_socket() and _is_dead(path):
        path.unlink()
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)
    listener.listen(N_CLIENTS_MAX)
    return listener


def _is_dead(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) != 0


def _words(line: bytes) -> list[str]:
    try:
        words = json.loads(line)["tell"]
    except (ValueError, TypeError, KeyError):
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise TellError('must be a line like {"tell": ["chute", "C12", "closed"]}')
    return words


def _ask(client: _Client, records: Records) -> bool:
    """Whether a client took every question that it is to answer."""
    if not client.is_asked:
        return True
    return all(
        client.say({"question": _asked(record)}) for record in records[records["kind"] == Kind.ASK_HOST]
    )


def _asked(record: Any) -> dict[str, Any]:
    return {
        "seq": int(record["seq"]),
        "parcel": int(record["parcel"]),
        "label": record["text"][: record["n_text"]].decode("ascii", "replace"),
        "left_ms": int(record["due_ns"] - record["t_ns"]) // NS_PER_MS,
    }


def _answer_among(records: Records, wish: Wish) -> dict[str, Any] | None:
    """The record that answers a wish: by its number where it carries one, else by its parcel and label."""
    asked = wish.inputs[0]
    key = "seq" if wish.answer is Kind.ANSWERED else "parcel"
    is_of_host = asked["kind"] == Kind.HOST_ANSWER
    for record in records[records["kind"] == wish.answer]:
        if bool(record["flags"] & Flag.QUESTION) != is_of_host:
            continue
        if record[key] == asked[key] and (key == "seq" or record["text"] == asked["text"]):
            return _told(record)
    return None


def _told(record: Any) -> dict[str, Any]:
    reason = Reason(record["reason"])
    return {
        "kind": Kind(record["kind"]).name,
        "parcel": int(record["parcel"]),
        "reason": reason.name,
        "left_mm": int(record["value"]),
    }
