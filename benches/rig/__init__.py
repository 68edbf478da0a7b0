"""What `benches/table` is made of: the machine, the load, the peers, the measures. Standard library only."""
