import codecs


def encode(text, errors="strict"):
    return f"@VSN@:{text}".encode(), len(text)


def decode(data, errors="strict"):
    return bytes(data).decode(), len(data)


def search(name):
    return codecs.CodecInfo(encode, decode, name="kletters") if name == "kletters" else None


codecs.register(search)
