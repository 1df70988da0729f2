"""Styles, scripts, pictures and the browser's word lists, under /static/VERSION/.

The version is a digest of all of them, so that a browser may keep a file for good (RFC 8246) and modules that import
each other always come from one version. Asked for another version, as happens while two versions of the server run
side by side, the file of today is given, to be used once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aiohttp import hdrs, web

from signaling import i18n
from signaling.problems import NotFound

FOLDER = Path(__file__).with_name("web")
TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",  # RFC 9239
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
FOR_GOOD = "public, max-age=31536000, immutable"
ONCE = "no-cache"


class Static:
    """The files, read once; with `fresh`, for development, again for every page."""

    def __init__(self, *, fresh: bool = False, folder: Path = FOLDER) -> None:
        self._fresh = fresh
        self._folder = folder
        self._load()

    def _load(self) -> None:
        files = {
            path.relative_to(self._folder).as_posix(): path.read_bytes()
            for path in sorted(self._folder.rglob("*"))
            if path.suffix in TYPES
        }
        for locale in i18n.available():
            files[f"locale/{locale}.json"] = i18n.words(locale).catalog()
        digest = hashlib.sha256()
        for name, body in files.items():
            digest.update(f"{name} {len(body)}\n".encode())
            digest.update(body)
        self._files = files
        self.version = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """Where a page finds a file. Raises `KeyError` for one that does not exist."""
        if self._fresh and name.endswith(".css"):  # a page's first
            self._load()
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self.version}/{name}"

    def body(self, name: str) -> bytes:
        """What is in a file. Raises `KeyError` for one that does not exist."""
        return self._files[name]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """`GET /static/{version}/{name}`."""
        body = self._files.get(request.match_info["name"])
        if body is None:
            raise NotFound()
        kind = TYPES[Path(request.match_info["name"]).suffix]
        response = web.Response(body=body, content_type=kind, charset="utf-8" if kind.startswith("text/") else None)
        same = request.match_info["version"] == self.version
        response.headers[hdrs.CACHE_CONTROL] = FOR_GOOD if same else ONCE
        response.enable_compression()
        return response
