// SPDX-License-Identifier: Apache-2.0
#include "router/placement/layer_assignment.h"

#include <deque>

namespace mesh::router {
namespace {

constexpr size_t kNone = static_cast<size_t>(-1);

// A bipartite graph of units and nodes that grows copy by copy.
class Assignment {
 public:
  explicit Assignment(const LayerAssignmentRequest& request)
      : request_(request),
        left_(request.quotas),
        degree_(request.num_units, 0),
        hosts_(request.num_units,
               std::vector<bool>(request.quotas.size(), false)) {}

  size_t Degree(size_t unit) const { return degree_[unit]; }

  // Keeps the unit on the node with most to spare of those that have it.
  void Keep(size_t unit) {
    size_t best = kNone;
    for (size_t n = 0; n < left_.size(); ++n) {
      if (!request_.current[unit][n] || hosts_[unit][n] || left_[n] == 0) {
        continue;
      }
      if (best == kNone || left_[n] > left_[best]) best = n;
    }
    if (best == kNone) return;
    hosts_[unit][best] = true;
    --left_[best];
    ++degree_[unit];
  }

  // Gives the unit one more node; other units may change theirs for it.
  void Augment(size_t unit) {
    // Step 1: breadth first from the unit to a node with something to spare.
    std::vector<Step> steps(left_.size());
    std::deque<size_t> queue;
    Reach(unit, kNone, steps, queue);
    size_t end = kNone;
    while (!queue.empty()) {
      const size_t node = queue.front();
      queue.pop_front();
      if (left_[node] > 0) {
        end = node;
        break;
      }
      // Units that are new here move first: that costs nothing.
      for (const bool kept : {false, true}) {
        for (size_t u = 0; u < degree_.size(); ++u) {
          if (hosts_[u][node] && request_.current[u][node] == kept) {
            Reach(u, node, steps, queue);
          }
        }
      }
    }
    if (end == kNone) return;
    // Step 2: along the path, each unit goes one node further.
    --left_[end];
    ++degree_[unit];
    for (size_t node = end; node != kNone; node = steps[node].from) {
      hosts_[steps[node].unit][node] = true;
      if (steps[node].from != kNone) {
        hosts_[steps[node].unit][steps[node].from] = false;
      }
    }
  }

  std::vector<std::vector<bool>> Take() { return std::move(hosts_); }

 private:
  // How a node was reached: by moving `unit` there, off `from`.
  struct Step {
    size_t unit = kNone;
    size_t from = kNone;
  };

  // Nodes with most to spare are tried first.
  void Reach(size_t unit, size_t from, std::vector<Step>& steps,
             std::deque<size_t>& queue) const {
    size_t roomiest = kNone;
    for (size_t n = 0; n < left_.size(); ++n) {
      if (hosts_[unit][n] || steps[n].unit != kNone) continue;
      steps[n] = {.unit = unit, .from = from};
      if (left_[n] > 0 && (roomiest == kNone || left_[n] > left_[roomiest])) {
        roomiest = n;
      }
      queue.push_back(n);
    }
    if (roomiest != kNone) queue.push_front(roomiest);
  }

  const LayerAssignmentRequest& request_;
  std::vector<size_t> left_;  // of each node's quota
  std::vector<size_t> degree_;
  std::vector<std::vector<bool>> hosts_;  // [unit][node]
};

}  // namespace

std::vector<std::vector<bool>> AssignLayer(
    const LayerAssignmentRequest& request) {
  Assignment assignment(request);
  for (size_t r = 1; r <= request.num_replicas; ++r) {
    for (size_t u = 0; u < request.num_units; ++u) {
      if (assignment.Degree(u) < r) assignment.Keep(u);
    }
    for (size_t u = 0; u < request.num_units; ++u) {
      if (assignment.Degree(u) < r) assignment.Augment(u);
    }
  }
  return assignment.Take();
}

}  // namespace mesh::router
