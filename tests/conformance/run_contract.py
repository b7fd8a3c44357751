#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starts an expert node of its own and runs expert_contract against it.

run_contract.py EXPERT_NODE EXPERT_CONTRACT MODEL_DIR KERNELS f32|bf16
"""
import json
import signal
import subprocess
import sys

LIMIT_S = 120


def events(lines):
    """The log's events, as they come."""
    for line in lines:
        if line.startswith("{"):
            yield json.loads(line)


def wait_until_hosting(node):
    """The node's address, once it holds its experts."""
    address = None
    for event in events(node.stderr):
        if event.get("event") == "listening":
            address = event["address"]
        if event.get("event") == "hosting":
            return address
    raise SystemExit("the node has ended before it held its experts")


def main():
    program, contract, model, kernels, dtype = sys.argv[1:]
    node = subprocess.Popen(
        [program, "--experts", "all", "--model", model, "--kernels", kernels,
         "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"],
        stderr=subprocess.PIPE, text=True)
    try:
        address = wait_until_hosting(node)
        run = subprocess.run([contract, address, model, dtype], timeout=LIMIT_S, check=False)
    finally:
        node.send_signal(signal.SIGTERM)
        try:
            code = node.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            node.kill()
            raise
    return run.returncode or code


if __name__ == "__main__":
    sys.exit(main())
