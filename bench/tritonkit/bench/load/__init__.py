"""Load generators: a closed loop, an open loop, and several processes of either."""
