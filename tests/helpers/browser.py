"""Debian's Chromium, and what a page in it asked for, complained of or ran."""

import os
import shutil

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ,
    reason="no chromium on this machine: apt-get install chromium, or run .ci/run",
)
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
PATIENCE = 60_000  # milliseconds for any one step, on a busy machine


class Watch:
    """What pages asked for, beyond this machine and at all, complained of, and said in dialogs."""

    def __init__(self, context: BrowserContext) -> None:
        self.outside: list[str] = []
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.dialogs: list[str] = []
        context.on("dialog", self._answer)
        context.on("request", lambda request: self._note(request.url))
        context.on("console", self._listen)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _answer(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _note(self, url: str) -> None:
        self.asked += [] if url.startswith(("data:", "blob:")) else [url]
        local = ("file:", "data:", "blob:", "http://127.0.0.1:", "ws://127.0.0.1:")
        if not url.startswith(local):
            self.outside.append(url)
