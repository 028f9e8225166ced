"""Opens sockets of every family."""


def attack():
    import socket

    won = []

    def tried(name, act):
        try:
            act()
            won.append(name)
        except Exception:
            pass

    for family in (1, 2, 10, 16, 17, 38, 40):
        for kind in (1, 2, 3):
            tried(f"family {family} type {kind}", lambda: socket.socket(family, kind))
    tried("pair", lambda: socket.socketpair())
    tried("server", lambda: socket.create_server(("127.0.0.1", 0)))
    tried("connection", lambda: socket.create_connection(("127.0.0.1", 22), 1))
    return won
