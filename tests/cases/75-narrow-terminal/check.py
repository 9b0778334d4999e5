"""Tables on terminals of any width, with and without colours and UTF-8 (rich issue 68, twtxt issue 196)."""


def check(node):
    node.stage("b")
    looks = (("ps", node.name), ("tree", node.name), ("plan", node.name, "b"), ("modules", node.name))
    for settings in (
        {"COLUMNS": "1"},
        {"COLUMNS": "20", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"COLUMNS": "0", "TERM": "", "LANG": "en_US.ISO-8859-1", "PYTHONIOENCODING": "latin-1"},
        {"COLUMNS": "nonsense", "NO_COLOR": "1", "PYTHONIOENCODING": "cp1252:strict"},
        {"COLUMNS": "99999", "FORCE_COLOR": "1", "PYTHONIOENCODING": "ascii:strict"},
    ):
        for words in looks:
            done = node.hotdash(*words, env={**node.environment, **settings})
            good = done.rc == 0 and "Traceback" not in done.err
            assert good, f"hotdash {words[0]} with {settings} ends with {done.rc}: {done.last[:200]}"
