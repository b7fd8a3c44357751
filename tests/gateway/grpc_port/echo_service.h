// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <string>

#include "mesh/gateway/v1/inference_service.grpc.pb.h"

namespace mesh::gateway {

// The gateway's service with answers that a test foresees.
class EchoService final : public v1::InferenceService::CallbackService {
 public:
  // The number of bytes of the text, as an id.
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context,
                                     const v1::TokenizeRequest* request,
                                     v1::TokenizeResponse* response) override {
    response->add_ids(static_cast<int>(request->text().size()));
    return Ok(context);
  }

  // What the handler sees as its peer.
  grpc::ServerUnaryReactor* Detokenize(
      grpc::CallbackServerContext* context, const v1::DetokenizeRequest*,
      v1::DetokenizeResponse* response) override {
    response->set_text(context->peer());
    return Ok(context);
  }

  // As many deltas of 64 bytes as max_tokens says; waits for none.
  grpc::ServerWriteReactor<v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext*,
      const v1::GenerateRequest* request) override {
    return new Writer(request->max_tokens());
  }

 private:
  class Writer final : public grpc::ServerWriteReactor<v1::GenerateResponse> {
   public:
    explicit Writer(uint32_t num_left) : num_left_(num_left) {
      answer_.mutable_delta()->set_text(std::string(64, 'x'));
      WriteNext();
    }
    void OnWriteDone(bool ok) override {
      if (!ok) num_left_ = 0;
      WriteNext();
    }
    void OnDone() override { delete this; }

   private:
    void WriteNext() {
      if (num_left_ == 0) {
        Finish(grpc::Status::OK);
        return;
      }
      --num_left_;
      StartWrite(&answer_);
    }

    uint32_t num_left_;
    v1::GenerateResponse answer_;
  };

  static grpc::ServerUnaryReactor* Ok(grpc::CallbackServerContext* context) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace mesh::gateway
