// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/server.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/ids.h"
#include "core/mutex.h"
#include "mesh/attention/v1/attention_service.grpc.pb.h"
#include "tests/gateway/fake_model.h"

namespace mesh::gateway {

// An attention node without a model or experts: speaks the real protocol on a
// real port, and fails on demand. Thread-safe.
class FakeAttentionNode {
 public:
  struct Options {
    std::string name = "attention-0";
    int port = 0;  // 0: any
    uint32_t vocab_size = 2048;
    uint32_t max_positions = 2048;
    uint32_t max_streams = 64;
    std::string model_digest = std::string(16, 'd');
    std::string numerics = "fake-1";
    FakeModel model = HashToken;
    TokenId eos = 1;
    absl::Duration step = absl::Milliseconds(1);
    absl::Duration heartbeat = absl::Milliseconds(25);
  };

  explicit FakeAttentionNode(Options options);
  ~FakeAttentionNode();

  std::string Address() const;
  int Port() const { return port_; }

  // Emits nothing from this token index on, until changed.
  void HoldAt(int index);
  void Release() { HoldAt(1 << 30); }
  // Says nothing at all any more, hears nothing, but keeps its connections.
  void Freeze();
  void Thaw();
  // Refuses submissions; OK accepts them again.
  void RefuseWith(const absl::Status& status);
  // Ends all streams that run here.
  void FailStreams(const absl::Status& status);
  // Sends each token twice.
  void RepeatTokens();
  // Leaves out this token once.
  void SkipToken(int index);
  // Every token comes with `bytes` of logprobs, for readers that are slow.
  void PadTokens(int num_logprobs);
  // Says that so many tokens of every prompt were in its prefix cache.
  void CacheTokens(uint32_t num_tokens) {
    MutexLock lock(mutex_);
    cached_tokens_ = num_tokens;
  }
  void SetDraining(bool draining);
  // Sends results that a stream of an old attempt would have had.
  void SendStale(uint64_t request, uint32_t attempt, int index);
  // Drops all connections and listens no more, as a killed process would.
  void Kill();

  int NumSubmitted() const;
  int NumCancelled() const;
  int NumRunning() const;
  // True once `condition` holds; false after ten seconds.
  bool Await(
      const std::function<bool(const FakeAttentionNode&)>& condition) const;
  std::optional<attention::v1::Submit> LastSubmit() const;

 private:
  class Connection;
  class Service;
  struct Stream {
    std::shared_ptr<Connection> connection;
    attention::v1::Submit submit;
    std::vector<TokenId> prompt;
    std::vector<TokenId> emitted;
    int next_prompt_logprob = 1;
  };

  void OnMessage(const std::shared_ptr<Connection>& connection,
                 const attention::v1::ServeRequest& request);
  void OnGone(const Connection* connection);
  void OnSubmit(const std::shared_ptr<Connection>& connection,
                const attention::v1::Submit& submit)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnCancelStream(const Connection* connection, uint64_t request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Loop();
  void Step() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // True once the stream has ended.
  bool StepStream(Stream& stream, attention::v1::StreamResult* result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  attention::v1::EngineLoad Load() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  mutable Mutex mutex_;
  mutable CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool frozen_ ABSL_GUARDED_BY(mutex_) = false;
  bool repeat_tokens_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  int hold_at_ ABSL_GUARDED_BY(mutex_) = 1 << 30;
  int skip_at_ ABSL_GUARDED_BY(mutex_) = -1;
  int padding_ ABSL_GUARDED_BY(mutex_) = 0;
  uint32_t cached_tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  int num_submitted_ ABSL_GUARDED_BY(mutex_) = 0;
  int num_cancelled_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<attention::v1::Submit> last_submit_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Connection>> connections_ ABSL_GUARDED_BY(mutex_);
  std::vector<Stream> streams_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_heartbeat_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace mesh::gateway
