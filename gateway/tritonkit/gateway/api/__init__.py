"""Routes beside the protocol: jobs, outcomes, metrics, embeddings."""
