// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/hardware.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tapgate {
namespace {

Hardware usual() {
    return {.settings = {{"machine", "pc-q35-7.2"},
                         {"memory", "512M"},
                         {"cpus", "2"},
                         {"firmware", "bios"},
                         {"kernel", ""}},
            .devices = {{"port0", {"pcie-root-port", "pcie.0 16"}},
                        {"disk0", {"virtio-blk-pci", "port0 0"}},
                        {"device[0]", {"isa-serial", "isa.0 "}}}};
}

TEST(Hardware, IsTheSameAfterItWasWrittenAndRead) {
    const auto read = hardware_in(json_of(usual()));
    ASSERT_TRUE(read);
    EXPECT_EQ(difference_between(usual(), *read), "");
    EXPECT_EQ(difference_between(*read, usual()), "");
    EXPECT_EQ(read->devices, usual().devices);
    EXPECT_FALSE(hardware_in(nlohmann::json::object()));
    EXPECT_FALSE(hardware_in({{"settings", {{"memory", 512}}}, {"devices", {}}}));
    EXPECT_FALSE(hardware_in({{"settings", nlohmann::json::object()}, {"devices", {1, 2}}}));
}

TEST(Hardware, NamesWhatDiffersAndWhatMendsIt) {
    Hardware now = usual();
    now.settings["memory"] = "1024M";
    now.settings["cpus"] = "4,sockets=4,cores=1,threads=1";
    EXPECT_EQ(difference_between(usual(), now),
              "cpus was 2 and is 4,sockets=4,cores=1,threads=1, memory "
              "was 512M and is 1024M");
    EXPECT_EQ(settings_to_restore(usual(), now), "cpus=2 memory=512M");
    now = usual();
    now.settings["firmware"] = "/usr/share/OVMF/OVMF_CODE.fd";
    now.settings["kernel"] = "given";
    EXPECT_EQ(
        difference_between(usual(), now),
        "firmware was bios and is /usr/share/OVMF/OVMF_CODE.fd, QEMU did not load its kernel");
    EXPECT_EQ(settings_to_restore(usual(), now), "");
}

TEST(Hardware, NamesDevices) {
    Hardware now = usual();
    now.devices["port1"] = {"pcie-root-port", "pcie.0 17"};
    now.devices["nic1"] = {"virtio-net-pci", "port1 0"};
    EXPECT_EQ(difference_between(usual(), now), "nic1 (virtio-net-pci) was not there");
    EXPECT_EQ(difference_between(now, usual()), "nic1 (virtio-net-pci) was there");
    now = usual();
    now.devices.erase("device[0]");
    EXPECT_EQ(difference_between(usual(), now), "one more isa-serial was there");
    now = usual();
    now.devices["disk0"].type = "scsi-hd";
    EXPECT_EQ(difference_between(usual(), now), "disk0 was a virtio-blk-pci and is a scsi-hd");
    now = usual();
    now.devices["disk0"].place = "port1 0";
    EXPECT_EQ(difference_between(usual(), now), "disk0 (virtio-blk-pci) was at another place");
    now = usual();
    now.devices["port1"] = {"pcie-root-port", "pcie.0 17"};
    EXPECT_EQ(difference_between(usual(), now), "port1 (pcie-root-port) was not there");
}

}  // namespace
}  // namespace tapgate
