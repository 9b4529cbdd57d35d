"""`hubctl tell`: an operator's word to a running hub, over its socket."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hubctl.cli.output import JSON_OPTION, print_json
from hubctl.core.telling import DESK_USAGE, QUESTIONS, USAGE

EXIT_REFUSED = 1
PATIENCE_S = 5.0
ANSWER_MAX = 262_144


def tell(
    control: Annotated[
        Path, typer.Argument(help="Socket of the running hub: `hubctl run --control SOCKET`.")
    ],
    words: Annotated[
        list[str], typer.Argument(help="One of: " + "; ".join([*USAGE.values(), *DESK_USAGE.values()]) + ".")
    ],
    as_json: Annotated[bool, typer.Option(JSON_OPTION, help="The answer as one object.")] = False,
) -> None:
    """Tell a running hub something, and print what became of it; exit code 1 if it was refused."""
    if words == [QUESTIONS]:
        _print_questions(control, as_json)
        return
    answer = asked(control, words)
    if as_json:
        print_json(answer)
    else:
        typer.echo(_sentence(answer), err="error" in answer)
    if not _is_taken(answer):
        raise typer.Exit(EXIT_REFUSED)


def _print_questions(control: Path, as_json: bool) -> None:
    """What the host is asked, as it comes, until the hub stops."""
    with _told(control, [QUESTIONS]) as peer:
        peer.settimeout(None)
        for line in peer.makefile("rb"):
            question = json.loads(line).get("question")
            if question is not None and as_json:
                print_json(question)
            elif question is not None:
                typer.echo("question {seq}: parcel {parcel}, {label}, {left_ms} ms".format(**question))
            sys.stdout.flush()


def _told(control: Path, words: list[str], patience_s: float = PATIENCE_S) -> socket.socket:
    """A connection to the hub, which has been told some words."""
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(patience_s)
    try:
        peer.connect(str(control))
        peer.sendall(json.dumps({"tell": words}).encode() + b"\n")
    except OSError as failure:
        peer.close()
        raise typer.BadParameter(f"{control}: {failure.strerror or failure}; is the hub running?") from None
    return peer


def asked(control: Path, words: list[str], patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """What a running hub answers to some words."""
    with _told(control, words, patience_s) as peer:
        try:
            line = peer.makefile("rb").readline(ANSWER_MAX)
        except OSError as failure:
            raise typer.BadParameter(
                f"{control}: {failure.strerror or failure}; does the hub hang?"
            ) from None
    if not line:
        raise typer.BadParameter(f"{control}: the hub hung up; has it just stopped?")
    answer: dict[str, Any] = json.loads(line)
    return answer


def _is_taken(answer: dict[str, Any]) -> bool:
    return "told" in answer or answer.get("answer", {}).get("reason") == "OK"


def _sentence(answer: dict[str, Any]) -> str:
    if "answer" in answer:
        told = answer["answer"]
        return f"parcel {told['parcel']}: {told['kind'].lower()}, {told['reason']}"
    if "faults" in answer:
        return f"refused: {answer['n_faults']} faults; `hubctl plan activate` tells them"
    return str(answer.get("error") or "told")
