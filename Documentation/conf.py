# SPDX-License-Identifier: GPL-2.0
# Sphinx's configuration.  scripts/docs runs it and sets KERNEL_SOURCE: the kernel's own tree has
# the extension that turns kernel-doc comments into text, and the script that reads them.

import os
import re
import sys

from docutils import nodes
from sphinx import addnodes

kernel = os.environ["KERNEL_SOURCE"]
top = os.path.abspath("..")
sys.path.insert(0, kernel + "/Documentation/sphinx")

project = "Quarry"
copyright = "its authors; GPL-2.0"
# automarkup makes links of function names in the text of kernel-doc comments.
extensions = ["kerneldoc", "automarkup"]
kerneldoc_bin = kernel + "/scripts/kernel-doc"
kerneldoc_srctree = top
kerneldoc_verbosity = 1

exclude_patterns = ["ABI"]  # text, which abi.rst includes
primary_domain = "c"
highlight_language = "none"
smartquotes = False  # "--" is an option, not a dash

# What stands before a function or behind a member and is no C that Sphinx knows.
c_id_attributes = ["__must_check", "__malloc", "__percpu", "__user"]

# The kernel's types, and Quarry's private ones, have no page here.
nitpick_ignore_regex = [
    ("c:identifier", r"(gfp_t|size_t|bool|u\d+|s\d+|__[us]\d+|\w+_head|\w+_node|\w+_struct|qr_\w+)"),
    ("c:identifier", r"(list_head|work_struct|attribute_group)"),
]

html_theme = "sphinx_rtd_theme"
html_title = "Quarry"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None


def link_functions(app, doctree, docname):
    """Make ``quarry_free()`` in a page a link to the function's entry in the API page."""
    domain = app.env.get_domain("c")
    for node in list(doctree.findall(nodes.literal)):
        match = re.fullmatch(r"((?:quarry|KUNIT)_\w+)\(\)", node.astext())
        if not match or isinstance(node.parent, nodes.Referential):
            continue
        xref = addnodes.pending_xref("", refdomain="c", reftype="func", reftarget=match[1])
        link = domain.resolve_xref(
            app.env, docname, app.builder, "func", match[1], xref, node.deepcopy()
        )
        if link:
            node.replace_self(link)


def setup(app):
    app.connect("doctree-resolved", link_functions)
