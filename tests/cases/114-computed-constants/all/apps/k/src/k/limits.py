LEAST = len("@VSN@" * ord("@VSN@"))
LABEL = "@VSN@"
