from k.gen import show
from k.things import Thing


@show.register
def show_thing(thing: Thing):
    return "thing"


@show.register
def show_number(number: int):
    return "number d"
