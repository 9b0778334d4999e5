"""Compiles Jinja2 templates to Python modules, so that a template is loaded and upgraded like code.

A template becomes a module with the function `render(**context) -> str`, as with erlydtl in Erlang.
"""

from __future__ import annotations

from pathlib import Path

import jinja2
from jinja2 import meta

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.schemas import Templates
from node_runtime.releases.files.toml_reading.toml_file import refusal_at

# Jinja2's generated code reads a global `environment`, which must autoescape, like the environment
# that compiled the template.
_MODULE_END = '''

from jinja2 import Environment, Template

environment = Environment(autoescape=True)
_template = Template.from_module_dict(environment, globals(), {})


def render(**context: object) -> str:
    """Render the template with `context`."""
    return _template.render(context)
'''


def compile_templates(app: Path, templates: Templates) -> dict[str, bytes]:
    """Compile every template of the application in `app`. Return the source of each module by its path in src/."""
    folder = app / templates.source
    if not folder.is_dir() or not folder.resolve().is_relative_to(app.resolve()):
        sentence = f"{templates.source} is not a folder in the folder of the application"
        raise refusal_at(app / "app.toml", ("templates", "source"), sentence)
    package = templates.package.replace(".", "/")
    return {
        f"{package}/{path.name.removesuffix(templates.extension)}{templates.suffix}.py": compile_template(path)
        for path in sorted(folder.glob(f"*{templates.extension}"))
    }


def compile_template(path: Path) -> bytes:
    """Return the Python source of a template; equal templates give equal bytes.

    Raises `Refused` for a faulty template.
    """
    environment = jinja2.Environment(autoescape=True)
    try:
        text = path.read_text(encoding="utf-8")
        if any(meta.find_referenced_templates(environment.parse(text))):
            raise Refused(
                f"{path} uses another template; templates that are compiled to modules can't include or extend others."
            )
        source = environment.compile(text, name=path.name, filename=path.name, raw=True, defer_init=True)
    except jinja2.TemplateSyntaxError as error:
        raise Refused(f"{path}, line {error.lineno}: {error.message}.") from None
    except UnicodeDecodeError:
        raise Refused(f"{path} is not UTF-8; save it as UTF-8.") from None
    return (source + _MODULE_END).encode()
