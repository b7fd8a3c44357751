// SPDX-License-Identifier: Apache-2.0
#include "router/transport/ucx_lane.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_split.h"

namespace mesh::router {

// A line looks like
//   # lane[0]:  2:tcp/lo.0 md[1]  -> md[1]/tcp/sysdev[255] am am_bw#0 wireup
std::string LaneOf(absl::string_view endpoint_info) {
  for (const absl::string_view line : absl::StrSplit(endpoint_info, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() < 3 || words[1].substr(0, 5) != "lane[") continue;
    if (std::find(words.begin(), words.end(), "am") == words.end()) continue;
    const absl::string_view resource = words[2];
    const size_t begin = resource.find(':') + 1;  // 0 if there is none
    return std::string(resource.substr(begin, resource.rfind('.') - begin));
  }
  return "";
}

}  // namespace mesh::router
