// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mesh::cli {

// Lines of text in columns: the first row is the heading. Columns are as wide
// as their widest cell, two spaces apart; those named in `right` are set to the
// right. Control characters in cells are shown as "?": names come from others.
std::string TextTable(const std::vector<std::vector<std::string>>& rows,
                      const std::vector<size_t>& right);

// "512 B", "3.5 KiB", "1.2 GiB".
std::string BytesText(double bytes);

// A placement epoch, term << 32 | sequence, as "term.sequence"; "-" for 0.
std::string EpochText(uint64_t epoch);

}  // namespace mesh::cli
