// SPDX-License-Identifier: Apache-2.0
#include "service/handshake_proto.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"

namespace mesh::service {
namespace {

constexpr uint32_t kMinProtocolVersion = 1;
constexpr uint32_t kMaxProtocolVersion = 1;
constexpr size_t kDigestBytes = 16;

void AppendBigEndian(uint64_t word, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(word >> shift));
  }
}

uint64_t BigEndian(absl::string_view bytes) {
  uint64_t word = 0;
  for (const char c : bytes) word = word << 8 | static_cast<unsigned char>(c);
  return word;
}

absl::Status CheckDigest(const common::v1::Handshake& theirs,
                         absl::string_view peer) {
  const size_t size = theirs.model_digest().size();
  if (size == 0 || size == kDigestBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("%s sent a model digest of %d bytes, expected %d", peer,
                      size, kDigestBytes));
}

}  // namespace

std::string DigestBytes(const Digest& digest) {
  std::string bytes;
  AppendBigEndian(digest.high, bytes);
  AppendBigEndian(digest.low, bytes);
  return bytes;
}

absl::StatusOr<Digest> ParseDigestBytes(absl::string_view bytes) {
  if (bytes.size() != kDigestBytes) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "a digest of %d bytes, expected %d", bytes.size(), kDigestBytes));
  }
  return Digest{.high = BigEndian(bytes.substr(0, 8)),
                .low = BigEndian(bytes.substr(8))};
}

common::v1::Handshake MakeHandshake() {
  common::v1::Handshake handshake;
  handshake.set_min_protocol_version(kMinProtocolVersion);
  handshake.set_max_protocol_version(kMaxProtocolVersion);
  return handshake;
}

common::v1::Handshake MakeHandshake(const Digest& model_digest,
                                    absl::string_view numerics_class) {
  common::v1::Handshake handshake = MakeHandshake();
  handshake.set_model_digest(DigestBytes(model_digest));
  handshake.set_numerics_class(std::string(numerics_class));
  return handshake;
}

absl::Status CheckHandshake(const common::v1::Handshake& ours,
                            const common::v1::Handshake& theirs,
                            absl::string_view peer) {
  if (theirs.min_protocol_version() > ours.max_protocol_version() ||
      theirs.max_protocol_version() < ours.min_protocol_version()) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s speaks protocol %d to %d, this node %d to %d; run the same version "
        "of expertmesh on both",
        peer, theirs.min_protocol_version(), theirs.max_protocol_version(),
        ours.min_protocol_version(), ours.max_protocol_version()));
  }
  if (absl::Status status = CheckDigest(theirs, peer); !status.ok()) {
    return status;
  }
  if (!ours.model_digest().empty() && !theirs.model_digest().empty() &&
      ours.model_digest() != theirs.model_digest()) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s serves the model of digest %s, this node %s; give both the same "
        "--model",
        peer, absl::BytesToHexString(theirs.model_digest()),
        absl::BytesToHexString(ours.model_digest())));
  }
  if (!ours.numerics_class().empty() && !theirs.numerics_class().empty() &&
      ours.numerics_class() != theirs.numerics_class()) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s computes in numerics class \"%s\", this node in \"%s\"; give both "
        "the same --kernels",
        peer, absl::CHexEscape(theirs.numerics_class().substr(0, 32)),
        ours.numerics_class()));
  }
  return absl::OkStatus();
}

}  // namespace mesh::service
