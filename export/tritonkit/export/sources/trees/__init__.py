"""XGBoost and LightGBM, and the trees of scikit-learn that are like theirs."""
