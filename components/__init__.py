"""The parts of the monitoring, one file and one ComponentResource each."""
