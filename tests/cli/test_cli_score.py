"""``score`` needs no installation, and answers line by line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_score_of_a_text_says_why(run: Run, tmp_path: Path) -> None:
    assert "built-in word list" in run("score", "you shit").output
    answer = json.loads(run("score", "-", "--json", stdin="you shit\n").stdout)
    assert set(answer) == {"scores", "risk", "language", "signals", "model"}
    assert set(answer["scores"]) >= {"toxicity", "spam"}
    assert any(signal["name"] == "profanity" and signal["evidence"] for signal in answer["signals"])
    assert not (tmp_path / "home").exists()


def test_score_of_another_language_names_it_and_says_that_nobody_judged(run: Run) -> None:
    answer = json.loads(run("score", "Ce maire ne fait rien, comme toujours.", "--json").stdout)
    assert answer["language"] == "fr"
    assert answer["scores"]["toxicity"] is None
    assert "language de" in run("score", "Vielen Dank für den ausführlichen Bericht.").output
    assert "Written in French" in run("score", "Ce maire ne fait rien, comme toujours.").output


def test_score_lines_answers_each_line_in_order(run: Run, tmp_path: Path) -> None:
    texts = ["A calm remark.", "you shit", "", "sh\u200bit"]
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    answers = [json.loads(line) for line in run("score", "--lines", str(file)).stdout.splitlines()]
    assert len(answers) == len(texts)
    assert answers[1]["risk"] > answers[0]["risk"]
    assert run("score", "--lines", "-", stdin=file.read_text()).stdout.splitlines() == [
        json.dumps(answer, ensure_ascii=False) for answer in answers
    ]


def test_score_lines_bad_line_is_answered_and_ends_with_1(run: Run) -> None:
    lines = ["nonsense", '{"text": 1}', "[]", '{"text": "\\ud800"}', "[" * 100_000, '{"text": "fine"}']
    result = run("score", "--lines", "-", stdin="\n".join(lines), status=1)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert ["error" in answer for answer in answers] == [True] * 5 + [False]


def test_score_of_a_missing_file_is_one_line(run: Run, tmp_path: Path) -> None:
    assert "nothing.jsonl" in run("score", "--lines", str(tmp_path / "nothing.jsonl"), status=1).stderr
