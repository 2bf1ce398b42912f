"""
Measures a served model under load.

    inputs/      what to send, and in which order
    targets/     what it is sent to: a server, or a stack of layers
    schedule/    when requests of an open loop start
    load/        the load generator, in one process or several
    record/      what becomes of requests, and what can be said of it
    observe/     the server's own account, processes, GPUs, metrics
    plan         how each point is measured; session, repeats: measuring it
    measurement  what one run at one point gave
    conditions   what a reader needs to measure the same again
    sweep/       many points; search/ the best of them
    report/      for people and for programs; compare/ two runs
"""
