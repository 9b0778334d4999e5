from k.shows import Show


@Show.on.register
def on_text(self, thing: str):
    return "text"
