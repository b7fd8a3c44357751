// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "tests/router/transport/ucx_network.h"
#include "tests/router/transport_contract.h"

namespace mesh::router {
namespace {

INSTANTIATE_TEST_SUITE_P(Ucx, TransportContract, ::testing::Values([] {
                           return std::make_unique<UcxNetwork>();
                         }));

}  // namespace
}  // namespace mesh::router
