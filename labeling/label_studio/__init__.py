"""Own annotators on a Label Studio server.

The server's own SDK is not used: it pins older numpy and brings OpenCV and a code formatter. A few
requests over HTTP are all that a study needs.
"""
