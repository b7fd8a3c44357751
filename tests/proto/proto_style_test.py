#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The protos keep the rules of buf's STANDARD set, and every service and rpc has a comment.

    proto_style_test.py PROTOC

Reads what protoc makes of proto/, prints each offence as buf names the rule, and exits 1 if any.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2] / "proto"
PASCAL = re.compile(r"[A-Z][A-Za-z0-9]*")
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
UPPER = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
PACKAGE = re.compile(r"mesh(\.[a-z][a-z0-9_]*)+\.v[1-9][0-9]*")
FILE = descriptor_pb2.FileDescriptorProto
SERVICE, METHOD = FILE.SERVICE_FIELD_NUMBER, descriptor_pb2.ServiceDescriptorProto.METHOD_FIELD_NUMBER


def words_of(name):
    """ExpertLoad2 -> EXPERT_LOAD2, as buf splits names."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def check_file(file, comments):
    if not PACKAGE.fullmatch(file.package):
        yield f"PACKAGE_VERSION_SUFFIX: package {file.package}"
    if pathlib.PurePath(file.name).parent.as_posix() != file.package.replace(".", "/"):
        yield f"PACKAGE_DIRECTORY_MATCH: package {file.package}"
    if not SNAKE.fullmatch(pathlib.PurePath(file.name).stem):
        yield "FILE_LOWER_SNAKE_CASE"
    if file.syntax != "proto3":
        yield "SYNTAX_SPECIFIED"
    if file.public_dependency or file.weak_dependency:
        yield "IMPORT_NO_PUBLIC"
    for number, service in enumerate(file.service):
        yield from check_service(file, service, (SERVICE, number), comments)
    for message in file.message_type:
        yield from check_message(message)
    for enum in file.enum_type:
        yield from check_enum(enum)


def check_service(file, service, path, comments):
    if not PASCAL.fullmatch(service.name) or not service.name.endswith("Service"):
        yield f"SERVICE_SUFFIX: {service.name}"
    if path not in comments:
        yield f"COMMENT_SERVICE: {service.name}"
    for number, rpc in enumerate(service.method):
        if not PASCAL.fullmatch(rpc.name):
            yield f"RPC_PASCAL_CASE: {rpc.name}"
        if rpc.input_type != f".{file.package}.{rpc.name}Request":
            yield f"RPC_REQUEST_STANDARD_NAME: {rpc.name} takes {rpc.input_type}"
        if rpc.output_type != f".{file.package}.{rpc.name}Response":
            yield f"RPC_RESPONSE_STANDARD_NAME: {rpc.name} returns {rpc.output_type}"
        if path + (METHOD, number) not in comments:
            yield f"COMMENT_RPC: {service.name}.{rpc.name}"


def check_message(message):
    if message.options.map_entry:
        return
    if not PASCAL.fullmatch(message.name):
        yield f"MESSAGE_PASCAL_CASE: {message.name}"
    for field in message.field:
        if not SNAKE.fullmatch(field.name):
            yield f"FIELD_LOWER_SNAKE_CASE: {message.name}.{field.name}"
    for oneof in message.oneof_decl:
        # An optional field is a oneof of its own, with a name of protoc's.
        if not oneof.name.startswith("_") and not SNAKE.fullmatch(oneof.name):
            yield f"ONEOF_LOWER_SNAKE_CASE: {message.name}.{oneof.name}"
    for nested in message.nested_type:
        yield from check_message(nested)
    for enum in message.enum_type:
        yield from check_enum(enum)


def check_enum(enum):
    if not PASCAL.fullmatch(enum.name):
        yield f"ENUM_PASCAL_CASE: {enum.name}"
    if enum.options.allow_alias:
        yield f"ENUM_NO_ALLOW_ALIAS: {enum.name}"
    prefix = words_of(enum.name) + "_"
    for value in enum.value:
        if not UPPER.fullmatch(value.name):
            yield f"ENUM_VALUE_UPPER_SNAKE_CASE: {value.name}"
        if not value.name.startswith(prefix):
            yield f"ENUM_VALUE_PREFIX: {value.name}, expected {prefix}*"
    if enum.value[0].name != prefix + "UNSPECIFIED":
        yield f"ENUM_ZERO_VALUE_SUFFIX: {enum.value[0].name}"


def check_uses(files):
    """RPC_REQUEST_RESPONSE_UNIQUE: a request or response is of one rpc only."""
    uses = [t for file in files for s in file.service for rpc in s.method for t in (rpc.input_type, rpc.output_type)]
    for name in sorted({use for use in uses if uses.count(use) > 1}):
        yield f"RPC_REQUEST_RESPONSE_UNIQUE: {name}"


def compile_protos(protoc, root):
    """The files' descriptors with their comments; fails on a warning, such as an unused import."""
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.proto"))
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run([protoc, f"--proto_path={root}", f"--descriptor_set_out={out.name}",
                               "--include_source_info", *names], capture_output=True, text=True, check=False)
        if done.returncode or done.stderr:
            sys.exit(f"{protoc}: {done.stderr}")
        files = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes()).file
        return [file for file in files if not file.package.startswith("grpc.")]  # which is not ours


def offences(protoc, root):
    files = compile_protos(protoc, root)
    for file in files:
        comments = {tuple(place.path) for place in file.source_code_info.location if place.leading_comments.strip()}
        yield from (f"{file.name}: {offence}" for offence in check_file(file, comments))
    yield from check_uses(files)


def self_check(protoc):
    """The checker must notice what it is there for."""
    bad = ('syntax = "proto3";\npackage mesh.x.v2;\nservice Bad { rpc Do(In) returns (In); }\n'
           "message In { int32 BadName = 1; }\nenum Kind { FIRST = 0; }\n")
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "bad.proto").write_text(bad)
        found = {line.split(": ")[1] for line in offences(protoc, pathlib.Path(folder)) if line.startswith("bad.proto")}
    expected = {"PACKAGE_DIRECTORY_MATCH", "SERVICE_SUFFIX", "COMMENT_SERVICE", "RPC_REQUEST_STANDARD_NAME",
                "RPC_RESPONSE_STANDARD_NAME", "COMMENT_RPC", "FIELD_LOWER_SNAKE_CASE", "ENUM_VALUE_PREFIX",
                "ENUM_ZERO_VALUE_SUFFIX"}
    assert found == expected, found ^ expected


def main():
    protoc = sys.argv[1]
    self_check(protoc)
    listed = set(re.findall(r"[a-z]+/\S+\.proto", (ROOT / "CMakeLists.txt").read_text()))
    found = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.proto")}
    bad = list(offences(protoc, ROOT)) + [f"proto/CMakeLists.txt: {name} is in one place only" for name in listed ^ found]
    for line in bad:
        print(line)
    print(f"proto style: {len(found)} files, {len(bad)} offences")
    return 1 if bad or len(found) < 5 else 0


if __name__ == "__main__":
    sys.exit(main())
