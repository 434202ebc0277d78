"""What more than one test needs; see tests/README.md."""
