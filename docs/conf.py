"""How Sphinx builds the documents: ``sphinx-build -W -n --keep-going -b html docs OUT``.

The package has to be installed or on the Python path: the reference is made of its docstrings.
Nothing is fetched while building, so names of other packages are not links.
"""
from __future__ import annotations

import os

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

import ms_lr_callbacks

project = "ms_lr_callbacks"
author = "the ms_lr_callbacks authors"
release = version = ms_lr_callbacks.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"ms_lr_callbacks {release}"

# So that a link may lead to a heading, as on GitHub.
myst_heading_anchors = 3

# A name in single backticks is a link where it is one of ours; an argument's name is just that.
default_role = "autolink"
autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
# Returns sections are sentences; the type stands in the signature.
napoleon_use_rtype = False
# A property may have the same name as an attribute that the class explains.
napoleon_use_ivar = True
# The hooks are MindSpore's interface and MindSpore's to call.
autodoc_default_options = {"exclude-members": ", ".join(
    ["construct", *(f"on_train_{part}" for part in ("begin", "epoch_begin", "step_begin", "step_end", "epoch_end",
                                                    "end"))])}

# Everything else that a docstring refers to has to be in the reference.
nitpick_ignore_regex = [
    ("py:class", r"(collections|logging|mindspore|numpy|os|pathlib)\..+"),
    ("py:class", "Path|LearningRateSchedule|FloatArray"),
    ("py:obj", "end"),  # an argument that happens to be called like a method of MindSpore's Callback
]


def unlink_what_is_no_page(app: Sphinx, document: nodes.document) -> None:
    """Leave of a link to an existing Markdown file outside of these folders its text; it is for readers on GitHub."""
    for link in list(document.findall(addnodes.pending_xref)):
        if link["reftype"] == "myst" and link["refdomain"] == "doc" and os.path.isabs(link["reftarget"]):
            link.replace_self(link.children)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("doctree-read", unlink_what_is_no_page)
