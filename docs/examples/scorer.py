"""A scorer of your own: verifies each question, and answers by the simple contract.

    SCORER_SECRET=whsec_... python scorer.py 9100

It needs Python 3.11 and the package ``standardwebhooks``. This one objects to shouting.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["SCORER_SECRET"])


class Scorer(BaseHTTPRequestHandler):
    """Answers 200 and an opinion to what is genuine, 400 to the rest."""

    def do_POST(self) -> None:
        """Judge one comment."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            question = webhook.verify(body, dict(self.headers))
        except WebhookVerificationError:
            self._answer(400, {})
            return
        self._answer(200, judge(question["text"]))

    def _answer(self, status: int, content: dict) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


def judge(text: str) -> dict:
    """Scores 0..1 by name, sentences with places in code points, the version of what judged."""
    letters = [letter for letter in text if letter.isalpha()]
    shouted = sum(letter.isupper() for letter in letters) / max(len(letters), 20)
    said = [{"text": "Most of it is in capitals.", "spans": [[0, len(text)]]}] if shouted > 0.5 else []
    return {"scores": {"toxicity": round(shouted, 2)}, "evidence": said, "version": "shouting-1"}


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Scorer).serve_forever()
