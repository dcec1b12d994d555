"""The cluster on this machine that `make up` and the tests run against."""
