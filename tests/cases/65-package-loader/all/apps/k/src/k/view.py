from jinja2 import Environment, PackageLoader

pages = Environment(loader=PackageLoader("k", "templates"), auto_reload=True)


def hello():
    return pages.get_template("hello.html").render()
