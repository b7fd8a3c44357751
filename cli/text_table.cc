// SPDX-License-Identifier: Apache-2.0
#include "cli/text_table.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace mesh::cli {
namespace {

std::string Printable(std::string cell) {
  for (char& c : cell) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = '?';
  }
  return cell;
}

}  // namespace

std::string TextTable(const std::vector<std::vector<std::string>>& rows,
                      const std::vector<size_t>& right) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string gap(widths[i] - row[i].size(), ' ');
      const bool to_right =
          std::find(right.begin(), right.end(), i) != right.end();
      const std::string cell = Printable(row[i]);
      absl::StrAppend(&line, i == 0 ? "" : "  ", to_right ? gap : "", cell,
                      to_right ? "" : gap);
    }
    absl::StripTrailingAsciiWhitespace(&line);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

std::string BytesText(double bytes) {
  if (bytes < 1024) return absl::StrFormat("%.0f B", bytes);
  for (const char* unit : {"KiB", "MiB", "GiB"}) {
    bytes /= 1024;
    if (bytes < 1024) return absl::StrFormat("%.1f %s", bytes, unit);
  }
  return absl::StrFormat("%.1f TiB", bytes / 1024);
}

std::string EpochText(uint64_t epoch) {
  if (epoch == 0) return "-";
  return absl::StrCat(epoch >> 32, ".", epoch & 0xffffffff);
}

}  // namespace mesh::cli
