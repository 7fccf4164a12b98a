"""What the documentation's site contains; mkdocs calls `on_config` and `on_files` (mkdocs.yml).

The site has the folders of the repository: README.md as the start page, the changelog, the pages of docs/, config/ and
resources/ in their places, and every file to which a page links. The links of the pages therefore work as they are, and
mkdocs finds those that lead nowhere. mkdocs itself is only imported to build the site.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")


def pages() -> list[str]:
    """Return the pages of the site, relative to the repository."""
    found = [*ROOT.glob("docs/*.md"), *ROOT.glob("config/*.md"), *ROOT.glob("resources/*/README.md")]
    return ["README.md", "CHANGELOG.md", *sorted(str(page.relative_to(ROOT)) for page in found)]


def linked_files() -> list[str]:
    """Return the other files to which the pages link, relative to the repository; a missing file is left out."""
    targets = {target for page in pages() for target in _targets(ROOT / page)}
    return sorted({str(file.relative_to(ROOT)) for file in targets if file.is_file()} - set(pages()))


def _targets(page: Path) -> Iterator[Path]:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            yield (page.parent / target).resolve()


def on_config(config: Any) -> Any:
    """Set what the configuration file could only say as Python objects: GitHub's anchors, and drawings."""
    from pymdownx.slugs import slugify
    from pymdownx.superfences import fence_code_format

    config.mdx_configs["toc"] = {"slugify": slugify(case="lower"), "permalink": True}
    mermaid = {"name": "mermaid", "class": "mermaid", "format": fence_code_format}
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [mermaid]}
    return config


def on_files(files: Any, config: Any) -> Any:
    """Replace the files of docs/ by those of the site; the theme's own stay."""
    from mkdocs.structure.files import File

    for file in [file for file in files if file.src_dir == config.docs_dir]:
        files.remove(file)
    for path in (*pages(), *linked_files()):
        files.append(File(path, str(ROOT), config.site_dir, config.use_directory_urls))
    return files
