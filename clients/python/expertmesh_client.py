#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Talks to an expertmesh gateway over gRPC.

    expertmesh_client.py models
    expertmesh_client.py chat QUESTION
    expertmesh_client.py score ID ID ...

`clients/python/generate DIR` makes the modules of the API; put DIR on PYTHONPATH. As a module:

    mesh = Mesh("127.0.0.1:9400")
    for kind, text in mesh.chat([("user", "Hello")]): ...
"""
import argparse
import sys
import time

import grpc
from mesh.gateway.v1 import inference_service_pb2 as api
from mesh.gateway.v1 import inference_service_pb2_grpc as api_grpc

# The gateway has done nothing yet, or no longer can: the same request may be sent again.
TRY_AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


class Mesh:
    """One gateway. Thread-safe, as the channel below it is."""

    def __init__(self, address, credentials=None, api_key=None):
        """`credentials`: grpc.ssl_channel_credentials(...) for a mesh with TLS. `api_key`: for a gateway that wants one."""
        self.metadata = [("authorization", f"Bearer {api_key}")] if api_key else None
        self.channel = grpc.secure_channel(address, credentials) if credentials else grpc.insecure_channel(address)
        self.stub = api_grpc.InferenceServiceStub(self.channel)

    def models(self, timeout=10):
        """What is served: a list of api.Model."""
        return list(self.stub.ListModels(api.ListModelsRequest(), timeout=timeout, metadata=self.metadata).models)

    def generate(self, request, timeout=600, attempts=4):
        """Yields the answer's events. Tries again while nothing has come: an answer that has begun is never lost to
        a failing node, the mesh itself moves it."""
        for attempt in range(attempts):
            begun = False
            try:
                for event in self.stub.Generate(request, timeout=timeout, metadata=self.metadata):
                    begun = True
                    yield event
                return
            except grpc.RpcError as error:
                if begun or error.code() not in TRY_AGAIN or attempt + 1 == attempts:
                    raise
                time.sleep(0.2 * 2**attempt)

    def chat(self, messages, max_tokens=0, stop=(), timeout=600, **sampling):
        """Yields ("thinking" or "answer", text) as it comes. `messages`: pairs of role and content. `sampling`:
        fields of api.SamplingOptions, for example temperature=0 or seed=7."""
        request = api.GenerateRequest(
            messages=api.Messages(messages=[api.Message(role=role, content=content) for role, content in messages]),
            sampling=api.SamplingOptions(**sampling), max_tokens=max_tokens, stop=stop)
        for event in self.generate(request, timeout):
            if event.delta.reasoning_text:
                yield "thinking", event.delta.reasoning_text
            if event.delta.text:
                yield "answer", event.delta.text

    def continue_ids(self, ids, max_tokens, logprobs=None, prompt_logprobs=False, timeout=600, **sampling):
        """Token ids in, token ids out: (tokens, prompt tokens) as api.TokenInfo and api.PromptTokenInfo."""
        request = api.GenerateRequest(token_ids=api.TokenIds(ids=ids), max_tokens=max_tokens, logprobs=logprobs,
                                      prompt_logprobs=prompt_logprobs, sampling=api.SamplingOptions(**sampling))
        tokens, prompt_tokens = [], []
        for event in self.generate(request, timeout):
            tokens.extend(event.delta.tokens)
            prompt_tokens.extend(event.delta.prompt_tokens)
        return tokens, prompt_tokens

    def tokenize(self, text, timeout=10):
        """The ids of a plain text."""
        return list(self.stub.Tokenize(api.TokenizeRequest(text=text), timeout=timeout, metadata=self.metadata).ids)

    def detokenize(self, ids, timeout=10):
        """The text of ids."""
        return self.stub.Detokenize(api.DetokenizeRequest(ids=ids), timeout=timeout, metadata=self.metadata).text


def print_models(mesh, _args):
    for model in mesh.models():
        print(f"{model.name}: context {model.context_length}, {model.numerics_class}, {model.digest.hex()}")


def print_chat(mesh, args):
    for kind, text in mesh.chat([("user", args.question)], temperature=0):
        print(text, end="", flush=True, file=sys.stdout if kind == "answer" else sys.stderr)
    print()


def print_score(mesh, args):
    tokens, prompt_tokens = mesh.continue_ids(args.ids, max_tokens=args.steps, logprobs=3, prompt_logprobs=True,
                                              temperature=0)
    for token in prompt_tokens + tokens:
        top = " ".join(f"{entry.id}:{entry.logprob:.3f}" for entry in token.top)
        print(f"{token.id} {token.logprob:.3f} [{top}] {mesh.detokenize([token.id])!r}")


def main():
    parser = argparse.ArgumentParser(description="Talks to an expertmesh gateway.")
    parser.add_argument("--gateway", default="127.0.0.1:9400", metavar="HOST:PORT")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("models", help="what is served").set_defaults(run=print_models)
    chat = commands.add_parser("chat", help="one answer; thinking goes to standard error")
    chat.add_argument("question")
    chat.set_defaults(run=print_chat)
    score = commands.add_parser("score", help="log-probabilities of token ids and of the greedy ids after them")
    score.add_argument("ids", type=int, nargs="+")
    score.add_argument("--steps", type=int, default=3)
    score.set_defaults(run=print_score)
    args = parser.parse_args()
    try:
        args.run(Mesh(args.gateway), args)
    except grpc.RpcError as error:
        sys.exit(f"expertmesh_client: {error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
