class Room:
    def __init__(self, seats):
        self.seats = {"front": list(seats)}
