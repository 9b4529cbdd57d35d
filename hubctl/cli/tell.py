"""`hubctl tell`: an operator's word to a running hub, over its socket."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hubctl.cli.asking import asked, told
from hubctl.cli.output import JSON_OPTION, print_json
from hubctl.cli.tell_labels import label_file, tell_labels
from hubctl.core.config import ConfigError, Fault
from hubctl.core.telling import DESK_USAGE, QUESTIONS, USAGE

EXIT_REFUSED = 1


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
    labels = label_file(words)
    answer = asked(control, words) if labels is None else tell_labels(control, labels)
    if labels is not None and "faults" in answer:
        raise ConfigError(Fault(**fault) for fault in answer["faults"])
    if as_json:
        print_json(answer)
    else:
        typer.echo(_sentence(answer), err="error" in answer)
    if not _is_taken(answer):
        raise typer.Exit(EXIT_REFUSED)


def _print_questions(control: Path, as_json: bool) -> None:
    """What the host is asked, as it comes, until the hub stops."""
    with told(control, [QUESTIONS]) as peer:
        peer.settimeout(None)
        for line in peer.makefile("rb"):
            question = json.loads(line).get("question")
            if question is not None and as_json:
                print_json(question)
            elif question is not None:
                typer.echo("question {seq}: parcel {parcel}, {label}, {left_ms} ms".format(**question))
            sys.stdout.flush()


def _is_taken(answer: dict[str, Any]) -> bool:
    return "told" in answer or answer.get("answer", {}).get("reason") == "OK"


def _sentence(answer: dict[str, Any]) -> str:
    if "answer" in answer:
        said = answer["answer"]
        return f"parcel {said['parcel']}: {said['kind'].lower()}, {said['reason']}"
    if "faults" in answer:
        return f"refused: {answer['n_faults']} faults; `hubctl plan activate` tells them"
    if "n_labels" in answer:
        return "told of {n_labels:,} labels".format(**answer)
    return str(answer.get("error") or "told")
