"""Sets limits, priorities and processors of the zygote."""


def attack():
    import os
    import resource


    won = []
    try:
        resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))
        won.append('prlimit')
    except Exception:
        pass
    try:
        resource.prlimit(os.getppid(), resource.RLIMIT_CPU)
        won.append('reading them')
    except Exception:
        pass
    try:
        os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)
        won.append('priority')
    except Exception:
        pass
    try:
        os.nice(1)
        won.append('its own')
    except Exception:
        pass
    try:
        os.sched_setaffinity(os.getppid(), {0})
        won.append('affinity')
    except Exception:
        pass
    try:
        os.sched_setscheduler(os.getppid(), 3, os.sched_param(0))
        won.append('scheduler')
    except Exception:
        pass
    try:
        open(f'/proc/{os.getppid()}/oom_score_adj', 'w').write('1000')
        won.append('out of memory')
    except Exception:
        pass
    return won
