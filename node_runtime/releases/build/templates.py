"""Jinja2 templates become Python modules at build, so that a template is loaded and upgraded as code is.

What erlydtl is to Erlang: priv/dtl/root.dtl becomes a module with `render(**context) -> str`.
"""

from __future__ import annotations

from pathlib import Path

import jinja2
from jinja2 import meta

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.schemas import Templates
from node_runtime.releases.files.toml import wrong

# Jinja2's generated code reads a global `environment`, and it escapes because it was compiled to.
_TAIL = '''

from jinja2 import Environment, Template

environment = Environment(autoescape=True)
_template = Template.from_module_dict(environment, globals(), {})


def render(**context: object) -> str:
    """The template with `context` filled in."""
    return _template.render(context)
'''


def compile_templates(app: Path, templates: Templates) -> dict[str, bytes]:
    """Path below src/ to the source of the module there, for every template of the application in `app`."""
    folder = app / templates.source
    if not folder.is_dir() or not folder.resolve().is_relative_to(app.resolve()):
        sentence = f"the templates are in {templates.source}, which is no folder of the application"
        raise wrong(app / "app.toml", ("templates", "source"), sentence)
    package = templates.package.replace(".", "/")
    return {
        f"{package}/{path.name.removesuffix(templates.extension)}{templates.suffix}.py": compile_template(path)
        for path in sorted(folder.glob(f"*{templates.extension}"))
    }


def compile_template(path: Path) -> bytes:
    """The Python source of one template; equal bytes for equal templates. Raises `Refused` with the line."""
    environment = jinja2.Environment(autoescape=True)
    try:
        text = path.read_text(encoding="utf-8")
        if any(meta.find_referenced_templates(environment.parse(text))):
            raise Refused(f"{path} uses another template; a template that is a module has to stand alone.")
        source = environment.compile(text, name=path.name, filename=path.name, raw=True, defer_init=True)
    except jinja2.TemplateSyntaxError as error:
        raise Refused(f"{path}, line {error.lineno}: {error.message}.") from None
    except UnicodeDecodeError:
        raise Refused(f"{path} is not UTF-8.") from None
    return (source + _TAIL).encode()
