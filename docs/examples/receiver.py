"""A webhook receiver: verifies every delivery, and takes each event once.

    WEBHOOK_SECRET=whsec_... python receiver.py 9000

It needs Python 3.11 and the package ``standardwebhooks``.
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
seen: set[str] = set()  # In your service: a unique column, written in one transaction with what the event changes.


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what is genuine, 400 to the rest."""

    def do_POST(self) -> None:
        """Take one delivery."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = webhook.verify(body, dict(self.headers))
        except WebhookVerificationError:
            self._answer(400)
            return
        message_id = self.headers["webhook-id"]
        if message_id not in seen:
            seen.add(message_id)
            comment = event["data"].get("comment", {})
            print(event["type"], comment.get("id", "-"), comment.get("state", "-"), flush=True)
        self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
