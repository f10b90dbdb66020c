"""The commands, a module for each kind of work. What a command needs beyond its options it imports when it runs."""
