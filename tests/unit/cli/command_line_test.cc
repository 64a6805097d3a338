// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string_view>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/cli/command_line.h"
#include "launcher/cli/other_words.h"
#include "launcher/cli/several.h"
#include "launcher/cli/verbs.h"
#include "launcher/vm/options.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

using testing::HasSubstr;
using testing::StartsWith;

const VmName lab = VmName::parse("lab").value();

TEST(CommandLine, IsAVerbANameAndOptions) {
    const CommandLine command = parse_command_line(
        grammar(), {"argv", "lab", "--memory", "2G", "-0", "--disk=a.raw"}, "/here");
    EXPECT_EQ(command.verb, grammar().find("argv"));
    EXPECT_TRUE(command.has("null"));
    EXPECT_FALSE(command.has("json"));
    EXPECT_EQ(command.vm_name(), lab);
    ASSERT_EQ(command.settings.size(), 2U);
    EXPECT_EQ(command.settings[0].value, "2G");
    const CommandLine more =
        parse_command_line(grammar(), {"argv", "lab", "--", "-no-reboot", "--"}, "/here");
    ASSERT_EQ(more.settings.size(), 2U);
    EXPECT_EQ(more.settings[0].key, "qemu-arg");
    EXPECT_EQ(more.settings[0].value, "-no-reboot");
    EXPECT_TRUE(more.rest.empty());
}

TEST(CommandLine, TakesSeveralNamesWhereTheLastOperandRepeats) {
    const CommandLine command = parse_command_line(
        grammar(), {"start", "a", "b", "--memory=2G", "c", "--powerdown-limit=3"}, "/");
    EXPECT_EQ(command.operands, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(words_for(command, "b"),
              (std::vector<std::string>{"start", "b", "--powerdown-limit=3", "--memory=2G"}));
    EXPECT_EQ(words_for(parse_command_line(grammar(), {"stop", "--all", "--force"}, "/"), "x"),
              (std::vector<std::string>{"stop", "x", "--force"}));
    for (const Verb& verb : grammar().verbs) {
        if (!verb.doing.empty()) {
            EXPECT_TRUE(operands_of(verb).back().repeats) << verb.name;
            EXPECT_FALSE(verb.done.empty()) << verb.name;
        }
    }
}

// Each option of the verb is one of its actions' at least: the others refuse it before they look at
// the lab's file, which is not there.
TEST(CommandLine, EachOptionOfLabHasAnActionThatTakesIt) {
    const Verb& verb = *grammar().find("lab");
    std::istringstream words{std::string(verb.operands.substr(0, verb.operands.find(' ')))};
    std::vector<std::string> actions;
    for (std::string action; std::getline(words, action, '|');)
        actions.push_back(action);
    ASSERT_GE(actions.size(), 9U);
    for (const VerbOption& option : grammar().options) {
        if (!takes(verb, option))
            continue;
        const std::string value(option.argument == "SECONDS"
                                    ? "5"
                                    : option.argument.substr(0, option.argument.find('|')));
        const std::string word =
            "--" + std::string(option.name) + (value.empty() ? "" : "=" + value);
        size_t refused = 0;
        for (const std::string& action : actions) {
            try {
                verb.run(
                    parse_command_line(grammar(), {"lab", action, "/nowhere/file", word}, "/"));
                ADD_FAILURE() << action;
            } catch (const UsageError& error) {
                EXPECT_THAT(error.what(), testing::HasSubstr("; these do: ")) << action;
                refused++;
            } catch (const LauncherError& error) {
                EXPECT_THAT(error.what(), testing::HasSubstr("/nowhere/file")) << action;
            }
        }
        EXPECT_GT(refused, 0U) << word;
        EXPECT_LT(refused, actions.size()) << word;
    }
}

TEST(CommandLine, ASwitchOfTheVmNeedsNoValue) {
    const auto value = [](const std::vector<std::string>& words) {
        return parse_command_line(grammar(), words, "/").settings.at(0).value;
    };
    EXPECT_EQ(value({"create", "--seed", "lab"}), "on");
    EXPECT_EQ(value({"create", "lab", "--seed=off"}), "off");
    EXPECT_EQ(parse_command_line(grammar(), {"create", "--seed", "lab"}, "/").vm_name(), lab);
}

// What one types by habit works, or leads to what does.
TEST(CommandLine, KnowsTheWordsOfOtherPrograms) {
    for (const auto& [word, verb] :
         {std::pair("ls", "list"), std::pair("rm", "delete"), std::pair("info", "status"),
          std::pair("shell", "ssh"), std::pair("list", "list")})
        EXPECT_EQ(grammar().find(word), grammar().find(verb)) << word;
    for (const Verb& verb : grammar().verbs) {
        EXPECT_EQ(said_here(verb.name), "") << "works, and needs no advice";
        std::istringstream aliases{std::string(verb.aliases)};
        for (std::string alias; aliases >> alias;) {
            EXPECT_EQ(grammar().find(alias), &verb) << alias << " is two verbs";
            EXPECT_EQ(said_here(alias), "") << alias;
        }
    }
    // The advice begins with a verb that there is.
    for (const char* word : {"shutdown", "ps", "destroy", "undefine", "reboot", "dominfo",
                             "suspend", "poweroff", "logs", "up", "down", "vncviewer"}) {
        const std::string advice(said_here(word));
        EXPECT_NE(grammar().find(advice.substr(0, advice.find(' '))), nullptr) << word;
    }
}

// Boost calls an option that is there twice ambiguous, but only when somebody uses it.
TEST(CommandLine, HasEachOptionOnceAndOfVerbsThatThereAre) {
    std::set<std::string_view> names;
    for (const VmOption& shape : vm_options())
        EXPECT_TRUE(names.insert(shape.key).second) << shape.key;
    for (const VerbOption& option : grammar().options) {
        EXPECT_TRUE(names.insert(option.name).second) << option.name;
        std::istringstream verbs{std::string(option.verbs)};
        for (std::string verb; verbs >> verb;)
            EXPECT_NE(grammar().find(verb), nullptr) << option.name << ": " << verb;
    }
}

TEST(CommandLine, HelpBreaksNoWord) {
    for (const size_t width : {40U, 47U, 60U, 79U, 80U}) {
        std::istringstream lines(help_text(grammar(), grammar().find("import"), width));
        std::string all;
        for (std::string line; std::getline(lines, line); all += line + "\n") {
            // A form that is longer has to stay whole.
            EXPECT_TRUE(line.size() <= width || line.find('[') != std::string::npos) << line;
            EXPECT_FALSE(line.ends_with(' ')) << line;
        }
        // But for a list of words, between them.
        for (const char* word : {"vmdk", "vdi", "vhdx", "vpc, ", "virtio", "scsi", "e1000e",
                                 "sockets=N,", "uefi-secure:", "hostfwd=tcp:127.0.0.1:2222-:22"})
            EXPECT_TRUE(all.find(trimmed(word)) != std::string::npos) << width << " " << word;
    }
    EXPECT_THAT(help_text(grammar(), grammar().find("import"), 80), HasSubstr("\n  -y, --yes "));
}

TEST(CommandLine, SaysWhichWordIsWrong) {
    const auto error = [](const std::vector<std::string>& words) {
        return error_of([&] { parse_command_line(grammar(), words, "/"); });
    };
    EXPECT_THAT(error({}), StartsWith("a verb is missing, as in: tapgate run IMAGE, "));
    EXPECT_EQ(error({"creat", "lab"}), "unknown verb `creat' (did you mean `create'?)");
    EXPECT_EQ(error({"strat", "lab"}), "unknown verb `strat' (did you mean `start'?)");
    EXPECT_EQ(error({"START", "lab"}), "unknown verb `START' (did you mean `start'?)");
    EXPECT_EQ(error({"fly", "lab"}), "unknown verb `fly'");
    EXPECT_EQ(error({"shutdown", "lab"}), "unknown verb `shutdown'; here it is: tapgate stop NAME");
    EXPECT_EQ(error({"argv"}), "argv needs NAME");
    EXPECT_EQ(error({"cp", "file"}), "cp needs [NAME:]PATH [NAME:]PATH");
    EXPECT_EQ(error({"argv", "a", "b"}), "`b' means nothing here: tapgate argv NAME");
    EXPECT_EQ(error({"argv", "lab", "--memry=2"}),
              "unknown option `--memry' (did you mean `--memory'?)");
    EXPECT_EQ(error({"argv", "lab", "--mem=2"}),
              "unknown option `--mem' (did you mean `--memory'?)");
    EXPECT_EQ(error({"show", "lab", "--null"}), "show does not take --null; these do: argv");
    EXPECT_EQ(error({"show", "lab", "--nul"}), "unknown option `--nul' (did you mean `--null'?)");
    EXPECT_EQ(error({"exec", "lab", "--yes", "--user", "-9y"}),
              "exec does not take --yes; these do: " +
                  std::string(std::find_if(grammar().options.begin(), grammar().options.end(),
                                           [](const VerbOption& one) { return one.name == "yes"; })
                                  ->verbs));
    EXPECT_EQ(error({"edit", "lab", "--", "-x"}), "edit takes nothing behind `--'");
    EXPECT_EQ(
        error_of([] {
            static_cast<void>(parse_command_line(grammar(), {"show", "../lab"}, "/").vm_name());
        }),
        "`../lab' is not a VM's name: a letter, then letters, digits, '.', '_' and '-', 40 "
        "bytes at most");
}

}  // namespace

}  // namespace tapgate
