"""How Sphinx builds these pages, offline: ``python -m sphinx -W --keep-going -b html docs docs/_build/html``."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]
os.environ.setdefault("HF_HUB_OFFLINE", "1")

project = "embgeom"
author = "the embgeom authors"
release = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon", "sphinx_copybutton"]
extensions += ["public_names"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3

nitpicky = True
autosummary_generate = False
autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints = "signature"
napoleon_google_docstring = False
# Types in docstrings are prose ("array, shape (n, d)"), not names to look up; attributes are listed as parameters are.
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]
python_maximum_signature_line_length = 100
add_module_names = False

html_theme = "furo"
html_title = f"embgeom {release}"
html_static_path = ["_static"]
html_css_files = ["embgeom.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
smartquotes_action = "D"  # dashes; quotation marks are often code
highlight_language = "none"
pygments_style = "friendly"
pygments_dark_style = "github-dark"
copybutton_exclude = ".linenos, .gp, .go"
html_theme_options = {"navigation_with_keys": True}
