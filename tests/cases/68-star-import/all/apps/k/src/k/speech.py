from k.words import *


def everything():
    return [greet(), part()]
