class Thing:
    def version(self):
        return "@VSN@"
