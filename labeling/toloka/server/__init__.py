"""A local server that speaks Toloka's API v1 in front of the simulated crowd.

`serve(Settings(load_scenario("food-campaign")))` runs one for a test; `labelworth toloka-server`
runs one by itself.
"""

from labeling.toloka.server.http import Server, serve
from labeling.toloka.server.truth import Truth, read_truth, write_truth
from labeling.toloka.server.world import Settings

__all__ = ["Server", "Settings", "Truth", "read_truth", "serve", "write_truth"]
