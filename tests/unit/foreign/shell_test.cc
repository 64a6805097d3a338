// SPDX-License-Identifier: GPL-2.0-or-later
//
// The reader of shell scripts against bash: shell/cases.txt has scripts, each of which bash runs in
// an empty environment where all that is called QEMU only prints what it was given. What the reader
// takes for QEMU's command line is that, or it refuses the script. It may refuse only where the
// case's name says so, "NAME (refused: PART OF THE REASON)", and differ only where a note names
// what is left out, "NAME (noted: PART OF THE NOTE)". "NAME (given: WORDS)": the script's
// arguments.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/shell/body.h"
#include "launcher/foreign/shell/line.h"
#include "launcher/foreign/shell/problem.h"
#include "launcher/foreign/shell/qemu_script.h"
#include "launcher/foreign/shell/qemu_words.h"
#include "launcher/foreign/shell/variables.h"
#include "tests/unit/foreign/cases.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

using Words = std::vector<std::string>;

// Stands for all programs of a host that starts VMs. What it was given goes to descriptor 9; a
// program that starts others starts the QEMU among its words.
constexpr const char* fake = R"(#!/bin/bash
case ${0##*/} in
    qemu-img | ip | brctl | modprobe | chown | tunctl | iptables | swtpm) exit 0 ;;
    sudo | doas | taskset | numactl | ionice | chrt | screen | strace | systemd-run)
        while [ $# -gt 0 ]; do
            case $1 in
            -u | -g) shift ;; # a user, a group: qemu and kvm are some
            qemu* | kvm | env | nice | ip | modprobe | bash | sh) exec "$@" ;;
            esac
            shift
        done ;;
    *) printf '%s\0' start "$@" end >&9 ;;
esac
)";

// Names that stand for it, and programs of the host that scripts may use.
constexpr const char* fakes =
    "qemu-system-x86_64 qemu-system-i386 qemu kvm qemu-kvm qemu-img ip brctl modprobe "
    "chown tunctl iptables swtpm sudo doas taskset numactl ionice chrt screen strace "
    "systemd-run";
constexpr const char* tools =
    "basename bash cat cut dirname env expr getopt grep head ls mkdir nice nohup "
    "nproc paste readlink realpath rm sed seq setsid sh sleep sort stdbuf tail tee tr "
    "timeout uname wc";

Words words_of(const std::string& text) {
    std::istringstream stream(text);
    return {std::istream_iterator<std::string>(stream), {}};
}

// One host for all scripts.
// #!/bin/bash -e: what the kernel gives the shell.
std::string options_of(const std::string& script) {
    std::string options;
    if (script.starts_with("#!")) {
        for (const std::string& word : words_of(script.substr(0, script.find('\n'))))
            options += word.starts_with('-') ? " " + word : "";
    }
    return options;
}

class Host : public Surroundings {
  public:
    Host() {
        namespace fs = std::filesystem;
        for (const char* const folder : {"bin", "home", "work"})
            fs::create_directory(directory_.file(folder));
        std::ofstream(directory_.file("fake")) << fake;
        fs::permissions(directory_.file("fake"), fs::perms::owner_all);
        for (const std::string& name : words_of(fakes))
            fs::create_symlink("../fake", directory_.file("bin/") + name);
        for (const std::string& name : words_of(tools)) {
            for (const std::string folder : {"/usr/bin/", "/bin/"}) {
                if (fs::exists(folder + name) && !fs::exists(directory_.file("bin/") + name))
                    fs::create_symlink(folder + name, directory_.file("bin/") + name);
            }
        }
    }

    // What QEMU is given, each time that bash starts it. A script in the background counts: all of
    // them have the pipe open.
    std::vector<Words> run(const std::string& text, const Words& arguments) const {
        std::ofstream(script_file()) << text;
        std::filesystem::remove_all(work());
        std::filesystem::create_directory(work());
        const std::string command = "cd " + work() + " && exec env -i HOME=" + home() +
                                    " PATH=" + directory_.file("bin") + " timeout 10 bash" +
                                    options_of(text) + " " + script_file() + " " +
                                    shell_text(arguments) + " 9>&1 >/dev/null 2>&1 </dev/null";
        // NOLINTNEXTLINE(cert-env33-c): a real shell is what ours is compared with
        const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
        std::vector<Words> starts;
        std::string word;
        bool inside = false;
        for (int c = fgetc(pipe.get()); c != EOF; c = fgetc(pipe.get())) {
            if (c != '\0') {
                word += static_cast<char>(c);
                continue;
            }
            if (!inside)
                starts.emplace_back();
            else if (word != "end")
                starts.back().push_back(word);
            inside = !inside || word != "end";
            word.clear();
        }
        return starts;
    }

    // What translate(1) asks the host.
    [[nodiscard]] std::optional<std::string> variable(const std::string& name) const override {
        return name == "HOME"  ? std::optional(home())
               : name == "PWD" ? std::optional(work())
                               : std::nullopt;
    }
    [[nodiscard]] std::optional<std::string> script() const override { return script_file(); }
    [[nodiscard]] std::optional<bool> exists(const std::string& path) const override {
        return std::filesystem::exists(path);
    }

  private:
    [[nodiscard]] std::string script_file() const { return directory_.file("script.sh"); }
    [[nodiscard]] std::string home() const { return directory_.file("home"); }
    [[nodiscard]] std::string work() const { return directory_.file("work"); }

    TemporaryDirectory directory_;
};

// "NAME (refused: REASON)": REASON.
std::string expectation(const std::string& name, const std::string& kind) {
    const size_t at = name.find(" (" + kind + ": ");
    if (at == std::string::npos)
        return {};
    const size_t begin = at + kind.size() + 4;
    return name.substr(begin, std::min(name.find(") (", begin), name.size() - 1) - begin);
}

// Are they the same, but for what stands as unknown_text?
bool same_word(const std::string& read, const std::string& real) {
    const size_t at = read.find(unknown_text);
    if (at == std::string::npos)
        return read == real;
    const std::string end = read.substr(at + unknown_text.size());
    if (!real.starts_with(read.substr(0, at)))
        return false;
    for (size_t i = at; i <= real.size(); i++) {
        if (same_word(end, real.substr(i)))
            return true;
    }
    return false;
}

// A word that is unknown as a whole stands for any number of them.
bool same(const Words& read, const Words& real) {
    for (size_t i = 0; i < read.size(); i++) {
        if (read[i] == unknown_text) {
            const Words rest(read.begin() + static_cast<std::ptrdiff_t>(i) + 1, read.end());
            for (size_t end = i; end <= real.size(); end++) {
                if (same(rest, {real.begin() + static_cast<std::ptrdiff_t>(end), real.end()}))
                    return true;
            }
            return false;
        }
        if (i == real.size() || !same_word(read[i], real[i]))
            return false;
    }
    return read.size() == real.size();
}

// The whole of what a script comes to, for whoever reads a failure.
std::string described(const std::vector<Words>& starts) {
    std::string text;
    for (const Words& words : starts)
        text += "\n  QEMU " + shell_text(words);
    return text;
}

constexpr size_t parts = 8;

// All cases, in parts that run side by side.
class ShellScripts : public testing::TestWithParam<size_t> {};

TEST_P(ShellScripts, AreReadAsBashRunsThem) {
    Host host;
    size_t read = 0;
    const std::vector<Case> cases = read_cases("../shell/cases.txt");
    for (size_t i = GetParam(); i < cases.size(); i += parts) {
        const Case& one = cases[i];
        SCOPED_TRACE(one.name);
        const Words arguments = words_of(expectation(one.name, "given"));
        const auto real = [&] {
            std::vector<Words> starts = host.run(one.text, arguments);
            std::erase_if(starts, [](const Words& words) { return words == Words{"--version"}; });
            return starts;
        };
        const std::string refused = expectation(one.name, "refused");
        const std::string noted = expectation(one.name, "noted");
        ShellCommand command;
        const std::string error = error_of<LauncherError>(
            [&] { command = find_qemu_start(one.text, host, "FILE", arguments); });
        if (error != "none") {
            EXPECT_TRUE(!refused.empty() && error.find(refused) != std::string::npos)
                << "refused: " << error << described(real());
            continue;
        }
        EXPECT_EQ(refused, "") << "is read";
        const Words words(find_qemu(command.words) + 1, command.words.cend());
        if (noted.empty()) {
            const std::vector<Words> starts = real();
            EXPECT_TRUE(starts.size() == 1 && same(words, starts[0]))
                << "bash:" << described(starts) << "\nhere:" << described({words});
        } else {
            Words notes = command.notes;
            notes.insert(notes.end(), command.others.begin(), command.others.end());
            EXPECT_THAT(notes, testing::Contains(testing::HasSubstr(noted)))
                << "bash:" << described(real()) << "\nhere:" << described({words});
        }
        read++;
    }
    EXPECT_GT(read, cases.size() / parts / 2);
}

// The first is told; a reason grows by what is made of it, and has one place.
TEST(ShellProblem, TellsWhereItComesFrom) {
    EXPECT_FALSE(ShellProblem());
    const ShellProblem typed = ShellProblem{"typed", true}.of_variable("A");
    EXPECT_EQ(typed.what, "the variable A, which is typed,");
    const ShellProblem met = typed.met_in(3).met_in(4);
    EXPECT_EQ(met.what, "the variable A, which is typed, in line 3");
    EXPECT_EQ(met.reason_for("B").of_variable("B").met_in(5).what,
              "the variable B, which is made of the variable A, which is typed, in line 3,");
    EXPECT_EQ(met.reason_for("A").of_variable("A").what,
              "the variable A, which is typed, in line 3,");
    EXPECT_TRUE(met.reason_for("B").soft);

    ShellProblem all;
    all.add({});
    EXPECT_FALSE(all);
    all.add({"an argument", true, true});
    EXPECT_TRUE(all.soft && all.of_argument && !all.is_hard());
    all.add({"a pattern"});
    EXPECT_EQ(all.what, "an argument");
    EXPECT_TRUE(all.is_hard() && all.of_argument);
}

// Who asks for what functions print is asked no more when an error has ended it.
TEST(ShellProblem, OfVariablesThatGrowLeavesNothingBehind) {
    const Surroundings nothing;
    ShellVariables variables(nothing);
    EXPECT_THROW(
        {
            const ShellVariables::PrintedBy asked(
                variables, [](const Words&) { return ShellVariables::Value{{"x"}}; });
            EXPECT_TRUE(variables.printed_by({"f"}));
            throw LauncherError("it grows");
        },
        LauncherError);
    EXPECT_FALSE(variables.printed_by({"f"}));
}

TEST(ShellBody, EndsWhereItsBracketDoes) {
    const auto body = [](std::string_view text) {
        return std::string(text.substr(0, length_of_body(text)));
    };
    EXPECT_EQ(body("{ a; } }"), "{ a; }");
    EXPECT_EQ(body("{ echo } {; } }"), "{ echo } {; }");
    EXPECT_EQ(body("{ '}' \"}\" \\} `}` $'}\\'' ${A:-\"}\"} {a,b} # }\n} }"),
              "{ '}' \"}\" \\} `}` $'}\\'' ${A:-\"}\"} {a,b} # }\n}");
    EXPECT_EQ(body("{ cat <<A <<-'B C' <<< }\n}\nA\n}\n\tB C\n} }"),
              "{ cat <<A <<-'B C' <<< }\n}\nA\n}\n\tB C\n}");
    EXPECT_EQ(body("(case a in b) c ;; (d) ;; esac) )"), "(case a in b) c ;; (d) ;; esac)");
    EXPECT_EQ(body("{ function f { a; }; } }"), "{ function f { a; }; }");
    EXPECT_EQ(body("{ \"a"), "");
    EXPECT_EQ(body("{ a"), "");
}

TEST(ShellInput, IsSplitAsReadDoes) {
    EXPECT_THAT(words_of_line("  a b  c ", " \t\n", 2), testing::ElementsAre("a", "b  c"));
    EXPECT_THAT(words_of_line("a::b:", ":", 9), testing::ElementsAre("a", "", "b"));
    EXPECT_THAT(words_of_line("a:b:", ":", 2), testing::ElementsAre("a", "b"));
    EXPECT_THAT(words_of_line("a:b:c:", ":", 2), testing::ElementsAre("a", "b:c:"));
    EXPECT_THAT(words_of_line(" a ", "", 1), testing::ElementsAre(" a "));
    EXPECT_THAT(words_of_line("  ", " ", 1), testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(All, ShellScripts, testing::Range(size_t{0}, parts));

}  // namespace

}  // namespace tapgate
