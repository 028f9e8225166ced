"""Asks libraries to go out."""


def attack():
    import http.client
    import smtplib
    import socket
    import urllib.request


    won = []
    try:
        urllib.request.urlopen('http://127.0.0.1', timeout=1)
        won.append('urllib')
    except Exception:
        pass
    try:
        http.client.HTTPConnection('127.0.0.1', timeout=1).request('GET', '/')
        won.append('http')
    except Exception:
        pass
    try:
        smtplib.SMTP('127.0.0.1', timeout=1)
        won.append('smtplib')
    except Exception:
        pass
    try:
        socket.getaddrinfo('example.org', 80) and socket.socket()
        won.append('dns')
    except Exception:
        pass
    return won
