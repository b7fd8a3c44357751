// SPDX-License-Identifier: Apache-2.0
// Whether a running expert node keeps docs/wire_format.md, as a stranger sees
// it. The node holds every expert of the model.
//
//   expert_contract HOST:PORT MODEL_DIR f32|bf16
#include <grpcpp/grpcpp.h>

#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "mesh/expert/v1/expert_service.grpc.pb.h"
#include "tests/conformance/contract_frames.h"
#include "tests/conformance/contract_link.h"
#include "tests/conformance/expert_weights_file.h"

namespace contract {
namespace {

namespace v1 = mesh::expert::v1;

class Contract {
 public:
  Contract(const std::string& address, const std::string& model, bool is_bf16)
      : model_(model),
        stub_(v1::ExpertService::NewStub(
            grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {
    const auto config = ReadJson(model + "/config.json");
    shape_ = {.is_bf16 = is_bf16,
              .hidden_size = config["hidden_size"],
              .num_layers = config["num_hidden_layers"],
              .num_experts = config["n_routed_experts"],
              .num_groups = config["n_group"]};
    dense_layer_ = 0;
    moe_layer_ = config["first_k_dense_replace"];
    CONTRACT_EXPECT(moe_layer_ > dense_layer_);
  }

  void Run() {
    RefusesWhatDoesNotFit();
    OpensALink();
    AnswersADispatch();
    AnswersTheSameAgain();
    SaysWhatItDoesNotHold();
    DropsBadFrames();
    DropsReplays();
    TakesATokenOnce();
  }

 private:
  v1::OpenDataPlaneRequest Request() const {
    v1::OpenDataPlaneRequest request;
    request.mutable_handshake()->set_min_protocol_version(1);
    request.mutable_handshake()->set_max_protocol_version(1);
    request.mutable_node()->set_name("conformance");
    v1::WireShape& wire = *request.mutable_wire();
    wire.set_version(1);
    wire.set_dtype(shape_.is_bf16 ? "bf16" : "f32");
    wire.set_hidden_size(shape_.hidden_size);
    wire.set_num_layers(shape_.num_layers);
    wire.set_num_experts(shape_.num_experts);
    wire.set_num_groups(shape_.num_groups);
    wire.set_max_frame_bytes(shape_.max_frame_bytes);
    request.set_transport("ucx");
    request.set_address(link_.Address());
    return request;
  }

  grpc::StatusCode Open(const v1::OpenDataPlaneRequest& request) {
    grpc::ClientContext context;
    const grpc::Status status =
        stub_->OpenDataPlane(&context, request, &offer_);
    if (!status.ok()) {
      std::printf("refused: %s\n", status.error_message().c_str());
    }
    return status.error_code();
  }

  v1::GetStatsResponse Stats() {
    grpc::ClientContext context;
    v1::GetStatsResponse response;
    CONTRACT_EXPECT(
        stub_->GetStats(&context, v1::GetStatsRequest(), &response).ok());
    return response;
  }

  void RefusesWhatDoesNotFit() {
    auto request = Request();
    request.mutable_wire()->set_hidden_size(shape_.hidden_size + 1);
    CONTRACT_EXPECT(Open(request) == grpc::StatusCode::FAILED_PRECONDITION);
    request = Request();
    request.mutable_handshake()->set_min_protocol_version(2);
    request.mutable_handshake()->set_max_protocol_version(3);
    CONTRACT_EXPECT(Open(request) == grpc::StatusCode::FAILED_PRECONDITION);
    request = Request();
    request.set_address("somewhere");
    CONTRACT_EXPECT(Open(request) == grpc::StatusCode::INVALID_ARGUMENT);
    request = Request();
    request.mutable_node()->set_name("");
    CONTRACT_EXPECT(Open(request) == grpc::StatusCode::INVALID_ARGUMENT);
  }

  void OpensALink() {
    CONTRACT_EXPECT(Open(Request()) == grpc::StatusCode::OK);
    link_.Hello(offer_.address(), offer_.link_id(), offer_.token());
    CONTRACT_EXPECT(link_.WaitForAck());
    CONTRACT_EXPECT(link_.Ping(31337, 1));
    CONTRACT_EXPECT(link_.Ping(5, 3000000));
    CONTRACT_EXPECT(Stats().lane().find("tcp") == 0);
  }

  // Three rows: one asks for a partial of two experts, one for one expert's
  // row, one for both rows of which the first's partial is the sum.
  Dispatch ThreeRows() {
    Dispatch dispatch{.frame_id = next_frame_id_++,
                      .layer = static_cast<uint16_t>(moe_layer_),
                      .rows = {},
                      .questions = {}};
    for (const float scale : {1.0F, 0.5F, 1.0F}) {
      Row row(shape_.hidden_size);
      for (size_t i = 0; i < row.size(); ++i) {
        // Exact in bfloat16.
        row[i] = scale * static_cast<float>(static_cast<int>(i * 7 % 33) - 16) /
                 16.0F;
      }
      dispatch.rows.push_back(row);
    }
    dispatch.questions = {{0, true, {{3, 0.75F}, {5, 0.4F}}},
                          {1, false, {{5, 1.0F}}},
                          {2, false, {{3, 0.75F}, {5, 0.4F}}}};
    return dispatch;
  }

  std::vector<Result> Ask(const Dispatch& dispatch) {
    link_.SendFrame(EncodeDispatch(dispatch, shape_));
    const auto answer = link_.Receive(20);
    CONTRACT_EXPECT(answer.has_value());
    return DecodeCombine(*answer, dispatch, shape_);
  }

  void ExpectResult(const Result& result, uint32_t row, uint8_t kind,
                    uint16_t id) {
    CONTRACT_EXPECT(result.request == kRequest);
    CONTRACT_EXPECT(result.choice == 0);
    CONTRACT_EXPECT(result.position == 100 + row);
    CONTRACT_EXPECT(result.kind == kind);
    CONTRACT_EXPECT(result.id == id);
  }

  void ExpectNear(const Bytes& row, const Row& expected) {
    const Row actual = DecodeRow(row, shape_);
    double error = 0;
    double norm = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      error += std::pow(static_cast<double>(actual[i]) - expected[i], 2);
      norm += std::pow(static_cast<double>(expected[i]), 2);
    }
    CONTRACT_EXPECT(norm > 0);
    // bfloat16 has 8 bits, and three roundings on the way.
    const double tolerance = shape_.is_bf16 ? 0.02 : 1e-5;
    CONTRACT_EXPECT(std::sqrt(error / norm) < tolerance);
  }

  void AnswersADispatch() {
    const Dispatch dispatch = ThreeRows();
    first_answer_ = Ask(dispatch);
    CONTRACT_EXPECT(first_answer_.size() == 4);
    ExpectResult(first_answer_[0], 0, 1, 0);
    ExpectResult(first_answer_[1], 1, 0, 5);
    ExpectResult(first_answer_[2], 2, 0, 3);
    ExpectResult(first_answer_[3], 2, 0, 5);
    ExpectNear(first_answer_[1].row,
               ExpertRow(model_, moe_layer_, 5, dispatch.rows[1]));
    ExpectNear(first_answer_[2].row,
               ExpertRow(model_, moe_layer_, 3, dispatch.rows[2]));
    ExpectNear(first_answer_[3].row,
               ExpertRow(model_, moe_layer_, 5, dispatch.rows[2]));
    // The partial has the bits of the sum of the rows.
    const Row three = DecodeRow(first_answer_[2].row, shape_);
    const Row five = DecodeRow(first_answer_[3].row, shape_);
    Row sum(three.size());
    for (size_t i = 0; i < sum.size(); ++i) {
      const volatile float first = 0.75F * three[i];
      const volatile float second = 0.4F * five[i];
      const volatile float begun = 0.0F + first;
      sum[i] = begun + second;
    }
    CONTRACT_EXPECT(first_answer_[0].row == EncodeRow(sum, shape_));
  }

  void AnswersTheSameAgain() {
    const std::vector<Result> again = Ask(ThreeRows());
    CONTRACT_EXPECT(again.size() == first_answer_.size());
    for (size_t i = 0; i < again.size(); ++i) {
      CONTRACT_EXPECT(again[i].row == first_answer_[i].row);
    }
  }

  void SaysWhatItDoesNotHold() {
    Dispatch dispatch = ThreeRows();
    dispatch.layer = static_cast<uint16_t>(dense_layer_);
    link_.SendFrame(EncodeDispatch(dispatch, shape_));
    const auto answer = link_.Receive(20);
    CONTRACT_EXPECT(answer.has_value());
    const std::vector<uint16_t> experts =
        DecodeStatus(*answer, dispatch, shape_, 1);
    CONTRACT_EXPECT((experts == std::vector<uint16_t>{3, 5}));
  }

  // Each is counted as corrupt, and has no answer.
  void DropsBadFrames() {
    const uint64_t before = Stats().frames_corrupt();
    std::vector<Bytes> frames(8, EncodeDispatch(ThreeRows(), shape_));
    frames[0][70] = static_cast<char>(frames[0][70] ^ 1);  // checksum
    frames[1][0] = 'X';
    Put(frames[2], 4, uint16_t{2});  // version
    Put(frames[3], 32, static_cast<uint16_t>(shape_.num_layers));
    Put(frames[4], 36, shape_.hidden_size * 2);
    Put(frames[5], 40, uint32_t{0});  // rows
    frames[6].back() = 1;             // padding
    frames[7].resize(40);
    for (size_t i = 1; i < 7; ++i) SealFrame(frames[i]);
    // The last byte of a row may be its own.
    const bool has_padding = shape_.RowBytes() % 64 != 0;
    if (!has_padding) frames.erase(frames.begin() + 6);
    for (const Bytes& frame : frames) link_.SendFrame(frame);
    const uint64_t expected = before + frames.size();
    for (int i = 0; i < 200 && Stats().frames_corrupt() < expected; ++i) {
      CONTRACT_EXPECT(!link_.Receive(0.05).has_value());
    }
    CONTRACT_EXPECT(Stats().frames_corrupt() == expected);
    AnswersTheSameAgain();
  }

  void DropsReplays() {
    const uint64_t dropped = Stats().messages_dropped();
    const uint64_t answered = Stats().frames_answered();
    AnswersTheSameAgain();
    link_.SendAgain();
    for (int i = 0; i < 200 && Stats().messages_dropped() == dropped; ++i) {
      CONTRACT_EXPECT(!link_.Receive(0.05).has_value());
    }
    CONTRACT_EXPECT(Stats().messages_dropped() == dropped + 1);
    CONTRACT_EXPECT(Stats().frames_answered() == answered + 1);
    AnswersTheSameAgain();
  }

  void TakesATokenOnce() {
    const uint64_t rejected = Stats().hellos_rejected();
    Link other;
    other.Hello(offer_.address(), offer_.link_id(), offer_.token());
    CONTRACT_EXPECT(!other.WaitForAck());
    CONTRACT_EXPECT(Stats().hellos_rejected() == rejected + 1);
    AnswersTheSameAgain();
  }

  const std::string model_;
  const std::unique_ptr<v1::ExpertService::Stub> stub_;
  Shape shape_;
  int dense_layer_ = 0;
  int moe_layer_ = 0;
  Link link_;
  v1::OpenDataPlaneResponse offer_;
  uint64_t next_frame_id_ = 1;
  std::vector<Result> first_answer_;
};

}  // namespace
}  // namespace contract

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "expert_contract HOST:PORT MODEL_DIR f32|bf16\n");
    return 2;
  }
  contract::Contract(argv[1], argv[2], std::string(argv[3]) == "bf16").Run();
  std::printf("the node keeps the contract\n");
}
