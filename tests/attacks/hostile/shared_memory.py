"""Keeps memory for others to find."""


def attack():
    from multiprocessing import shared_memory

    import torch


    won = []
    try:
        shared_memory.SharedMemory(create=True, size=9)
        won.append('shared_memory')
    except Exception:
        pass
    try:
        open('/dev/shm/autograd_check_left_this', 'w')
        won.append('shm file')
    except Exception:
        pass
    try:
        torch.ones(3).share_memory_()
        won.append('torch')
    except Exception:
        pass
    return won
