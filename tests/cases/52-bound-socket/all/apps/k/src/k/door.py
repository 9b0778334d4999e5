import socket
import threading

server = socket.create_server(("127.0.0.1", int("@PORT2@")))


def serve():
    while True:
        client, _ = server.accept()
        client.sendall(b"hello from @VSN@")
        client.close()


threading.Thread(target=serve, daemon=True).start()
