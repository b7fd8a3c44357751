// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

// Nothing here or beside it includes a header of the project: this is the
// client of a stranger who has docs/wire_format.md and the .proto files.
namespace contract {

using Bytes = std::string;

// Ends the program unless `condition` holds.
#define CONTRACT_EXPECT(condition)                                    \
  do {                                                                \
    if (!(condition)) {                                               \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
                   #condition);                                       \
      std::exit(1);                                                   \
    }                                                                 \
  } while (false)

template <typename T>
void Append(Bytes& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
void Put(Bytes& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

template <typename T>
T Get(const Bytes& bytes, size_t at) {
  CONTRACT_EXPECT(at + sizeof(T) <= bytes.size());
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

// CRC-32C, RFC 3720.
inline uint32_t Crc32c(const Bytes& bytes, uint32_t crc = 0) {
  crc = ~crc;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ (0x82f63b78U & -(crc & 1));
  }
  return ~crc;
}

inline void FillTo64(Bytes& bytes) {
  bytes.resize((bytes.size() + 63) / 64 * 64, '\0');
}

}  // namespace contract
