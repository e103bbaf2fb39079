"""``moderation score``: what the scorer says of a text."""

import json
from typing import IO, Any

import click

from moderation.cli.program import json_option, print_json, read_stdin, shown
from moderation.errors import Invalid

MAX_LINE_CHARS = 1_000_000


@click.command()
@click.argument("text", default="-")
@click.option("--lines", "is_lines", is_flag=True, help='Read {"text": ...} a line from the file TEXT, or "-".')
@json_option
def score(text: str, is_lines: bool, as_json: bool) -> None:
    """Show what the scorer says of TEXT ('-' reads standard input), with the evidence.

    Needs no installation: rules of sites, the author's record and earlier comments have no say here.
    """
    scorer = _Scorer()
    if is_lines:
        with click.open_file(text, encoding="utf-8", errors="replace") as lines:
            _score_lines(scorer, lines)
        return
    if text == "-":
        text = read_stdin()
    answer = scorer.score(text)
    print_json(answer) if as_json else _print(answer)


class _Scorer:
    """The list of signals without a database."""

    def __init__(self) -> None:
        from moderation.adapters.sanitizer import Renderer
        from moderation.scoring.pipeline import Pipeline

        self._pipeline, self._renderer = Pipeline(), Renderer()

    def score(self, raw: str) -> dict[str, Any]:
        """Scores, risk, language, signals and the scorer's version. Raises ``Invalid`` for what is not valid text."""
        from moderation.domain.policy import Policy, decide, evidence_as_json, evidence_shown
        from moderation.domain.text import normalise_body
        from moderation.scoring.pipeline import Candidate

        body = normalise_body(raw)
        candidate = Candidate(body=body, links=tuple(self._renderer.links(self._renderer.html(body))))
        signals = self._pipeline.signals(candidate)
        verdict = decide(signals, Policy())
        return {
            "scores": verdict.scores,
            "risk": verdict.risk,
            "language": self._pipeline.language(body),
            "signals": [
                {
                    "name": signal.name,
                    "weight": signal.weight,
                    "available": signal.available,
                    "evidence": evidence_shown(evidence_as_json(signal.evidence), body),
                }
                for signal in signals
            ],
            "model": self._pipeline.version,
        }


def _score_lines(scorer: _Scorer, lines: IO[str]) -> None:
    """One answer a line, in order. A line that cannot be read gets ``{"error": ...}``; then the status is 1."""
    failed = False
    for line in lines:
        if not line.strip():
            continue
        answer = _answer(scorer, line)
        failed |= "error" in answer
        click.echo(json.dumps(answer, ensure_ascii=False))
    if failed:
        raise click.ClickException("Some lines could not be scored; their answers say why.")


def _answer(scorer: _Scorer, line: str) -> dict[str, Any]:
    if len(line) > MAX_LINE_CHARS:
        return {"error": "The line is too long."}
    try:
        text = json.loads(line)["text"]
    except (ValueError, KeyError, TypeError, RecursionError):
        text = None
    if not isinstance(text, str):
        return {"error": 'The line is not {"text": "..."}.'}
    try:
        return scorer.score(text)
    except Invalid as error:
        return {"error": " ".join(message for messages in error.fields.values() for message in messages)}


def _print(answer: dict[str, Any]) -> None:
    click.echo(f"risk {answer['risk']:.2f}   language {answer['language']}   ({answer['model']})")
    for name, value in answer["scores"].items():
        click.echo(f"  {name:16} {'-' if value is None else f'{value:.2f}'}")
    for signal in answer["signals"]:
        if signal["available"] and not (signal["weight"] or signal["evidence"]):
            continue
        click.echo(
            f"{signal['name']}  {signal['weight']:+.2f}" if signal["available"] else f"{signal['name']}  unavailable"
        )
        for evidence in signal["evidence"]:
            click.echo(f"  {shown(evidence['text'])}")
