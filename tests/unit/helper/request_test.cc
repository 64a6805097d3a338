// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "helper/failure.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

Request parse(std::vector<std::string> words) {
    words.insert(words.begin(), "tapgate-helper");
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    return parse_request(static_cast<int>(words.size()), argv.data());
}

// The error that the words end in, less the usage line's beginning; "none" when there is none.
std::string parse_error(std::vector<std::string> words) {
    const std::string usage = "Usage: tapgate-helper [--use-vnet] --br=bridge --fd=unixfd: ";
    const std::string text = error_of<Failure>([&] { parse(std::move(words)); });
    return text.rfind(usage, 0) == 0 ? text.substr(usage.size()) : text;
}

TEST(Request, TakesQemusOrderAndLibvirts) {
    for (const auto& words : std::vector<std::vector<std::string>>{
             {"--use-vnet", "--fd=27", "--br=br0"},
             {"--use-vnet", "--br=br0", "--fd=27"},
             {"--br", "br0", "--fd", "27",
              "--use-vnet"},  // getopt_long() in QEMU's helper does too
         }) {
        const Request request = parse(words);
        EXPECT_EQ(request.mode, Request::Mode::attach);
        EXPECT_EQ(request.bridge->str(), "br0");
        EXPECT_EQ(request.socket, 27);
        EXPECT_TRUE(request.vnet_header);
        EXPECT_EQ(request.queues, 1U);
        EXPECT_FALSE(request.mac);
        EXPECT_FALSE(request.vm);
    }
}

TEST(Request, TheLastOfARepeatedOptionWins) {
    // helper="tapgate-helper --br=br1": QEMU leaves its own --br= out, but a wrapper may not
    const Request request = parse({"--br=br0", "--fd=3", "--br=br1", "--fd=4"});
    EXPECT_EQ(request.bridge->str(), "br1");
    EXPECT_EQ(request.socket, 4);
    EXPECT_FALSE(request.vnet_header);
}

TEST(Request, TakesTheOptionsThatQemuDoesNotKnow) {
    const Request request =
        parse({"--br=br0", "--fd=3", "--queues=4", "--mac=52:54:00:12:34:56", "--vm=lab1"});
    EXPECT_EQ(request.queues, 4U);
    EXPECT_EQ(request.mac->str(), "52:54:00:12:34:56");
    EXPECT_EQ(request.vm->str(), "lab1");
}

TEST(Request, HasModesThatNeedNoSocket) {
    EXPECT_EQ(parse({"--version"}).mode, Request::Mode::version);
    EXPECT_EQ(parse({"--help", "--nonsense"}).mode, Request::Mode::help);
    EXPECT_EQ(parse({"--reap"}).mode, Request::Mode::reap);
}

TEST(Request, NumbersAreWholeNumbersInRange) {
    for (const auto* fd : {"abc", "", "-1", "+3", " 3", "3 ", "3x", "0x3", "4294967299",
                           "2147483648", "0", "1", "2", "99999999999999999999"})
        EXPECT_EQ(parse_error({"--br=br0", std::string("--fd=") + fd}),
                  std::string("`--fd=") + fd + "' is not a number from 3 to 2147483647");
    for (const auto* queues : {"0", "254", "many"})
        EXPECT_EQ(parse_error({"--br=br0", "--fd=3", std::string("--queues=") + queues}),
                  std::string("`--queues=") + queues + "' is not a number from 1 to 253");
}

TEST(Request, ALongNameIsRefusedAndNotCut) {  // CVE-2019-13164
    EXPECT_EQ(parse_error({"--br=sixteen-bytes-xx", "--fd=3"}),
              "name `sixteen-bytes-xx' too long: 16");
    EXPECT_EQ(parse_error({"--br=" + std::string(131072, 'x'), "--fd=3"}),
              "name `" + std::string(80, 'x') + "...' too long: 131072");
}

TEST(Request, SaysWhatIsWrong) {
    EXPECT_EQ(parse_error({}), "--br= is missing");
    EXPECT_EQ(parse_error({"--br=br0"}), "--fd= is missing");
    EXPECT_EQ(parse_error({"--fd=3"}), "--br= is missing");
    EXPECT_EQ(parse_error({"--br=", "--fd=3"}), "`--br=' cannot be a bridge's name");
    EXPECT_EQ(parse_error({"--br=b/r", "--fd=3"}), "`--br=b/r' cannot be a bridge's name");
    EXPECT_EQ(parse_error({"--br=br0", "--fd=3", "--nonsense"}),
              "`--nonsense' is unknown, or lacks its value");
    EXPECT_EQ(parse_error({"--br=br0", "--fd"}), "`--fd' is unknown, or lacks its value");
    EXPECT_EQ(parse_error({"-x", "--br=br0"}), "`-x' is unknown, or lacks its value");
    EXPECT_EQ(parse_error({"-xyz", "--br=br0"}), "`-xyz' is unknown, or lacks its value");
    EXPECT_EQ(parse_error({"--use-vnet=yes", "--br=br0"}),
              "`--use-vnet=yes' is unknown, or lacks its value");
    EXPECT_EQ(parse_error({"--br=br0", "--fd=3", "br1"}), "unexpected `br1'");
    EXPECT_EQ(parse_error({"--br=br0", "--fd=3", "--mac=01:00:5e:00:00:01"}),
              "`--mac=01:00:5e:00:00:01' is not a station's address like 52:54:00:12:34:56");
    EXPECT_EQ(parse_error({"--br=br0", "--fd=3", "--vm=../x"}),
              "`--vm=../x' is not a VM's name: a letter, then up to 39 of letters, digits, . _ -");
    EXPECT_EQ(parse_error({"--br=a\x1b]0;x", "--fd=3"}), "`--br=a?]0;x' cannot be a bridge's name");
}

TEST(Request, AnEmptyArgumentVectorIsAnError) {  // CVE-2021-4034
    char* argv[] = {nullptr};
    EXPECT_THAT(error_of<Failure>([&] { parse_request(0, argv); }),
                testing::HasSubstr("--br= is missing"));
}

}  // namespace
}  // namespace tapgate
