"""Measure moving comments in and out: comments a second of CPU, and how much memory it takes at most.

    python bench/transfer.py [--format wordpress|disqus|isso|remark42|jsonl] [--comments 20000] [--chars 400]
                             [--database-url URL] [--dry-run] [--no-export]

A file of so many comments on a page for each hundred of them is made in a folder of its own, with replies of which a
tenth stand before their parents; then it is imported into a fresh installation by a process of its own, imported again,
and exported in every format, each by a process of its own, whose peak of resident memory is read by ``getrusage``.
Without a URL the database is SQLite; one that is named has to be empty.
"""

import argparse
import gzip
import json
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

WORDS = ["the", "council", "voted", "to", "keep", "a", "night", "ferry", "because", "readers", "wrote", "that", "home"]
START = datetime(2015, 1, 1, tzinfo=UTC)
PER_PAGE = 100
EXPORTS = ("jsonl", "wordpress", "csv")


class Made:
    """One made-up comment."""

    def __init__(self, number: int, chance: random.Random, chars: int) -> None:
        self.number, self.page = number, (number - 1) // PER_PAGE
        first = self.page * PER_PAGE + 1
        kind = chance.random()
        self.parent = chance.randrange(first, number) if kind < 0.4 and number > first else 0
        if 0.4 <= kind < 0.45:
            self.parent = min(number + chance.randrange(1, 5), first + PER_PAGE - 1)
        self.parent = 0 if self.parent == number else self.parent
        self.at = START + timedelta(seconds=37 * number)
        self.words = self._words(chance, chars)

    def _words(self, chance: random.Random, chars: int) -> list[str]:
        words, length = [f"No. {self.number}:"], 0
        while length < chars:
            words.append(chance.choice(WORDS))
            length += len(words[-1]) + 1
        return words

    @property
    def text(self) -> str:
        """Two paragraphs."""
        half = len(self.words) // 2
        return " ".join(self.words[:half]) + "\n\n" + " ".join(self.words[half:])

    @property
    def html(self) -> str:
        """The same as HTML, with emphasis and a link."""
        first, second = self.text.split("\n\n")
        link = f'<a href="https://harbour.example/{self.number}">a page</a>'
        return f"<p>{first} <em>{self.number}</em></p>\n<p>{second} {link}</p>"


def comments(count: int, chars: int) -> Iterator[Made]:
    """The same ones for the same arguments."""
    chance = random.Random(1)
    for number in range(1, count + 1):
        yield Made(number, chance, chars)


def wordpress(path: Path, count: int, chars: int) -> None:
    """A WXR file."""
    with path.open("w", encoding="utf-8") as file:
        file.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n<rss xmlns:wp="http://wordpress.org/export/1.2/"><channel>\n'
        )
        file.write("<wp:wxr_version>1.2</wp:wxr_version><wp:base_blog_url>https://blog.example</wp:base_blog_url>\n")
        page = -1
        for one in comments(count, chars):
            if one.page != page:
                file.write("</item>\n" if page >= 0 else "")
                page = one.page
                file.write(f"<item><title>Page {page}</title><link>https://blog.example/{page}/</link>\n")
                file.write(f"<wp:post_id>{page + 1}</wp:post_id><wp:comment_status>open</wp:comment_status>\n")
            at = one.at.strftime("%Y-%m-%d %H:%M:%S")
            file.write(f"<wp:comment><wp:comment_id>{one.number}</wp:comment_id>")
            file.write(f"<wp:comment_author><![CDATA[Reader {one.number % 5000}]]></wp:comment_author>")
            file.write(f"<wp:comment_author_email>reader{one.number % 5000}@example.org</wp:comment_author_email>")
            file.write(f"<wp:comment_author_IP>203.0.113.{one.number % 250}</wp:comment_author_IP>")
            file.write(f"<wp:comment_date_gmt>{at}</wp:comment_date_gmt>")
            file.write(f"<wp:comment_content><![CDATA[{one.html}]]></wp:comment_content>")
            file.write("<wp:comment_approved>1</wp:comment_approved><wp:comment_type>comment</wp:comment_type>")
            file.write(f"<wp:comment_parent>{one.parent}</wp:comment_parent></wp:comment>\n")
        file.write("</item></channel></rss>\n")


def disqus(path: Path, count: int, chars: int) -> None:
    """A Disqus export."""
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0"?>\n<disqus xmlns="http://disqus.com"')
        file.write(' xmlns:dsq="http://disqus.com/disqus-internals">\n')
        for page in range((count - 1) // PER_PAGE + 1):
            file.write(f'<thread dsq:id="{page}"><id /><link>https://blog.example/{page}/</link>')
            file.write(f"<title>Page {page}</title><isClosed>false</isClosed></thread>\n")
        for one in comments(count, chars):
            file.write(f'<post dsq:id="{one.number}"><id /><message><![CDATA[{one.html}]]></message>')
            file.write(f"<createdAt>{one.at:%Y-%m-%dT%H:%M:%SZ}</createdAt><isDeleted>false</isDeleted>")
            file.write(f"<isSpam>false</isSpam><author><name>Reader {one.number % 5000}</name></author>")
            file.write(f'<thread dsq:id="{one.page}" />')
            file.write(f'<parent dsq:id="{one.parent}" />' if one.parent else "")
            file.write("</post>\n")
        file.write("</disqus>\n")


def isso(path: Path, count: int, chars: int) -> None:
    """An Isso database."""
    database = sqlite3.connect(path)
    database.executescript(
        """
        CREATE TABLE threads (id INTEGER PRIMARY KEY, uri VARCHAR(256) UNIQUE, title VARCHAR(256));
        CREATE TABLE comments (tid REFERENCES threads(id), id INTEGER PRIMARY KEY, parent INTEGER,
            created FLOAT NOT NULL, modified FLOAT, mode INTEGER, remote_addr VARCHAR, text VARCHAR, author VARCHAR,
            email VARCHAR, website VARCHAR, likes INTEGER DEFAULT 0, dislikes INTEGER DEFAULT 0, voters BLOB NOT NULL);
        """
    )
    for page in range((count - 1) // PER_PAGE + 1):
        database.execute("INSERT INTO threads VALUES (?, ?, ?)", (page, f"/{page}/", f"Page {page}"))
    for one in comments(count, chars):
        row = (one.page, one.number, one.parent or None, one.at.timestamp(), None, 1, "203.0.113.0", one.text)
        row += (f"Reader {one.number % 5000}", f"reader{one.number % 5000}@example.org", None, 1, 0, b"")
        database.execute(f"INSERT INTO comments VALUES ({', '.join('?' * len(row))})", row)
    database.commit()
    database.close()


def remark42(path: Path, count: int, chars: int) -> None:
    """A backup."""
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        file.write('{"version":1,"users":[],"posts":[]}\n')
        for one in comments(count, chars):
            line = {"id": str(one.number), "pid": str(one.parent or ""), "text": escape(one.text), "orig": one.text}
            line |= {"user": {"name": f"Reader {one.number % 5000}", "id": "x", "ip": "0f"}, "score": 1, "votes": {}}
            line |= {"locator": {"site": "s", "url": f"https://blog.example/{one.page}/"}, "time": one.at.isoformat()}
            file.write(json.dumps(line) + "\n")


MAKERS = {"wordpress": wordpress, "disqus": disqus, "isso": isso, "remark42": remark42}


def run(home: Path, *arguments: str, output: Path | None = None) -> float:
    """Run ``moderation`` in a process of its own; prints time, time of the processor and memory, returns the second."""
    environment = {**os.environ, "MODERATION_HOME": str(home)}
    code = "import sys; from moderation.cli import main; sys.argv[0] = 'moderation'; main()"
    begun = time.monotonic()
    with (output or home / "printed").open("w") as file:
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment, stdout=file)
        _, status, usage = os.wait4(process.pid, 0)
    seconds, cpu = time.monotonic() - begun, usage.ru_utime + usage.ru_stime
    if status:
        sys.exit(f"moderation {' '.join(arguments)} failed")
    what = " ".join(arguments[:2])
    print(f"  {what:20} {seconds:7.1f} s, {cpu:6.1f} s of CPU, peak {usage.ru_maxrss / 1024:.0f} MB", flush=True)
    return cpu


def main() -> None:
    """Make, import, import again, export."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--format", choices=[*MAKERS, "jsonl"], default="wordpress")
    asked.add_argument("--comments", type=int, default=20_000)
    asked.add_argument("--chars", type=int, default=400)
    asked.add_argument("--database-url", default="")
    asked.add_argument("--dry-run", action="store_true")
    asked.add_argument("--no-export", action="store_true")
    given = asked.parse_args()
    if given.database_url:
        os.environ["MODERATION_DATABASE_URL"] = given.database_url
    with tempfile.TemporaryDirectory() as folder:
        home, file = Path(folder) / "home", Path(folder) / "file"
        home.mkdir()
        own = given.format == "jsonl"
        MAKERS["wordpress" if own else given.format](file, given.comments, given.chars)
        run(home, "init")
        run(home, "site", "add", "old" if own else "new", "--origin", "https://blog.example")
        if own:
            run(home, "import", "wordpress", str(file), "--site", "old")
            run(home, "export", "jsonl", "--site", "old", "--output", str(file))
            run(home, "site", "add", "new", "--origin", "https://blog.example")
        print(f"{given.comments} comments in {file.stat().st_size / 1e6:.1f} MB of {given.format}")
        bare = run(home, "site", "list")
        into = ["import", given.format, str(file), "--site", "new"]
        seconds = run(home, *into, *(["--dry-run"] if given.dry_run else [])) - bare
        print(f"  {given.comments / seconds:.0f} comments a second of CPU in")
        if given.dry_run:
            return
        seconds = run(home, *into) - bare
        print(f"  {given.comments / seconds:.0f} comments a second of CPU that were there already")
        for kind in () if given.no_export else EXPORTS:
            seconds = run(home, "export", kind, "--site", "new", output=Path(folder) / "out") - bare
            size = (Path(folder) / "out").stat().st_size
            print(f"  {given.comments / seconds:.0f} comments a second of CPU out, {size / 1e6:.1f} MB of {kind}")


if __name__ == "__main__":
    print(f"This process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    main()
