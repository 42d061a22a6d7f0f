"""Addresses in inline code, as in `embgeom.hyperbolicity`, lead to what they name.

The pages need no role for it, and stay readable where Markdown is shown without Sphinx.
"""

from __future__ import annotations

from docutils import nodes
from known_names import ROOTS
from sphinx.application import Sphinx

__all__ = ["link_code"]


def link_code(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Make links of the literals that are whole addresses of what the pages describe."""
    objects = app.env.domains.python_domain.objects
    for literal in list(doctree.findall(nodes.literal)):
        entry = objects.get(literal.astext())
        if entry is None or not literal.astext().startswith(tuple(f"{root}." for root in ROOTS)):
            continue
        if isinstance(literal.parent, nodes.reference | nodes.title) or entry.docname == docname:
            continue
        link = nodes.reference("", "", internal=True)
        link["refuri"] = f"{app.builder.get_relative_uri(docname, entry.docname)}#{entry.node_id}"
        literal.replace_self(link)
        link += literal
