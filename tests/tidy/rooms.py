# SPDX-License-Identifier: Apache-2.0
"""Which room may include which: the walls of the house, in one table.

Dependencies point the way a request travels; what is not listed is not
allowed. A room is a folder; a folder within it that is listed is a room of its
own. Besides rooms, these stand for what comes from outside:

  api        include/freshline/, what users of the C++ library include
  protobuf   google/protobuf/
  wire       generated messages
  grpc       grpcpp, grpc and the generated services

Only src/daemon, the composition root, sees every room.
"""

_BELOW_RPC = (
    "base version registry table ingest featurize featurize/aggregate estimate "
    "staleness outcome schedule record execute serve daemon/config")

_SRC = {
    "base": "",
    # What the daemon says, without waiting for whoever reads it.
    "log": "base",
    "version": "",
    "csv": "base",
    # Definitions are written as messages; nobody above reads them as such.
    "registry": "base protobuf wire",
    "table": "base registry",
    "ingest": "base registry table",
    "featurize/aggregate": "base registry table featurize",
    "featurize": "base registry table featurize/aggregate",
    "estimate": "base",
    # What a refresh is worth: numbers by the time they reach schedule.
    "staleness": "base registry",
    # What callers report of answers, told to the rows that they held.
    "outcome": "base registry table ingest staleness",
    # Values and explicit times only: no table, no thread, no clock.
    "schedule": "base estimate",
    # What a policy was told and did, as a file.
    "record": "base estimate schedule protobuf wire",
    "execute": "base registry table featurize staleness estimate schedule",
    "serve": ("base registry table ingest featurize estimate staleness outcome "
              "schedule execute"),
    # Connections and streams, whatever they carry.
    "http2": "base",
    "rpc": "base http2 registry ingest outcome serve protobuf wire",
    "client": "api base protobuf wire grpc",
    "cli": "api base csv client version protobuf wire grpc",
    "daemon/config": "base registry schedule protobuf wire",
    "daemon": _BELOW_RPC + " log http2 rpc protobuf wire",
}

_OFFLINE = ("base registry featurize bench/stats bench/trace bench/train "
            "bench/score")

_BENCH = {
    "bench/stats": "base",
    "bench/bound": "base",
    "bench/trace": "base csv",
    # The virtual-time driver is gRPC-free like the policy that it drives.
    "bench/sim": "base staleness estimate schedule",
    # Policies for the same engine that the daemon does not have.
    "bench/shelf": "base estimate schedule",
    # The daemon with all of them.
    "bench/research": "daemon bench/shelf",
    # The same over slices of traces, with the real functions' run times.
    "bench/sim/trace": _OFFLINE + " table staleness estimate schedule "
                       "bench/report bench/sim bench/bound",
    "bench/train": "base featurize registry bench/trace",
    "bench/score": "base featurize registry staleness bench/trace bench/train",
    "bench/report": _OFFLINE,
    # A recorded run under other settings.
    "bench/whatif": "base estimate schedule record wire",
    # Many runs together, whatever runs them.
    "bench/study": "base bench/score bench/report",
    # To the daemon as its clients see it, never to its rooms.
    "bench/load": "api base bench/stats client protobuf wire grpc",
    "bench/replay": _OFFLINE + " api client bench/report bench/load wire",
    "bench/commands": _OFFLINE + " api client version staleness estimate "
                      "schedule bench/report bench/load bench/replay bench/sim "
                      "bench/shelf "
                      "bench/sim/trace bench/study bench/whatif record wire",
    "bench/micro": _BELOW_RPC + " bench/sim bench/trace bench/train",
}

# Tests may look into every room, but only these know gRPC: the others have to
# build under ThreadSanitizer, without it.
GRPC_TESTS = ("tests/support", "tests/integration", "tests/fault",
              "tests/quality", "tests/unit/rpc", "tests/unit/client",
              "tests/unit/cli", "tests/unit/daemon", "tests/unit/load")

ROOMS = {name: frozenset(allowed.split())
         for name, allowed in {**_SRC, **_BENCH}.items()}
OUTSIDE = frozenset(("api", "protobuf", "wire", "grpc"))
