// SPDX-License-Identifier: Apache-2.0
#include "service/flags.h"

#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "service/config_file.h"
#include "service/flag_value.h"
#include "service/version.h"

namespace mesh::service {
namespace {

constexpr char kAskHelp[] = "; --help shows the flags";

struct Flag {
  std::string value_name;  // for --help; empty: a switch, which needs no value
  std::string default_text;
  std::string help;
  // Writes the target. Errors: those of flag_value.h.
  std::function<absl::Status(const std::string& text)> set;
};

struct GivenFlag {
  std::string name;
  std::string value;
};

// Of all that `parse` makes of the text, what the target takes.
template <typename T, typename Parse>
std::function<absl::Status(const std::string&)> Setter(T* target, Parse parse) {
  return [target, parse](const std::string& text) -> absl::Status {
    ASSIGN_OR_RETURN(*target, parse(text));
    return absl::OkStatus();
  };
}

absl::Status At(absl::string_view place, const absl::Status& status) {
  if (status.ok()) return status;
  return {status.code(), absl::StrCat(place, ": ", status.message())};
}

}  // namespace

struct Flags::State {
  std::string program;
  std::string section;
  std::string description;
  std::string config_path;
  bool help = false;
  bool version = false;
  std::map<std::string, Flag> flags;
  std::vector<std::string> order;  // of Add

  void Add(const std::string& name, Flag flag) {
    MESH_CHECK(flags.emplace(name, std::move(flag)).second);
    order.push_back(name);
  }

  std::string HelpText() const;
  absl::StatusOr<std::vector<GivenFlag>> Split(int argc, char** argv) const;
};

std::string Flags::State::HelpText() const {
  std::string text = absl::StrCat(program, ": ", description, "\n\nFlags:\n");
  for (const std::string& name : order) {
    const Flag& flag = flags.at(name);
    absl::StrAppend(&text, "  --", name, flag.value_name.empty() ? "" : " ",
                    flag.value_name, "\n", "      ", flag.help);
    if (!flag.default_text.empty()) {
      absl::StrAppend(&text, " (default: ", flag.default_text, ")");
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

absl::StatusOr<std::vector<GivenFlag>> Flags::State::Split(int argc,
                                                           char** argv) const {
  std::vector<GivenFlag> given;
  std::set<std::string> seen;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (!absl::StartsWith(argument, "--") || argument.size() == 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", argument, "': expected a flag", kAskHelp));
    }
    const size_t equals = argument.find('=');
    const std::string name =
        argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    const auto flag = flags.find(name);
    if (flag == flags.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, ": no such flag", kAskHelp));
    }
    if (!seen.insert(name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, ": given twice; give it once"));
    }
    if (equals != std::string::npos) {
      given.push_back({name, argument.substr(equals + 1)});
    } else if (flag->second.value_name.empty()) {
      given.push_back({name, "true"});
    } else if (i + 1 < argc && !absl::StartsWith(argv[i + 1], "--")) {
      given.push_back({name, argv[++i]});
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, ": needs a value", kAskHelp));
    }
  }
  return given;
}

Flags::Flags(std::string program, std::string section, std::string description)
    : state_(std::make_unique<State>()) {
  state_->program = std::move(program);
  state_->section = std::move(section);
  state_->description = std::move(description);
  Add("help", &state_->help, "shows this");
  Add("version", &state_->version, "shows the version");
  Add("config", &state_->config_path,
      "YAML file; its keys are these flags with underscores, and flags win");
}

Flags::~Flags() = default;

void Flags::Add(const std::string& name, std::string* target,
                const std::string& help) {
  state_->Add(
      name, {"TEXT", *target, help, Setter(target, [](const std::string& text) {
               return absl::StatusOr<std::string>(text);
             })});
}

void Flags::Add(const std::string& name, bool* target,
                const std::string& help) {
  state_->Add(name,
              {"", *target ? "true" : "", help, Setter(target, ParseBool)});
}

void Flags::Add(const std::string& name, int* target, const std::string& help,
                int least, int most) {
  state_->Add(name, {"NUMBER", absl::StrCat(*target),
                     absl::StrCat(help, ", ", least, " to ", most),
                     Setter(target, [least, most](const std::string& text) {
                       return ParseInt(text, least, most);
                     })});
}

void Flags::Add(const std::string& name, uint64_t* target,
                const std::string& help) {
  state_->Add(name, {"NUMBER", absl::StrCat(*target), help,
                     Setter(target, ParseUint64)});
}

void Flags::Add(const std::string& name, double* target,
                const std::string& help, double least, double most) {
  Flag flag = {"NUMBER", absl::StrCat(*target),
               absl::StrCat(help, ", ", least, " to ", most), nullptr};
  flag.set = [=](const std::string& text) -> absl::Status {
    ASSIGN_OR_RETURN(*target, ParseDouble(text, least, most));
    return absl::OkStatus();
  };
  state_->Add(name, std::move(flag));
}

void Flags::Add(const std::string& name, absl::Duration* target,
                const std::string& help) {
  state_->Add(name, {"DURATION", absl::FormatDuration(*target), help,
                     Setter(target, ParseDuration)});
}

absl::StatusOr<bool> Flags::Parse(int argc, char** argv) {
  ASSIGN_OR_RETURN(const std::vector<GivenFlag> given,
                   state_->Split(argc, argv));
  for (const GivenFlag& flag : given) {
    if (flag.name != "config") continue;
    RETURN_IF_ERROR(ReadFile(flag.value));
  }
  for (const GivenFlag& flag : given) {
    RETURN_IF_ERROR(At(absl::StrCat("--", flag.name),
                       state_->flags.at(flag.name).set(flag.value)));
  }
  if (state_->help) {
    std::fputs(state_->HelpText().c_str(), stdout);
  } else if (state_->version) {
    std::puts(absl::StrCat(state_->program, " ", Version()).c_str());
  }
  return !state_->help && !state_->version;
}

absl::Status Flags::ReadFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<ConfigEntry> entries,
                   ReadConfigFile(path, state_->section));
  for (const ConfigEntry& entry : entries) {
    const std::string place =
        absl::StrCat(path, ": line ", entry.line, ": ", entry.key);
    const auto flag =
        state_->flags.find(absl::StrReplaceAll(entry.key, {{"_", "-"}}));
    const bool known = flag != state_->flags.end() &&
                       entry.key.find('-') == std::string::npos &&
                       entry.key != "config" && entry.key != "help" &&
                       entry.key != "version";
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrCat(place, ": no such key; keys are the flags, with ",
                       "underscores", kAskHelp));
    }
    RETURN_IF_ERROR(At(place, flag->second.set(entry.value)));
  }
  return absl::OkStatus();
}

}  // namespace mesh::service
