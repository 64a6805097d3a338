// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files by the guest's agent, which may answer anything; a real one is in tests/system/net_view.sh.
#include "launcher/network/agent_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/network/fake_agent.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr const char* opened = "{\"return\": 7}\n";
constexpr const char* done = "{\"return\": {}}\n";

std::string piece(const std::string& text) {
    return R"({"return": {"count": 1, "eof": false, "buf-b64": ")" + text + "\"}}\n";
}

class AgentFiles : public testing::Test {
  protected:
    [[nodiscard]] std::string here(const std::string& name) const { return directory_.file(name); }

    [[nodiscard]] size_t files() const {
        const std::filesystem::directory_iterator all(directory_.path());
        return static_cast<size_t>(std::distance(begin(all), end(all)));
    }

    // What copying the guest's /f to "got" fails with, and what is there then.
    std::string from_guest_fails(std::vector<std::string> answers, std::uint64_t most = 1U << 20U) {
        answers.insert(answers.begin(), synchronized);
        const FakeAgent agent(std::move(answers));
        return error_of([&] {
            copy_from_guest({.socket = agent.path(), .answer_limit = 500ms, .most = most}, "/f",
                            here("got"));
        });
    }

    TemporaryDirectory directory_;
};

TEST_F(AgentFiles, ComeFromTheGuest) {
    FakeAgent agent({synchronized, opened, piece("AAEC/w=="), piece("aGVsbG8K"), piece(""), done});
    copy_from_guest({.socket = agent.path(), .answer_limit = 5000ms}, "dir/f", here("got"));
    EXPECT_EQ(content_of(here("got")), std::string("\0\1\2\xffhello\n", 10));
    EXPECT_THAT(agent.requests(), HasSubstr(R"("path":"/root/dir/f")"));
    EXPECT_EQ(files(), 1U);
}

TEST_F(AgentFiles, AreOldOrNew) {
    std::ofstream(here("got")) << "old";
    chmod(here("got").c_str(), 0640);
    EXPECT_THAT(
        from_guest_fails({opened, piece("aGVsbG8K"), "{\"error\": {\"desc\": \"gone\"}}\n"}),
        HasSubstr("refuses guest-file-read: gone"));
    EXPECT_EQ(content_of(here("got")), "old");
    EXPECT_EQ(from_guest_fails({opened, piece("aGVsbG8K"), piece(""), done}), "none");
    EXPECT_EQ(content_of(here("got")), "hello\n");
    struct stat status {};
    ASSERT_EQ(stat(here("got").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0640U);
    EXPECT_EQ(files(), 1U);
}

TEST_F(AgentFiles, FromAGuestAreNotTrusted) {
    EXPECT_THAT(from_guest_fails({"{\"return\": \"7\"}\n"}), HasSubstr("what it has opened"));
    EXPECT_THAT(from_guest_fails({opened, "{\"return\": 5}\n"}), HasSubstr("what it has read"));
    EXPECT_THAT(from_guest_fails({opened, "{\"return\": {\"buf-b64\": 5}}\n"}),
                HasSubstr("what it has read"));
    EXPECT_THAT(from_guest_fails({opened, piece("*")}), HasSubstr("no base64"));
    EXPECT_THAT(from_guest_fails({opened, piece(std::string(size_t{4} * 20000, 'A'))}),
                HasSubstr("more than it was asked for"));
    // One without an end.
    EXPECT_THAT(from_guest_fails({opened, piece("AAAA"), piece("AAAA"), piece("AAAA"), done}, 8),
                HasSubstr("too much for the agent; with a network it goes by ssh"));
    EXPECT_THAT(from_guest_fails({opened}), HasSubstr("no guest agent answers"));
    EXPECT_EQ(files(), 0U);
}

TEST_F(AgentFiles, GoToTheGuest) {
    std::ofstream(here("put")) << std::string("a\0b", 3);
    FakeAgent agent({synchronized, opened, "{\"return\": {\"count\": 1, \"eof\": false}}\n",
                     "{\"return\": {\"count\": 2, \"eof\": false}}\n", done, done});
    copy_to_guest({.socket = agent.path(), .answer_limit = 5000ms}, here("put"), "/tmp/");
    EXPECT_THAT(agent.requests(), HasSubstr(R"("path":"/tmp/put")"));
    EXPECT_THAT(agent.requests(), HasSubstr(R"("buf-b64":"YQBi")"));
    // The rest of it.
    EXPECT_THAT(agent.requests(), HasSubstr(R"("buf-b64":"AGI=")"));
    EXPECT_THAT(agent.requests(), HasSubstr("guest-file-flush"));
}

TEST_F(AgentFiles, ToAGuestThatCannot) {
    std::ofstream(here("put")) << "abc";
    const auto error = [&](std::vector<std::string> answers, const std::string& from,
                           std::uint64_t most = 1U << 20U) {
        answers.insert(answers.begin(), synchronized);
        const FakeAgent agent(std::move(answers));
        return error_of([&] {
            copy_to_guest({.socket = agent.path(), .answer_limit = 500ms, .most = most}, from,
                          "/t");
        });
    };
    for (const char* const count : {"0", "4", "-1", "\"3\""})
        EXPECT_THAT(error({opened, "{\"return\": {\"count\": " + std::string(count) + "}}\n", done},
                          here("put")),
                    HasSubstr("has not written"))
            << count;
    EXPECT_THAT(error({"{\"error\": {\"desc\": \"Permission denied\"}}\n"}, here("put")),
                HasSubstr("refuses guest-file-open: Permission denied"));
    EXPECT_THAT(error({}, here("put"), 2), HasSubstr("too much for the agent"));
    EXPECT_THAT(error({}, directory_.path()), HasSubstr("tar -cf FILE"));
    EXPECT_THAT(error({}, here("none")), HasSubstr("No such file"));
    EXPECT_THAT(error({}, "/dev/zero"), HasSubstr("is no file"));
}

}  // namespace
}  // namespace tapgate
