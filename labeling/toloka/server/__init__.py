"""A local server with Toloka's API v1 in front of the simulated crowd.

`serve(Settings(load_scenario("food-campaign")))` runs a server for a test; `labelworth
toloka-server` runs one on the command line.
"""

from labeling.toloka.server.model.truth import Truth, read_truth, write_truth
from labeling.toloka.server.model.world import Settings
from labeling.toloka.server.web.faults import Fault, make_faults, read_faults
from labeling.toloka.server.web.http import Exchange, Server, serve
from labeling.toloka.server.web.state_file import RequestLog

__all__ = [
    "Exchange",
    "Fault",
    "RequestLog",
    "Server",
    "Settings",
    "Truth",
    "make_faults",
    "read_faults",
    "read_truth",
    "serve",
    "write_truth",
]
