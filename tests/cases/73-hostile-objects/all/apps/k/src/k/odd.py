class Unprintable:
    def __repr__(self):
        raise RuntimeError("no repr")

    __str__ = __repr__


class Array:
    def __eq__(self, other):
        return Array()

    def __bool__(self):
        raise ValueError("the truth value of an array is ambiguous")

    __hash__ = None


class Mock:
    def __getattr__(self, name):
        return Mock()


class Liar:
    __class__ = property(lambda self: dict)

    def __len__(self):
        return -1


class Endless:
    def __iter__(self):
        return self

    def __next__(self):
        return self

    def __len__(self):
        return 2**62


class Gone:
    __slots__ = ("never_set",)

    def __reduce_ex__(self, version):
        raise SystemExit("no copy")


class Tattler(dict):
    def items(self):
        raise KeyError("no items")
