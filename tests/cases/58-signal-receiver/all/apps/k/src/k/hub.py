receivers = []


def connect(receiver):
    receivers.append(receiver)


def send(text):
    return [receiver(text) for receiver in receivers]
