"""Asks the library for temporary files, a database, a shelf."""


def attack():
    import shelve
    import sqlite3
    import tempfile


    won = []
    try:
        tempfile.TemporaryFile()
        won.append('tempfile')
    except Exception:
        pass
    try:
        tempfile.mkdtemp()
        won.append('mkdtemp')
    except Exception:
        pass
    try:
        sqlite3.connect('/tmp/autograd_check_left_this').execute('create table a (b)')
        won.append('sqlite3')
    except Exception:
        pass
    try:
        shelve.open('/tmp/autograd_check_left_this')
        won.append('shelve')
    except Exception:
        pass
    return won
