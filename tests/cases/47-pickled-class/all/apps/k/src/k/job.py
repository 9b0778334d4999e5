class Job:
    def __init__(self, number):
        self.number = number

    def label(self):
        return f"@VSN@ {self.number}"
