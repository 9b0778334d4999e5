import asyncio


class Wire(asyncio.Protocol):
    def __init__(self):
        self.lines = 0

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.lines += 1
        self.transport.write(f"@VSN@ {self.lines}\n".encode())
