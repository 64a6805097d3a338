// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/names.h"

#include <gtest/gtest.h>

namespace tapgate {
namespace {

using namespace std::string_literals;

TEST(InterfaceName, TakesWhatTheKernelTakes) {
    for (const auto* name : {"br0", "b", "br-lab", "br0.100", "virbr0-nic", "fifteen-bytes-x",
                             "all", "br\303\274cke", "a%d"})
        EXPECT_TRUE(InterfaceName::parse(name)) << name;
    EXPECT_EQ(InterfaceName::parse("br0")->str(), "br0");
}

TEST(InterfaceName, RefusesWhatTheKernelRefuses) {
    for (const auto& name : {""s, "."s, ".."s, "br/0"s, "br:0"s, "br 0"s, "br0\n"s, "br0\t"s,
                             "br0\0"s, "\x1b[2J"s, "br\x7f"s, "sixteen-bytes-xx"s})
        EXPECT_FALSE(InterfaceName::parse(name)) << name;
}

TEST(InterfaceName, RefusesWhatLooksLikeAnotherName) {
    for (const auto* name : {"br0\xc2\xa0", "br0\xe2\x80\x8b", "\357\273\277br0", "br0\xa0"})
        EXPECT_FALSE(InterfaceName::parse(name)) << name;
}

TEST(VmName, IsALetterAndThenWordCharacters) {
    for (const auto& name : {"a"s, "lab1"s, "Web.Server_2-b"s, std::string(40, 'x')})
        EXPECT_TRUE(VmName::parse(name)) << name;
    for (const auto& name : {""s, "1lab"s, "-x"s, "a b"s, "a,b"s, "a=b"s, "a/b"s, "a\0"s,
                             "\xc3\xa4"s, std::string(41, 'x')})
        EXPECT_FALSE(VmName::parse(name)) << name;
}

TEST(MacAddress, ReadsAndWritesTheUsualForm) {
    const auto mac = MacAddress::parse("52:54:00:aB:Cd:eF");
    ASSERT_TRUE(mac);
    EXPECT_EQ(mac->str(), "52:54:00:ab:cd:ef");
    EXPECT_EQ(mac->bytes(), (MacAddress::Bytes{0x52, 0x54, 0x00, 0xab, 0xcd, 0xef}));
}

TEST(MacAddress, IsAStationsAddress) {
    for (const auto* text :
         {"", "52:54:00:ab:cd", "52:54:00:ab:cd:ef:", "52-54-00-ab-cd-ef", "5254.00ab.cdef",
          "52:54:00:ab:cd:eg", "52:54:00:ab:cd: f", "+2:54:00:ab:cd:ef", "00:00:00:00:00:00",
          "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "52:54:00:ab:cd:e"})
        EXPECT_FALSE(MacAddress::parse(text)) << text;
}

}  // namespace
}  // namespace tapgate
