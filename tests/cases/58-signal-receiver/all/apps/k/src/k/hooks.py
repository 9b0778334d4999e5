from k import hub


def on_save(text):
    return f"@VSN@ {text}"


hub.connect(on_save)
