// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama/ollama_fields.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/file.h"

namespace mesh::gateway {
namespace {

std::string Page() {
  const auto page =
      ReadFile(absl::StrCat(MESH_SOURCE_DIR, "/docs/ollama.md"), 1 << 20);
  EXPECT_TRUE(page.ok()) << page.status();
  return page.value_or("");
}

// The page's tables with fields have these rows, in this order, and no others.
TEST(OllamaDocumentation, ListsEveryField) {
  std::string expected;
  for (const OllamaField& field : OllamaFields()) {
    absl::StrAppend(&expected, "| `", field.name, "` | ", field.accepted, " | ",
                    field.effect.empty() ? "" : field.effect + " ", "|\n");
  }
  EXPECT_NE(Page().find("| field | accepted | remarks |\n|---|---|---|\n" +
                        expected + "\n"),
            std::string::npos)
      << expected;
}

TEST(OllamaDocumentation, ListsWhatIsNotServed) {
  const std::string page = Page();
  for (const absl::string_view name : OllamaUnsupportedFields()) {
    EXPECT_NE(page.find(absl::StrCat("`", name, "`")), std::string::npos)
        << name;
  }
}

}  // namespace
}  // namespace mesh::gateway
