#!/usr/bin/env python3
"""What one worker costs by itself: requests a second and its CPU microseconds a request, by how many travel together.

usage: bootstrap_bench.py [--runtime node|python] [--interpreter PATH] [--function NAME] [--seconds N] [--batch N,N,N]
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "contract"))
import worker as workers  # noqa: E402

HEADERS = [("host", "localhost:8080"), ("user-agent", "bench"), ("accept", "*/*"),
           ("content-type", "application/json"), ("content-length", "18"),
           ("x-appwrite-execution-id", "6650f0a1b2c3d4e5f607"), ("x-appwrite-trigger", "http"),
           ("x-appwrite-user-id", ""), ("x-appwrite-key", "ephemeral_" + "k" * 160)]


def measure(worker, batch, seconds, timeout_ms):
    """Every answer is the same length, so that a batch is complete when its bytes are there."""
    one = worker.call(headers=HEADERS, body=b'{"name":"someone"}', timeout_ms=timeout_ms)
    assert one.status == 200, one.errors
    size = 12 + 16 + sum(len(k) + len(v) + 4 for k, v in one.headers) + len(one.body)
    data = b"".join(workers.request_frames(i + 1, headers=HEADERS, body=b'{"name":"someone"}', timeout_ms=timeout_ms)
                    for i in range(batch))
    target = bytearray(1 << 20)

    def exchange():
        worker.socket.sendall(data)
        missing = size * batch
        while missing > 0:
            missing -= worker.socket.recv_into(target)
        assert missing == 0, "answers differ in length"

    until = workers.now() + min(1.0, seconds / 3)
    while workers.now() < until:
        exchange()
    count, start, cpu = 0, workers.now(), worker.cpu_seconds()
    while workers.now() < start + seconds:
        for _ in range(50):
            exchange()
        count += 50 * batch
    elapsed, cpu = workers.now() - start, worker.cpu_seconds() - cpu
    return count / elapsed, cpu / count * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runtime", default="node", choices=["node", "python"])
    parser.add_argument("--interpreter")
    parser.add_argument("--function", default="hello")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--batch", default="1,8,64")
    parser.add_argument("--timeout", type=int, default=15000, help="milliseconds given with each request")
    options = parser.parse_args()

    make = workers.node_argv if options.runtime == "node" else workers.python_argv
    argv = make(options.interpreter) if options.interpreter else make()
    entrypoint = "main.js" if options.runtime == "node" else "main.py"
    code = os.path.join(workers.FUNCTIONS, options.function, options.runtime)
    start = workers.now()
    worker = workers.Worker(argv, os.path.abspath(code), entrypoint)
    first = worker.call(headers=HEADERS)
    print(f"{options.runtime} {worker.version}, {options.function}: first answer after "
          f"{(workers.now() - start) * 1000:.1f} ms (status {first.status})")
    for batch in map(int, options.batch.split(",")):
        rate, cpu = measure(worker, batch, options.seconds, options.timeout)
        print(f"  batch {batch:3}: {rate:9.0f} requests/s, {cpu:6.2f} us of the worker's CPU each")
    print(f"  memory: {worker.memory_kb()}")
    worker.close()


if __name__ == "__main__":
    main()
