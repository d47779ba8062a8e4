"""What each rule kind of the protocol's catalogue means for one person."""
