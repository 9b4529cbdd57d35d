"""Conformance checks that anybody can run against a device: bytes in and out, by a line that is given."""
