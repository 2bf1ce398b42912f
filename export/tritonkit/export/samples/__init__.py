"""What a model is judged by and calibrated with."""
