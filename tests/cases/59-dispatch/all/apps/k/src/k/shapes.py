from k.draw import Shape, draw


class Circle:
    radius = 1


@draw.register
def draw_circle(shape: Circle):
    return "circle @VSN@"


Shape.register(Circle)
