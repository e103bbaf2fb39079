"""The readers' widget as it goes out: the script without comments and needless space, and its texts by language.

Both are made once a process, from ``static/embed.js`` and ``static/embed/*.json``, and packed once: what a reader in
one language loads is to stay below 12 kB, whether or not a proxy in front compresses.
"""

import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson
import rjsmin
from flask import Blueprint, Response, request

STATIC = Path(__file__).parent / "static"
DEFAULT_LANGUAGE = "en"

SCRIPT_CACHE_S = 300
"""How long a browser may use the script without asking again: short, so that a fix reaches readers soon."""

TEXTS_CACHE_S = 31_536_000
"""The same for texts whose version stands in the address: a year, which is for good."""

_VERSION_MARK = "{version}"

widget = Blueprint("widget", __name__)


@dataclass(frozen=True, slots=True)
class Packed:
    """A file that goes out, plain and compressed."""

    mimetype: str
    plain: bytes
    gzipped: bytes


@cache
def script() -> Packed:
    """The script: that of ``static/embed.js``, which names the version of the texts that belong to it."""
    source = (STATIC / "embed.js").read_text(encoding="utf-8").replace(_VERSION_MARK, version())
    return _packed("text/javascript", rjsmin.jsmin(source).encode())


@cache
def proof_script() -> Packed:
    """The part of the script that does a proof of work, which only readers of sites that ask for one load."""
    source = (STATIC / "embed" / "proof.js").read_text(encoding="utf-8")
    return _packed("text/javascript", rjsmin.jsmin(source).encode())


@cache
def texts() -> dict[str, Packed]:
    """The texts by language: ``en``, ``de`` and so on, one for each file in ``static/embed``."""
    files = sorted((STATIC / "embed").glob("*.json"))
    return {file.stem: _packed("application/json", orjson.dumps(json.loads(file.read_bytes()))) for file in files}


@cache
def version() -> str:
    """A short name of all texts as they are, which changes with each of them."""
    return hashlib.sha256(b"".join(one.plain for one in texts().values())).hexdigest()[:12]


@widget.get("/embed.js")
def embed() -> Response:
    """The readers' widget, for any page of any origin."""
    return _answer(script(), SCRIPT_CACHE_S)


@widget.get("/embed/proof.js")
def proof() -> Response:
    """The part for a proof of work, as a module."""
    answer = _answer(proof_script(), SCRIPT_CACHE_S)
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


@widget.get("/embed/<string(minlength=2, maxlength=3):language>.json")
def language_file(language: str) -> Response:
    """The widget's texts in a language, or in English where there are none in that one."""
    found = texts().get(language) or texts()[DEFAULT_LANGUAGE]
    is_current = request.args.get("v") == version()
    answer = _answer(found, TEXTS_CACHE_S if is_current else SCRIPT_CACHE_S)
    answer.cache_control.immutable = is_current
    # The same for everybody, and asked for without credentials: any page may read it.
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


def _packed(mimetype: str, plain: bytes) -> Packed:
    return Packed(mimetype, plain, gzip.compress(plain, 9, mtime=0))


def _answer(file: Packed, cache_s: int) -> Response:
    is_packed = request.accept_encodings["gzip"] > 0
    answer = Response(file.gzipped if is_packed else file.plain, mimetype=file.mimetype)
    if is_packed:
        answer.headers["Content-Encoding"] = "gzip"
    answer.vary.add("Accept-Encoding")
    answer.cache_control.public = True
    answer.cache_control.max_age = cache_s
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.add_etag()
    answer.make_conditional(request)
    return answer
