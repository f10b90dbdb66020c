"""What a person or a scheduler meets: terminal, exit codes, signals, repetition."""
