"""Opens sockets of every family."""


def attack():
    import socket


    won = []
    try:
        socket.socket(1, 1)
        won.append('family 1 type 1')
    except Exception:
        pass
    try:
        socket.socket(1, 2)
        won.append('family 1 type 2')
    except Exception:
        pass
    try:
        socket.socket(1, 3)
        won.append('family 1 type 3')
    except Exception:
        pass
    try:
        socket.socket(2, 1)
        won.append('family 2 type 1')
    except Exception:
        pass
    try:
        socket.socket(2, 2)
        won.append('family 2 type 2')
    except Exception:
        pass
    try:
        socket.socket(2, 3)
        won.append('family 2 type 3')
    except Exception:
        pass
    try:
        socket.socket(10, 1)
        won.append('family 10 type 1')
    except Exception:
        pass
    try:
        socket.socket(10, 2)
        won.append('family 10 type 2')
    except Exception:
        pass
    try:
        socket.socket(10, 3)
        won.append('family 10 type 3')
    except Exception:
        pass
    try:
        socket.socket(16, 1)
        won.append('family 16 type 1')
    except Exception:
        pass
    try:
        socket.socket(16, 2)
        won.append('family 16 type 2')
    except Exception:
        pass
    try:
        socket.socket(16, 3)
        won.append('family 16 type 3')
    except Exception:
        pass
    try:
        socket.socket(17, 1)
        won.append('family 17 type 1')
    except Exception:
        pass
    try:
        socket.socket(17, 2)
        won.append('family 17 type 2')
    except Exception:
        pass
    try:
        socket.socket(17, 3)
        won.append('family 17 type 3')
    except Exception:
        pass
    try:
        socket.socket(38, 1)
        won.append('family 38 type 1')
    except Exception:
        pass
    try:
        socket.socket(38, 2)
        won.append('family 38 type 2')
    except Exception:
        pass
    try:
        socket.socket(38, 3)
        won.append('family 38 type 3')
    except Exception:
        pass
    try:
        socket.socket(40, 1)
        won.append('family 40 type 1')
    except Exception:
        pass
    try:
        socket.socket(40, 2)
        won.append('family 40 type 2')
    except Exception:
        pass
    try:
        socket.socket(40, 3)
        won.append('family 40 type 3')
    except Exception:
        pass
    try:
        socket.socketpair()
        won.append('pair')
    except Exception:
        pass
    try:
        socket.create_server(('127.0.0.1', 0))
        won.append('server')
    except Exception:
        pass
    try:
        socket.create_connection(('127.0.0.1', 22), 1)
        won.append('connection')
    except Exception:
        pass
    return won
