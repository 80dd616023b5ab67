"""The markets that a study can buy on, by kind; quotes; stop signals."""
