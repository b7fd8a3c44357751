// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/contract_link.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

namespace contract {
namespace {

constexpr unsigned kNumber = 77;
constexpr size_t kHeaderBytes = 72;

const unsigned char* Raw(const Bytes& bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Bytes Hmac(const Bytes& key, const Bytes& message) {
  unsigned char out[32];
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Raw(message),
       message.size(), out, nullptr);
  return {reinterpret_cast<char*>(out), sizeof(out)};
}

Bytes Sha256(const Bytes& message) {
  unsigned char out[32];
  EVP_Digest(message.data(), message.size(), out, nullptr, EVP_sha256(),
             nullptr);
  return {reinterpret_cast<char*>(out), sizeof(out)};
}

Bytes Digest(const Bytes& payload) {
  return Sha256(payload.substr(0, 64)).substr(0, 16);
}

}  // namespace

Link::Link() {
  ucp_config_t* config = nullptr;
  CONTRACT_EXPECT(ucp_config_read(nullptr, nullptr, &config) == UCS_OK);
  const std::pair<const char*, const char*> settings[] = {
      {"TLS", "tcp,self"},       {"NET_DEVICES", "lo"},
      {"RNDV_THRESH", "256k"},   {"ZCOPY_THRESH", "inf"},
      {"ADDRESS_VERSION", "v1"}, {"KEEPALIVE_INTERVAL", "inf"}};
  for (const auto& [name, value] : settings) {
    CONTRACT_EXPECT(ucp_config_modify(config, name, value) == UCS_OK);
  }
  ucp_params_t params = {};
  params.field_mask = UCP_PARAM_FIELD_FEATURES;
  params.features = UCP_FEATURE_AM;
  ucp_context_h context = nullptr;
  CONTRACT_EXPECT(ucp_init(&params, config, &context) == UCS_OK);
  ucp_config_release(config);
  const ucp_worker_params_t worker_params = {};
  CONTRACT_EXPECT(ucp_worker_create(context, &worker_params, &worker_) ==
                  UCS_OK);
  ucp_am_handler_param_t handler = {};
  handler.field_mask =
      UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB |
      UCP_AM_HANDLER_PARAM_FIELD_ARG | UCP_AM_HANDLER_PARAM_FIELD_FLAGS;
  handler.cb = &Link::OnMessage;
  handler.arg = this;
  handler.flags = UCP_AM_FLAG_WHOLE_MSG;
  handler.id = kNumber;
  CONTRACT_EXPECT(ucp_worker_set_am_recv_handler(worker_, &handler) == UCS_OK);
}

Bytes Link::Address() const {
  ucp_address_t* address = nullptr;
  size_t size = 0;
  CONTRACT_EXPECT(ucp_worker_get_address(worker_, &address, &size) == UCS_OK);
  const Bytes own(reinterpret_cast<char*>(address), size);
  ucp_worker_release_address(worker_, address);
  Bytes end = "EMXU";
  Append(end, Crc32c(own));
  return end + own;
}

Bytes Link::Key(const std::string& purpose, const Bytes& nonces) const {
  Bytes message = "expertmesh link 1 " + purpose;
  Append(message, link_id_);
  return Hmac(token_, message + nonces);
}

Bytes Link::Header(uint8_t kind, uint64_t cookie, const Bytes& payload,
                   const Bytes& key) {
  Bytes header = "EMXL";
  Append(header, uint8_t{1});
  Append(header, kind);
  Append(header, uint8_t{0});
  Append(header, uint8_t{0});
  Append(header, link_id_);
  Append(header, next_sequence_++);
  Append(header, cookie);
  Append(header, static_cast<uint64_t>(payload.size()));
  header += Digest(payload);
  return header + Hmac(key, header).substr(0, 16);
}

void Link::Hello(const Bytes& address, uint64_t link_id, const Bytes& token) {
  CONTRACT_EXPECT(address.substr(0, 4) == "EMXU");
  const Bytes worker_address = address.substr(8);
  CONTRACT_EXPECT(Get<uint32_t>(address, 4) == Crc32c(worker_address));
  CONTRACT_EXPECT(token.size() == 32);
  if (endpoint_ == nullptr) {
    ucp_ep_params_t params = {};
    params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS |
                        UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                        UCP_EP_PARAM_FIELD_ERR_HANDLER;
    params.address =
        reinterpret_cast<const ucp_address_t*>(worker_address.data());
    params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
    params.err_handler.cb = [](void*, ucp_ep_h, ucs_status_t) {};
    CONTRACT_EXPECT(ucp_ep_create(worker_, &params, &endpoint_) == UCS_OK);
  }
  link_id_ = link_id;
  token_ = token;
  nonce_ = Bytes(16, '\0');
  CONTRACT_EXPECT(
      RAND_bytes(reinterpret_cast<unsigned char*>(nonce_.data()), 16) == 1);
  send_key_ = Key("to acceptor", nonce_);
  receive_key_.clear();
  next_sequence_ = 0;
  next_received_ = 0;
  Carry(Header(1, 0, nonce_, Key("hello", "")), nonce_);
}

void Link::Send(uint8_t kind, uint64_t cookie, const Bytes& payload) {
  Carry(Header(kind, cookie, payload, send_key_), payload);
}

void Link::Carry(const Bytes& header, const Bytes& payload) {
  last_header_ = header;
  last_payload_ = payload;
  ucp_request_param_t params = {};
  const ucs_status_ptr_t request =
      ucp_am_send_nbx(endpoint_, kNumber, last_header_.data(), header.size(),
                      last_payload_.data(), payload.size(), &params);
  CONTRACT_EXPECT(!UCS_PTR_IS_ERR(request));
  if (request == nullptr) return;
  while (ucp_request_check_status(request) == UCS_INPROGRESS) {
    ucp_worker_progress(worker_);
  }
  ucp_request_free(request);
}

ucs_status_t Link::OnMessage(void* arg, const void* header, size_t header_size,
                             void* data, size_t size,
                             const ucp_am_recv_param_t* param) {
  auto& link = *static_cast<Link*>(arg);
  const Bytes head(static_cast<const char*>(header), header_size);
  if ((param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) == 0) {
    link.Take(head, Bytes(static_cast<const char*>(data), size));
    return UCS_OK;
  }
  struct Large {
    Link& link;
    Bytes header;
    Bytes payload;
  };
  auto* large = new Large{link, head, Bytes(size, '\0')};
  ucp_request_param_t params = {};
  params.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK |
                        UCP_OP_ATTR_FIELD_USER_DATA |
                        UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
  params.cb.recv_am = [](void* request, ucs_status_t status, size_t,
                         void* user) {
    const std::unique_ptr<Large> done(static_cast<Large*>(user));
    CONTRACT_EXPECT(status == UCS_OK);
    done->link.Take(done->header, done->payload);
    ucp_request_free(request);
  };
  params.user_data = large;
  CONTRACT_EXPECT(!UCS_PTR_IS_ERR(ucp_am_recv_data_nbx(
      link.worker_, data, large->payload.data(), size, &params)));
  return UCS_OK;
}

void Link::Take(const Bytes& header, const Bytes& payload) {
  CONTRACT_EXPECT(header.size() == kHeaderBytes);
  CONTRACT_EXPECT(header.substr(0, 4) == "EMXL");
  CONTRACT_EXPECT(Get<uint8_t>(header, 4) == 1);
  CONTRACT_EXPECT(Get<uint8_t>(header, 6) == 1);
  CONTRACT_EXPECT(Get<uint8_t>(header, 7) == 0);
  CONTRACT_EXPECT(Get<uint64_t>(header, 8) == link_id_);
  CONTRACT_EXPECT(Get<uint64_t>(header, 16) == next_received_++);
  CONTRACT_EXPECT(Get<uint64_t>(header, 32) == payload.size());
  CONTRACT_EXPECT(header.substr(40, 16) == Digest(payload));
  const uint8_t kind = Get<uint8_t>(header, 5);
  const Bytes key = kind == 2 ? Key("hello ack", nonce_) : receive_key_;
  CONTRACT_EXPECT(!key.empty());
  CONTRACT_EXPECT(header.substr(56) ==
                  Hmac(key, header.substr(0, 56)).substr(0, 16));
  if (kind == 2) {
    CONTRACT_EXPECT(payload.size() == 16);
    receive_key_ = Key("to dialer", nonce_ + payload);
  } else if (kind == 3) {
    CONTRACT_EXPECT(Get<uint64_t>(header, 24) == 0);
    frames_.push_back(payload);
  } else {
    CONTRACT_EXPECT(kind == 5);
    pong_ = {Get<uint64_t>(header, 24), payload};
  }
}

template <typename Done>
bool Link::ProgressUntil(double seconds, Done done) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (!done()) {
    if (Clock::now() > end) return false;
    ucp_worker_progress(worker_);
  }
  return true;
}

bool Link::WaitForAck() {
  return ProgressUntil(2, [&] { return !receive_key_.empty(); });
}

std::optional<Bytes> Link::Receive(double seconds) {
  if (!ProgressUntil(seconds, [&] { return !frames_.empty(); })) {
    return std::nullopt;
  }
  Bytes frame = std::move(frames_.front());
  frames_.pop_front();
  return frame;
}

bool Link::Ping(uint64_t cookie, size_t num_bytes) {
  const Bytes payload(num_bytes, 'p');
  Send(4, cookie, payload);
  return ProgressUntil(10, [&] { return pong_.has_value(); }) &&
         *std::exchange(pong_, std::nullopt) == std::pair(cookie, payload);
}

}  // namespace contract
