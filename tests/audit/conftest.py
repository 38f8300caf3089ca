from tests.realtime.conftest import clock, clocked, stage

__all__ = ["clock", "clocked", "stage"]
