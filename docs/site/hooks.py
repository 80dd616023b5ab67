"""The pages of the site that lie outside docs/, and links to files that are not on it."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
}
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the repository's root."""
    for name, page in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links of the repository into links of the site; one to another file into its name."""
    is_of_root = page.file.src_uri in PAGES.values()

    def linked(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        path = (ROOT / ("" if is_of_root else "docs") / target).resolve()
        if path.parent == ROOT and path.name in PAGES:
            return f"[{words}]({PAGES[path.name]}{anchor})"
        if path.parent == ROOT / "docs":
            return f"[{words}]({path.name}{anchor})"
        return words if path.exists() else match[0]

    return _LINK.sub(linked, markdown)
