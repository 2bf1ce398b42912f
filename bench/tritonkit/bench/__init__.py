"""
Measures a served model under load.

    inputs      what to send, from the model's metadata and configuration
    target      the model, as its server describes it
    load        the load generator; record, histogram, measurement: what comes of it
    statistics  the server's own account of the same run
    session     points measured one after the other
    conditions  what a reader needs to measure the same again
    report/     a table for people, a document for programs
"""
