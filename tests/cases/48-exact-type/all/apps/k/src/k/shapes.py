class Circle:
    def __init__(self, radius):
        self.radius = radius

    def area(self):
        return f"@VSN@ {self.radius}"
